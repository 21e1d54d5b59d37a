package markdown_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
	outline "github.com/netdiag/netdiag/internal/render"
	"github.com/netdiag/netdiag/internal/render/markdown"
	"github.com/netdiag/netdiag/internal/render/rendertest"
)

var update = flag.Bool("update", false, "write the golden files")

func render(t *testing.T, r diagnostics.Report, o markdown.Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := markdown.Render(&b, r, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	for _, file := range rendertest.Reports(t) {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			rendertest.Golden(t, *update, name+".md", render(t, rendertest.Report(t, file), markdown.Options{}))
		})
	}
}

// unescape undoes what a reader of Markdown undoes.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && strings.IndexByte("\\`*[]<>&~|$_#+-=.)", s[i+1]) >= 0 {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// Everything that the report says stands in the Markdown: every string and number of it.
func TestComplete(t *testing.T) {
	for _, file := range rendertest.Reports(t) {
		r := rendertest.Report(t, file)
		text := unescape(render(t, r, markdown.Options{}))
		var walk func(path string, v any)
		walk = func(path string, v any) {
			switch v := v.(type) {
			case map[string]any:
				for k, e := range v {
					walk(path+"."+k, e)
				}
			case []any:
				for _, e := range v {
					walk(path, e)
				}
			case float64:
				want := strconv.FormatFloat(v, 'f', -1, 64)
				if path == ".tookSeconds" {
					want += " s"
				}
				if !strings.Contains(text, want) {
					t.Errorf("%s: %s %s is missing", file, path, want)
				}
			case string:
				if at, err := time.Parse(time.RFC3339, v); err == nil {
					v = outline.Time(at)
				}
				if path == ".apiVersion" {
					return
				}
				v = strings.TrimSpace(strings.TrimRight(outline.CleanBlock(v), " "))
				for line := range strings.SplitSeq(v, "\n") {
					line = strings.TrimSpace(line)
					if line == "" || strings.Contains(text, line) || strings.Contains(text, strings.ToUpper(line[:1])+line[1:]) {
						continue
					}
					t.Errorf("%s: %s %q is missing", file, path, line)
				}
			}
		}
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatal(err)
		}
		walk("", v)
	}
}

func TestHostileTextStaysText(t *testing.T) {
	got := render(t, rendertest.Report(t, "../testdata/hostile.json"), markdown.Options{})
	fenced := false
	for line := range strings.SplitSeq(got, "\n") {
		if strings.ContainsAny(line, "\x1b\x07\r\u202e\u200b") {
			t.Errorf("control characters in %q", line)
		}
		if s := strings.TrimSpace(line); strings.HasPrefix(s, "```") {
			fenced = !fenced
			continue
		}
		if fenced {
			continue
		}
		for _, bad := range []string{"[click](", "![p](", "<script", "<https", "<!channel"} {
			if i := strings.Index(line, bad); i >= 0 && (i == 0 || line[i-1] != '\\') {
				t.Errorf("%q is live in %q", bad, line)
			}
		}
		if strings.HasPrefix(line, "# Approved") {
			t.Errorf("a heading of foreign text: %q", line)
		}
	}
	if fenced {
		t.Error("a fence stays open")
	}
}

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		"WARM_IP_TARGET=2": "WARM_IP_TARGET=2",
		"_x_":              `\_x\_`,
		"# x":              `\# x`,
		"12. x":            `12\. x`,
		"10.0.0.0/16":      `10.0.0.0/16`,
		"a|b":              `a\|b`,
		"- x":              `\- x`,
	} {
		if got := markdown.Escape(in); got != want {
			t.Errorf("Escape(%q) = %q, want %q", in, got, want)
		}
	}
	if got, want := markdown.Code("a`b``"), "``` a`b`` ```"; got != want {
		t.Errorf("Code = %q, want %q", got, want)
	}
}
