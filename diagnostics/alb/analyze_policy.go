package alb

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/netpol"
)

// arrival is a connection as it reaches a pod: where it seems to come from, and the port of the pod.
type arrival struct {
	from netip.Addr
	pod  *corev1.Pod
	port int
}

// arrivals lists how the load balancer's connections to a target reach pods. To an address they come from the load
// balancer's own; to a node port they come from the node, because kube-proxy puts its address in (but with
// externalTrafficPolicy Local), and pods of the same node are reached past the policies.
func (a *analysis) arrivals(t *target, port int) []arrival {
	g := t.group
	var out []arrival
	fromFront := func(pod *corev1.Pod, port int) {
		for _, from := range a.front() {
			if pod != nil && from.Is4() == podAddr(pod, t.addr).Is4() {
				out = append(out, arrival{from, pod, port})
			}
		}
	}
	if g.TargetType != "instance" {
		fromFront(t.pod, port)
		return out
	}
	if port != t.port {
		return nil // a port of the node itself
	}
	for _, e := range g.ready() {
		here := t.node != nil && e.node == t.node.Name
		pod := a.s.pod(g.namespace, e.pod)
		switch {
		case pod == nil:
		case local(g.svc) && here:
			fromFront(pod, e.port)
		case !local(g.svc) && !here && t.eni != nil && t.eni.Primary.Is4() == e.addr.Is4():
			out = append(out, arrival{t.eni.Primary, pod, e.port})
		}
	}
	return out
}

// podAddr is the address of a pod in the family of addr.
func podAddr(p *corev1.Pod, addr netip.Addr) netip.Addr {
	for _, ip := range p.Status.PodIPs {
		if x, err := netip.ParseAddr(ip.IP); err == nil && x.Is4() == addr.Is4() {
			return x
		}
	}
	return addr
}

// refusedArrivals lists those that the network policies keep out.
func (a *analysis) refusedArrivals(t *target, port int) (kept, all []arrival) {
	all = a.arrivals(t, port)
	for _, x := range all {
		if !netpol.Ingress(a.s.Policies, *x.pod, x.from, x.port).Allowed {
			kept = append(kept, x)
		}
	}
	return kept, all
}

// denied asks the network policies about targets that don't answer. They speak only where something enforces them, and a
// target of the same pods that answers proves that they don't. Behind another block they are latent.
func (a *analysis) denied(g *group, ts []*target, latent bool) []*target {
	if (a.s.Enforcer.Name == "" && len(a.s.Enforcer.Computed) == 0) || len(a.s.Enforcer.Foreign) > 0 {
		return ts // nothing enforces them, or policies of other kinds have their say too
	}
	var stopped []*target
	var kept, all []arrival
	for _, t := range ts {
		k, n := a.refusedArrivals(t, t.hcPort)
		if len(k) > 0 {
			stopped = append(stopped, t)
		}
		kept, all = append(kept, k...), append(all, n...)
	}
	if len(stopped) == 0 || a.passesPolicy(g) {
		return ts
	}
	f := a.policyFinding(g, stopped, kept, all)
	f.Latent = latent
	a.report(f)
	return slices.DeleteFunc(ts, func(t *target) bool { return slices.Contains(stopped, t) })
}

// deniedTraffic asks the network policies about the port of the traffic where health checks go to another one and pass:
// all targets are green then, and requests get 504.
func (a *analysis) deniedTraffic(g *group) {
	if (a.s.Enforcer.Name == "" && len(a.s.Enforcer.Computed) == 0) || len(a.s.Enforcer.Foreign) > 0 || !a.measured() || a.total(elb504)+a.total(connectErrors) == 0 {
		return
	}
	var stopped []*target
	var kept, all []arrival
	for _, t := range g.of(healthy) {
		if t.port == t.hcPort {
			continue
		}
		k, n := a.refusedArrivals(t, t.port)
		if len(k) > 0 {
			stopped = append(stopped, t)
		}
		kept, all = append(kept, k...), append(all, n...)
	}
	if len(stopped) == 0 || len(stopped) < len(g.of(healthy)) {
		return
	}
	f := a.policyFinding(g, stopped, kept, all)
	f.Summary += ", while the health check port is open: all targets look healthy and requests get 504"
	f.Evidence = append(f.Evidence, a.metric(elb504), a.metric(connectErrors))
	a.report(f)
}

