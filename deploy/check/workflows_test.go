package check

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rhysd/actionlint"
)

// lint gives what actionlint says of workflows, and shellcheck of their scripts, as line and message.
func lint(t *testing.T, files ...string) []string {
	t.Helper()
	l, err := actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{Shellcheck: shellcheck(t)})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, file := range files {
		found, err := l.LintFile(file, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range found {
			out = append(out, fmt.Sprintf("%s:%d: %s", filepath.Base(file), e.Line, e.Message))
		}
	}
	return out
}

// parse reads a workflow.
func parse(t *testing.T, file string) (*actionlint.Workflow, []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	w, errs := actionlint.Parse(text)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return w, strings.Split(string(text), "\n")
}

func workflows(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(root + ".github/workflows/*.y*ml")
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	return files
}

func TestWorkflows(t *testing.T) {
	for _, file := range workflows(t) {
		for _, found := range lint(t, file) {
			t.Error(found)
		}
	}
}

func TestWorkflowComplaints(t *testing.T) {
	got := lint(t, "testdata/workflow.bad.yaml")
	want := []string{
		`"runs-on" section is missing in job "untold"`,
		`"github.event.pull_request.title" is potentially untrusted`,
		`property "nothing" is not defined in object type`,
		`unexpected key "stpes" for "job" section`,
		"shellcheck reported issue in this script: SC2086",
	}
	for _, w := range want {
		if !strings.Contains(strings.Join(got, "\n"), w) {
			t.Errorf("actionlint does not say %s, but\n%s", w, strings.Join(got, "\n"))
		}
	}
}
