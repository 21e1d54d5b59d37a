package alb

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/elb"
)

// many gives the shop so many target groups, each for a path of its own.
func many(n int) *fake {
	f := shop()
	paths := &f.ingresses[0].Spec.Rules[0].HTTP.Paths
	for i := range n {
		tg := f.groups[0]
		tg.ARN, tg.Name = fmt.Sprintf("%s%02d", tgARN, i), fmt.Sprintf("tg-%02d", i)
		f.groups = append(f.groups, tg)
		rule := f.rules[0]
		path := fmt.Sprintf("/%02d", i)
		rule.ARN, rule.Priority = fmt.Sprintf("rule/1%02d", i), 100+i
		rule.Conditions = []elb.Condition{{Field: "host-header", Values: []string{"shop.example.com"}}, {Field: "path-pattern", Values: []string{path}}}
		rule.Actions = []elb.Action{{Type: "forward", Targets: []elb.Weighted{{TargetGroup: tg.ARN, Weight: 1}}}}
		f.rules = append(f.rules, rule)
		exact := networkingv1.PathTypeExact
		*paths = append(*paths, networkingv1.HTTPIngressPath{Path: path, PathType: &exact, Backend: (*paths)[0].Backend})
		f.health[tg.ARN] = slices.Clone(f.health[tgARN])
		b := f.bindings[0]
		b.Name, b.TargetGroupARN = tg.Name, tg.ARN
		f.bindings = append(f.bindings, b)
	}
	return f
}

// However many target groups an ingress has, AWS is asked only so often; what was not read for that is a gap.
func TestManyTargetGroups(t *testing.T) {
	for _, n := range []int{3, 6, 40} {
		f := many(n)
		sick := fmt.Sprintf("%s%02d", tgARN, min(n-1, 4)) // one that is read in any case
		f.health[sick][0].State, f.health[sick][0].Reason = "unhealthy", "Target.Timeout"
		r := f.diagnose(t)
		calls := 1 // of the program, for the account
		for permission, n := range f.calls {
			if strings.Contains(permission, ":") {
				calls += n
			}
		}
		if calls > awsCalls {
			t.Errorf("%d target groups: %d calls to AWS, want at most %d: %v", n, calls, awsCalls, f.calls)
		}
		skipped := slices.ContainsFunc(r.Gaps, func(g diagnostics.Gap) bool {
			return g.Permission == "elasticloadbalancing:DescribeTargetHealth" && g.Reason == diagnostics.Timeout
		})
		if all := f.calls["elasticloadbalancing:DescribeTargetHealth"] == n+1; all == skipped {
			t.Errorf("%d target groups: the health of %d was read, and the gap is told: %t", n, f.calls["elasticloadbalancing:DescribeTargetHealth"], skipped)
		}
	}
}

// Of very many targets those in trouble are looked at first, and nothing is concluded of the others.
func TestVeryManyTargets(t *testing.T) {
	c := &collector{s: &Snapshot{Carriers: map[string]string{}}}
	var all []string
	tg := TargetGroup{HealthRead: true}
	for i := range 2000 {
		h := elb.TargetHealth{ID: fmt.Sprintf("10.0.%d.%d", i/250, i%250+1), State: "healthy"}
		if i >= 1950 {
			h.State = "unhealthy"
		}
		tg.Health = append(tg.Health, h)
		all = append(all, h.ID)
	}
	c.s.TargetGroups = []TargetGroup{tg}
	got := c.chosen(slices.Clone(all), 3)
	if len(got) != 3*addressesInCall || len(c.s.Unlooked) != len(all)-len(got) || !slices.IsSorted(c.s.Unlooked) {
		t.Errorf("%d chosen, %d left out, want %d and the rest", len(got), len(c.s.Unlooked), 3*addressesInCall)
	}
	for _, h := range tg.Health[1950:] {
		if !slices.Contains(got, h.ID) {
			t.Errorf("%s is in trouble and was not chosen", h.ID)
		}
	}
	a := &analysis{model: newModel(c.s)}
	for _, x := range a.targets() {
		if looked := slices.Contains(got, x.ID); looked != a.lost(x) { // no interface carries any of them
			t.Errorf("%s: looked at %t, lost %t", x.ID, looked, a.lost(x))
		}
	}
}

// Of a large cluster only the nodes are kept that run something of the ingress, unless nodes are the targets.
func TestHosts(t *testing.T) {
	s := &Snapshot{TargetGroups: []TargetGroup{{TargetGroup: elb.TargetGroup{TargetType: "ip"}}}}
	for i := range 500 {
		n := corev1.Node{}
		n.Name = fmt.Sprintf("node-%03d", i)
		s.Nodes = append(s.Nodes, n)
	}
	p := corev1.Pod{}
	p.Spec.NodeName = "node-042"
	s.Pods = []corev1.Pod{p}
	all := slices.Clone(s.Nodes)
	if got := s.hosts(); len(got) != 1 || got[0].Name != "node-042" {
		t.Errorf("%d nodes are kept", len(got))
	}
	s.Nodes, s.TargetGroups[0].TargetType = all, "instance"
	if got := s.hosts(); len(got) != 500 {
		t.Errorf("%d nodes are kept although they are targets", len(got))
	}
}

// A group of ingresses in very many namespaces takes no more calls than one in a few; what was left out is a gap.
func TestManyNamespaces(t *testing.T) {
	f := shop()
	f.ingresses[0].Annotations["alb.ingress.kubernetes.io/group.name"] = "front"
	f.bindings[0].Labels = map[string]string{"ingress.k8s.aws/stack": "front"}
	for i := range 30 {
		ns := fmt.Sprintf("team-%02d", i)
		sibling := *f.ingresses[0].DeepCopy()
		sibling.Namespace, sibling.UID = ns, types.UID(ns)
		f.ingresses = append(f.ingresses, sibling)
		b := f.bindings[0]
		b.Namespace = ns // they all claim the same target group
		f.bindings = append(f.bindings, b)
	}
	r := f.diagnose(t)
	calls := 0
	for permission, n := range f.calls {
		if !strings.Contains(permission, ":") {
			calls += n
		}
	}
	if calls > 60 {
		t.Errorf("%d calls to Kubernetes, want at most 60: %v", calls, f.calls)
	}
	for _, permission := range []string{"list endpointslices.discovery.k8s.io", "list events"} {
		if !slices.ContainsFunc(r.Gaps, func(g diagnostics.Gap) bool { return g.Permission == permission && g.Reason == diagnostics.Timeout }) {
			t.Errorf("that not all namespaces were read is not told: no gap %s in %v", permission, r.Gaps)
		}
	}
}
