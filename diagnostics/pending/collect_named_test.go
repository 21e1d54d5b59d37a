package pending

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

func ownedBy(kind, name string) []metav1.OwnerReference {
	controller := true
	return []metav1.OwnerReference{{Kind: kind, Name: name, Controller: &controller}}
}

// namedCollector has read a namespace with a Deployment, a CronJob's Job and a pod that nothing makes.
func namedCollector(name string) (*collector, makers) {
	c := &collector{s: Snapshot{Target: diagnostics.Target{Namespace: "backend", Name: name}, At: now}}
	pod := func(name, kind, owner string, phase corev1.PodPhase) {
		p := pendingPod(nil)
		p.Name, p.Status.Phase, p.OwnerReferences = name, phase, nil
		if kind != "" {
			p.OwnerReferences = ownedBy(kind, owner)
		}
		c.all = append(c.all, *p)
	}
	pod("api-5d9-x", "ReplicaSet", "api-5d9", corev1.PodPending)
	pod("api-5d9-y", "ReplicaSet", "api-5d9", corev1.PodRunning)
	pod("report-29-z", "Job", "report-29", corev1.PodPending)
	pod("alone", "", "", corev1.PodRunning)
	m := makers{
		sets: []appsv1.ReplicaSet{{ObjectMeta: metav1.ObjectMeta{Name: "api-5d9", OwnerReferences: ownedBy("Deployment", "api")}}},
		jobs: []batchv1.Job{{ObjectMeta: metav1.ObjectMeta{Name: "report-29", OwnerReferences: ownedBy("CronJob", "report")}}},
	}
	c.s.Short = []Workload{{Kind: "ReplicaSet", Name: "api-5d9", Desired: 3, Have: 2}, {Kind: "Job", Name: "report-29", Desired: 2, Have: 1}}
	return c, m
}

func TestAskedByName(t *testing.T) {
	for name, want := range map[string]struct{ pods, short, settled []string }{
		"":          {[]string{"alone", "api-5d9-x", "api-5d9-y", "report-29-z"}, []string{"api-5d9", "report-29"}, nil},
		"api-5d9-x": {[]string{"api-5d9-x"}, nil, nil},
		"api-5d9-y": {[]string{"api-5d9-y"}, nil, []string{"api-5d9-y"}},
		"api":       {[]string{"api-5d9-x", "api-5d9-y"}, []string{"api-5d9"}, []string{"api-5d9-y"}},
		"api-5d9":   {[]string{"api-5d9-x", "api-5d9-y"}, []string{"api-5d9"}, []string{"api-5d9-y"}},
		"report":    {[]string{"report-29-z"}, []string{"report-29"}, nil},
		"alone":     {[]string{"alone"}, nil, []string{"alone"}},
	} {
		c, m := namedCollector(name)
		if err := c.narrow(m); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var pods, short, settled []string
		for _, p := range c.all {
			pods = append(pods, p.Name)
		}
		for _, w := range c.s.Short {
			short = append(short, w.Name)
		}
		for _, p := range c.s.Settled {
			settled = append(settled, p.Name)
		}
		slices.Sort(pods)
		if d := cmp.Diff([][]string{want.pods, want.short, want.settled}, [][]string{pods, short, settled}); d != "" {
			t.Errorf("%q: pods, short and settled (-want +got):\n%s", name, d)
		}
	}
}

func TestANameThatNothingHasIsRefusedWithTheNearest(t *testing.T) {
	c, m := namedCollector("ap")
	var r diagnostics.Refusal
	if err := c.narrow(m); !errors.As(err, &r) || !strings.Contains(string(r), `no pod "ap" in namespace backend`) || !strings.Contains(string(r), "Did you mean api") {
		t.Errorf("refusal %q", r)
	}
	c, _ = namedCollector("nonsense")
	c.all, m = nil, makers{}
	c.reads.Missed(&diagnostics.ReadError{Permission: "list pods", Reason: diagnostics.Denied, Err: errors.New("forbidden")}, "")
	if err := c.narrow(m); err != nil {
		t.Errorf("pods that can't be listed may be there: %v", err)
	}
}

func TestAPodThatWaitsForNothingIsSaidSo(t *testing.T) {
	for _, c := range []struct {
		settled Settled
		want    string
	}{
		{Settled{Name: "api-1", Node: "n1", Phase: "Running", Ready: true, Since: now}, "pod api-1 waits for nothing: it runs on node n1 and is ready since 2026-03-22 10:30 UTC"},
		{Settled{Name: "api-1", Node: "n1", Phase: "Running", Since: now, Reason: "container api CrashLoopBackOff"}, "pod api-1 waits for nothing: it runs on node n1, and is not ready since 2026-03-22 10:30 UTC: container api CrashLoopBackOff"},
		{Settled{Name: "api-1", Phase: "Succeeded"}, "pod api-1 waits for nothing: it has ended (Succeeded)"},
		{Settled{Name: "api-1", Phase: "Failed", Reason: "Evicted"}, "pod api-1 waits for nothing: it has ended (Failed Evicted)"},
	} {
		s := newScene(10, 10)
		s.node("n1", "a", 2, 9)
		s.s.Target.Name, s.s.Settled = "api-1", []Settled{c.settled}
		r := s.judged(t)
		if r.Summary != c.want || !r.Healthy() {
			t.Errorf("healthy %v: %q, want %q", r.Healthy(), r.Summary, c.want)
		}
	}
}
