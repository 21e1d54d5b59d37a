package alb

import (
	"slices"

	"github.com/netdiag/netdiag/diagnostics"
)

// refusals names tempting fixes that would not help here, with the numbers that say so.
func (a *analysis) refusals() {
	for _, g := range a.groups {
		offered := slices.ContainsFunc(a.out.Fixes, func(x diagnostics.Fix) bool { return x.ID == "alb/allow-pod-port" })
		answered := slices.DeleteFunc(g.of(code), g.byDesign)
		for _, t := range answered {
			if len(t.codes) == 0 {
				continue
			}
			if t.codes[0] >= 300 {
				a.refuse("set-success-codes", "%d is no success: counting it as healthy would hide the failure of %d of %d targets", t.codes[0], len(answered), len(g.registered()))
			}
			if !a.found("sg.target-ingress") {
				why := ""
				if t.eni != nil {
					why = " (the groups that count are " + joined(t.eni.Groups) + " on " + t.eni.ID + ")"
				}
				a.refuse("allow-pod-port", "port %d is reachable: %d of %d targets answered with code %d%s", t.hcPort, len(answered), len(g.registered()), t.codes[0], why)
			}
			break
		}
		refused := g.of(refuse)
		if len(refused) > 0 && !a.found("sg.target-ingress") {
			a.refuse("allow-pod-port", "port %d is reachable: %d of %d targets answered, if only by breaking the connection, which no security group does", refused[0].hcPort, len(refused), len(g.registered()))
		}
		if a.found("ep.none-ready", "ep.selector", "ep.port-name", "app.crashloop", "svc.missing", "lbc.iam", "lbc.webhook", "lbc.down") && g.HealthRead && len(g.registered()) == 0 {
			a.refuse("allow-pod-port", "%s has 0 registered targets: the controller takes its rule away with the last one and puts it back with the next", g.Name)
		}
		if a.found("app.slow-health") && len(g.of(drop)) > 0 {
			a.refuse("allow-pod-port", "all paths to %d of %d targets are open already", len(g.of(drop)), len(g.registered()))
		}
		if slices.ContainsFunc(g.list, g.byDesign) && !offered {
			a.refuse("allow-pod-port", "nodes without a ready pod don't answer by design of externalTrafficPolicy Local: %d of %d here", a.designed(g), len(g.registered()))
		}
	}
}

// designed counts the targets that are left out by design.
func (a *analysis) designed(g *group) int {
	n := 0
	for _, t := range g.list {
		if g.byDesign(t) {
			n++
		}
	}
	return n
}
