package slack

import (
	"strings"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/render"
)

// list is a section whose items are one line each.
func list(s render.Section, n int) slack.Block {
	elements := []slack.RichTextElement{line(bold(s.Title))}
	if s.Note != "" {
		elements = append(elements, line(text(s.Note)))
	}
	var lines []*slack.RichTextSection
	for _, it := range s.Items {
		var spans []span
		if it.Lead != "" {
			spans = append(spans, bold(it.Lead+": "))
		}
		lines = append(lines, line(append(spans, text(it.Text))...))
	}
	if len(lines) > 0 {
		elements = append(elements, bullets(lines, n))
	}
	return rich(elements...)
}

// item is an entry with at most n of its facts below it.
func item(it render.Item, n int) slack.Block {
	head := []span{bold(it.Text)}
	if it.Lead != "" {
		head = append(head, text(" ("+it.Lead+")"))
	}
	elements := []slack.RichTextElement{line(head...)}
	var lines []*slack.RichTextSection
	for _, f := range it.Facts {
		spans := []span{text(f.Name + ": "), bold(f.Value)}
		if f.Source != "" {
			spans = append(spans, text(" ("+f.Source+")"))
		}
		lines = append(lines, line(spans...))
	}
	if len(lines) > 0 {
		elements = append(elements, bullets(lines, n))
	}
	return rich(elements...)
}

// table is a native table under its title, cut to Slack's limits.
func table(t diagnostics.Table) []slack.Block {
	const cell = 80
	if len(t.Columns) == 0 {
		return nil
	}
	columns := t.Columns[:min(len(t.Columns), maxTableColumns)]
	size, omitted := 0, t.Omitted
	var rows [][]slack.TableCell
	for i, r := range append([][]string{columns}, t.Rows...) {
		var cells []slack.TableCell
		n := 0
		for j := range columns {
			c := nonempty(render.Cut(r[j], cell))
			n += utf8.RuneCountInString(c)
			cells = append(cells, slack.NewTableRawTextCell(c))
		}
		if len(rows) == maxTableRows || size+n > maxTableText {
			omitted += len(t.Rows) - i + 1
			break
		}
		size += n
		rows = append(rows, cells)
	}
	blocks := []slack.Block{rich(line(bold(t.Title))), &slack.TableBlock{Type: slack.MBTTable, Rows: rows}}
	if left := len(t.Columns) - len(columns); left > 0 {
		blocks = append(blocks, context("Columns left out: "+render.Clean(joinFew(t.Columns[len(columns):]))))
	}
	if omitted > 0 {
		blocks = append(blocks, context(render.Omission(omitted)))
	}
	return blocks
}

func joinFew(ss []string) string {
	var out strings.Builder
	shown, more := few(ss, shownItems)
	for _, s := range shown {
		out.WriteString(s + ", ")
	}
	return out.String() + more
}
