package diagtest_test

import (
	"bytes"
	"encoding/json"
	"errors"
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

// Every world is judged right, and the same world is always judged the same, byte for byte: the seeds' small worlds a
// hundred times, all others twice.
func TestWorlds(t *testing.T) {
	dirs, err := world.Find(worlds)
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			w, err := world.Load(dir)
			if err != nil {
				t.Fatal(err)
			}
			s, err := diagtest.Serve(w, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			out, err := s.Diagnose(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			judge(t, w, out.Report)
			runs := 2
			if name := filepath.Base(dir); name == "seed-alb-502" || name == "seed-ip-exhaustion-as-told" {
				runs = 100
			}
			first := text(t, out.Report)
			for i := range runs - 1 {
				again, err := s.Diagnose(t.Context(), "")
				if err != nil {
					t.Fatal(err)
				}
				if text := text(t, again.Report); text != first {
					t.Fatalf("run %d differs (-first +again):\n%s", i+2, cmp.Diff(first, text))
				}
			}
		})
	}
}

// judge holds a report against the ground truth of its world, and against the catalogue.
func judge(t *testing.T, w *world.World, r diagnostics.Report) {
	t.Helper()
	score, err := diagtest.Judge(w, r)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range score.Differs {
		t.Error(d)
	}
	for _, f := range slices.Concat(r.Causes, r.Contributing, r.Symptoms) {
		if diagnostics.CauseByID(f.ID).ID == "" {
			t.Errorf("%s is not in the catalogue", f.ID)
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
		var refusal diagnostics.Refusal
		if !errors.As(err, &refusal) || !bytes.Contains([]byte(refusal), []byte(c.want)) {
			t.Errorf("%s: %v; want a refusal that names %s", c.ask, err, c.want)
		}
	}
}
