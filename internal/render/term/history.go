package term

import (
	"bufio"
	"io"
	"time"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/render"
)

// History writes what was asked, decided and done, a paragraph for each question. Times are UTC.
func History(w io.Writer, cases []casebook.Case, o Options) error {
	if o.Width < 40 || o.Width > maxWidth {
		o.Width = maxWidth
	}
	p := &page{Writer: bufio.NewWriter(w), Options: o}
	for i, c := range cases {
		if i > 0 {
			p.line(0, "")
		}
		p.wrap(0, p.paint(bold, c.Investigation.Created.UTC().Format("2006-01-02")+" "+render.Clean(c.Investigation.Question.Command))+"  "+c.Investigation.Name, "")
		for _, e := range c.Entries() {
			p.entry(e)
		}
	}
	if len(cases) == 0 {
		p.line(0, "Nothing was asked yet.")
	}
	return p.Flush()
}

func (p *page) entry(e casebook.Entry) {
	reason := e.Reason
	if e.Bad {
		reason = p.paint(red, reason)
	}
	who := ""
	if e.Kind == "Remediation" {
		who = "  " + p.paint(dim, e.Record)
	}
	p.wrap(2, reason+": "+render.Clean(e.Text)+who, e.At.UTC().Format(time.TimeOnly)+"  ")
}
