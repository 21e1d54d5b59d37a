package casebook

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/remedy"
)

// Times of a change.
const (
	diagnoseTimeout = time.Minute
	preflightWithin = 2 * time.Minute // of trying to diagnose again before a change
	actTimeout      = 20 * time.Second
	attempts        = 3 // of making a change, by all executors together
)

// settle is when to look after a call whose answer was lost: EC2 may show a change only after a while.
func settle() []time.Duration {
	return []time.Duration{0, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 15 * time.Second}
}

// preflight diagnoses again: only where the very same change is still proposed is it tried without effect, and the
// intent to make it stored.
func (e *Executor) preflight(ctx context.Context, h *hold) error {
	if why := e.halted(ctx); why != "" && ctx.Err() == nil {
		return h.stopped(ctx, Cancelled, why)
	}
	plan := h.record().Plan
	if plan.Undoes != "" {
		return e.preflightUndo(ctx, h)
	}
	begun := e.Now()
	for {
		r, err := e.diagnose(ctx, plan)
		last := e.Now().Sub(begun) >= preflightWithin
		refused := diagnostics.Refusal("")
		switch {
		case err == nil && proposes(r, plan):
			return e.rehearse(ctx, h)
		case err == nil && (last || !undecided(r)):
			text, moot := overtaken(r, plan)
			return h.overtake(ctx, text, moot)
		case errors.As(err, &refused):
			return h.overtake(ctx, untouched(plan)+string(refused), true)
		case err != nil && last:
			return h.finish(ctx, Failed, fmt.Sprintf("Not applied, nothing was changed: it could not be diagnosed once more before the change (%v).", err))
		}
		if err := e.pause(ctx, e.poll()); err != nil {
			return err
		}
	}
}

func (e *Executor) diagnose(ctx context.Context, p Plan) (diagnostics.Report, error) {
	call, done := context.WithTimeout(ctx, diagnoseTimeout)
	defer done()
	return e.Diagnose(call, p.Question.Diagnosis, p.Question.Target)
}

func (e *Executor) poll() time.Duration {
	if e.Poll > 0 {
		return e.Poll
	}
	return 5 * time.Second
}

// proposes reports whether r offers the fix of p with the very action that was approved.
func proposes(r diagnostics.Report, p Plan) bool {
	for _, f := range r.Fixes {
		if f.ID == p.Fix.ID && f.Executable && f.Action != nil && f.Action.Hash() == p.Hash {
			return true
		}
	}
	return false
}

// undecided reports whether reads failed in a way that passes: then what r doesn't say may still be so.
func undecided(r diagnostics.Report) bool {
	for _, g := range r.Gaps {
		if g.Reason == diagnostics.Throttled || g.Reason == diagnostics.Timeout {
			return true
		}
	}
	return false
}

// rehearse tries the change without effect.
func (e *Executor) rehearse(ctx context.Context, h *hold) error {
	me := h.record()
	switch err := e.dryRun(ctx, me); {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return h.finish(ctx, Failed, untouched(me.Plan)+fmt.Sprintf("the dry run was refused (%v).", err))
	}
	if why := e.halted(ctx); why != "" && ctx.Err() == nil {
		return h.stopped(ctx, Cancelled, why)
	}
	now := e.Now()
	h.intent = true
	return h.change(ctx, func(s *RemediationStatus) {
		s.Phase, s.Step, s.Attempts, s.Started = Applying, StepInFlight, 1, now
		s.note("applying", now, begins(me.Plan))
	})
}

// begins says what is about to be done.
func begins(p Plan) string {
	if p.Undoes != "" {
		return "It is still as the fix left it. Undoing: " + strings.Join(p.Fix.Changes, "; ")
	}
	return "Diagnosed again: the same fix is still right. Applying: " + strings.Join(p.Fix.Changes, "; ")
}

func (e *Executor) call(ctx context.Context, f func(context.Context) error) error {
	call, done := context.WithTimeout(ctx, actTimeout)
	defer done()
	return f(call)
}

// mark names who is behind a change.
func mark(r Remediation) remedy.Mark {
	var by []string
	for _, d := range r.Status.Decisions {
		if d.Verdict == Approve {
			by = append(by, d.User)
		}
	}
	return remedy.Mark{Remediation: r.Name, Cluster: r.Plan.Question.Target.Cluster, Requester: r.Plan.Question.User, Approver: strings.Join(by, ",")}
}

