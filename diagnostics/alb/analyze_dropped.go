package alb

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/elb"
	"github.com/netdiag/netdiag/internal/vpc"
)

// unanswered looks at targets that don't answer although nothing in the VPC blocks them.
func (a *analysis) unanswered(g *group) {
	var lost, rest, blocked []*target
	for _, t := range g.of(drop) {
		switch v := t.verdict(t.hcPort); {
		case g.byDesign(t), t.stray:
		case t.eni == nil && a.lost(t):
			lost = append(lost, t)
		case v == vpc.Allowed:
			rest = append(rest, t)
		case v != vpc.Unknown:
			blocked = append(blocked, t)
		}
	}
	a.leftOut(g)
	a.gone(g, lost)
	rest = a.secondHop(g, rest, false)
	rest = a.denied(g, rest, false)
	a.secondHop(g, blocked, true) // what would show once the first place lets the packets through
	a.denied(g, blocked, true)
	a.deniedTraffic(g)
	rest = a.oneNode(g, rest)
	a.slow(g, rest)
}

// lost reports whether it is known that no interface carries the address of a target: the interfaces were read.
func (a *analysis) lost(t *target) bool {
	return t.addr.IsValid() && !a.s.missed("ec2:DescribeNetworkInterfaces") && !slices.Contains(a.s.Unlooked, t.ID)
}

// gone tells targets outside the VPC from addresses that nobody has any more.
func (a *analysis) gone(g *group, ts []*target) {
	if a.found("tg.two-owners") {
		return // the other owner's targets are not ours to judge
	}
	for _, t := range ts {
		in, known := a.s.inVPC(t.addr)
		if t.Zone == "all" || (known && !in) {
			a.report(diagnostics.Finding{
				ID: "route.off-vpc", Subject: t.ID, Confidence: diagnostics.Possible, Affects: []string{t.affects()}, Weight: g.weight([]*target{t}),
				Summary: fmt.Sprintf("target %s lies outside the VPC of the load balancer and doesn't answer: the network between them, and its way back to the load balancer's subnets, is not visible from here", t.name()),
				Evidence: append([]diagnostics.Evidence{g.evidence([]*target{t}), a.vpcEvidence()},
					a.routeEvidence(t.addr)...),
			})
			continue
		}
		if t.pod != nil || g.has(t.addr) || !known || a.s.missed("list endpointslices.discovery.k8s.io") {
			continue
		}
		a.report(diagnostics.Finding{
			ID: "target.stale-ip", Subject: t.ID, Confidence: diagnostics.Confirmed, Affects: []string{t.affects()}, Weight: g.weight([]*target{t}),
			Summary: fmt.Sprintf("target %s is still registered in %s although no endpoint of %s/%s and no network interface has this address%s", t.name(), g.Name, g.namespace, g.service, g.waiting()),
			Evidence: []diagnostics.Evidence{g.evidence([]*target{t}), g.serviceEvidence(), {
				What: "network interface with address " + t.ID, Value: "none", Source: "ec2:DescribeNetworkInterfaces",
				Repeat: "aws ec2 describe-network-interfaces --filters Name=addresses.private-ip-address,Values=" + t.ID}},
		})
	}
}

