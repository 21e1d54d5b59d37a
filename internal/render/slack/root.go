package slack

import (
	"github.com/slack-go/slack"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/render"
)

// Root is the message in the channel, edited as the work goes on; the answer stands in its thread. did lists what was
// done so far, in order; while the work goes on, its last entry is what is being done.
func Root(inv casebook.Investigation, did []string) Message {
	q := inv.Question
	title := render.Question(q.Diagnosis, q.Target)
	where := []span{text("Asked by "), person(q.User)}
	if place := render.Place(q.Target); place != "" {
		where = append(where, text(" about "+place))
	}
	body, short := state(inv, did)
	m := Message{
		Text:   fallback("netdiag "+title, short),
		Blocks: []slack.Block{header(title), rich(line(where...)), body, context(inv.Name)},
	}
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
		return rich(bullets(lines, shownItems), line(text("The thread has the evidence, what was ruled out and what helps."))), verdict + ". " + r.Summary
	case s.Phase == casebook.Diagnosing && len(did) > 0:
		const shown = 6
		var lines []*slack.RichTextSection
		for _, d := range did[max(0, len(did)-shown):] {
			lines = append(lines, line(text(render.Clean(d))))
		}
		return rich(line(bold("Looking …")), bullets(lines, shownItems)), "looking: " + did[len(did)-1]
	case s.Phase == casebook.Diagnosing:
		return rich(line(bold("Looking …"))), "looking"
	}
	return rich(line(text("Received; it starts in a moment."))), "received"
}
