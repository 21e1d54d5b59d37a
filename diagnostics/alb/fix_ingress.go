package alb

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

// fixIngress offers what the controller's message asks for.
func (a *analysis) fixIngress(f diagnostics.Finding) {
	x := diagnostics.Fix{ID: "fix-ingress-group", Undo: "put the old value back", SettlesIn: "2m0s", Risk: "whatever else waits in the ingress is applied with it"}
	if a.s.Ingress != nil {
		x.Owner = objectOwner(a.s.Ingress)
		x.Blast = "the whole ingress is reconciled"
		if n := len(a.s.Members); n > 0 {
			x.Blast = fmt.Sprintf("all %d ingresses of group %s are reconciled", n+1, a.s.Group)
		}
		x.Blast += drift(x.Owner)
	}
	switch f.Reason {
	case "balancer-missing":
		a.rebuild(f, x)
		return
	case "target-group-missing":
		b := a.s.Asked
		x.ID, x.Title, x.Owner, x.Risk = "bind-target-group", "Bind an existing target group, or remove the binding", ownerNone, "low: the binding fills nothing today"
		x.Changes = []string{fmt.Sprintf("TargetGroupBinding %s/%s: spec.targetGroupARN can't be changed, so a new binding with the ARN of a target group that exists; one of the controller it makes anew by itself once it is deleted", b.Namespace, b.Name)}
		x.Commands = []string{fmt.Sprintf("kubectl get targetgroupbinding %s -n %s -o yaml", b.Name, b.Namespace)}
	case "binding-missing", "rule-outdated":
		x.ID, x.Title = "bind-target-group", "Have the controller reconcile the ingress"
		x.Changes = []string{"any annotation of the ingress changed: the controller doesn't miss a binding or rule that went away until the ingress itself changes, or for up to 10 hours"}
		x.Commands, x.Undo = a.retry(), "none needed"
		if g := a.groupFor(f); g != nil && f.Reason == "binding-missing" {
			x.Frees, x.Needs = len(g.ready()), len(g.ready())
			x.Proof = fmt.Sprintf("%d endpoints of Service %s/%s are ready and nothing else keeps them out", len(g.ready()), g.namespace, g.service)
		}
	case "no-address", "no-rule":
		a.repairController(f)
		return
	case "subnets":
		a.fixSubnets(f, x)
		return
	case "port", "service-type", "service-missing":
		a.fixBackend(f, x)
		return
	case "quota":
		a.fixQuota(f, a.quotaOf(f))
		return
	case "throttled":
		a.refuse("repair-controller", "AWS throttles the calls of the account: the controller tries again by itself, after at most 17 minutes")
		return
	case "certificate":
		x.Title = "Give the listener a certificate for its hosts"
		x.Changes = []string{"a certificate in ACM (issued, same region) for " + joined(a.certified()) + ", or annotation " + annotation("certificate-arn") + ", or " + annotation("listen-ports") + " without HTTPS"}
		x.Commands = []string{"aws acm list-certificates --certificate-statuses ISSUED --query 'CertificateSummaryList[].[CertificateArn,DomainName,SubjectAlternativeNameSummaries]'"}
	default:
		x.Title = "Correct the ingress as the controller's message says"
		x.Changes = []string{f.Summary}
		if m := webhookName.FindStringSubmatch(f.Summary); m != nil {
			x.Title = fmt.Sprintf("Have webhook %s answer, or leave the objects of the load balancer controller out of it", m[1])
			x.Changes = []string{"whoever runs webhook " + m[1] + ": reachable from the API server, with ready pods; or rules or a namespaceSelector that don't take in targetgroupbindings.elbv2.k8s.aws"}
			x.Blast, x.Undo = "everything that the webhook judges", "put the old webhook configuration back"
			x.Commands = []string{"kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations"}
			x.Commands = append(x.Commands, a.retry()...)
			a.offer(f, x)
			return
		}
	}
	if a.s.Ingress != nil && x.ID == "fix-ingress-group" {
		x.Commands = append(x.Commands, fmt.Sprintf("kubectl edit ingress %s -n %s", a.s.Ingress.Name, a.s.Ingress.Namespace))
		a.refuse("repair-controller", "the controller works: it has complained %d times of the ingress itself", a.complaints())
	}
	a.offer(f, x)
}

// complaints is how often the controller has complained of the ingress.
func (a *analysis) complaints() int {
	if a.s.Ingress == nil {
		return 0
	}
	e, _ := a.standing("Ingress", a.s.Ingress.Namespace, a.s.Ingress.Name)
	return max(count(e), 1)
}

// certified lists the names for which the ingress needs certificates.
func (a *analysis) certified() []string {
	out := a.hosts()
	for _, t := range a.s.Ingress.Spec.TLS {
		out = append(out, t.Hosts...)
	}
	return sorted(out)
}

// rebuild offers to have a load balancer made anew that somebody deleted; it gets another name.
func (a *analysis) rebuild(f diagnostics.Finding, x diagnostics.Fix) {
	x.ID, x.Title, x.Undo, x.SettlesIn = "repair-controller", "Have the controller make the load balancer anew", "none needed", "5m0s"
	x.Changes = []string{"any annotation of the ingress changed: the controller then finds no load balancer with its tags and makes one"}
	x.Risk = "the new load balancer has another DNS name"
	x.Commands = append(a.retry(), fmt.Sprintf("kubectl get ingress %s -n %s", a.s.Ingress.Name, a.s.Ingress.Namespace))
	a.offer(f, x)
	var dig []string
	for _, h := range a.hosts() {
		dig = append(dig, "dig +short "+h)
	}
	a.offer(f, diagnostics.Fix{ID: "point-dns", Title: "Point the names of the ingress to the new load balancer", Owner: x.Owner, Undo: "put the old record back", SettlesIn: "2m0s", Risk: "low",
		Changes: []string{fmt.Sprintf("%s: from %s to the new address of the ingress (external-dns does so by itself)", joined(a.hosts()), a.s.Host)}, Commands: dig})
}

