package slack

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/render"
)

// Ids of the buttons of a card; clicks with any other are not ours.
const (
	ActionApprove = "netdiag_approve"
	ActionReject  = "netdiag_reject"
	// BlockDecide starts the block id of the buttons.
	BlockDecide = "netdiag_decide"
)

const valueVersion = "v1"

// shownPlan is far above what a plan has: who approves has to see all of it.
const shownPlan = 40

// Value is what a button carries: nothing but which Remediation, and the nonce of the card.
func Value(remediation, nonce string) string {
	return strings.Join([]string{valueVersion, remediation, nonce}, ":")
}

// recordName is how the casebook names its records.
var recordName = regexp.MustCompile(`^[a-z]{3}-[a-z0-9]{1,40}$`)

// ParseValue reads a button's value; ok is false where it is none of ours.
func ParseValue(v string) (remediation, nonce string, ok bool) {
	parts := strings.Split(v, ":")
	if len(v) > maxValue || len(parts) != 3 || parts[0] != valueVersion || !recordName.MatchString(parts[1]) || parts[2] == "" {
		return "", "", false
	}
	return parts[1], parts[2], true
}

// Card is the message of one fix. It has buttons while it can be decided on; afterwards it says who decided, when, and
// what became of it.
func Card(rem casebook.Remediation) Message {
	p, s := rem.Plan, rem.Status
	it := render.FixItem(p.Fix)
	now := status(rem)
	title := "Fix: " + it.Text
	if p.Undoes != "" {
		title = it.Text // "Undo: …"
	}
	blocks := []slack.Block{header(title), plan(rem), rich(now...)}
	switch {
	case s.Phase == casebook.AwaitingApproval && s.Trial == nil:
		blocks = append(blocks, rich(line(text("No executor has answered: whether this change can be made was not tried."))), buttons(rem, it.Text))
	case s.Phase == casebook.AwaitingApproval:
		blocks = append(blocks, buttons(rem, it.Text))
	case Impossible(rem) && len(it.Commands) > 0:
		elements := []slack.RichTextElement{line(text("By hand:"))}
		shown, _ := few(it.Commands, shownCommands/4)
		for _, c := range shown {
			elements = append(elements, pre(c))
		}
		blocks = append(blocks, rich(elements...))
	}
	blocks = append(blocks, context(rem.Name, "plan "+p.Hash[:min(12, len(p.Hash))]))
	return Message{Text: fallback("netdiag fix", it.Text, flattenRich(now[0])), Blocks: blocks}
}

// Impossible reports that a fix was tried without effect and refused: its card shows why, and how to do it by hand.
func Impossible(rem casebook.Remediation) bool {
	return rem.Status.Phase == casebook.Cancelled && rem.Status.Trial != nil && rem.Status.Trial.Refused != ""
}

// plan is all that a fix does, where, and at what risk.
func plan(rem casebook.Remediation) slack.Block {
	return item(render.Item{Text: "Plan", Facts: planned(rem)}, shownPlan)
}

// whole reports whether plan shows every change to its last character.
func whole(rem casebook.Remediation) bool {
	size, facts := 0, planned(rem)
	for _, f := range facts {
		n := utf8.RuneCountInString(f.Value)
		if n > maxSpan {
			return false
		}
		size += n + utf8.RuneCountInString(f.Name) + len(": ") + utf8.RuneCountInString(f.Source)
	}
	return size <= maxSection && len(facts) <= shownPlan
}

func planned(rem casebook.Remediation) []render.Fact {
	p := rem.Plan
	var facts []render.Fact
	for _, f := range render.FixItem(p.Fix).Facts {
		if f.Name != "Carried out" && f.Name != "Risk" { // the record says who approves it and its risk
			facts = append(facts, f)
		}
	}
	return append(facts, render.Fact{Name: "Risk", Value: render.Clean(p.Risk)},
		render.Fact{Name: "Where", Value: render.Clean(p.Target) + " on " + render.Place(p.Question.Target)})
}

