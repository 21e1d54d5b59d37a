package alb

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
)

// propose offers the fixes that are a text and nothing more.
func (a *analysis) propose(f diagnostics.Finding) {
	switch strings.TrimPrefix(f.ID, "alb/") {
	case "lbc.iam", "lbc.webhook", "lbc.down", "target.reused-ip", "target.stale-ip":
		a.repairController(f)
	case "hc.not-applied":
		a.fixApplied(f)
	case "ingress.not-reconciled":
		a.fixIngress(f)
	case "rule.shadowed":
		a.fixOrder(f)
	case "ingress.group-conflict":
		a.fixConflict(f)
	case "az.not-enabled":
		a.fixZone(f)
	case "tg.detached":
		a.fixDetached(f)
	case "tg.two-owners":
		a.fixOwners(f)
	case "tls.mismatch", "tls.plain-to-tls", "proto.version":
		x := diagnostics.Fix{Owner: ownerNone, Undo: "undo the change"}
		if a.s.Ingress != nil {
			x.Owner = objectOwner(a.s.Ingress)
		}
		a.fixProtocol(f, x)
	}
}

// fixApplied offers what gets a health check into place that the annotations ask for.
func (a *analysis) fixApplied(f diagnostics.Finding) {
	switch f.Reason {
	case "refused":
		a.fixRefused(f)
	case "applying":
		a.refuse("set-health-check", "the annotations are right since a moment and the controller takes about 1 minute to apply them: wait and look again")
	default:
		a.repairController(f)
		a.refuse("set-health-check", "the annotations ask for the right thing already, which %d of %d targets don't get: another value would not get there either", len(f.Affects), len(a.groupFor(f).registered()))
	}
}

// fixProtocol offers the protocol that the pods speak. For the target group itself that makes a new one, so it is no button;
// where only the health check speaks another one, its annotation will do.
func (a *analysis) fixProtocol(f diagnostics.Finding, x diagnostics.Fix) {
	g := a.groupFor(f)
	key, value := "backend-protocol", "HTTP"
	switch id := strings.TrimPrefix(f.ID, "alb/"); {
	case id == "tls.mismatch" && f.Reason == "no-common-cipher":
		a.fixApp(f)
		return
	case id == "tls.mismatch" && g != nil && g.Protocol == "HTTP":
		a.annotate(f, g, "set-health-check", fmt.Sprintf("requests go to %s in plain HTTP already, only the health check speaks HTTPS", g.subject()), newSetting{"healthcheck-protocol", "HTTP"})
		return
	case id == "tls.plain-to-tls" && g != nil && g.Protocol == "HTTPS":
		a.annotate(f, g, "set-health-check", fmt.Sprintf("requests go to %s over HTTPS already, only the health check speaks plain HTTP", g.subject()), newSetting{"healthcheck-protocol", "HTTPS"})
		return
	case id == "tls.plain-to-tls":
		value = "HTTPS"
	case f.Reason == "serves-grpc":
		key, value = "backend-protocol-version", "GRPC"
	case id == "proto.version":
		key, value = "backend-protocol-version", "HTTP1"
	}
	x.ID, x.Title = "set-protocol", fmt.Sprintf("Speak %s to the targets", value)
	x.Proof = a.spoken(g)
	x.Changes = []string{fmt.Sprintf("annotation %s: %s", annotation(key), value)}
	x.Blast = "the controller makes a new target group, during which clients may get 503 for a moment: do it in a quiet hour, or with a second ingress and weights"
	x.Risk = "a short outage"
	if a.s.Ingress != nil && g != nil {
		w := a.winner(g, key)
		x.Owner = w.owner
		x.Undo = "put the annotation back as it was, which makes a new target group again"
		x.Blast += drift(w.owner)
		x.Changes = []string{fmt.Sprintf("%s: annotation %s %s → %s", w.object(), annotation(key), w.now("unset"), value)}
		x.Commands = []string{w.command(key, value)}
	}
	a.offer(f, x)
}

// fixRefused offers to correct a health check that AWS or the controller doesn't take. A timeout that isn't below the interval
// is the usual one.
func (a *analysis) fixRefused(f diagnostics.Finding) {
	g := a.groupOr(f)
	x := diagnostics.Fix{ID: "fix-ingress-group", Title: "Correct the health check that the annotations ask for", Owner: objectOwner(a.s.Ingress), Undo: "put the annotation back as it was", SettlesIn: a.settlesCheck(g),
		Risk: "everything that waits in the ingress is applied with it", Changes: []string{f.Summary}, Commands: []string{fmt.Sprintf("kubectl edit ingress %s -n %s", a.s.Ingress.Name, a.s.Ingress.Namespace)}}
	number := func(key string, none int) int {
		v, _ := a.setting(g, key)
		if n, err := strconv.Atoi(v); err == nil {
			return n
		}
		return none
	}
	timeout, interval := number("healthcheck-timeout-seconds", 5), number("healthcheck-interval-seconds", 15)
	if timeout >= interval && interval > 2 {
		w := a.winner(g, "healthcheck-timeout-seconds")
		to := strconv.Itoa(interval - 1)
		x.Title, x.Owner = "Keep the timeout of the health check below its interval", w.owner
		x.Proof = fmt.Sprintf("a timeout of %d s is asked for with an interval of %d s, and it must be smaller", timeout, interval)
		x.Changes = []string{fmt.Sprintf("%s: annotation %s %s → %s at most, or a longer %s", w.object(), annotation("healthcheck-timeout-seconds"), w.now("unset"), to, annotation("healthcheck-interval-seconds"))}
		x.Commands = []string{w.command("healthcheck-timeout-seconds", to)}
	}
	a.offer(f, x)
}

// spoken says what the readiness probe speaks that passes; empty where there is none.
func (a *analysis) spoken(g *group) string {
	if g == nil {
		return ""
	}
	ready, all := g.readyOf()
	for _, t := range g.bad() {
		pod, port, hcPort := t.behind()
		switch pr := probeOf(pod, hcPort, port); {
		case probesGRPC(pod, hcPort):
			return fmt.Sprintf("the readiness probe speaks gRPC on port %d, and %d of %d pods pass it", hcPort, ready, all)
		case pr != nil:
			return fmt.Sprintf("the readiness probe speaks %s on port %d, and %d of %d pods pass it", pr.scheme, pr.port, ready, all)
		}
	}
	return ""
}
