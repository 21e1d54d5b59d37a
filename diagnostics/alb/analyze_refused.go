package alb

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

// refused looks at targets that break the connection: the way is open, so the network is innocent.
func (a *analysis) refused(g *group) {
	ts := slices.DeleteFunc(g.of(refuse), func(t *target) bool { return g.byDesign(t) || t.stray })
	if len(ts) == 0 {
		return
	}
	if g.TargetType == "instance" && len(g.ready()) == 0 && g.service != "" && !a.s.missed("list endpointslices.discovery.k8s.io") {
		a.rejected(g, ts)
		return
	}
	a.readings(g, a.crashing(g, ts), g.weight, a.broken)
}

// rejected reports node ports behind which there is nobody: kube-proxy rejects connections to them.
func (a *analysis) rejected(g *group, ts []*target) {
	f := diagnostics.Finding{
		ID: "nodeport.reject-no-endpoints", Subject: g.subject(), Confidence: diagnostics.Confirmed, Affects: affected(ts), Weight: g.weight(ts),
		Summary:  fmt.Sprintf("Service %s/%s has no ready endpoint, so every node rejects connections to its node port %d and clients get 502", g.namespace, g.service, ts[0].port),
		Evidence: []diagnostics.Evidence{g.evidence(ts), g.serviceEvidence()},
	}
	if g.svc != nil && !a.s.missed("list pods") {
		pods := g.selected()
		f.Evidence = append(f.Evidence, a.selectorEvidence(g, pods))
		switch {
		case len(pods) > 0:
			f.Reason = "not-ready"
			f.Summary += fmt.Sprintf(": %s %s ready", noneOf(len(pods), "pod"), verb(len(pods), "isn't", "is"))
			f.Evidence = append(f.Evidence, podEvidence(pods[0]))
		default:
			f.Reason = "no-pods"
			f.Summary += ": no pod matches its selector"
			if near, ok := a.nearMiss(g); ok {
				f.Summary += ", " + near.text
			}
		}
	}
	a.report(f)
}

// broken asks why a connection that got through is broken: what the pod says of its ports and probes is compared with what
// the load balancer asks. The first that fits decides, from the provable to the merely possible.
func (a *analysis) broken(g *group, t *target) (reading, bool) {
	if a.unapplied(g) {
		return reading{}, false // told with the settings that are not in place
	}
	pod, port, hcPort := t.behind()
	pr := probeOf(pod, hcPort, port)
	var r reading
	r.Confidence = diagnostics.Likely
	if pr != nil {
		r.Evidence = append(r.Evidence, a.probed(g, pod, pr))
	}
	if inMesh(pod) && !besidesProxy(pod, hcPort) && a.s.unreadable("list peerauthentications.security.istio.io") {
		return r, false // the proxy before the application may ask for mutual TLS: that stands in the gap
	}
	if a.brokenTLS(g, pr, hcPort, &r) || a.brokenMesh(pod, hcPort, &r) || a.brokenVersion(g, pod, pr, hcPort, &r) || a.brokenOverride(g, pod, hcPort, &r) {
		return r, true
	}
	switch {
	case hcPort != port && declared(pod, port) && undeclared(pod, hcPort):
		r.ID = "hc.port"
		r.says = func(which string, _ []*target) string {
			return fmt.Sprintf("the health check asks port %d of %s, on which no container listens; requests go to port %d", hcPort, which, port)
		}
		r.Evidence = append(r.Evidence, portEvidence(pod))
		if a.measured() && a.total(failedOpen) > 0 {
			r.Evidence = append(r.Evidence, a.metric(failedOpen), a.metric(elb502))
		}
	case undeclared(pod, port) && undeclared(pod, hcPort) && (pr == nil || pr.port != port) && !probesTCP(pod, port):
		r.ID = "app.not-listening"
		r.says = func(string, []*target) string {
			return fmt.Sprintf("no container of %s listens on port %d, to which the Service sends", g.subject(), port)
		}
		r.Evidence = append(r.Evidence, portEvidence(pod))
	case pod != nil && isReady(pod) && (pr == nil || pr.port != hcPort) && !probesTCP(pod, hcPort):
		r.ID, r.Confidence = "app.loopback-bind", diagnostics.Possible
		r.says = func(string, []*target) string {
			return fmt.Sprintf("%s refuses connections to port %d from outside the pod although it counts as ready: its readiness probe doesn't connect to this port over the network, so the application may listen on 127.0.0.1 only, or not there at all", g.subject(), hcPort)
		}
		r.Evidence = append(r.Evidence, inPodEvidence(pod))
	case a.garbled(g, pod, pr, hcPort):
		r.ID, r.Confidence = "app.malformed", diagnostics.Possible
		r.says = func(which string, _ []*target) string {
			return fmt.Sprintf("the kubelet gets an answer to %s GET %s on port %d of %s and the load balancer doesn't, although its connections succeed: the answer may not be well-formed HTTP, which only an access log or a capture can show", pr.scheme, pr.path, hcPort, which)
		}
		if a.measured() {
			r.Evidence = append(r.Evidence, a.metric(connectErrors), a.metric(elb502))
		}
	default:
		return r, false
	}
	return r, true
}

