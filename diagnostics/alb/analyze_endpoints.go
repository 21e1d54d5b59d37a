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
	f.Summary = fmt.Sprintf("%s of Service %s/%s is ready, so target group %s is empty and clients get 503", none(len(pods), "pod"), g.namespace, g.service, g.Name)
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

// none is "none of 3 pods".
func none(n int, noun string) string {
	if n == 1 {
		return "the only " + noun + " is not ready: none"
	}
	return fmt.Sprintf("none of %d %ss", n, noun)
}

func podEvidence(p *corev1.Pod) diagnostics.Evidence {
	value := string(p.Status.Phase)
	for _, c := range p.Status.Conditions {
		if (c.Type == corev1.PodReady || c.Type == corev1.PodScheduled) && c.Status != corev1.ConditionTrue {
			value += fmt.Sprintf(", %s is %s (%s) since %s", c.Type, c.Status, strings.TrimSpace(c.Reason+" "+c.Message), clock(c.LastTransitionTime.Time))
		}
	}
	return diagnostics.Evidence{What: "pod " + p.Namespace + "/" + p.Name, Value: value, Source: "list pods", Repeat: fmt.Sprintf("kubectl get pod %s -n %s -o yaml", p.Name, p.Namespace)}
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

// Labels and taints by which the controller leaves nodes out of instance target groups.
var (
	excludingLabels = []string{"node.kubernetes.io/exclude-from-external-load-balancers", "alpha.service-controller.kubernetes.io/exclude-balancer"}
	excludingTaints = []string{"ToBeDeletedByClusterAutoscaler", "karpenter.sh/disrupted", "karpenter.sh/disruption"}
)

// excluded reports that no node may be a target.
func (a *analysis) excluded(g *group) {
	if a.s.missed("list nodes") || len(a.s.Nodes) == 0 {
		return
	}
	wanted := map[string]string{}
	if v, _ := a.setting(g, "target-node-labels"); v != "" {
		for _, pair := range strings.Split(v, ",") {
			k, val, _ := strings.Cut(strings.TrimSpace(pair), "=")
			wanted[k] = val
		}
	}
	var why []string
	for _, n := range a.s.Nodes {
		reason := ""
		for _, l := range excludingLabels {
			if _, ok := n.Labels[l]; ok {
				reason = "label " + l
			}
		}
		for _, t := range n.Spec.Taints {
			if slices.Contains(excludingTaints, t.Key) {
				reason = "taint " + t.Key
			}
		}
		switch {
		case reason != "":
		case n.Labels["eks.amazonaws.com/compute-type"] == "fargate":
			reason = "Fargate"
		case !matches(wanted, n.Labels):
			reason = "not among target-node-labels " + labels(wanted)
		default:
			return // this one should be registered
		}
		why = append(why, n.Name+": "+reason)
	}
	a.report(diagnostics.Finding{
		ID: "nodes.excluded", Subject: g.Name, Confidence: diagnostics.Confirmed, Weight: 100,
		Summary: fmt.Sprintf("%s of the cluster is left out of load balancers, so target group %s is empty and clients get 503", everyNode(len(why)), g.Name),
		Evidence: []diagnostics.Evidence{g.evidence(nil), {What: "nodes that may not be targets", Value: strings.Join(why[:min(len(why), 5)], "; "), Source: "list nodes",
			Repeat: "kubectl get nodes --show-labels"}},
	})
}

func everyNode(n int) string {
	if n == 1 {
		return "the only node"
	}
	return fmt.Sprintf("every one of %d nodes", n)
}

// idle looks at targets that get no requests because of where they are, or because nothing uses their group.
func (a *analysis) idle(g *group) {
	var zone, detached []*target
	for _, t := range g.of(unused) {
		if strings.Contains(t.Description, "Availability Zone that is not enabled") {
			zone = append(zone, t)
		} else if t.Reason == "Target.NotInUse" {
			detached = append(detached, t)
		}
	}
	if len(zone) > 0 {
		zones := map[string]bool{}
		for _, t := range zone {
			zones[t.zoneName()] = true
		}
		f := diagnostics.Finding{
			ID: "az.not-enabled", Subject: a.balancerName(), Confidence: diagnostics.Confirmed, Affects: affected(zone), Weight: g.weight(zone),
			Summary:  fmt.Sprintf("%s of %s lies in %s, which is not enabled for load balancer %s, and gets no requests", some(len(zone), len(g.registered()), "target"), g.Name, joined(sortedKeys(zones)), a.balancerName()),
			Evidence: []diagnostics.Evidence{g.evidence(zone)},
		}
		if a.s.Balancer != nil {
			var enabled []string
			for _, z := range a.s.Balancer.Zones {
				enabled = append(enabled, z.Name)
			}
			f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "zones of " + a.s.Balancer.Name, Value: joined(sorted(enabled)), Source: "elasticloadbalancing:DescribeLoadBalancers",
				Repeat: "aws elbv2 describe-load-balancers --names " + a.s.Balancer.Name})
		}
		a.report(f)
	}
	if len(detached) > 0 && len(g.rules) == 0 && len(g.LoadBalancers) == 0 {
		a.report(diagnostics.Finding{
			ID: "tg.detached", Subject: g.Name, Confidence: diagnostics.Confirmed, Affects: affected(detached), Weight: 100,
			Summary: fmt.Sprintf("no listener rule uses target group %s, so its %s get no requests", g.Name, plural(len(detached), "target")),
			Evidence: []diagnostics.Evidence{g.evidence(detached), {What: "load balancers of " + g.Name, Value: "none", Source: "elasticloadbalancing:DescribeTargetGroups",
				Repeat: "aws elbv2 describe-target-groups --target-group-arns " + g.ARN}},
		})
	}
}

