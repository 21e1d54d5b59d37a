package pending

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// unplaced puts pods into the scene that the scheduler says this of; each asks for 1 CPU and 4 GiB.
func (c *scene) unplaced(count int, message string, edit func(*corev1.Pod)) {
	c.wait("", count, "", func(p *corev1.Pod) {
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: message}}
		p.Status.ContainerStatuses = nil
		p.Spec.Containers = []corev1.Container{{Name: "api", Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse("1"), corev1.ResourceMemory: resource.MustParse("4Gi")}}}}
		if edit != nil {
			edit(p)
		}
	})
}

// twoNodes is a cluster of two nodes whose subnets are full, which no scheduler asks.
func twoNodes(edit func(n1, n2 *Node)) *scene {
	c := newScene(0, 0)
	c.node("n1", "a", 2, 9)
	c.node("n2", "b", 2, 9)
	if edit != nil {
		edit(&c.s.Nodes[0], &c.s.Nodes[1])
	}
	return c
}

// The last word of the scheduler is a cause as long as it is true of the nodes that were read, and no longer.
func TestSchedulingClauses(t *testing.T) {
	busy := func(cpu, memory int64, nodes ...*Node) {
		for _, n := range nodes {
			n.Pods = append(n.Pods, Placed{Namespace: "data", Name: "busy", CPU: cpu, Memory: memory, Host: true})
		}
	}
	gpu := corev1.Taint{Key: "dedicated", Value: "gpu", Effect: corev1.TaintEffectNoSchedule}
	port := func(p *corev1.Pod) { p.Spec.Containers[0].Ports = []corev1.ContainerPort{{HostPort: 9100}} }
	arm := func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{"kubernetes.io/arch": "arm64"} }
	for _, c := range []struct {
		name, message        string
		nodes                func(n1, n2 *Node)
		pod                  func(*corev1.Pod)
		causes, contributing []string
	}{
		{"cpu", "0/2 nodes are available: 2 Insufficient cpu.", func(n1, n2 *Node) { busy(1000, 0, n1, n2) }, nil, []string{"insufficient-resources confirmed"}, nil},
		{"cpu, but one node has some by now", "0/2 nodes are available: 2 Insufficient cpu.", func(n1, _ *Node) { busy(1000, 0, n1) }, nil, []string{"insufficient-resources likely"}, nil},
		{"cpu, but both have some by now", "0/2 nodes are available: 2 Insufficient cpu.", nil, nil, nil, nil},
		{"cpu, and a node was not read", "0/3 nodes are available: 3 Insufficient cpu.", func(n1, n2 *Node) { busy(1000, 0, n1, n2) }, nil, []string{"insufficient-resources confirmed"}, nil},
		{"a device", "0/2 nodes are available: 2 Insufficient nvidia.com/gpu.", nil, func(p *corev1.Pod) {
			p.Spec.Containers[0].Resources.Requests["nvidia.com/gpu"] = resource.MustParse("1")
		}, []string{"insufficient-resources confirmed"}, nil},
		{"an init container asks for more than the containers", "0/2 nodes are available: 2 Insufficient cpu.", nil, func(p *corev1.Pod) {
			p.Spec.InitContainers = []corev1.Container{{Name: "migrate", Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("2")}}}}
		}, []string{"insufficient-resources confirmed"}, nil},
		{"a taint on the other node", "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint {dedicated: gpu}.", func(n1, n2 *Node) { busy(1000, 0, n1); n2.Taints = []corev1.Taint{gpu} }, nil,
			[]string{"insufficient-resources confirmed"}, []string{"taint confirmed"}},
		{"a taint", "0/2 nodes are available: 2 node(s) had untolerated taint {dedicated: gpu}.", func(n1, n2 *Node) { n1.Taints, n2.Taints = []corev1.Taint{gpu}, []corev1.Taint{gpu} }, nil, []string{"taint confirmed"}, nil},
		{"a taint that the message does not name", "0/2 nodes are available: 2 node(s) had untolerated taint(s).", func(n1, n2 *Node) { n1.Taints, n2.Taints = []corev1.Taint{gpu}, []corev1.Taint{gpu} }, nil, []string{"taint confirmed"}, nil},
		{"a taint that the pod tolerates by now", "0/2 nodes are available: 2 node(s) had untolerated taint {dedicated: gpu}.", func(n1, n2 *Node) { n1.Taints, n2.Taints = []corev1.Taint{gpu}, []corev1.Taint{gpu} },
			func(p *corev1.Pod) {
				p.Spec.Tolerations = []corev1.Toleration{{Key: "dedicated", Operator: corev1.TolerationOpExists}}
			}, nil, nil},
		{"cordoned", "0/2 nodes are available: 2 node(s) were unschedulable.", func(n1, n2 *Node) {
			for _, n := range []*Node{n1, n2} {
				n.Cordoned, n.Taints = true, []corev1.Taint{{Key: "node.kubernetes.io/unschedulable", Effect: corev1.TaintEffectNoSchedule}}
			}
		}, nil, []string{"taint confirmed"}, nil},
		{"the taint of a node that is not ready", "0/2 nodes are available: 2 node(s) had untolerated taint {node.kubernetes.io/unreachable: }.", func(n1, n2 *Node) {
			for _, n := range []*Node{n1, n2} {
				n.Ready, n.ReadyMessage, n.Taints = "Unknown", "Kubelet stopped posting node status.", []corev1.Taint{{Key: "node.kubernetes.io/unreachable", Effect: corev1.TaintEffectNoSchedule}}
			}
		}, nil, []string{"node-not-ready confirmed", "node-not-ready confirmed"}, nil},
		{"a selector", "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.", nil, arm, []string{"affinity confirmed"}, nil},
		{"a selector that a node meets by now", "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.",
			func(n1, n2 *Node) {
				n1.Labels["kubernetes.io/arch"], n2.Labels["kubernetes.io/arch"] = "arm64", "arm64"
			}, arm, nil, nil},
		{"other pods", "0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules.", nil, nil, []string{"affinity confirmed"}, nil},
		{"host ports", "0/2 nodes are available: 2 node(s) didn't have free ports for the requested pod ports.", func(n1, n2 *Node) {
			n1.Pods[0].Ports, n2.Pods[0].Ports = []string{"9100/TCP"}, []string{"9100/TCP"}
		}, port, []string{"host-port confirmed"}, nil},
		{"host ports that are free by now", "0/2 nodes are available: 2 node(s) didn't have free ports for the requested pod ports.", func(n1, n2 *Node) {
			n1.Pods[0].Ports, n2.Pods[0].Ports = []string{"9101/TCP"}, []string{"9100/UDP"}
		}, port, nil, nil},
		{"max-pods", "0/2 nodes are available: 2 Too many pods.", func(n1, n2 *Node) { n1.MaxPods, n2.MaxPods = 4, 4 }, nil, []string{"max-pods confirmed"}, nil},
		{"max-pods, in the words of old schedulers", "0/2 nodes are available: 2 Insufficient pods.", func(n1, n2 *Node) { n1.MaxPods, n2.MaxPods = 4, 4 }, nil, []string{"max-pods confirmed"}, nil},
		{"max-pods, but there is room by now", "0/2 nodes are available: 2 Too many pods.", nil, nil, nil, nil},
		{"a node may stand in two clauses", "0/2 nodes are available: 2 Insufficient cpu, 2 Too many pods.", func(n1, n2 *Node) { busy(1000, 0, n1, n2); n1.MaxPods, n2.MaxPods = 5, 5 }, nil,
			[]string{"insufficient-resources confirmed", "max-pods confirmed"}, nil},
		{"what no volume has to do with", "0/2 nodes are available: 1 Insufficient memory, 1 node(s) had volume node affinity conflict.", func(n1, _ *Node) { busy(0, 4<<30, n1) }, nil,
			[]string{"insufficient-resources confirmed", "volume-binding confirmed"}, nil},
		{"something new", "0/2 nodes are available: 2 something new.", nil, nil, nil, nil},
	} {
		s := twoNodes(c.nodes)
		s.unplaced(2, c.message, c.pod)
		r := s.judged(t)
		if d := cmp.Diff(c.causes, keys(r.Causes)); d != "" {
			t.Errorf("%s: causes (-want +got):\n%s%s", c.name, d, r.Summary)
		}
		if d := cmp.Diff(c.contributing, keys(r.Contributing)); d != "" {
			t.Errorf("%s: contributing (-want +got):\n%s", c.name, d)
		}
		if len(c.causes) == 0 && !strings.Contains(r.Summary, "not known") {
			t.Errorf("%s: an unknown cause must be said to be unknown: %s", c.name, r.Summary)
		}
	}
}

