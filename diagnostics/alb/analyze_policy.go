package alb

import (
	"fmt"
	"slices"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/netpol"
)

// denied asks the network policies. They speak only where something enforces them, and a target of the same pods that
// answers proves that they don't.
func (a *analysis) denied(g *group, ts []*target) []*target {
	if a.s.Enforcer.Name == "" && len(a.s.Enforcer.Computed) == 0 {
		return ts
	}
	front := a.front()
	var stopped []*target
	policies := map[string]bool{}
	confirmed := len(front) > 0
	var why string
	for _, t := range ts {
		if t.pod == nil || len(front) == 0 {
			continue
		}
		for _, from := range front {
			if from.Is4() != t.addr.Is4() {
				continue
			}
			d := netpol.Ingress(a.s.Policies, *t.pod, from, t.hcPort)
			if d.Allowed {
				continue
			}
			if !slices.Contains(stopped, t) {
				stopped = append(stopped, t)
			}
			why = d.Reason
			for _, p := range d.Policies {
				policies[p] = true
			}
		}
		if !slices.Contains(a.s.Enforcer.Computed, t.pod.Namespace+"/"+t.pod.Name) {
			confirmed = false
		}
	}
	if len(stopped) == 0 || a.passesPolicy(g) {
		return ts
	}
	f := diagnostics.Finding{
		ID: "netpol.deny", Subject: "networkpolicy/" + stopped[0].pod.Namespace + "/" + sortedKeys(policies)[0], Confidence: diagnostics.Likely,
		Affects: affected(stopped), Weight: g.weight(stopped),
		Summary: fmt.Sprintf("NetworkPolicy %s selects the pods behind %s and lets no address of the load balancer in on tcp %d", joined(sortedKeys(policies)), some(len(stopped), len(g.registered()), "target"), stopped[0].hcPort),
		Evidence: []diagnostics.Evidence{g.evidence(stopped), {What: "network policies of " + stopped[0].pod.Namespace, Value: why, Source: "list networkpolicies.networking.k8s.io",
			Repeat: "kubectl get networkpolicies -n " + stopped[0].pod.Namespace + " -o yaml"}, {What: "enforced by", Value: enforcedBy(a.s.Enforcer), Source: "list daemonsets.apps",
			Repeat: "kubectl get daemonsets -n kube-system"}},
	}
	if confirmed {
		f.Confidence = diagnostics.Confirmed
	}
	a.report(f)
	return slices.DeleteFunc(ts, func(t *target) bool { return slices.Contains(stopped, t) })
}

func enforcedBy(e Enforcer) string {
	if len(e.Computed) > 0 {
		return fmt.Sprintf("PolicyEndpoints for %s", plural(len(e.Computed), "pod"))
	}
	return e.Name
}

// passesPolicy reports whether a pod that the same policies would keep the load balancer from answers it.
func (a *analysis) passesPolicy(g *group) bool {
	for _, t := range g.of(healthy, code) {
		for _, from := range a.front() {
			if t.pod != nil && from.Is4() == t.addr.Is4() && !netpol.Ingress(a.s.Policies, *t.pod, from, t.hcPort).Allowed {
				a.contradict("NetworkPolicies would keep the load balancer from %s too, and that target answers: they are not enforced there", t.name())
				return true
			}
		}
	}
	return false
}
