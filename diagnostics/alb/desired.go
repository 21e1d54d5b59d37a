package alb

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/elb"
)

// settings are the parts of a health check that annotations set.
type settings struct{ path, port, protocol, codes, version string }

// annotated looks an annotation up as the controller does: that of the Service goes before that of the ingress.
func (a *analysis) setting(g *group, key string) (value, where string) {
	if g.svc != nil {
		if v, ok := g.svc.Annotations[annotation(key)]; ok {
			return v, fmt.Sprintf("Service %s/%s", g.namespace, g.service)
		}
	}
	if a.s.Ingress != nil {
		if v, ok := a.s.Ingress.Annotations[annotation(key)]; ok {
			return v, fmt.Sprintf("Ingress %s/%s", a.s.Ingress.Namespace, a.s.Ingress.Name)
		}
	}
	return "", ""
}

// desired is the health check that the annotations ask for, where its path comes from, and whether the target group has another one.
// It knows only groups that the controller makes of an ingress.
func (a *analysis) desired(g *group) (want settings, source string, differs bool) {
	if a.s.Ingress == nil || (g.binding != nil && !ofController(*g.binding)) {
		return settings{}, "", false
	}
	want = settings{path: "/", port: "traffic-port", protocol: cmp.Or(g.Protocol, "HTTP"), codes: "200", version: "HTTP1"}
	if v, where := a.setting(g, "backend-protocol-version"); where != "" {
		want.version = v
	}
	if want.version == "GRPC" {
		want.path, want.codes = "/AWS.ALB/healthcheck", "12"
	}
	source = "default of the controller, no annotation " + annotation("healthcheck-path")
	if v, where := a.setting(g, "healthcheck-path"); where != "" {
		want.path, source = v, "annotation of "+where
	}
	for key, field := range map[string]*string{"healthcheck-port": &want.port, "healthcheck-protocol": &want.protocol, "success-codes": &want.codes} {
		if v, where := a.setting(g, key); where != "" {
			*field = v
		}
	}
	have := settings{g.Check.Path, g.Check.Port, g.Check.Protocol, g.Check.Codes, cmp.Or(g.ProtocolVersion, "HTTP1")}
	if _, err := strconv.Atoi(want.port); err != nil && want.port != "traffic-port" {
		want.port = have.port // a name: it is resolved per Service
	}
	return want, source, g.Check.Path != "" && (have.path != want.path || have.port != want.port || !strings.EqualFold(have.protocol, want.protocol) || have.codes != want.codes || have.version != want.version)
}

// defaulted reports whether nothing sets the path of the health check.
func (a *analysis) defaulted(g *group) bool {
	_, where := a.setting(g, "healthcheck-path")
	return where == "" && a.s.Ingress != nil && g.Check.Path == "/"
}

// overridden names the health check annotation by which the Service keeps the ingress from having its way, where the
// target group has the Service's value.
func (a *analysis) overridden(g *group) string {
	if a.s.Ingress == nil || g.svc == nil {
		return ""
	}
	for key, have := range map[string]string{"healthcheck-path": g.Check.Path} {
		service, ok := g.svc.Annotations[annotation(key)]
		ingress, both := a.s.Ingress.Annotations[annotation(key)]
		if ok && both && service != ingress && service == have {
			return key
		}
	}
	return ""
}

// config reports health checks that the controller was told to change and hasn't.
func (a *analysis) config() {
	for _, g := range a.groups {
		want, source, differs := a.desired(g)
		if !differs || len(g.bad()) == 0 {
			continue
		}
		f := diagnostics.Finding{
			ID: "hc.not-applied", Subject: g.Name, Confidence: diagnostics.Confirmed, Affects: affected(g.bad()), Weight: g.weight(g.bad()) / 2,
			Summary: fmt.Sprintf("target group %s still has the health check %s GET %s port %s codes %s, not %s GET %s port %s codes %s as annotated", g.Name, g.ProtocolVersion, g.Check.Path, g.Check.Port, g.Check.Codes, want.version, want.path, want.port, want.codes),
			Evidence: []diagnostics.Evidence{g.checkEvidence(), {What: "wanted by " + strings.TrimPrefix(source, "annotation of "), Value: fmt.Sprintf("GET %s port %s %s codes %s", want.path, want.port, want.protocol, want.codes), Source: "list ingresses.networking.k8s.io",
				Repeat: a.ingressCommand()}},
		}
		for _, by := range a.findings("ingress.group-conflict", "ingress.not-reconciled", "lbc.down", "lbc.iam", "lbc.webhook", "hc.grpc") {
			f.Because = append(f.Because, by.Key())
		}
		if len(f.Because) == 0 {
			if !a.notApplied() {
				continue // it may be a moment's delay, or somebody's change on the AWS side that the controller will revert
			}
		}
		a.report(f)
	}
}

// winner is the object whose annotation decides about a health check setting.
func (a *analysis) winner(g *group, key string) (resource, apiVersion, namespace, name string, was *string) {
	if g.svc != nil {
		if v, ok := g.svc.Annotations[annotation(key)]; ok {
			return "services", "v1", g.namespace, g.service, &v
		}
	}
	if v, ok := a.s.Ingress.Annotations[annotation(key)]; ok {
		was = &v
	}
	return "ingresses", "networking.k8s.io/v1", a.s.Ingress.Namespace, a.s.Ingress.Name, was
}

// managedByIngress reports whether the annotations of the ingress reach the target group.
func (a *analysis) managedByIngress(b *elb.TargetGroupBinding) bool {
	return a.s.Ingress != nil && b != nil && ofController(*b)
}
