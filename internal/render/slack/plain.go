package slack

import (
	"strings"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"github.com/netdiag/netdiag/internal/render"
)

// How plain a message is. Charts and tables are newer than some workspaces.
const (
	Native   = iota // as it was made
	NoCharts        // a chart is left out: its numbers stand in a table
	NoTables        // a table is drawn with characters
	Oldest          // sections of plain text, and buttons
	Short           // and no more of them than the smallest limit that Slack has
)

// maxShort is what any message of Slack may hold.
const maxShort = 2500

// Rung is a message, and how plain it is.
type Rung struct {
	Level   int
	Message Message
}

// Ladder gives a message ever more plainly, each rung different from the one before. The first is the message itself.
func Ladder(m Message) []Rung {
	out := []Rung{{Native, m}}
	add := func(level int, from Message, kind slack.MessageBlockType, instead func(slack.Block) []slack.Block) Message {
		to := Message{Text: from.Text}
		found := false
		for _, b := range from.Blocks {
			if b.BlockType() == kind {
				found = true
				to.Blocks = append(to.Blocks, instead(b)...)
				continue
			}
			to.Blocks = append(to.Blocks, b)
		}
		if !found {
			return from
		}
		if len(to.Blocks) == 0 {
			to.Blocks = Plain(from).Blocks
		}
		out = append(out, Rung{level, to})
		return to
	}
	now := add(NoCharts, m, slack.MBTDataVisualization, func(slack.Block) []slack.Block { return nil })
	now = add(NoTables, now, slack.MBTTable, func(b slack.Block) []slack.Block { return []slack.Block{rich(pre(drawn(b.(*slack.TableBlock))))} })
	return append(out, Rung{Oldest, Plain(now)}, Rung{Short, short(Plain(now))})
}

// Plain is m in the oldest and plainest blocks, for a workspace that refuses the newer ones with invalid_blocks. Buttons stay.
func Plain(m Message) Message {
	out := Message{Text: m.Text}
	for _, b := range m.Blocks {
		if b.BlockType() == slack.MBTAction {
			out.Blocks = append(out.Blocks, b)
			continue
		}
		if text := strings.TrimSpace(flatten(b)); text != "" && len(out.Blocks) < maxBlocks {
			out.Blocks = append(out.Blocks, slack.NewSectionBlock(plain(text, maxSection), nil, nil))
		}
	}
	return out
}

// short cuts a plain message to maxShort characters, and says so. Buttons stay.
func short(m Message) Message {
	out := Message{Text: render.Cut(m.Text, maxFallback)}
	left, cut := maxShort, false
	for _, b := range m.Blocks {
		s, is := b.(*slack.SectionBlock)
		switch {
		case !is:
			out.Blocks = append(out.Blocks, b)
		case utf8.RuneCountInString(s.Text.Text) <= left:
			out.Blocks = append(out.Blocks, b)
			left -= utf8.RuneCountInString(s.Text.Text)
		case !cut:
			cut = true
			if left > 100 {
				out.Blocks = append(out.Blocks, slack.NewSectionBlock(plain(s.Text.Text, left), nil, nil))
			}
			left = 0
			out.Blocks = append(out.Blocks, slack.NewSectionBlock(plain("The rest is left out: Slack refused the whole message as too long.", maxSection), nil, nil))
		}
	}
	return out
}

// drawn is a table of characters, its columns as wide as they have to be.
func drawn(t *slack.TableBlock) string {
	var widths []int
	var rows [][]string
	for _, r := range t.Rows {
		var cells []string
		for i, c := range r {
			s := ""
			if raw, ok := c.(*slack.TableRawTextCell); ok {
				s = raw.Text
			}
			cells = append(cells, s)
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(s))
		}
		rows = append(rows, cells)
	}
	var lines []string
	size := 0
	for i, r := range rows {
		var b strings.Builder
		for j, c := range r {
			b.WriteString(c + strings.Repeat(" ", widths[j]-utf8.RuneCountInString(c)+2))
		}
		l := strings.TrimRight(b.String(), " ")
		if size += utf8.RuneCountInString(l) + 1; size > maxSection-50 {
			lines = append(lines, render.Omission(len(rows)-i))
			break
		}
		lines = append(lines, l)
	}
	return strings.Join(lines, "\n")
}
