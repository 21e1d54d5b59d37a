package alb

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

// mutualTLS finds what makes the mesh ask callers of a pod's port for a certificate of its own, which a load balancer
// doesn't have: Istio's PeerAuthentication, or Linkerd's default policy. Empty where nothing does.
func (a *analysis) mutualTLS(p *corev1.Pod, port int) (diagnostics.Evidence, string) {
	if !inMesh(p) || besidesProxy(p, port) {
		return diagnostics.Evidence{}, ""
	}
	if pa := a.strict(p, port); pa != nil {
		return diagnostics.Evidence{What: "PeerAuthentication " + pa.Namespace + "/" + pa.Name, Value: "mtls.mode " + pa.Mode, Source: "list peerauthentications.security.istio.io",
			Repeat: fmt.Sprintf("kubectl get peerauthentication %s -n %s -o yaml", pa.Name, pa.Namespace)}, fmt.Sprintf("PeerAuthentication %s/%s is STRICT", pa.Namespace, pa.Name)
	}
	switch policy := p.Annotations["config.linkerd.io/default-inbound-policy"]; policy {
	case "all-authenticated", "cluster-authenticated", "deny":
		return diagnostics.Evidence{What: "Linkerd's default policy of pod " + p.Name, Value: policy, Source: "list pods",
			Repeat: fmt.Sprintf("kubectl get pod %s -n %s -o jsonpath='{.metadata.annotations}'", p.Name, p.Namespace)}, "Linkerd's default inbound policy is " + policy
	}
	return diagnostics.Evidence{}, ""
}

// inMesh reports whether a mesh takes the connections to a pod: by a proxy in it, or (Istio ambient) by one on its node.
func inMesh(p *corev1.Pod) bool {
	return hasSidecar(p) || p != nil && p.Annotations["ambient.istio.io/redirection"] == "enabled"
}

// besidesProxy reports whether connections to the port go past the proxy to the application, as annotations of the pod say.
func besidesProxy(p *corev1.Pod, port int) bool {
	if only := p.Annotations["traffic.sidecar.istio.io/includeInboundPorts"]; only != "" && only != "*" && !lists(only, port) {
		return true
	}
	return lists(p.Annotations["traffic.sidecar.istio.io/excludeInboundPorts"], port) || lists(p.Annotations["config.linkerd.io/skip-inbound-ports"], port)
}

// lists reports whether a list of ports and ranges, such as 80,8080-8090, has the port.
func lists(ports string, port int) bool {
	for part := range strings.SplitSeq(ports, ",") {
		from, to, isRange := strings.Cut(strings.TrimSpace(part), "-")
		low, err := strconv.Atoi(from)
		if err != nil {
			continue
		}
		high := low
		if isRange {
			if high, err = strconv.Atoi(to); err != nil {
				continue
			}
		}
		if low <= port && port <= high {
			return true
		}
	}
	return false
}

// strict finds the setting that makes Istio ask callers of this pod's port for mutual TLS: that of the pod goes before that
// of the namespace and that before the one of the mesh, and in that of the pod the one for the port before its own.
func (a *analysis) strict(p *corev1.Pod, port int) *PeerAuthentication {
	var found *PeerAuthentication
	rank := 0
	for i, pa := range a.s.Mesh {
		r, mode := 0, pa.Mode
		switch {
		case pa.Namespace == p.Namespace && len(pa.Selector) > 0 && matches(pa.Selector, p.Labels):
			r = 3
			if m := pa.Ports[port]; m != "" && m != "UNSET" {
				mode = m
			}
		case pa.Namespace == p.Namespace && len(pa.Selector) == 0:
			r = 2
		case pa.Namespace == "istio-system" && len(pa.Selector) == 0:
			r = 1
		}
		if r > rank && mode != "" && mode != "UNSET" {
			x := a.s.Mesh[i]
			x.Mode = mode
			found, rank = &x, r
		}
	}
	if found == nil || found.Mode != "STRICT" {
		return nil
	}
	return found
}

// mtlsText is what exempts the port in the mesh of the pod.
func mtlsText(p *corev1.Pod, port int) string {
	if p != nil && slices.ContainsFunc(append(slices.Clone(p.Spec.Containers), p.Spec.InitContainers...), func(c corev1.Container) bool { return c.Name == "linkerd-proxy" }) {
		return fmt.Sprintf("a Server and AuthorizationPolicy that let unauthenticated callers of the load balancer's subnets reach port %d, or annotation config.linkerd.io/skip-inbound-ports: \"%d\"", port, port)
	}
	return fmt.Sprintf("PeerAuthentication with portLevelMtls %d: PERMISSIVE for these pods, or an ingress gateway of the mesh behind the load balancer", port)
}
