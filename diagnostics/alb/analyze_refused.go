package alb

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

// refused looks at targets that break the connection: the way is open, so the network is innocent.
func (a *analysis) refused(g *group) {
	ts := slices.DeleteFunc(g.of(refuse), func(t *target) bool { return g.byDesign(t) })
	if len(ts) == 0 {
		return
	}
	if g.TargetType == "instance" && len(g.ready()) == 0 && g.service != "" && !a.s.missed("list endpointslices.discovery.k8s.io") {
		a.report(diagnostics.Finding{
			ID: "nodeport.reject-no-endpoints", Subject: g.subject(), Confidence: diagnostics.Confirmed, Affects: affected(ts), Weight: g.weight(ts),
			Summary:  fmt.Sprintf("Service %s/%s has no ready endpoint, so every node rejects connections to its node port %d and clients get 502", g.namespace, g.service, ts[0].port),
			Evidence: []diagnostics.Evidence{g.evidence(ts), g.serviceEvidence()},
		})
		return
	}
	ts = a.crashing(g, ts)
	if len(ts) == 0 {
		return
	}
	t := ts[0]
	pr := probeOf(t.pod, t.hcPort, t.port)
	base := []diagnostics.Evidence{g.evidence(ts), g.checkEvidence()}
	if pr != nil {
		base = append(base, a.probed(g, t.pod, pr))
	}
	finding := diagnostics.Finding{Subject: g.subject(), Confidence: diagnostics.Likely, Affects: affected(ts), Weight: g.weight(ts), Evidence: base}
	which := some(len(ts), len(g.registered()), "target") + " of " + g.Name
	switch {
	case pr != nil && pr.port == t.hcPort && g.Check.Protocol == "HTTPS" && pr.scheme == "HTTP":
		finding.ID, finding.Confidence = "tls.mismatch", diagnostics.Confirmed
		finding.Summary = fmt.Sprintf("the load balancer speaks HTTPS to %s, but its pods answer plain HTTP on port %d", which, t.hcPort)
		if a.measured() && a.total(tlsErrors) > 0 {
			finding.Evidence = append(finding.Evidence, a.metric(tlsErrors))
		}
	case a.strict(t.pod) != nil:
		pa := a.strict(t.pod)
		finding.ID = "mesh.mtls"
		finding.Summary = fmt.Sprintf("the mesh asks for mutual TLS (PeerAuthentication %s/%s is STRICT), which the load balancer can't speak to %s", pa.Namespace, pa.Name, which)
		finding.Evidence = append(finding.Evidence, diagnostics.Evidence{What: "PeerAuthentication " + pa.Namespace + "/" + pa.Name, Value: "mtls.mode " + pa.Mode, Source: "list peerauthentications.security.istio.io",
			Repeat: fmt.Sprintf("kubectl get peerauthentication %s -n %s -o yaml", pa.Name, pa.Namespace)})
	case (g.ProtocolVersion == "HTTP2" || g.ProtocolVersion == "GRPC") && pr != nil && pr.port == t.hcPort && pr.scheme == "HTTP" && !a.speaksH2(g):
		finding.ID = "proto.version"
		finding.Summary = fmt.Sprintf("the load balancer speaks %s to %s, but its pods answer HTTP/1.1 on port %d", g.ProtocolVersion, which, t.hcPort)
	case t.hcPort != t.port && declared(t.pod, t.port) && undeclared(t.pod, t.hcPort):
		finding.ID = "hc.port"
		finding.Summary = fmt.Sprintf("the health check asks port %d, on which no container of %s listens; requests go to port %d", t.hcPort, g.subject(), t.port)
		finding.Evidence = append(finding.Evidence, portEvidence(t.pod))
		if a.measured() && a.total(failedOpen) > 0 {
			finding.Evidence = append(finding.Evidence, a.metric(failedOpen), a.metric(elb502))
		}
	case undeclared(t.pod, t.port) && (pr == nil || pr.port != t.port) && !probesTCP(t.pod, t.port):
		finding.ID = "app.not-listening"
		finding.Summary = fmt.Sprintf("no container of %s listens on port %d, to which the Service sends", g.subject(), t.port)
		finding.Evidence = append(finding.Evidence, portEvidence(t.pod))
	case t.pod != nil && pr == nil && !probesTCP(t.pod, t.hcPort) && isReady(t.pod):
		finding.ID, finding.Confidence = "app.loopback-bind", diagnostics.Possible
		finding.Summary = fmt.Sprintf("%s refuses connections to port %d from outside the pod although it counts as ready: its readiness probe doesn't connect over the network, so the application may listen on 127.0.0.1 only", g.subject(), t.hcPort)
		finding.Evidence = append(finding.Evidence, inPodEvidence(t.pod))
	case t.hcPort != t.port && undeclared(t.pod, t.hcPort):
		finding.ID = "hc.port"
		finding.Summary = fmt.Sprintf("the health check asks port %d, on which no container of %s listens", t.hcPort, g.subject())
		finding.Evidence = append(finding.Evidence, portEvidence(t.pod))
	default:
		return
	}
	a.report(finding)
}

