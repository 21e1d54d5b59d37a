package casebook

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/netdiag/netdiag/diagnostics"
)

// illegal is an ErrIllegal with its reason.
func illegal(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrIllegal, fmt.Sprintf(format, args...))
}

// Check holds a change of a Remediation against the machine: ErrIllegal with the reason where it breaks a rule. The zero
// old means that new is being created. Every Store calls it before it writes.
func Check(old, new Remediation) error {
	if old.Name == "" {
		return checkCreation(new)
	}
	if old.Name != new.Name || !same(old.Plan, new.Plan) {
		return illegal("the plan of %s can't be changed: a changed plan is a new remediation", old.Name)
	}
	was, is := old.Status, new.Status
	if was.Phase != is.Phase && !was.Phase.CanBecome(is.Phase) {
		return illegal("%s can't go from %s to %s", old.Name, spell(was.Phase), spell(is.Phase))
	}
	for _, err := range []error{
		checkDecisions(new.Plan, was, is), checkApprovals(new), checkClaim(was.Claim, is.Claim), checkClaim(was.Delivery, is.Delivery), checkStep(was, is),
		checkKept(was.Posted, is.Posted), checkNotes(was.Notes, is.Notes), checkTrial(was, is), checkWatch(was, is),
	} {
		if err != nil {
			return fmt.Errorf("%s: %w", old.Name, err)
		}
	}
	if was.Phase.Terminal() && !same(settled(was), settled(is)) {
		return illegal("%s is %s: what was decided and done stands", old.Name, was.Phase)
	}
	return nil
}

// settled is the part of a status that stays as it is once the phase is terminal; the thread may still be told, and a
// watch goes on by rules of its own.
func settled(s RemediationStatus) RemediationStatus {
	s.Notes, s.Posted, s.Card, s.Nonce, s.Watch, s.Delivery, s.Shown = nil, nil, Message{}, "", nil, Claim{}, ""
	return s
}

func checkCreation(r Remediation) error {
	p := r.Plan
	switch a := p.Fix.Action; {
	case r.Name == "":
		return illegal("a remediation needs a name")
	case a == nil:
		return illegal("%s: fix %s has no action", r.Name, p.Fix.ID)
	case a.Validate() != nil:
		return illegal("%s: %v", r.Name, a.Validate())
	case p.Hash != a.Hash() || p.Target != a.Target():
		return illegal("%s: hash and target of the plan are not those of its action", r.Name)
	case p.Question.User == "" || p.Question.Team == "":
		return illegal("%s: nobody is named who asked", r.Name)
	case p.Expires.IsZero():
		return illegal("%s: the plan never expires", r.Name)
	case !same(r.Status, RemediationStatus{Phase: r.Status.Phase}) || r.Status.Phase != "" && r.Status.Phase != Proposed:
		return illegal("%s: a new remediation is Proposed, and nothing has been decided or done", r.Name)
	}
	return checkRisk(p)
}

// checkRisk holds what a plan asks for against what the catalogue says about its fix.
func checkRisk(p Plan) error {
	kind := diagnostics.FixByID(p.Fix.ID)
	switch {
	case !kind.Executable:
		return illegal("fix %q is none that the catalogue marks executable", p.Fix.ID)
	case p.Risk != kind.Risk:
		return illegal("the risk of %s is %s, not %s", p.Fix.ID, kind.Risk, p.Risk)
	case p.Approvals < approvals(kind.Risk):
		return illegal("%s of risk %s needs %d approvals, not %d", p.Fix.ID, kind.Risk, approvals(kind.Risk), p.Approvals)
	case p.SelfApproval && kind.Risk != "low":
		return illegal("%s of risk %s can't be approved by who asked for it", p.Fix.ID, kind.Risk)
	}
	return nil
}

// approvals is how many people a risk asks for; an unknown risk asks for as many as the highest.
func approvals(risk string) int {
	if risk == "low" || risk == "medium" {
		return 1
	}
	return 2
}

func checkDecisions(p Plan, was, is RemediationStatus) error {
	if !extends(was.Decisions, is.Decisions) {
		return illegal("decisions are only ever added")
	}
	added := is.Decisions[len(was.Decisions):]
	if len(added) > 0 && was.Phase != AwaitingApproval {
		return illegal("a decision can't be added in phase %s", spell(was.Phase))
	}
	seen := map[string]bool{}
	for _, d := range is.Decisions {
		switch {
		case d.User == "" || d.Team == "" || d.At.IsZero():
			return illegal("a decision names nobody, or no time")
		case seen[d.User]:
			return illegal("%s decided twice", d.User)
		case d.Verdict != Approve && d.Verdict != Reject:
			return illegal("%q is neither %s nor %s", d.Verdict, Approve, Reject)
		case d.Hash != p.Hash:
			return illegal("the decision of %s is about another plan", d.User)
		case d.At.After(p.Expires):
			return illegal("the decision of %s came after the plan had expired", d.User)
		}
		seen[d.User] = true
	}
	return nil
}