// status says where the fix stands, and who decided.
func status(rem casebook.Remediation) []slack.RichTextElement {
	s := rem.Status
	var head []span
	switch {
	case s.Outcome == "":
		head = []span{bold(phrase(rem))}
	case s.Phase == casebook.Succeeded || s.Phase == casebook.Rejected: // the outcome says it all
		head = []span{bold(render.Clean(s.Outcome))}
	default:
		head = []span{bold(phrase(rem)), text(" " + render.Clean(s.Outcome))}
	}
	out := []slack.RichTextElement{line(head...)}
	var lines []*slack.RichTextSection
	for _, d := range s.Decisions {
		verb := "Approved by "
		if d.Verdict == casebook.Reject {
			verb = "Rejected by "
		}
		spans := []span{text(verb), person(d.User), text(" at " + clock(d.At))}
		if d.Reason != "" {
			spans = append(spans, text(": "+render.Clean(d.Reason)))
		}
		lines = append(lines, line(spans...))
	}
	if !s.Finished.IsZero() {
		lines = append(lines, line(text("Finished at "+clock(s.Finished))))
	}
	if s.Watch != nil && s.Watch.State == casebook.Undone {
		lines = append(lines, line(bold("It did not last: at "+clock(s.Watch.At)+" the change was not in effect any more.")))
	}
	if len(lines) > 0 {
		out = append(out, bullets(lines, shownItems))
	}
	return out
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05 UTC") }

func phrase(rem casebook.Remediation) string {
	p, s := rem.Plan, rem.Status
	switch {
	case s.Phase == casebook.AwaitingApproval:
		return fmt.Sprintf("Waits for approval by %s, until %s.", approvers(p, len(s.Decisions)), clock(p.Expires))
	case s.Phase == casebook.Verifying && !s.Deadline.IsZero():
		return fmt.Sprintf("Change made; watching until the trouble is gone, at most until %s.", clock(s.Deadline))
	}
	words := map[casebook.Phase]string{
		casebook.Proposed:    "Being prepared.",
		casebook.Approved:    "Approved; it starts in a moment.",
		casebook.Preflight:   "Checking again that the fix still fits, before anything is changed.",
		casebook.Applying:    "Making the change.",
		casebook.Verifying:   "Change made; watching until the trouble is gone.",
		casebook.Succeeded:   "Done: the trouble is gone.",
		casebook.Rejected:    "Rejected.",
		casebook.Expired:     "Expired.",
		casebook.Superseded:  "Overtaken by events.",
		casebook.Cancelled:   "Cancelled.",
		casebook.RollingBack: "Undoing the change.",
		casebook.RolledBack:  "Undone.",
		casebook.NeedsHuman:  "A person has to look at this.",
		casebook.Failed:      "It did not work.",
	}
	if w, ok := words[s.Phase]; ok {
		return w
	}
	return render.Clean(string(s.Phase))
}

// approvers says who is still to approve.
func approvers(p casebook.Plan, have int) string {
	n := fmt.Sprintf("%d persons", p.Approvals)
	if p.Approvals == 1 {
		n = "one person"
	}
	if p.SelfApproval {
		n += ", the requester too"
	} else {
		n += " other than the requester"
	}
	if have > 0 {
		n += fmt.Sprintf(" (%d so far)", have)
	}
	return n
}

// buttons open the modal in which the fix is decided on: a card can be altered by whoever holds the bot token.
func buttons(rem casebook.Remediation, title string) *slack.ActionBlock {
	button := func(id, label string, style slack.Style) *slack.ButtonBlockElement {
		b := slack.NewButtonBlockElement(id, Value(rem.Name, rem.Status.Nonce), plain(label, maxButton))
		b.Style = style
		b.AccessibilityLabel = render.Cut(label+": "+title, maxButton)
		return b
	}
	// A block that changes needs a new id, or clients may keep showing the old one.
	return slack.NewActionBlock(fmt.Sprintf("%s_%d", BlockDecide, len(rem.Status.Decisions)),
		button(ActionApprove, "Approve", slack.StylePrimary), button(ActionReject, "Reject", slack.StyleDanger))
}
