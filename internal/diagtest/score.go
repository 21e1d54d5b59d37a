// Package diagtest runs diagnoses over worlds, through the real adapters and over the wire, and scores what they say.
package diagtest

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/world"
)

// Score is how a report compares with the ground truth of its world.
type Score struct {
	// Differs says what is wrong, one sentence each; empty when the world passes.
	Differs []string
	// CausesRight, FixesRight and GapsRight say which parts are right; Forbidden lists causes and fixes that must not be there.
	CausesRight, FixesRight, GapsRight bool
	Forbidden                          []string
	// Exact reports that every wanted cause has just the wanted confidence.
	Exact bool
}

// Passed reports whether nothing differs.
func (s Score) Passed() bool { return len(s.Differs) == 0 }

var rank = map[diagnostics.Confidence]int{diagnostics.Confirmed: 0, diagnostics.Likely: 1, diagnostics.Possible: 2}

// Compare scores a report against what the world wants; markdown is the report as Markdown.
func Compare(want world.Want, r diagnostics.Report, markdown string) Score {
	s := Score{CausesRight: true, FixesRight: true, GapsRight: true, Exact: true}
	s.causes(want, r)
	s.fixes(want, r)
	for _, permission := range want.Gaps {
		if !slices.ContainsFunc(r.Gaps, func(g diagnostics.Gap) bool { return g.Permission == permission }) {
			s.GapsRight = false
			s.differ("gap %s not named", permission)
		}
	}
	for _, fact := range want.Facts {
		if !containsWord(markdown, fact) {
			s.differ("fact %q missing", fact)
		}
	}
	return s
}

func (s *Score) differ(format string, args ...any) {
	s.Differs = append(s.Differs, fmt.Sprintf(format, args...))
}

func (s *Score) causes(want world.Want, r diagnostics.Report) {
	differ := func(format string, args ...any) {
		s.CausesRight = false
		s.differ(format, args...)
	}
	has := func(fs []diagnostics.Finding, id string) bool {
		return slices.ContainsFunc(fs, func(f diagnostics.Finding) bool { return f.ID == id })
	}
	for _, id := range want.Causes {
		if !has(r.Causes, id) {
			differ("cause %s missing", id)
		}
	}
	for _, id := range want.Contributing {
		if !has(r.Causes, id) && !has(r.Contributing, id) {
			differ("contributing %s missing", id)
		}
	}
	if want.Subject != "" && !slices.ContainsFunc(r.Causes, func(f diagnostics.Finding) bool { return names(f, want.Subject) }) {
		differ("subject %s missing", want.Subject)
	}
	for _, f := range r.Contributing {
		if diagnostics.CauseByID(f.ID).Contributing && slices.Contains(want.Forbid, f.ID) { // it can be wrong nowhere else
			s.Forbidden = append(s.Forbidden, f.ID)
			differ("contributing %s is forbidden", f.ID)
		}
	}
	for _, f := range r.Causes {
		switch {
		case slices.Contains(want.Forbid, f.ID):
			s.Forbidden = append(s.Forbidden, f.ID)
			differ("cause %s is forbidden", f.ID)
		case !slices.Contains(want.Causes, f.ID) && !slices.Contains(want.Contributing, f.ID) && !slices.Contains(want.Allow, f.ID):
			s.Forbidden = append(s.Forbidden, f.ID)
			differ("cause %s is wrong", f.ID)
		}
		if want.Confidence == "" {
			continue
		}
		most, got := rank[diagnostics.Confidence(want.Confidence)], rank[f.Confidence]
		if got < most || got > most+1 {
			differ("cause %s claims %s where %s is the most", f.ID, f.Confidence, want.Confidence)
		}
		if slices.Contains(want.Causes, f.ID) && got != most {
			s.Exact = false
		}
	}
}

// names reports whether a finding is about a resource, or names it in its evidence.
func names(f diagnostics.Finding, subject string) bool {
	if f.Subject == subject {
		return true
	}
	return slices.ContainsFunc(f.Evidence, func(e diagnostics.Evidence) bool {
		return strings.Contains(e.What, subject) || strings.Contains(e.Value, subject) || strings.Contains(e.Repeat, subject)
	})
}

func (s *Score) fixes(want world.Want, r diagnostics.Report) {
	differ := func(format string, args ...any) {
		s.FixesRight = false
		s.differ(format, args...)
	}
	first := "nothing"
	executable := false
	for i, f := range r.Fixes {
		if i == 0 {
			first = f.ID
		}
		executable = executable || f.Executable
		if slices.Contains(want.Refuse, f.ID) {
			s.Forbidden = append(s.Forbidden, f.ID)
			differ("fix %s must not be offered", f.ID)
		}
	}
	idle := slices.Contains(want.Fix, "none") || slices.Contains(want.Fix, "wait")
	if len(want.Fix) > 0 && !slices.Contains(want.Fix, first) && (!idle || executable) {
		differ("first fix is %s, want one of %s", first, strings.Join(want.Fix, ", "))
	}
	for _, id := range want.Refused {
		if !slices.ContainsFunc(r.Refused, func(f diagnostics.Refused) bool {
			return f.ID == id && strings.ContainsFunc(f.Why, unicode.IsDigit)
		}) {
			differ("%s is not refused with a number", id)
		}
	}
}

// containsWord reports whether word stands in text with no letter or digit beside it.
func containsWord(text, word string) bool {
	for from := 0; ; {
		i := strings.Index(text[from:], word)
		if i < 0 {
			return false
		}
		i += from
		before, _ := utf8.DecodeLastRuneInString(text[:i])
		after, _ := utf8.DecodeRuneInString(text[i+len(word):])
		if !wordRune(before) && !wordRune(after) {
			return true
		}
		from = i + 1
	}
}

func wordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
