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
	"github.com/netdiag/netdiag/internal/elb"
)

// unfilled asks why a target group that serves requests has nobody to send them to.
func (a *analysis) unfilled(g *group) {
	if !g.HealthRead || len(g.registered()) > 0 || (len(g.rules) == 0 && a.s.Asked == nil) || g.standsBy() {
		return
	}
	if g.service == "" || a.s.missedIn("list services", g.namespace) || a.s.missedIn("list endpointslices.discovery.k8s.io", g.namespace) {
		return
	}
	if g.svc == nil {
		a.missing(g)
		return
	}
	if list, _ := g.due(); g.TargetType != "instance" && len(list) == 0 {
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
	f := diagnostics.Finding{
		ID: "svc.missing", Subject: "service/" + g.namespace + "/" + g.service, Confidence: diagnostics.Confirmed, Weight: 100,
		Summary:  fmt.Sprintf("Service %s/%s doesn't exist, so target group %s stays empty", g.namespace, g.service, g.Name),
		Evidence: []diagnostics.Evidence{g.evidence(nil), serviceAbsent(g.namespace, g.service)},
	}
	if g.binding != nil {
		if e, ok := a.standing("TargetGroupBinding", g.binding.Namespace, g.binding.Name); ok {
			f.Evidence = append(f.Evidence, eventEvidence(e))
		}
	}
	a.report(f)
}

// noEndpoints asks why a Service has no ready endpoint. That the controller then takes its security group rule away is a
// consequence and no cause.
func (a *analysis) noEndpoints(g *group) {
	f := diagnostics.Finding{
		Subject: g.subject(), Confidence: diagnostics.Confirmed, Weight: a.lost503(g),
		Evidence: []diagnostics.Evidence{g.evidence(nil), g.serviceEvidence()},
	}
	pods := g.selected()
	if a.s.missedIn("list pods", g.namespace) {
		if len(g.endpoints) == 0 {
			return // none may match, or none may be wanted
		}
		f.ID, f.Reason = "ep.none-ready", "not-ready"
		f.Summary = fmt.Sprintf("none of %d endpoints of Service %s/%s is ready, so target group %s is empty%s", len(g.endpoints), g.namespace, g.service, g.Name, a.share(g))
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
	a.portLater(g, pods)
}

// portLater adds the named port that no container has: it would show once the pods are ready.
func (a *analysis) portLater(g *group, pods []*corev1.Pod) {
	tp, ok := g.targetPort()
	if !ok || tp.Type != intstr.String || slices.ContainsFunc(pods, func(p *corev1.Pod) bool { return portNamed(p, tp.StrVal) != 0 }) {
		return
	}
	a.report(diagnostics.Finding{
		ID: "ep.port-name", Subject: g.subject(), Confidence: diagnostics.Confirmed, Latent: true, Weight: a.lost503(g),
		Summary:  fmt.Sprintf("port %s of Service %s/%s points to the port named %q, which no container of its pods has: target group %s would stay empty with ready pods too", a.s.portOf(*g.TargetGroup), g.namespace, g.service, tp.StrVal, g.Name),
		Evidence: []diagnostics.Evidence{portEvidence(pods[0])},
	})
}

// portNamed is the number of the container port with this name; 0 where the pod has none.
func portNamed(p *corev1.Pod, name string) int {
	for _, c := range p.Spec.Containers {
		for _, cp := range c.Ports {
			if cp.Name == name {
				return int(cp.ContainerPort)
			}
		}
	}
	return 0
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

func labels(m map[string]string) string {
	var out []string
	for _, k := range sortedKeys(m) {
		out = append(out, k+"="+m[k])
	}
	return strings.Join(out, ",")
}

func replicas(d appsv1.Deployment) int {
	return wantedOf(d.Spec.Replicas)
}

func (a *analysis) selectorEvidence(g *group, pods []*corev1.Pod) diagnostics.Evidence {
	return diagnostics.Evidence{What: "pods that the selector of Service " + g.namespace + "/" + g.service + " matches", Value: fmt.Sprintf("%d (%s)", len(pods), labels(g.svc.Spec.Selector)), Source: "list pods",
		Repeat: fmt.Sprintf("kubectl get pods -n %s -l %s", g.namespace, labels(g.svc.Spec.Selector))}
}

// weights gives the weight of the group and that of all groups in the rule that sends it the largest part of its requests.
func (g *group) weights() (own, all int) {
	return weightsIn(g.heaviest(), g.ARN)
}

func weightsIn(r elb.Rule, arn string) (own, all int) {
	for _, t := range last(r).Targets {
		all += t.Weight
		if t.TargetGroup == arn {
			own += t.Weight
		}
	}
	return own, all
}

// heaviest is the rule that sends the group the largest part of its requests.
func (g *group) heaviest() elb.Rule {
	var found elb.Rule
	for i, r := range g.rules {
		own, all := weightsIn(r, g.ARN)
		bestOwn, bestAll := weightsIn(found, g.ARN)
		if i == 0 || own*bestAll > bestOwn*all {
			found = r
		}
	}
	return found
}

// standsBy reports that every rule gives the group weight 0: it stands by, and nobody misses its targets. Where no group
// of a rule has any weight, that itself is the fault.
func (g *group) standsBy() bool {
	own, _ := g.weights()
	return len(g.rules) > 0 && own == 0
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

// unregistered asks why the controller has not registered what is due.
func (a *analysis) unregistered(g *group) {
	if a.found("lbc.down", "lbc.iam", "lbc.webhook", "ingress.group-conflict", "ingress.not-reconciled") {
		return
	}
	if g.TargetType == "instance" {
		a.excluded(g)
		return
	}
	missing, _ := g.gap()
	if g.binding == nil || (len(missing) > 0 && a.s.Now.Sub(g.binding.Created) >= 2*time.Minute) {
		return
	}
	f := diagnostics.Finding{
		ID: "lb.initializing", Subject: g.Name, Confidence: diagnostics.Confirmed, Weight: 50,
		Summary:  fmt.Sprintf("target group %s was bound %s ago and its targets are about to be registered", g.Name, a.s.Now.Sub(g.binding.Created).Round(time.Second)),
		Evidence: []diagnostics.Evidence{g.evidence(nil), g.serviceEvidence(), bindingEvidence(g.binding)},
	}
	if len(missing) == 0 {
		f.Summary = fmt.Sprintf("the endpoints of Service %s/%s have been ready for less than a minute, and the controller is about to register them in %s", g.namespace, g.service, g.Name)
	}
	a.report(f)
}
