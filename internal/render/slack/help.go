package slack

import (
	"strings"

	"github.com/slack-go/slack"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/render"
)

// Use is a command other than a question, and what it does.
type Use struct{ Text, Does string }

// Help lists the commands, or explains one diagnosis. begin is what people type before a command: "/netdiag", "@netdiag",
// or nothing in a direct message.
func Help(begin string, ds []diagnostics.Diagnosis, uses []Use, topic string) Message {
	var lines []*slack.RichTextSection
	for _, d := range ds {
		use := typing(begin, d.Name+" "+d.Usage)
		if d.Name == topic {
			return Message{
				Text: fallback(typing(begin, d.Name), firstLine(d.Doc)),
				Blocks: []slack.Block{
					header(firstLine(d.Doc)),
					rich(line(code(use))),
					rich(line(slack.NewRichTextSectionTextElement(render.Cut(nonempty(body(d.Doc)), maxSection), nil))),
				},
			}
		}
		lines = append(lines, line(code(use), text(" "+firstLine(d.Doc))))
	}
	for _, u := range uses {
		lines = append(lines, line(code(typing(begin, u.Text)), text(" "+u.Does)))
	}
	return Message{
		Text: fallback("netdiag", "commands"),
		Blocks: []slack.Block{
			header("What you can ask"), rich(bullets(lines, shownItems)),
			slack.NewActionBlock(BlockWays, wayButton(ActionForm, "help", "Ask with a form")),
		},
	}
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
