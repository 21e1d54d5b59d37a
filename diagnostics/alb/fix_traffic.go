package alb

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/elb"
	"github.com/netdiag/netdiag/internal/vpc"
)

// fixTraffic offers the fixes of what requests meet while every target answers its health check. All of them are texts: they
// change applications, whole load balancers or names, which is for their owners to do.
func (a *analysis) fixTraffic(f diagnostics.Finding) {
	switch strings.TrimPrefix(f.ID, "alb/") {
	case "rollout.drain-race":
		a.fixDrain(f)
	case "dereg.delay-elapsed":
		a.fixDelay(f)
	case "node.termination":
		a.fixTermination(f)
	case "keepalive.mismatch":
		a.fixKeepAlive(f)
	case "app.slow-response":
		a.fixIdle(f)
		a.fixApp(f)
	case "app.crash-midrequest", "app.own-5xx", "resp.header-too-large", "resp.malformed":
		a.fixApp(f)
		if a.sinceRevision(f) {
			a.fixRollback(f)
		}
	case "port.traffic-differs":
		a.fixService(f)
	case "proto.464":
		a.fixVersion(f)
	case "dns.wrong-lb", "edge.not-alb":
		a.fixName(f)
	}
	a.networkInnocent()
}

// networkInnocent refuses a rule of a security group where the model shows every path open.
func (a *analysis) networkInnocent() {
	open, paths := 0, 0
	for _, t := range a.of(healthy) {
		for _, p := range t.paths {
			paths++
			if p.reach.Verdict == vpc.Allowed {
				open++
			}
		}
	}
	if paths > 0 && open == paths {
		a.refuse("allow-pod-port", "%d of %d paths from the load balancer to its %s are open, and these answer their health checks: no rule is missing", open, paths, plural(len(a.of(healthy)), "healthy target"))
	}
}

// sinceRevision reports whether the errors began only after the current revision was rolled out, so that going back may help.
func (a *analysis) sinceRevision(f diagnostics.Finding) bool {
	d := a.deployment(a.groupFor(f))
	if d == nil {
		return false
	}
	current, previous := a.revisions(d)
	if current == nil || previous == nil || a.s.Now.Sub(current.CreationTimestamp.Time) >= window {
		return false
	}
	at := a.began(elb502, elb504, target5xx)
	return !at.IsZero() && !at.Before(current.CreationTimestamp.Add(-time.Minute))
}

// merged puts one attribute into the value of an annotation that lists several as key=value, and leaves the others as they are.
func merged(value, key, to string) string {
	var out []string
	for part := range strings.SplitSeq(value, ",") {
		if part = strings.TrimSpace(part); part != "" && !strings.HasPrefix(part, key+"=") {
			out = append(out, part)
		}
	}
	return strings.Join(append(out, key+"="+to), ",")
}

// attribute gives the change and the command that set an attribute by an annotation of the object whose annotation counts.
func (a *analysis) attribute(g *group, key, attribute, was, to string) (change, command, owner string) {
	if !a.annotatable(g) {
		if key == "target-group-attributes" {
			return fmt.Sprintf("target group %s: %s %s → %s", g.Name, attribute, was, to),
				fmt.Sprintf("aws elbv2 modify-target-group-attributes --target-group-arn %s --attributes Key=%s,Value=%s", g.ARN, attribute, to), ownerNone
		}
		return fmt.Sprintf("load balancer %s: %s %s → %s", a.balancerName(), attribute, was, to),
			fmt.Sprintf("aws elbv2 modify-load-balancer-attributes --load-balancer-arn %s --attributes Key=%s,Value=%s", a.s.Balancer.ARN, attribute, to), ownerNone
	}
	w := a.winner(g, key)
	return fmt.Sprintf("%s: annotation %s: %s %s → %s", w.object(), annotation(key), attribute, was, to), w.command(key, merged(w.now(""), attribute, to)), w.owner
}

