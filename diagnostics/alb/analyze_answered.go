package alb

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
)

// answered looks at targets that answer with a code that the health check doesn't take. A code is a whole HTTP answer: the
// network is innocent on that port, whatever the security groups look like.
func (a *analysis) answered(g *group) {
	all := slices.DeleteFunc(g.of(code), func(t *target) bool { return g.byDesign(t) })
	odd := slices.DeleteFunc(slices.Clone(all), func(t *target) bool { return t.Reason != "Target.FailedHealthChecks" || len(t.codes) == 0 })
	if len(odd) > 0 {
		a.contradict("the reason of %s is %s, which means a broken connection, but the description carries [%d], which only a complete answer can bring: port %d is reachable",
			joined(names(odd)), odd[0].Reason, odd[0].codes[0], odd[0].hcPort)
	}
	rest := a.reused(g, all)
	rest = a.crashing(g, rest)
	byCode := map[int][]*target{}
	var order []int
	for _, t := range rest {
		c := 0
		if len(t.codes) > 0 {
			c = t.codes[0]
		}
		if byCode[c] == nil {
			order = append(order, c)
		}
		byCode[c] = append(byCode[c], t)
	}
	slices.Sort(order)
	for _, c := range order {
		a.answeredWith(g, c, byCode[c])
	}
}

// reused finds targets whose address belongs to a pod of somebody else by now.
func (a *analysis) reused(g *group, ts []*target) []*target {
	if g.TargetType != "ip" || g.service == "" || a.s.missed("list endpointslices.discovery.k8s.io") || a.found("tg.two-owners") {
		return ts
	}
	var foreign []*target
	for _, t := range ts {
		if t.pod != nil && !g.has(t.addr) && g.svc != nil && !matches(g.svc.Spec.Selector, t.pod.Labels) {
			foreign = append(foreign, t)
		}
	}
	for _, t := range foreign {
		a.report(diagnostics.Finding{
			ID: "target.reused-ip", Subject: t.ID, Confidence: diagnostics.Confirmed, Affects: []string{t.affects(), "pod/" + t.pod.Namespace + "/" + t.pod.Name}, Weight: g.weight(foreign),
			Summary: fmt.Sprintf("target %s of %s is the address of pod %s/%s, which is not behind Service %s/%s: it was registered for a pod that is gone", t.name(), g.Name, t.pod.Namespace, t.pod.Name, g.namespace, g.service),
			Evidence: []diagnostics.Evidence{g.evidence([]*target{t}), g.serviceEvidence(), {What: "pod with address " + t.ID, Value: t.pod.Namespace + "/" + t.pod.Name, Source: "list pods",
				Repeat: fmt.Sprintf("kubectl get pods -A --field-selector status.podIP=%s", t.ID)}},
		})
	}
	return slices.DeleteFunc(ts, func(t *target) bool { return slices.Contains(foreign, t) })
}