// policyFinding tells which policies keep the load balancer out of which pods.
func (a *analysis) policyFinding(g *group, stopped []*target, kept, all []arrival) diagnostics.Finding {
	first := kept[0]
	policies := map[string]bool{}
	var sources, ports []string
	computed := true
	for _, x := range kept {
		for _, p := range netpol.Ingress(a.s.Policies, *x.pod, x.from, x.port).Policies {
			policies[p] = true
		}
		sources, ports = append(sources, x.from.String()), append(ports, fmt.Sprint(x.port))
		computed = computed && slices.Contains(a.s.Enforcer.Computed, x.pod.Namespace+"/"+x.pod.Name)
	}
	who := "the load balancer"
	if first.from == cmp.Or(stopped[0].nodeAddr(), netip.Addr{}) {
		who = "the nodes through which the load balancer comes"
	}
	lets := fmt.Sprintf("no address of %s in", who)
	if len(kept) < len(all) {
		lets = fmt.Sprintf("%s in from some addresses only (not from %s)", who, joined(sorted(sources)))
	}
	f := diagnostics.Finding{
		ID: "netpol.deny", Subject: "networkpolicy/" + first.pod.Namespace + "/" + sortedKeys(policies)[0], Confidence: diagnostics.Likely,
		Affects: affected(stopped), Weight: g.weight(stopped),
		Summary: fmt.Sprintf("NetworkPolicy %s %s the pods behind %s of %s and %s %s on tcp %s: peers chosen by labels never match a load balancer", joined(sortedKeys(policies)),
			verb(len(policies), "selects", "select"), some(len(stopped), len(g.registered()), "target"), g.Name, verb(len(policies), "lets", "let"), lets, joined(sorted(ports))),
		Evidence: []diagnostics.Evidence{g.evidence(stopped), {What: "network policies of " + first.pod.Namespace, Value: netpol.Ingress(a.s.Policies, *first.pod, first.from, first.port).Reason, Source: "list networkpolicies.networking.k8s.io",
			Repeat: "kubectl get networkpolicies -n " + first.pod.Namespace + " -o yaml"}, {What: "enforced by", Value: enforcedBy(a.s.Enforcer), Source: "list daemonsets.apps",
			Repeat: "kubectl get daemonsets -n kube-system"}},
	}
	if computed && len(kept) == len(all) && g.TargetType == "ip" {
		f.Confidence = diagnostics.Confirmed // the VPC CNI says itself that it enforces them for these pods
	}
	return f
}

// nodeAddr is the address by which a node that is a target reaches pods of other nodes.
func (t *target) nodeAddr() netip.Addr {
	if t.group.TargetType != "instance" || t.eni == nil {
		return netip.Addr{}
	}
	return t.eni.Primary
}

func enforcedBy(e Enforcer) string {
	if len(e.Computed) > 0 {
		return strings.TrimPrefix(e.Name+", with ", ", with ") + fmt.Sprintf("PolicyEndpoints for %s", plural(len(e.Computed), "pod"))
	}
	return e.Name
}

// passesPolicy reports whether a pod that the same policies would keep the load balancer from answers it.
func (a *analysis) passesPolicy(g *group) bool {
	for _, t := range g.of(healthy, code, refuse) {
		if kept, all := a.refusedArrivals(t, t.hcPort); len(kept) > 0 && len(kept) == len(all) {
			a.contradict("NetworkPolicies would keep the load balancer from %s too, and that target answers: they are not enforced there", t.name())
			return true
		}
	}
	return false
}