// fixIdle offers to wait longer for answers that are meant to be slow: longer than the slowest that was seen, or twice as
// long where all that is known is that they are cut off.
func (a *analysis) fixIdle(f diagnostics.Finding) {
	g := a.groupFor(f)
	idle, _ := a.idleTimeout()
	wait := 2 * idle
	proof := fmt.Sprintf("%.0f requests were given up after %d s, and no connection to a target failed: more time is what they lack", a.total(elb504), idle)
	if s := a.longest(); s > idle {
		wait = (s/30 + 1) * 30
		proof = fmt.Sprintf("the slowest request in the logs took %d s, %d s more than the load balancer waits", s, s-idle)
	}
	wait = min(max(wait, idle+1), 4000)
	change, command, owner := a.attribute(g, "load-balancer-attributes", "idle_timeout.timeout_seconds", strconv.Itoa(idle), strconv.Itoa(wait))
	x := diagnostics.Fix{
		ID: "idle-timeout", Title: fmt.Sprintf("Wait %d s for slow answers", wait), Owner: owner, Proof: proof, Changes: []string{change}, Commands: []string{command},
		Blast: fmt.Sprintf("every request and idle connection through %s", a.balancerName()) + drift(owner), Undo: fmt.Sprintf("set it back to %d", idle), SettlesIn: "2m0s",
		Risk: fmt.Sprintf("only if the slow path is meant to be slow; servers that close idle connections sooner than %d s then cause 502", wait),
	}
	for _, m := range a.s.Members {
		if strings.Contains(m.Annotations[annotation("load-balancer-attributes")], "idle_timeout") {
			x.Changes = append(x.Changes, fmt.Sprintf("Ingress %s/%s of the same group sets it too: the same value there, or the group conflicts", m.Namespace, m.Name))
		}
	}
	a.offer(f, x)
}

// crashText says what to do about a container that ended: give it memory where it was killed for want of it, else find out why.
func (a *analysis) crashText(f diagnostics.Finding, g *group) (title, change string) {
	for _, e := range a.endings(g) {
		if e.cause() != f.Reason {
			continue
		}
		limit := e.container.Resources.Limits.Memory()
		switch {
		case f.Reason == "oom" && !limit.IsZero():
			return "Give the container more memory, or have it use less", fmt.Sprintf("container %s: memory limit %s → %s; it was killed at it, %s so far", e.container.Name, limit.String(), doubled(*limit), plural(e.restarts, "restart"))
		case f.Reason == "killed":
			return "Find out who killed the container", fmt.Sprintf("container %s: ended by signal 9, as after a liveness probe that failed and a grace period that ran out, or for want of memory on the node", e.container.Name)
		case f.Reason == "segfault":
			return "Repair the crash of the application", fmt.Sprintf("container %s: segmentation fault, exit code %d", e.container.Name, e.ExitCode)
		}
	}
	return "Find out why the container ended", "see its last log"
}

// moreMemory is the command that doubles the memory limit of a container that was killed at it; none for other causes.
func (a *analysis) moreMemory(f diagnostics.Finding, g *group) []string {
	d := a.deployment(g)
	if f.ID != "alb/app.crash-midrequest" || f.Reason != "oom" || d == nil {
		return nil
	}
	for _, e := range a.endings(g) {
		if limit := e.container.Resources.Limits.Memory(); e.cause() == "oom" && !limit.IsZero() {
			return []string{fmt.Sprintf("kubectl set resources deployment %s -n %s -c %s --limits memory=%s", d.Name, d.Namespace, e.container.Name, doubled(*limit))}
		}
	}
	return nil
}

// doubled is twice a quantity.
func doubled(q resource.Quantity) string {
	twice := q.DeepCopy()
	twice.Add(q)
	return twice.String()
}

// portText says to which of the pods' ports the Service should send.
func (a *analysis) portText(g *group) (changes []string, proof string) {
	t := g.of(healthy)[0]
	ports := map[int]bool{}
	for _, p := range g.selected() {
		for _, c := range containers(p) {
			for _, cp := range c.Ports {
				ports[int(cp.ContainerPort)] = true
			}
		}
	}
	var list []string
	for _, p := range slices.Sorted(maps.Keys(ports)) {
		if p != t.port {
			list = append(list, strconv.Itoa(p))
		}
	}
	changes = []string{fmt.Sprintf("Service %s/%s: targetPort %d → a port on which the application takes requests (its containers declare %s)", g.namespace, g.service, t.port, cmp.Or(joined(list), "no other"))}
	return changes, fmt.Sprintf("%.0f connections to port %d failed in the last %d minutes, and %d of %d targets answer on port %d", a.total(connectErrors), t.port, a.minutes(), len(g.of(healthy)), len(g.registered()), t.hcPort)
}

// longest is how many seconds the slowest request in the logs took, rounded up; 0 where they tell of none.
func (a *analysis) longest() int {
	most := 0
	for _, name := range sortedKeys(a.s.Logs) {
		for _, match := range tookMS.FindAllStringSubmatch(a.s.Logs[name], -1) {
			if ms, err := strconv.Atoi(match[1]); err == nil {
				most = max(most, int(math.Ceil(float64(ms)/1000)))
			}
		}
	}
	return most
}

