package render_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/remedy"
	"github.com/netdiag/netdiag/internal/render"
)

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                              "plain",
		"\x1b[31;1mred\x1b[0m":               "red",
		"\x1b]8;;https://x\x07l\x1b]8;;\x07": "l",
		"\x1b]0;title\x1b\\rest":             "rest",
		"\x1b]never closed":                  "never closed",
		"\x1b[never":                         "ever", // n ends the sequence
		"\x1b[12\nx":                         "12␤x",
		"a\x1b":                              "a",
		"\u009b31mred":                       "red",
		"two\r\nlines\n":                     "two␤lines␤",
		"tab\there":                          "tab here",
		"\u202egpj.exe\u2066":                "gpj.exe",
		"z\u200be\u200cr\u200do\ufeff":       "zero",
		"soft\u00adhyphen":                   "softhyphen",
		"para\u2029graph":                    "para␤graph",
		"nul\x00bell\a":                      "nulbell",
		"bad\xff":                            "bad\ufffd",
		"ünïcode → ⟂ 日本":                     "ünïcode → ⟂ 日本",
		" <!channel> ":                       "<!channel>",
		"xo\u200bxb-1234567890-abcdef":       "redacted", // hidden characters hide no secret
		"DB_PASSWORD=hunter2":                "DB_PASSWORD=redacted",
	} {
		if got := render.Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
	if got, want := render.CleanBlock("a:\n  b: \x1b[1mc\x1b[0m\n\n"), "a:\n  b: c"; got != want {
		t.Errorf("CleanBlock = %q, want %q", got, want)
	}
}

func FuzzClean(f *testing.F) {
	f.Add("\x1b[31mx\x1b]0;\a\u202e\n")
	f.Fuzz(func(t *testing.T, s string) {
		got := render.Clean(s)
		if !utf8.ValidString(got) {
			t.Fatalf("Clean(%q) is no UTF-8: %q", s, got)
		}
		if strings.ContainsAny(got, "\x00\x07\x1b\r\n\t\u009b\u200b\u200d\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028") {
			t.Fatalf("Clean(%q) = %q", s, got)
		}
		if again := render.Clean(got); again != got {
			t.Fatalf("Clean is not stable: %q, then %q", got, again)
		}
	})
}

func TestCut(t *testing.T) {
	long := strings.Repeat("ä", 200)
	for n := range 201 {
		if got := utf8.RuneCountInString(render.Cut(long, n)); got > n && n > 0 {
			t.Fatalf("Cut to %d gives %d characters", n, got)
		}
	}
	if got := render.Cut(long, 200); got != long {
		t.Error("what fits is cut")
	}
	got := render.Cut(long, 60)
	if want := strings.Repeat("ä", 37) + "… (163 more characters)"; got != want {
		t.Errorf("got %q", got)
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		45 * time.Second: "45s", time.Hour: "1h", 90 * time.Minute: "1h30m", 76 * time.Hour: "3d4h", 14*time.Minute + 37*time.Second: "14m37s", 0: "0s",
	} {
		if got := render.Span(d); got != want {
			t.Errorf("Span(%v) = %s, want %s", d, got, want)
		}
	}
}

func TestStateOf(t *testing.T) {
	passed := []diagnostics.Passed{{Summary: "x"}}
	finding := func(c diagnostics.Confidence) []diagnostics.Finding { return []diagnostics.Finding{{Confidence: c}} }
	open := []diagnostics.Gap{{Permission: "list pods", Caps: []string{"pending/taint"}}}
	for name, c := range map[string]struct {
		r    diagnostics.Report
		want render.State
	}{
		"nothing at all":                 {diagnostics.Report{}, render.Unknown},
		"checks passed":                  {diagnostics.Report{Passed: passed}, render.Healthy},
		"a gap that hides nothing":       {diagnostics.Report{Passed: passed, Gaps: []diagnostics.Gap{{Permission: "list events"}}}, render.Healthy},
		"a gap that may hide a cause":    {diagnostics.Report{Passed: passed, Gaps: open}, render.Undecided},
		"only possible, and a gap":       {diagnostics.Report{Causes: finding(diagnostics.Possible), Gaps: open}, render.Undecided},
		"likely, and a gap":              {diagnostics.Report{Causes: finding(diagnostics.Likely), Gaps: open}, render.Found},
		"trouble without a cause":        {diagnostics.Report{Passed: passed, Severity: "P3"}, render.Unknown},
		"latent":                         {diagnostics.Report{Passed: passed, Severity: "P3", Contributing: finding(diagnostics.Confirmed)}, render.Latent},
		"an outage with only a co-cause": {diagnostics.Report{Severity: "P1", Contributing: finding(diagnostics.Confirmed)}, render.Unknown},
	} {
		if got := render.StateOf(c.r); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// A question about what will cause trouble is not answered with whether there is any: nobody looked.
func TestVerdictOfAnOutlook(t *testing.T) {
	r := diagnostics.Report{Outlook: true, Passed: []diagnostics.Passed{{Summary: "x"}}}
	if got, want := render.Verdict(r), "nothing found that would cause trouble, 1 check in order"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	r.Severity, r.Contributing = "P3", []diagnostics.Finding{{Confidence: diagnostics.Confirmed}}
	if got, want := render.Verdict(r), "1 thing found that causes trouble sooner or later"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	r.Contributing = append(r.Contributing, r.Contributing[0])
	for _, s := range render.Outline(r) {
		if s.Title == "Root cause" || s.Title == "Contributing factors" || strings.Contains(s.Note, "no trouble") {
			t.Errorf("section %q: %s", s.Title, s.Note)
		}
	}
}

func TestJSONIsTheReport(t *testing.T) {
	want, err := os.ReadFile("testdata/hostile.json")
	if err != nil {
		t.Fatal(err)
	}
	var in, out diagnostics.Report
	if err := json.Unmarshal(want, &in); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := render.JSON(&b, in); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b.Bytes(), &out); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(in, out); d != "" {
		t.Error(d)
	}
}

func TestRedact(t *testing.T) {
	b, err := os.ReadFile("testdata/full.json")
	if err != nil {
		t.Fatal(err)
	}
	var r diagnostics.Report
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	same, err := render.Redact(r)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(r, same); d != "" {
		t.Error("a report without secrets is changed:", d)
	}
	const secret = "AKIAIOSFODNN7EXAMPLE"
	action := &remedy.Action{AddonConfig: &remedy.AddonConfig{Addon: secret}}
	r.Summary, r.Causes[0].Evidence[0].Value, r.Tables = secret, secret, []diagnostics.Table{{Title: "t", Columns: []string{"c"}, Rows: [][]string{{secret}}}}
	r.Fixes[0].Commands, r.Fixes[0].Action = []string{"x " + secret}, action
	out, err := render.Redact(r)
	if err != nil {
		t.Fatal(err)
	}
	if out.Fixes[0].Action.Hash() != action.Hash() {
		t.Error("what was approved is changed")
	}
	out.Fixes[0].Action = nil
	var page bytes.Buffer
	if err := render.JSON(&page, out); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(page.String(), secret) {
		t.Error(page.String())
	}
}
