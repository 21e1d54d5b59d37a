package alb

import (
	"fmt"
	"slices"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
)

// traffic asks what requests meet where the targets don't explain it: names that lead elsewhere, a load balancer at its
// limits, and, with every target healthy, the shape of the errors. Errors that come in bursts, errors that go on, those
// of the application and those that the load balancer makes before it has chosen a target are separate questions.
func (a *analysis) traffic() {
	explained := a.troubled()
	a.resolution()
	a.login()
	a.capacity()
	a.terminated()
	if explained || !a.allHealthy() || !a.measured() {
		return
	}
	a.collapse()
	a.migration()
	bursts := a.found("node.termination") || oneOf(a.crashed, a.expired, a.drained)
	if !bursts || a.counts(elb502, elb504).Flat() {
		oneOf(a.wrongPort, a.bigHeaders, a.malformed, a.slowPath, a.keepAlive)
	}
	oneOf(a.version464, a.blocked)
	a.own5xx()
}

// oneOf asks questions until one is answered.
func oneOf(questions ...func() bool) bool {
	return slices.ContainsFunc(questions, func(ask func() bool) bool { return ask() })
}

// migration recognises a moment without targets in the past: rules moved to a new target group before it was filled.
func (a *analysis) migration() {
	bursts := a.counts(elb503).Bursts()
	if len(bursts) == 0 || a.lately(elb503) > 0 {
		return
	}
	start, end := bursts[0].Start, bursts[len(bursts)-1].End
	for _, g := range a.groups {
		var ev []diagnostics.Evidence
		for _, e := range a.s.Audit {
			if e.Name == "CreateTargetGroup" && touches(e, g.ARN) && near503(e.At, start, end) {
				ev = append(ev, auditEvidence(e, g.ARN))
			}
		}
		if g.binding != nil && near503(g.binding.Created, start, end) && a.s.Ingress != nil && a.s.Ingress.CreationTimestamp.Time.Before(start.Add(-10*time.Minute)) {
			ev = append(ev, diagnostics.Evidence{What: "TargetGroupBinding " + g.binding.Name, Value: "made at " + clock(g.binding.Created), Source: "list targetgroupbindings.elbv2.k8s.aws",
				Repeat: fmt.Sprintf("kubectl get targetgroupbinding %s -n %s -o yaml", g.binding.Name, g.binding.Namespace)})
		}
		if len(ev) == 0 {
			continue
		}
		a.report(diagnostics.Finding{
			ID: "tg.migration-gap", Subject: g.Name, Confidence: diagnostics.Likely, Weight: 30,
			Summary: fmt.Sprintf("from %s to %s clients got %.0f answers 503: the rules had moved to the new target group %s before its targets were registered; it is over now",
				clock(start), clock(end), a.total(elb503), g.Name),
			Evidence: append([]diagnostics.Evidence{a.metric(elb503)}, ev...),
		})
		return
	}
}

func near503(t, start, end time.Time) bool {
	return t.After(start.Add(-3*time.Minute)) && t.Before(end.Add(3*time.Minute))
}
