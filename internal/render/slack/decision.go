package slack

import (
	"github.com/slack-go/slack"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/render"
)

// Ids of the modal of a decision.
const (
	CallbackDecide = "netdiag_decision"
	FieldReason    = "netdiag_reason"
	FieldName      = "netdiag_name" // of the object that a fix of high risk changes
)

// MaxReason bounds the reason that somebody gives for a decision, in characters.
const MaxReason = 500

// Decision is what the modal of a decision shows, all of it from the record.
type Decision struct {
	Remediation casebook.Remediation
	Verdict     casebook.Verdict
	Stopped     string // since when and by whom changes are stopped, may mention a user as <@U…>; empty where they are not
	Metadata    string // comes back with the modal
}

// maxTyped bounds what somebody types to name an object, in characters.
const maxTyped = 1024

// NeedsName reports that whoever approves has to type the plan's target.
func NeedsName(rem casebook.Remediation, v casebook.Verdict) bool {
	return v == casebook.Approve && rem.Plan.Risk != "low" && rem.Plan.Risk != "medium"
}

// DecisionView is the modal in which somebody approves or rejects a fix.
func DecisionView(d Decision) slack.ModalViewRequest {
	rem := d.Remediation
	p := rem.Plan
	title, verb := "Approve this fix?", "Approve"
	if d.Verdict == casebook.Reject {
		title, verb = "Reject this fix?", "Reject"
	}
	blocks := []slack.Block{header(render.FixItem(p.Fix).Text)}
	if d.Stopped != "" {
		blocks = append(blocks, rich(line(append([]span{bold("Stopped: ")}, mentions(d.Stopped+" Until an approver resumes them nothing is carried out.")...)...)))
	}
	said := status(rem)
	said = append(said, line(text("Cluster: "), bold(render.Clean(p.Question.Target.Cluster)), text(", asked for by "), person(p.Question.User)))
	blocks = append(blocks, plan(rem), rich(said...), context(rem.Name, "plan "+p.Hash))
	if NeedsName(rem, d.Verdict) {
		name := &slack.PlainTextInputBlockElement{Type: slack.METPlainTextInput, ActionID: FieldName, MaxLength: maxTyped}
		blocks = append(blocks, slack.NewInputBlock(FieldName, plain("The risk is high. Type what is changed: "+p.Target, maxLabel), nil, name))
	}
	if d.Verdict == casebook.Reject {
		reason := &slack.PlainTextInputBlockElement{Type: slack.METPlainTextInput, ActionID: FieldReason, MaxLength: MaxReason, Multiline: true}
		hint := "The thread shows it. Nobody can approve this fix afterwards; it would take a new question."
		blocks = append(blocks, slack.NewInputBlock(FieldReason, plain("Reason", maxLabel), plain(hint, maxHint), reason).WithOptional(true))
	}
	v := slack.ModalViewRequest{
		Type: slack.VTModal, CallbackID: CallbackDecide, PrivateMetadata: fit(d.Metadata, maxMetadata),
		Title: plain(title, 24), Submit: plain(verb, 24), Close: plain("Back", 24), Blocks: slack.Blocks{BlockSet: blocks},
	}
	if d.Verdict == casebook.Approve && !whole(rem) { // nobody approves what they can't see
		v.Submit = nil
		v.Blocks.BlockSet = append(v.Blocks.BlockSet, rich(line(bold("This plan is too long to be shown whole, so it can't be approved in Slack."), text(" Its commands stand in the answer."))))
	}
	return v
}

// DecisionAnswer takes the place of the modal of a decision: what became of it. The sentence may mention a user as <@U…>.
func DecisionAnswer(sentence string) slack.ModalViewRequest {
	return slack.ModalViewRequest{
		Type: slack.VTModal, CallbackID: CallbackDecide, Title: plain("Your decision", 24), Close: plain("Close", 24),
		Blocks: slack.Blocks{BlockSet: []slack.Block{rich(line(mentions(sentence)...))}},
	}
}
