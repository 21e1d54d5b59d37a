package slack

import (
	"fmt"

	"github.com/slack-go/slack"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/render"
)

// Root is the message in the channel, edited as the work goes on; the answer stands in its thread. did lists what was
// done so far, in order; while the work goes on, its last entry is what is being done. A question without a user is one that
// netdiag asked itself.
func Root(inv casebook.Investigation, did []string) Message {
	q := inv.Question
	title := render.Question(q.Diagnosis, q.Target)
	// A person who is named in a new message is told of it. The first message only says that work began; who asked is
	// added by its edits, which tell nobody, and the answer tells them once.
	var where []span
	switch {
	case q.User == "":
		where = append(where, bold("Early warning"))
	case inv.Status.Root.TS != "":
		where = append(where, text("Asked by "), person(q.User))
	}
	if place := render.Place(q.Target); place != "" && len(where) > 0 {
		where = append(where, text(" about "+place))
	} else if len(where) == 0 {
		where = append(where, text("About "+nonempty(place)))
	}
	body, short := state(inv, did)
	m := Message{
		Text:   fallback("netdiag "+title, short),
		Blocks: []slack.Block{header(title), rich(line(where...)), body},
	}
	if inv.Status.Phase == casebook.Faulted { // it has no answer that could have the button
		m.Blocks = append(m.Blocks, asks("root", inv.Name, askAgain))
	}
	m.Blocks = append(m.Blocks, context(inv.Name))
	return m
}

func state(inv casebook.Investigation, did []string) (body slack.Block, short string) {
	s := inv.Status
	switch {
	case s.Phase == casebook.Faulted:
		return rich(line(bold("No answer. "), text(render.Clean(s.Error)))), "no answer. " + s.Error
	case s.Phase == casebook.Reported && s.Report != nil:
		r := *s.Report
		verdict := render.Verdict(r)
		lines := []*slack.RichTextSection{line(bold("Verdict: "), text(verdict))}
		if r.Severity != "" {
			lines = append(lines, line(bold("Severity: "), text(rank(r))))
		}
		if r.Summary != "" {
			lines = append([]*slack.RichTextSection{line(bold(render.Clean(r.Summary)))}, lines...)
		}
		return rich(bullets(lines, shownItems), line(text("The thread says more: what was ruled out, and what helps."))), verdict + ". " + r.Summary
	case s.Phase == casebook.Diagnosing && len(did) > 0:
		const shown = 5
		done, now := did[:len(did)-1], did[len(did)-1]
		lines := []*slack.RichTextSection{}
		if left := len(done) - shown; left > 0 {
			lines = append(lines, line(text(fmt.Sprintf("%d earlier steps", left))))
			done = done[left:]
		}
		for _, d := range done {
			lines = append(lines, line(text("done: "+render.Clean(d))))
		}
		lines = append(lines, line(text("now: "), bold(render.Clean(now))))
		return rich(line(bold("Looking …")), bullets(lines, shownItems)), "looking: " + now
	case s.Phase == casebook.Diagnosing:
		return rich(line(bold("Looking …"))), "looking"
	}
	return rich(line(text("Received; it starts in a moment."))), "received"
}
