package alb

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/elb"
)

// Bodies of the fixed answers that the controller puts where it has nothing to forward to.
const (
	noService = "Backend service does not exist"
	noAction  = "Backend action does not exist"
)

// routing asks what the rules do with requests for the ingress before any target is looked at.
func (a *analysis) routing() {
	for _, r := range a.s.serving() {
		act := last(r)
		switch {
		case act.Type == "fixed-response" && !r.Default:
			a.fixed(r, act)
		case act.Type == "forward" && len(act.Targets) > 0 && !slices.ContainsFunc(act.Targets, func(t elb.Weighted) bool { return t.Weight > 0 }):
			a.report(diagnostics.Finding{
				ID: "rule.weight-zero", Subject: ruleName(r), Confidence: diagnostics.Confirmed, Weight: 100,
				Summary:  fmt.Sprintf("rule %s forwards to target groups that all have weight 0, so its requests get 503", ruleName(r)),
				Evidence: []diagnostics.Evidence{ruleEvidence(r)},
			})
		}
		a.shadow(r)
	}
}

// fixed reports a rule that answers by itself with an error.
func (a *analysis) fixed(r elb.Rule, act elb.Action) {
	if !strings.HasPrefix(act.StatusCode, "5") && !strings.HasPrefix(act.StatusCode, "4") {
		return
	}
	f := diagnostics.Finding{Confidence: diagnostics.Confirmed, Weight: 100, Subject: ruleName(r), Evidence: []diagnostics.Evidence{ruleEvidence(r)}}
	if act.Body == noService {
		f.ID = "svc.missing"
		var missing []string
		if a.s.Ingress != nil && !a.s.missed("list services") {
			for _, b := range backends(*a.s.Ingress) {
				if a.s.service(a.s.Ingress.Namespace, b.Service) == nil {
					missing = append(missing, b.Service)
				}
			}
		}
		missing = sorted(missing)
		f.Summary = fmt.Sprintf("rule %s answers %s %q: the Service that the ingress names doesn't exist", ruleName(r), act.StatusCode, act.Body)
		if len(missing) > 0 {
			f.Subject = "service/" + a.s.Ingress.Namespace + "/" + missing[0]
			f.Summary = fmt.Sprintf("Service %s/%s doesn't exist, so the controller made rule %s answer %s %q", a.s.Ingress.Namespace, joined(missing), ruleName(r), act.StatusCode, act.Body)
			f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "Service " + a.s.Ingress.Namespace + "/" + missing[0], Value: "not found", Source: "list services", Repeat: fmt.Sprintf("kubectl get service %s -n %s", missing[0], a.s.Ingress.Namespace)})
		}
		a.report(f)
		return
	}
	f.ID = "rule.fixed-response"
	f.Summary = fmt.Sprintf("rule %s answers every request with %s %q by itself, as an action annotation of the ingress asks", ruleName(r), act.StatusCode, act.Body)
	if act.Body == noAction {
		f.Reason = "missing-action"
		f.Summary = fmt.Sprintf("rule %s answers %s: the action annotation that the ingress names doesn't exist", ruleName(r), act.StatusCode)
	}
	if a.s.Ingress != nil {
		for _, key := range sortedKeys(a.s.Ingress.Annotations) {
			if v := a.s.Ingress.Annotations[key]; strings.HasPrefix(key, annotation("actions.")) && strings.Contains(v, "fixed-response") {
				f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "annotation " + key, Value: v, Source: "list ingresses.networking.k8s.io", Repeat: a.ingressCommand()})
			}
		}
	}
	a.report(f)
}

func ruleName(r elb.Rule) string {
	text := fmt.Sprint(r.Priority)
	if r.Default {
		text = "default"
	}
	if hosts := values(r, "host-header"); len(hosts) > 0 {
		text += " (" + joined(hosts) + strings.Join(values(r, "path-pattern"), "|") + ")"
	} else if paths := values(r, "path-pattern"); len(paths) > 0 {
		text += " (" + strings.Join(paths, "|") + ")"
	}
	return text
}

func ruleEvidence(r elb.Rule) diagnostics.Evidence {
	act := last(r)
	value := act.Type
	switch act.Type {
	case "fixed-response":
		value = fmt.Sprintf("fixed-response %s %q", act.StatusCode, act.Body)
	case "forward":
		var parts []string
		for _, t := range act.Targets {
			parts = append(parts, fmt.Sprintf("%s weight %d", nameOfTargetGroup(t.TargetGroup), t.Weight))
		}
		value = "forward to " + joined(parts)
	}
	return diagnostics.Evidence{What: "rule " + ruleName(r), Value: value, Source: "elasticloadbalancing:DescribeRules", Repeat: "aws elbv2 describe-rules --rule-arns " + r.ARN}
}
