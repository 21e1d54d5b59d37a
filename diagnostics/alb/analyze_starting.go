package alb

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

// starting looks at a load balancer that is being set up and at targets that are too new to judge. Where others are
// healthy, new targets explain nothing that something else explains.
func (a *analysis) starting() {
	lb := a.s.Balancer
	if lb == nil || a.found("lb.initializing") {
		return
	}
	if lb.State == "provisioning" {
		a.report(diagnostics.Finding{
			ID: "lb.initializing", Subject: lb.Name, Confidence: diagnostics.Confirmed, Weight: 50, Affects: affected(a.of(initial)),
			Summary: fmt.Sprintf("load balancer %s is being set up, which takes some minutes: wait until its state is active", lb.Name),
			Evidence: []diagnostics.Evidence{{What: "state of " + lb.Name, Value: lb.State, Source: "elasticloadbalancing:DescribeLoadBalancers",
				Repeat: "aws elbv2 describe-load-balancers --names " + lb.Name}},
		})
		return
	}
	if a.found("sg.target-ingress", "sg.alb-egress", "nacl.forward", "nacl.return") {
		return
	}
	for _, g := range a.groups {
		if len(g.of(healthy)) == 0 || !a.troubled() {
			a.fresh(g)
		}
	}
}

// of lists the targets of all groups in one of the classes.
func (m *model) of(classes ...class) []*target {
	var out []*target
	for _, g := range m.groups {
		out = append(out, g.of(classes...)...)
	}
	return out
}

// fresh reports targets in their first health checks that are new enough for it.
func (a *analysis) fresh(g *group) {
	limit := g.grace()
	var young, old []*target
	var newest time.Time
	for _, t := range g.of(initial) {
		since, known := a.bornAt(t)
		switch {
		case a.s.Now.Sub(since) < limit:
			young = append(young, t)
			if since.After(newest) {
				newest = since
			}
		case known:
			old = append(old, t)
		}
	}
	if len(old) > 0 {
		since, _ := a.bornAt(old[0])
		a.contradict("%s still in first health checks since %s, although these are over within %s: something else keeps %s there", joined(names(old))+verb(len(old), " is", " are"), clock(since), limit, verb(len(old), "it", "them"))
	}
	if len(young) == 0 {
		return
	}
	a.report(diagnostics.Finding{
		ID: "lb.initializing", Subject: g.Name, Confidence: diagnostics.Confirmed, Affects: affected(young), Weight: 20,
		Summary: fmt.Sprintf("%s of %s %s new, the newest since %s, and in first health checks: wait until %s, no longer than %s in all",
			some(len(young), len(g.registered()), "target"), g.Name, verb(len(young), "is", "are"), clock(newest), clock(newest.Add(limit)), limit),
		Evidence: []diagnostics.Evidence{g.evidence(young), g.checkEvidence()},
	})
}

// grace is how long first health checks may take: all the checks that make a target healthy, and a minute for registration.
func (g *group) grace() time.Duration {
	return g.Check.Interval*time.Duration(max(g.Check.Healthy, 1)) + time.Minute
}

// bornAt is the earliest that a target can have been registered: once its containers were ready, or its node was there, and
// its group and load balancer too. Where known is false it may be newer.
func (a *analysis) bornAt(t *target) (at time.Time, known bool) {
	switch {
	case t.pod != nil:
		at = readySince(t.pod)
	case t.node != nil:
		at = t.node.CreationTimestamp.Time
	}
	known = !at.IsZero()
	later := func(x time.Time) {
		if x.After(at) {
			at = x
		}
	}
	later(a.s.Balancer.Created)
	if b := t.group.binding; b != nil {
		later(b.Created)
	}
	for _, e := range a.s.Audit {
		if e.Name == "RegisterTargets" && e.Error == "" && touches(e, t.group.ARN) && touches(e, t.ID) {
			later(e.At)
		}
	}
	return at, known
}

// readySince is when the containers of a pod became ready. With a readiness gate the pod itself is only ready once its target
// is healthy, and it is registered before.
func readySince(p *corev1.Pod) time.Time {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.ContainersReady && c.Status == corev1.ConditionTrue {
			return c.LastTransitionTime.Time
		}
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			return c.LastTransitionTime.Time
		}
	}
	return time.Time{}
}
