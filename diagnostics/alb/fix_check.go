package alb

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/remedy"
	"github.com/netdiag/netdiag/internal/vpc"
)

// fixCheck offers to ask what a readiness probe asks that passes. It reports whether there was something to copy.
func (a *analysis) fixCheck(f diagnostics.Finding) bool {
	g := a.groupFor(f)
	if strings.TrimPrefix(f.ID, "alb/") == "hc.grpc" {
		a.annotate(f, g, "success-codes", "0", "0 is the gRPC status OK, and only 0 to 99 are taken")
		return true
	}
	ts := g.bad()
	if len(ts) == 0 {
		return false
	}
	t := ts[0]
	pr := probeOf(t.pod, t.hcPort, t.port)
	if pr == nil || t.pod == nil || !isReady(t.pod) || (pr.host != "" && g.TargetType == "ip") {
		return false
	}
	ready, all := 0, 0
	for _, x := range g.registered() {
		if x.pod != nil {
			all++
			if isReady(x.pod) {
				ready++
			}
		}
	}
	proof := fmt.Sprintf("the readiness probe asks %s GET %s on port %d, and %d of %d pods pass it", pr.scheme, pr.path, pr.port, ready, all)
	offered := false
	if pr.port != t.hcPort && g.TargetType == "ip" {
		if !a.reachableOn(g, pr.port) {
			a.refuse("set-health-check", "port %d of the readiness probe can't be reached by the load balancer on %d of %d targets", pr.port, a.unreachable(g, pr.port), len(g.registered()))
			return false
		}
		value := strconv.Itoa(pr.port)
		if pr.port == t.port {
			value = "traffic-port"
		}
		a.annotate(f, g, "healthcheck-port", value, proof)
		offered = true
	}
	if pr.path != g.Check.Path {
		a.annotate(f, g, "healthcheck-path", pr.path, proof)
		offered = true
	}
	return offered
}

// annotate offers to set one health check annotation on the object whose annotation counts.
func (a *analysis) annotate(f diagnostics.Finding, g *group, key, value, proof string) {
	x := diagnostics.Fix{
		ID: "set-health-check", Proof: proof, Frees: len(g.bad()), Needs: len(g.bad()), SettlesIn: a.settlesCheck(g),
		Title: fmt.Sprintf("Set %s of the health check to %s", strings.TrimPrefix(strings.TrimPrefix(key, "healthcheck-"), "success-"), value), Undo: "put the annotation back as it was",
	}
	if !a.annotatable(g) {
		x.Owner = ownerNone
		if declarativeTags(g.Tags) {
			x.Owner = ownerTerraform
		}
		x.Changes = []string{fmt.Sprintf("target group %s: %s → %s, by whoever made it", g.Name, key, value)}
		x.Commands = []string{fmt.Sprintf("aws elbv2 modify-target-group --target-group-arn %s %s", g.ARN, map[string]string{
			"healthcheck-path": "--health-check-path " + quote(value), "healthcheck-port": "--health-check-port " + value,
			"healthcheck-timeout-seconds": "--health-check-timeout-seconds " + value, "success-codes": "--matcher HttpCode=" + value}[key])}
		a.offer(f, x)
		return
	}
	if e, ok := a.standing("Ingress", a.s.Ingress.Namespace, a.s.Ingress.Name); ok && strings.HasPrefix(e.Reason, "Failed") && f.ID != "alb/hc.grpc" {
		a.refuse(x.ID, "the controller can't apply the ingress as it is (%d times %s): the annotation would change nothing", max(count(e), 1), e.Reason)
		return
	}
	resource, apiVersion, namespace, name, was := a.winner(g, key)
	kind, old := "Ingress", "unset"
	x.Owner = objectOwner(a.s.Ingress)
	if resource == "services" {
		kind, x.Owner = "Service", objectOwner(g.svc)
	}
	if was != nil {
		old = *was
	}
	x.Changes = []string{fmt.Sprintf("%s %s/%s: annotation %s %s → %s", kind, namespace, name, annotation(key), old, value)}
	x.Blast = fmt.Sprintf("every target group that %s %s/%s makes gets it; the whole ingress is reconciled", kind, namespace, name) + drift(x.Owner)
	x.Commands = []string{fmt.Sprintf("kubectl annotate %s %s -n %s %s --overwrite", strings.ToLower(kind), name, namespace, quote(annotation(key)+"="+value))}
	x.Action = &remedy.Action{Annotate: &remedy.Annotate{APIVersion: apiVersion, Resource: resource, Namespace: namespace, Name: name, Key: annotation(key), Value: &value, Was: was}}
	a.offer(f, x)
}

