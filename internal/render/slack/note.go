package slack

import (
	"fmt"
	"strings"

	"github.com/slack-go/slack"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/render"
)

// Note tells the thread one thing that happened to a fix.
func Note(rem casebook.Remediation, n casebook.Note) Message {
	words := render.Clean(n.Text)
	return Message{
		Text:   fallback("netdiag", words),
		Blocks: []slack.Block{rich(line(text(words))), context(rem.Name, clock(n.At))},
	}
}

// Outcome tells the thread how a fix ended.
func Outcome(rem casebook.Remediation) Message {
	title := render.FixItem(rem.Plan.Fix).Text
	s := status(rem)
	return Message{
		Text:   fallback("netdiag fix", title, flattenRich(s[0])),
		Blocks: []slack.Block{rich(append([]slack.RichTextElement{line(bold(title))}, s...)...), context(rem.Name)},
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
	return Message{Text: fallback(sentence), Blocks: []slack.Block{rich(line(spans...))}}
}

// Help lists the commands, or explains one diagnosis; command is what people type first, "/netdiag".
func Help(command string, ds []diagnostics.Diagnosis, topic string) Message {
	var lines []*slack.RichTextSection
	for _, d := range ds {
		if d.Name == topic {
			return Message{
				Text: fallback(command+" "+d.Name, firstLine(d.Doc)),
				Blocks: []slack.Block{
					header(firstLine(d.Doc)),
					rich(line(code(command + " " + d.Name + " " + d.Usage))),
					rich(line(slack.NewRichTextSectionTextElement(render.Cut(nonempty(body(d.Doc)), maxSection), nil))),
				},
			}
		}
		lines = append(lines, line(code(command+" "+d.Name+" "+d.Usage), text(" "+firstLine(d.Doc))))
	}
	lines = append(lines,
		line(code(command+" help <topic>"), text(fmt.Sprintf(" explains one of them (%s)", names(ds)))),
		line(code(command+" ping"), text(" tells whether netdiag hears you")))
	return Message{
		Text:   fallback("netdiag", "commands"),
		Blocks: []slack.Block{header("What you can ask"), rich(bullets(lines, shownItems))},
	}
}

func names(ds []diagnostics.Diagnosis) string {
	var out []string
	for _, d := range ds {
		out = append(out, d.Name)
	}
	return strings.Join(out, ", ")
}

// firstLine is the title of a Markdown text.
func firstLine(doc string) string {
	title, _, _ := strings.Cut(strings.TrimSpace(doc), "\n")
	return render.Clean(strings.TrimLeft(title, "# "))
}

func body(doc string) string {
	_, rest, _ := strings.Cut(strings.TrimSpace(doc), "\n")
	return render.CleanBlock(strings.TrimSpace(rest))
}
