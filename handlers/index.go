package handlers

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/netdiag/netdiag/internal/casebook"
)

// index knows of every record where to look for it, as the watches tell: reading all that was ever asked, reports included,
// would take longer than Slack waits.
type index struct {
	mu    sync.Mutex
	asked map[string]asked          // investigations
	open  map[string]time.Time      // remediations that wait for a decision, and until when
	phase map[string]casebook.Phase // of the remediations that are not over

	decided map[string]map[string]time.Time // by investigation: the remediations that somebody decided on, and since when they are there
}

// asked is what a question can be found by.
type asked struct {
	name          string
	created       time.Time
	team, user    string
	channel, root string // where it was asked, and where the answer is
}

func (x *index) investigation(inv casebook.Investigation) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.asked == nil {
		x.asked = map[string]asked{}
	}
	q := inv.Question
	x.asked[inv.Name] = asked{inv.Name, inv.Created, q.Team, q.User, q.Channel, inv.Status.Root.Channel}
}

// remediation takes in a remediation; ended is true where it was not over when it was seen last.
func (x *index) remediation(rem casebook.Remediation) (ended bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	ended = x.move(rem)
	if of := rem.Plan.Investigation; len(rem.Status.Decisions) > 0 {
		if x.decided == nil {
			x.decided = map[string]map[string]time.Time{}
		}
		if x.decided[of] == nil {
			x.decided[of] = map[string]time.Time{}
		}
		x.decided[of][rem.Name] = rem.Created
	}
	if rem.Status.Phase != casebook.AwaitingApproval {
		delete(x.open, rem.Name)
		return ended
	}
	if x.open == nil {
		x.open = map[string]time.Time{}
	}
	x.open[rem.Name] = rem.Plan.Expires
	return ended
}

// move notes the phase of a remediation; the lock is held.
func (x *index) move(rem casebook.Remediation) (ended bool) {
	if rem.Status.Phase.Terminal() {
		_, ended = x.phase[rem.Name]
		delete(x.phase, rem.Name)
		return ended
	}
	if x.phase == nil {
		x.phase = map[string]casebook.Phase{}
	}
	x.phase[rem.Name] = rem.Status.Phase
	return false
}

// phases counts the remediations that are not over.
func (x *index) phases() map[casebook.Phase]int {
	x.mu.Lock()
	defer x.mu.Unlock()
	out := map[casebook.Phase]int{}
	for _, p := range x.phase {
		out[p]++
	}
	return out
}

// newest names at most n of the investigations that which holds for, the newest first.
func (x *index) newest(n int, which func(asked) bool) []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	var found []asked
	for _, a := range x.asked {
		if which(a) {
			found = append(found, a)
		}
	}
	slices.SortFunc(found, func(a, b asked) int { return cmp.Or(b.created.Compare(a.created), cmp.Compare(a.name, b.name)) })
	var out []string
	for _, a := range found[:min(n, len(found))] {
		out = append(out, a.name)
	}
	return out
}

// undecided names at most n of the remediations that can still be decided on, the first to expire first.
func (x *index) undecided(n int, now time.Time) []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	var out []string
	for name, until := range x.open {
		if now.Before(until) {
			out = append(out, name)
		}
	}
	slices.SortFunc(out, func(a, b string) int { return cmp.Or(x.open[a].Compare(x.open[b]), cmp.Compare(a, b)) })
	return out[:min(n, len(out))]
}

func (x *index) forget(name string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.asked, name)
	delete(x.open, name)
	delete(x.phase, name)
	delete(x.decided, name)
	for _, of := range x.decided {
		delete(of, name)
	}
}

// fixesOf names the remediations of an investigation that somebody decided on, the oldest first.
func (x *index) fixesOf(investigation string) []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	of := x.decided[investigation]
	return slices.SortedFunc(maps.Keys(of), func(a, b string) int { return cmp.Or(of[a].Compare(of[b]), cmp.Compare(a, b)) })
}

// read gets records by their names, in that order; those that are gone are left out.
func read[T any](ctx context.Context, x *index, records casebook.Records[T], names []string) ([]T, error) {
	var out []T
	for _, name := range names {
		r, err := records.Get(ctx, name)
		switch {
		case err == nil:
			out = append(out, r)
		case errors.Is(err, casebook.ErrNotFound):
			x.forget(name)
		default:
			return nil, err
		}
	}
	return out, nil
}
