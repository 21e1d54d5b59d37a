package alb

import (
	"cmp"
	"fmt"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/elb"
)

// shadow reports a rule of another ingress of the group that takes the requests first. Of the rules that match a request the
// one with the lowest priority number decides.
func (a *analysis) shadow(rule elb.Rule) {
	r := a.shadowedBy(rule)
	if r == nil || slices.ContainsFunc(a.findings("rule.shadowed"), func(f diagnostics.Finding) bool { return f.Subject == ruleName(rule) }) {
		return
	}
	f := diagnostics.Finding{
		ID: "rule.shadowed", Subject: ruleName(rule), Confidence: diagnostics.Confirmed, Weight: 100,
		Evidence: []diagnostics.Evidence{ruleEvidence(*r), ruleEvidence(rule)},
	}
	by := ""
	if m := a.member(*r); m != nil {
		by = fmt.Sprintf(" of ingress %s/%s", m.Namespace, m.Name)
		f.Affects = []string{"ingress/" + m.Namespace + "/" + m.Name}
		f.Evidence = append(f.Evidence, orderEvidence(*m), orderEvidence(*a.s.Ingress))
	}
	f.Summary = fmt.Sprintf("rule %s%s matches every request for rule %s first, so they never reach this ingress", ruleName(*r), by, ruleName(rule))
	a.report(f)
}

// shadowedBy finds the first rule of another ingress that matches everything that our rule matches and sends it elsewhere; nil where there
// is none.
func (a *analysis) shadowedBy(rule elb.Rule) *elb.Rule {
	if a.s.Group == "" || a.s.Ingress == nil || rule.Default || last(rule).Type == "redirect" {
		return nil
	}
	for i, r := range a.s.Rules {
		if r.Listener != rule.Listener || r.Default || r.Priority >= rule.Priority || !covers(r, rule) || last(r).Type == "redirect" {
			continue
		}
		if o := a.s.ownerOf(r); o == ours || (o == nobody && asksFor(*a.s.Ingress, r)) {
			continue
		}
		if to := sorted(forwards(r)); len(to) > 0 && slices.Equal(to, sorted(forwards(rule))) {
			continue // it sends them to the same place
		}
		return &a.s.Rules[i]
	}
	return nil
}

// member finds the other ingress of the group that asks for a rule, that whose target groups it forwards to before one that
// only has the same host and path; nil where none does.
func (a *analysis) member(r elb.Rule) *networkingv1.Ingress {
	for i, m := range a.s.Members {
		if slices.ContainsFunc(forwards(r), func(arn string) bool { return claims(m, tagOf(a.s.Tags[arn], "resource")) }) {
			return &a.s.Members[i]
		}
	}
	for i, m := range a.s.Members {
		if asksFor(m, r) {
			return &a.s.Members[i]
		}
	}
	return nil
}

// orderOf is the place of an ingress in its group: the smaller comes first; without the annotation it is 0.
func orderOf(ing networkingv1.Ingress) string {
	return cmp.Or(ing.Annotations[annotation("group.order")], "0")
}

func orderEvidence(ing networkingv1.Ingress) diagnostics.Evidence {
	value := orderOf(ing)
	if ing.Annotations[annotation("group.order")] == "" {
		value += " by default"
	}
	return diagnostics.Evidence{What: fmt.Sprintf("group.order of ingress %s/%s", ing.Namespace, ing.Name), Value: value, Source: "list ingresses.networking.k8s.io",
		Repeat: fmt.Sprintf("kubectl get ingress %s -n %s -o jsonpath='{.metadata.annotations}'", ing.Name, ing.Namespace)}
}
