package casebook

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
)

// mostReport is how many bytes of JSON a report may have that is stored: an object of etcd has 1.5 MiB at most
// (--max-request-bytes), and what was posted and who asked are in it too.
const mostReport = 1 << 20

// Fit is a report that can be stored: r itself, or where that is too long, r without the least of it, and with a last
// step that says what was left out. Causes and fixes go last: a fix is verified by them.
func Fit(r diagnostics.Report) diagnostics.Report {
	if size(r) <= mostReport {
		return r
	}
	// What is changed below is copied, list by list; the report itself stays as it is.
	for _, list := range []*[]diagnostics.Finding{&r.Causes, &r.Contributing, &r.Symptoms} {
		*list = slices.Clone(*list)
	}
	r.Tables, r.Fixes, r.Steps, r.Timeline = slices.Clone(r.Tables), slices.Clone(r.Fixes), slices.Clone(r.Steps), slices.Clone(r.Timeline)
	r.Passed, r.Gaps, r.Refused = slices.Clone(r.Passed), slices.Clone(r.Gaps), slices.Clone(r.Refused)
	c := cutter{report: &r}
	for _, keep := range []int{100, 25, 5} {
		for _, cut := range []func(int){c.evidence, c.tables, c.details, c.symptoms, c.affected, c.commands, c.texts, c.causes} {
			if cut(keep); size(*c.told()) <= mostReport {
				return *c.told()
			}
		}
	}
	return *c.told()
}

func size(r diagnostics.Report) int {
	b, err := json.Marshal(r)
	if err != nil {
		return 0 // the store says what is wrong with it
	}
	return len(b)
}

// cutter shortens a report, and keeps count of what it leaves out.
type cutter struct {
	report *diagnostics.Report
	left   []string
	counts map[string]int
}

// told is the report with a step that says what was left out.
func (c *cutter) told() *diagnostics.Report {
	out := *c.report
	var parts []string
	for _, what := range c.left {
		parts = append(parts, fmt.Sprintf("%d %s", c.counts[what], what))
	}
	out.Steps = append(slices.Clip(out.Steps), diagnostics.Step{
		Title: "Left out", Read: "the whole report",
		Finding: "It is too long to be stored. Left out are: " + strings.Join(parts, ", ") + ". Diagnose on the command line to see all of it.",
	})
	return &out
}

func (c *cutter) count(what string, n int) {
	if n <= 0 {
		return
	}
	if c.counts == nil {
		c.counts = map[string]int{}
	}
	if c.counts[what] == 0 {
		c.left = append(c.left, what)
	}
	c.counts[what] += n
}

// first keeps the first n of a list.
func first[T any](c *cutter, what string, list *[]T, n int) {
	c.count(what, len(*list)-n)
	*list = (*list)[:min(len(*list), n)]
}

func (c *cutter) findings(f func(*diagnostics.Finding)) {
	for _, list := range [][]diagnostics.Finding{c.report.Causes, c.report.Contributing, c.report.Symptoms} {
		for i := range list {
			f(&list[i])
		}
	}
}

func (c *cutter) evidence(n int) {
	c.findings(func(f *diagnostics.Finding) { first(c, "pieces of evidence", &f.Evidence, max(n/10, 1)) })
}

func (c *cutter) tables(n int) {
	for i := range c.report.Tables {
		t := &c.report.Tables[i]
		t.Omitted += max(0, len(t.Rows)-n)
		first(c, "rows of tables", &t.Rows, n)
	}
}

func (c *cutter) details(n int) {
	first(c, "moments of the timeline", &c.report.Timeline, n)
	first(c, "checks that are in order", &c.report.Passed, n)
	first(c, "steps", &c.report.Steps, n)
	first(c, "gaps", &c.report.Gaps, n)
	first(c, "refused fixes", &c.report.Refused, n)
	first(c, "contradictions", &c.report.Contradictions, n)
	first(c, "hints of prevention", &c.report.Prevention, n)
}

func (c *cutter) symptoms(n int) {
	first(c, "symptoms", &c.report.Symptoms, n)
	first(c, "contributing findings", &c.report.Contributing, n)
}

func (c *cutter) affected(n int) {
	c.findings(func(f *diagnostics.Finding) {
		first(c, "affected things", &f.Affects, n)
		first(c, "links between findings", &f.Because, n)
	})
}

func (c *cutter) commands(n int) {
	for i := range c.report.Fixes {
		if f := &c.report.Fixes[i]; f.Action == nil { // one that can be carried out is approved as it stands
			first(c, "commands", &f.Commands, n)
			first(c, "lines of changes", &f.Changes, n)
		}
	}
}

// texts shortens every text but those of a fix that can be carried out: that one is approved as it stands.
func (c *cutter) texts(n int) {
	short := func(texts ...*string) {
		for _, s := range texts {
			if most := n * 20; len(*s) > most {
				*s = strings.ToValidUTF8((*s)[:most], "") + " …"
				c.count("ends of texts", 1)
			}
		}
	}
	all := func(list []string) []string {
		list = slices.Clone(list)
		for i := range list {
			short(&list[i])
		}
		return list
	}
	r := c.report
	short(&r.Summary, &r.Impact, &r.Resolution)
	r.Prevention, r.Contradictions = all(r.Prevention), all(r.Contradictions)
	c.findings(func(f *diagnostics.Finding) {
		short(&f.Summary)
		f.Affects, f.Evidence = all(f.Affects), slices.Clone(f.Evidence)
		for i := range f.Evidence {
			short(&f.Evidence[i].Value, &f.Evidence[i].What, &f.Evidence[i].Source, &f.Evidence[i].Repeat)
		}
	})
	for i := range r.Tables {
		r.Tables[i].Rows = slices.Clone(r.Tables[i].Rows)
		for j, row := range r.Tables[i].Rows {
			r.Tables[i].Rows[j] = all(row)
		}
	}
	for i := range r.Steps {
		short(&r.Steps[i].Finding, &r.Steps[i].Read, &r.Steps[i].Repeat)
	}
	for i := range r.Timeline {
		short(&r.Timeline[i].What)
	}
	for i := range r.Passed {
		short(&r.Passed[i].Summary)
	}
	for i := range r.Gaps {
		short(&r.Gaps[i].Summary)
	}
	for i := range r.Refused {
		short(&r.Refused[i].Why)
	}
	for i := range r.Fixes {
		if f := &r.Fixes[i]; f.Action == nil {
			short(&f.Title, &f.Proof, &f.Blast, &f.Undo)
			f.Changes, f.Commands = all(f.Changes), all(f.Commands)
		}
	}
}

func (c *cutter) causes(n int) {
	first(c, "causes", &c.report.Causes, n)
	all := len(c.report.Fixes)
	c.report.Fixes = slices.DeleteFunc(c.report.Fixes, func(f diagnostics.Fix) bool { return f.Action == nil && all > n })
	c.count("fixes to be made by hand", all-len(c.report.Fixes))
}
