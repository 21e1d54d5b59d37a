package casebook

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/netdiag/netdiag/internal/remedy"
)

const (
	// perTarget is the least time between two changes of one target: a bot that changes the same thing again and again is
	// at odds with somebody.
	perTarget = 30 * time.Minute
	// skew is how far apart the clocks of two processes may be.
	skew = 5 * time.Minute
)

// distrust says why r may not be carried out, by what this executor knows itself: the catalogue, its own settings, its own
// clock, and what was done to the target lately. Of the record it believes who decided what, and when, at most: whoever
// writes records may be somebody else by now. Empty where nothing stands against it.
func (e *Executor) distrust(r Remediation, all []Remediation, now time.Time) string {
	if err := Cleared(r); err != nil {
		return fmt.Sprintf("Not carried out: %v. Nothing was changed.", err)
	}
	if e.Trusts != nil {
		own := r
		own.Status.Decisions = slices.DeleteFunc(slices.Clone(r.Status.Decisions), func(d Decision) bool { return d.Verdict == Approve && !e.Trusts(d.User, r) })
		if Cleared(own) != nil {
			return "Not carried out: by the settings of the executor, too few of those who approved may approve this. Nothing was changed. Whoever runs netdiag can compare them with the settings of bot serve."
		}
	}
	switch last := lastDecision(r.Status); {
	case e.Cluster != "" && r.Plan.Question.Target.Cluster != e.Cluster:
		return "Not carried out: it is about another cluster than the one that this executor makes changes in. Nothing was changed."
	case r.Plan.Expires.After(r.Created.Add(ApprovalTTL + skew)):
		return fmt.Sprintf("Not carried out: the plan says it can be approved for longer than %d minutes. Nothing was changed.", int(ApprovalTTL.Minutes()))
	case last.After(now.Add(skew)):
		return "Not carried out: the approval is dated after the executor's own clock. Nothing was changed."
	case now.After(r.Plan.Expires.Add(startWithin + skew)):
		return "Not carried out: by the executor's own clock the plan had expired before. Nothing was changed."
	}
	if why := e.tooSoon(r, all, now); why != "" {
		return "Not carried out: " + why
	}
	return ""
}

// tooSoon says that the same was changed a short while ago, and when it may be changed again; empty where it wasn't.
func (e *Executor) tooSoon(r Remediation, all []Remediation, now time.Time) string {
	at := changedLately(r, all, now, e.perTarget())
	if at.IsZero() {
		return ""
	}
	return fmt.Sprintf("%s was changed at %s already, and one such change in %d minutes is the most. Nothing was changed. Ask again after %s.",
		r.Plan.Target, clock(at), int(e.perTarget().Minutes()), clock(at.Add(e.perTarget())))
}

func (e *Executor) perTarget() time.Duration {
	if e.PerTarget != 0 {
		return e.PerTarget
	}
	return perTarget
}

// changedLately is when another Remediation last made such a change to the target of r, if that is less than every ago.
// Undos neither count nor have to wait: whoever wants a change gone must not be kept from it. Nor does a fix wait for the
// one that it follows, which somebody took back: how many may follow one another is bounded where they are proposed.
func changedLately(r Remediation, all []Remediation, now time.Time, every time.Duration) (at time.Time) {
	if r.Plan.Undoes != "" {
		return at
	}
	for _, other := range all {
		if other.Name == r.Name || other.Name == r.Plan.Follows || other.Plan.Target != r.Plan.Target || other.Plan.Undoes != "" || !sameThing(*r.Plan.Fix.Action, *other.Plan.Fix.Action) {
			continue
		}
		if t := changedAt(other); now.Sub(t) < every && t.After(at) {
			at = t
		}
	}
	return at
}

// sameThing reports whether two changes of one target are about the same of it: a setting that both set, or else the very
// same change. Another port, other interfaces or the pods of other nodes are nothing that anybody is at odds about.
func sameThing(a, b remedy.Action) bool {
	x, y := a.Settings(), b.Settings()
	if len(x) == 0 || len(y) == 0 {
		return a.Hash() == b.Hash()
	}
	return slices.ContainsFunc(x, func(s string) bool { return slices.Contains(y, s) })
}

// changedAt is when r changed its target, or may have; zero where it surely didn't.
func changedAt(r Remediation) time.Time {
	switch s := r.Status; {
	case s.Receipt != nil && !s.Receipt.Owned && len(s.Receipt.Did) == 0:
		return time.Time{}
	case !s.Applied.IsZero():
		return s.Applied
	case s.Phase == NeedsHuman:
		return s.Started
	}
	return time.Time{}
}

// clear is the last judgement before a change: h ends with the reason where it may not be made.
func (e *Executor) clear(ctx context.Context, h *hold, all []Remediation) error {
	now, me := e.Now(), h.record()
	if why := e.distrust(me, all, now); why != "" {
		return h.finish(ctx, Cancelled, why)
	}
	if now.After(lastDecision(me.Status).Add(startWithin)) {
		return h.change(ctx, func(s *RemediationStatus) { expire(s, now); s.note("outcome", now, s.Outcome) })
	}
	return h.change(ctx, func(s *RemediationStatus) { s.Phase = Preflight })
}