// apply makes the change. The intent is stored; what was done before, by this executor or one that is gone, is looked
// for first and taken as it is, and only what is surely not there is made.
func (e *Executor) apply(ctx context.Context, h *hold) error {
	me := h.record()
	action, m := *me.Plan.Fix.Action, mark(me)
	unanswered := !h.intent // a call may have been sent whose answer nobody has
	var refused error
	for {
		done, receipt, err := e.look(ctx, action, m, unanswered)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && !unanswered:
			return h.finish(ctx, Failed, untouched(me.Plan)+fmt.Sprintf("%s could not be looked at before the change (%v).", me.Plan.Target, err))
		case err != nil:
			return h.finish(ctx, NeedsHuman, fmt.Sprintf(
				"The change was begun, and whether it was made could not be seen (%v). Look at %s; to undo it: %s", err, me.Plan.Target, me.Plan.Fix.Undo))
		case done:
			return e.applied(ctx, h, receipt)
		case refused != nil:
			return h.giveUp(ctx, receipt, fmt.Sprintf("The change was refused (%v)", refused))
		}
		if why := e.halted(ctx); why != "" && ctx.Err() == nil { // the last moment at which it can be kept from happening
			if len(receipt.Did) > 0 {
				return h.giveUp(ctx, receipt, "Changes are stopped")
			}
			return h.stopped(ctx, Failed, why)
		}
		if unanswered {
			if me.Status.Attempts >= attempts {
				return h.giveUp(ctx, receipt, fmt.Sprintf("The change was tried %d times and is not there", me.Status.Attempts))
			}
			me.Status.Attempts++
			if err := h.change(ctx, func(s *RemediationStatus) { s.Attempts = me.Status.Attempts }); err != nil {
				return err
			}
		}
		err = h.act(ctx, func(ctx context.Context) (err error) {
			receipt, err = e.Hands.Apply(ctx, action, m)
			return err
		})
		if err == nil {
			return e.applied(ctx, h, receipt)
		}
		if ctx.Err() == nil {
			e.fault(me.Name, fmt.Errorf("apply %s to %s: %w", action.Kind(), me.Plan.Target, err))
		}
		if errors.Is(err, remedy.ErrRefused) {
			refused = err
		} else {
			unanswered = true
		}
	}
}

// giveUp ends a change that is not there. Where a part of it is, the receipt of that part is stored, and a person has to
// look: half a change is neither nothing nor the whole.
func (h *hold) giveUp(ctx context.Context, receipt remedy.Receipt, why string) error {
	me := h.record()
	if len(receipt.Did) == 0 {
		return h.finish(ctx, Failed, why+"; nothing was changed.")
	}
	text := fmt.Sprintf("%s, and only a part of it was made: %s. A person has to look. To undo it: %s", why, strings.Join(receipt.Did, "; "), me.Plan.Fix.Undo)
	return h.finish(ctx, NeedsHuman, text, func(s *RemediationStatus) {
		if s.Receipt == nil {
			s.Receipt = &receipt
		}
	})
}

// look asks whether the change is in effect; after a call without answer again and again until it would surely show.
func (e *Executor) look(ctx context.Context, a remedy.Action, m remedy.Mark, unanswered bool) (done bool, r remedy.Receipt, err error) {
	for _, wait := range settle() {
		if e.pause(ctx, wait) != nil {
			return false, r, ctx.Err()
		}
		err = e.call(ctx, func(ctx context.Context) (err error) {
			done, r, err = e.Hands.Look(ctx, a, m)
			return err
		})
		if err == nil && (done || !unanswered) {
			return done, r, nil
		}
	}
	return false, r, err
}

// applied stores what was done, and until when it has to show.
func (e *Executor) applied(ctx context.Context, h *hold, receipt remedy.Receipt) error {
	me, now := h.record(), e.Now()
	text := made(me.Plan, receipt)
	return h.change(ctx, func(s *RemediationStatus) {
		if s.Receipt == nil {
			s.Receipt = &receipt
		}
		s.Phase, s.Step, s.Applied, s.Deadline = Verifying, StepApplied, now, now.Add(patience(me.Plan.Fix))
		s.note("applied", now, text)
	})
}

// made says what was done, and what comes next.
func made(p Plan, receipt remedy.Receipt) string {
	switch {
	case p.Undoes != "" && !receipt.Owned:
		return "It was undone already, by somebody else. Looking whether it stays so."
	case p.Undoes != "":
		return "The change is taken back. Looking until it is seen to be gone, at most " + spellTime(patience(p.Fix)) + "."
	case !receipt.Owned:
		return "It was in place already, made by somebody else; nothing was changed. Watching whether it helps."
	}
	text := "Applied"
	if len(receipt.Did) > 0 {
		text += ": " + strings.Join(receipt.Did, "; ")
	}
	return text + ". Watching until it shows, at most " + spellTime(patience(p.Fix)) + "."
}

// patience is how long a change may take to show: twice the time that it usually takes, and 5 minutes at least, for the
// free addresses of a subnet can be shown that late.
func patience(f diagnostics.Fix) time.Duration { return max(2*usual(f), 5*time.Minute) }

// usual is how long a change usually takes to show.
func usual(f diagnostics.Fix) time.Duration {
	d, err := time.ParseDuration(f.SettlesIn)
	if err != nil || d <= 0 {
		return 2 * time.Minute
	}
	return d
}