// Without nodes or pods to reckon with, the scheduler's word is all there is.
func TestSchedulersWordAlone(t *testing.T) {
	c := twoNodes(nil)
	c.s.Nodes, c.s.Unread = nil, denied("list nodes")
	c.unplaced(1, "0/2 nodes are available: 2 Insufficient cpu.", nil)
	if d := cmp.Diff([]string{"insufficient-resources likely"}, keys(c.judged(t).Causes)); d != "" {
		t.Error(d)
	}
	c = twoNodes(nil)
	c.s.Nodes, c.s.Unread = nil, denied("list nodes")
	c.unplaced(1, "0/2 nodes are available: 2 node(s) had untolerated taint {node.kubernetes.io/not-ready: }.", nil)
	if r := c.judged(t); len(r.Causes) > 0 || !r.Open() {
		t.Errorf("causes %v, open %v: what is wrong with nodes that can't be read stays open", keys(r.Causes), r.Open())
	}
}

func TestByDesign(t *testing.T) {
	gate := func(p *corev1.Pod) {
		p.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: "kueue.x-k8s.io/admission"}}
	}
	c := twoNodes(nil)
	c.unplaced(3, "", gate)
	r := c.judged(t)
	if d := cmp.Diff([]string{"gated confirmed"}, keys(r.Causes)); d != "" || r.Severity != "P4" || len(r.Fixes) > 0 || !strings.Contains(r.Summary, "3 pods are held back on purpose by scheduling gate kueue.x-k8s.io/admission") {
		t.Errorf("severity %s, fixes %v: %s\n%s", r.Severity, fixIDs(r), r.Summary, d)
	}
	c = twoNodes(func(n1, n2 *Node) { n1.MaxPods, n2.MaxPods = 4, 4 })
	c.unplaced(1, "", gate)
	c.unplaced(1, "0/2 nodes are available: 2 Too many pods.", nil)
	r = c.judged(t)
	if d := cmp.Diff([]string{"max-pods confirmed"}, keys(r.Causes)); d != "" || r.Severity != "P2" {
		t.Errorf("beside trouble, severity %s: %s", r.Severity, d)
	}
	if d := cmp.Diff([]string{"gated confirmed"}, keys(r.Contributing)); d != "" {
		t.Error(d)
	}
}

