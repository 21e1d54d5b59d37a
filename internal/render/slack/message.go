// Package slack renders Investigations and Remediations as Slack messages. Its functions are pure, and keep to Slack's
// limits by construction. Text from the cluster stands in rich_text and plain_text only, which Slack never parses.
package slack

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"github.com/netdiag/netdiag/internal/render"
)

// Message is what is posted: blocks, and the text that notifications and screen readers get instead of them.
type Message struct {
	Text   string        `json:"text"`
	Blocks []slack.Block `json:"blocks"`
}

// Limits of Block Kit (docs.slack.dev/reference/block-kit), in characters where not said otherwise.
const (
	maxBlocks       = 50 // a message
	maxTables       = 1  // a message
	maxCharts       = 2  // a message
	maxTableRows    = 100
	maxTableColumns = 20
	maxTableText    = 10000 // all cells of a table
	maxHeader       = 150
	maxSection      = 3000
	maxButton       = 75
	maxValue        = 2000
	maxContext      = 10 // elements of a context block

	// Slack gives no figure for all the text of a message; what is longer goes into a further one.
	maxMessage = 10000
	// chat.update refuses a text above 4000; a fallback needs much less.
	maxFallback = 1000
)

// fallback makes the text that stands beside the blocks. Slack parses it, so it is escaped; what parsing leaves to
// clients (backticks, asterisks) can only style it.
func fallback(parts ...string) string {
	s := nonempty(render.Cut(render.Clean(strings.Join(parts, ": ")), maxFallback))
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

// pack spreads groups of blocks over as few messages as the limits allow, in their order; a group stays together.
func pack(text string, groups ...[]slack.Block) []Message {
	var out []Message
	tables, charts, size := 0, 0, 0
	for _, g := range groups {
		t, c, n := 0, 0, 0
		for _, b := range g {
			n += utf8.RuneCountInString(flatten(b))
			switch b.BlockType() {
			case slack.MBTTable:
				t++
			case slack.MBTDataVisualization:
				c++
			}
		}
		last := len(out) - 1
		if last < 0 || len(out[last].Blocks)+len(g) > maxBlocks || tables+t > maxTables || charts+c > maxCharts || size > 0 && size+n > maxMessage {
			out = append(out, Message{Text: text})
			last++
			tables, charts, size = 0, 0, 0
		}
		out[last].Blocks = append(out[last].Blocks, g...)
		tables, charts, size = tables+t, charts+c, size+n
	}
	return out
}

// each makes a group of every block.
func each(blocks ...slack.Block) [][]slack.Block {
	var out [][]slack.Block
	for _, b := range blocks {
		out = append(out, []slack.Block{b})
	}
	return out
}

// plain is text that Slack shows as it is: no mrkdwn, no emoji names.
func plain(s string, limit int) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.PlainTextType, nonempty(render.Cut(s, limit)), false, false)
}

func nonempty(s string) string {
	if strings.TrimSpace(s) == "" {
		return "–" // Slack refuses empty text
	}
	return s
}

// Doubtful marks a message that may have been posted before: whoever posted it was cut off, and can't look.
func Doubtful(m Message) Message {
	mark := context("This may stand here twice: netdiag was cut off while it was posting it.")
	if len(m.Blocks) < maxBlocks {
		m.Blocks = append(slices.Clip(m.Blocks), mark)
	}
	return m
}
