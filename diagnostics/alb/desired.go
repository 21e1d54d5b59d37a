package alb

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/elb"
)

// settings are the parts of a health check that annotations set.
type settings struct{ path, port, protocol, codes, version, timeout string }

// differences names the settings in which two health checks differ.
func (s settings) differences(o settings) []string {
	var out []string
	for _, x := range []struct{ key, mine, other string }{
		{"path", s.path, o.path}, {"port", s.port, o.port}, {"protocol", strings.ToUpper(s.protocol), strings.ToUpper(o.protocol)}, {"codes", s.codes, o.codes},
		{"version", s.version, o.version}, {"timeout", s.timeout, o.timeout},
	} {
		if x.mine != x.other {
			out = append(out, x.key)
		}
	}
	return out
}

// String is a health check as reports spell it.
func (s settings) String() string {
	return fmt.Sprintf("%s GET %s port %s %s codes %s timeout %s s", s.version, s.path, s.port, s.protocol, s.codes, s.timeout)
}

// annotated looks an annotation up as the controller does: that of the Service goes before that of the ingress.
func (m *model) setting(g *group, key string) (value, where string) {
	if g.svc != nil {
		if v, ok := g.svc.Annotations[annotation(key)]; ok {
			return v, fmt.Sprintf("Service %s/%s", g.namespace, g.service)
		}
	}
	if m.s.Ingress != nil {
		if v, ok := m.s.Ingress.Annotations[annotation(key)]; ok {
			return v, fmt.Sprintf("Ingress %s/%s", m.s.Ingress.Namespace, m.s.Ingress.Name)
		}
	}
	return "", ""
}

// applied is the health check that the target group has.
func (g *group) applied() settings {
	port := g.Check.Port
	if port == strconv.Itoa(g.Port) && g.TargetType == "ip" {
		port = "traffic-port"
	}
	return settings{g.Check.Path, port, g.Check.Protocol, g.Check.Codes, cmp.Or(g.ProtocolVersion, "HTTP1"), strconv.Itoa(int(g.Check.Timeout.Seconds()))}
}

// desired is the health check that the annotations ask for, where its path comes from, and the settings in which the target
// group has another one. It knows only groups that the controller makes of an ingress.
func (m *model) desired(g *group) (want settings, source string, differs []string) {
	if m.s.Ingress == nil || (g.binding != nil && !ofController(*g.binding)) || g.Check.Path == "" {
		return settings{}, "", nil
	}
	have := g.applied()
	want = settings{path: "/", port: "traffic-port", protocol: cmp.Or(g.Protocol, "HTTP"), codes: "200", version: "HTTP1", timeout: "5"}
	if v, where := m.setting(g, "backend-protocol-version"); where != "" {
		want.version = v
	}
	if want.version == "GRPC" {
		want.path, want.codes = "/AWS.ALB/healthcheck", "12"
	}
	source = "default of the controller, no annotation " + annotation("healthcheck-path")
	if v, where := m.setting(g, "healthcheck-path"); where != "" {
		want.path, source = v, "annotation of "+where
	}
	for key, field := range map[string]*string{"healthcheck-port": &want.port, "healthcheck-protocol": &want.protocol, "success-codes": &want.codes, "healthcheck-timeout-seconds": &want.timeout} {
		if v, where := m.setting(g, key); where != "" {
			*field = v
		}
	}
	if _, err := strconv.Atoi(want.port); err != nil && want.port != "traffic-port" {
		want.port = have.port // a name: it is resolved per Service
	}
	if want.port == strconv.Itoa(g.Port) && g.TargetType == "ip" {
		want.port = "traffic-port"
	}
	return want, source, want.differences(have)
}

// matters lists the differing settings that could explain how the targets of a group fail.
func (g *group) matters(differs []string) []string {
	by := map[class][]string{code: {"path", "port", "protocol", "codes", "version"}, refuse: {"port", "protocol", "version"}, drop: {"port", "timeout"}}
	return slices.DeleteFunc(slices.Clone(differs), func(key string) bool {
		return !slices.ContainsFunc(g.bad(), func(t *target) bool { return slices.Contains(by[t.class], key) })
	})
}

// defaulted reports whether nothing sets the path of the health check.
func (a *analysis) defaulted(g *group) bool {
	_, where := a.setting(g, "healthcheck-path")
	return where == "" && a.s.Ingress != nil && g.Check.Path == "/"
}

// override is a health check annotation that Service and ingress both have, and differ in: that of the Service wins.
type override struct{ key, service, ingress string }

func (o override) text(g *group) string {
	return fmt.Sprintf("annotation %s of Service %s/%s is %s and wins over %s, which the ingress says", o.key, g.namespace, g.service, o.service, o.ingress)
}

func (o override) evidence(a *analysis, g *group) diagnostics.Evidence {
	return diagnostics.Evidence{What: o.key + " as annotated", Value: fmt.Sprintf("Service %s (wins), ingress %s", o.service, o.ingress), Source: "list services",
		Repeat: fmt.Sprintf("kubectl get service %s -n %s -o jsonpath='{.metadata.annotations}'; %s", g.service, g.namespace, a.ingressCommand())}
}

// overridden finds the first of the annotations by which the Service keeps the ingress from having its way, where the target
// group has the Service's value; its key is empty where there is none.
func (a *analysis) overridden(g *group, keys ...string) override {
	if a.s.Ingress == nil || g.svc == nil {
		return override{}
	}
	have := map[string]string{"healthcheck-path": g.Check.Path, "healthcheck-port": g.Check.Port, "healthcheck-protocol": g.Check.Protocol, "success-codes": g.Check.Codes}
	for _, key := range keys {
		service, ok := g.svc.Annotations[annotation(key)]
		ingress, both := a.s.Ingress.Annotations[annotation(key)]
		if ok && both && !strings.EqualFold(service, ingress) && strings.EqualFold(service, have[key]) {
			return override{key, service, ingress}
		}
	}
	return override{}
}

