package alb

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/vpc"
)

// steps tells the way in which a person would look.
func (a *analysis) steps() {
	step := func(title, read, finding, repeat string) {
		a.out.Steps = append(a.out.Steps, diagnostics.Step{Title: title, Read: read, Finding: finding, Repeat: repeat})
	}
	if lb := a.s.Balancer; lb != nil {
		from := ""
		if a.s.Asked != nil {
			from = fmt.Sprintf("TargetGroupBinding %s/%s", a.s.Asked.Namespace, a.s.Asked.Name)
			if a.s.Ingress != nil {
				from += fmt.Sprintf(" of ingress %s/%s", a.s.Ingress.Namespace, a.s.Ingress.Name)
			}
		} else if a.s.Ingress != nil {
			from = fmt.Sprintf("ingress %s/%s", a.s.Ingress.Namespace, a.s.Ingress.Name)
		}
		var tgs []string
		for _, g := range a.groups {
			tgs = append(tgs, g.Name+" ("+g.subject()+")")
		}
		step("Find the load balancer", fmt.Sprintf("%s → %s → %s", from, lb.Name, plural(len(a.s.serving()), "rule")),
			fmt.Sprintf("state %s, security groups %s, target groups: %s", lb.State, joined(sorted(slices.Clone(lb.Groups))), cmp.Or(joined(tgs), "none")), "aws elbv2 describe-load-balancers --names "+lb.Name)
	}
	for _, g := range a.groups {
		if g.HealthRead {
			step("Check target group health", g.Name, a.health(g), "aws elbv2 describe-target-health --target-group-arn "+g.ARN)
		}
	}
	for _, g := range a.groups {
		if g.service == "" {
			continue
		}
		finding := fmt.Sprintf("%d of %d endpoints ready", len(g.ready()), len(g.endpoints))
		if g.svc == nil {
			finding = "the Service doesn't exist"
		}
		if pods := g.selected(); len(pods) > 0 {
			n := 0
			for _, p := range pods {
				if isReady(p) {
					n++
				}
			}
			finding += fmt.Sprintf(", %d of %d pods Ready (which says nothing about the way from the load balancer)", n, len(pods))
		}
		step("Check pods and endpoints", "Service "+g.namespace+"/"+g.service, finding, fmt.Sprintf("kubectl get endpointslices -n %s -l kubernetes.io/service-name=%s", g.namespace, g.service))
	}
	if text := a.ways(); text != "" {
		step("Check security groups and network ACLs", fmt.Sprintf("every path from %s of the load balancer to every target, on health check and traffic port", plural(len(a.s.Front), "interface")), text,
			"aws ec2 describe-security-group-rules --filters Name=group-id,Values="+strings.Join(a.guards(), ","))
	}
	for _, g := range a.groups {
		for _, t := range g.list {
			pr := probeOf(t.pod, t.hcPort)
			if pr == nil {
				continue
			}
			finding := "both ask the same"
			if pr.path != g.Check.Path || pr.port != t.hcPort || pr.scheme != g.Check.Protocol {
				finding = "they ask different things"
			}
			if want, _, differs := a.desired(g); len(differs) > 0 {
				finding += fmt.Sprintf("; the annotations ask for %s", want)
			}
			step("Check health check configuration", fmt.Sprintf("target group: %s GET %s on %d, codes %s; readiness probe: %s GET %s on %d", g.Check.Protocol, g.Check.Path, t.hcPort, g.Check.Codes, pr.scheme, pr.path, pr.port), finding,
				"aws elbv2 describe-target-groups --target-group-arns "+g.ARN)
			break
		}
	}
	if !a.s.missed("list events") && a.s.Ingress != nil {
		finding := "no complaint stands"
		if e, ok := a.standing("Ingress", a.s.Ingress.Namespace, a.s.Ingress.Name); ok {
			finding = e.Reason + ": " + trimmed(e.Message)
		}
		for _, g := range a.groups {
			if g.binding == nil {
				continue
			}
			if e, ok := a.standing("TargetGroupBinding", g.binding.Namespace, g.binding.Name); ok {
				finding = e.Reason + ": " + trimmed(e.Message)
			}
		}
		step("Check what the controller says", "events of the ingress and its bindings", finding, fmt.Sprintf("kubectl get events -n %s", a.s.Ingress.Namespace))
	}
	if a.measured() {
		step("Check what clients get", "metrics of the load balancer", fmt.Sprintf("in the last %d minutes %.0f requests; 502: %.0f, 503: %.0f, 504: %.0f, 5xx of the application: %.0f, failed connections to targets: %.0f",
			a.minutes(), a.total(requests), a.total(elb502), a.total(elb503), a.total(elb504), a.total(target5xx), a.total(connectErrors)), a.metric(requests).Repeat)
	}
}

