package check

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rhysd/actionlint"
)

var (
	byCommit = regexp.MustCompile(`^[\w-]+/[\w./-]+@[0-9a-f]{40}$`)
	said     = regexp.MustCompile(`# v\d+\.\d+\.\d+$`)
	machine  = regexp.MustCompile(`^[a-z]+-\d[\d.]*$`)
	module   = regexp.MustCompile(`\bgo (?:run|install) \S+@(\S*)`)
	exact    = regexp.MustCompile(`^v\d+\.\d+\.\d+$`)
	fetching = regexp.MustCompile(`\b(curl|wget|npx)\b`)
)

// reading is one workflow, and what is said against it.
type reading struct {
	*actionlint.Workflow
	name     string
	lines    []string
	released bool // a tag starts it
	out      []string
}

// loose says what a workflow does that gives a thief of something else more than needs be: an action that its owner could change
// under us, rights that a job does not name or need, a token left in the checkout, code of strangers run with our rights, what
// another run left in a release, no end; and what lets one pass that should have failed.
func loose(t *testing.T, file string) []string {
	t.Helper()
	r := &reading{name: filepath.Base(file)}
	r.Workflow, r.lines = parse(t, file)
	r.whole()
	for name, j := range r.Jobs {
		r.job(name, j)
		for _, s := range j.Steps {
			if s.ContinueOnError != nil {
				r.complain(s.Pos, "goes on where a step failed")
			}
			switch e := s.Exec.(type) {
			case *actionlint.ExecAction:
				r.action(e)
			case *actionlint.ExecRun:
				r.script(e)
			}
		}
	}
	return sorted(r.out)
}

// complain says something against a place, or against the whole workflow.
func (r *reading) complain(pos *actionlint.Pos, format string, args ...any) {
	at := r.name
	if pos != nil {
		at = fmt.Sprintf("%s:%d", r.name, pos.Line)
	}
	r.out = append(r.out, at+": "+fmt.Sprintf(format, args...))
}

func (r *reading) whole() {
	for _, e := range r.On {
		if hook, ok := e.(*actionlint.WebhookEvent); ok && hook.Tags != nil {
			r.released = true
		}
		if e.EventName() == "pull_request_target" || e.EventName() == "workflow_run" {
			r.complain(nil, "on %s", e.EventName())
		}
	}
	if r.Permissions == nil || r.Permissions.All != nil || len(r.Permissions.Scopes) > 0 {
		r.complain(nil, "top permissions are not {}")
	}
	// Of bash GitHub then asks for pipefail too. Its own default lets a script go on.
	if d := r.Defaults; d == nil || d.Run == nil || d.Run.Shell == nil || d.Run.Shell.Value != "bash" {
		r.complain(nil, "a script goes on where the first of a pipe fails: no default shell bash")
	}
	// Of one group one run waits at most; the next puts it out.
	switch c := r.Concurrency; {
	case c == nil || c.Group == nil || !strings.Contains(c.Group.Value, "github.ref"):
		r.complain(nil, "runs of one ref are not kept apart from those of others: no concurrency by github.ref")
	case r.released && c.CancelInProgress != nil && (c.CancelInProgress.Value || c.CancelInProgress.Expression != nil):
		r.complain(c.Pos, "a release can be stopped half way")
	}
	for i, line := range r.lines {
		if code, _, _ := strings.Cut(line, " #"); strings.Contains(code, "secrets.") || strings.Contains(code, "secrets:") {
			r.complain(&actionlint.Pos{Line: i + 1}, "a secret that could be lost")
		}
	}
}

