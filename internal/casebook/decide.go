package casebook

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
)

// Person is who asks or clicks, with the facts that Slack has about them (users.info, and the payload's own ids). What
// Slack doesn't say is for the caller to set against the person.
type Person struct {
	Team string // of the payload: the workspace that the click came from
	User string
	// Home is the team that the user belongs to, users.info's team_id.
	Home        string
	Deleted     bool
	Bot         bool
	Restricted  bool // guest: is_restricted or is_ultra_restricted
	Stranger    bool // of another workspace, in a shared channel
	Unconfirmed bool // is_email_confirmed is false
	// Shared is true where the channel is shared with another organisation (is_ext_shared).
	Shared bool
	// Groups says of user groups, by id, whether the person is a member. What isn't there is Unknown.
	Groups map[string]Membership
}

// Membership is what is known of a person and a user group.
type Membership string

// What can be known. Unknown is no membership: it gives no right.
const (
	Unknown  Membership = ""
	Member   Membership = "member"
	NoMember Membership = "no member"
)

// Policy says who may do what. Its errors are diagnostics.Refusal, for the person.
type Policy interface {
	MayAsk(by Person, q Question) error
	// MayDecide judges the person alone. That the requester can't approve from medium risk up is the book's own rule.
	MayDecide(by Person, v Verdict, r Remediation) error
	// MayResume judges who lets changes go on after a halt.
	MayResume(by Person) error
}

// Click is a button pressed, or a dialog confirmed.
type Click struct {
	Nonce   string  // that the button carries
	Card    Message // that the button is on; checked where the card's own message is recorded
	By      Person
	Verdict Verdict
	Reason  string // of a rejection; may be empty
}

// Settled answers a click that came too late: what was decided before, by whom and when. It is a diagnostics.Refusal
// for errors.As.
type Settled struct {
	Phase Phase
	// Decisions made so far, in order; the last one settled it, unless it expired or was superseded.
	Decisions []Decision
	// Sentence is for the person. It may mention a user as Slack does, <@U…>, and holds no text from the cluster.
	Sentence string
}

// Error is the sentence.
func (s *Settled) Error() string { return s.Sentence }

// Unwrap gives the sentence as a refusal.
func (s *Settled) Unwrap() error { return diagnostics.Refusal(s.Sentence) }

// Refusals for people.
const (
	unknownButton diagnostics.Refusal = "This button belongs to no fix that I know of. Ask again for a fresh report."
	staleButton   diagnostics.Refusal = "This card is out of date. Use the newest one in the thread, or ask again for a fresh report."
)

// Decide takes the word of one person on one Remediation, and returns it as it then is. Every error that is a
// diagnostics.Refusal (or a *Settled) is an answer for the person; any other means that nothing was recorded.
func (b *Book) Decide(ctx context.Context, name string, c Click) (Remediation, error) {
	return b.judge(ctx, name, c, true)
}

// Weigh judges a click as Decide does, and records no decision: what it lets pass may be shown to the person, to decide on.
func (b *Book) Weigh(ctx context.Context, name string, c Click) (Remediation, error) {
	return b.judge(ctx, name, c, false)
}

// judge takes a click, and where it counts records it, or leaves that for later.
func (b *Book) judge(ctx context.Context, name string, c Click, counts bool) (Remediation, error) {
	for {
		r, err := b.Store.Remediations.Get(ctx, name)
		if errors.Is(err, ErrNotFound) {
			return r, unknownButton
		}
		if err != nil {
			return r, err
		}
		if err := genuine(r, c); err != nil { // before the policy, whose refusals name the fix
			return r, err
		}
		if err := b.Policy.MayDecide(c.By, c.Verdict, r); err != nil {
			return r, err
		}
		now := b.Now()
		if err := refuse(r, c, now); err != nil {
			return r, err
		}
		late := now.After(r.Plan.Expires)
		switch {
		case late:
			expire(&r.Status, now)
		case !counts:
			return r, nil
		default:
			record(&r, c, now)
		}
		r, err = b.Store.Remediations.Update(ctx, r)
		switch {
		case errors.Is(err, ErrConflict) && ctx.Err() == nil:
			continue // somebody else decided at the same time: judge the click again
		case err != nil:
			return r, fmt.Errorf("record the decision on %s: %w", name, err)
		case late:
			return r, answer(r)
		}
		return r, nil
	}
}

// genuine refuses a click that doesn't come from the card of r.
func genuine(r Remediation, c Click) error {
	if subtle.ConstantTimeCompare([]byte(c.Nonce), []byte(r.Status.Nonce)) != 1 || r.Status.Nonce == "" {
		return staleButton
	}
	if r.Status.Card.TS != "" && c.Card != r.Status.Card {
		return staleButton
	}
	if c.Verdict != Approve && c.Verdict != Reject {
		return unknownButton
	}
	return nil
}

