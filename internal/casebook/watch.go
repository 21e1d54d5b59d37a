package casebook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/remedy"
)

// Times of a watch.
const (
	firstLook = 10 * time.Minute // after the end: what undoes a change at once is seen by then
	lookRetry = 2 * time.Minute  // after a look that came to nothing, its process having died say
	lookUntil = time.Hour        // past the end of the watch: who could not look by then gives up
	// addonReverts is past the 15 minutes after which EKS puts back what it owns of an add-on
	// (aws-eks-best-practices, latest/bpg/networking/vpc-cni.adoc).
	addonReverts = 20 * time.Minute
	// controllerReverts is past the 10 minutes for which the load balancer controller keeps what it knows of security
	// groups (pkg/networking: the default TTL of its caches).
	controllerReverts = 12 * time.Minute
)

// reverts is how long after a change whatever owns the changed thing may put back what was there.
func reverts(a remedy.Action) time.Duration {
	switch {
	case a.AddonConfig != nil, a.DaemonSetEnv != nil:
		return addonReverts
	case a.DeleteInterfaces != nil, a.RestartPods != nil, a.MovePods != nil:
		return firstLook
	}
	return controllerReverts
}

// watchOf is the watch over a change of netdiag's own that succeeded at now; what somebody else made is not watched.
func watchOf(r Remediation, now time.Time) *Watch {
	if r.Status.Receipt == nil || !r.Status.Receipt.Owned {
		return nil
	}
	until := r.Status.Applied.Add(reverts(*r.Plan.Fix.Action))
	if least := now.Add(firstLook); until.Before(least) {
		until = least
	}
	return &Watch{Until: until, State: Watching, At: now}
}

// nextLook is when a look at r is due: ten minutes after it ended, and at the end of the watch.
func nextLook(r Remediation) time.Time {
	w, first := r.Status.Watch, r.Status.Finished.Add(firstLook)
	switch {
	case w.At.Before(first) && first.Before(w.Until):
		return first
	case w.At.Before(w.Until):
		return w.Until
	}
	return w.At.Add(lookRetry)
}

// watched reports whether r is still looked after, though it is over.
func watched(r Remediation) bool {
	return r.Status.Phase == Succeeded && r.Status.Watch != nil && r.Status.Watch.State == Watching
}

func lookDue(r Remediation, now time.Time) bool {
	return watched(r) && !now.Before(nextLook(r)) && now.Before(r.Status.Watch.Until.Add(lookUntil))
}

var errNotDue = errors.New("not due")

// lookAgain looks whether a change that succeeded is still in effect, and what is so now. It changes nothing in the world:
// whoever stores the time of the look first is the one who looks, and the target is locked for nobody.
func (e *Executor) lookAgain(ctx context.Context, r Remediation) error {
	began := e.Now()
	r, err := e.amend(ctx, r.Name, func(r *Remediation) error {
		if !lookDue(*r, began) {
			return errNotDue
		}
		r.Status.Watch.At = began
		return nil
	})
	if errors.Is(err, errNotDue) {
		return nil
	}
	if err != nil {
		return err
	}
	if undo, open, err := e.undoneBy(ctx, r); err != nil || open {
		return err
	} else if undo != "" {
		return e.endWatch(ctx, r, Undone, "Not watched any more: it was undone on request, by "+undo+".")
	}
	inEffect, _, err := e.look(ctx, *r.Plan.Fix.Action, mark(r), true)
	if err != nil {
		return fmt.Errorf("look whether %s is still in effect: %w", r.Plan.Fix.Action.Kind(), err)
	}
	report, err := e.diagnoseOnce(ctx, r.Plan)
	if ctx.Err() != nil {
		return nil
	}
	since, who := spellTime(began.Sub(r.Status.Applied)), ""
	if !inEffect {
		who = e.whoDid(ctx, r, report)
	}
	switch now := seenNow(r, report, err); {
	case !inEffect:
		return e.endWatch(ctx, r, Undone, fmt.Sprintf("Looked again %s after the change: it is not in effect any more. %s%s", since, who, now))
	case !began.Before(r.Status.Watch.Until):
		return e.endWatch(ctx, r, Held, fmt.Sprintf("Looked again %s after the change: it is still in effect. %s", since, now))
	}
	return nil
}

// amend changes a record that nobody has to hold for it.
func (e *Executor) amend(ctx context.Context, name string, f func(*Remediation) error) (Remediation, error) {
	call, done := context.WithTimeout(ctx, callTimeout)
	defer done()
	return change(call, e.Store.Remediations, name, f)
}

func (e *Executor) endWatch(ctx context.Context, r Remediation, state WatchState, text string) error {
	_, err := e.amend(ctx, r.Name, func(r *Remediation) error {
		if watched(*r) {
			r.Status.Watch.State = state
			r.Status.note("watch", e.Now(), text)
		}
		return nil
	})
	return err
}

// undoneBy names the Remediation that undid r on request; open is true while one may be at it.
func (e *Executor) undoneBy(ctx context.Context, r Remediation) (name string, open bool, err error) {
	all, err := e.all(ctx)
	if err != nil {
		return "", false, err
	}
	for _, u := range all {
		switch {
		case u.Plan.Undoes != r.Name:
		case u.Status.Phase == Succeeded || u.Status.Phase == NeedsHuman:
			return u.Name, false, nil
		case occupies(u):
			open = true
		}
	}
	return "", open, nil
}

// seenNow says what a diagnosis after the change shows.
func seenNow(r Remediation, report diagnostics.Report, err error) string {
	if err != nil {
		return fmt.Sprintf("What is so now can't be diagnosed (%v).", err)
	}
	var back []string
	for _, key := range r.Plan.Fix.Resolves {
		if _, there := report.Finding(key); there {
			back = append(back, key)
		}
	}
	if len(back) > 0 {
		return fmt.Sprintf("Back is: %s. %s", someOf(back), effectSentence(report))
	}
	return "The trouble has not come back: " + effectSentence(report)
}

// whoDid says who may have taken the change back: the service that had accepted it, what the report's timeline has of the
// time since, or else who owns the thing. It ends with a space where it says anything.
func (e *Executor) whoDid(ctx context.Context, r Remediation, report diagnostics.Report) string {
	if failed := e.fate(ctx, r).Failed; failed != "" {
		return "It was accepted, and failed later: " + failed + " "
	}
	var since []string
	for _, m := range report.Timeline {
		if m.At.After(r.Status.Applied) {
			since = append(since, clock(m.At)+" "+m.What)
		}
	}
	switch owner := r.Plan.Fix.Owner; {
	case len(since) > 0:
		return "Since the change: " + strings.Join(slices.Compact(since[max(0, len(since)-3):]), "; ") + ". "
	case owner != "" && owner != "none":
		return fmt.Sprintf("Who took it back is not known; its owner, %s, may have. ", owner)
	}
	return "Who took it back is not known. "
}