// health sums up the health of a group.
func (a *analysis) health(g *group) string {
	if len(g.list) == 0 {
		return "no target registered"
	}
	count := map[string]int{}
	for _, t := range g.list {
		count[strings.TrimSpace(t.State+" "+t.Reason+" "+t.Description)]++
	}
	var parts []string
	for _, k := range sortedKeys(count) {
		parts = append(parts, fmt.Sprintf("%d %s", count[k], k))
	}
	return strings.Join(parts, "; ")
}

// ways counts the paths by verdict.
func (a *analysis) ways() string {
	count := map[vpc.Verdict]int{}
	var blocked string
	for _, t := range a.targets() {
		for _, p := range t.paths {
			count[p.reach.Verdict]++
			if b := p.reach.Blocking(); len(b) > 0 && blocked == "" {
				blocked = b[0].Reason
			}
		}
	}
	var parts []string
	for _, v := range []vpc.Verdict{vpc.Allowed, vpc.Denied, vpc.Partial, vpc.Unknown} {
		if count[v] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", count[v], way(v)))
		}
	}
	text := joined(parts)
	if blocked != "" {
		text += ": " + blocked
	}
	if n := len(a.s.Unlooked); n > 0 {
		text += fmt.Sprintf("; the ways to %d more targets were not looked at (those in trouble come first)", n)
	}
	return text
}

// guards lists the security groups that were asked.
func (a *analysis) guards() []string {
	var out []string
	for g := range a.s.Firewall.Rules {
		out = append(out, g)
	}
	return sorted(out)
}

// passes lists what is in order, as far as it was looked at.
func (a *analysis) passes() {
	if c := a.s.Controller; c != nil && c.Ready > 0 && !a.found("lbc.down") {
		a.pass("lbc.down", "%d of %d replicas of the load balancer controller are ready", c.Ready, c.Desired)
	}
	if a.s.managed() {
		a.pass("", "EKS Auto Mode runs the load balancer controller itself: it has no pods to look at")
	}
	if a.s.Ingress != nil && !a.s.missed("list events") && !a.found("ingress.not-reconciled") {
		if _, ok := a.standing("Ingress", a.s.Ingress.Namespace, a.s.Ingress.Name); !ok {
			a.pass("ingress.not-reconciled", "no complaint of the controller stands against the ingress")
		}
	}
	if a.s.Enforcer.Name == "" && len(a.s.Enforcer.Computed) == 0 && !a.s.missed("list daemonsets.apps") {
		a.pass("netpol.deny", "nothing in the cluster enforces NetworkPolicies")
	}
	for _, g := range a.groups {
		if n := len(g.ready()); n > 0 && !a.found("ep.none-ready", "ep.selector", "ep.port-name") {
			a.pass("ep.none-ready", "Service %s/%s has %s", g.namespace, g.service, plural(n, "ready endpoint"))
		}
		if n := len(g.of(healthy)); n > 0 && n == len(g.registered()) {
			a.pass("", "%s of %s answer their health check", fraction(n, n), g.Name)
		}
		if len(g.of(code)) > 0 && !a.found("sg.target-ingress") {
			a.pass("sg.target-ingress", "%s of %s sent a complete HTTP answer: the health check port is reachable", fraction(len(g.of(code)), len(g.registered())), g.Name)
		}
		if n := a.designed(g); n > 0 {
			a.pass("etp.local-no-pod", "%s of %s have no ready pod and are left out by design (externalTrafficPolicy Local)", fraction(n, len(g.registered())), g.Name)
		}
		if n := len(g.of(draining)); n > 0 {
			a.pass("", "%s leaving after pods were replaced", plural(n, "target")+" of "+g.Name+" are")
		}
	}
}
