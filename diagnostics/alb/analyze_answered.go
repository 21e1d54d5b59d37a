package alb

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

// answered looks at targets that answer with a code that the health check doesn't take. A code is a whole HTTP answer: the
// network is innocent on that port, whatever the security groups look like.
func (a *analysis) answered(g *group) {
	all := slices.DeleteFunc(g.of(code), func(t *target) bool { return g.byDesign(t) || t.stray })
	odd := slices.DeleteFunc(slices.Clone(all), func(t *target) bool { return t.Reason != "Target.FailedHealthChecks" || len(t.codes) == 0 })
	if len(odd) > 0 {
		a.contradict("the reason of %s is %s, which means a broken connection, but the description carries [%d], which only a complete answer can bring: port %d is reachable",
			joined(names(odd)), odd[0].Reason, odd[0].codes[0], odd[0].hcPort)
	}
	rest := a.crashing(g, all)
	a.readings(g, rest, func(ts []*target) int { return g.weight(ts) / 2 }, a.answer)
}

// answer asks why a target answers with a code that doesn't count as healthy. The first that fits decides.
func (a *analysis) answer(g *group, t *target) (reading, bool) {
	if a.unapplied(g) {
		return reading{}, false // told with the settings that are not in place
	}
	pod, port, hcPort := t.behind()
	pr := probeOf(pod, hcPort, port)
	if pr != nil && pr.port != hcPort && hasSidecar(pod) {
		pr = nil // it asks another listener
	}
	c := t.code()
	var r reading
	r.Confidence = diagnostics.Confirmed
	if pr != nil {
		r.Evidence = append(r.Evidence, a.probed(g, pod, pr))
	}
	for _, ask := range []func(*group, *target, *probe, *reading) bool{a.grpcAnswer, a.overrideAnswer, a.tlsAnswer, a.hostAnswer, a.meshAnswer, a.ownAnswer, a.pathAnswer, a.codeAnswer} {
		if ask(g, t, pr, &r) {
			return r, c > 0 || g.ProtocolVersion == "GRPC"
		}
	}
	return r, false
}

// code is the first code that a target answered with; 0 where the description has none.
func (t *target) code() int {
	if len(t.codes) == 0 {
		return 0
	}
	return t.codes[0]
}

// asks says what a health check asks and gets; the codes are those of all targets that are told of.
func (g *group) asks(which string, ts []*target) string {
	var codes []string
	for _, t := range ts {
		for _, c := range t.codes {
			codes = append(codes, strconv.Itoa(c))
		}
	}
	return fmt.Sprintf("the health check of %s asks GET %s and gets %s", which, g.Check.Path, strings.Join(sorted(codes), " and "))
}

// sameProbe reports whether the readiness probe of a ready pod asks just what the health check asks.
func sameProbe(g *group, hcPort int, pr *probe) bool {
	return pr != nil && pr.port == hcPort && pr.path == g.Check.Path && pr.scheme == g.Check.Protocol
}

// overrideAnswer sees an annotation of the Service that keeps the ingress from having its way.
func (a *analysis) overrideAnswer(g *group, t *target, pr *probe, r *reading) bool {
	o := a.overridden(g, "healthcheck-path", "success-codes", "healthcheck-port", "healthcheck-protocol")
	pod, _, hcPort := t.behind()
	passes := pr != nil && isReady(pod)
	switch {
	case o.key == "", passes && sameProbe(g, hcPort, pr) && o.key != "success-codes":
		return false // the probe asks just that, and passes
	case o.key == "success-codes" && !takes(o.ingress, t.code()):
		return false
	case o.key == "healthcheck-path" && !(passes && pr.path == o.ingress):
		if t.code() >= 500 {
			return false // the application's own word
		}
		r.Confidence = diagnostics.Likely
	}
	r.ID, r.Subject = "hc.override", "service/"+g.namespace+"/"+g.service
	r.says = func(which string, ts []*target) string { return g.asks(which, ts) + ": " + o.text(g) }
	r.Evidence = append(r.Evidence, o.evidence(a, g))
	return true
}

// takes reports whether success codes, such as 200-299,301, hold a code.
func takes(codes string, code int) bool { return lists(codes, code) }

// hostAnswer sees an application that wants another Host header than the address of the target, which checks send.
func (a *analysis) hostAnswer(g *group, t *target, pr *probe, r *reading) bool {
	c := t.code()
	switch {
	case hostSensitive(c) && pr != nil && pr.host != "" && (c != 404 || pr.path == g.Check.Path):
		r.says = func(which string, ts []*target) string {
			return fmt.Sprintf("%s: the application wants the Host header %s, as its readiness probe sends it, but the load balancer's check sends the address of the target", g.asks(which, ts), pr.host)
		}
	case (c == 400 || c == 421) && a.measured() && a.lately(target2xx) > 0:
		r.says = func(which string, ts []*target) string {
			return g.asks(which, ts) + ", while requests of clients get 2xx: the application seems to reject the Host header, which in a check is the address of the target"
		}
		r.Evidence = append(r.Evidence, a.metric(target2xx))
	default:
		return false
	}
	r.ID, r.Confidence = "hc.host-header", diagnostics.Likely
	return true
}