// refuse says why a genuine click on r can't count, as far as that is not a matter of time.
func refuse(r Remediation, c Click, now time.Time) error {
	if r.Status.Phase != AwaitingApproval {
		return answer(r)
	}
	for _, d := range r.Status.Decisions {
		if d.User == c.By.User {
			return &Settled{Phase: AwaitingApproval, Decisions: r.Status.Decisions, Sentence: fmt.Sprintf(
				"Your approval of %s is recorded already. This fix needs %d approvals and has %d.", clock(d.At), r.Plan.Approvals, len(r.Status.Decisions))}
		}
	}
	if c.Verdict == Approve && c.By.User == r.Plan.Question.User && !r.Plan.SelfApproval && !now.After(r.Plan.Expires) {
		return diagnostics.Refusal(fmt.Sprintf("You asked for this fix. Its risk is %s, so somebody else has to approve it.", r.Plan.Risk))
	}
	return nil
}

func record(r *Remediation, c Click, now time.Time) {
	s := &r.Status
	s.Decisions = append(slices.Clip(s.Decisions), Decision{
		Team: c.By.Team, User: c.By.User, Verdict: c.Verdict, Hash: r.Plan.Hash, At: now, Reason: c.Reason,
	})
	if c.Verdict == Reject {
		s.Phase, s.Finished = Rejected, now
		s.Outcome = "Rejected; nothing was changed."
		return
	}
	s.Phase = Approved
	if Cleared(*r) != nil {
		s.Phase = AwaitingApproval
	}
}

// answer says what has become of r to somebody who clicks on it too late.
func answer(r Remediation) error {
	s := &Settled{Phase: r.Status.Phase, Decisions: r.Status.Decisions}
	switch n := len(s.Decisions); {
	case s.Phase == Expired:
		s.Sentence = fmt.Sprintf("This fix expired at %s; nothing was changed. Ask again for a fresh report.", clock(r.Status.Finished))
	case s.Phase == Superseded || n == 0:
		s.Sentence = fmt.Sprintf("This fix is %s: there is nothing to decide any more. The thread says why.", words(s.Phase))
	default:
		last := s.Decisions[n-1]
		s.Sentence = fmt.Sprintf("Decided already: %s by <@%s> at %s; the fix is %s.", verdictWords(last.Verdict), last.User, clock(last.At), words(s.Phase))
	}
	return s
}

func verdictWords(v Verdict) string {
	if v == Approve {
		return "approved"
	}
	return "rejected"
}

// words spells a phase for people.
func words(p Phase) string {
	switch p {
	case AwaitingApproval:
		return "waiting for approval"
	case Preflight:
		return "being checked once more"
	case Applying:
		return "being applied"
	case Verifying:
		return "applied and being verified"
	case Succeeded:
		return "done"
	case NeedsHuman:
		return "in need of a person"
	case Superseded:
		return "overtaken by events"
	case RollingBack:
		return "being undone"
	case RolledBack:
		return "undone"
	}
	return strings.ToLower(string(p))
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05 UTC") }

// startWithin is how long an approval waits for somebody to carry it out.
const startWithin = 5 * time.Minute

// Tend closes what nobody decided on in time, and what was approved and not started in time; and it asks people about
// what no executor has tried. Call it every few seconds, and Note for whatever changes.
func (b *Book) Tend(ctx context.Context) error {
	all, err := b.toTend(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, r := range all {
		if overdue(r, b.Now()) {
			expire(&r.Status, b.Now())
		} else if !b.ask(&r) {
			continue
		}
		_, err := b.Store.Remediations.Update(ctx, r)
		if errors.Is(err, ErrNotFound) {
			b.forget(r.Name)
		} else if err != nil && !errors.Is(err, ErrConflict) { // a conflict comes round again
			errs = append(errs, fmt.Errorf("move %s to %s: %w", r.Name, r.Status.Phase, err))
		}
	}
	return errors.Join(errs...)
}

// Note tells the book how a Remediation is. Where it is told of every one that a watch of the store shows, Tend reads none:
// all that there ever were, every few seconds, would keep the API server busy for nothing.
func (b *Book) Note(r Remediation) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.undecided == nil {
		b.undecided = map[string]Remediation{}
	}
	switch r.Status.Phase {
	case "", Proposed, AwaitingApproval, Approved:
		b.undecided[r.Name] = r
	default:
		delete(b.undecided, r.Name)
	}
}

func (b *Book) forget(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.undecided, name)
}

func (b *Book) toTend(ctx context.Context) ([]Remediation, error) {
	b.mu.Lock()
	noted := b.undecided != nil
	open := byAge(b.undecided)
	b.mu.Unlock()
	if noted {
		return open, nil
	}
	all, err := b.Store.Remediations.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("list remediations: %w", err)
	}
	return all, nil
}

func overdue(r Remediation, now time.Time) bool {
	switch s := r.Status; s.Phase {
	case Proposed, AwaitingApproval:
		return now.After(r.Plan.Expires)
	case Approved:
		return s.Claim.Holder == "" && now.After(lastDecision(s).Add(startWithin))
	}
	return false
}

func lastDecision(s RemediationStatus) time.Time {
	if len(s.Decisions) == 0 {
		return time.Time{}
	}
	return s.Decisions[len(s.Decisions)-1].At
}

func expire(s *RemediationStatus, now time.Time) {
	s.Outcome = "Nobody decided in time; nothing was changed."
	if s.Phase == Approved {
		s.Outcome = "Approved, but nothing could start it within 5 minutes; nothing was changed. Ask again for a fresh report."
	}
	s.Phase, s.Finished = Expired, now
}
