package alb

import (
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/netdiag/netdiag/diagnostics"
)

// unfilled asks why a target group that serves requests has nobody to send them to.
func (a *analysis) unfilled(g *group) {
	if !g.HealthRead || len(g.registered()) > 0 || (len(g.rules) == 0 && a.s.Asked == nil) {
		return
	}
	if g.service == "" || a.s.missed("list services") || a.s.missed("list endpointslices.discovery.k8s.io") {
		return
	}
	if g.svc == nil {
		a.missing(g)
		return
	}
	if g.TargetType != "instance" && len(g.ready()) == 0 {
		a.noEndpoints(g)
		return
	}
	a.unregistered(g)
}

// missing reports a Service that isn't there.
func (a *analysis) missing(g *group) {
	if a.found("svc.missing") {
		return
	}
	a.report(diagnostics.Finding{
		ID: "svc.missing", Subject: "service/" + g.namespace + "/" + g.service, Confidence: diagnostics.Confirmed, Weight: 100,
		Summary:  fmt.Sprintf("Service %s/%s doesn't exist, so target group %s stays empty", g.namespace, g.service, g.Name),
		Evidence: []diagnostics.Evidence{g.evidence(nil), {What: "Service " + g.namespace + "/" + g.service, Value: "not found", Source: "list services", Repeat: fmt.Sprintf("kubectl get service %s -n %s", g.service, g.namespace)}},
	})
}

// noEndpoints asks why a Service has no ready endpoint. That the controller then takes its security group rule away is a
// consequence and no cause.
func (a *analysis) noEndpoints(g *group) {
	f := diagnostics.Finding{
		Subject: g.subject(), Confidence: diagnostics.Confirmed, Weight: a.lost503(g),
		Evidence: []diagnostics.Evidence{g.evidence(nil), g.serviceEvidence()},
	}
	pods := g.selected()
	if a.s.missed("list pods") {
		f.ID, f.Confidence = "ep.none-ready", diagnostics.Likely
		f.Summary = fmt.Sprintf("Service %s/%s has no ready endpoint, so target group %s is empty and clients get 503", g.namespace, g.service, g.Name)
		a.report(f)
		return
	}
	f.Evidence = append(f.Evidence, a.selectorEvidence(g, pods))
	for _, p := range pods {
		f.Affects = append(f.Affects, "pod/"+p.Namespace+"/"+p.Name)
	}
	if a.portless(g, pods, f) {
		return
	}
	if len(pods) == 0 {
		a.noPods(g, f)
		return
	}
	if slices.ContainsFunc(pods, func(p *corev1.Pod) bool { return crashes(p, a.s.Now) }) {
		a.crashLoop(g, slices.DeleteFunc(slices.Clone(pods), func(p *corev1.Pod) bool { return !crashes(p, a.s.Now) }), nil)
		f.ID, f.Summary = "ep.none-ready", fmt.Sprintf("no pod of Service %s/%s is ready, so target group %s is empty", g.namespace, g.service, g.Name)
		f.Because = []string{"alb/app.crashloop " + g.subject()}
		a.report(f)
		return
	}
	f.ID, f.Reason = "ep.none-ready", "not-ready"
	f.Summary = fmt.Sprintf("%s of Service %s/%s is %s, so target group %s is empty%s", noneOf(len(pods), "pod"), g.namespace, g.service, verb(len(pods), "not ready", "ready"), g.Name, a.share(g))
	for _, p := range pods {
		if p.Status.Phase == corev1.PodPending {
			f.Reason = "pending"
		}
		f.Evidence = append(f.Evidence, podEvidence(p))
		for _, e := range a.events("Pod", p.Namespace, p.Name) {
			if e.Type == corev1.EventTypeWarning {
				f.Evidence = append(f.Evidence, eventEvidence(e))
			}
		}
		if len(f.Evidence) > 7 {
			break
		}
	}
	a.report(f)
}

// noneOf is "none of 3 pods", or "the only pod".
func noneOf(n int, noun string) string {
	if n == 1 {
		return "the only " + noun
	}
	return fmt.Sprintf("none of %d %ss", n, noun)
}

