// Package netpol evaluates Kubernetes NetworkPolicies for one question: may an address outside the cluster, such as a
// load balancer's, open a TCP connection to a pod?
//
// Peers chosen by podSelector or namespaceSelector are pods, so they never match such an address; only ipBlock does.
package netpol

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

// Decision is what the policies of a namespace say about one connection.
type Decision struct {
	Allowed bool
	// Policies names those that select the pod for ingress, sorted; with none everything is allowed.
	Policies []string
	// By names the policy that allows the connection; empty where none selects the pod, or none allows it.
	By     string
	Reason string
}

// Ingress decides whether from may reach a port of the pod. policies may hold those of other namespaces too.
//
// It says what the policies mean; whether anything enforces them depends on the network plugin of the cluster.
func Ingress(policies []networkingv1.NetworkPolicy, pod corev1.Pod, from netip.Addr, port int) Decision {
	var d Decision
	for _, p := range policies {
		if p.Namespace != pod.Namespace || !governsIngress(p) || !selects(p, pod.Labels) {
			continue
		}
		d.Policies = append(d.Policies, p.Name)
		for _, rule := range p.Spec.Ingress {
			if !d.Allowed && onPort(rule.Ports, pod, port) && fromAddress(rule.From, from) {
				d.Allowed, d.By = true, p.Name
			}
		}
	}
	slices.Sort(d.Policies)
	switch {
	case len(d.Policies) == 0:
		d.Allowed, d.Reason = true, "no policy selects the pod"
	case d.Allowed:
		d.Reason = fmt.Sprintf("%s allows %s on tcp %d", d.By, from, port)
	default:
		d.Reason = fmt.Sprintf("%s: no ipBlock contains %s on tcp %d", strings.Join(d.Policies, ", "), from, port)
	}
	return d
}

// governsIngress reports whether the policy restricts what comes in: it does unless policyTypes leaves Ingress out.
func governsIngress(p networkingv1.NetworkPolicy) bool {
	return len(p.Spec.PolicyTypes) == 0 || slices.Contains(p.Spec.PolicyTypes, networkingv1.PolicyTypeIngress)
}

// selects matches spec.podSelector; an empty selector selects every pod of the namespace.
func selects(p networkingv1.NetworkPolicy, labels map[string]string) bool {
	for k, v := range p.Spec.PodSelector.MatchLabels {
		if have, ok := labels[k]; !ok || have != v {
			return false
		}
	}
	for _, e := range p.Spec.PodSelector.MatchExpressions {
		have, ok := labels[e.Key]
		var match bool
		switch string(e.Operator) {
		case "In":
			match = ok && slices.Contains(e.Values, have)
		case "NotIn":
			match = !ok || !slices.Contains(e.Values, have)
		case "Exists":
			match = ok
		case "DoesNotExist":
			match = !ok
		}
		if !match {
			return false
		}
	}
	return true
}

// onPort matches the ports of a rule: none means all, a name is looked up in the pod, endPort makes a range.
func onPort(ports []networkingv1.NetworkPolicyPort, pod corev1.Pod, port int) bool {
	if len(ports) == 0 {
		return true
	}
	return slices.ContainsFunc(ports, func(p networkingv1.NetworkPolicyPort) bool {
		if p.Protocol != nil && *p.Protocol != corev1.ProtocolTCP {
			return false
		}
		switch {
		case p.Port == nil:
			return true
		case p.Port.StrVal != "":
			return containerPort(pod, p.Port.StrVal) == port
		case p.EndPort != nil:
			return int(p.Port.IntVal) <= port && port <= int(*p.EndPort)
		}
		return int(p.Port.IntVal) == port
	})
}

// containerPort resolves a named TCP port of a pod; 0 where it has none of that name.
func containerPort(pod corev1.Pod, name string) int {
	for _, c := range pod.Spec.Containers {
		for _, p := range c.Ports {
			if p.Name == name && (p.Protocol == "" || p.Protocol == corev1.ProtocolTCP) {
				return int(p.ContainerPort)
			}
		}
	}
	return 0
}

// fromAddress matches the peers of a rule: none means anybody.
func fromAddress(peers []networkingv1.NetworkPolicyPeer, addr netip.Addr) bool {
	if len(peers) == 0 {
		return true
	}
	return slices.ContainsFunc(peers, func(p networkingv1.NetworkPolicyPeer) bool {
		return p.IPBlock != nil && contains(p.IPBlock.CIDR, addr) &&
			!slices.ContainsFunc(p.IPBlock.Except, func(c string) bool { return contains(c, addr) })
	})
}

func contains(cidr string, addr netip.Addr) bool {
	p, err := netip.ParsePrefix(cidr)
	return err == nil && p.Contains(addr) // the API server admits no other text
}
