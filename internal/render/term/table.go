package term

import (
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/render"
)

// table writes columns side by side, or one row below the other where they don't fit.
func (p *page) table(t diagnostics.Table) {
	const indent, gap = 2, "  "
	widths := make([]int, len(t.Columns))
	for _, row := range append([][]string{t.Columns}, t.Rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], columns(cell))
		}
	}
	total := indent
	for _, w := range widths {
		total += w + len(gap)
	}
	if total-len(gap) > p.Width {
		p.records(t)
	} else {
		p.line(indent, p.paint(dim, cells(t.Columns, widths, gap)))
		for _, row := range t.Rows {
			p.line(indent, cells(row, widths, gap))
		}
	}
	if t.Omitted > 0 {
		p.line(indent, render.Omission(t.Omitted))
	}
}

func cells(row []string, widths []int, gap string) string {
	var b strings.Builder
	for i, c := range row {
		b.WriteString(c + strings.Repeat(" ", widths[i]-columns(c)) + gap)
	}
	return strings.TrimRight(b.String(), " ")
}

func (p *page) records(t diagnostics.Table) {
	for _, row := range t.Rows {
		var parts []string
		for i, c := range row {
			parts = append(parts, t.Columns[i]+": "+c)
		}
		p.wrap(2, strings.Join(parts, ", "), "- ")
	}
}