// waiting says how many ready endpoints are not registered; empty where all are.
func (g *group) waiting() string {
	n := 0
	for _, e := range g.ready() {
		if !slices.ContainsFunc(g.list, func(t *target) bool { return t.addr == e.addr }) {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", while %s %s not registered: nobody keeps the target group up to date", plural(n, "ready endpoint"), verb(n, "is", "are"))
}

// has reports whether the address is an endpoint of the Service, ready or not.
func (g *group) has(addr netip.Addr) bool {
	return slices.ContainsFunc(g.endpoints, func(e endpoint) bool { return e.addr == addr })
}

func (a *analysis) vpcEvidence() diagnostics.Evidence {
	var cidrs []string
	if a.s.VPC != nil {
		for _, c := range a.s.VPC.CIDRs {
			cidrs = append(cidrs, c.String())
		}
	}
	return diagnostics.Evidence{What: "blocks of " + a.s.Balancer.VPC, Value: joined(cidrs), Source: "ec2:DescribeVpcs", Repeat: "aws ec2 describe-vpcs --vpc-ids " + a.s.Balancer.VPC}
}

// routeEvidence says where the route tables of the load balancer's subnets send the address.
func (a *analysis) routeEvidence(addr netip.Addr) []diagnostics.Evidence {
	var parts []string
	for _, rt := range a.s.Routes {
		if !a.routes(rt) {
			continue
		}
		best := -1
		to := rt.ID + ": none"
		for _, r := range rt.Routes {
			if r.Destination.IsValid() && r.Destination.Contains(addr) && r.Destination.Bits() > best {
				best, to = r.Destination.Bits(), fmt.Sprintf("%s: %s → %s (%s)", rt.ID, r.Destination, r.Target, r.State)
			}
		}
		parts = append(parts, to)
	}
	if len(parts) == 0 {
		return nil
	}
	slices.Sort(parts)
	return []diagnostics.Evidence{{What: "route from the load balancer to " + addr.String(), Value: strings.Join(parts, "; "), Source: "ec2:DescribeRouteTables",
		Repeat: "aws ec2 describe-route-tables --filters Name=vpc-id,Values=" + a.s.Balancer.VPC}}
}

// routes reports whether a subnet of the load balancer follows the route table: its own, or the main one where it has none.
func (a *analysis) routes(rt vpc.RouteTable) bool {
	return slices.ContainsFunc(a.s.Balancer.Zones, func(z elb.Zone) bool {
		own := slices.ContainsFunc(a.s.Routes, func(o vpc.RouteTable) bool { return slices.Contains(o.Subnets, z.Subnet) })
		return slices.Contains(rt.Subnets, z.Subnet) || rt.Main && !own
	})
}

// slow sees a health endpoint that answers too late: the way is open, and connections of real requests succeed, or the
// kubelet's own probes are answered too late. Policies that can't be judged leave it a possibility.
func (a *analysis) slow(g *group, ts []*target) {
	if len(ts) == 0 {
		return
	}
	var ev []diagnostics.Evidence
	served := a.measured() && g.failsOpen() && a.lately(failedOpen) > 0 && a.lately(connectErrors) == 0 && a.lately(elb504) <= 0.01*a.lately(requests)
	if served {
		ev = append(ev, a.metric(failedOpen), a.metric(connectErrors), a.metric(elb504))
	}
	late := 0
	for _, t := range ts {
		if e := a.lateProbe(t); e != nil {
			late++
			ev = append(ev, eventEvidence(*e))
		}
	}
	if a.measured() && a.lately(connectErrors) > 0 && !served {
		late = 0 // connections themselves fail: that is no slow answer
	}
	if !served && late == 0 {
		return
	}
	f := diagnostics.Finding{
		ID: "app.slow-health", Subject: g.subject(), Confidence: diagnostics.Likely, Affects: affected(ts), Weight: g.weight(ts) / 2,
		Summary: fmt.Sprintf("%s answers GET %s later than the %s of the health check, so %s of %s time out although they can be reached",
			g.subject(), g.Check.Path, g.Check.Timeout, some(len(ts), len(g.registered()), "target"), g.Name),
		Evidence: append([]diagnostics.Evidence{g.evidence(ts), g.checkEvidence()}, ev[:min(len(ev), 5)]...),
	}
	if !served && (len(a.s.Enforcer.Foreign) > 0 || a.s.missed("list networkpolicies.networking.k8s.io")) {
		f.Confidence = diagnostics.Possible
	}
	a.report(f)
}

// subject is the Service behind the group, or the group itself.
func (g *group) subject() string {
	if g.service == "" {
		return g.Name
	}
	return "service/" + g.namespace + "/" + g.service
}

func sortedKeys[V any](m map[string]V) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
