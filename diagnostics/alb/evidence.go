package alb

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/elb"
)

// evidence gives the state of targets as DescribeTargetHealth tells it.
func (g *group) evidence(ts []*target) diagnostics.Evidence {
	var parts []string
	for _, t := range ts {
		text := t.name() + " " + t.State
		if t.Reason != "" {
			text += " " + t.Reason
		}
		if t.Description != "" {
			text += fmt.Sprintf(" %q", t.Description)
		}
		parts = append(parts, text)
	}
	if len(parts) > 6 {
		parts = append(parts[:6], fmt.Sprintf("and %d more", len(parts)-6))
	}
	value := strings.Join(parts, "; ")
	if len(ts) == 0 {
		value = "no target registered"
	}
	return diagnostics.Evidence{
		What: "health of the targets of " + g.Name, Value: value, Source: "elasticloadbalancing:DescribeTargetHealth",
		Repeat: "aws elbv2 describe-target-health --target-group-arn " + g.ARN,
	}
}

// checkEvidence gives the health check as it is applied.
func (g *group) checkEvidence() diagnostics.Evidence {
	c := g.Check
	return diagnostics.Evidence{
		What:   "health check of " + g.Name,
		Value:  fmt.Sprintf("%s %s port %s, codes %s, every %s, timeout %s, healthy after %d, unhealthy after %d", c.Protocol, c.Path, c.Port, c.Codes, c.Interval, c.Timeout, c.Healthy, c.Unhealthy),
		Source: "elasticloadbalancing:DescribeTargetGroups", Repeat: "aws elbv2 describe-target-groups --target-group-arns " + g.ARN,
	}
}

func probeEvidence(p *corev1.Pod, pr *probe, ready, all int) diagnostics.Evidence {
	value := fmt.Sprintf("%s GET %s on port %d, %d of %d pods Ready", pr.scheme, pr.path, pr.port, ready, all)
	if pr.host != "" {
		value += ", with the Host header " + pr.host
	}
	return diagnostics.Evidence{
		What: "readiness probe of container " + pr.container, Value: value, Source: "list pods",
		Repeat: fmt.Sprintf("kubectl get pod %s -n %s -o jsonpath='{.spec.containers[*].readinessProbe}'", p.Name, p.Namespace),
	}
}

func bindingEvidence(b *elb.TargetGroupBinding) diagnostics.Evidence {
	value := "spec.networking is absent: the controller leaves the security groups of the targets alone"
	if b.Networking != nil {
		var parts []string
		for _, i := range b.Networking.Ingress {
			var ports []string
			for _, p := range i.Ports {
				ports = append(ports, cmp.Or(p.Port, "all ports"))
			}
			what := strings.Join(ports, ", ")
			switch {
			case i.Ports == nil:
				what = "all ports"
			case len(i.Ports) == 0:
				what = "ports: [] (of which the controller makes no rule)"
			}
			parts = append(parts, what+" from "+strings.Join(append(slices.Clone(i.Groups), i.CIDRs...), ", "))
		}
		value = "spec.networking.ingress: " + strings.Join(parts, "; ")
	}
	return diagnostics.Evidence{
		What: "TargetGroupBinding " + b.Namespace + "/" + b.Name, Value: value, Source: "list targetgroupbindings.elbv2.k8s.aws",
		Repeat: fmt.Sprintf("kubectl get targetgroupbinding %s -n %s -o yaml", b.Name, b.Namespace),
	}
}

func eventEvidence(e corev1.Event) diagnostics.Evidence {
	value := e.Reason + ": " + e.Message
	if n := count(e); n > 1 {
		value += fmt.Sprintf(" (%d times, last at %s)", n, clock(diagnostics.LastSeen(&e)))
	} else {
		value += fmt.Sprintf(" (at %s)", clock(diagnostics.LastSeen(&e)))
	}
	return diagnostics.Evidence{
		What: "event of " + e.InvolvedObject.Kind + " " + strings.TrimPrefix(e.InvolvedObject.Namespace+"/"+e.InvolvedObject.Name, "/"), Value: value, Source: "list events",
		Repeat: fmt.Sprintf("kubectl get events -n %s --field-selector involvedObject.kind=%s,involvedObject.name=%s", cmp.Or(e.InvolvedObject.Namespace, "default"), e.InvolvedObject.Kind, e.InvolvedObject.Name),
	}
}

