package alb

import (
	"fmt"
	"strings"

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
			a.bindingGone(g)
			continue
		}
		if missing, surplus := g.gap(); len(missing)+len(surplus) > 0 || len(g.registered()) == 0 {
			a.bindingFailed(g, len(missing))
		}
	}
}

// bindingFailed names what the controller complains of where the targets of a binding aren't what they should be.
func (a *analysis) bindingFailed(g *group, missing int) {
	e, ok := a.standing("TargetGroupBinding", g.binding.Namespace, g.binding.Name)
	switch {
	case ok && e.Reason == "FailedNetworkReconcile": // told with the security group that lacks its rule
	case ok && webhookOf(e.Message) != "":
		a.webhook(e)
	case ok && forbidden(e.Message):
		a.credentials(e, g)
	case ok && e.Reason != "BackendNotFound" && missing > 0:
		a.report(diagnostics.Finding{
			ID: "ingress.not-reconciled", Reason: complaint(e.Message), Subject: "targetgroupbinding/" + g.binding.Namespace + "/" + g.binding.Name, Confidence: diagnostics.Likely, Weight: 90,
			Summary:  fmt.Sprintf("the controller can't register %d of the endpoints of Service %s/%s in %s: %s", missing, g.namespace, g.service, g.Name, trimmed(e.Message)),
			Evidence: []diagnostics.Evidence{eventEvidence(e), g.evidence(g.registered()), g.serviceEvidence()},
		})
	case !ok && missing > 0:
		if denied := a.deniedTo(g); denied != nil { // the event may have expired; CloudTrail remembers
			a.auditedRefusal(g, denied)
		}
	}
}

// bindingGone reports a target group that the controller made for the ingress and that no binding fills. A binding that could
// not be made leaves an event; one that was deleted by hand leaves nothing, and the controller doesn't miss it before the
// next change of the ingress.
func (a *analysis) bindingGone(g *group) {
	if !g.HealthRead || g.svc == nil || len(g.rules) == 0 || len(g.registered()) > 0 || len(g.ready()) == 0 || a.s.missed("list targetgroupbindings.elbv2.k8s.aws") ||
		a.found("lbc.webhook", "lbc.iam", "lbc.down", "ingress.not-reconciled", "ingress.group-conflict") || g.Tags["ingress.k8s.aws/resource"] == "" {
		return
	}
	a.report(diagnostics.Finding{
		ID: "ingress.not-reconciled", Reason: "binding-missing", Subject: g.Name, Confidence: diagnostics.Likely, Weight: 95,
		Summary: fmt.Sprintf("no TargetGroupBinding fills target group %s, so none of the %d ready endpoints of Service %s/%s is registered and clients get 503", g.Name, len(g.ready()), g.namespace, g.service),
		Evidence: []diagnostics.Evidence{g.evidence(nil), g.serviceEvidence(), {What: "TargetGroupBindings of " + g.Name, Value: "none", Source: "list targetgroupbindings.elbv2.k8s.aws",
			Repeat: fmt.Sprintf("kubectl get targetgroupbindings -n %s -o wide", g.namespace)}},
	})
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
