package alb

import (
	"fmt"
	"slices"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
)

// strays reports whether the pod that has a target's address now is none of the Service's: it has other labels, or is in
// another namespace. Targets of another cluster in a shared group are not looked at.
func (g *group) strays(t *target) bool {
	if g.TargetType != "ip" || g.svc == nil || len(g.svc.Spec.Selector) == 0 || t.pod == nil || g.has(t.addr) || g.m.s.missedIn("list endpointslices.discovery.k8s.io", g.namespace) ||
		(g.binding != nil && g.binding.MultiCluster) {
		return false
	}
	return t.pod.Namespace != g.namespace || !matches(g.svc.Spec.Selector, t.pod.Labels)
}

// reused reports targets whose address belongs to a pod of somebody else by now. Those on their way out are no fault, and
// those of a second owner are told with it.
func (a *analysis) reused(g *group) {
	if a.found("tg.two-owners") {
		return
	}
	strays := slices.DeleteFunc(g.registered(), func(t *target) bool {
		start := time.Time{}
		if t.pod != nil && t.pod.Status.StartTime != nil {
			start = t.pod.Status.StartTime.Time
		}
		return !t.stray || t.class == unused || a.s.Now.Sub(start) < time.Minute // the controller may be about to take it out
	})
	for _, t := range strays {
		gets := "it fails the health check of somebody else's Service"
		if t.class == healthy {
			gets = "requests go to it that aren't meant for it"
		}
		a.report(diagnostics.Finding{
			ID: "target.reused-ip", Subject: t.ID, Confidence: diagnostics.Confirmed, Affects: []string{t.affects(), "pod/" + t.pod.Namespace + "/" + t.pod.Name}, Weight: g.weight(strays),
			Summary: fmt.Sprintf("target %s of %s is the address of pod %s/%s, which is not behind Service %s/%s: it was registered for a pod that is gone, and %s",
				t.name(), g.Name, t.pod.Namespace, t.pod.Name, g.namespace, g.service, gets),
			Evidence: []diagnostics.Evidence{g.evidence([]*target{t}), g.serviceEvidence(), {What: "pod with address " + t.ID, Value: fmt.Sprintf("%s/%s (%s)", t.pod.Namespace, t.pod.Name, labels(t.pod.Labels)), Source: "list pods",
				Repeat: "kubectl get pods -A -o wide --field-selector status.podIP=" + t.ID}},
		})
	}
}
