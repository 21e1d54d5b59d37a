package alb

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

// brokenTLS compares who speaks TLS: the load balancer, and the readiness probe that passes on the same port. The load
// balancer doesn't look at the certificate of a target, so an expired one breaks nothing.
func (a *analysis) brokenTLS(g *group, pr *probe, hcPort int, r *reading) bool {
	same := pr != nil && pr.port == hcPort
	failed := a.measured() && a.total(tlsErrors) > 0
	switch {
	case g.Check.Protocol == "HTTPS" && same && pr.scheme == "HTTP":
		r.ID, r.Confidence = "tls.mismatch", diagnostics.Confirmed
		r.says = func(which string, _ []*target) string {
			return fmt.Sprintf("the load balancer speaks HTTPS to %s, but its pods answer plain HTTP on port %d", which, hcPort)
		}
	case g.Check.Protocol == "HTTPS" && failed:
		r.ID = "tls.mismatch"
		if same {
			r.Reason = "no-common-cipher"
		}
		r.says = func(which string, _ []*target) string {
			if same { // the kubelet can
				return fmt.Sprintf("the load balancer can't agree with %s on a TLS version and cipher for port %d, which the kubelet can", which, hcPort)
			}
			return fmt.Sprintf("the TLS handshake of the load balancer with %s fails on port %d: it may not speak TLS there, or no version and cipher that the load balancer knows", which, hcPort)
		}
	case g.Check.Protocol == "HTTP" && same && pr.scheme == "HTTPS":
		r.ID = "tls.plain-to-tls"
		r.says = func(which string, _ []*target) string {
			return fmt.Sprintf("the load balancer speaks plain HTTP to port %d of %s, which expects TLS and ends the connection", hcPort, which)
		}
	default:
		return false
	}
	if failed {
		r.Evidence = append(r.Evidence, a.metric(tlsErrors))
	}
	return true
}

// brokenVersion compares the version of HTTP that the load balancer speaks with that of the probe.
func (a *analysis) brokenVersion(g *group, pod *corev1.Pod, pr *probe, hcPort int, r *reading) bool {
	modern := g.ProtocolVersion == "HTTP2" || g.ProtocolVersion == "GRPC"
	switch {
	case modern && pr != nil && pr.port == hcPort && pr.scheme == "HTTP" && !a.speaksH2(g):
		r.ID = "proto.version"
		r.says = func(which string, _ []*target) string {
			return fmt.Sprintf("the load balancer speaks %s to %s, but its pods answer HTTP/1.1 on port %d", g.ProtocolVersion, which, hcPort)
		}
	case !modern && probesGRPC(pod, hcPort):
		r.ID, r.Reason = "proto.version", "serves-grpc"
		r.says = func(which string, _ []*target) string {
			return fmt.Sprintf("the load balancer speaks HTTP/1.1 to %s, but its pods serve gRPC on port %d, as their readiness probe shows", which, hcPort)
		}
		r.Evidence = append(r.Evidence, inPodEvidence(pod))
	default:
		return false
	}
	return true
}

// grpcAnswer reads a status of gRPC (0 to 99): it is no status of HTTP.
func (a *analysis) grpcAnswer(g *group, t *target, _ *probe, r *reading) bool {
	c := t.code()
	if g.ProtocolVersion != "GRPC" || c > 99 {
		return false
	}
	pod, _, hcPort := t.behind()
	switch {
	case c == 0:
		r.ID = "hc.codes"
		r.says = func(which string, ts []*target) string {
			return fmt.Sprintf("the health check of %s calls %s and gets status 0, which is OK in gRPC, but only %s counts as healthy", which, g.Check.Path, g.Check.Codes)
		}
	case c == 12 && g.Check.Path != healthMethod && probesGRPC(pod, hcPort) && isReady(pod):
		r.ID = "hc.path"
		r.Evidence = append(r.Evidence, inPodEvidence(pod))
		r.says = func(which string, ts []*target) string {
			return fmt.Sprintf("%s, which is UNIMPLEMENTED in gRPC, while the readiness probe calls %s and passes", g.asks(which, ts), healthMethod)
		}
	case c == 12:
		r.ID, r.Confidence = "hc.path", diagnostics.Likely
		r.says = func(which string, ts []*target) string {
			return g.asks(which, ts) + ", which is UNIMPLEMENTED in gRPC: the application has no such method"
		}
	default:
		r.ID, r.Confidence = "app.unhealthy", diagnostics.Likely
		r.says = func(which string, ts []*target) string {
			return fmt.Sprintf("the gRPC health check of %s gets status %d", which, c)
		}
	}
	return true
}

// healthMethod is the health check of gRPC itself (grpc.health.v1), as the kubelet's gRPC probes call it.
const healthMethod = "/grpc.health.v1.Health/Check"

// tlsAnswer sees a server of TLS that answers plain HTTP with 400, as those of Go and nginx do.
func (a *analysis) tlsAnswer(g *group, t *target, pr *probe, r *reading) bool {
	_, _, hcPort := t.behind()
	if t.code() != 400 || g.Check.Protocol != "HTTP" {
		return false
	}
	if pr != nil && pr.port == hcPort && pr.scheme != "HTTPS" || !(pr != nil && pr.port == hcPort) && hcPort != 443 && hcPort != 8443 {
		return false
	}
	r.ID, r.Confidence = "tls.plain-to-tls", diagnostics.Likely
	r.says = func(which string, _ []*target) string {
		return fmt.Sprintf("the load balancer speaks plain HTTP to port %d of %s, which expects TLS and answers 400", hcPort, which)
	}
	return true
}

// secretTraffic sees targets that are healthy by a check in plain HTTP, while requests come to the same port over HTTPS: the
// check proves that nobody speaks TLS there.
func (a *analysis) secretTraffic(g *group) {
	if g.Protocol != "HTTPS" || g.Check.Protocol != "HTTP" || !a.measured() || a.total(tlsErrors) == 0 {
		return
	}
	ts := slices.DeleteFunc(g.of(healthy), func(t *target) bool { return t.port != t.hcPort })
	if len(ts) == 0 {
		return
	}
	a.report(diagnostics.Finding{
		ID: "tls.mismatch", Subject: g.subject(), Reason: "traffic-only", Confidence: diagnostics.Confirmed, Affects: affected(ts), Weight: g.weight(ts),
		Summary:  fmt.Sprintf("requests go to %s of %s over HTTPS, but the same port %d answers the health check in plain HTTP: every target looks healthy and clients get 502", some(len(ts), len(g.registered()), "target"), g.Name, ts[0].port),
		Evidence: []diagnostics.Evidence{g.evidence(ts), g.checkEvidence(), a.metric(tlsErrors), a.metric(elb502)},
	})
}