func podEvidence(p *corev1.Pod) diagnostics.Evidence {
	var value strings.Builder
	value.WriteString(string(p.Status.Phase))
	for _, c := range p.Status.Conditions {
		if (c.Type == corev1.PodReady || c.Type == corev1.PodScheduled) && c.Status != corev1.ConditionTrue {
			value.WriteString(fmt.Sprintf(", %s is %s (%s) since %s", c.Type, c.Status, strings.TrimSpace(c.Reason+" "+c.Message), clock(c.LastTransitionTime.Time)))
		}
	}
	return diagnostics.Evidence{What: "pod " + p.Namespace + "/" + p.Name, Value: value.String(), Source: "list pods", Repeat: fmt.Sprintf("kubectl get pod %s -n %s -o yaml", p.Name, p.Namespace)}
}

// portless reports a Service port that leads to no port of its ready pods.
func (a *analysis) portless(g *group, pods []*corev1.Pod, f diagnostics.Finding) bool {
	tp, ok := g.targetPort()
	svcPort := servicePort(g.svc, a.s.portOf(*g.TargetGroup))
	anyReady := slices.ContainsFunc(g.endpoints, func(e endpoint) bool { return e.ready && e.port == 0 })
	switch {
	case !anyReady:
		return false
	case svcPort == nil:
		f.Summary = fmt.Sprintf("Service %s/%s has no port %s, which the ingress names", g.namespace, g.service, a.s.portOf(*g.TargetGroup))
	case ok && tp.Type == intstr.String:
		f.Summary = fmt.Sprintf("port %s of Service %s/%s points to the port named %q, which no container of its pods has", a.s.portOf(*g.TargetGroup), g.namespace, g.service, tp.StrVal)
	default:
		f.Summary = fmt.Sprintf("the endpoint slices of Service %s/%s have no port for %s", g.namespace, g.service, a.s.portOf(*g.TargetGroup))
	}
	f.ID = "ep.port-name"
	if len(pods) > 0 {
		f.Evidence = append(f.Evidence, portEvidence(pods[0]))
	}
	f.Summary += fmt.Sprintf(", so target group %s is empty and clients get 503", g.Name)
	a.report(f)
	return true
}

// noPods tells a workload that is scaled to zero from a selector that matches nothing.
func (a *analysis) noPods(g *group, f diagnostics.Finding) {
	for _, d := range a.s.Deployments {
		if d.Namespace != g.namespace || len(g.svc.Spec.Selector) == 0 || !matches(g.svc.Spec.Selector, d.Spec.Template.Labels) {
			continue
		}
		f.ID, f.Reason = "ep.none-ready", "scaled-to-zero"
		f.Affects = append(f.Affects, "deployment/"+d.Namespace+"/"+d.Name)
		f.Summary = fmt.Sprintf("Deployment %s/%s behind Service %s is scaled to 0, so target group %s is empty%s", d.Namespace, d.Name, g.service, g.Name, a.share(g))
		if replicas(d) > 0 {
			f.Reason = "no-pods"
			f.Summary = fmt.Sprintf("Deployment %s/%s wants %d pods and has none, so target group %s is empty%s", d.Namespace, d.Name, replicas(d), g.Name, a.share(g))
		}
		f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "Deployment " + d.Namespace + "/" + d.Name, Value: fmt.Sprintf("%d replicas wanted, %d there", replicas(d), d.Status.Replicas), Source: "list deployments.apps",
			Repeat: fmt.Sprintf("kubectl get deployment %s -n %s", d.Name, d.Namespace)})
		a.report(f)
		return
	}
	if a.s.missed("list deployments.apps") {
		return // it may only be scaled to zero
	}
	f.ID = "ep.selector"
	f.Summary = fmt.Sprintf("the selector of Service %s/%s (%s) matches no pod, so target group %s is empty and clients get 503", g.namespace, g.service, labels(g.svc.Spec.Selector), g.Name)
	if near, found := a.nearMiss(g); found {
		f.Summary += ": " + near
		f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "pods that nearly match", Value: near, Source: "list pods", Repeat: fmt.Sprintf("kubectl get pods -n %s --show-labels", g.namespace)})
	}
	if len(g.svc.Spec.Selector) == 0 {
		f.ID, f.Reason = "ep.none-ready", "no-selector"
		f.Summary = fmt.Sprintf("Service %s/%s has no selector and no endpoints, so target group %s is empty and clients get 503", g.namespace, g.service, g.Name)
	}
	a.report(f)
}

