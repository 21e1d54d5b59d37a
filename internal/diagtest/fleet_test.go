package diagtest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/diagtest"
	"github.com/netdiag/netdiag/internal/sim/fleet"
)

// What one run may ask at most, whatever the size of the cluster; the programs ask AWS once more, whose account it is.
const mostKubernetes, mostAWS = 60, 25 - 1

// However large the cluster is, the verdict is right, few calls are made, and what was left out is counted.
func TestLargeClusters(t *testing.T) {
	sizes := []int{50, 500}
	if diagtest.Race { // it makes the larger one take minutes
		sizes = sizes[:1]
	}
	for _, nodes := range sizes {
		for _, ask := range []string{fleet.Pending, fleet.Ingress} {
			t.Run(fmt.Sprintf("%d nodes/%s", nodes, ask), func(t *testing.T) {
				t.Parallel()
				f := fleet.New(nodes, 40, time.Date(2026, 11, 22, 10, 30, 0, 0, time.UTC))
				first, calls := diagnoseFleet(t, f, ask)
				if calls.Kubernetes > mostKubernetes || calls.AWS > mostAWS {
					t.Errorf("%+v, want at most %d and %d", calls, mostKubernetes, mostAWS)
				}
				again, _ := diagnoseFleet(t, f, ask)
				if diff := cmp.Diff(diagtest.Gist(first), diagtest.Gist(again)); diff != "" {
					t.Errorf("the same cluster is judged otherwise the second time:\n%s", diff)
				}
				const deep = 15
				rest := f.Affected() - deep
				if said := fmt.Sprintf("%d nodes that were not looked at", rest); ask == fleet.Pending && rest > 0 && !strings.Contains(first.Summary, said) {
					t.Errorf("the summary doesn't say %q: %s", said, first.Summary)
				}
				if ask == fleet.Pending {
					proves(t, first, f)
				}
			})
		}
	}
}

// proves checks that the fix counts the pods that wait on nodes that were not looked at.
func proves(t *testing.T, r diagnostics.Report, f *fleet.Fleet) {
	t.Helper()
	for _, x := range r.Fixes {
		if x.ID == "pending/tune-warm-pool" && (x.Needs != f.Stuck() || x.Frees < x.Needs) {
			t.Errorf("%s frees %d and needs %d, want at least %d: %s", x.ID, x.Frees, x.Needs, f.Stuck(), x.Proof)
		}
	}
}

func diagnoseFleet(t *testing.T, f *fleet.Fleet, ask string) (diagnostics.Report, diagtest.Calls) {
	t.Helper()
	s, err := diagtest.ServeFleet(f)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	out, err := s.Diagnose(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	w := *s.World
	w.Meta.Want = f.Want(ask)
	score, err := diagtest.Judge(&w, out.Report)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range score.Differs {
		t.Error(d)
	}
	return out.Report, s.Calls()
}