// annotatable reports whether annotations of the ingress or its Service reach the target group.
func (a *analysis) annotatable(g *group) bool {
	return a.s.Ingress != nil && (g.binding == nil || ofController(*g.binding))
}

// settlesCheck is how long a changed health check takes: a minute until the controller has applied it, and the checks.
func (a *analysis) settlesCheck(g *group) string {
	return min(time.Minute+time.Duration(g.Check.Healthy+1)*g.Check.Interval+g.Check.Timeout, 10*time.Minute).String()
}

func (a *analysis) unreachable(g *group, port int) int {
	n := 0
	for _, t := range g.registered() {
		for _, id := range a.s.Front {
			if t.eni != nil && a.s.Firewall.Path(*a.s.network(id), *t.eni, t.addr, port).Verdict != vpc.Allowed {
				n++
				break
			}
		}
	}
	return n
}

func (a *analysis) reachableOn(g *group, port int) bool { return a.unreachable(g, port) == 0 }

// checkTrafficPort offers, where only the health check port is closed, to ask on the port of the traffic instead, provided that it answers there.
func (a *analysis) checkTrafficPort(f diagnostics.Finding, g *group) {
	t := g.list[0]
	pr := probeOf(t.pod, t.port)
	if pr == nil || pr.port != t.port || pr.path != g.Check.Path {
		return
	}
	a.annotate(f, g, "healthcheck-port", "traffic-port", fmt.Sprintf("port %d is open for all targets and the readiness probe passes there", t.port))
}

// fixTimeout offers to wait longer for the answer of the health endpoint.
func (a *analysis) fixTimeout(f diagnostics.Finding) {
	g := a.groupFor(f)
	longer := min(2*g.Check.Timeout, g.Check.Interval-time.Second, 120*time.Second).Truncate(time.Second)
	if longer <= g.Check.Timeout {
		a.refuse("set-health-check", "the timeout of %s can't grow: it must stay below the interval of %s", g.Check.Timeout, g.Check.Interval)
		return
	}
	a.annotate(f, g, "healthcheck-timeout-seconds", strconv.Itoa(int(longer.Seconds())), fmt.Sprintf("requests of clients succeed, only the check gives up after %s", g.Check.Timeout))
}

// fixCodes offers another success code, for codes that are right by design: 2xx. Anything else would hide failures.
func (a *analysis) fixCodes(f diagnostics.Finding) {
	g := a.groupFor(f)
	var codes []int
	for _, t := range g.of(code) {
		codes = append(codes, t.codes...)
	}
	slices.Sort(codes)
	codes = slices.Compact(codes)
	if len(codes) != 1 || codes[0] >= 300 || !a.annotatable(g) {
		return
	}
	value := fmt.Sprintf("%s,%d", g.Check.Codes, codes[0])
	resource, apiVersion, namespace, name, was := a.winner(g, "success-codes")
	a.offer(f, diagnostics.Fix{
		ID: "set-success-codes", Title: fmt.Sprintf("Count %d as healthy", codes[0]), Owner: objectOwner(a.s.Ingress), SettlesIn: a.settlesCheck(g), Frees: len(g.bad()), Needs: len(g.bad()),
		Proof: fmt.Sprintf("%d of %d targets answer %d, which is a success", len(g.bad()), len(g.registered()), codes[0]), Undo: "put the annotation back as it was",
		Changes:  []string{fmt.Sprintf("%s %s/%s: annotation %s → %s", strings.TrimSuffix(resource, "s"), namespace, name, annotation("success-codes"), value)},
		Blast:    "every target group of the ingress" + drift(objectOwner(a.s.Ingress)),
		Commands: []string{fmt.Sprintf("kubectl annotate %s %s -n %s %s --overwrite", resource, name, namespace, quote(annotation("success-codes")+"="+value))},
		Action:   &remedy.Action{Annotate: &remedy.Annotate{APIVersion: apiVersion, Resource: resource, Namespace: namespace, Name: name, Key: annotation("success-codes"), Value: &value, Was: was}},
	})
}

// quote makes text one word of a POSIX shell.
func quote(text string) string {
	if text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=,+@%", r)
	}) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
