package main

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const docs = "../../docs"

// The generated pages say what the code does.
func TestPagesAreCurrent(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "docs")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(root, "testdata"), filepath.Join(dir, "..", "testdata")); err != nil {
		t.Fatal(err)
	}
	pages := []string{"configuration.md", "causes.md", "operations.md"}
	for _, name := range pages {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text(t, filepath.Join(docs, name))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := write(dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range pages {
		if diff := cmp.Diff(text(t, filepath.Join(docs, name)), text(t, filepath.Join(dir, name))); diff != "" {
			t.Errorf("docs/%s is out of date: run make generate (-page +code):\n%s", name, diff)
		}
	}
}

// What alerts and documentation say of metrics is true of those that there are.
func TestMetricsThatAreNamedExist(t *testing.T) {
	serve, execute, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	known := maps.Clone(serve)
	maps.Copy(known, execute)
	files, err := filepath.Glob(filepath.Join(docs, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob("../../deploy/helm/netdiag/templates/*")
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, file := range append(files, more...) {
		for _, name := range regexp.MustCompile(`\bnetdiag_[a-z_]+`).FindAllString(text(t, file), -1) {
			base := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "")
			if _, ok := known[name]; ok {
				named++
			} else if _, ok := known[base]; ok && strings.HasSuffix(base, "_seconds") {
				named++
			} else if !slices.Contains([]string{"netdiag_ask", "netdiag_decision"}, name) { // callbacks of Slack
				t.Errorf("%s: there is no metric %s", file, name)
			}
		}
	}
	if named < len(known) {
		t.Errorf("%d metrics are named, and there are %d", named, len(known))
	}
}

// Every alert of the chart is explained in the runbook, and no other.
func TestAlertsAreExplained(t *testing.T) {
	find := func(file, pattern string) (out []string) {
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text(t, file), -1) {
			out = append(out, m[1])
		}
		slices.Sort(out)
		return out
	}
	rules := find("../../deploy/helm/netdiag/templates/alerts.yaml", `(?m)- alert: (\w+)`)
	if diff := cmp.Diff(rules, find(filepath.Join(docs, "operations.md"), "(?m)^\\| `(Netdiag\\w+)`")); diff != "" || len(rules) == 0 {
		t.Errorf("-chart +runbook:\n%s", diff)
	}
}

// The lines of the log that the runbook explains are written by the programs.
func TestLogLinesThatAreNamedExist(t *testing.T) {
	_, after, _ := strings.Cut(text(t, filepath.Join(docs, "operations.md")), "## The log\n")
	section, _, _ := strings.Cut(after, "\n## ")
	var code strings.Builder
	for _, dir := range []string{"../../handlers", "../../cmd/bot"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if !strings.HasSuffix(file, "_test.go") {
				code.WriteString(text(t, file))
			}
		}
	}
	lines := regexp.MustCompile("(?m)^\\| (`[^|]+) \\|").FindAllStringSubmatch(section, -1)
	if len(lines) < 5 {
		t.Fatalf("%d lines in\n%s", len(lines), section)
	}
	for _, line := range lines {
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(line[1], -1) {
			if !strings.Contains(code.String(), `"`+m[1]+`"`) {
				t.Errorf("nothing logs %q", m[1])
			}
		}
	}
}

func text(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