// nearMiss finds running pods whose labels differ from the selector in one entry.
func (a *analysis) nearMiss(g *group) (string, bool) {
	for i := range a.s.Pods {
		p := &a.s.Pods[i]
		if p.Namespace != g.namespace || !near(g.svc.Spec.Selector, p.Labels) {
			continue
		}
		for _, k := range sortedKeys(g.svc.Spec.Selector) {
			v := g.svc.Spec.Selector[k]
			switch have, ok := p.Labels[k]; {
			case ok && have != v:
				return fmt.Sprintf("pod %s has %s=%s, the selector wants %s=%s", p.Name, k, have, k, v), true
			case !ok:
				for _, other := range sortedKeys(p.Labels) {
					if p.Labels[other] == v {
						return fmt.Sprintf("pod %s has %s=%s, the selector wants %s=%s", p.Name, other, v, k, v), true
					}
				}
				return fmt.Sprintf("pod %s has no label %s, the selector wants %s=%s", p.Name, k, k, v), true
			}
		}
	}
	return "", false
}

func labels(m map[string]string) string {
	var out []string
	for _, k := range sortedKeys(m) {
		out = append(out, k+"="+m[k])
	}
	return strings.Join(out, ",")
}

func replicas(d appsv1.Deployment) int {
	if d.Spec.Replicas == nil {
		return 1
	}
	return int(*d.Spec.Replicas)
}

func (a *analysis) selectorEvidence(g *group, pods []*corev1.Pod) diagnostics.Evidence {
	return diagnostics.Evidence{What: "pods that the selector of Service " + g.namespace + "/" + g.service + " matches", Value: fmt.Sprintf("%d (%s)", len(pods), labels(g.svc.Spec.Selector)), Source: "list pods",
		Repeat: fmt.Sprintf("kubectl get pods -n %s -l %s", g.namespace, labels(g.svc.Spec.Selector))}
}

// weights gives the weight of the group in its first rule, and that of all groups there.
func (g *group) weights() (own, all int) {
	if len(g.rules) == 0 {
		return 0, 0
	}
	for _, t := range last(g.rules[0]).Targets {
		all += t.Weight
		if t.TargetGroup == g.ARN {
			own = t.Weight
		}
	}
	return own, all
}

// share says which part of the requests a group gets where it shares a rule with others.
func (a *analysis) share(g *group) string {
	own, all := g.weights()
	if all == 0 || own == all {
		return " and clients get 503"
	}
	return fmt.Sprintf(" and its %d of %d parts of the requests get 503", own, all)
}

// lost503 is the weight of an empty group: its share of the requests in percent.
func (a *analysis) lost503(g *group) int {
	own, all := g.weights()
	if all == 0 {
		return 100
	}
	return 10 + 90*own/all
}

// unregistered asks why the controller has not registered endpoints that are ready.
func (a *analysis) unregistered(g *group) {
	if a.found("lbc.down", "lbc.iam", "lbc.webhook", "ingress.group-conflict", "ingress.not-reconciled") {
		return
	}
	if g.TargetType == "instance" {
		a.excluded(g)
		return
	}
	if g.binding != nil && a.s.Now.Sub(g.binding.Created) < 2*time.Minute {
		a.report(diagnostics.Finding{
			ID: "lb.initializing", Subject: g.Name, Confidence: diagnostics.Confirmed, Weight: 50,
			Summary:  fmt.Sprintf("target group %s was bound %s ago and its targets are about to be registered", g.Name, a.s.Now.Sub(g.binding.Created).Round(time.Second)),
			Evidence: []diagnostics.Evidence{g.evidence(nil), g.serviceEvidence(), bindingEvidence(g.binding)},
		})
	}
}
