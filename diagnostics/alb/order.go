package alb

import (
	"cmp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netdiag/netdiag/internal/elb"

	"github.com/netdiag/netdiag/diagnostics"
)

// order sorts every list of the snapshot, because several reads filled them side by side and no verdict may depend on
// which one came first.
func (c *collector) order() {
	s := c.s
	byName(s.Services)
	byName(s.Slices)
	byName(s.Pods)
	byName(s.Agents)
	slices.Sort(s.Enforcer.Foreign)
	byName(s.Nodes)
	byName(s.Deployments)
	byName(s.ReplicaSets)
	byName(s.StatefulSets)
	byName(s.Policies)
	slices.SortStableFunc(s.Events, func(a, b corev1.Event) int {
		return cmp.Or(diagnostics.LastSeen(&a).Compare(diagnostics.LastSeen(&b)), strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	slices.SortStableFunc(s.Listeners, func(a, b elb.Listener) int { return cmp.Or(a.Port-b.Port, strings.Compare(a.ARN, b.ARN)) })
	port := map[string]int{}
	for i, l := range s.Listeners {
		port[l.ARN] = i
	}
	slices.SortStableFunc(s.Rules, func(a, b elb.Rule) int {
		last := func(r elb.Rule) int { // the default rule comes last
			if r.Default {
				return 1 << 20
			}
			return r.Priority
		}
		return cmp.Or(port[a.Listener]-port[b.Listener], last(a)-last(b), strings.Compare(a.ARN, b.ARN))
	})
	slices.SortFunc(s.TargetGroups, func(a, b TargetGroup) int { return strings.Compare(a.ARN, b.ARN) })
	for _, g := range s.TargetGroups {
		slices.SortStableFunc(g.Health, func(a, b elb.TargetHealth) int { return cmp.Or(strings.Compare(a.ID, b.ID), a.Port-b.Port) })
	}
}

// byName sorts Kubernetes objects by namespace and name.
func byName[T any, P interface {
	*T
	metav1.Object
}](objects []T) {
	slices.SortStableFunc(objects, func(a, b T) int {
		return cmp.Or(strings.Compare(P(&a).GetNamespace(), P(&b).GetNamespace()), strings.Compare(P(&a).GetName(), P(&b).GetName()))
	})
}
