// Package casebook keeps what was asked, found, decided and done: an Investigation for each question, a Remediation for
// each fix that the bot can carry out. It knows the legal moves; a Store keeps the records.
package casebook

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/remedy"
)

// Question is who asked what, and where the answer belongs. All ids are Slack's, never names.
type Question struct {
	Command   string             `json:"command"` // "pending backend", as it was understood
	Diagnosis string             `json:"diagnosis"`
	Target    diagnostics.Target `json:"target"`
	Team      string             `json:"team"`
	User      string             `json:"user"`
	Channel   string             `json:"channel"`
	Thread    string             `json:"thread,omitempty"` // ts of the thread that the question was asked in
	At        time.Time          `json:"at"`
	// Follows names the Investigation that was asked the same a moment before: its answer is this one's too.
	Follows string `json:"follows,omitempty"`
	// After names the Remediation whose end opened this question anew: the fixes of its answer follow that one.
	After string `json:"after,omitempty"`
}

// Message is a Slack message.
type Message struct {
	Channel string `json:"channel"`
	TS      string `json:"ts"`
}

// Claim says who works on a record. A claim is taken over only when it was seen unchanged for TTL by the taker's own clock; Epoch never goes back.
type Claim struct {
	Holder  string        `json:"holder"`
	Epoch   int           `json:"epoch"`
	Renewed time.Time     `json:"renewed"`
	TTL     time.Duration `json:"ttl"`
}

// InvestigationPhase is Received, Diagnosing, Reported or Failed.
type InvestigationPhase string

// The phases of an Investigation.
const (
	Received   InvestigationPhase = "Received"
	Diagnosing InvestigationPhase = "Diagnosing"
	Reported   InvestigationPhase = "Reported"
	Faulted    InvestigationPhase = "Failed"
)

// Investigation is a question asked in a thread and its report.
type Investigation struct {
	Name     string              `json:"name"`    // derived from what caused it: a repeat meets ErrExists
	Version  string              `json:"version"` // of the store, for compare-and-swap; opaque
	Created  time.Time           `json:"created"`
	Question Question            `json:"question"`
	Status   InvestigationStatus `json:"status"`
}

// InvestigationStatus is what became of the question.
type InvestigationStatus struct {
	Phase  InvestigationPhase  `json:"phase"`
	Claim  Claim               `json:"claim,omitzero"`
	Root   Message             `json:"root,omitzero"` // the root message; the answer is in its thread
	Report *diagnostics.Report `json:"report,omitempty"`
	Error  string              `json:"error,omitempty"` // for people: what happened and what to do
	// Delivery says who tells Slack of it: of several front ends only its holder writes messages.
	Delivery Claim `json:"delivery,omitzero"`
	// Posted holds the ts of each message that was posted, by key: a restart posts none twice.
	Posted map[string]string `json:"posted,omitempty"`
	// Wanted holds what else of the answer is to be shown in the thread, with the user who asked for it first.
	Wanted map[string]string `json:"wanted,omitempty"`
}

// Phase is a state of a Remediation.
type Phase string

// The phases of a Remediation; Next says which may follow which.
const (
	Proposed         Phase = "Proposed"
	AwaitingApproval Phase = "AwaitingApproval"
	Approved         Phase = "Approved"
	Preflight        Phase = "Preflight"
	Applying         Phase = "Applying"
	Verifying        Phase = "Verifying"
	Succeeded        Phase = "Succeeded"
	Rejected         Phase = "Rejected"
	Expired          Phase = "Expired"
	Superseded       Phase = "Superseded"
	Cancelled        Phase = "Cancelled"
	RollingBack      Phase = "RollingBack"
	RolledBack       Phase = "RolledBack"
	NeedsHuman       Phase = "NeedsHuman"
	Failed           Phase = "Failed"
)

// Next lists the phases that may follow a phase. A terminal phase has none: an undo is a new Remediation.
var next = map[Phase][]Phase{
	"":               {Proposed},
	Proposed:         {AwaitingApproval, Superseded, Expired, Cancelled},
	AwaitingApproval: {Approved, Rejected, Superseded, Expired, Cancelled},
	Approved:         {Preflight, Expired, Cancelled, Superseded},
	Preflight:        {Applying, Superseded, Failed, Cancelled},
	Applying:         {Verifying, RollingBack, Failed, NeedsHuman},
	Verifying:        {Succeeded, RollingBack, NeedsHuman},
	RollingBack:      {RolledBack, NeedsHuman},
	NeedsHuman:       {RollingBack, RolledBack, Succeeded},
}

// OpenPhases lists the phases that are not terminal, in the order in which a fix usually goes through them.
func OpenPhases() []Phase {
	return []Phase{Proposed, AwaitingApproval, Approved, Preflight, Applying, Verifying, RollingBack, NeedsHuman}
}

// Terminal reports whether nothing may follow. NeedsHuman is not terminal: a person may still settle it.
func (p Phase) Terminal() bool { return len(next[p]) == 0 }

// CanBecome reports whether to may follow p.
func (p Phase) CanBecome(to Phase) bool {
	return slices.Contains(next[p], to)
}

// Remediation is one fix: an immutable plan, and what was decided and done about it.
type Remediation struct {
	Name    string            `json:"name"` // derived from the investigation and the plan's hash
	Version string            `json:"version"`
	Created time.Time         `json:"created"`
	Plan    Plan              `json:"plan"` // immutable
	Status  RemediationStatus `json:"status"`
}

