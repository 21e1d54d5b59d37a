package check

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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

var (
	byCommit = regexp.MustCompile(`^[\w-]+/[\w./-]+@[0-9a-f]{40}$`)
	said     = regexp.MustCompile(`# v\d+\.\d+\.\d+$`)
)

// loose says what a workflow does that gives a thief of something else more than needs be: an action that its owner could change
// under us, rights that a job does not name, a token left in the checkout, code of strangers run with our rights, what another
// run left in a release, no end.
func loose(t *testing.T, file string) []string {
	t.Helper()
	w, lines := parse(t, file)
	var out []string
	complain := func(pos *actionlint.Pos, format string, args ...any) {
		out = append(out, fmt.Sprintf("%s:%d: ", filepath.Base(file), pos.Line)+fmt.Sprintf(format, args...))
	}
	released := false
	for _, e := range w.On {
		if hook, ok := e.(*actionlint.WebhookEvent); ok && hook.Tags != nil {
			released = true
		}
		if e.EventName() == "pull_request_target" || e.EventName() == "workflow_run" {
			out = append(out, fmt.Sprintf("%s: on %s", filepath.Base(file), e.EventName()))
		}
	}
	if w.Permissions == nil || w.Permissions.All != nil || len(w.Permissions.Scopes) > 0 {
		out = append(out, filepath.Base(file)+": top permissions are not {}")
	}
	for name, j := range w.Jobs {
		if j.Permissions == nil || j.Permissions.All != nil {
			complain(j.Pos, "job %s does not name its rights", name)
		}
		if j.TimeoutMinutes == nil {
			complain(j.Pos, "job %s has no end", name)
		}
		if j.Container != nil && !pinned.MatchString(j.Container.Image.Value) {
			complain(j.Container.Image.Pos, "%s is not pinned by digest", j.Container.Image.Value)
		}
		for _, s := range j.Steps {
			action, ok := s.Exec.(*actionlint.ExecAction)
			if !ok || strings.HasPrefix(action.Uses.Value, "./") {
				continue
			}
			if !byCommit.MatchString(action.Uses.Value) || !said.MatchString(lines[action.Uses.Pos.Line-1]) {
				complain(action.Uses.Pos, "%s is not pinned by commit, with its version beside it", action.Uses.Value)
			}
			if keep := action.Inputs["persist-credentials"]; strings.HasPrefix(action.Uses.Value, "actions/checkout@") && (keep == nil || keep.Value.Value != "false") {
				complain(action.Uses.Pos, "the checkout keeps its token")
			}
			if cache := action.Inputs["cache"]; released && (strings.HasPrefix(action.Uses.Value, "actions/cache@") || strings.HasPrefix(action.Uses.Value, "actions/setup-go@") && (cache == nil || cache.Value.Value != "false")) {
				complain(action.Uses.Pos, "a release takes what another run has kept")
			}
		}
	}
	return sorted(out)
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
		for _, found := range append(lint(t, file), loose(t, file)...) {
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
	wantLoose := []string{
		"workflow.loose.yaml: on pull_request_target",
		"workflow.loose.yaml: top permissions are not {}",
		"workflow.loose.yaml:13: debian:12 is not pinned by digest",
		"workflow.loose.yaml:15: actions/checkout@v6 is not pinned by commit, with its version beside it",
		"workflow.loose.yaml:15: the checkout keeps its token",
		"workflow.loose.yaml:16: a release takes what another run has kept",
		"workflow.loose.yaml:16: actions/setup-go@4b73464bb391d4059bd26b0524d20df3927bd417 is not pinned by commit, with its version beside it",
		"workflow.loose.yaml:9: job all does not name its rights",
		"workflow.loose.yaml:9: job all has no end",
	}
	if diff := cmp.Diff(wantLoose, loose(t, "testdata/workflow.loose.yaml")); diff != "" {
		t.Error(diff)
	}
}
