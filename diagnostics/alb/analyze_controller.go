package alb

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

// reconciliation asks whether the controller could apply what it was told: its own state, and its complaints about the
// ingress and the bindings.
func (a *analysis) reconciliation() {
	a.controllerDown()
	if ing := a.s.Ingress; ing != nil {
		if e, ok := a.standing("Ingress", ing.Namespace, ing.Name); ok && strings.HasPrefix(e.Reason, "Failed") {
			a.ingressFailed(e)
		} else if a.s.Asked == nil && a.s.Balancer == nil && !a.s.missed("elasticloadbalancing:DescribeLoadBalancers") {
			a.balancerGone()
		} else if a.s.Balancer != nil {
			a.unserved()
		}
	}
	a.unbound()
	for _, g := range a.groups {
		if g.binding == nil {
			continue
		}
		e, ok := a.standing("TargetGroupBinding", g.binding.Namespace, g.binding.Name)
		// What FailedNetworkReconcile says is told with the security group that lacks its rule.
		if !ok || e.Reason == "FailedNetworkReconcile" || !(g.foreign() || len(g.registered()) == 0) {
			continue
		}
		switch {
		case strings.Contains(e.Message, "failed calling webhook"):
			a.webhook(e)
		case forbidden(e.Message):
			a.credentials(e, g)
		}
	}
}

// controllerDown reports a controller without a ready replica, where something waits for it.
func (a *analysis) controllerDown() {
	c := a.s.Controller
	if c == nil || c.Ready > 0 {
		return
	}
	var waiting []string
	var unset []string
	for _, g := range a.groups {
		if g.foreign() {
			waiting = append(waiting, g.Name)
		} else if _, _, differs := a.desired(g); len(g.matters(differs)) > 0 {
			unset = append(unset, g.Name)
		}
	}
	if len(waiting)+len(unset) == 0 && a.s.Balancer != nil {
		return // it is missed by nobody yet
	}
	what := "the ingress has no load balancer"
	switch {
	case len(waiting) > 0:
		what = "the targets of " + joined(waiting) + " aren't the endpoints any more"
	case len(unset) > 0:
		what = "the health check of " + joined(unset) + " isn't the one that the annotations ask for"
	}
	a.report(diagnostics.Finding{
		ID: "lbc.down", Subject: "deployment/" + c.Namespace + "/" + c.Name, Confidence: diagnostics.Confirmed, Weight: 90,
		Summary: fmt.Sprintf("the load balancer controller has 0 of %d replicas ready, and %s", c.Desired, what),
		Evidence: []diagnostics.Evidence{{What: "Deployment " + c.Namespace + "/" + c.Name, Value: fmt.Sprintf("%d ready of %d", c.Ready, c.Desired), Source: "list deployments.apps",
			Repeat: fmt.Sprintf("kubectl get deployment %s -n %s", c.Name, c.Namespace)}},
	})
}

// ingressFailed names what the controller complains of.
func (a *analysis) ingressFailed(e corev1.Event) {
	ing := a.s.Ingress
	f := diagnostics.Finding{Subject: "ingress/" + ing.Namespace + "/" + ing.Name, Confidence: diagnostics.Confirmed, Weight: 95, Evidence: []diagnostics.Evidence{eventEvidence(e)}}
	switch msg := e.Message; {
	case strings.Contains(msg, "failed calling webhook"):
		a.webhook(e)
	case forbidden(msg):
		a.credentials(e, nil)
	case strings.Contains(msg, "conflicting") && len(a.s.Members) > 0:
		f.ID, f.Subject = "ingress.group-conflict", "ingress group "+a.s.Group
		f.Summary = fmt.Sprintf("the %d ingresses of group %s contradict each other, so the controller applies none of their changes: %s", len(a.s.Members)+1, a.s.Group, trimmed(msg))
		if offenders := a.conflicts(); len(offenders) > 0 {
			f.Summary += " (" + strings.Join(offenders, "; ") + ")"
			f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "annotations that must agree in group " + a.s.Group, Value: strings.Join(offenders, "; "), Source: "list ingresses.networking.k8s.io", Repeat: "kubectl get ingresses -A -o yaml"})
		}
		for _, m := range a.s.Members {
			f.Affects = append(f.Affects, "ingress/"+m.Namespace+"/"+m.Name)
		}
		a.report(f)
	case strings.Contains(msg, "matcher GRPC code") || (strings.Contains(msg, "GRPC") && strings.Contains(msg, "0-99")):
		f.ID = "hc.grpc"
		f.Summary = "the success codes are no gRPC codes: " + trimmed(msg)
		a.report(f)
	case aboutHealthCheck(msg):
		f.ID, f.Reason = "hc.not-applied", "refused"
		f.Summary = fmt.Sprintf("the health check that ingress %s/%s asks for can't be applied: %s", ing.Namespace, ing.Name, trimmed(msg))
		a.report(f)
	default:
		f.ID = "ingress.not-reconciled"
		f.Reason = e.Reason
		f.Summary = fmt.Sprintf("the controller can't apply ingress %s/%s: %s", ing.Namespace, ing.Name, trimmed(msg))
		a.report(f)
	}
}

