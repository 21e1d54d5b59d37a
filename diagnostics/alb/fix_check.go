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

// newSetting is one health check annotation with the value that it should have.
type newSetting struct{ key, value string }

// fixCheck offers to ask what a readiness probe asks that passes. It reports whether there was something to copy.
func (a *analysis) fixCheck(f diagnostics.Finding) bool {
	id := strings.TrimPrefix(f.ID, "alb/")
	if id == "hc.grpc" {
		a.fixGRPC(f, a.groupOr(f))
		return true
	}
	g := a.groupFor(f)
	ts := slices.DeleteFunc(g.bad(), func(t *target) bool { return !slices.Contains(f.Affects, t.affects()) })
	if len(ts) == 0 {
		return false
	}
	t := ts[0]
	pod, port, hcPort := t.behind()
	if pod != nil && isReady(pod) && g.ProtocolVersion == "GRPC" && probesGRPC(pod, hcPort) {
		return a.fixMethod(f, g, t)
	}
	pr := probeOf(pod, hcPort, port)
	if pr == nil || !isReady(pod) {
		return id == "hc.override" && a.fixOverride(f, g)
	}
	ready, all := g.readyOf()
	proof := fmt.Sprintf("the readiness probe asks %s GET %s on port %d, and %d of %d pods pass it", pr.scheme, pr.path, pr.port, ready, all)
	if pr.host != "" {
		proof += fmt.Sprintf(" (it sends the Host header %s, which a health check can't)", pr.host)
	}
	var set []newSetting
	if pr.port != hcPort && g.TargetType == "ip" {
		if n := a.unreachable(g, pr.port); n > 0 {
			a.refuse("set-health-check", "port %d of the readiness probe can't be reached by the load balancer on %d of %d targets", pr.port, n, len(g.registered()))
			return false
		}
		value := strconv.Itoa(pr.port)
		if pr.port == port {
			value = "traffic-port"
		}
		set = append(set, newSetting{"healthcheck-port", value})
	}
	if pr.path != g.Check.Path {
		set = append(set, newSetting{"healthcheck-path", pr.path})
	}
	if len(set) == 0 {
		return id == "hc.override" && a.fixOverride(f, g)
	}
	a.annotate(f, g, "set-health-check", proof, set...)
	return true
}

// groupOr is the group that a finding about the ingress concerns, or where the controller could make none yet, one without
// targets for its Service, if it has only one.
func (a *analysis) groupOr(f diagnostics.Finding) *group {
	if g := a.groupFor(f); g != nil {
		return g
	}
	g := &group{TargetGroup: &TargetGroup{}, m: a.model}
	if bs := backends(*a.s.Ingress); len(bs) == 1 {
		g.namespace, g.service = a.s.Ingress.Namespace, bs[0].Service
		g.svc = a.s.service(g.namespace, g.service)
	}
	return g
}

// fixOverride offers to let the Service say what the ingress says.
func (a *analysis) fixOverride(f diagnostics.Finding, g *group) bool {
	o := a.overridden(g, "healthcheck-path", "success-codes", "healthcheck-port", "healthcheck-protocol")
	if o.key == "" {
		return false
	}
	a.annotate(f, g, "set-health-check", fmt.Sprintf("%d of %d targets fail what the Service asks, and the ingress asks for something else that never counted", len(g.bad()), len(g.registered())), newSetting{o.key, o.ingress})
	return true
}

// flags of aws elbv2 modify-target-group by annotation.
var flags = map[string]string{
	"healthcheck-path": "--health-check-path", "healthcheck-port": "--health-check-port", "healthcheck-protocol": "--health-check-protocol",
	"healthcheck-timeout-seconds": "--health-check-timeout-seconds", "success-codes": "--matcher",
}

