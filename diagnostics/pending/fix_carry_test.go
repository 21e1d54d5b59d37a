package pending

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/netdiag/netdiag/internal/remedy"
)

// stuckOn is a full subnet in which pods wait on n1, and a node elsewhere with room.
func stuckOn(pods int, edit func(*corev1.Pod)) *scene {
	c := newScene(0, 100)
	c.node("n1", "a", 9, 9)
	c.wait("n1", pods, assignFailed, edit)
	for i := range c.s.Pods {
		c.s.Pods[i].UID = types.UID(fmt.Sprintf("uid-%d", i))
		for j := range c.s.Events {
			if c.s.Events[j].InvolvedObject.Name == c.s.Pods[i].Name {
				c.s.Events[j].InvolvedObject.UID = c.s.Pods[i].UID
			}
		}
	}
	c.node("n2", "b", 1, 9, 9, 9)
	return c
}

func TestMovingIsCarriedOutWithinLimits(t *testing.T) {
	for name, c := range map[string]struct {
		build func() *scene
		why   string // that it is by hand only; empty where the bot does it
	}{
		"two pods of one node": {func() *scene { return stuckOn(2, nil) }, ""},
		"a score of pods":      {func() *scene { return stuckOn(20, nil) }, ""},
		"one more":             {func() *scene { return stuckOn(21, nil) }, "21 pods are more than the 20"},
		"pods of two nodes": {func() *scene {
			c := stuckOn(1, nil)
			c.node("n3", "a", 9, 9)
			c.wait("n3", 1, assignFailed, nil)
			return c
		}, "2 nodes would be cordoned"},
		"the system's own": {func() *scene {
			c := stuckOn(2, nil)
			c.s.Target.Namespace = "kube-system"
			return c
		}, "no pods of kube-system"},
		"spread over zones": {func() *scene {
			return stuckOn(2, func(p *corev1.Pod) {
				p.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{WhenUnsatisfiable: corev1.DoNotSchedule}}
			})
		}, "must be spread"},
		"spread where it can be": {func() *scene {
			return stuckOn(2, func(p *corev1.Pod) {
				p.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{WhenUnsatisfiable: corev1.ScheduleAnyway}}
			})
		}, ""},
		"away from each other": {func() *scene {
			return stuckOn(2, func(p *corev1.Pod) {
				p.Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{}}}}
			})
		}, "away from them"},
	} {
		t.Run(name, func(t *testing.T) {
			r := c.build().judged(t)
			f, ok := offered(r, "move-pods-off-node")
			if !ok {
				t.Fatalf("not offered: %v, refused %v", fixIDs(r), r.Refused)
			}
			if c.why != "" {
				if f.Executable || f.Action != nil || !strings.Contains(f.Blast, "by hand only: ") || !strings.Contains(f.Blast, c.why) {
					t.Errorf("executable %v, blast %q; want it by hand only, because %s", f.Executable, f.Blast, c.why)
				}
				return
			}
			if !f.Executable || f.Risk != "medium" || strings.Contains(f.Blast, "by hand") {
				t.Fatalf("by hand only: %s", f.Blast)
			}
			m := f.Action.MovePods
			if m == nil || m.Node != "n1" || len(m.Pods) != f.Needs || m.Pods[0] != (remedy.NamespacedPod{Namespace: "backend", Name: "api-n1-0", UID: "uid-0"}) {
				t.Errorf("action %+v", m)
			}
			if err := f.Action.Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRestartingIsCarriedOutWithinLimits(t *testing.T) {
	leak := func(edit func(*scene, *Node)) func() *scene {
		return func() *scene {
			c := newScene(100, 100)
			n := c.node("n1", "a", 19, 9, 9, 9)
			n.Agent.UID = "uid-agent"
			errorsOf(n, 27, 27, "PrivateIpAddressLimitExceeded")
			c.wait("n1", 2, assignFailed, nil)
			if edit != nil {
				edit(c, n)
			}
			return c
		}
	}
	dead := func(edit func(*scene, *Node)) func() *scene {
		return down(refused, func(c *scene, n *Node) {
			n.Agent.UID = "uid-agent"
			n.Agent.Waiting, n.Agent.Restarts, n.Agent.Ended = "CrashLoopBackOff", 7, &Exit{Reason: "Error", Code: 1, At: now.Add(-time.Minute)}
			if edit != nil {
				edit(c, n)
			}
		})
	}
	for name, c := range map[string]struct {
		build func() *scene
		why   string
	}{
		"it counts what no pod has":    {leak(nil), ""},
		"it died":                      {dead(nil), ""},
		"it died, and nothing is free": {dead(func(c *scene, n *Node) { c.s.Subnets[0].Available = 0; n.Pods = append(n.Pods, leftover(c, n)...) }), "would stay empty"},
		"while it is rolled out":       {leak(func(c *scene, _ *Node) { c.s.Driver.Updated-- }), "being rolled out"},
		"it never came up":             {neverUp(func(_ *scene, n *Node) { n.Agent.UID = "uid-agent" }), "something else"},
		"the policy agent fails": {func() *scene {
			c := newScene(120, 100)
			n := c.node("n1", "a", 2, 9)
			n.Agent.UID = "uid-agent"
			c.wait("n1", 2, `plugin type="aws-cni" name="aws-cni" failed (add): add cmd: failed to setup network policy`, nil)
			return c
		}, "something else"},
	} {
		t.Run(name, func(t *testing.T) {
			r := c.build().judged(t)
			f, ok := offered(r, "restart-ipamd")
			if !ok {
				t.Fatalf("not offered: %v, findings %v", fixIDs(r), keys(r.Causes))
			}
			if c.why != "" {
				if f.Executable || f.Action != nil || !strings.Contains(f.Blast, "by hand only: ") || !strings.Contains(f.Blast, c.why) {
					t.Errorf("executable %v, blast %q; want it by hand only, because %s", f.Executable, f.Blast, c.why)
				}
				return
			}
			want := &remedy.RestartPods{Namespace: "kube-system", DaemonSet: "aws-node", Pods: []remedy.Pod{{Name: "aws-node-n1", UID: "uid-agent", Node: "n1"}}}
			if !f.Executable || f.Risk != "low" {
				t.Fatalf("by hand only: %s", f.Blast)
			}
			if d := cmp.Diff(want, f.Action.RestartPods); d != "" || f.Action.Validate() != nil {
				t.Errorf("action (-want +got):\n%s%v", d, f.Action.Validate())
			}
		})
	}
}

// leftover is pods for all addresses that a node has free.
func leftover(c *scene, n *Node) (out []Placed) {
	for _, i := range c.s.Interfaces {
		if i.Instance != n.Instance {
			continue
		}
		for k, a := range i.Addresses[1:] {
			if k >= 2 { // those before are used
				out = append(out, Placed{Namespace: "data", Name: fmt.Sprintf("more-%d", k), IP: a.String()})
			}
		}
	}
	return out
}
