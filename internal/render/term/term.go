// Package term renders a report for a terminal.
package term

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/render"
)

// Options says what the terminal can do.
type Options struct {
	Color bool // ANSI colours
	Width int  // columns to fill; outside 40 to 99 it is 99
}

const maxWidth = 99

// Render writes the whole report as text. Text from the cluster comes out without control characters, so that it can't
// steer the terminal; commands are broken so that they can still be copied and run.
func Render(w io.Writer, r diagnostics.Report, o Options) error {
	if o.Width < 40 || o.Width > maxWidth {
		o.Width = maxWidth
	}
	p := &page{Writer: bufio.NewWriter(w), Options: o}
	p.head(r)
	for _, s := range render.Outline(r) {
		p.section(s)
	}
	return p.Flush()
}

type page struct {
	*bufio.Writer
	Options
}

func (p *page) head(r diagnostics.Report) {
	state := render.StateOf(r)
	style := red
	switch {
	case state == render.Healthy:
		style = green
	case state != render.Found || r.Severity == "P3" || r.Severity == "P4":
		style = yellow
	}
	where := render.Question(r.Diagnosis, r.Target)
	if place := render.Place(r.Target); place != "" {
		where += " in " + place
	}
	p.line(0, p.paint(bold, where))
	rank := "Severity " + render.Severity(r.Severity)
	if r.Layer != "" {
		rank += ", layer " + render.Clean(string(r.Layer))
	}
	p.wrap(0, p.paint(style, rank), "")
	if r.Summary != "" {
		p.wrap(0, p.paint(bold, render.Clean(r.Summary)), "")
	}
	p.wrap(0, "Verdict: "+render.Verdict(r), "")
	p.wrap(0, p.paint(dim, fmt.Sprintf("Read at %s in %.1f s", render.Time(r.At), r.TookSeconds)), "")
}

func (p *page) section(s render.Section) {
	p.line(0, "")
	p.wrap(0, p.paint(bold, s.Title), "")
	if s.Note != "" {
		p.wrap(2, s.Note, "")
	}
	if s.Table != nil {
		p.table(*s.Table)
	}
	for _, it := range s.Items {
		p.item(it, s.Kind)
	}
}

// inline kinds have entries that say everything in one line each.
func inline(k render.Kind) bool {
	return k == render.RuledOut || k == render.Refused || k == render.Timeline
}

func (p *page) item(it render.Item, k render.Kind) {
	switch {
	case it.Lead == "":
		p.wrap(2, it.Text, "- ")
	case inline(k) && it.Text != "":
		p.wrap(2, p.paint(dim, it.Lead)+"  "+it.Text, "- ")
	default:
		p.wrap(2, p.paint(leadStyle(it.Lead), it.Lead)+": "+it.Text, "- ")
	}
	for _, f := range it.Facts {
		line := f.Name + ": " + f.Value
		if f.Source != "" {
			line += p.paint(dim, "  ["+f.Source+"]")
		}
		p.wrap(4, line, "")
		if f.Repeat != "" {
			p.command(6, f.Repeat)
		}
	}
	for _, c := range it.Commands {
		p.command(4, c)
	}
}

func leadStyle(lead string) style {
	switch diagnostics.Confidence(lead) {
	case diagnostics.Confirmed:
		return red
	case diagnostics.Likely, diagnostics.Possible:
		return yellow
	}
	return bold
}

func (p *page) line(indent int, s string) {
	_, _ = p.WriteString(strings.TrimRight(strings.Repeat(" ", indent)+s, " ") + "\n") // Flush reports the error
}
