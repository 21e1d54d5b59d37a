package alb

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/vpc"
)

// tell puts what was found into words: the summary, who feels it, the steps and the table of targets.
func (a *analysis) tell() {
	a.gaps()
	a.passes()
	a.steps()
	a.table()
	a.timeline()
	switch {
	case a.s.Ingress != nil:
		a.out.Namespace = a.s.Ingress.Namespace
	case a.s.Asked != nil:
		a.out.Namespace = a.s.Asked.Namespace
	}
	roots := a.roots()
	a.out.Impact = a.impact()
	if len(roots) == 0 {
		a.out.Summary = a.noCause()
		a.out.Prevention = a.logging()
		if a.ailing() {
			a.out.Severity, a.out.Layer = a.severity(), diagnostics.L4
		}
		return
	}
	a.out.Summary = roots[0].Summary
	if n := len(roots) - 1; n > 0 {
		a.out.Summary += fmt.Sprintf("; %s besides", plural(n, "other cause"))
	}
	a.out.Severity = a.severity()
	a.out.Layer = layer(roots[0].ID)
	switch {
	case len(a.out.Fixes) > 0:
		a.out.Resolution = a.out.Fixes[0].Title
	case roots[0].ID == "alb/lb.initializing":
		a.out.Resolution = "Wait"
	}
	a.out.Prevention = append(prevention(roots), a.logging()...)
}

// unhealthy lists the targets that fail their checks, those that do so by design left out.
func (a *analysis) unhealthy() []*target {
	return slices.DeleteFunc(a.targets(), func(t *target) bool { return !t.bad() || t.group.byDesign(t) })
}

// emptyServing reports a serving group with no target at all.
func (a *analysis) emptyServing() bool {
	return slices.ContainsFunc(a.groups, func(g *group) bool {
		return len(g.rules) > 0 && g.HealthRead && len(g.registered()) == 0 && !g.standsBy()
	})
}

// ailing reports targets that don't serve although they should: unhealthy ones, none at all, or some that stay in first checks.
func (a *analysis) ailing() bool {
	return len(a.unhealthy()) > 0 || a.emptyServing() || len(a.of(initial)) > 0
}

