package markdown_test

import (
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/render/markdown"
)

// everywhere is a report that says s wherever a cluster has a say.
func everywhere(s string) diagnostics.Report {
	f := diagnostics.Finding{ID: s, Subject: s, Summary: s, Reason: s, Confidence: diagnostics.Likely, Affects: []string{s}, Evidence: []diagnostics.Evidence{{What: s, Value: s, Source: s, Repeat: s}}}
	return diagnostics.Report{
		Diagnosis: "pending", Summary: s, Impact: s, Resolution: s, Layer: diagnostics.Layer(s), Target: diagnostics.Target{Cluster: s, Namespace: s, Name: s},
		Causes: []diagnostics.Finding{f}, Contributing: []diagnostics.Finding{f}, Passed: []diagnostics.Passed{{ID: s, Summary: s}},
		Gaps:  []diagnostics.Gap{{Permission: s, Reason: s, Summary: s, Caps: []string{s}}},
		Fixes: []diagnostics.Fix{{ID: s, Title: s, Changes: []string{s}, Owner: s, Undo: s, Commands: []string{s}}}, Refused: []diagnostics.Refused{{ID: s, Why: s}},
		Timeline: []diagnostics.Moment{{At: time.Unix(0, 0), What: s, Source: s}}, Steps: []diagnostics.Step{{Title: s, Read: s, Finding: s, Repeat: s}},
		Tables: []diagnostics.Table{{Title: s, Columns: []string{s, s}, Rows: [][]string{{s, s}}}}, Prevention: []string{s}, Contradictions: []string{s},
	}
}

var opening = regexp.MustCompile("^ *(`{3,})sh$")

// prose gives the lines of a page that stand in no fence, without their code spans, and reports a fence that stays open.
func prose(page string) (lines []string, open bool) {
	fence := ""
	for line := range strings.SplitSeq(page, "\n") {
		switch m := opening.FindStringSubmatch(line); {
		case fence == "" && m != nil:
			fence = m[1]
		case fence != "" && strings.TrimSpace(line) == fence:
			fence = ""
		case fence == "":
			lines = append(lines, withoutSpans(line))
		}
	}
	return lines, fence != ""
}

// withoutSpans takes code spans out of a line, and every character that is escaped.
func withoutSpans(line string) string {
	var b strings.Builder
	for line != "" {
		switch {
		case line[0] == '\\' && len(line) > 1:
			_, n := utf8.DecodeRuneInString(line[1:])
			line = line[1+n:]
		case line[0] == '`':
			n := len(line) - len(strings.TrimLeft(line, "`"))
			end := closing(line[n:], n)
			if end < 0 {
				b.WriteString(line[:n])
				line = line[n:]
				continue
			}
			line = line[n+end+n:]
		default:
			b.WriteByte(line[0])
			line = line[1:]
		}
	}
	return b.String()
}

// closing finds a run of exactly n backticks.
func closing(s string, n int) int {
	for i := 0; i < len(s); {
		run := len(s[i:]) - len(strings.TrimLeft(s[i:], "`"))
		if run == n {
			return i
		}
		i += max(run, 1)
	}
	return -1
}

// Whatever a cluster says, the page has the headings that it would have anyway, and no link, no HTML and no open code.
func FuzzPage(f *testing.F) {
	for _, s := range []string{"x", "<script>", "[a](https://evil)", "```\n# h", "``` ` ``", "\\", "a\\`b", "\n# Approved", "|", "<!channel> <@U0EVIL>", "\x1b[31m\u202e", "1. x", "~~~", "http://a_b_"} {
		f.Add(s)
	}
	headings := func(lines []string) (n int) {
		for _, l := range lines {
			if strings.HasPrefix(l, "#") {
				n++
			}
		}
		return n
	}
	f.Fuzz(func(t *testing.T, s string) {
		const secret = "AKIAIOSFODNN7EXAMPLE"
		usual, _ := prose(render(t, everywhere("x"), markdown.Options{}))
		page := render(t, everywhere("x"+s+"\n"+secret), markdown.Options{})
		lines, open := prose(page)
		if open {
			t.Errorf("a fence stays open:\n%s", page)
		}
		if got, want := headings(lines), headings(usual); got != want {
			t.Errorf("%d headings, want %d:\n%s", got, want, page)
		}
		for _, l := range lines {
			if strings.ContainsAny(l, "<[`") {
				t.Errorf("live: %q", l)
			}
		}
		if strings.ContainsAny(page, "\x00\x07\x1b\r\u200b\u202e\u2066") || strings.Contains(page, secret) || !utf8.ValidString(page) {
			t.Errorf("control characters or a secret in:\n%s", page)
		}
	})
}
