package alb

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// serviceOf finds the Service behind a target group: by its binding, else by the controller's tag, which is compared with
// the strings that our ingresses would make, because it can't be split for certain.
func (s *Snapshot) serviceOf(g TargetGroup) (namespace, name string) {
	if b := bindingOf(s.Bindings, g.TargetGroup); b != nil {
		return b.Namespace, b.Service
	}
	if tag := tagOf(g.Tags, "resource"); tag != "" && s.Ingress != nil {
		for _, b := range backends(*s.Ingress) {
			if tag == tagFor(*s.Ingress, b) {
				return s.Ingress.Namespace, b.Service
			}
		}
	}
	return "", ""
}

// portOf is the port of its Service that a target group stands for, as its binding or ingress names it.
func (s *Snapshot) portOf(g TargetGroup) string {
	if b := bindingOf(s.Bindings, g.TargetGroup); b != nil {
		return b.ServicePort
	}
	tag := tagOf(g.Tags, "resource")
	return tag[strings.LastIndexByte(tag, ':')+1:]
}

// servicePort finds a port of a Service by number or name.
func servicePort(svc *corev1.Service, port string) *corev1.ServicePort {
	if svc == nil {
		return nil
	}
	for i, p := range svc.Spec.Ports {
		if p.Name == port || strconv.Itoa(int(p.Port)) == port {
			return &svc.Spec.Ports[i]
		}
	}
	return nil
}