// meshAnswer sees a proxy that answers in the application's place: Linkerd's 403 to callers without a certificate, and the
// 503 of a sidecar whose application has only just started.
func (a *analysis) meshAnswer(g *group, t *target, _ *probe, r *reading) bool {
	pod, _, hcPort := t.behind()
	switch e, why := a.mutualTLS(pod, hcPort); {
	case t.code() == 403 && why != "":
		r.ID, r.Confidence = "mesh.mtls", diagnostics.Likely
		r.says = func(which string, ts []*target) string {
			return fmt.Sprintf("%s: the mesh asks for mutual TLS (%s), which the load balancer can't speak", g.asks(which, ts), why)
		}
		r.Evidence = append(r.Evidence, e)
		return true
	case t.code() == 503 && a.startsBehindSidecar(pod):
		r.ID, r.Confidence = "mesh.local-503", diagnostics.Possible
		r.says = func(which string, ts []*target) string {
			return fmt.Sprintf("%s: the sidecar of %s answers while the application has only just started", g.asks(which, ts), pod.Name)
		}
		r.Evidence = append(r.Evidence, startEvidence(pod)...)
		return true
	}
	return false
}

// ownAnswer sees the application say of itself that it is not well.
func (a *analysis) ownAnswer(g *group, t *target, pr *probe, r *reading) bool {
	if t.code() < 500 {
		return false
	}
	pod, _, hcPort := t.behind()
	r.ID, r.Confidence = "app.unhealthy", diagnostics.Likely
	r.says = func(which string, ts []*target) string {
		text := g.asks(which, ts) + ": the application itself says that it is not well; security groups and network are innocent, the answer came through"
		if pr != nil && isReady(pod) && (pr.path != g.Check.Path || pr.port != hcPort) {
			text += fmt.Sprintf(" (its readiness probe asks %s, which passes)", pr.path)
		}
		return text
	}
	if a.measured() && a.total(target5xx) > 0 {
		r.Evidence = append(r.Evidence, a.metric(target5xx))
	}
	return true
}

// pathAnswer sees a path that the application doesn't have.
func (a *analysis) pathAnswer(g *group, t *target, pr *probe, r *reading) bool {
	pod, _, hcPort := t.behind()
	passes := pr != nil && isReady(pod)
	switch {
	case t.code() != 404:
		return false
	case passes && pr.scheme == g.Check.Protocol && (pr.path != g.Check.Path || pr.port != hcPort):
		if len(g.of(healthy)) > 0 || pr.host != "" {
			r.Confidence = diagnostics.Likely // others of the group have the path, or it may be the Host header of the probe that makes it pass
		}
		r.says = func(which string, ts []*target) string {
			text := fmt.Sprintf("%s, while the readiness probe asks %s and passes", g.asks(which, ts), pr.path)
			if a.defaulted(g) {
				text += ": no annotation sets a path, so the default / is asked"
			}
			return text
		}
	case !passes:
		r.Confidence = diagnostics.Likely
		r.says = func(which string, ts []*target) string {
			return g.asks(which, ts) + ": the application has no such path"
		}
	default:
		return false
	}
	r.ID = "hc.path"
	if _, source, _ := a.desired(g); source != "" {
		r.Evidence = append(r.Evidence, diagnostics.Evidence{What: "where the path comes from", Value: source, Source: "list ingresses.networking.k8s.io", Repeat: a.ingressCommand()})
	}
	return true
}

// codeAnswer sees an answer that may be right in itself but isn't one that the health check takes.
func (a *analysis) codeAnswer(g *group, t *target, _ *probe, r *reading) bool {
	c := t.code()
	if c < 200 || c == 404 {
		return false
	}
	if c == 400 || c > 404 {
		r.Confidence = diagnostics.Likely // what the application doesn't like about the request isn't known
	}
	r.ID = "hc.codes"
	r.says = func(which string, ts []*target) string {
		return g.asks(which, ts) + ", which the health check doesn't take: " + g.meaning(c)
	}
	return true
}

// hostSensitive reports whether servers answer an unknown Host header with the code.
func hostSensitive(c int) bool { return c == 400 || c == 403 || c == 404 || c == 421 }

// meaning says what a code that isn't taken tells.
func (g *group) meaning(c int) string {
	switch {
	case c >= 300 && c < 400:
		return "the path redirects"
	case c == 401 || c == 403:
		return "the path asks for a login"
	}
	return "only " + g.Check.Codes + " counts as healthy"
}

// startEvidence tells when the application containers behind a sidecar started.
func startEvidence(p *corev1.Pod) []diagnostics.Evidence {
	var out []diagnostics.Evidence
	for _, c := range p.Status.ContainerStatuses {
		if isSidecar(c.Name) {
			continue
		}
		value := "not running"
		if c.State.Running != nil {
			value = "started at " + c.State.Running.StartedAt.UTC().Format(time.RFC3339)
		}
		out = append(out, diagnostics.Evidence{What: fmt.Sprintf("container %s of pod %s behind its sidecar", c.Name, p.Name), Value: fmt.Sprintf("%s, %d restarts", value, c.RestartCount), Source: "list pods",
			Repeat: fmt.Sprintf("kubectl get pod %s -n %s -o jsonpath='{.status.containerStatuses}'", p.Name, p.Namespace)})
	}
	return out
}

// startsBehindSidecar reports whether the application container of a pod with a mesh sidecar (re)started within five minutes.
func (a *analysis) startsBehindSidecar(p *corev1.Pod) bool {
	if !hasSidecar(p) {
		return false
	}
	for _, c := range p.Status.ContainerStatuses {
		if !isSidecar(c.Name) && (c.State.Running == nil || a.s.Now.Sub(c.State.Running.StartedAt.Time) < 5*time.Minute) {
			return true
		}
	}
	return false
}

func (a *analysis) ingressCommand() string {
	if a.s.Ingress == nil {
		return ""
	}
	return fmt.Sprintf("kubectl get ingress %s -n %s -o jsonpath='{.metadata.annotations}'", a.s.Ingress.Name, a.s.Ingress.Namespace)
}
