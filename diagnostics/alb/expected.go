package alb

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

// gatePrefix begins the readiness gates of the load balancer controller; the name of the binding follows.
const gatePrefix = "target-health.elbv2.k8s.aws/"

// gated reports whether a pod's containers are ready and only a readiness gate keeps it from being ready, on a node that
// is well.
func (s *Snapshot) gated(p *corev1.Pod) bool {
	if p == nil || len(p.Spec.ReadinessGates) == 0 || p.DeletionTimestamp != nil || condition(p, corev1.PodReady).Status == corev1.ConditionTrue || condition(p, corev1.ContainersReady).Status != corev1.ConditionTrue {
		return false
	}
	n := s.node(p.Spec.NodeName)
	return n == nil || nodeReady(n) == corev1.ConditionTrue
}

func condition(p *corev1.Pod, kind corev1.PodConditionType) corev1.PodCondition {
	for _, c := range p.Status.Conditions {
		if c.Type == kind {
			return c
		}
	}
	return corev1.PodCondition{}
}

func nodeReady(n *corev1.Node) corev1.ConditionStatus {
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status
		}
	}
	return corev1.ConditionUnknown
}

// readyTransition is when a node last became ready, or stopped being so.
func readyTransition(n *corev1.Node) time.Time {
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.LastTransitionTime.Time
		}
	}
	return time.Time{}
}

// gateEvidence gives what the controller wrote into the readiness gates of the group's pods: the state of the target
// as the load balancer told it, until the target was healthy for the first time.
func (g *group) gateEvidence() []diagnostics.Evidence {
	var parts []string
	var first *corev1.Pod
	for _, e := range g.endpoints {
		p := g.m.s.pod(g.namespace, e.pod)
		if p == nil {
			continue
		}
		for _, gate := range p.Spec.ReadinessGates {
			if c := condition(p, gate.ConditionType); strings.HasPrefix(string(gate.ConditionType), gatePrefix) && c.Status != corev1.ConditionTrue {
				text := "not set yet"
				if c.Type != "" {
					text = strings.TrimSpace(fmt.Sprintf("%s %s %s", c.Status, c.Reason, c.Message))
				}
				parts = append(parts, p.Name+" "+strings.TrimPrefix(string(gate.ConditionType), gatePrefix)+": "+text)
				if first == nil {
					first = p
				}
			}
		}
	}
	if first == nil {
		return nil
	}
	if len(parts) > 4 {
		parts = append(parts[:4], fmt.Sprintf("and %d more", len(parts)-4))
	}
	return []diagnostics.Evidence{{What: "readiness gates of the pods", Value: strings.Join(parts, "; "), Source: "list pods",
		Repeat: fmt.Sprintf("kubectl get pod %s -n %s -o jsonpath='{.status.conditions}'", first.Name, first.Namespace)}}
}

// due is what should be registered: its id as targets have it, what kind of thing it is, and since when; zero where that isn't known.
type due struct {
	id, kind string
	since    time.Time
}

// is reports whether a target is what is due; addresses may be spelled in several ways.
func (d due) is(t *target) bool {
	return t.ID == d.id || (t.group.TargetType != "instance" && t.addr.IsValid() && t.addr.String() == d.id)
}

// due lists what should be registered: for addresses the endpoints that are ready or wait only for a readiness gate,
// for instances the nodes that aren't left out. ok is false where it isn't known.
func (g *group) due() (list []due, ok bool) {
	s := g.m.s
	if g.service == "" || g.svc == nil {
		return nil, false
	}
	if g.TargetType == "instance" {
		nodes, _ := g.eligible()
		for _, n := range nodes {
			if id := instanceOf(n); id != "" {
				list = append(list, due{id, "node", readyTransition(n)})
			}
		}
		return list, !s.missed("list nodes") && len(s.Nodes) > 0
	}
	for _, e := range g.endpoints {
		if (!e.ready && !e.gated) || e.port == 0 {
			continue
		}
		d := due{id: e.addr.String(), kind: "ready endpoint"}
		if e.gated {
			d.kind = "endpoint whose pod waits only for a readiness gate"
		}
		if p := s.pod(g.namespace, e.pod); p != nil {
			d.since = condition(p, corev1.ContainersReady).LastTransitionTime.Time
			if e.ready && d.since.IsZero() {
				d.since = readySince(p)
			}
		}
		list = append(list, d)
	}
	return list, !s.missedIn("list endpointslices.discovery.k8s.io", g.namespace)
}

// gap compares what is registered with what should be: what has been missing for more than a minute, and what is there
// although it shouldn't. A minute is what the controller takes at most when it is well.
func (g *group) gap() (missing []due, surplus []*target) {
	want, ok := g.due()
	if !ok || !g.HealthRead {
		return nil, nil
	}
	have := g.registered()
	for _, d := range want {
		if !slices.ContainsFunc(have, d.is) && g.m.s.Now.Sub(d.since) > time.Minute {
			missing = append(missing, d)
		}
	}
	if g.binding != nil && g.binding.MultiCluster {
		return missing, nil // the others are another cluster's
	}
	for _, t := range have {
		if !slices.ContainsFunc(want, func(d due) bool { return d.is(t) }) {
			surplus = append(surplus, t)
		}
	}
	return missing, surplus
}

// foreign reports that what is registered isn't what should be.
func (g *group) foreign() bool {
	missing, surplus := g.gap()
	return len(missing)+len(surplus) > 0
}
