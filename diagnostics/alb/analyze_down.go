package alb

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/elb"
)

// failover is how long a change of the leading replica may take before it is a fault.
const failover = 2 * time.Minute

// down is what is known of a controller that doesn't work.
type down struct {
	reason     string // scaled-to-zero, not-ready, no-leader or absent
	subject    string
	confidence diagnostics.Confidence
	text       string
	evidence   []diagnostics.Evidence
}

// controllerDown reports a controller that doesn't work, where something waits for it.
func (a *analysis) controllerDown() {
	waiting, ev := a.waiting()
	if len(waiting) == 0 {
		return // it is missed by nobody yet
	}
	d, ok := a.downController()
	if !ok {
		return
	}
	f := diagnostics.Finding{
		ID: "lbc.down", Reason: d.reason, Subject: d.subject, Confidence: d.confidence, Weight: 90,
		Summary: fmt.Sprintf("%s, and %s", d.text, waiting[0]), Evidence: append(d.evidence, ev...),
	}
	if n := len(waiting) - 1; n > 0 {
		f.Summary += fmt.Sprintf(" (%s besides)", plural(n, "other thing"))
	}
	for _, g := range a.groups {
		if g.foreign() {
			f.Affects = append(f.Affects, "targetgroup/"+g.Name)
		}
	}
	a.report(f)
}

// downController says that the controller doesn't work, and how it is known. The change of a leader takes up to two
// minutes; within them nothing is wrong.
func (a *analysis) downController() (down, bool) {
	c, l := a.s.Controller, a.s.Leader
	if a.s.managed() {
		return down{}, false
	}
	stale := l != nil && a.s.Now.Sub(l.Renewed) > failover
	var ev []diagnostics.Evidence
	if l != nil {
		ev = append(ev, leaseEvidence(l))
	}
	switch {
	case c == nil && (a.s.missedIn("list deployments.apps", system) || a.s.missedIn("list deployments.apps", everywhere)):
		return down{}, false
	case c == nil && l != nil && !stale:
		return down{}, false // something leads, whatever it is
	case c == nil:
		d := down{reason: "absent", subject: "deployment/" + system + "/" + lbc, confidence: diagnostics.Likely, text: "no load balancer controller runs in the cluster",
			evidence: append([]diagnostics.Evidence{{What: "Deployments of the load balancer controller in all namespaces", Value: "none", Source: "list deployments.apps", Repeat: "kubectl get deployments -A -l app.kubernetes.io/name=" + lbc}}, ev...)}
		if stale { // one worked here, and doesn't any more
			d.confidence = diagnostics.Confirmed
		}
		return d, true
	case c.Ready == 0:
		return a.unready(c, ev, l != nil && !stale)
	case stale && c.flag("enable-leader-election") != "false":
		return down{reason: "no-leader", subject: "deployment/" + c.Namespace + "/" + c.Name, confidence: diagnostics.Confirmed,
			text:     fmt.Sprintf("no replica of the load balancer controller leads: %s has not renewed its lease since %s although %d of %d replicas are ready", l.Holder, clock(l.Renewed), c.Ready, c.Desired),
			evidence: append(ev, controllerEvidence(c))}, true
	}
	return down{}, false
}

// unready tells of a controller without a ready replica; leads says that one of them renews its lease all the same.
func (a *analysis) unready(c *Controller, ev []diagnostics.Evidence, leads bool) (down, bool) {
	if !c.DownSince.IsZero() && a.s.Now.Sub(c.DownSince) < failover {
		return down{}, false
	}
	d := down{reason: "not-ready", subject: "deployment/" + c.Namespace + "/" + c.Name, confidence: diagnostics.Confirmed,
		text: fmt.Sprintf("the load balancer controller has 0 of %d replicas ready", c.Desired), evidence: append([]diagnostics.Evidence{controllerEvidence(c)}, ev...)}
	switch {
	case c.Desired == 0:
		d.reason, d.text = "scaled-to-zero", "the load balancer controller is scaled to 0 replicas"
	case len(c.Pods) > 0:
		_, why, _ := strings.Cut(c.Pods[0], ": ")
		d.text += " (" + why + ")"
	}
	if leads {
		d.confidence = diagnostics.Likely
		a.contradict("no replica of the load balancer controller is ready, but %s renewed its lease at %s", a.s.Leader.Holder, clock(a.s.Leader.Renewed))
	}
	return d, true
}

