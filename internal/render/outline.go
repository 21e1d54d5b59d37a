// Package render turns what netdiag knows into text. The packages below it know one medium each; this one holds what
// they share: the outline of a report, its wording, and the cleaning of foreign text.
package render

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/netdiag/netdiag/diagnostics"
)

// Kind names a section of the outline.
type Kind string

// The sections, in reading order.
const (
	Steps          Kind = "steps"
	Causes         Kind = "causes"
	Contributing   Kind = "contributing"
	Symptoms       Kind = "symptoms"
	Contradictions Kind = "contradictions"
	Table          Kind = "table"
	Timeline       Kind = "timeline"
	Impact         Kind = "impact"
	Now            Kind = "now"
	Lasting        Kind = "lasting"
	Refused        Kind = "refused"
	RuledOut       Kind = "ruled-out"
	Gaps           Kind = "gaps"
	Prevention     Kind = "prevention"
	Summary        Kind = "summary"
)

// Section is a part of a report: a heading with a note, items or a table below it. Its text is clean (Clean), not escaped.
type Section struct {
	Kind  Kind
	Title string
	Note  string
	Items []Item
	Table *diagnostics.Table
}

// Item is one entry of a section.
type Item struct {
	Lead     string // what it is known by: a confidence, a time, a permission, an id; may be empty
	Text     string
	Facts    []Fact
	Commands []string // shell lines or snippets, to be copied
}

// Fact is a named value below an item.
type Fact struct {
	Name   string
	Value  string
	Source string // the permission of the read, or the computation
	Repeat string // the command that reads it again, one line
}

// Outline arranges a report in reading order. Sections with nothing to say are left out, except those whose silence
// could be taken for good news: causes, fixes and what was checked always speak.
func Outline(r diagnostics.Report) []Section {
	contributing := "Contributing factors"
	if r.Outlook { // it is not said that there is trouble to which they contribute
		contributing = "What was found"
	}
	out := []Section{
		steps(r),
		causes(r),
		findings(Contributing, contributing, r.Contributing),
		findings(Symptoms, "Symptoms, explained by the root cause", r.Symptoms),
		{Kind: Contradictions, Title: "What does not fit", Items: texts(r.Contradictions)},
	}
	for _, t := range r.Tables {
		out = append(out, table(t))
	}
	out = append(out, timeline(r), impact(r))
	out = append(out, fixes(r)...)
	out = append(out, refused(r), ruledOut(r), gaps(r),
		Section{Kind: Prevention, Title: "Prevention", Items: texts(r.Prevention)}, summary(r))
	kept := out[:0]
	for _, s := range out {
		if len(s.Items) > 0 || s.Table != nil || s.Note != "" {
			kept = append(kept, s)
		}
	}
	return kept
}

func steps(r diagnostics.Report) Section {
	s := Section{Kind: Steps, Title: "Diagnosis"}
	for i, st := range r.Steps {
		it := Item{Lead: fmt.Sprintf("Step %d", i+1), Text: Clean(st.Title)}
		it.Facts = facts("Read", st.Read, "Finding", st.Finding)
		it.Commands = commands(Clean(st.Repeat))
		s.Items = append(s.Items, it)
	}
	return s
}

func causes(r diagnostics.Report) Section {
	title := "Root cause"
	switch {
	case len(r.Causes) > 1:
		title = "Root causes"
	case len(r.Causes) == 0 && (r.Outlook || StateOf(r) == Healthy):
		title = "Verdict"
	}
	s := findings(Causes, title, r.Causes)
	if StateOf(r) != Found {
		s.Note = sentence(Verdict(r)) + "."
		if perms := Deciding(r); len(perms) > 0 {
			s.Note += " Missing: " + strings.Join(perms, ", ") + "."
		}
	}
	return s
}

// Deciding lists the permissions that were missing for reads which leave causes open.
func Deciding(r diagnostics.Report) []string {
	var out []string
	for _, g := range r.Gaps {
		if len(g.Caps) > 0 {
			out = append(out, Clean(g.Permission))
		}
	}
	return out
}

func findings(kind Kind, title string, fs []diagnostics.Finding) Section {
	s := Section{Kind: kind, Title: title}
	for _, f := range fs {
		it := Item{Lead: Clean(string(f.Confidence)), Text: Clean(f.Summary)}
		id := Clean(f.ID)
		if f.Reason != "" {
			id += " (" + Clean(f.Reason) + ")"
		}
		it.Facts = facts("Cause", id, "Subject", f.Subject, "Affects", strings.Join(f.Affects, ", "),
			"Explained by", strings.Join(f.Because, ", "))
		for _, e := range f.Evidence {
			it.Facts = append(it.Facts, Fact{Name: Clean(e.What), Value: Clean(e.Value), Source: Clean(e.Source), Repeat: Clean(e.Repeat)})
		}
		s.Items = append(s.Items, it)
	}
	return s
}

