package casebook

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/remedy"
)

// Executor carries out approved Remediations: it claims one, diagnoses again, tries the change without effect, makes it,
// and diagnoses until the trouble is gone. Any number of executors may work on one Store; each change is made by one of
// them, and what one leaves behind another takes up. Store, Hands, Diagnose, Now, After and Holder are required.
type Executor struct {
	Store Store
	Hands remedy.Hands
	// Diagnose runs a diagnosis anew; it must not answer from memory.
	Diagnose func(ctx context.Context, diagnosis string, t diagnostics.Target) (diagnostics.Report, error)
	Now      func() time.Time
	After    func(time.Duration) <-chan time.Time // time.After, or the same of another clock
	Holder   string                               // one process since its start: the pod's name and a random part
	// Cluster is the one in which changes are made, by the name of its settings; empty where it believes the record.
	Cluster string
	// Fault is told of errors that nobody else sees, once each; nil where nobody listens.
	Fault func(remediation string, err error)
	// Meter is told of claims, moves and halts; nil where nobody listens.
	Meter Meter
	// Poll is the time between two diagnoses while a change is watched; 5 s where it is 0.
	Poll time.Duration
	// Trusts says whose approval of r counts for this executor, by its own settings; nil where it has none: then everybody's
	// counts whom the record names.
	Trusts func(user string, r Remediation) bool
	// PerTarget is the least time between two changes of one target, undos excepted; 30 minutes where it is 0, and where
	// it is negative there is none.
	PerTarget time.Duration
	// Limit is how many Remediations are carried out at a time; 4 where it is 0.
	Limit int

	watches  atomic.Bool // Run sees what there is to do
	unfenced bool        // tests see what happens without the fence
}

// scan is how often claims are looked at whose holder may have gone.
const scan = 5 * time.Second

// Run works until ctx ends, then waits for what is under way to stop and returns the error of ctx. What it leaves is
// taken up by the next executor.
func (e *Executor) Run(ctx context.Context) error {
	changes, err := e.Store.Remediations.Watch(ctx)
	if err != nil {
		return fmt.Errorf("watch remediations: %w", err)
	}
	e.watches.Store(true)
	defer e.watches.Store(false)
	var wg sync.WaitGroup
	defer wg.Wait()
	if e.Meter != nil {
		wg.Go(func() { e.meterHalt(ctx) })
	}
	a := agenda{open: map[string]Remediation{}, busy: map[string]chore{}, tried: map[string]attempt{}, seen: sightings{}}
	finished := make(chan attempt)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case r, ok := <-changes:
			if !ok {
				return cmp.Or(ctx.Err(), errors.New("watch remediations: ended"))
			}
			a.note(r)
		case t := <-finished:
			a.done(t)
		case <-e.After(scan):
		}
		for _, r := range byAge(a.open) {
			c := a.next(r, e.Now(), cmp.Or(e.Limit, 4))
			if c == idle {
				continue
			}
			a.busy[r.Name] = c
			wg.Go(func() {
				err := e.work(ctx, c, r)
				if err != nil && ctx.Err() == nil {
					e.fault(r.Name, err)
				}
				select {
				case finished <- attempt{name: r.Name, version: r.Version, at: e.Now(), gone: errors.Is(err, ErrNotFound)}:
				case <-ctx.Done():
				}
			})
		}
	}
}

// Ready is the reason why nothing would be carried out now, or nil.
func (e *Executor) Ready() error {
	if !e.watches.Load() {
		return errors.New("not watching remediations")
	}
	return nil
}

func (e *Executor) work(ctx context.Context, c chore, r Remediation) error {
	switch c {
	case trying:
		return e.try(ctx, r)
	case looking:
		return e.lookAgain(ctx, r)
	default:
		return e.carry(ctx, r)
	}
}

func byAge(open map[string]Remediation) []Remediation {
	out := make([]Remediation, 0, len(open))
	for _, r := range open {
		out = append(out, r)
	}
	slices.SortFunc(out, older)
	return out
}

func older(a, b Remediation) int {
	return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Name, b.Name))
}

// occupies reports whether r holds its target: it is being carried out, or somebody has claimed it to do so.
func occupies(r Remediation) bool {
	switch r.Status.Phase {
	case Preflight, Applying, Verifying, RollingBack:
		return true
	}
	return r.Status.Phase == Approved && r.Status.Claim.Holder != ""
}

func contested(r Remediation, all map[string]Remediation) bool {
	for _, other := range all {
		if other.Name != r.Name && other.Plan.Target == r.Plan.Target && occupies(other) {
			return true
		}
	}
	return false
}

// carry claims a Remediation and takes it as far as it goes.
func (e *Executor) carry(ctx context.Context, r Remediation) error {
	why := ""
	if r.Status.Phase == Approved {
		if why = e.halted(ctx); why != "" && r.Status.noted(HaltedKey) {
			return nil // it starts once changes may be made again, or expires
		}
	}
	h, err := e.claim(ctx, r)
	if errors.Is(err, ErrHeld) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("claim: %w", err)
	}
	stop := h.keep()
	defer stop()
	if why != "" {
		return h.wait(ctx, why)
	}
	for {
		step := map[Phase]func(context.Context, *hold) error{
			Approved: e.start, Preflight: e.preflight, Applying: e.apply, Verifying: e.verify, RollingBack: e.rollBack,
		}[h.status().Phase]
		if step == nil {
			return nil
		}
		err := step(h.ctx, h)
		if errors.Is(err, ErrHeld) || errors.Is(err, ErrLost) || errors.Is(err, context.Canceled) {
			return nil // given up on purpose, taken over by another executor, or stopped from outside
		}
		if err != nil {
			return err
		}
	}
}

// start makes sure that no other change to the same target is under way, and that the plan may still be carried out.
//
// Two executors may claim two Remediations of one target at the same moment. Both have written their claim before they
// list, so the later of the two sees the earlier one. Whoever sees an older one, or one that has started, steps back;
// whoever sees a younger one that was only claimed waits until it has.
func (e *Executor) start(ctx context.Context, h *hold) error {
	for {
		all, err := e.all(ctx)
		if err != nil {
			return err
		}
		me, wait := h.record(), false
		for _, other := range all {
			if other.Name == me.Name || other.Plan.Target != me.Plan.Target || !occupies(other) {
				continue
			}
			if other.Status.Phase != Approved || older(other, me) < 0 {
				if err := h.release(ctx); err != nil {
					return err
				}
				return fmt.Errorf("%s: %w", me.Plan.Target, ErrHeld)
			}
			wait = true
		}
		if !wait {
			return e.clear(ctx, h, all)
		}
		if err := e.pause(ctx, time.Second); err != nil {
			return err
		}
	}
}

// all lists the Remediations as they are now.
func (e *Executor) all(ctx context.Context) ([]Remediation, error) {
	call, done := context.WithTimeout(ctx, callTimeout)
	defer done()
	all, err := e.Store.Remediations.List(call)
	if err != nil {
		return nil, fmt.Errorf("list remediations: %w", err)
	}
	return all, nil
}

func (e *Executor) fault(name string, err error) {
	if e.Fault != nil {
		e.Fault(name, err)
	}
}

// pause waits, or returns the error of ctx.
func (e *Executor) pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-e.After(d):
		return nil
	}
}