func (a *analysis) answeredWith(g *group, c int, ts []*target) {
	t := ts[0]
	pr := probeOf(t.pod, t.hcPort)
	if pr != nil && pr.port != t.hcPort && (hasSidecar(t.pod) || g.TargetType != "ip") {
		pr = nil // it asks another listener
	}
	passes := pr != nil && isReady(t.pod)
	f := diagnostics.Finding{Subject: g.subject(), Confidence: diagnostics.Confirmed, Affects: affected(ts), Weight: g.weight(ts) / 2, Evidence: []diagnostics.Evidence{g.evidence(ts), g.checkEvidence()}}
	if pr != nil {
		f.Evidence = append(f.Evidence, a.probed(g, t.pod, pr))
	}
	which := some(len(ts), len(g.registered()), "target") + " of " + g.Name
	says := fmt.Sprintf("the health check of %s asks GET %s and gets %d", which, g.Check.Path, c)
	want, source, diff := a.desired(g)
	switch {
	case diff && a.notApplied():
		return // told with what keeps the settings from being applied
	case a.overridden(g) != "":
		f.ID, f.Subject = "hc.override", "service/"+g.namespace+"/"+g.service
		f.Summary = fmt.Sprintf("%s: annotation %s of Service %s/%s wins over that of the ingress", says, a.overridden(g), g.namespace, g.service)
		f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "health check path as annotated", Value: fmt.Sprintf("Service %s (wins), ingress %s", want.path, a.s.Ingress.Annotations[annotation(a.overridden(g))]), Source: "list services",
			Repeat: fmt.Sprintf("kubectl get service %s -n %s -o jsonpath='{.metadata.annotations}'", g.service, g.namespace)})
	case c == 400 && g.Check.Protocol == "HTTP" && ((pr != nil && pr.scheme == "HTTPS" && pr.port == t.hcPort) || t.hcPort == 443 || t.hcPort == 8443):
		f.ID, f.Confidence = "tls.plain-to-tls", diagnostics.Likely
		f.Summary = fmt.Sprintf("the load balancer speaks plain HTTP to port %d of %s, which expects TLS and answers %d", t.hcPort, which, c)
	case hostSensitive(c) && pr != nil && pr.host != "":
		f.ID, f.Confidence = "hc.host-header", diagnostics.Likely
		f.Summary = fmt.Sprintf("%s: the application wants the Host header %s, as its readiness probe sends it, but the load balancer's check sends the address of the target", says, pr.host)
	case c >= 500 && a.startsBehindSidecar(t):
		f.ID, f.Confidence = "mesh.local-503", diagnostics.Possible
		f.Summary = fmt.Sprintf("%s: the sidecar of %s answers while the application has only just started", says, t.pod.Name)
	case c >= 500:
		f.ID, f.Confidence = "app.unhealthy", diagnostics.Likely
		f.Summary = says + ": the application itself says that it is not well; security groups and network are innocent, the answer came through"
		if passes && (pr.path != g.Check.Path || pr.port != t.hcPort) {
			f.Summary += fmt.Sprintf(" (its readiness probe asks %s, which passes)", pr.path)
		}
		if a.measured() && a.total(target5xx) > 0 {
			f.Evidence = append(f.Evidence, a.metric(target5xx))
		}
	case c == 404 && passes && pr.scheme == g.Check.Protocol && (pr.path != g.Check.Path || pr.port != t.hcPort):
		f.ID = "hc.path"
		if len(g.of(healthy)) > 0 {
			f.Confidence = diagnostics.Likely // others of the group have the path
		}
		f.Summary = fmt.Sprintf("%s, while the readiness probe asks %s and passes", says, pr.path)
		if a.defaulted(g) {
			f.Summary += ": no annotation sets a path, so the default / is asked"
		}
	case c == 404 && (pr == nil || !passes):
		f.ID, f.Confidence = "hc.path", diagnostics.Likely
		f.Summary = says + ": the application has no such path"
	case (c == 400 || c == 421) && a.measured() && a.lately(target2xx) > 0:
		f.ID, f.Confidence = "hc.host-header", diagnostics.Likely
		f.Summary = says + ", while requests of clients get 2xx: the application seems to reject the Host header, which in a check is the address of the target"
		f.Evidence = append(f.Evidence, a.metric(target2xx))
	case c >= 200 && c < 404 && c != 400:
		f.ID = "hc.codes"
		f.Summary = says + ", which the health check doesn't take: " + meaning(c)
	case g.ProtocolVersion == "GRPC":
		f.ID, f.Confidence = "app.unhealthy", diagnostics.Likely
		f.Summary = fmt.Sprintf("the gRPC health check of %s gets status %d", which, c)
	default:
		return
	}
	if source != "" && f.ID == "hc.path" {
		f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "where the path comes from", Value: source, Source: "list ingresses.networking.k8s.io", Repeat: a.ingressCommand()})
	}
	a.report(f)
}

// hostSensitive reports whether servers answer an unknown Host header with the code.
func hostSensitive(c int) bool { return c == 400 || c == 403 || c == 404 || c == 421 }

func meaning(c int) string {
	switch {
	case c >= 300 && c < 400:
		return "the path redirects"
	case c == 401 || c == 403:
		return "the path asks for a login"
	}
	return "only other codes count as healthy"
}

// startsBehindSidecar reports whether the application container of a pod with a mesh sidecar (re)started within five minutes.
func (a *analysis) startsBehindSidecar(t *target) bool {
	if !hasSidecar(t.pod) {
		return false
	}
	for _, c := range t.pod.Status.ContainerStatuses {
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

// notApplied reports whether something is known that keeps the controller from applying settings.
func (a *analysis) notApplied() bool {
	if a.s.Ingress == nil {
		return false
	}
	if a.found("ingress.group-conflict", "ingress.not-reconciled", "lbc.down", "lbc.iam", "lbc.webhook", "hc.grpc") {
		return true
	}
	e, ok := a.standing("Ingress", a.s.Ingress.Namespace, a.s.Ingress.Name)
	return ok && strings.HasPrefix(e.Reason, "Failed")
}