// fixBackend offers what brings an ingress and the Services that it names together.
func (a *analysis) fixBackend(f diagnostics.Finding, x diagnostics.Fix) {
	x.ID, x.Title = "edit-service", "Correct the Service that the ingress names"
	ing := a.s.Ingress
	if ing == nil {
		return
	}
	for _, b := range backends(*ing) {
		svc := a.s.service(ing.Namespace, b.Service)
		switch {
		case f.Reason == "service-missing" && svc == nil:
			x.Changes = append(x.Changes, fmt.Sprintf("Service %s/%s: make it, or take it out of the ingress (in a rule with weights a missing Service stops the whole ingress)", ing.Namespace, b.Service))
		case f.Reason == "port" && svc != nil && servicePort(svc, b.Port) == nil:
			x.Title = fmt.Sprintf("Name a port that Service %s has", svc.Name)
			x.Owner = objectOwner(svc)
			x.Changes = append(x.Changes, fmt.Sprintf("Ingress %s/%s: backend %s port %s → one of %s; or one more port %s in the Service", ing.Namespace, ing.Name, svc.Name, b.Port, portNames(svc), b.Port))
		case f.Reason == "service-type" && svc != nil && svc.Spec.Type != "NodePort" && svc.Spec.Type != "LoadBalancer":
			x.Title = fmt.Sprintf("Give Service %s node ports, or register its pods", svc.Name)
			x.Owner = objectOwner(svc)
			x.Changes = append(x.Changes, fmt.Sprintf("Service %s/%s: type %s → NodePort; or annotation %s: ip", svc.Namespace, svc.Name, svc.Spec.Type, annotation("target-type")))
			x.Commands = append(x.Commands, fmt.Sprintf("kubectl annotate ingress %s -n %s %s=ip --overwrite", ing.Name, ing.Namespace, annotation("target-type")))
		}
	}
	if len(x.Changes) == 0 {
		x.Changes = []string{f.Summary}
	}
	x.Commands = append(x.Commands, fmt.Sprintf("kubectl get services -n %s", ing.Namespace), fmt.Sprintf("kubectl edit ingress %s -n %s", ing.Name, ing.Namespace))
	a.offer(f, x)
}

// fixConflict offers, for everything that the ingresses of a group say differently, the value to agree on: what the load
// balancer has now, or what most of them say.
func (a *analysis) fixConflict(f diagnostics.Finding) {
	x := diagnostics.Fix{ID: "fix-ingress-group", Title: fmt.Sprintf("Make the ingresses of group %s agree", a.s.Group), Undo: "put the old annotation back", SettlesIn: "2m0s",
		Risk: "every change that waits in the group is applied with it", Blast: fmt.Sprintf("all %d ingresses of the group are reconciled", len(a.s.Members)+1)}
	owners := map[string]bool{}
	for _, c := range a.conflicts() {
		keep := c.kept()
		if keep == "" {
			x.Changes = append(x.Changes, "one value for "+c.String())
			continue
		}
		for _, ing := range a.everyone() {
			old, ok := ing.Annotations[annotation(c.key)]
			if !ok || slices.Contains(c.said[keep], ing.Namespace+"/"+ing.Name) {
				continue
			}
			value := keep
			if c.attribute != "" {
				if _, has := pairs(old)[c.attribute]; !has {
					continue
				}
				value = merged(old, c.attribute, keep)
			}
			owners[objectOwner(&ing)] = true
			x.Changes = append(x.Changes, fmt.Sprintf("Ingress %s/%s: annotation %s %s → %s", ing.Namespace, ing.Name, annotation(c.key), old, value))
			x.Commands = append(x.Commands, fmt.Sprintf("kubectl annotate ingress %s -n %s %s --overwrite", ing.Name, ing.Namespace, quote(annotation(c.key)+"="+value)))
		}
		x.Proof = fmt.Sprintf("with %s on %s all %d ingresses say the same", c.name(), keep, len(a.s.Members)+1)
		if c.now != "" {
			x.Proof += ", and it is what the load balancer has"
		}
	}
	if len(x.Changes) == 0 {
		x.Changes = []string{f.Summary}
	}
	if len(x.Commands) == 0 {
		x.Commands = []string{"kubectl get ingresses -A -o yaml", fmt.Sprintf("kubectl edit ingress %s -n %s", a.s.Ingress.Name, a.s.Ingress.Namespace)}
	}
	x.Owner = ownerNone
	if list := sortedKeys(owners); len(list) > 0 {
		x.Owner = list[0]
	}
	x.Blast += drift(x.Owner)
	a.refuse("repair-controller", "the controller works: it has refused the group %d times because its %d ingresses contradict each other", a.complaints(), len(a.s.Members)+1)
	a.offer(f, x)
}

// bindingOwner is the tool that declares a binding, by its marks.
func bindingOwner(labels, annotations map[string]string) string {
	return objectOwner(&metav1.ObjectMeta{Labels: labels, Annotations: annotations})
}