// Plan is what is approved.
type Plan struct {
	Investigation string          `json:"investigation"`
	Question      Question        `json:"question"`
	Fix           diagnostics.Fix `json:"fix"`    // with its Action
	Hash          string          `json:"hash"`   // Fix.Action.Hash()
	Target        string          `json:"target"` // Fix.Action.Target()
	Risk          string          `json:"risk"`
	Approvals     int             `json:"approvals"`    // how many it needs: 1, or 2 from high
	SelfApproval  bool            `json:"selfApproval"` // the requester counts too: low risk only
	Expires       time.Time       `json:"expires"`
	Undoes        string          `json:"undoes,omitempty"` // name of the Remediation that this one undoes
	Follows       string          `json:"follows,omitempty"`
}

// Verdict is Approve or Reject.
type Verdict string

// The verdicts.
const (
	Approve Verdict = "Approve"
	Reject  Verdict = "Reject"
)

// Decision is one person's word on one plan. Decisions are only ever added.
type Decision struct {
	Team    string    `json:"team"`
	User    string    `json:"user"`
	Verdict Verdict   `json:"verdict"`
	Hash    string    `json:"hash"` // of the plan that was decided on
	At      time.Time `json:"at"`
	Reason  string    `json:"reason,omitempty"`
}

// StepState is the state of the one step of a plan: intent is stored before the act, the result after it.
type StepState string

// The states of a step.
const (
	StepPending  StepState = "Pending"
	StepInFlight StepState = "InFlight"
	StepApplied  StepState = "Applied"
	StepVerified StepState = "Verified"
	StepUndone   StepState = "Undone"
)

// Trial is the change tried without effect by an executor before anybody is asked to approve it: nobody should decide on
// what can't be made.
type Trial struct {
	At      time.Time `json:"at"`
	Refused string    `json:"refused,omitempty"` // for people: why it can't be made, and which permission is missing
}

// WatchState is Watching, Held or Undone.
type WatchState string

// The states of a Watch. Held and Undone are final.
const (
	Watching WatchState = "Watching"
	Held     WatchState = "Held"   // the change was still in effect once its owner would have reverted it
	Undone   WatchState = "Undone" // something took the change back
)

// Watch is the look after a change that has succeeded: what owns the changed thing may revert it later. It moves on
// though the Remediation is over, and locks no target.
type Watch struct {
	Until time.Time  `json:"until"` // when an owner would have reverted the change
	State WatchState `json:"state"`
	// At is when an executor last began to look; whoever stores it looks, so it is the claim too. A look changes nothing,
	// so that one too many does no harm.
	At time.Time `json:"at"`
}

// RemediationStatus is what was decided and done.
type RemediationStatus struct {
	Phase     Phase           `json:"phase"`
	Trial     *Trial          `json:"trial,omitempty"`
	Decisions []Decision      `json:"decisions,omitempty"`
	Nonce     string          `json:"nonce,omitempty"` // that the buttons of the current card carry
	Card      Message         `json:"card,omitzero"`
	Claim     Claim           `json:"claim,omitzero"`
	Step      StepState       `json:"step,omitempty"`
	Attempts  int             `json:"attempts,omitempty"`
	Started   time.Time       `json:"started,omitzero"` // of the step
	Applied   time.Time       `json:"applied,omitzero"`
	Deadline  time.Time       `json:"deadline,omitzero"` // until when the verification may take
	Receipt   *remedy.Receipt `json:"receipt,omitempty"`
	// Notes tell the thread what happened, in order; the executor adds them, the front end posts them.
	Notes   []Note `json:"notes,omitempty"`
	Outcome string `json:"outcome,omitempty"` // one sentence, once terminal
	// Moot: it was overtaken, and nothing is left to be asked: the trouble is gone, or what was asked about is.
	Moot     bool      `json:"moot,omitempty"`
	Finished time.Time `json:"finished,omitzero"`
	Watch    *Watch    `json:"watch,omitempty"`
	// Delivery says who tells Slack of it: of several front ends only its holder writes messages.
	Delivery Claim `json:"delivery,omitzero"`
	// Posted holds the ts of each message that was posted, by key.
	Posted map[string]string `json:"posted,omitempty"`
	// Shown is a digest of the card as it was last written: a restart edits only cards that say something else than they should.
	Shown string `json:"shown,omitempty"`
}

// Note is one thing that the thread is told.
type Note struct {
	Key  string    `json:"key"` // unique within the Remediation
	At   time.Time `json:"at"`
	Text string    `json:"text"`
}

// Errors of a Store.
var (
	// ErrExists: a record of that name is there already. What was asked for has been done.
	ErrExists = errors.New("exists already")
	// ErrNotFound: there is no record of that name.
	ErrNotFound = errors.New("not found")
	// ErrConflict: the record changed since it was read. Read again.
	ErrConflict = errors.New("changed since it was read")
	// ErrIllegal: the change breaks a rule of the machine (an illegal move, a decision taken back, a changed plan, an epoch going back).
	ErrIllegal = errors.New("illegal change")
)

// Records keeps records of one kind. Create and Update refuse what the machine forbids (ErrIllegal).
type Records[T any] interface {
	// Create stores a new record and returns it with its version; ErrExists where the name is taken.
	Create(ctx context.Context, r T) (T, error)
	Get(ctx context.Context, name string) (T, error)
	// Update stores r if its Version is still the stored one, else ErrConflict.
	Update(ctx context.Context, r T) (T, error)
	// Delete removes r if its Version is still the stored one, else ErrConflict; ErrNotFound where it is gone.
	Delete(ctx context.Context, r T) error
	List(ctx context.Context) ([]T, error)
	// Watch sends every record there is, and then each again whenever it changes, until ctx ends; then the channel is closed.
	// A record may be sent more often than it changed, and intermediate versions may be skipped; the last one never is.
	Watch(ctx context.Context) (<-chan T, error)
}

// Store is where records are kept.
type Store struct {
	Investigations Records[Investigation]
	Remediations   Records[Remediation]
	Halt           Brake
	Memos          Memos
}
