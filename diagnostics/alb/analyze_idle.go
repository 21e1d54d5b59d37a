package alb

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
)

// idle looks at targets that get no requests because of where they are, or because nothing uses their group.
func (a *analysis) idle(g *group) {
	var zone, detached []*target
	for _, t := range g.of(unused) {
		if outOfZone(t.TargetHealth) {
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
		if e, ok := a.subnetEvidence(); ok {
			f.Evidence = append(f.Evidence, e)
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
	if a.unattached(g, detached) {
		a.report(diagnostics.Finding{
			ID: "tg.detached", Subject: g.Name, Confidence: diagnostics.Confirmed, Affects: affected(detached), Weight: 100,
			Summary: fmt.Sprintf("no listener rule uses target group %s, so its %s %s no requests", g.Name, plural(len(detached), "target"), verb(len(detached), "gets", "get")),
			Evidence: []diagnostics.Evidence{g.evidence(detached), {What: "load balancers of " + g.Name, Value: "none", Source: "elasticloadbalancing:DescribeTargetGroups",
				Repeat: "aws elbv2 describe-target-groups --target-group-arns " + g.ARN}},
		})
	}
}

// unattached reports whether it is known that no listener rule uses a group: its targets say so, or the group itself does.
func (a *analysis) unattached(g *group, detached []*target) bool {
	if len(g.rules) > 0 || len(g.LoadBalancers) > 0 {
		return false
	}
	if len(detached) > 0 {
		return slices.ContainsFunc(detached, func(t *target) bool { return strings.Contains(t.Description, "not configured to receive traffic") }) || !a.s.missed("elasticloadbalancing:DescribeTargetGroups")
	}
	return a.s.Asked != nil && g.HealthRead && g.VPC != "" && !a.s.missed("elasticloadbalancing:DescribeTargetGroups")
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