// annotate offers to set health check annotations on the object whose annotation counts. The bot can carry out a single
// one; several that help only together are a text.
func (a *analysis) annotate(f diagnostics.Finding, g *group, id, proof string, set ...newSetting) {
	x := diagnostics.Fix{ID: id, Proof: proof, Frees: len(g.bad()), Needs: len(g.bad()), SettlesIn: a.settlesCheck(g), Undo: "put the annotation back as it was"}
	var titles []string
	for _, s := range set {
		titles = append(titles, fmt.Sprintf("%s of the health check to %s", strings.TrimPrefix(strings.TrimPrefix(s.key, "healthcheck-"), "success-"), s.value))
	}
	x.Title = "Set " + strings.Join(titles, " and ")
	if !a.annotatable(g) {
		a.modify(f, g, x, set)
		return
	}
	if e, ok := a.standing("Ingress", a.s.Ingress.Namespace, a.s.Ingress.Name); ok && strings.HasPrefix(e.Reason, "Failed") && f.ID != "alb/hc.grpc" {
		a.refuse(id, "the controller can't apply the ingress as it is (%d times %s): the annotation would change nothing", max(count(e), 1), e.Reason)
		return
	}
	for _, s := range set {
		w := a.winner(g, s.key)
		if w.was != nil && *w.was == s.value {
			a.refuse(id, "annotation %s of %s is %s already: %d of %d targets fail because it isn't in place, not for want of it", annotation(s.key), w.object(), s.value, len(g.bad()), len(g.registered()))
			return
		}
		x.Owner = w.owner
		x.Changes = append(x.Changes, fmt.Sprintf("%s: annotation %s %s → %s", w.object(), annotation(s.key), w.now("unset"), s.value))
		x.Blast = fmt.Sprintf("every target group that %s makes gets it; the whole ingress is reconciled", w.object()) + drift(w.owner)
		x.Commands = append(x.Commands, w.command(s.key, s.value))
		x.Action = &remedy.Action{Annotate: &remedy.Annotate{APIVersion: w.apiVersion, Resource: w.resource, Namespace: w.namespace, Name: w.name, Key: annotation(s.key), Value: &s.value, Was: w.was}}
	}
	if len(set) > 1 {
		x.Action = nil
		x.Undo = "put the annotations back as they were"
	}
	a.offer(f, x)
}

// modify offers the text for a target group that no ingress of the controller makes.
func (a *analysis) modify(f diagnostics.Finding, g *group, x diagnostics.Fix, set []newSetting) {
	x.Owner = ownerNone
	if declarativeTags(g.Tags) {
		x.Owner = ownerTerraform
	}
	var command strings.Builder
	command.WriteString("aws elbv2 modify-target-group --target-group-arn " + g.ARN)
	for _, s := range set {
		x.Changes = append(x.Changes, fmt.Sprintf("target group %s: %s → %s, by whoever made it", g.Name, s.key, s.value))
		value := quote(s.value)
		if s.key == "success-codes" {
			value = "HttpCode=" + value
			if g.ProtocolVersion == "GRPC" {
				value = "GrpcCode=" + quote(s.value)
			}
		}
		command.WriteString(" " + flags[s.key] + " " + value)
	}
	x.Commands = []string{command.String()}
	x.Undo = "set the old values again"
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

// checkTrafficPort offers, where only the health check port is closed, to ask on the port of the traffic instead, provided
// that it answers there.
func (a *analysis) checkTrafficPort(f diagnostics.Finding, g *group) {
	pod, port, _ := g.list[0].behind()
	pr := probeOf(pod, port)
	if pr == nil || pr.port != port || pr.scheme != g.Check.Protocol {
		return
	}
	set := []newSetting{{"healthcheck-port", "traffic-port"}}
	if pr.path != g.Check.Path {
		set = append(set, newSetting{"healthcheck-path", pr.path})
	}
	a.annotate(f, g, "set-health-check", fmt.Sprintf("port %d is open for all targets and the readiness probe passes there", port), set...)
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