func (r *reading) job(name string, j *actionlint.Job) {
	if j.Permissions == nil || j.Permissions.All != nil {
		r.complain(j.Pos, "job %s does not name its rights", name)
	} else if r.writes(j) {
		switch {
		case !r.released:
			r.complain(j.Permissions.Pos, "job %s may write, and no tag was asked for", name)
		case j.Environment == nil || len(j.Needs) == 0:
			r.complain(j.Permissions.Pos, "job %s may write before somebody agreed (environment) and something was checked (needs)", name)
		}
	}
	if j.WorkflowCall != nil {
		r.byCommit(j.WorkflowCall.Uses)
		return
	}
	if j.TimeoutMinutes == nil {
		r.complain(j.Pos, "job %s has no end", name)
	}
	if j.ContinueOnError != nil {
		r.complain(j.Pos, "goes on where job %s failed", name)
	}
	if j.RunsOn != nil {
		for _, l := range j.RunsOn.Labels {
			if !machine.MatchString(l.Value) {
				r.complain(l.Pos, "runs on %s, which says no version", l.Value)
			}
		}
	}
	r.byDigest(j.Container)
	if j.Services != nil {
		for _, s := range j.Services.Value {
			r.byDigest(s.Container)
		}
	}
}

func (r *reading) writes(j *actionlint.Job) bool {
	for _, s := range j.Permissions.Scopes {
		if s.Value.Value != "read" && s.Value.Value != "none" {
			return true
		}
	}
	return false
}

func (r *reading) byDigest(c *actionlint.Container) {
	if c != nil && !pinned.MatchString(c.Image.Value) {
		r.complain(c.Image.Pos, "%s is not pinned by digest", c.Image.Value)
	}
}

func (r *reading) byCommit(uses *actionlint.String) {
	if !strings.HasPrefix(uses.Value, "./") && (!byCommit.MatchString(uses.Value) || !said.MatchString(r.lines[uses.Pos.Line-1])) {
		r.complain(uses.Pos, "%s is not pinned by commit, with its version beside it", uses.Value)
	}
}

func (r *reading) action(a *actionlint.ExecAction) {
	uses := a.Uses
	r.byCommit(uses)
	is := func(names ...string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(uses.Value, "actions/"+n+"@") })
	}
	given := func(name, want string) bool {
		in := a.Inputs[name]
		return in != nil && in.Value.Value == want
	}
	if is("checkout") && !given("persist-credentials", "false") {
		r.complain(uses.Pos, "the checkout keeps its token")
	}
	if r.released && (is("cache", "cache/restore") || is("setup-go") && !given("cache", "false")) {
		r.complain(uses.Pos, "a release takes what another run has kept")
	}
	if script := a.Inputs["script"]; script != nil && strings.Contains(script.Value.Value, "${{") {
		r.complain(uses.Pos, "a script is put together of values: give them by env")
	}
}

func (r *reading) script(e *actionlint.ExecRun) {
	if strings.Contains(e.Run.Value, "${{") {
		r.complain(e.Run.Pos, "a script is put together of values: give them by env")
	}
	if e.Shell != nil {
		r.complain(e.Run.Pos, "a shell of its own: %s", e.Shell.Value)
	}
	for _, m := range module.FindAllStringSubmatch(e.Run.Value, -1) {
		if !exact.MatchString(m[1]) {
			r.complain(e.Run.Pos, "%s names no version", m[0])
		}
	}
	if m := fetching.FindString(e.Run.Value); m != "" {
		r.complain(e.Run.Pos, "%s fetches what nobody has pinned", m)
	}
}

func TestLooseWorkflows(t *testing.T) {
	for _, file := range workflows(t) {
		for _, found := range loose(t, file) {
			t.Error(found)
		}
	}
}

// The programs that make runs from their module are pinned too.
func TestMakeRunsExactVersions(t *testing.T) {
	found := regexp.MustCompile(`(?:\$\(GO\)|go) (?:run|install) \S+@(\S*)`).FindAllSubmatch(run(t, "cat", "Makefile"), -1)
	if len(found) < 3 {
		t.Errorf("only %d programs found", len(found))
	}
	for _, m := range found {
		if !exact.Match(m[1]) {
			t.Errorf("%s names no version", m[0])
		}
	}
}

func TestLooseComplaints(t *testing.T) {
	var got []string
	for _, file := range []string{"loose", "eager", "halfway"} {
		got = append(got, loose(t, "testdata/workflow."+file+".yaml")...)
	}
	golden, err := os.ReadFile("testdata/workflow.loose.txt")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(strings.TrimSpace(string(golden)), "\n"), got); diff != "" {
		t.Error(diff)
	}
}