// probed gives the readiness probe with how many of the group's pods pass it.
func (a *analysis) probed(g *group, p *corev1.Pod, pr *probe) diagnostics.Evidence {
	ready, all := 0, 0
	for _, t := range g.registered() {
		if t.pod != nil {
			all++
			if isReady(t.pod) {
				ready++
			}
		}
	}
	return probeEvidence(p, pr, ready, all)
}

// strict finds the setting that makes the mesh ask this pod's callers for mutual TLS: that of the pod before that of the
// namespace before that of the mesh.
func (a *analysis) strict(p *corev1.Pod) *PeerAuthentication {
	if !hasSidecar(p) {
		return nil
	}
	var found *PeerAuthentication
	rank := 0
	for i, pa := range a.s.Mesh {
		r := 0
		switch {
		case pa.Namespace == p.Namespace && len(pa.Selector) > 0 && matches(pa.Selector, p.Labels):
			r = 3
		case pa.Namespace == p.Namespace && len(pa.Selector) == 0:
			r = 2
		case pa.Namespace == "istio-system" && len(pa.Selector) == 0:
			r = 1
		}
		if r > rank && pa.Mode != "" && pa.Mode != "UNSET" {
			found, rank = &a.s.Mesh[i], r
		}
	}
	if found == nil || found.Mode != "STRICT" {
		return nil
	}
	return found
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

// probesTCP reports whether a readiness probe opens a TCP connection to the port.
func probesTCP(p *corev1.Pod, port int) bool {
	return p != nil && slices.ContainsFunc(containers(p), func(c corev1.Container) bool {
		return c.ReadinessProbe != nil && c.ReadinessProbe.TCPSocket != nil && int(c.ReadinessProbe.TCPSocket.Port.IntVal) == port
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
		if c.ReadinessProbe != nil && c.ReadinessProbe.Exec != nil {
			value = fmt.Sprintf("exec %v, which runs inside the pod", c.ReadinessProbe.Exec.Command)
		}
	}
	return diagnostics.Evidence{What: "readiness probe of " + p.Name, Value: value, Source: "list pods",
		Repeat: fmt.Sprintf("kubectl get pod %s -n %s -o jsonpath='{.spec.containers[*].readinessProbe}'", p.Name, p.Namespace)}
}

// crashing reports pods that start and die in a loop, and returns the targets that are something else.
func (a *analysis) crashing(g *group, ts []*target) []*target {
	var down []*target
	var pods []*corev1.Pod
	for _, t := range ts {
		if t.pod != nil && crashes(t.pod, a.s.Now) {
			down, pods = append(down, t), append(pods, t.pod)
		}
	}
	if len(down) > 0 {
		a.crashLoop(g, pods, down)
	}
	return slices.DeleteFunc(ts, func(t *target) bool { return slices.Contains(down, t) })
}

// crashes reports a container that waits in CrashLoopBackOff, or that has ended again and again and did so within the last ten minutes.
func crashes(p *corev1.Pod, now time.Time) bool {
	return slices.ContainsFunc(p.Status.ContainerStatuses, func(c corev1.ContainerStatus) bool {
		if c.State.Waiting != nil && c.State.Waiting.Reason == "CrashLoopBackOff" {
			return true
		}
		end := c.LastTerminationState.Terminated
		return c.RestartCount >= 3 && !c.Ready && end != nil && now.Sub(end.FinishedAt.Time) < 10*time.Minute
	})
}

func (a *analysis) crashLoop(g *group, pods []*corev1.Pod, ts []*target) {
	var restarts []string
	var ev []diagnostics.Evidence
	for _, p := range pods {
		for _, c := range p.Status.ContainerStatuses {
			if c.RestartCount == 0 {
				continue
			}
			text := fmt.Sprintf("%s/%s restarted %d times", p.Name, c.Name, c.RestartCount)
			if end := c.LastTerminationState.Terminated; end != nil {
				text += fmt.Sprintf(", last with exit code %d (%s) at %s", end.ExitCode, end.Reason, clock(end.FinishedAt.Time))
			}
			restarts = append(restarts, text)
		}
	}
	if len(restarts) > 4 {
		restarts = append(restarts[:4], fmt.Sprintf("and %d more", len(restarts)-4))
	}
	ev = append(ev, diagnostics.Evidence{What: "restarts", Value: joined(restarts), Source: "list pods", Repeat: fmt.Sprintf("kubectl get pods -n %s", g.namespace)}, g.evidence(g.list), g.serviceEvidence())
	affects := affected(ts)
	for _, p := range pods {
		affects = append(affects, "pod/"+p.Namespace+"/"+p.Name)
	}
	a.report(diagnostics.Finding{
		ID: "app.crashloop", Subject: g.subject(), Confidence: diagnostics.Confirmed, Affects: affects, Weight: 100,
		Summary:  fmt.Sprintf("%s of %s %s in a loop, so endpoints come and go", some(len(pods), max(len(g.selected()), len(pods)), "pod"), g.subject(), verb(len(pods), "crashes and restarts", "crash and restart")),
		Evidence: ev,
	})
}