// cleared names the phases that only approved plans reach.
func cleared(p Phase) bool {
	switch p {
	case Approved, Preflight, Applying, Verifying, Succeeded, RollingBack, RolledBack, NeedsHuman, Failed:
		return true
	}
	return false
}

func checkApprovals(r Remediation) error {
	if !cleared(r.Status.Phase) {
		return nil
	}
	return Cleared(r)
}

// Cleared reports, by its error, why the plan of r may not be carried out: a rejection, or fewer approvals of this very
// plan than its risk asks for. It trusts the catalogue and the plan's action more than the numbers in the record.
func Cleared(r Remediation) error {
	if r.Plan.Fix.Action == nil || r.Plan.Fix.Action.Hash() != r.Plan.Hash {
		return illegal("the hash of the plan is not that of its action")
	}
	if err := checkRisk(r.Plan); err != nil {
		return err
	}
	by := map[string]bool{}
	for _, d := range r.Status.Decisions {
		if d.Verdict == Reject {
			return illegal("%s rejected it", d.User)
		}
		if d.Verdict == Approve && d.Hash == r.Plan.Hash && (r.Plan.SelfApproval || d.User != r.Plan.Question.User) {
			by[d.User] = true
		}
	}
	if len(by) < r.Plan.Approvals {
		return illegal("it has %d of %d approvals by others than who asked", len(by), r.Plan.Approvals)
	}
	return nil
}

func checkClaim(was, is Claim) error {
	switch {
	case is.Epoch < was.Epoch:
		return illegal("the epoch of a claim can't go back from %d to %d", was.Epoch, is.Epoch)
	case is.Holder != was.Holder && is.Epoch == was.Epoch:
		return illegal("the claim of %q can be taken only with a higher epoch than %d", was.Holder, was.Epoch)
	}
	return nil
}

// stepFollows reports whether a step may go from was to is.
func stepFollows(was, is StepState) bool {
	switch is {
	case was:
		return true
	case StepPending:
		return was == ""
	case StepInFlight:
		return was == "" || was == StepPending
	case StepApplied:
		return was == StepInFlight
	case StepVerified:
		return was == StepApplied
	case StepUndone:
		return was == StepInFlight || was == StepApplied || was == StepVerified
	}
	return false
}

func checkStep(was, is RemediationStatus) error {
	switch {
	case !stepFollows(was.Step, is.Step):
		return illegal("the step can't go from %q to %q", was.Step, is.Step)
	case is.Attempts < was.Attempts:
		return illegal("attempts can't go back from %d to %d", was.Attempts, is.Attempts)
	case is.Step == StepInFlight && was.Step != StepInFlight && (is.Phase != Applying || is.Claim.Holder == ""):
		return illegal("a step starts only in phase %s and under a claim", Applying)
	case is.Phase == Verifying && is.Step != StepApplied && is.Step != StepVerified:
		return illegal("nothing is verified before it was applied")
	case is.Phase == Succeeded && is.Step != StepVerified && was.Phase != NeedsHuman && was.Phase != Succeeded:
		return illegal("success needs a verified step")
	case was.Receipt != nil && !same(was.Receipt, is.Receipt):
		return illegal("the receipt of what was done can't be changed")
	}
	return nil
}

func checkNotes(was, is []Note) error {
	if !extends(was, is) {
		return illegal("notes are only ever added")
	}
	return nil
}

func checkKept(was, is map[string]string) error {
	for key, ts := range was {
		if is[key] != ts {
			return illegal("message %q was posted as %s: that can't be forgotten", key, ts)
		}
	}
	return nil
}

// extends reports whether is begins with all that was.
func extends[T any](was, is []T) bool {
	return len(was) == 0 || len(is) >= len(was) && same(was, is[:len(was)])
}

// same compares as records are stored: what JSON doesn't keep, such as a monotonic clock reading, makes no difference.
func same(a, b any) bool {
	x, errA := json.Marshal(a)
	y, errB := json.Marshal(b)
	return errA == nil && errB == nil && bytes.Equal(x, y)
}

func spell[P ~string](p P) string {
	if p == "" {
		return "nothing"
	}
	return string(p)
}
