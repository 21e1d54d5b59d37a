package slack

import (
	"fmt"
	"strings"

	"github.com/slack-go/slack"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/render"
)

// Note tells the thread one thing that happened to a fix.
func Note(rem casebook.Remediation, n casebook.Note) Message {
	words := render.Clean(n.Text)
	spans := []span{text(words)}
	if n.Key == casebook.HaltedKey {
		spans = mentions(n.Text)
	}
	return Message{
		Text:   fallback("netdiag", words),
		Blocks: []slack.Block{rich(line(spans...)), context(rem.Name, clock(n.At))},
	}
}

// Outcome tells the thread how a fix ended. Who decided stands on its card, where naming them tells nobody.
func Outcome(rem casebook.Remediation) Message {
	m, title := outcome(rem)
	if casebook.CanUndo(rem) {
		b := slack.NewButtonBlockElement(ActionUndo, Value(rem.Name, rem.Status.Nonce), plain("Undo", maxButton))
		b.AccessibilityLabel = render.Cut("Undo: "+title, maxButton)
		m.Blocks = append(m.Blocks, slack.NewActionBlock(BlockUndo, b))
	}
	m.Blocks = append(m.Blocks, context(rem.Name))
	return m
}

// Undone takes the place of Outcome once the fix was undone: it has no button any more, and says who had it undone and when.
// It comes as an edit, which tells nobody whom it names.
func Undone(rem, undo casebook.Remediation) Message {
	m, _ := outcome(rem)
	spans := []span{bold("Undone at " + clock(undo.Status.Finished)), text(", asked for by "), person(undo.Plan.Question.User)}
	for i, d := range undo.Status.Decisions {
		by := ", approved by "
		if i > 0 {
			by = " and "
		}
		spans = append(spans, text(by), person(d.User))
	}
	m.Blocks = append(m.Blocks, rich(line(append(spans, text("."))...)), context(rem.Name))
	return m
}

// outcome is what Outcome and Undone have in common.
func outcome(rem casebook.Remediation) (m Message, title string) {
	title = render.FixItem(rem.Plan.Fix).Text
	for i := range rem.Status.Decisions {
		if d := rem.Status.Decisions[len(rem.Status.Decisions)-1-i]; d.Reason != "" {
			rem.Status.Outcome += " Reason: " + d.Reason
			break
		}
	}
	rem.Status.Decisions = nil
	s := status(rem)
	return Message{
		Text:   fallback("netdiag fix", title, flattenRich(s[0])),
		Blocks: []slack.Block{rich(append([]slack.RichTextElement{line(bold(title))}, s...)...)},
	}, title
}

// Announcement tells a channel or a thread something of netdiag's own. It may mention a user as <@U…>, and holds no text
// from the cluster.
func Announcement(sentence string) Message { return Settled(sentence) }

// shownWarnings is how many things one message about early warnings names.
const shownWarnings = 10

// Warning tells a thread of things that netdiag noticed by itself, one sentence each, the most important first: one goes on
// from the words before, several are a list. They may hold text from the cluster.
func Warning(before string, things []string, after string) Message {
	if len(things) == 1 {
		return Refusal(before + things[0] + " " + after)
	}
	var items []*slack.RichTextSection
	for _, s := range things[:min(len(things), shownWarnings)] {
		items = append(items, line(text(render.Clean(s))))
	}
	if more := len(things) - shownWarnings; more > 0 {
		items = append(items, line(text(fmt.Sprintf("… and %d more", more))))
	}
	return Message{
		Text:   fallback(fmt.Sprintf("%s%d things, the first: %s", before, len(things), things[0])),
		Blocks: []slack.Block{rich(line(bold(strings.TrimSpace(before))), bullets(items, shownItems), line(text(after)))},
	}
}

// Refusal answers one person: what is wrong, and what to type instead.
func Refusal(why string, instead ...string) Message {
	elements := []slack.RichTextElement{line(text(render.Clean(why)))}
	if len(instead) > 0 {
		var lines []*slack.RichTextSection
		for _, c := range instead {
			lines = append(lines, line(code(render.Clean(c))))
		}
		elements = append(elements, line(text("You can type:")), bullets(lines, shownItems))
	}
	return Message{Text: fallback(why), Blocks: []slack.Block{rich(elements...)}}
}

// Settled answers a click that came too late. The sentence may mention a user as <@U…>.
func Settled(sentence string) Message {
	return Message{Text: fallback(sentence), Blocks: []slack.Block{rich(line(mentions(sentence)...))}}
}

// mentions is a sentence of our own that may mention users as <@U…>; nothing from the cluster belongs there.
func mentions(sentence string) []span {
	var spans []span
	for rest := render.Clean(sentence); rest != ""; {
		before, mention, found := strings.Cut(rest, "<@")
		id, after, closed := strings.Cut(mention, ">")
		if !found || !closed || !userID.MatchString(id) {
			spans = append(spans, text(rest))
			break
		}
		if before != "" {
			spans = append(spans, text(before))
		}
		spans = append(spans, person(id))
		rest = after
	}
	if len(spans) == 0 {
		spans = []span{text("")}
	}
	return spans
}