// metric gives the sum of a load balancer metric over the window.
func (m *model) metric(name string) diagnostics.Evidence {
	return m.counted(name, fmt.Sprintf("%.0f in the last %d minutes, %.0f in the last 5", m.total(name), m.minutes(), m.lately(name)), "")
}

// metric gives the sum of a metric of the target group over the window.
func (g *group) metric(name string) diagnostics.Evidence {
	e := g.m.counted(name, fmt.Sprintf("%.0f in the last %d minutes", g.sum(name), g.m.minutes()), " Name="+groupDim+",Value="+suffix(g.ARN))
	e.What += " of " + g.Name
	return e
}

func (m *model) counted(name, value, dimension string) diagnostics.Evidence {
	if name == failedOpen && dimension == "" && len(m.groups) > 0 { // CloudWatch keeps it by target group only
		dimension = " Name=" + groupDim + ",Value=" + suffix(m.groups[0].ARN)
	}
	return diagnostics.Evidence{
		What: name, Value: value, Source: "cloudwatch:GetMetricData",
		Repeat: fmt.Sprintf("aws cloudwatch get-metric-statistics --namespace %s --metric-name %s --dimensions Name=LoadBalancer,Value=%s%s --statistics Sum --period 60 --start-time %s --end-time %s",
			applicationELB, name, suffix(m.s.Balancer.ARN), dimension, m.s.Now.Add(-window).UTC().Format(time.RFC3339), m.s.Now.UTC().Format(time.RFC3339)),
	}
}

func (g *group) serviceEvidence() diagnostics.Evidence {
	ready := len(g.ready())
	return diagnostics.Evidence{
		What: "endpoints of Service " + g.namespace + "/" + g.service, Value: fmt.Sprintf("%d ready, %d in all", ready, len(g.endpoints)), Source: "list endpointslices.discovery.k8s.io",
		Repeat: fmt.Sprintf("kubectl get endpointslices -n %s -l kubernetes.io/service-name=%s -o yaml", g.namespace, g.service),
	}
}

func count(e corev1.Event) int {
	if e.Series != nil {
		return int(e.Series.Count)
	}
	return int(e.Count)
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05") }

// events lists the events about an object, oldest first.
func (m *model) events(kind, namespace, name string) []corev1.Event {
	var out []corev1.Event
	for _, e := range m.s.Events {
		o := e.InvolvedObject
		if o.Kind == kind && o.Namespace == namespace && o.Name == name {
			out = append(out, e)
		}
	}
	return out
}

// standing is the last warning about an object that no later success has overtaken.
func (m *model) standing(kind, namespace, name string) (corev1.Event, bool) {
	var warning corev1.Event
	ok := false
	for _, e := range m.events(kind, namespace, name) {
		switch {
		case e.Type == corev1.EventTypeWarning:
			warning, ok = e, true
		case e.Reason == "SuccessfullyReconciled" && ok && !diagnostics.LastSeen(&e).Before(diagnostics.LastSeen(&warning)):
			ok = false
		}
	}
	return warning, ok
}

// plural is "1 target" or "3 targets".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func joined(list []string) string { return strings.Join(list, ", ") }

// verb is the verb for one or for many.
func verb(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// them is "it" or "all 3 of them".
func them(n int) string {
	if n == 1 {
		return "it"
	}
	return fmt.Sprintf("all %d of them", n)
}

// anyOf is n of all things that something can't be done to: "any of the 3 targets", "2 of 3 targets".
func anyOf(n, all int) string {
	if n == all && all > 1 {
		return fmt.Sprintf("any of the %d targets", all)
	}
	return some(n, all, "target")
}

// some is n of all things: "all 3 targets", "2 of 3 targets".
func some(n, all int, noun string) string {
	if n == all {
		if n == 1 {
			return "the only " + noun
		}
		return fmt.Sprintf("all %d %ss", n, noun)
	}
	return fmt.Sprintf("%d of %d %ss", n, all, noun)
}
