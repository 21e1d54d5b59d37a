package alb

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
)

// fixes offers for each root cause what really helps, the most damaging cause first, and refuses what only looks like it.
func (a *analysis) fixes() {
	for _, f := range a.roots() {
		a.fixFor(f)
	}
	a.refusals()
}

// roots lists the findings that no other explains, in the order of the report.
func (a *analysis) roots() []diagnostics.Finding {
	keys := map[string]bool{}
	for _, f := range a.out.Findings {
		keys[f.Key()] = true
	}
	out := slices.DeleteFunc(slices.Clone(a.out.Findings), func(f diagnostics.Finding) bool {
		return f.Latent || diagnostics.CauseByID(f.ID).Contributing || slices.ContainsFunc(f.Because, func(k string) bool { return keys[k] })
	})
	rank := map[diagnostics.Confidence]int{diagnostics.Confirmed: 0, diagnostics.Likely: 1, diagnostics.Possible: 2}
	slices.SortStableFunc(out, func(x, y diagnostics.Finding) int {
		return cmp.Or(y.Weight-x.Weight, rank[x.Confidence]-rank[y.Confidence], strings.Compare(x.ID, y.ID), strings.Compare(x.Subject, y.Subject))
	})
	return out
}

// groupNamed finds the target group that a finding is about: by its subject, or else by the targets that it affects.
func (a *analysis) groupNamed(f diagnostics.Finding) *group {
	for _, g := range a.groups {
		if f.Subject == g.Name || f.Subject == g.subject() {
			return g
		}
		for _, t := range g.list {
			if slices.Contains(f.Affects, t.affects()) {
				return g
			}
		}
	}
	return nil
}

// groupFor is the target group that a finding is about, or else the first one.
func (a *analysis) groupFor(f diagnostics.Finding) *group {
	if g := a.groupNamed(f); g != nil || len(a.groups) == 0 {
		return g
	}
	return a.groups[0]
}

// offer adds a fix for a finding. The bot carries out only what is marked so in the catalogue, has an action, stands on a
// confirmed cause, and isn't declared by a tool that would put the old state back.
func (a *analysis) offer(f diagnostics.Finding, x diagnostics.Fix) {
	x.ID = "alb/" + x.ID
	if slices.ContainsFunc(a.out.Fixes, func(o diagnostics.Fix) bool { return o.ID == x.ID && o.Title == x.Title }) {
		return
	}
	kind := diagnostics.FixByID(x.ID)
	x.Executable = kind.Executable && x.Action != nil && f.Confidence == diagnostics.Confirmed && !declarative(x.Owner)
	if !x.Executable {
		x.Action = nil
	}
	if x.Risk == "" {
		x.Risk = kind.Risk
	}
	if x.Owner == "" {
		x.Owner = ownerNone
	}
	if x.SettlesIn == "" {
		x.SettlesIn = a.settles(a.groupFor(f))
	}
	x.Resolves = append(x.Resolves, f.Key())
	if g := a.groupFor(f); g != nil && g.failsOpen() { // it has worked when targets are healthy again
		x.Resolves = append(x.Resolves, "alb/lb.fail-open "+g.Name)
	}
	slices.Sort(x.Resolves)
	x.Resolves = slices.Compact(x.Resolves)
	a.out.Fixes = append(a.out.Fixes, x)
}

func (a *analysis) refuse(id, format string, args ...any) {
	r := diagnostics.Refused{ID: "alb/" + id, Why: fmt.Sprintf(format, args...)}
	if !slices.ContainsFunc(a.out.Refused, func(o diagnostics.Refused) bool { return o.ID == r.ID }) {
		a.out.Refused = append(a.out.Refused, r)
	}
}

// settles is how long until the effect of a change on the network must show: the change spreads, then all health checks
// that make a target healthy pass, with one to spare.
func (a *analysis) settles(g *group) string {
	if g == nil || g.Check.Interval == 0 {
		return "2m0s"
	}
	d := 20*time.Second + time.Duration(g.Check.Healthy+1)*g.Check.Interval + g.Check.Timeout + 30*time.Second
	return min(d, 10*time.Minute).String()
}

// fixFor offers the fixes of one cause in the order in which to take them.
func (a *analysis) fixFor(f diagnostics.Finding) {
	switch strings.TrimPrefix(f.ID, "alb/") {
	case "sg.target-ingress":
		a.fixGroup(f)
	case "sg.alb-egress":
		a.fixEgress(f)
	case "nacl.forward", "nacl.return":
		a.fixACL(f)
	case "netpol.deny":
		a.fixPolicy(f)
	case "nodeport.cross-node-sg":
		a.fixNodes(f)
	case "hc.path", "hc.port", "hc.override", "hc.grpc":
		a.fixCheck(f)
	case "hc.codes":
		copied := a.fixCheck(f) // to ask for a path that answers as it should goes before taking another answer
		if taken := a.fixCodes(f); !copied && !taken {
			a.fixApp(f)
		}
	case "app.slow-health":
		a.fixTimeout(f)
		a.fixApp(f)
	case "app.unhealthy", "mesh.local-503", "hc.host-header", "mesh.mtls", "app.loopback-bind", "app.malformed":
		if a.regressed(f) {
			a.fixRollback(f)
		}
		a.fixApp(f)
	case "app.crashloop":
		a.fixRollback(f)
		a.fixApp(f)
	case "ep.none-ready":
		a.fixEndpoints(f)
	case "nodeport.reject-no-endpoints":
		if f.Reason == "no-pods" {
			a.fixService(f)
			return
		}
		a.fixApp(f)
		a.fixService(f)
		a.fixRollback(f)
	case "app.not-listening", "ep.selector", "ep.port-name", "svc.missing", "nodes.excluded", "rule.weight-zero":
		a.fixService(f)
	case "rollout.drain-race", "dereg.delay-elapsed", "node.termination", "keepalive.mismatch", "app.slow-response", "app.crash-midrequest", "app.own-5xx",
		"resp.header-too-large", "resp.malformed", "port.traffic-differs", "proto.464", "dns.wrong-lb", "edge.not-alb":
		a.fixTraffic(f)
	case "rule.fixed-response":
		if f.Reason == "missing-action" {
			a.fixService(f)
		}
	default:
		a.propose(f)
	}
}
