package alb

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/vpc"
)

// nodeHop is the way of a node port request from the node on to a pod of another node: kube-proxy may send it to any pod.
type nodeHop struct {
	t        *target
	from, to *vpc.NetworkInterface
	addr     netip.Addr
	port     int
	reach    vpc.Reach
	group    string // of the pod's interface, that lacks the rule; empty where none does
}

func (h nodeHop) in(group string) bool { return h.group == group }

// hops lists the second hops of targets. A pod on the node itself is reached without leaving it.
func (a *analysis) hops(g *group, ts []*target) []nodeHop {
	var out []nodeHop
	for _, t := range ts {
		for _, e := range g.ready() {
			to := a.s.network(a.s.Carriers[e.addr.String()])
			if to == nil || t.eni == nil || to.ID == t.eni.ID || (t.node != nil && e.node == t.node.Name) {
				continue
			}
			h := nodeHop{t: t, from: t.eni, to: to, addr: e.addr, port: e.port, reach: a.s.Firewall.Path(*t.eni, *to, e.addr, e.port)}
			for _, b := range h.reach.Blocking() {
				if b.Kind == vpc.TargetIngress && h.reach.Verdict == vpc.Denied {
					h.group = a.chosen(b.Groups)
				}
			}
			out = append(out, h)
		}
	}
	return out
}

// secondHop follows, in instance mode, the packet from the node on to the pods. Where it doesn't even reach the node, what it
// would meet behind is latent.
func (a *analysis) secondHop(g *group, ts []*target, latent bool) []*target {
	if g.TargetType != "instance" || len(ts) == 0 || local(g.svc) || a.hopDisproved(g) {
		return ts
	}
	blocked := map[string][]nodeHop{}
	all := a.hops(g, ts)
	for _, h := range all {
		if h.group != "" {
			blocked[h.group] = append(blocked[h.group], h)
		}
	}
	var stopped []*target
	for _, group := range sortedKeys(blocked) {
		hs := blocked[group]
		var affects []*target
		var ports []string
		var reason vpc.Hop
		for _, h := range hs {
			if !slices.Contains(affects, h.t) {
				affects = append(affects, h.t)
			}
			ports = append(ports, fmt.Sprint(h.port))
			for _, b := range h.reach.Blocking() {
				if b.Kind == vpc.TargetIngress {
					reason = b
				}
			}
		}
		a.report(diagnostics.Finding{
			ID: "nodeport.cross-node-sg", Subject: group, Confidence: diagnostics.Confirmed, Latent: latent, Affects: affected(affects), Weight: g.weight(affects),
			Summary: fmt.Sprintf("security group %s doesn't let nodes reach pods of other nodes on tcp %s: %d of %d ways from a node on to a pod are closed, so node port requests of %s are lost when kube-proxy picks such a pod",
				group, joined(sorted(ports)), len(hs), len(all), g.Name),
			Evidence: []diagnostics.Evidence{g.evidence(affects), {What: "second hop, node to pod", Value: reason.Reason, Source: "ec2:DescribeSecurityGroupRules",
				Repeat: "aws ec2 describe-security-group-rules --filters Name=group-id,Values=" + strings.Join(reason.Groups, ",")}, g.serviceEvidence()},
		})
		stopped = append(stopped, affects...)
	}
	return slices.DeleteFunc(ts, func(t *target) bool { return slices.Contains(stopped, t) })
}

// hopDisproved reports whether a node without a pod of its own answers although every way on from it seems closed.
func (a *analysis) hopDisproved(g *group) bool {
	for _, t := range g.of(healthy, code, refuse) {
		hs := a.hops(g, []*target{t})
		if len(hs) == 0 || len(hs) < len(g.ready()) || slices.ContainsFunc(hs, func(h nodeHop) bool { return h.group == "" }) {
			continue
		}
		a.contradict("the model says that node %s can't reach any pod behind its node port, and it answers: something that was not read lets nodes reach pods", t.name())
		return true
	}
	return false
}

// portFrom is a rule that lets a group in on a port.
type portFrom struct {
	group string
	port  int
}

// sourcesOf lists the rules that would open the closed second hops into a group: from the group that all nodes have in
// common, itself where it is that, else from one group of each.
func (a *analysis) sourcesOf(hops []nodeHop, group string) []portFrom {
	var ports []int
	var common, each []string
	first := true
	for _, h := range hops {
		if !h.in(group) {
			continue
		}
		ports, each = append(ports, h.port), append(each, a.chosen(sorted(slices.Clone(h.from.Groups))))
		if first {
			common, first = sorted(slices.Clone(h.from.Groups)), false
			continue
		}
		common = slices.DeleteFunc(common, func(g string) bool { return !slices.Contains(h.from.Groups, g) })
	}
	sources := sorted(each)
	if slices.Contains(common, group) {
		sources = []string{group}
	} else if len(common) > 0 {
		sources = common[:1]
	}
	slices.Sort(ports)
	var out []portFrom
	for _, port := range slices.Compact(ports) {
		for _, s := range sources {
			out = append(out, portFrom{s, port})
		}
	}
	return out
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

// leftOut tells of nodes that stay unhealthy by design where other targets of the group are in trouble: whatever is done
// about those, these will not become healthy. By itself it is no trouble, and then it is only said to be in order.
func (a *analysis) leftOut(g *group) {
	ts := slices.DeleteFunc(slices.Clone(g.list), func(t *target) bool { return !g.byDesign(t) })
	if len(ts) == 0 || len(ts) == len(g.bad()) {
		return
	}
	a.report(diagnostics.Finding{
		ID: "etp.local-no-pod", Subject: g.subject(), Confidence: diagnostics.Confirmed, Latent: true, Affects: affected(ts),
		Summary: fmt.Sprintf("%s of %s are nodes without a ready pod of Service %s/%s, whose externalTrafficPolicy is Local: they stay unhealthy by design, whatever is done about the others", some(len(ts), len(g.registered()), "target"), g.Name, g.namespace, g.service),
		Evidence: []diagnostics.Evidence{g.evidence(ts), g.serviceEvidence(), {What: "externalTrafficPolicy of Service " + g.namespace + "/" + g.service, Value: string(g.svc.Spec.ExternalTrafficPolicy), Source: "list services",
			Repeat: fmt.Sprintf("kubectl get service %s -n %s -o jsonpath='{.spec.externalTrafficPolicy}'", g.service, g.namespace)}},
	})
}
