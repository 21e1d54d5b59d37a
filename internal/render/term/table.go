package term

import (
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/render"
)

// narrowest is as far as a column is folded to make a table fit; a word of its heading stays whole.
const narrowest = 9

// table writes columns side by side. Where they don't fit, the widest ones are folded; where even that isn't enough, each
// row becomes a paragraph.
func (p *page) table(t diagnostics.Table) {
	const indent, gap = 2, "  "
	widths := make([]int, len(t.Columns))
	for _, row := range append([][]string{t.Columns}, t.Rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], columns(cell))
		}
	}
	if shrink(widths, t.Columns, p.Width-indent-len(gap)*(len(widths)-1)) {
		for _, line := range folded(t.Columns, widths) {
			p.line(indent, p.paint(dim, cells(line, widths, gap)))
		}
		for _, row := range t.Rows {
			for _, line := range folded(row, widths) {
				p.line(indent, cells(line, widths, gap))
			}
		}
	} else {
		p.records(t)
	}
	if t.Omitted > 0 {
		p.line(indent, render.Omission(t.Omitted))
	}
}

// shrink takes columns from the widest until the sum is at most room, and reports whether it got there.
func shrink(widths []int, headings []string, room int) bool {
	least := make([]int, len(widths))
	for i, h := range headings {
		for word := range strings.FieldsSeq(h) {
			least[i] = max(least[i], columns(word))
		}
		least[i] = min(max(least[i], narrowest), widths[i])
	}
	for sum(widths) > room {
		widest := -1
		for i, w := range widths {
			if w > least[i] && (widest < 0 || w > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return false
		}
		widths[widest]--
	}
	return true
}

func sum(ns []int) int {
	total := 0
	for _, n := range ns {
		total += n
	}
	return total
}

// folded breaks the cells of a row to the widths: one slice of cells for each line.
func folded(row []string, widths []int) [][]string {
	var lines [][]string
	for i, cell := range row {
		for n, part := range fold(cell, widths[i]) {
			if n == len(lines) {
				lines = append(lines, make([]string, len(row)))
			}
			lines[n][i] = part
		}
	}
	return lines
}

// fold breaks a cell between words; a word that is too long for itself is broken after a dot, a hyphen or a slash, else anywhere.
func fold(cell string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(cell) {
		if line != "" && columns(line)+1+columns(word) <= width {
			line += " " + word
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		for columns(word) > width {
			head := string([]rune(word)[:width])
			if i := strings.LastIndexAny(head, ".-/"); i > 0 {
				head = head[:i+1]
			}
			lines = append(lines, head)
			word = word[len(head):]
		}
		line = word
	}
	return append(lines, line)
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
