package alb

import (
	"encoding/json"
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
	var missing []elb.Rule
	for _, r := range a.s.serving() {
		act := last(r)
		switch {
		case act.Type == "fixed-response" && act.Body == noService:
			missing = append(missing, r)
		case act.Type == "fixed-response" && strings.HasPrefix(act.StatusCode, "5"):
			a.fixed(r, act)
		case act.Type == "forward" && len(act.Targets) > 0 && !slices.ContainsFunc(act.Targets, func(t elb.Weighted) bool { return t.Weight > 0 }):
			a.weightless(r)
		}
		a.shadow(r)
	}
	if len(missing) > 0 {
		a.serviceMissing(missing)
	}
	for _, g := range a.groups {
		a.emptyShare(g)
	}
}

// told reports whether a cause was found already for a subject.
func (a *analysis) told(id, subject string) bool {
	return slices.ContainsFunc(a.findings(id), func(f diagnostics.Finding) bool { return f.Subject == subject })
}

// fixed reports a rule that answers by itself with an error: because an action annotation asks for it, because the
// annotation that the ingress names isn't there, or for no reason that the ingress gives.
func (a *analysis) fixed(r elb.Rule, act elb.Action) {
	if a.told("rule.fixed-response", ruleName(r)) {
		return // the same rule of another listener
	}
	f := diagnostics.Finding{ID: "rule.fixed-response", Confidence: diagnostics.Confirmed, Weight: 100, Subject: ruleName(r), Evidence: []diagnostics.Evidence{ruleEvidence(r)}}
	key, value := a.asked(act)
	switch {
	case act.Body == noAction:
		f.Reason = "missing-action"
		f.Summary = fmt.Sprintf("rule %s answers %s: the action annotation that the ingress names doesn't exist", ruleName(r), act.StatusCode)
		if name := a.lostAction(); name != "" {
			f.Summary = fmt.Sprintf("rule %s answers %s: the ingress names the action %s, and there is no annotation %s", ruleName(r), act.StatusCode, name, annotation("actions."+name))
		}
	case key != "":
		f.Reason = "intended"
		f.Summary = fmt.Sprintf("rule %s answers every request with %s %q by itself, as annotation %s of the ingress asks", ruleName(r), act.StatusCode, act.Body, key)
		f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "annotation " + key, Value: value, Source: "list ingresses.networking.k8s.io", Repeat: a.ingressCommand()})
	default:
		f.Reason, f.Confidence = "not-annotated", diagnostics.Likely
		f.Summary = fmt.Sprintf("rule %s answers every request with %s %q by itself, which no annotation of the ingress asks for", ruleName(r), act.StatusCode, act.Body)
	}
	if a.measured() && a.total(fixedAnswers) > 0 {
		f.Evidence = append(f.Evidence, a.metric(fixedAnswers))
	}
	a.report(f)
}

// asked finds the action annotation that asks for a fixed answer.
func (a *analysis) asked(act elb.Action) (key, value string) {
	if a.s.Ingress == nil {
		return "", ""
	}
	for _, key := range sortedKeys(a.s.Ingress.Annotations) {
		v := a.s.Ingress.Annotations[key]
		var want struct {
			Config struct {
				StatusCode  json.RawMessage `json:"statusCode"`
				MessageBody string          `json:"messageBody"`
			} `json:"fixedResponseConfig"`
		}
		if strings.HasPrefix(key, annotation("actions.")) && json.Unmarshal([]byte(v), &want) == nil &&
			strings.Trim(string(want.Config.StatusCode), `"`) == act.StatusCode && want.Config.MessageBody == act.Body {
			return key, v
		}
	}
	return "", ""
}

// lostAction is the action that a path of the ingress names and that no annotation defines; empty where none is told.
func (a *analysis) lostAction() string {
	if a.s.Ingress == nil {
		return ""
	}
	for _, rule := range a.s.Ingress.Spec.Rules {
		if rule.HTTP == nil {
			continue
		}
		for _, p := range rule.HTTP.Paths {
			b := p.Backend.Service
			if b == nil || b.Port.Name != "use-annotation" {
				continue
			}
			if _, ok := a.s.Ingress.Annotations[annotation("actions."+b.Name)]; !ok {
				return b.Name
			}
		}
	}
	return ""
}

// weightless reports a rule that gives every target group the weight 0.
func (a *analysis) weightless(r elb.Rule) {
	if a.told("rule.weight-zero", ruleName(r)) {
		return // the same rule of another listener
	}
	a.report(diagnostics.Finding{
		ID: "rule.weight-zero", Reason: "all-zero", Subject: ruleName(r), Confidence: diagnostics.Confirmed, Weight: 100,
		Summary:  fmt.Sprintf("rule %s forwards to target groups that all have weight 0, so its requests get 503", ruleName(r)),
		Evidence: append([]diagnostics.Evidence{ruleEvidence(r)}, a.standby(r)...),
	})
}

// standby gives the health of the target groups of a rule.
func (a *analysis) standby(r elb.Rule) []diagnostics.Evidence {
	var out []diagnostics.Evidence
	for _, g := range a.groups {
		if g.HealthRead && slices.Contains(forwards(r), g.ARN) {
			out = append(out, g.evidence(g.list))
		}
	}
	return out[:min(len(out), 3)]
}

// emptyShare reports a target group without targets that gets a part of the requests of its rule and of which nothing
// else is known: no Service stands behind it.
func (a *analysis) emptyShare(g *group) {
	own, all := g.weights()
	if !g.HealthRead || len(g.registered()) > 0 || g.service != "" || own == 0 || own == all || a.s.missed("list targetgroupbindings.elbv2.k8s.aws") {
		return
	}
	r := g.heaviest()
	a.report(diagnostics.Finding{
		ID: "rule.weight-zero", Reason: "empty-group", Subject: ruleName(r), Confidence: diagnostics.Confirmed, Weight: a.lost503(g), Affects: []string{"targetgroup/" + g.Name},
		Summary:  fmt.Sprintf("rule %s sends %d of %d parts of its requests to target group %s, which has no target and no TargetGroupBinding: they get 503", ruleName(r), own, all, g.Name),
		Evidence: append([]diagnostics.Evidence{ruleEvidence(r)}, a.standby(r)...),
	})
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
