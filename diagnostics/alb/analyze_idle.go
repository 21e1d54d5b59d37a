package alb

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

// idle looks at targets that get no requests because of where they are, or because nothing uses their group.
func (a *analysis) idle(g *group) {
	var zone, detached []*target
	for _, t := range g.of(unused) {
		if strings.Contains(t.Description, "Availability Zone that is not enabled") {
			zone = append(zone, t)
		} else if t.Reason == "Target.NotInUse" {
			detached = append(detached, t)
		}
	}
	if len(zone) > 0 {
		zones := map[string]bool{}
		for _, t := range zone {
			zones[t.zoneName()] = true
		}
		f := diagnostics.Finding{
			ID: "az.not-enabled", Subject: a.balancerName(), Confidence: diagnostics.Confirmed, Affects: affected(zone), Weight: g.weight(zone),
			Summary:  fmt.Sprintf("%s of %s %s in %s, which is not enabled for load balancer %s, and %s no requests", some(len(zone), len(g.registered()), "target"), g.Name, verb(len(zone), "lies", "lie"), joined(sortedKeys(zones)), a.balancerName(), verb(len(zone), "gets", "get")),
			Evidence: []diagnostics.Evidence{g.evidence(zone)},
		}
		if a.s.Balancer != nil {
			var enabled []string
			for _, z := range a.s.Balancer.Zones {
				enabled = append(enabled, z.Name)
			}
			f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "zones of " + a.s.Balancer.Name, Value: joined(sorted(enabled)), Source: "elasticloadbalancing:DescribeLoadBalancers",
				Repeat: "aws elbv2 describe-load-balancers --names " + a.s.Balancer.Name})
		}
		a.report(f)
	}
	if len(detached) > 0 && len(g.rules) == 0 && len(g.LoadBalancers) == 0 {
		a.report(diagnostics.Finding{
			ID: "tg.detached", Subject: g.Name, Confidence: diagnostics.Confirmed, Affects: affected(detached), Weight: 100,
			Summary: fmt.Sprintf("no listener rule uses target group %s, so its %s get no requests", g.Name, plural(len(detached), "target")),
			Evidence: []diagnostics.Evidence{g.evidence(detached), {What: "load balancers of " + g.Name, Value: "none", Source: "elasticloadbalancing:DescribeTargetGroups",
				Repeat: "aws elbv2 describe-target-groups --target-group-arns " + g.ARN}},
		})
	}
}

func (t *target) zoneName() string { return cmp.Or(t.TargetHealth.Zone, t.zoneOf(), "another zone") }

// zoneOf is the zone of the interface that carries the target; empty where that is not known.
func (t *target) zoneOf() string {
	if t.eni == nil {
		return ""
	}
	return t.eni.Zone
}

func (m *model) balancerName() string {
	if m.s.Balancer == nil {
		return "the load balancer"
	}
	return m.s.Balancer.Name
}

// starting looks at targets that are too new to judge.
func (a *analysis) starting(g *group) {
	ts := g.of(initial)
	if lb := a.s.Balancer; lb != nil && lb.State == "provisioning" && len(ts) == 0 && !a.found("lb.initializing") {
		a.report(diagnostics.Finding{
			ID: "lb.initializing", Subject: lb.Name, Confidence: diagnostics.Confirmed, Weight: 50, Summary: fmt.Sprintf("load balancer %s is being set up, which takes some minutes", lb.Name),
			Evidence: []diagnostics.Evidence{{What: "state of " + lb.Name, Value: lb.State, Source: "elasticloadbalancing:DescribeLoadBalancers", Repeat: "aws elbv2 describe-load-balancers --names " + lb.Name}},
		})
		return
	}
	if len(ts) == 0 || a.s.Balancer == nil || a.found("sg.target-ingress", "sg.alb-egress", "nacl.forward", "nacl.return") {
		return
	}
	limit := g.grace()
	fresh := func(since time.Time) bool { return a.s.Now.Sub(since) < limit+time.Minute }
	var young []*target
	for _, t := range ts {
		if t.pod == nil || fresh(readySince(t.pod)) || (g.binding != nil && fresh(g.binding.Created)) || fresh(a.s.Balancer.Created) {
			young = append(young, t)
		}
	}
	if len(young) == 0 {
		return
	}
	a.report(diagnostics.Finding{
		ID: "lb.initializing", Subject: g.Name, Confidence: diagnostics.Confirmed, Affects: affected(young), Weight: 20,
		Summary:  fmt.Sprintf("%s of %s %s new and in first health checks: wait up to %s", some(len(young), len(g.registered()), "target"), g.Name, verb(len(young), "is", "are"), limit),
		Evidence: []diagnostics.Evidence{g.evidence(young), g.checkEvidence()},
	})
}

// grace is how long first health checks may take: all the checks that make a target healthy, and a minute for registration.
func (g *group) grace() time.Duration {
	return g.Check.Interval*time.Duration(max(g.Check.Healthy, 1)) + time.Minute
}

func readySince(p *corev1.Pod) time.Time {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			return c.LastTransitionTime.Time
		}
	}
	return time.Time{}
}

// open reports that a group fails open: with no healthy target left, requests go to all of them.
func (a *analysis) open(g *group) {
	if !g.failsOpen() || len(g.rules) == 0 {
		return
	}
	ts := g.registered()
	f := diagnostics.Finding{
		ID: "lb.fail-open", Subject: g.Name, Confidence: diagnostics.Confirmed, Affects: affected(ts),
		Summary:  fmt.Sprintf("no target of %s is healthy, so the load balancer sends requests to %s: they succeed where the application can be reached and answers", g.Name, them(len(ts))),
		Evidence: []diagnostics.Evidence{g.evidence(ts)},
	}
	if a.measured() {
		f.Evidence = append(f.Evidence, a.metric(failedOpen))
	}
	a.report(f)
}