// brokenMesh sees a proxy beside the application that takes no connection without a certificate of the mesh.
func (a *analysis) brokenMesh(pod *corev1.Pod, hcPort int, r *reading) bool {
	e, why := a.mutualTLS(pod, hcPort)
	if why == "" {
		return false
	}
	r.ID = "mesh.mtls"
	r.says = func(which string, _ []*target) string {
		return fmt.Sprintf("the mesh asks for mutual TLS (%s), which the load balancer can't speak to %s", why, which)
	}
	r.Evidence = append(r.Evidence, e)
	return true
}

// brokenOverride sees a health check port that the Service sets against the ingress, on which nothing listens.
func (a *analysis) brokenOverride(g *group, pod *corev1.Pod, hcPort int, r *reading) bool {
	o := a.overridden(g, "healthcheck-port", "healthcheck-protocol")
	if o.key == "" || (o.key == "healthcheck-port" && !undeclared(pod, hcPort)) {
		return false
	}
	r.ID, r.Confidence, r.Subject = "hc.override", diagnostics.Confirmed, "service/"+g.namespace+"/"+g.service
	r.says = func(which string, _ []*target) string {
		return fmt.Sprintf("the health check of %s asks %s on port %d and the connection is broken: %s", which, g.Check.Protocol, hcPort, o.text(g))
	}
	r.Evidence = append(r.Evidence, o.evidence(a, g))
	return true
}

// garbled reports that everything that usually breaks a connection is ruled out: the pods are ready, their probe asks the
// same of the same port over the network, and connections of the load balancer succeed.
func (a *analysis) garbled(g *group, pod *corev1.Pod, pr *probe, hcPort int) bool {
	return pod != nil && isReady(pod) && !inMesh(pod) && pr != nil && pr.port == hcPort && pr.scheme == g.Check.Protocol && g.ProtocolVersion != "HTTP2" && g.ProtocolVersion != "GRPC" &&
		!(a.measured() && a.total(connectErrors) > 0)
}

// probed gives the readiness probe with how many of the group's pods pass it.
func (a *analysis) probed(g *group, p *corev1.Pod, pr *probe) diagnostics.Evidence {
	ready, all := g.readyOf()
	return probeEvidence(p, pr, ready, all)
}

// speaksH2 reports whether the Service says that its pods speak HTTP/2.
func (a *analysis) speaksH2(g *group) bool {
	p := servicePort(g.svc, a.s.portOf(*g.TargetGroup))
	return p != nil && p.AppProtocol != nil && (*p.AppProtocol == "kubernetes.io/h2c" || *p.AppProtocol == "grpc" || *p.AppProtocol == "http2")
}

func declared(p *corev1.Pod, port int) bool {
	if p == nil {
		return false
	}
	ok, _ := listens(p, port)
	return ok
}

func undeclared(p *corev1.Pod, port int) bool {
	if p == nil {
		return false
	}
	ok, known := listens(p, port)
	return known && !ok
}

// probesTCP reports whether a readiness probe connects to the port over the network, without HTTP.
func probesTCP(p *corev1.Pod, port int) bool {
	return probesGRPC(p, port) || p != nil && slices.ContainsFunc(containers(p), func(c corev1.Container) bool {
		return c.ReadinessProbe != nil && c.ReadinessProbe.TCPSocket != nil && c.ReadinessProbe.TCPSocket.Host == "" && portIn(c, c.ReadinessProbe.TCPSocket.Port) == port
	})
}

// probesGRPC reports whether a readiness probe asks the port for grpc.health.v1.Health/Check.
func probesGRPC(p *corev1.Pod, port int) bool {
	return p != nil && slices.ContainsFunc(containers(p), func(c corev1.Container) bool {
		return c.ReadinessProbe != nil && c.ReadinessProbe.GRPC != nil && int(c.ReadinessProbe.GRPC.Port) == port
	})
}

func portEvidence(p *corev1.Pod) diagnostics.Evidence {
	var ports []string
	for _, c := range containers(p) {
		for _, cp := range c.Ports {
			ports = append(ports, fmt.Sprintf("%s %d", c.Name, cp.ContainerPort))
		}
	}
	return diagnostics.Evidence{What: "ports that the containers of " + p.Name + " declare", Value: joined(ports), Source: "list pods",
		Repeat: fmt.Sprintf("kubectl get pod %s -n %s -o jsonpath='{.spec.containers[*].ports}'", p.Name, p.Namespace)}
}

func inPodEvidence(p *corev1.Pod) diagnostics.Evidence {
	value := "none"
	for _, c := range containers(p) {
		switch pr := c.ReadinessProbe; {
		case pr == nil:
		case pr.Exec != nil:
			value = fmt.Sprintf("exec %v, which runs inside the pod", pr.Exec.Command)
		case pr.GRPC != nil:
			value = fmt.Sprintf("gRPC on port %d", pr.GRPC.Port)
		case pr.HTTPGet != nil:
			value = fmt.Sprintf("HTTP on port %d", portIn(c, pr.HTTPGet.Port))
		case pr.TCPSocket != nil:
			value = fmt.Sprintf("TCP on port %d", portIn(c, pr.TCPSocket.Port))
		}
	}
	return diagnostics.Evidence{What: "readiness probe of " + p.Name, Value: value, Source: "list pods",
		Repeat: fmt.Sprintf("kubectl get pod %s -n %s -o jsonpath='{.spec.containers[*].readinessProbe}'", p.Name, p.Namespace)}
}
