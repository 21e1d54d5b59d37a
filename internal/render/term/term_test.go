package term_test

import (
	"bytes"
	"flag"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/render/rendertest"
	"github.com/netdiag/netdiag/internal/render/term"
)

var update = flag.Bool("update", false, "write the golden files")

func render(t *testing.T, r diagnostics.Report, o term.Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := term.Render(&b, r, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	for _, file := range rendertest.Reports(t) {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			rendertest.Golden(t, *update, name+".txt", render(t, rendertest.Report(t, file), term.Options{Width: 80}))
		})
	}
}

func TestNoControlCharactersAndNoLongLines(t *testing.T) {
	for _, file := range rendertest.Reports(t) {
		for line := range strings.SplitSeq(render(t, rendertest.Report(t, file), term.Options{Width: 200}), "\n") {
			if strings.ContainsAny(line, "\x1b\x07\r\u202e\u200b") {
				t.Errorf("%s: control characters in %q", file, line)
			}
			// A single word can be longer than the screen; it is never cut. Nor are quoted words and snippets of commands.
			words := strings.Fields(line)
			if n := utf8.RuneCountInString(line); n >= 100 && len(words) > 3 && !strings.Contains(file, "hostile") {
				t.Errorf("%s: %d columns: %s", file, n, line)
			}
		}
	}
}

func TestColorOnlyAddsColor(t *testing.T) {
	r := rendertest.Report(t, "../testdata/full.json")
	plain, colored := render(t, r, term.Options{Width: 80}), render(t, r, term.Options{Width: 80, Color: true})
	if !strings.Contains(colored, "\x1b[") {
		t.Error("no colour")
	}
	var b strings.Builder
	for rest := colored; rest != ""; {
		text, esc, _ := strings.Cut(rest, "\x1b[")
		b.WriteString(text)
		_, rest, _ = strings.Cut(esc, "m")
	}
	if d := cmp.Diff(plain, b.String()); d != "" {
		t.Error("colour changed the text:", d)
	}
}

// Whatever a cluster says, it can't steer the terminal, and no secret is shown.
func FuzzPage(f *testing.F) {
	for _, s := range []string{"x", "\x1b[31m", "\x1b]8;;https://evil\a", "\u009b2J", "\r\n", "\u202e\u2066\u200b", "\x00", "\xff", strings.Repeat("w", 500)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		const secret = "xoxb-123456789012-abcdefABCDEF"
		s = "x" + s + "\n" + secret
		e := diagnostics.Finding{ID: s, Subject: s, Summary: s, Affects: []string{s}, Evidence: []diagnostics.Evidence{{What: s, Value: s, Source: s, Repeat: s}}}
		page := render(t, diagnostics.Report{
			Diagnosis: "pending", Summary: s, Impact: s, Target: diagnostics.Target{Cluster: s, Namespace: s}, Causes: []diagnostics.Finding{e},
			Fixes: []diagnostics.Fix{{ID: s, Title: s, Changes: []string{s}, Commands: []string{s}}}, Refused: []diagnostics.Refused{{ID: s, Why: s}},
			Gaps:   []diagnostics.Gap{{Permission: s, Summary: s}},
			Tables: []diagnostics.Table{{Title: s, Columns: []string{s}, Rows: [][]string{{s}}}},
		}, term.Options{})
		if strings.ContainsAny(page, "\x00\x07\x1b\r\u009b\u200b\u202e\u2066") || strings.Contains(page, secret) || !utf8.ValidString(page) {
			t.Errorf("%q", page)
		}
	})
}
