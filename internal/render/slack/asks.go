package slack

import (
	"strings"

	"github.com/slack-go/slack"

	"github.com/netdiag/netdiag/internal/render"
)

// Ids of the buttons that ask for more of an answer.
const (
	ActionEvidence = "netdiag_evidence"
	ActionCommands = "netdiag_commands"
	ActionFile     = "netdiag_file"
	ActionAgain    = "netdiag_again"
	// BlockAsk starts the block id of these buttons.
	BlockAsk = "netdiag_ask"
)

// ask is a button; says is what a screen reader reads.
type ask struct{ action, label, says string }

var (
	askEvidence = ask{ActionEvidence, "Show evidence", "Show the evidence of this answer in the thread"}
	askCommands = ask{ActionCommands, "Show commands", "Show the commands of this answer in the thread"}
	askFile     = ask{ActionFile, "Report as file", "Post the whole report as files in the thread"}
	askAgain    = ask{ActionAgain, "Ask again", "Ask the same question again, in this thread"}
)

// asks is a row of buttons; place tells it from the other rows of a message.
func asks(place, investigation string, buttons ...ask) *slack.ActionBlock {
	var elements []slack.BlockElement
	for _, a := range buttons {
		b := slack.NewButtonBlockElement(a.action, AskValue(investigation), plain(a.label, maxButton))
		b.AccessibilityLabel = a.says
		elements = append(elements, b)
	}
	return slack.NewActionBlock(BlockAsk+"_"+place, elements...)
}

// AskValue is what such a button carries: which Investigation, and nothing else.
func AskValue(investigation string) string { return valueVersion + ":" + investigation }

// ParseAsk reads such a value; ok is false where it is none of ours.
func ParseAsk(v string) (investigation string, ok bool) {
	version, name, found := strings.Cut(v, ":")
	return name, found && version == valueVersion && name != "" && len(v) <= maxValue && !strings.Contains(name, ":")
}

// Pointer tells one person where something is to be found. link comes from Slack; without one, the words have to do.
func Pointer(words, link string) Message {
	words = render.Clean(words)
	spans := []span{text(words)}
	if strings.HasPrefix(link, "https://") || strings.HasPrefix(link, "http://") {
		spans = append([]span{text(words + " ")}, slack.NewRichTextSectionLinkElement(link, "Go there", nil))
	}
	return Message{Text: fallback(words), Blocks: []slack.Block{rich(line(spans...))}}
}
