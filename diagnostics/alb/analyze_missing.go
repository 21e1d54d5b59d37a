package alb

import (
	"fmt"
	"slices"
	"time"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/elb"
)

// absent lists the Services that the ingress names and that don't exist.
func (a *analysis) absent() []string {
	var out []string
	for _, b := range backends(*a.s.Ingress) {
		if a.s.service(a.s.Ingress.Namespace, b.Service) == nil {
			out = append(out, b.Service)
		}
	}
	return sorted(out)
}

// serviceMissing reports rules that the controller made answer 503 because their Service doesn't exist.
func (a *analysis) serviceMissing(rules []elb.Rule) {
	ing := a.s.Ingress
	says := func(rs []elb.Rule) (text string, ev []diagnostics.Evidence) {
		for _, r := range rs[:min(len(rs), 4)] {
			ev = append(ev, ruleEvidence(r))
		}
		if a.measured() && a.total(fixedAnswers) > 0 {
			ev = append(ev, a.metric(fixedAnswers))
		}
		text = "rule " + ruleName(rs[0])
		if n := len(rs) - 1; n > 0 {
			text += fmt.Sprintf(" and %d more", n)
		}
		return text, ev
	}
	if ing == nil || a.s.missedIn("list services", ing.Namespace) {
		text, ev := says(rules)
		a.report(diagnostics.Finding{
			ID: "svc.missing", Subject: ruleName(rules[0]), Confidence: diagnostics.Likely, Weight: 100, Evidence: ev,
			Summary: fmt.Sprintf("%s answers 503 %q: the Service that the ingress names didn't exist when the controller made it", text, noService),
		})
		return
	}
	absent := a.absent()
	if len(absent) == 0 {
		a.ruleOutdated(rules)
		return
	}
	for _, name := range absent {
		its := slices.DeleteFunc(slices.Clone(rules), func(r elb.Rule) bool { return !wants(*ing, name, r) })
		if len(its) == 0 && len(absent) > 1 {
			continue // another one's
		}
		if len(its) == 0 {
			its = rules
		}
		text, ev := says(its)
		f := diagnostics.Finding{
			ID: "svc.missing", Subject: "service/" + ing.Namespace + "/" + name, Confidence: diagnostics.Confirmed, Weight: 100,
			Summary:  fmt.Sprintf("Service %s/%s doesn't exist, so the controller made %s answer 503 %q", ing.Namespace, name, text, noService),
			Evidence: append(ev, serviceAbsent(ing.Namespace, name)),
		}
		if like := a.likeliest(name); like != "" {
			f.Summary += ": there is a Service " + like
		}
		a.report(f)
	}
}

func serviceAbsent(namespace, name string) diagnostics.Evidence {
	return diagnostics.Evidence{What: "Service " + namespace + "/" + name, Value: "not found", Source: "list services", Repeat: fmt.Sprintf("kubectl get service %s -n %s", name, namespace)}
}

// likeliest is the Service that an ingress probably means by the name of one that doesn't exist: of those with the port
// that the ingress names, the one with the most similar name, or else the only one. Those that the ingress names already are
// meant for something else.
func (a *analysis) likeliest(name string) string {
	port := a.wantedPort(name)
	var named, names []string
	for _, b := range backends(*a.s.Ingress) {
		named = append(named, b.Service)
	}
	for i := range a.s.Services {
		svc := &a.s.Services[i]
		if svc.Namespace == a.s.Ingress.Namespace && servicePort(svc, port) != nil && !slices.Contains(named, svc.Name) {
			names = append(names, svc.Name)
		}
	}
	if best := diagnostics.Nearest(name, names, 1); len(best) > 0 && (len(names) == 1 || diagnostics.Near(name, best[0])) {
		return best[0]
	}
	return ""
}

// wants reports whether a rule stands for a path of the ingress that leads to the Service.
func wants(ing networkingv1.Ingress, service string, r elb.Rule) bool {
	leads := func(b networkingv1.IngressBackend) bool {
		one := networkingv1.Ingress{}
		one.Annotations, one.Spec.DefaultBackend = ing.Annotations, &b
		return slices.ContainsFunc(backends(one), func(x backend) bool { return x.Service == service })
	}
	if r.Default {
		return ing.Spec.DefaultBackend != nil && leads(*ing.Spec.DefaultBackend)
	}
	only := networkingv1.Ingress{}
	for _, rule := range ing.Spec.Rules {
		if rule.HTTP == nil {
			continue
		}
		paths := slices.DeleteFunc(slices.Clone(rule.HTTP.Paths), func(p networkingv1.HTTPIngressPath) bool { return !leads(p.Backend) })
		only.Spec.Rules = append(only.Spec.Rules, networkingv1.IngressRule{Host: rule.Host, IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{Paths: paths}}})
	}
	return asksFor(only, r)
}

// ruleOutdated reports rules that still say that a Service is missing although every one exists: the controller has not
// come round to them.
func (a *analysis) ruleOutdated(rules []elb.Rule) {
	if a.found("lbc.down", "lbc.iam", "lbc.webhook", "ingress.group-conflict", "ingress.not-reconciled") {
		return // that is why
	}
	ing := a.s.Ingress
	f := diagnostics.Finding{
		ID: "ingress.not-reconciled", Reason: "rule-outdated", Subject: "ingress/" + ing.Namespace + "/" + ing.Name, Confidence: diagnostics.Likely, Weight: 100,
		Summary:  fmt.Sprintf("rule %s still answers 503 %q although every Service of ingress %s/%s exists: the controller has not applied it yet", ruleName(rules[0]), noService, ing.Namespace, ing.Name),
		Evidence: []diagnostics.Evidence{ruleEvidence(rules[0])},
	}
	for _, b := range backends(*ing) {
		svc := a.s.service(ing.Namespace, b.Service)
		age := a.s.Now.Sub(svc.CreationTimestamp.Time)
		if age < time.Minute {
			f.ID, f.Reason, f.Weight, f.Confidence = "lb.initializing", "", 50, diagnostics.Confirmed
			f.Summary = fmt.Sprintf("Service %s/%s was made %s ago and the controller is about to change rule %s", svc.Namespace, svc.Name, age.Round(time.Second), ruleName(rules[0]))
		}
		f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "Service " + svc.Namespace + "/" + svc.Name, Value: "made at " + svc.CreationTimestamp.UTC().Format(time.RFC3339), Source: "list services", Repeat: fmt.Sprintf("kubectl get service %s -n %s", svc.Name, svc.Namespace)})
	}
	a.report(f)
}