// waiting lists what the controller should have done by now and hasn't.
func (a *analysis) waiting() (list []string, ev []diagnostics.Evidence) {
	for _, g := range a.groups {
		missing, surplus := g.gap()
		var parts []string
		if n := len(missing); n > 0 {
			parts = append(parts, fmt.Sprintf("%s of Service %s/%s %s not registered", several(n, missing[0].kind), g.namespace, g.service, verb(n, "is", "are")))
		}
		if n := len(surplus); n > 0 {
			parts = append(parts, fmt.Sprintf("%s %s still registered although the Service no longer has %s", plural(n, "target"), verb(n, "is", "are"), verb(n, "it", "them")))
		}
		if len(parts) == 0 {
			continue
		}
		list = append(list, strings.Join(parts, ", ")+" in "+g.Name)
		ev = append(ev, g.evidence(g.registered()), g.serviceEvidence())
		ev = append(ev, g.gateEvidence()...)
	}
	if ing := a.s.Ingress; ing != nil && a.s.Balancer == nil && a.s.Host == "" && !a.s.missed("elasticloadbalancing:DescribeLoadBalancers") {
		list = append(list, fmt.Sprintf("ingress %s/%s has no load balancer", ing.Namespace, ing.Name))
	}
	for _, r := range a.outdatedRules() {
		list = append(list, fmt.Sprintf("rule %s still answers %q although the Service exists", ruleName(r), last(r).Body))
		ev = append(ev, ruleEvidence(r))
	}
	for _, g := range a.groups {
		if _, _, differs := a.desired(g); len(g.matters(differs)) > 0 {
			list = append(list, "the health check of "+g.Name+" isn't what the annotations ask for")
			ev = append(ev, g.checkEvidence())
		}
	}
	return list, ev[:min(len(ev), 6)]
}

// several is plural for a thing that is called by more than one word.
func several(n int, thing string) string {
	if head, tail, ok := strings.Cut(thing, " whose pod waits"); ok && n > 1 {
		return fmt.Sprintf("%d %ss whose pods wait%s", n, head, tail)
	}
	return plural(n, thing)
}

func controllerEvidence(c *Controller) diagnostics.Evidence {
	value := fmt.Sprintf("%d ready of %d", c.Ready, c.Desired)
	if !c.DownSince.IsZero() {
		value += ", unavailable since " + c.DownSince.UTC().Format(time.RFC3339)
	}
	if len(c.Pods) > 0 {
		value += "; " + strings.Join(c.Pods[:min(len(c.Pods), 3)], "; ")
	}
	return diagnostics.Evidence{What: "Deployment " + c.Namespace + "/" + c.Name, Value: value, Source: "list deployments.apps",
		Repeat: fmt.Sprintf("kubectl get deployment %s -n %s", c.Name, c.Namespace)}
}

func leaseEvidence(l *Lease) diagnostics.Evidence {
	return diagnostics.Evidence{What: "lease " + l.Namespace + "/" + l.Name, Value: fmt.Sprintf("held by %s, renewed at %s", l.Holder, l.Renewed.UTC().Format(time.RFC3339)), Source: "list leases.coordination.k8s.io",
		Repeat: fmt.Sprintf("kubectl get lease %s -n %s -o yaml", l.Name, l.Namespace)}
}

// outdatedRules lists the rules that answer that a Service is missing although every Service of the ingress exists.
func (a *analysis) outdatedRules() []elb.Rule {
	if a.s.Ingress == nil || a.s.missedIn("list services", a.s.Ingress.Namespace) || len(a.absent()) > 0 {
		return nil
	}
	return slices.DeleteFunc(a.s.serving(), func(r elb.Rule) bool { return last(r).Type != "fixed-response" || last(r).Body != noService })
}