// applies is how long the controller may take until a changed annotation is in place.
const applies = 3 * time.Minute

// config reports health checks that the annotations ask for and the target groups don't have, where that can explain how
// their targets fail. What keeps the controller from it explains this; with nothing of the kind known, it was changed a
// moment ago, or behind the controller's back, or the event that told why has expired.
func (a *analysis) config() {
	for _, g := range a.groups {
		want, source, differs := a.desired(g)
		differs = g.matters(differs)
		if len(differs) == 0 {
			continue
		}
		f := diagnostics.Finding{
			ID: "hc.not-applied", Subject: g.Name, Confidence: diagnostics.Confirmed, Affects: affected(g.bad()), Weight: g.weight(g.bad()) / 2,
			Summary: fmt.Sprintf("the health check of target group %s isn't the one that the annotations ask for: %s instead of %s (%s)", g.Name, g.applied(), want, joined(differs)),
			Evidence: []diagnostics.Evidence{g.evidence(g.bad()), g.checkEvidence(), {What: "wanted by " + strings.TrimPrefix(source, "annotation of "), Value: want.String(), Source: "list ingresses.networking.k8s.io",
				Repeat: a.ingressCommand()}},
		}
		for _, by := range a.findings("ingress.group-conflict", "ingress.not-reconciled", "lbc.down", "lbc.iam", "lbc.webhook", "hc.grpc") {
			f.Because = append(f.Because, by.Key())
		}
		if a.outdated == nil {
			a.outdated = map[*group]bool{}
		}
		if slices.ContainsFunc(a.findings("hc.not-applied"), func(f diagnostics.Finding) bool { return f.Reason == "refused" }) {
			a.outdated[g] = true // the controller says so itself
			continue
		}
		if len(f.Because) > 0 || a.unexplained(g, &f) {
			a.outdated[g] = true
			a.report(f)
		}
	}
}

// unapplied reports whether the health check of a group is not the one asked for, and a finding says so.
func (a *analysis) unapplied(g *group) bool { return a.outdated[g] }

// unexplained decides about a health check that is not in place although nothing is known that keeps it from being so.
func (a *analysis) unexplained(g *group, f *diagnostics.Finding) bool {
	f.Confidence = diagnostics.Likely
	for _, e := range a.s.Audit {
		if e.Name == "ModifyTargetGroup" && e.Error == "" && touches(e, g.ARN) && !strings.Contains(e.User, "load-balancer-controller") {
			f.Reason, f.Confidence = "changed-outside", diagnostics.Confirmed
			f.Summary += fmt.Sprintf("; %s changed it at %s, behind the controller's back", e.User, clock(e.At))
			f.Evidence = append(f.Evidence, auditEvidence(e, g.ARN))
			return true
		}
	}
	at := a.annotatedAt(g)
	switch age := a.s.Now.Sub(at); {
	case at.IsZero():
		return false // it may be a moment's delay
	case age < applies:
		f.Reason = "applying"
		f.Summary += fmt.Sprintf("; the annotations were changed %s ago, and the controller takes about a minute", age.Round(time.Second))
	default:
		f.Reason = "no-reason-seen"
		f.Summary += fmt.Sprintf("; the annotations are like this since %s, and no complaint of the controller stands (events are kept for an hour)", at.UTC().Format("2006-01-02 15:04"))
	}
	return true
}

// annotatedAt is when somebody last changed the ingress or the Service of a group; zero where that isn't recorded.
func (a *analysis) annotatedAt(g *group) time.Time {
	fields := slices.Clone(a.s.Ingress.ManagedFields)
	if g.svc != nil {
		fields = append(fields, g.svc.ManagedFields...)
	}
	var last time.Time
	for _, m := range fields {
		if m.Time == nil || m.Subresource != "" || (m.FieldsV1 != nil && !strings.Contains(string(m.FieldsV1.Raw), `"f:annotations"`)) {
			continue
		}
		if m.Time.After(last) {
			last = m.Time.Time
		}
	}
	return last
}

// winning is the object whose annotation decides about a setting, with the value that it has now; nil where it is unset.
type winning struct {
	kind, resource, apiVersion, namespace, name string
	was                                         *string
	owner                                       string
}

func (w winning) object() string { return w.kind + " " + w.namespace + "/" + w.name }

// now is the value that the annotation has, or what stands for none.
func (w winning) now(none string) string {
	if w.was == nil {
		return none
	}
	return *w.was
}

// command sets the annotation.
func (w winning) command(key, value string) string {
	return fmt.Sprintf("kubectl annotate %s %s -n %s %s --overwrite", strings.ToLower(w.kind), w.name, w.namespace, quote(annotation(key)+"="+value))
}

// winner finds the object whose annotation decides about a health check setting.
func (a *analysis) winner(g *group, key string) winning {
	if g.svc != nil {
		if v, ok := g.svc.Annotations[annotation(key)]; ok {
			return winning{"Service", "services", "v1", g.namespace, g.service, &v, objectOwner(g.svc)}
		}
	}
	w := winning{kind: "Ingress", resource: "ingresses", apiVersion: "networking.k8s.io/v1", namespace: a.s.Ingress.Namespace, name: a.s.Ingress.Name, owner: objectOwner(a.s.Ingress)}
	if v, ok := a.s.Ingress.Annotations[annotation(key)]; ok {
		w.was = &v
	}
	return w
}

// managedByIngress reports whether the annotations of the ingress reach the target group.
func (a *analysis) managedByIngress(b *elb.TargetGroupBinding) bool {
	return a.s.Ingress != nil && b != nil && ofController(*b)
}