// aboutHealthCheck recognises a complaint about the settings of a health check: the controller can't read an annotation, or
// the load balancer API doesn't take a value.
func aboutHealthCheck(msg string) bool {
	msg = strings.ToLower(msg)
	return strings.Contains(msg, "health check") || strings.Contains(msg, "healthcheck") || strings.Contains(msg, "success-codes")
}

// trimmed is a message of the controller without its standard opening, in one line of sensible length.
func trimmed(msg string) string {
	for _, p := range []string{"Failed build model due to ", "Failed deploy model due to ", "Failed reconcile due to "} {
		msg = strings.TrimPrefix(msg, p)
	}
	msg = strings.Join(strings.Fields(msg), " ")
	if r := []rune(msg); len(r) > 240 {
		msg = string(r[:240]) + "…"
	}
	return msg
}

// exclusive lists the annotations that all ingresses of a group must agree on, where they have them.
var exclusive = []string{"scheme", "ip-address-type", "load-balancer-name", "subnets", "security-groups", "manage-backend-security-group-rules",
	"customer-owned-ipv4-pool", "inbound-cidrs", "ssl-policy", "wafv2-acl-arn", "waf-acl-id", "shield-advanced-protection", "ipv4-ipam-pool-id", "minimum-load-balancer-capacity"}

// conflicts names the annotations in which the ingresses of the group differ, with who says what.
func (a *analysis) conflicts() []string {
	all := append([]networkingv1.Ingress{*a.s.Ingress}, a.s.Members...)
	var out []string
	for _, key := range exclusive {
		said := map[string]bool{}
		var parts []string
		for _, ing := range all {
			if v, ok := ing.Annotations[annotation(key)]; ok {
				said[v] = true
				parts = append(parts, fmt.Sprintf("%s/%s says %s", ing.Namespace, ing.Name, v))
			}
		}
		if len(said) > 1 {
			slices.Sort(parts)
			out = append(out, key+": "+joined(parts))
		}
	}
	return out
}

// webhook reports that the control plane can't reach the controller's webhook, so that no binding can be made.
func (a *analysis) webhook(e corev1.Event) {
	if a.found("lbc.webhook") {
		return
	}
	f := diagnostics.Finding{
		ID: "lbc.webhook", Subject: "ingress/" + e.InvolvedObject.Namespace + "/" + e.InvolvedObject.Name, Confidence: diagnostics.Confirmed, Weight: 95,
		Summary:  "the API server can't reach the webhook of the load balancer controller, so target groups get no binding and stay empty",
		Evidence: []diagnostics.Evidence{eventEvidence(e)},
	}
	for _, x := range a.groups {
		if x.HealthRead && len(x.registered()) == 0 && len(x.rules) > 0 {
			f.Affects = append(f.Affects, "targetgroup/"+x.Name)
			if x.service != "" {
				f.Summary += ", that of Service " + x.service + " for one"
			}
			f.Evidence = append(f.Evidence, x.evidence(nil))
		}
	}
	a.report(f)
}

// credentials reports a controller that AWS turns away.
func (a *analysis) credentials(e corev1.Event, g *group) {
	if a.found("lbc.iam") {
		return
	}
	f := diagnostics.Finding{
		ID: "lbc.iam", Subject: strings.ToLower(e.InvolvedObject.Kind) + "/" + e.InvolvedObject.Namespace + "/" + e.InvolvedObject.Name, Confidence: diagnostics.Confirmed, Weight: 95,
		Summary:  "AWS turns the load balancer controller away: " + trimmed(e.Message),
		Evidence: []diagnostics.Evidence{eventEvidence(e)},
	}
	if g != nil {
		f.Affects = append(f.Affects, "targetgroup/"+g.Name)
		f.Evidence = append(f.Evidence, g.evidence(g.list), g.serviceEvidence())
		if len(g.registered()) == 0 && len(g.ready()) > 0 {
			f.Summary = fmt.Sprintf("AWS turns the load balancer controller away, so none of the %d ready endpoints of Service %s/%s is registered: %s", len(g.ready()), g.namespace, g.service, trimmed(e.Message))
		}
	}
	a.report(f)
}

