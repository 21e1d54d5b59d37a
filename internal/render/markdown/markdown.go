// Package markdown renders a report as GitHub-flavoured Markdown: everything that the report holds, every number included.
package markdown

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/render"
)

// Options has no option yet.
type Options struct{}

// Render writes the whole report. Text from the cluster is escaped: it can make no link, image, heading or HTML.
func Render(w io.Writer, r diagnostics.Report, _ Options) error {
	p := &page{Writer: bufio.NewWriter(w)}
	p.head(r)
	for _, s := range render.Outline(r) {
		p.section(s)
	}
	return p.Flush()
}

type page struct {
	*bufio.Writer
	blank bool // the last line was empty
}

// printf drops the error: Flush reports it.
func (p *page) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(p, format, args...)
	p.blank = false
}

// gap writes an empty line, unless there is one.
func (p *page) gap() {
	if !p.blank {
		p.printf("\n")
		p.blank = true
	}
}

func (p *page) head(r diagnostics.Report) {
	title := render.Clean(r.Summary)
	if title == "" {
		title = render.Verdict(r)
	}
	p.printf("# %s\n\n", Escape(title))
	p.printf("**Severity %s", Escape(render.Severity(r.Severity)))
	if r.Layer != "" {
		p.printf(", layer %s", Escape(render.Clean(string(r.Layer))))
	}
	p.printf("** · %s", Code(render.Question(r.Diagnosis, r.Target)))
	if place := render.Place(r.Target); place != "" {
		p.printf(" · %s", Escape(place))
	}
	p.printf("  \nVerdict: %s  \nRead at %s in %.1f s\n", Escape(render.Verdict(r)), render.Time(r.At), r.TookSeconds)
}

func (p *page) section(s render.Section) {
	p.gap()
	p.printf("## %s\n", Escape(s.Title))
	p.gap()
	if s.Note != "" {
		p.printf("%s\n", Escape(s.Note))
		p.gap()
	}
	if s.Table != nil {
		p.table(*s.Table)
	}
	for _, it := range s.Items {
		p.item(it)
	}
}

func (p *page) item(it render.Item) {
	switch {
	case it.Lead == "":
		p.printf("- %s\n", Escape(it.Text))
	case it.Text == "":
		p.printf("- **%s**\n", Escape(it.Lead))
	default:
		p.printf("- **%s**: %s\n", Escape(it.Lead), Escape(it.Text))
	}
	for _, f := range it.Facts {
		p.printf("  - %s: %s", Escape(f.Name), Escape(f.Value))
		if f.Source != "" {
			p.printf(" (%s)", Code(f.Source))
		}
		p.printf("\n")
		if f.Repeat != "" {
			p.fence("    ", f.Repeat)
		}
	}
	for _, c := range it.Commands {
		p.fence("  ", c)
	}
}

// fence writes a code block that its content can't close.
func (p *page) fence(indent, code string) {
	ticks := strings.Repeat("`", max(3, longestRun(code, '`')+1))
	p.gap()
	p.printf("%s%ssh\n", indent, ticks)
	for l := range strings.SplitSeq(code, "\n") {
		p.printf("%s%s\n", indent, l)
	}
	p.printf("%s%s\n", indent, ticks)
	p.gap()
}

func (p *page) table(t diagnostics.Table) {
	if len(t.Columns) > 0 {
		p.row(t.Columns)
		p.printf("|%s\n", strings.Repeat(" --- |", len(t.Columns)))
		for _, r := range t.Rows {
			p.row(r)
		}
	}
	if t.Omitted > 0 {
		p.gap()
		p.printf("%s\n", render.Omission(t.Omitted))
	}
}

func (p *page) row(cells []string) {
	p.printf("|")
	for _, c := range cells {
		p.printf(" %s |", Escape(c))
	}
	p.printf("\n")
}
