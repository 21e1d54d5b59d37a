package diagtest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/diagtest"
	"github.com/netdiag/netdiag/internal/world"
)

const worlds = "../../testdata/worlds"

// told lists the causes that must be told apart by now; a world that wants another one may miss it, but may say nothing wrong.
var told = []string{
	"pending/max-pods", "pending/subnet-exhausted", "pending/warm-pool-overheld", "pending/leaked-enis", "pending/other-tenants",
	"pending/no-free-prefix", "pending/warm-target-cap", "pending/cni-iam", "pending/insufficient-resources", "pending/taint",
	"pending/volume-binding", "pending/image-pull", "pending/missing-config",
	"alb/sg.target-ingress", "alb/nacl.forward", "alb/nacl.return", "alb/app.unhealthy", "alb/hc.path", "alb/hc.port",
	"alb/ep.none-ready", "alb/ep.selector", "alb/svc.missing", "alb/app.slow-health", "alb/lb.initializing", "alb/lbc.iam",
}

func TestWorlds(t *testing.T) {
	dirs, err := world.Find(worlds)
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			w, out, score, err := diagtest.Run(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range score.Forbidden {
				t.Errorf("forbidden: %s", f)
			}
			required := !slices.ContainsFunc(append(w.Meta.Want.Causes, w.Meta.Want.Contributing...), func(id string) bool { return !slices.Contains(told, id) })
			if required {
				for _, d := range score.Differs {
					t.Error(d)
				}
			}
			for _, f := range slices.Concat(out.Report.Causes, out.Report.Contributing, out.Report.Symptoms) {
				if diagnostics.CauseByID(f.ID).ID == "" {
					t.Errorf("%s is not in the catalogue", f.ID)
				}
			}
			for _, f := range out.Report.Fixes {
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
		})
	}
}

// report is the report of one run, without the times that differ from run to run.
func report(ctx context.Context, t *testing.T, s *diagtest.Served) []byte {
	t.Helper()
	out, err := s.Diagnose(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	out.Report.TookSeconds = 0
	text, err := json.MarshalIndent(out.Report, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Same world, same report, byte for byte: the seeds' small worlds a hundred times, all others twice.
func TestSameWorldSameReport(t *testing.T) {
	dirs, err := world.Find(worlds)
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			runs := 2
			if name := filepath.Base(dir); name == "seed-alb-502" || name == "seed-ip-exhaustion-as-told" {
				runs = 100
			}
			w, err := world.Load(dir)
			if err != nil {
				t.Fatal(err)
			}
			w.Meta.Throttled = nil // the first run would be the only one that is throttled
			s, err := diagtest.Serve(w, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			first := report(t.Context(), t, s)
			for i := range runs - 1 {
				if again := report(t.Context(), t, s); !bytes.Equal(first, again) {
					t.Fatalf("run %d differs (-first +again):\n%s", i+2, cmp.Diff(string(first), string(again)))
				}
			}
		})
	}
}

// A served world that only differs in its time is judged the same.
func TestShiftedWorldSaysTheSame(t *testing.T) {
	dirs, err := world.Find(filepath.Join(worlds, "seeds"))
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			var texts []string
			for _, hours := range []int{0, 1000} {
				w, err := world.Load(dir)
				if err != nil {
					t.Fatal(err)
				}
				w.Shift(time.Duration(hours) * time.Hour)
				s, err := diagtest.Serve(w, nil)
				if err != nil {
					t.Fatal(err)
				}
				out, err := s.Diagnose(t.Context(), "")
				s.Close()
				if err != nil {
					t.Fatal(err)
				}
				texts = append(texts, diagtest.Gist(out.Report))
			}
			if diff := cmp.Diff(texts[0], texts[1]); diff != "" {
				t.Errorf("(-recorded +shifted):\n%s", diff)
			}
		})
	}
}

func TestWrongNamesAreAnsweredWithTheNearest(t *testing.T) {
	for _, c := range []struct{ dir, ask, want string }{
		{"seeds/seed-ip-exhaustion-as-told", "pending bakcend", "backend"},
		{"seeds/seed-alb-502", "alb api-ingres -n backend", "api-ingress"},
		{"seeds/seed-alb-502", "alb api-ingress -n bakend", "backend"},
	} {
		w, err := world.Load(filepath.Join(worlds, c.dir))
		if err != nil {
			t.Fatal(err)
		}
		s, err := diagtest.Serve(w, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Diagnose(t.Context(), c.ask)
		s.Close()
		refusal, ok := err.(diagnostics.Refusal)
		if !ok || !bytes.Contains([]byte(refusal), []byte(c.want)) {
			t.Errorf("%s: %v; want a refusal that names %s", c.ask, err, c.want)
		}
	}
}
