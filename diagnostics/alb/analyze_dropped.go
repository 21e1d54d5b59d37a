package alb

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/elb"
	"github.com/netdiag/netdiag/internal/netpol"
	"github.com/netdiag/netdiag/internal/vpc"
)

// unanswered looks at targets that don't answer although nothing in the VPC blocks them.
func (a *analysis) unanswered(g *group) {
	var lost, rest []*target
	for _, t := range g.of(drop) {
		switch {
		case g.byDesign(t):
		case t.eni == nil && a.lost(t):
			lost = append(lost, t)
		case t.verdict(t.hcPort) == vpc.Allowed:
			rest = append(rest, t)
		}
	}
	a.gone(g, lost)
	rest = a.secondHop(g, rest)
	rest = a.denied(g, rest)
	rest = a.nodeDown(g, rest)
	a.slow(g, rest)
}

// lost reports whether it is known that no interface carries the address of a target: the interfaces were read.
func (a *analysis) lost(t *target) bool {
	return t.addr.IsValid() && !a.s.missed("ec2:DescribeNetworkInterfaces")
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
			Summary: fmt.Sprintf("target %s is still registered in %s although no endpoint of %s/%s and no network interface has this address", t.name(), g.Name, g.namespace, g.service),
			Evidence: []diagnostics.Evidence{g.evidence([]*target{t}), g.serviceEvidence(), {
				What: "network interface with address " + t.ID, Value: "none", Source: "ec2:DescribeNetworkInterfaces",
				Repeat: "aws ec2 describe-network-interfaces --filters Name=addresses.private-ip-address,Values=" + t.ID}},
		})
	}
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
		used := rt.Main || slices.ContainsFunc(a.s.Balancer.Zones, func(z elb.Zone) bool { return slices.Contains(rt.Subnets, z.Subnet) })
		if !used {
			continue
		}
		best := -1
		var to string
		for _, r := range rt.Routes {
			if r.Destination.IsValid() && r.Destination.Contains(addr) && r.Destination.Bits() > best {
				best, to = r.Destination.Bits(), fmt.Sprintf("%s: %s → %s (%s)", rt.ID, r.Destination, r.Target, r.State)
			}
		}
		if to != "" {
			parts = append(parts, to)
		}
	}
	if len(parts) == 0 {
		return nil
	}
	slices.Sort(parts)
	return []diagnostics.Evidence{{What: "route from the load balancer to " + addr.String(), Value: strings.Join(parts, "; "), Source: "ec2:DescribeRouteTables",
		Repeat: "aws ec2 describe-route-tables --filters Name=vpc-id,Values=" + a.s.Balancer.VPC}}
}

// secondHop follows, in instance mode, the packet from the node on to the pods: kube-proxy may send it to any of them.
func (a *analysis) secondHop(g *group, ts []*target) []*target {
	if g.TargetType != "instance" || len(ts) == 0 || local(g.svc) {
		return ts
	}
	type stop struct {
		hop  vpc.Hop
		port int
	}
	blocked := map[string][]*target{}
	stops := map[string]stop{}
	for _, t := range ts {
		for _, e := range g.ready() {
			pod := a.s.network(a.s.Carriers[e.addr.String()])
			if pod == nil || pod.ID == t.eni.ID || (t.node != nil && e.node == t.node.Name) {
				continue
			}
			r := a.s.Firewall.Path(*t.eni, *pod, e.addr, e.port)
			for _, h := range r.Blocking() {
				if h.Kind != vpc.TargetIngress || r.Verdict != vpc.Denied {
					continue
				}
				group := a.chosen(h.Groups)
				if !slices.Contains(blocked[group], t) {
					blocked[group] = append(blocked[group], t)
				}
				stops[group] = stop{h, e.port}
			}
		}
	}
	for _, group := range sortedKeys(blocked) {
		s := stops[group]
		a.report(diagnostics.Finding{
			ID: "nodeport.cross-node-sg", Subject: group, Confidence: diagnostics.Confirmed, Affects: affected(blocked[group]), Weight: g.weight(blocked[group]),
			Summary: fmt.Sprintf("security group %s doesn't let nodes reach pods of other nodes on tcp %d, so node port requests of %s are lost when kube-proxy picks such a pod", group, s.port, g.Name),
			Evidence: []diagnostics.Evidence{g.evidence(blocked[group]), {What: "second hop, node to pod", Value: s.hop.Reason, Source: "ec2:DescribeSecurityGroupRules",
				Repeat: "aws ec2 describe-security-group-rules --filters Name=group-id,Values=" + strings.Join(s.hop.Groups, ",")}},
		})
	}
	return slices.DeleteFunc(ts, func(t *target) bool {
		for _, list := range blocked {
			if slices.Contains(list, t) {
				return true
			}
		}
		return false
	})
}