// endpointsOf lists the addresses behind the Service of a target group. Readiness that isn't told counts as ready.
func (s *Snapshot) endpointsOf(g TargetGroup) []endpoint {
	namespace, name := s.serviceOf(g)
	if name == "" {
		return nil
	}
	svcPort := servicePort(s.service(namespace, name), s.portOf(g))
	var out []endpoint
	for _, sl := range s.slicesOf(namespace, name) {
		port := 0
		for _, p := range sl.Ports {
			if svcPort != nil && p.Port != nil && (p.Name == nil && svcPort.Name == "" || p.Name != nil && *p.Name == svcPort.Name) {
				port = int(*p.Port)
			}
		}
		for _, e := range sl.Endpoints {
			for _, text := range e.Addresses {
				addr, err := netip.ParseAddr(text)
				if err != nil {
					continue
				}
				x := endpoint{addr: addr, port: port, ready: e.Conditions.Ready == nil || *e.Conditions.Ready}
				if e.TargetRef != nil && e.TargetRef.Kind == "Pod" {
					x.pod = e.TargetRef.Name
				}
				if e.NodeName != nil {
					x.node = *e.NodeName
				}
				x.gated = !x.ready && (e.Conditions.Terminating == nil || !*e.Conditions.Terminating) && s.gated(s.pod(namespace, x.pod))
				out = append(out, x)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b endpoint) int { return cmp.Or(a.addr.Compare(b.addr), cmp.Compare(b.port, a.port)) })
	return slices.CompactFunc(out, func(a, b endpoint) bool { return a.addr == b.addr })
}

// slicesOf lists the endpoint slices of a Service.
func (s *Snapshot) slicesOf(namespace, service string) []discoveryv1.EndpointSlice {
	var out []discoveryv1.EndpointSlice
	for _, sl := range s.Slices {
		if sl.Namespace == namespace && sl.Labels[discoveryv1.LabelServiceName] == service {
			out = append(out, sl)
		}
	}
	return out
}

// selected lists the pods that the selector of the Service matches and that still run.
func (g *group) selected() []*corev1.Pod {
	if g.svc == nil || len(g.svc.Spec.Selector) == 0 {
		return nil
	}
	return g.m.running(g.namespace, g.svc.Spec.Selector)
}

func matches(selector, labels map[string]string) bool {
	for k, v := range selector {
		if have, ok := labels[k]; !ok || have != v {
			return false
		}
	}
	return true
}

// targetPort is what the Service port points to in the pods: a number, or a name.
func (g *group) targetPort() (intstr.IntOrString, bool) {
	p := servicePort(g.svc, g.m.s.portOf(*g.TargetGroup))
	if p == nil {
		return intstr.IntOrString{}, false
	}
	if p.TargetPort.Type == intstr.Int && p.TargetPort.IntVal == 0 {
		return intstr.FromInt32(p.Port), true // targetPort defaults to port
	}
	return p.TargetPort, true
}

// listens reports whether a container of the pod declares the port, a sidecar too; none declared at all by the
// application's own containers says nothing.
func listens(p *corev1.Pod, port int) (declares, known bool) {
	for _, c := range append(slices.Clone(p.Spec.Containers), p.Spec.InitContainers...) {
		if isSidecar(c.Name) && (slices.ContainsFunc(c.Ports, func(cp corev1.ContainerPort) bool { return int(cp.ContainerPort) == port }) ||
			c.ReadinessProbe != nil && c.ReadinessProbe.HTTPGet != nil && portIn(c, c.ReadinessProbe.HTTPGet.Port) == port) {
			return true, true
		}
	}
	for _, c := range containers(p) {
		for _, cp := range c.Ports {
			known = true
			if int(cp.ContainerPort) == port {
				return true, true
			}
		}
	}
	return false, known
}

// containers lists the containers of a pod that are not sidecars of a mesh.
func containers(p *corev1.Pod) []corev1.Container {
	return slices.DeleteFunc(slices.Clone(p.Spec.Containers), func(c corev1.Container) bool { return isSidecar(c.Name) })
}

// isSidecar knows the proxies of the usual meshes by their container name.
func isSidecar(name string) bool {
	return name == "istio-proxy" || name == "linkerd-proxy" || name == "envoy" || name == "kuma-sidecar"
}

func hasSidecar(p *corev1.Pod) bool {
	return p != nil && (slices.ContainsFunc(p.Spec.Containers, func(c corev1.Container) bool { return isSidecar(c.Name) }) ||
		slices.ContainsFunc(p.Spec.InitContainers, func(c corev1.Container) bool { return isSidecar(c.Name) }))
}

// isReady reports whether the readiness probes of a pod pass: it is Ready, or only a readiness gate still keeps it from
// being so.
func isReady(p *corev1.Pod) bool {
	return condition(p, corev1.PodReady).Status == corev1.ConditionTrue ||
		(len(p.Spec.ReadinessGates) > 0 && condition(p, corev1.ContainersReady).Status == corev1.ConditionTrue)
}

// portIn is a port of a container by number or name; 0 where it has none of that name.
func portIn(c corev1.Container, port intstr.IntOrString) int {
	if port.Type == intstr.Int {
		return int(port.IntVal)
	}
	for _, cp := range c.Ports {
		if cp.Name == port.StrVal {
			return int(cp.ContainerPort)
		}
	}
	return 0
}

// probe is a readiness probe over HTTP.
type probe struct {
	path, scheme string
	port         int
	host         string // Host header that it sends, empty where it is the pod's address
	container    string
}

// probeOf finds the HTTP readiness probe of a pod: that on one of the given ports first, else the first of its own
// containers. A mesh sidecar rewrites probes to its own port, where they say nothing about the application's.
func probeOf(p *corev1.Pod, ports ...int) *probe {
	if p == nil {
		return nil
	}
	var found []probe
	for _, c := range containers(p) {
		if c.ReadinessProbe == nil || c.ReadinessProbe.HTTPGet == nil {
			continue
		}
		get := c.ReadinessProbe.HTTPGet
		if get.Host == "localhost" || get.Host == "127.0.0.1" || get.Host == "::1" {
			continue // it asks the node's own loopback, not the pod
		}
		x := probe{path: cmp.Or(get.Path, "/"), scheme: cmp.Or(string(get.Scheme), "HTTP"), port: portIn(c, get.Port), host: get.Host, container: c.Name}
		for _, h := range get.HTTPHeaders {
			if strings.EqualFold(h.Name, "Host") {
				x.host = h.Value
			}
		}
		found = append(found, x)
	}
	for _, port := range ports {
		for i := range found {
			if found[i].port == port {
				return &found[i]
			}
		}
	}
	if len(found) > 0 {
		return &found[0]
	}
	return nil
}