func (t *target) zoneName() string {
	switch {
	case t.TargetHealth.Zone != "":
		return t.TargetHealth.Zone
	case t.eni != nil && t.eni.Zone != "":
		return t.eni.Zone
	}
	return "another zone"
}

func (m *model) balancerName() string {
	if m.s.Balancer == nil {
		return "the load balancer"
	}
	return m.s.Balancer.Name
}

// starting looks at targets that are too new to judge.
func (a *analysis) starting(g *group) {
	ts := g.of(initial)
	if lb := a.s.Balancer; lb != nil && lb.State == "provisioning" && len(ts) == 0 && !a.found("lb.initializing") {
		a.report(diagnostics.Finding{
			ID: "lb.initializing", Subject: lb.Name, Confidence: diagnostics.Confirmed, Weight: 50, Summary: fmt.Sprintf("load balancer %s is being set up, which takes some minutes", lb.Name),
			Evidence: []diagnostics.Evidence{{What: "state of " + lb.Name, Value: lb.State, Source: "elasticloadbalancing:DescribeLoadBalancers", Repeat: "aws elbv2 describe-load-balancers --names " + lb.Name}},
		})
		return
	}
	if len(ts) == 0 || a.s.Balancer == nil || a.found("sg.target-ingress", "sg.alb-egress", "nacl.forward", "nacl.return") {
		return
	}
	limit := g.grace()
	fresh := func(since time.Time) bool { return a.s.Now.Sub(since) < limit+time.Minute }
	var young []*target
	for _, t := range ts {
		if t.pod == nil || fresh(readySince(t.pod)) || (g.binding != nil && fresh(g.binding.Created)) || fresh(a.s.Balancer.Created) {
			young = append(young, t)
		}
	}
	if len(young) == 0 {
		return
	}
	a.report(diagnostics.Finding{
		ID: "lb.initializing", Subject: g.Name, Confidence: diagnostics.Confirmed, Affects: affected(young), Weight: 20,
		Summary:  fmt.Sprintf("%s of %s is new and in its first health checks: wait up to %s", some(len(young), len(g.registered()), "target"), g.Name, limit),
		Evidence: []diagnostics.Evidence{g.evidence(young), g.checkEvidence()},
	})
}

// grace is how long first health checks may take: all the checks that make a target healthy, and a minute for registration.
func (g *group) grace() time.Duration {
	return g.Check.Interval*time.Duration(max(g.Check.Healthy, 1)) + time.Minute
}

func readySince(p *corev1.Pod) time.Time {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			return c.LastTransitionTime.Time
		}
	}
	return time.Time{}
}

// open reports that a group fails open: with no healthy target left, requests go to all of them.
func (a *analysis) open(g *group) {
	if !g.failsOpen() || len(g.rules) == 0 {
		return
	}
	ts := g.registered()
	f := diagnostics.Finding{
		ID: "lb.fail-open", Subject: g.Name, Confidence: diagnostics.Confirmed, Affects: affected(ts),
		Summary:  fmt.Sprintf("no target of %s is healthy, so the load balancer sends requests to all %d of them: they succeed where the application answers", g.Name, len(ts)),
		Evidence: []diagnostics.Evidence{g.evidence(ts)},
	}
	if a.measured() {
		f.Evidence = append(f.Evidence, a.metric(failedOpen))
	}
	a.report(f)
}
