package alb

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/netpol"
)

// fixPolicy offers the text of a policy that lets the load balancer's subnets in; its addresses change, its subnets don't.
// Behind node ports it is the subnets of the nodes.
func (a *analysis) fixPolicy(f diagnostics.Finding) {
	g := a.groupFor(f)
	var arrivals []arrival
	for _, t := range g.registered() {
		for _, port := range t.ports() {
			arrivals = append(arrivals, a.arrivals(t, port)...)
		}
	}
	var blocks []string
	var ports []int
	for _, x := range arrivals {
		blocks, ports = append(blocks, a.subnetWith(x.from).String()), append(ports, x.port)
	}
	blocks = sorted(blocks)
	slices.Sort(ports)
	ports = slices.Compact(ports)
	policy := admitting(g, blocks, ports)
	opened := 0
	for _, x := range arrivals {
		if netpol.Ingress(append(slices.Clone(a.s.Policies), policy), *x.pod, x.from, x.port).Allowed {
			opened++
		}
	}
	owner := ownerNone
	for i := range a.s.Policies {
		if f.Subject == "networkpolicy/"+a.s.Policies[i].Namespace+"/"+a.s.Policies[i].Name {
			owner = objectOwner(&a.s.Policies[i])
		}
	}
	a.offer(f, diagnostics.Fix{
		ID: "allow-network-policy", Title: "Let the subnets of the load balancer in by a NetworkPolicy", Owner: owner, Frees: len(f.Affects), Needs: len(f.Affects),
		Proof:   fmt.Sprintf("with one more policy %d of %d connections from the %d addresses seen here are let in", opened, len(arrivals), len(sources(arrivals))),
		Changes: []string{fmt.Sprintf("NetworkPolicy %s/%s, new, for the pods of %s: ingress from ipBlock %s on tcp %s", policy.Namespace, policy.Name, g.subject(), joined(blocks), portList(ports))},
		Blast:   "the selected pods only: policies add up, so what is let in today still is" + drift(owner), Undo: fmt.Sprintf("kubectl delete networkpolicy %s -n %s", policy.Name, policy.Namespace),
		Risk:     "opens the pods to everything in these subnets, on these ports",
		Commands: []string{"echo " + quote(manifest(policy)) + " | kubectl apply -f -", fmt.Sprintf("kubectl get networkpolicies -n %s -o yaml", g.namespace)},
	})
	a.refuse("allow-pod-port", "the security groups admit the load balancer on %d of %d targets already; the NetworkPolicy stops it behind them", len(g.registered()), len(g.registered()))
}

func sources(arrivals []arrival) []string {
	var out []string
	for _, x := range arrivals {
		out = append(out, x.from.String())
	}
	return sorted(out)
}

// subnetWith is the block of the subnet that an address lies in, or the address alone where no such subnet was read.
func (a *analysis) subnetWith(addr netip.Addr) netip.Prefix {
	for _, s := range a.s.Subnets {
		if s.CIDR.IsValid() && s.CIDR.Contains(addr) {
			return s.CIDR
		}
	}
	return netip.PrefixFrom(addr, addr.BitLen())
}

// admitting is a policy for the pods of a group's Service that lets blocks in on ports.
func admitting(g *group, blocks []string, ports []int) networkingv1.NetworkPolicy {
	p := networkingv1.NetworkPolicy{TypeMeta: metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"}}
	p.Namespace, p.Name = g.namespace, g.service+"-from-alb"
	if g.svc != nil {
		p.Spec.PodSelector.MatchLabels = g.svc.Spec.Selector
	}
	p.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
	var rule networkingv1.NetworkPolicyIngressRule
	for _, b := range blocks {
		rule.From = append(rule.From, networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: b}})
	}
	tcp := corev1.ProtocolTCP
	for _, port := range ports {
		n := intstr.FromInt(port)
		rule.Ports = append(rule.Ports, networkingv1.NetworkPolicyPort{Protocol: &tcp, Port: &n})
	}
	p.Spec.Ingress = []networkingv1.NetworkPolicyIngressRule{rule}
	return p
}

// manifest is a policy as JSON, which kubectl applies as it does YAML.
func manifest(p networkingv1.NetworkPolicy) string {
	text, err := json.Marshal(map[string]any{"apiVersion": p.APIVersion, "kind": p.Kind, "metadata": map[string]string{"namespace": p.Namespace, "name": p.Name}, "spec": p.Spec})
	if err != nil {
		panic(err) // strings and numbers always encode
	}
	return string(text)
}