func TestNoSchedulerOfThatName(t *testing.T) {
	named := func(p *corev1.Pod) { p.Spec.SchedulerName, p.Status.Conditions = "volcano", nil }
	c := twoNodes(nil)
	c.unplaced(1, "", named)
	r := c.judged(t)
	if d := cmp.Diff([]string{"gated likely"}, keys(r.Causes)); d != "" || r.Causes[0].Subject != "scheduler/volcano" || r.Severity != "P2" {
		t.Errorf("severity %s: %s", r.Severity, d)
	}
	c = twoNodes(nil)
	c.unplaced(1, "", func(p *corev1.Pod) { named(p); p.Spec.SchedulerName = "default-scheduler" })
	if r := c.judged(t); len(r.Causes) > 0 {
		t.Errorf("the scheduler of the cluster is not missing for that: %v", keys(r.Causes))
	}
}

func TestTerminating(t *testing.T) {
	for _, c := range []struct {
		name       string
		minutesAgo float64
		node       func(*Node)
		edit       func(*corev1.Pod)
		causes     []string
		symptoms   []string
	}{
		{"within its grace period", -0.5, nil, nil, nil, nil},
		{"should have been gone", 12, nil, nil, []string{"terminating confirmed"}, nil},
		{"held by a finalizer", 12, nil, func(p *corev1.Pod) { p.Finalizers = []string{"example.com/drain"} }, []string{"terminating confirmed"}, nil},
		{"its node does not answer", 12, func(n *Node) { n.Ready = "Unknown" }, nil, []string{"node-not-ready confirmed"}, []string{"terminating confirmed"}},
	} {
		s := newScene(100, 100)
		n := s.node("n1", "a", 2, 9)
		if c.node != nil {
			c.node(n)
		}
		s.wait("n1", 1, "", func(p *corev1.Pod) {
			d := minutes(c.minutesAgo)
			p.DeletionTimestamp = &d
			if c.edit != nil {
				c.edit(p)
			}
		})
		r := s.judged(t)
		if d := cmp.Diff([][]string{c.causes, c.symptoms}, [][]string{keys(r.Causes), keys(r.Symptoms)}); d != "" {
			t.Errorf("%s: causes and symptoms (-want +got):\n%s", c.name, d)
		}
	}
}