// local reports whether the Service keeps traffic on the node that it reaches.
func local(svc *corev1.Service) bool {
	return svc != nil && svc.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal
}

// byDesign reports whether the target is a node without a ready pod of a Service with externalTrafficPolicy Local:
// kube-proxy drops what comes to its node port, so that the load balancer leaves it out. There must be a node with one.
func (g *group) byDesign(t *target) bool {
	if g.TargetType != "instance" || !local(g.svc) || t.node == nil || !(t.class == drop || t.class == code && t.hcPort == int(g.svc.Spec.HealthCheckNodePort)) {
		return false
	}
	ready := g.ready()
	return len(ready) > 0 && !slices.ContainsFunc(ready, func(e endpoint) bool { return e.node == t.node.Name })
}

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

// nodeDown sees targets whose node is not ready, while others answer.
func (a *analysis) nodeDown(g *group, ts []*target) []*target {
	var down []*target
	for _, t := range ts {
		if t.node != nil && slices.ContainsFunc(t.node.Status.Conditions, func(c corev1.NodeCondition) bool {
			return c.Type == corev1.NodeReady && c.Status != corev1.ConditionTrue
		}) {
			down = append(down, t)
		}
	}
	if len(down) == 0 || len(g.of(healthy)) == 0 {
		return ts
	}
	a.report(diagnostics.Finding{
		ID: "host.firewall-or-proxy", Subject: "node/" + down[0].node.Name, Confidence: diagnostics.Possible, Affects: affected(down), Weight: g.weight(down),
		Summary: fmt.Sprintf("node %s is not ready and its targets don't answer, while others of %s do", down[0].node.Name, g.Name),
		Evidence: []diagnostics.Evidence{g.evidence(down), {What: "condition Ready of node " + down[0].node.Name, Value: "not True", Source: "list nodes",
			Repeat: "kubectl describe node " + down[0].node.Name}},
	})
	return slices.DeleteFunc(ts, func(t *target) bool { return slices.Contains(down, t) })
}

// slow sees a health endpoint that answers too late: the way is open, and connections of real requests succeed.
func (a *analysis) slow(g *group, ts []*target) {
	if len(ts) == 0 {
		return
	}
	var ev []diagnostics.Evidence
	served := a.measured() && a.lately(failedOpen) > 0 && a.lately(connectErrors) == 0 && a.lately(elb504) <= 0.01*a.lately(requests)
	if served {
		ev = append(ev, a.metric(failedOpen), a.metric(connectErrors), a.metric(elb504))
	}
	late := 0
	for _, t := range ts {
		if t.pod == nil {
			continue
		}
		for _, e := range a.events("Pod", t.pod.Namespace, t.pod.Name) {
			if e.Reason == "Unhealthy" && (strings.Contains(e.Message, "context deadline exceeded") || strings.Contains(e.Message, "Client.Timeout") || strings.Contains(e.Message, "timed out")) {
				late++
				ev = append(ev, eventEvidence(e))
				break
			}
		}
	}
	if a.measured() && a.lately(connectErrors) > 0 && !served {
		late = 0 // connections themselves fail: that is no slow answer
	}
	if !served && late == 0 {
		return
	}
	a.report(diagnostics.Finding{
		ID: "app.slow-health", Subject: g.subject(), Confidence: diagnostics.Likely, Affects: affected(ts), Weight: g.weight(ts) / 2,
		Summary: fmt.Sprintf("%s answers GET %s later than the %s of the health check, so %s of %s time out although they can be reached",
			g.subject(), g.Check.Path, g.Check.Timeout, some(len(ts), len(g.registered()), "target"), g.Name),
		Evidence: append([]diagnostics.Evidence{g.evidence(ts), g.checkEvidence()}, ev[:min(len(ev), 5)]...),
	})
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