// states says of each group how many of its targets are healthy, and what is right about the others.
func (a *analysis) states() string {
	var parts []string
	for _, g := range a.groups {
		if len(g.rules) == 0 && a.s.Asked == nil {
			continue
		}
		text := fmt.Sprintf("%s of %s healthy", fraction(len(g.of(healthy)), len(g.registered())), g.Name)
		if g.standsBy() {
			text += ", which stands by with weight 0"
		}
		if n := len(g.of(draining)); n > 0 {
			text += fmt.Sprintf(", %d draining after leaving", n)
		}
		if n := len(slices.DeleteFunc(g.of(unused), func(t *target) bool { return t.Reason != invalidState })); n > 0 {
			text += fmt.Sprintf(", %d of nodes that are gone", n)
		}
		if n := a.designed(g); n > 0 {
			text += fmt.Sprintf(", %d left out by design: externalTrafficPolicy is Local and these nodes have no ready pod", n)
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}

// noCause is the summary of a report without a root cause: all is well, or the cause isn't known, which is said.
func (a *analysis) noCause() string {
	state, open := a.states(), a.opened()
	switch {
	case a.s.Balancer == nil && len(a.groups) == 0:
		a.out.Severity, a.out.Layer = "P2", diagnostics.ControlPlane
		return "the load balancer could not be looked at: " + cmp.Or(joined(open), "none was found")
	case len(open) > 0:
		if state != "" {
			state += ", and "
		}
		return "the cause can't be told: " + state + joined(open) + " could not be read"
	case a.ailing():
		var ruled []string
		for _, p := range a.out.Passed {
			if p.ID != "" && !slices.Contains(ruled, strings.TrimPrefix(p.ID, "alb/")) {
				ruled = append(ruled, strings.TrimPrefix(p.ID, "alb/"))
			}
		}
		slices.Sort(ruled)
		text := "the cause is not known: " + state
		if len(ruled) > 0 {
			text += "; ruled out: " + joined(ruled)
		}
		if via := a.via(); len(via) > 0 {
			text += "; the way there leads through " + joined(via) + ", which can't be judged from here"
		}
		if kinds := a.s.Enforcer.Foreign; len(kinds) > 0 {
			text += "; network policies of kinds that are not evaluated here are in use: " + joined(kinds)
		}
		return text
	case a.measured() && a.errors() > 0:
		return fmt.Sprintf("%s; the load balancer made %.0f errors in the last %d minutes, whose cause is not known: %s", state, a.errors(), a.minutes(), a.pattern())
	case a.measured():
		text := fmt.Sprintf("no trouble found: %s, no 5xx of the load balancer in the last %d minutes", state, a.minutes())
		if a.total(requests) == 0 {
			text += ", in which no request reached it"
		}
		return text
	case a.silent():
		return "no trouble found: " + state + ", and no request has reached the load balancer in the last hour"
	}
	return "no trouble found: " + state
}

// via lists what routes inside the VPC lead the load balancer's packets through.
func (a *analysis) via() []string {
	var out []string
	for _, t := range a.targets() {
		for _, p := range t.paths {
			for _, h := range p.reach.Hops {
				if h.Kind == vpc.DetourHop {
					out = append(out, h.By)
				}
			}
		}
	}
	return sorted(out)
}

func fraction(n, all int) string {
	if all == 1 {
		return fmt.Sprintf("%d of 1 target", n)
	}
	return fmt.Sprintf("%d of %d targets", n, all)
}

// errors counts what the load balancer itself answered with 502, 503 and 504.
func (a *analysis) errors() float64 { return a.total(elb502, elb503, elb504) }

// severity: P1 where requests fail for want of anybody to serve them, P2 where half of the capacity is gone or only
// failing open keeps it up, P3 below.
func (a *analysis) severity() diagnostics.Severity {
	worst := diagnostics.Severity("P3")
	if a.found("rule.shadowed", "svc.missing", "dns.wrong-lb") || len(a.outdatedRules()) > 0 || slices.ContainsFunc(a.findings("rule.weight-zero"), func(f diagnostics.Finding) bool { return f.Reason == "all-zero" }) {
		return "P1"
	}
	if a.s.Ingress != nil && a.s.Balancer == nil && a.found("ingress.not-reconciled", "lbc.down", "lbc.iam", "lbc.webhook", "ingress.group-conflict") {
		return "P1"
	}
	for _, g := range a.groups {
		if len(g.rules) == 0 || !g.HealthRead || g.standsBy() {
			continue
		}
		own, all := g.weights()
		r, bad := len(g.registered()), len(g.bad())
		switch {
		case r == 0 && own == all, g.failsOpen() && (len(g.of(drop)) > 0 || len(g.of(refuse)) > 0) && (!a.measured() || a.lately(elb502)+a.lately(elb504) > 0):
			return "P1"
		case slices.ContainsFunc(g.of(healthy), func(t *target) bool { return t.port != t.hcPort && t.verdict(t.port) == vpc.Denied }):
			return "P1"
		case r == 0, 2*bad >= r && bad > 0:
			worst = "P2"
		}
	}
	switch all, failed := asked(a.lately), a.lately(elb502, elb503, elb504, target5xx); {
	case failed > 0.5*all:
		return "P1"
	case failed > 0.05*all, a.found("edge.not-alb"):
		worst = "P2"
	}
	return worst
}

func layer(id string) diagnostics.Layer {
	id = strings.TrimPrefix(id, "alb/")
	kind, _, _ := strings.Cut(id, ".")
	switch kind {
	case "sg", "nacl", "netpol", "nodeport", "host", "port":
		return diagnostics.L4
	case "route":
		return diagnostics.L3
	case "lbc", "ingress", "tg", "nodes", "az":
		return diagnostics.ControlPlane
	case "ep", "svc", "rollout", "dereg", "node":
		return diagnostics.Workload
	case "target":
		return diagnostics.ControlPlane
	}
	if id == "app.crashloop" {
		return diagnostics.Workload
	}
	return diagnostics.L7
}

// table lists the targets.
func (a *analysis) table() {
	t := diagnostics.Table{Title: "Targets", Columns: []string{"Target", "Zone", "State", "Reason", "Pod", "Groups", "Way there", "Reading"}}
	const most = 20
	all := a.targets()
	for i, x := range all {
		if i == most {
			t.Omitted = len(all) - most
			break
		}
		pod, groups := "-", "-"
		if x.pod != nil {
			pod = x.pod.Name
		}
		if x.eni != nil {
			groups = strings.Join(x.eni.Groups, " ")
		}
		var ways []string
		for _, port := range x.ports() {
			ways = append(ways, fmt.Sprintf("%d %s", port, way(x.verdict(port))))
		}
		t.Rows = append(t.Rows, []string{x.name(), cmp.Or(x.TargetHealth.Zone, x.zoneOf(), "-"), x.State, cmp.Or(strings.TrimSpace(x.Reason+" "+x.Description), "-"), pod, groups, strings.Join(ways, ", "), a.reading(x)})
	}
	if len(t.Rows) > 0 {
		a.out.Tables = append(a.out.Tables, t)
	}
}

func way(v vpc.Verdict) string {
	return map[vpc.Verdict]string{vpc.Allowed: "open", vpc.Denied: "closed", vpc.Partial: "partly open", vpc.Unknown: "not known"}[v]
}

func (a *analysis) reading(t *target) string {
	if t.group.byDesign(t) {
		return "left out by design"
	}
	if t.stray && t.class != draining {
		return "the address is another pod's by now"
	}
	switch t.class {
	case code:
		return "answered: the network is innocent"
	case refuse:
		return "connection answered with a reset, or a broken answer"
	case drop:
		return "no answer in time"
	case initial:
		return "too early to tell"
	case unused:
		return "gets no requests"
	case draining:
		return "on its way out"
	}
	return t.class.String()
}