func table(t diagnostics.Table) Section {
	c := diagnostics.Table{Title: Clean(t.Title), Omitted: t.Omitted}
	for _, col := range t.Columns {
		c.Columns = append(c.Columns, Clean(col))
	}
	for _, row := range t.Rows {
		cells := make([]string, len(c.Columns)) // a row is as wide as the head
		for i := range min(len(row), len(cells)) {
			cells[i] = Clean(row[i])
		}
		c.Rows = append(c.Rows, cells)
	}
	return Section{Kind: Table, Title: c.Title, Table: &c}
}

// Omission says how many rows of a table are not shown; empty where all are.
func Omission(n int) string {
	if n == 0 {
		return ""
	}
	return "… and " + count(n, "more row", "more rows")
}

func timeline(r diagnostics.Report) Section {
	s := Section{Kind: Timeline, Title: "Timeline"}
	for _, m := range r.Timeline {
		it := Item{Lead: Time(m.At), Text: Clean(m.What)}
		if !r.At.IsZero() && m.At.Before(r.At) {
			it.Lead += " (T-" + Span(r.At.Sub(m.At)) + ")"
		}
		it.Facts = facts("Source", m.Source)
		s.Items = append(s.Items, it)
	}
	return s
}

// Span spells a duration with its two largest units: 45s, 12m, 1h30m, 3d4h.
func Span(d time.Duration) string {
	switch d = d.Round(time.Second); {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return unit(d, time.Minute, "m", time.Second, "s")
	case d < 24*time.Hour:
		return unit(d, time.Hour, "h", time.Minute, "m")
	}
	return unit(d, 24*time.Hour, "d", time.Hour, "h")
}

func unit(d, big time.Duration, bigName string, small time.Duration, smallName string) string {
	out := fmt.Sprintf("%d%s", d/big, bigName)
	if rest := d % big / small; rest > 0 {
		out += fmt.Sprintf("%d%s", rest, smallName)
	}
	return out
}

func impact(r diagnostics.Report) Section {
	return Section{Kind: Impact, Title: "Impact", Note: sentence(Clean(r.Impact))}
}

func refused(r diagnostics.Report) Section {
	s := Section{Kind: Refused, Title: "Fixes that would not help"}
	for _, f := range r.Refused {
		s.Items = append(s.Items, Item{Lead: Clean(f.ID), Text: Clean(f.Why)})
	}
	return s
}

func ruledOut(r diagnostics.Report) Section {
	s := Section{Kind: RuledOut, Title: "Ruled out"}
	if len(r.Causes) == 0 {
		s.Title = "Checked and in order"
	}
	for _, p := range r.Passed {
		s.Items = append(s.Items, Item{Lead: Clean(p.ID), Text: Clean(p.Summary)})
	}
	if len(s.Items) == 0 {
		s.Note = "No check is recorded as passed."
	}
	return s
}

func gaps(r diagnostics.Report) Section {
	s := Section{Kind: Gaps, Title: "Not checked"}
	for _, g := range r.Gaps {
		it := Item{Lead: Clean(g.Permission), Text: Clean(g.Summary)}
		it.Facts = facts("Reason", g.Reason, "Leaves open", strings.Join(g.Caps, ", "), "To allow it", Remedy(g))
		s.Items = append(s.Items, it)
	}
	return s
}

// Remedy says what makes a read possible that was not.
func Remedy(g diagnostics.Gap) string {
	switch {
	case g.Reason == diagnostics.Denied && strings.Contains(g.Permission, ":"):
		return "allow " + Clean(g.Permission) + " in the IAM policy of netdiag's role"
	case g.Reason == diagnostics.Denied:
		return "allow \"" + Clean(g.Permission) + "\" in the ClusterRole of netdiag"
	case g.Reason == diagnostics.Throttled:
		return "ask again in a minute: the API throttled the read"
	case g.Reason == diagnostics.Timeout:
		return "ask again: the read took too long"
	}
	return ""
}

func texts(ss []string) []Item {
	var out []Item
	for _, s := range ss {
		if s = Clean(s); s != "" {
			out = append(out, Item{Text: s})
		}
	}
	return out
}

// facts makes facts of name and value pairs, leaving out those without a value.
func facts(pairs ...string) []Fact {
	var out []Fact
	for i := 0; i+1 < len(pairs); i += 2 {
		if v := Clean(pairs[i+1]); v != "" {
			out = append(out, Fact{Name: pairs[i], Value: v})
		}
	}
	return out
}

func commands(lines ...string) []string {
	var out []string
	for _, l := range lines {
		if l = CleanBlock(l); l != "" {
			out = append(out, l)
		}
	}
	return out
}

// sentence starts s with a capital letter, unless its first word is a name (subnet-1, api.example.com).
func sentence(s string) string {
	word, _, _ := strings.Cut(s, " ")
	if s == "" || strings.ContainsFunc(word, func(r rune) bool { return !unicode.IsLetter(r) }) {
		return s
	}
	r := []rune(s)
	return strings.ToUpper(string(r[:1])) + string(r[1:])
}