// fixKeepAlive offers to have the server keep idle connections longer than the load balancer does. The other way round, a
// shorter idle timeout, would cut every request that takes longer.
func (a *analysis) fixKeepAlive(f diagnostics.Finding) {
	g := a.groupFor(f)
	idle, _ := a.idleTimeout()
	to := idle + 5
	change := fmt.Sprintf("keep-alive timeout of the server above %d s, such as %d", idle, to)
	seconds := 0.0
	for _, t := range g.registered() {
		if t.pod == nil {
			continue
		}
		for _, c := range serving(t.pod, g) {
			k, ok := a.idleOf(t.pod, c)
			if !ok {
				continue
			}
			seconds = k.seconds
			switch k.server {
			case "Node.js":
				change = fmt.Sprintf("server.keepAliveTimeout = %d and server.headersTimeout = %d (milliseconds; it must be the longer one)", to*1000, (to+1)*1000)
			case "gunicorn":
				change = fmt.Sprintf("gunicorn --keep-alive %d", to)
			case "uvicorn":
				change = fmt.Sprintf("uvicorn --timeout-keep-alive %d", to)
			}
		}
	}
	a.offer(f, diagnostics.Fix{
		ID: "keepalive", Title: fmt.Sprintf("Keep idle connections %d s, longer than the load balancer does", to), Owner: a.workloadOwner(g), Changes: []string{change},
		Proof: fmt.Sprintf("the load balancer reuses a connection for %d s, the server closes it after %g s: with %d s the load balancer always closes first", idle, seconds, to),
		Blast: "the pods of " + g.subject() + " are rolled out anew", Risk: "more idle connections in the pods", Undo: "the next deployment", SettlesIn: "1h0m0s",
		Commands: a.lookInside(g),
	})
	a.refuse("idle-timeout", "below the %g s of the server it would cut every request that takes longer, and above the %d s of now the load balancer reuses connections for even longer", seconds, idle)
}

// fixVersion offers the protocol version that clients and pods have in common. It makes a new target group, so it is no button.
func (a *analysis) fixVersion(f diagnostics.Finding) {
	g := a.groupFor(f)
	version, title := "HTTP1", "Speak HTTP/1.1 to the targets"
	proof := fmt.Sprintf("a target group of %s turns away everything else: %.0f requests in the last %d minutes", cmp.Or(g.ProtocolVersion, "HTTP1"), a.total(elb4xx), a.minutes())
	spoken := a.speaksGRPC(g) || a.speaksH2(g)
	if spoken && g.ProtocolVersion != "GRPC" && g.ProtocolVersion != "HTTP2" {
		version, title = "GRPC", "Speak gRPC to the targets"
	}
	x := diagnostics.Fix{
		ID: "set-protocol", Title: title, Proof: proof, Undo: "put the annotation back: a new target group again", Risk: "a short outage", SettlesIn: "5m0s",
		Blast: "the controller makes a new target group, during which clients may get 503 for a moment: do it in a quiet hour, or with a second ingress and weights",
	}
	key := annotation("backend-protocol-version")
	if a.s.Ingress == nil {
		x.Changes = []string{fmt.Sprintf("target group %s: a new one with ProtocolVersion %s", g.Name, version)}
		a.offer(f, x)
		return
	}
	w := a.winner(g, "backend-protocol-version")
	x.Owner = w.owner
	if version == "HTTP1" && spoken {
		x.Title = "Give clients that speak HTTP/1.1 a target group of their own"
		x.Changes = []string{fmt.Sprintf("a second Service on a port of the pods that speaks HTTP/1.1, with annotation %s: HTTP1, and a rule of its own in ingress %s/%s; or clients that speak %s", key, a.s.Ingress.Namespace, a.s.Ingress.Name, g.ProtocolVersion)}
		x.Commands = []string{fmt.Sprintf("kubectl get service %s -n %s -o yaml", g.service, g.namespace)}
		x.Blast = "the requests of the new rule"
		a.offer(f, x)
		return
	}
	x.Changes = []string{fmt.Sprintf("%s: annotation %s %s → %s", w.object(), key, w.now("unset"), version)}
	x.Blast += drift(x.Owner)
	x.Commands = []string{w.command("backend-protocol-version", version)}
	a.offer(f, x)
}

