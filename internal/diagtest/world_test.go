package diagtest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/diagtest"
	"github.com/netdiag/netdiag/internal/render/slack"
	"github.com/netdiag/netdiag/internal/world"
	"github.com/netdiag/netdiag/internal/world/worldtest"
)

const worlds = "../../testdata/worlds"

// Every world is judged right, and the same world is always judged the same, byte for byte, in whatever order AWS gives its
// answers: the seeds' small worlds a hundred times, all others twice.
func TestWorlds(t *testing.T) {
	dirs, err := diagtest.All(worlds)
	if err != nil {
		t.Fatal(err)
	}
	used := &permissions{of: map[string]bool{}}
	used.rare(t, dirs)
	t.Cleanup(func() { used.complete(t) })
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			w := load(t, dir)
			first := used.diagnose(t, w)
			judge(t, w, first)
			runs := 2
			if name := filepath.Base(dir); name == "seed-alb-502" || name == "seed-ip-exhaustion-as-told" {
				runs = 100
			}
			for i := range runs - 1 {
				shuffle(t, w, uint64(i+1))
				if diff := cmp.Diff(text(t, first), text(t, diagnose(t, w))); diff != "" {
					t.Fatalf("run %d differs (-first +again):\n%s", i+2, diff)
				}
			}
		})
	}
}

// diagnose serves a world, and answers what it asks.
func diagnose(t *testing.T, w *world.World) diagnostics.Report {
	t.Helper()
	s, err := diagtest.Serve(w, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	out, err := s.Diagnose(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	return out.Report
}

// judge holds a report against the ground truth of its world, and against the catalogue.
func judge(t *testing.T, w *world.World, r diagnostics.Report) {
	t.Helper()
	if p := w.Check(); p != nil {
		t.Error(p)
	}
	score, err := diagtest.Judge(w, r)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range score.Differs {
		t.Error(d)
	}
	for _, f := range slices.Concat(r.Causes, r.Contributing, r.Symptoms) {
		kind := diagnostics.CauseByID(f.ID)
		if kind.ID == "" {
			t.Errorf("%s is not in the catalogue", f.ID)
		}
		// What contributes is never a root cause: forbidden, it may not stand there at all.
		if kind.Contributing && slices.Contains(w.Meta.Want.Forbid, f.ID) {
			t.Errorf("%s is forbidden, and contributes", f.ID)
		}
	}
	for _, f := range r.Fixes {
		kind := diagnostics.FixByID(f.ID)
		switch {
		case kind.ID == "":
			t.Errorf("fix %s is not in the catalogue", f.ID)
		case f.Executable && !kind.Executable:
			t.Errorf("fix %s is executable, the catalogue says it is not", f.ID)
		case f.Executable && f.Action == nil:
			t.Errorf("fix %s is executable and has no action", f.ID)
		case f.Action != nil && f.Action.Validate() != nil:
			t.Errorf("fix %s: %v", f.ID, f.Action.Validate())
		}
	}
	approvable(t, r)
}

// approvable wants every fix that the bot would carry out to be short enough for Slack: what isn't shown whole can't be approved there.
func approvable(t *testing.T, r diagnostics.Report) {
	t.Helper()
	for _, f := range r.Fixes {
		rem := casebook.Remediation{Plan: casebook.Plan{Fix: f, Risk: f.Risk, Question: casebook.Question{Target: r.Target}}}
		if f.Action != nil && slack.DecisionView(slack.Decision{Remediation: rem, Verdict: casebook.Approve}).Submit == nil {
			t.Errorf("fix %s is too long to be approved: %d characters of proof, %d changes", f.ID, len(f.Proof), len(f.Changes))
		}
	}
}

// text is a report as JSON, without the time that the run took.
func text(t *testing.T, r diagnostics.Report) string {
	t.Helper()
	r.TookSeconds = 0
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestWrongNamesAreAnsweredWithTheNearest(t *testing.T) {
	for _, c := range []struct{ dir, ask, want string }{
		{"seeds/seed-ip-exhaustion-as-told", "pending bakcend", "backend"},
		{"public/pending-n01-cpu", "pending backend api-p4z69r2cj-d4hg5", "Did you mean api-p4z69r2cj-d4hg4"},
		{"public/pending-n01-cpu", "pending backend order", "Did you mean orders"},
		{"seeds/seed-alb-502", "alb api-ingres -n backend", "api-ingress"},
		{"seeds/seed-alb-502", "alb api-ingress -n bakend", "backend"},
	} {
		w := worldtest.Load(t, filepath.Join(worlds, c.dir))
		s, err := diagtest.Serve(w, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Diagnose(t.Context(), c.ask)
		s.Close()
		var refusal diagnostics.Refusal
		if !errors.As(err, &refusal) || !bytes.Contains([]byte(refusal), []byte(c.want)) {
			t.Errorf("%s: %v; want a refusal that names %s", c.ask, err, c.want)
		}
	}
}