func TestSelects(t *testing.T) {
	n := &Node{Name: "n1", Labels: map[string]string{"zone": "a", "cpus": "8", "arch": "arm64"}}
	in := func(key string, op corev1.NodeSelectorOperator, values ...string) corev1.NodeSelectorRequirement {
		return corev1.NodeSelectorRequirement{Key: key, Operator: op, Values: values}
	}
	term := func(es ...corev1.NodeSelectorRequirement) corev1.NodeSelectorTerm {
		return corev1.NodeSelectorTerm{MatchExpressions: es}
	}
	for _, c := range []struct {
		want  bool
		terms []corev1.NodeSelectorTerm
	}{
		{true, []corev1.NodeSelectorTerm{term(in("zone", corev1.NodeSelectorOpIn, "a", "b"))}},
		{false, []corev1.NodeSelectorTerm{term(in("zone", corev1.NodeSelectorOpIn, "c"))}},
		{true, []corev1.NodeSelectorTerm{term(in("zone", corev1.NodeSelectorOpIn, "c")), term(in("arch", corev1.NodeSelectorOpExists))}},
		{false, []corev1.NodeSelectorTerm{term(in("arch", corev1.NodeSelectorOpExists), in("zone", corev1.NodeSelectorOpNotIn, "a"))}},
		{true, []corev1.NodeSelectorTerm{term(in("gone", corev1.NodeSelectorOpNotIn, "x"), in("gone", corev1.NodeSelectorOpDoesNotExist))}},
		{true, []corev1.NodeSelectorTerm{term(in("cpus", corev1.NodeSelectorOpGt, "4"))}},
		{false, []corev1.NodeSelectorTerm{term(in("cpus", corev1.NodeSelectorOpLt, "4"))}},
		{false, []corev1.NodeSelectorTerm{term(in("zone", corev1.NodeSelectorOpGt, "4"))}},
		{true, []corev1.NodeSelectorTerm{{MatchFields: []corev1.NodeSelectorRequirement{in("metadata.name", corev1.NodeSelectorOpIn, "n1")}}}},
		{false, []corev1.NodeSelectorTerm{{}}},
	} {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}}
		p.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: c.terms}}}
		if got := selects(p, n); got != c.want {
			t.Errorf("%+v: %v", c.terms, got)
		}
	}
}
