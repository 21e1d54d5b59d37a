package casebook

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/netdiag/netdiag/internal/remedy"
)

const (
	// trialWithin is how long people are not asked while no executor has tried the change.
	trialWithin = 10 * time.Second
	// trialUntil is how old a Remediation may be that an executor still tries: after that people have been asked long since.
	trialUntil = 2 * time.Minute
)

// Ask puts a proposed fix to people once an executor has tried it without effect, or where none does so in time: then it
// moves to AwaitingApproval with the nonce for its card, and a Status.Trial that is nil says that no executor answered.
// What was refused when it was tried is Cancelled, with the reason for people; also where they were asked already. In
// every other case it leaves the Remediation as it is. Call it whenever a Remediation changes; Tend does the rest.
func (b *Book) Ask(ctx context.Context, name string) (Remediation, error) {
	return change(ctx, b.Store.Remediations, name, func(r *Remediation) error {
		b.ask(r)
		return nil
	})
}

// ask reports whether it changed r.
func (b *Book) ask(r *Remediation) bool {
	s, now := &r.Status, b.Now()
	asked := s.Phase == AwaitingApproval
	switch {
	case !asked && s.Phase != Proposed && s.Phase != "":
		return false
	case s.Trial != nil && s.Trial.Refused != "":
		s.Phase, s.Finished = Cancelled, now
		s.Outcome = "This can't be made, so nobody is asked to approve it. " + s.Trial.Refused
		return true
	case asked, s.Trial == nil && now.Sub(r.Created) < b.patience(), now.After(r.Plan.Expires):
		return false
	}
	s.Phase, s.Nonce = AwaitingApproval, nonce()
	return true
}

func (b *Book) patience() time.Duration {
	if b.Patience != 0 {
		return b.Patience
	}
	return trialWithin
}

// try makes the change without effect, before anybody is asked to approve it, and stores what came of that.
func (e *Executor) try(ctx context.Context, r Remediation) error {
	t := Trial{At: e.Now()}
	err := e.dryRun(ctx, r)
	switch {
	case err != nil:
	case r.Plan.Undoes != "":
		if t.Refused, err = e.undoable(ctx, r.Plan); t.Refused != "" {
			t.Refused = untouched(r.Plan) + t.Refused
		}
	default:
		var all []Remediation
		all, err = e.all(ctx)
		t.Refused = e.tooSoon(r, all, t.At)
	}
	switch {
	case ctx.Err() != nil:
		return nil
	case errors.Is(err, remedy.ErrRefused):
		t.Refused = fmt.Sprintf("Tried without effect, it was refused: %v.", err)
	case err != nil: // nothing is known: people are asked all the same
		return fmt.Errorf("try %s without effect: %w", r.Plan.Fix.Action.Kind(), err)
	}
	call, done := context.WithTimeout(ctx, callTimeout)
	defer done()
	_, err = change(call, e.Store.Remediations, r.Name, func(r *Remediation) error {
		if s := &r.Status; s.Trial == nil && (s.Phase == Proposed || s.Phase == AwaitingApproval) {
			s.Trial = &t
		}
		return nil
	})
	return err
}

// dryRun tries the change without effect.
func (e *Executor) dryRun(ctx context.Context, r Remediation) error {
	if r.Plan.Undoes != "" {
		return e.tryUndo(ctx, r)
	}
	return e.tryAction(ctx, r)
}

// tryAction tries several times where that fails for another reason than a refusal.
func (e *Executor) tryAction(ctx context.Context, r Remediation) error {
	for n := 1; ; n++ {
		err := e.call(ctx, func(ctx context.Context) error { return e.Hands.DryRun(ctx, *r.Plan.Fix.Action, mark(r)) })
		if err == nil || errors.Is(err, remedy.ErrRefused) || n == attempts {
			return err
		}
		if err := e.pause(ctx, time.Duration(n)*2*time.Second); err != nil {
			return err
		}
	}
}