// unserved reports a load balancer that knows nothing of the ingress, or that is another cluster's.
func (a *analysis) unserved() {
	lb, ing := a.s.Balancer, a.s.Ingress
	if c := clusterOf(lb.Tags); c != "" && c != a.s.Cluster {
		a.contradict("load balancer %s carries the tag of cluster %s, not of %s: two clusters may have an ingress of this name", lb.Name, c, a.s.Cluster)
	}
	if len(a.s.serving()) > 0 || len(a.groups) > 0 || a.s.missed("elasticloadbalancing:DescribeListeners") || a.s.missed("elasticloadbalancing:DescribeRules") || a.troubled() {
		return
	}
	a.report(diagnostics.Finding{
		ID: "ingress.not-reconciled", Reason: "no-rule", Subject: "ingress/" + ing.Namespace + "/" + ing.Name, Confidence: diagnostics.Likely, Weight: 95,
		Summary: fmt.Sprintf("no rule of load balancer %s serves ingress %s/%s, so its requests get the default answer", lb.Name, ing.Namespace, ing.Name),
		Evidence: []diagnostics.Evidence{{What: "rules of " + lb.Name, Value: fmt.Sprintf("%d, none for this ingress", len(a.s.Rules)), Source: "elasticloadbalancing:DescribeRules",
			Repeat: "aws elbv2 describe-listeners --load-balancer-arn " + lb.ARN}},
	})
}

// balancerGone reports an address that leads to no load balancer.
func (a *analysis) balancerGone() {
	ing := a.s.Ingress
	f := diagnostics.Finding{ID: "ingress.not-reconciled", Subject: "ingress/" + ing.Namespace + "/" + ing.Name, Confidence: diagnostics.Confirmed, Weight: 100}
	if a.s.Host == "" {
		if a.s.missed("list events") || a.found("lbc.down") {
			return
		}
		f.Confidence, f.Reason = diagnostics.Likely, "no-address"
		f.Summary = fmt.Sprintf("ingress %s/%s has no load balancer, and no event says why", ing.Namespace, ing.Name)
		if n := len(a.s.Candidates); n > 0 {
			f.Summary = fmt.Sprintf("ingress %s/%s has no address, and %d load balancers carry its tags, of which none is sure to be its own: %s", ing.Namespace, ing.Name, n, joined(a.s.Candidates))
		}
	} else {
		f.Reason = "balancer-missing"
		f.Summary = fmt.Sprintf("ingress %s/%s points to %s, but there is no such load balancer: it was deleted outside the cluster", ing.Namespace, ing.Name, a.s.Host)
	}
	f.Evidence = []diagnostics.Evidence{{What: "load balancer with this DNS name", Value: "none", Source: "elasticloadbalancing:DescribeLoadBalancers",
		Repeat: fmt.Sprintf("aws elbv2 describe-load-balancers --query \"LoadBalancers[?DNSName=='%s']\"", a.s.Host)}}
	a.report(f)
}

// unbound reports a binding whose target group isn't there.
func (a *analysis) unbound() {
	b := a.s.Asked
	if b == nil || len(a.groups) > 0 || a.s.missed("elasticloadbalancing:DescribeTargetGroups") {
		return
	}
	a.report(diagnostics.Finding{
		ID: "ingress.not-reconciled", Reason: "target-group-missing", Subject: "targetgroupbinding/" + b.Namespace + "/" + b.Name, Confidence: diagnostics.Confirmed, Weight: 100,
		Summary: fmt.Sprintf("TargetGroupBinding %s/%s is bound to target group %s, which doesn't exist: it was deleted outside the cluster", b.Namespace, b.Name, nameOfTargetGroup(b.TargetGroupARN)),
		Evidence: []diagnostics.Evidence{{What: "target group " + nameOfTargetGroup(b.TargetGroupARN), Value: "not found", Source: "elasticloadbalancing:DescribeTargetGroups",
			Repeat: "aws elbv2 describe-target-groups --target-group-arns " + b.TargetGroupARN}, bindingEvidence(b)},
	})
}