// fixName offers to have the name lead to this load balancer, or to look at what it leads to.
func (a *analysis) fixName(f diagnostics.Finding) {
	x := diagnostics.Fix{
		ID: "point-dns", Title: "Point " + f.Subject + " to this load balancer", Undo: "put the old record back", SettlesIn: "2m0s", Owner: ownerNone,
		Risk: "clients remember the old answer for as long as its TTL says", Commands: []string{"dig +short " + f.Subject},
	}
	ends := a.s.leadsTo(f.Subject)
	switch {
	case a.s.Balancer == nil:
		return
	case len(ends) > 0:
		x.Changes = []string{fmt.Sprintf("%s: %s %s → %s", ends[0].Object, f.Subject, ends[0].Name, a.s.Balancer.DNSName)}
		if parts := strings.Split(ends[0].Object, "/"); len(parts) == 3 {
			x.Commands = append(x.Commands, fmt.Sprintf("kubectl edit dnsendpoint %s -n %s", parts[2], parts[1]))
		}
		x.Proof = fmt.Sprintf("%.0f requests reached %s in the last 5 minutes; its %s wait for them", a.lately(requests), a.balancerName(), plural(len(a.of(healthy)), "healthy target"))
		if strings.HasSuffix(f.ID, "edge.not-alb") {
			x.Title = "Have what answers for " + f.Subject + " ask this load balancer"
			x.Changes = []string{fmt.Sprintf("origin of %s → %s, or the record %s itself (%s)", ends[0].Name, a.s.Balancer.DNSName, f.Subject, ends[0].Object)}
		}
	default:
		x.Title = "Have what stands in front ask this load balancer again"
		x.Changes = []string{fmt.Sprintf("origin of the CDN, load balancer or DNS record that clients are sent to → %s", a.s.Balancer.DNSName)}
		x.Proof = fmt.Sprintf("its %s wait for requests", plural(len(a.of(healthy)), "healthy target"))
		x.Commands = nil
		for _, h := range a.hosts() {
			x.Commands = append(x.Commands, "dig +short "+h)
		}
	}
	a.offer(f, x)
}

// hosts lists the names of the ingress.
func (a *analysis) hosts() []string {
	var out []string
	if a.s.Ingress != nil {
		for _, r := range a.s.Ingress.Spec.Rules {
			out = append(out, r.Host)
		}
	}
	return sorted(out)
}

// fixOrder offers to put the ingress whose rules are covered first in its group.
func (a *analysis) fixOrder(f diagnostics.Finding) {
	i := slices.IndexFunc(a.s.serving(), func(r elb.Rule) bool { return ruleName(r) == f.Subject && a.shadowedBy(r) != nil })
	if i < 0 {
		return
	}
	own := a.s.serving()[i]
	by := *a.shadowedBy(own)
	m, ing := a.member(by), a.s.Ingress
	x := diagnostics.Fix{
		ID: "fix-ingress-group", Title: "Put the narrower rule first", Owner: objectOwner(ing), Undo: "put the annotation back as it was", SettlesIn: "1m0s",
		Proof: fmt.Sprintf("priority %d is asked before %d; the smaller group.order gets the smaller priorities", by.Priority, own.Priority),
		Risk:  "the other ingress no longer gets these requests", Blast: "the rules of the whole group are numbered anew" + drift(objectOwner(ing)),
	}
	if covers(own, by) { // put first, ours would leave theirs without any request
		x.Title = "Part the hosts or paths of the two ingresses"
		x.Changes = []string{fmt.Sprintf("rule %s and rule %s match the same requests, whichever comes first: another host or path for one of them", ruleName(by), ruleName(own))}
		x.Commands = []string{fmt.Sprintf("kubectl edit ingress %s -n %s", ing.Name, ing.Namespace)}
		a.offer(f, x)
		return
	}
	order := "0"
	if m != nil {
		order = orderOf(*m)
	}
	n, err := strconv.Atoi(order)
	if err != nil || n <= -1000 { // -1000 to 1000 are allowed
		return
	}
	x.Changes = []string{fmt.Sprintf("Ingress %s/%s: annotation %s %s → %d", ing.Namespace, ing.Name, annotation("group.order"), orderOf(*ing), n-1)}
	x.Commands = []string{fmt.Sprintf("kubectl annotate ingress %s -n %s %s=%s --overwrite", ing.Name, ing.Namespace, annotation("group.order"), quote(strconv.Itoa(n-1)))}
	a.offer(f, x)
}
