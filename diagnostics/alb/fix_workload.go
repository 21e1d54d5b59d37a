package alb

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

// fixApp says what the application must change; the bot does no such thing.
func (a *analysis) fixApp(f diagnostics.Finding) {
	g := a.groupFor(f)
	if g == nil {
		return
	}
	port := g.Port
	path := g.Check.Path
	if len(g.list) > 0 {
		if _, _, hcPort := g.list[0].behind(); hcPort > 0 {
			port = hcPort
		}
	}
	title, change := "Make the application healthy", fmt.Sprintf("%s answers GET %s on port %d with a success code: look at what its health check depends on", g.subject(), path, port)
	switch strings.TrimPrefix(f.ID, "alb/") {
	case "hc.host-header":
		title, change = "Exempt the health path from the Host check", fmt.Sprintf("accept any Host header on %s: the load balancer sends the target's address and port, and no setting changes that", path)
	case "hc.codes":
		title, change = "Answer the health path itself", fmt.Sprintf("answer %s with 200, without redirect or login", path)
	case "mesh.mtls":
		pods := append(g.pods(), nil)
		title, change = "Exempt the port from mutual TLS", mtlsText(pods[0], port)
	case "tls.mismatch":
		title, change = "Offer a TLS version and cipher that the load balancer speaks", fmt.Sprintf("TLS 1.2 or 1.3 with a usual cipher on port %d; the certificate itself is not looked at, an expired one would do", port)
	case "app.malformed":
		title, change = "Look at the answer on the wire", fmt.Sprintf("switch the access logs of the load balancer on, or capture one answer to GET %s on port %d: status line, headers and length must be well-formed HTTP", path, port)
	case "mesh.local-503":
		title, change = "Start the sidecar's traffic after the application", "hold the application's readiness until it serves, or start it before the sidecar takes traffic (holdApplicationUntilProxyStarts, startup probe)"
	case "app.loopback-bind":
		title, change = "Listen on all addresses", fmt.Sprintf("listen on 0.0.0.0:%d instead of 127.0.0.1, and give the pod a readiness probe over the network", port)
	case "app.crashloop":
		title, change = "Find out why the container ends", "see its last log and exit code"
	case "app.crash-midrequest":
		title, change = a.crashText(f, g)
	case "app.own-5xx":
		title, change = "Look into the application's own errors", fmt.Sprintf("%s answers with 5xx itself, and the load balancer passes that on as it is: see its log for these requests", g.subject())
	case "app.slow-health":
		title, change = "Make the health path cheap", fmt.Sprintf("answer %s without waiting for others, within %s", path, g.Check.Timeout)
	case "app.slow-response":
		title, change = "Answer sooner", "start the answer within the idle timeout, or do the work in the background"
	case "resp.header-too-large":
		title, change = "Send smaller headers", fmt.Sprintf("keep all response headers below %d bytes: fewer or smaller cookies", headerLimit)
	case "resp.malformed":
		title, change = "Send answers that keep to HTTP", "the Content-Length of an answer is the number of bytes that it brings, and its headers are such that a parser takes them"
	case "ep.none-ready", "nodeport.reject-no-endpoints":
		title, change = "Make the readiness probe pass", "see why it fails: the events and logs of the pods"
	}
	a.offer(f, diagnostics.Fix{
		ID: "fix-app", Title: title, Changes: []string{change}, Undo: "the next deployment", Owner: a.workloadOwner(g), Needs: len(g.bad()),
		Risk: "the application's own", Commands: append(a.moreMemory(f, g), a.lookInside(g)...),
	})
}

// lookInside gives commands that show what the application says.
func (a *analysis) lookInside(g *group) []string {
	if g.service == "" {
		return nil
	}
	if pods := g.pods(); len(pods) > 0 {
		return []string{fmt.Sprintf("kubectl logs %s -n %s --tail 100", pods[0].Name, pods[0].Namespace), fmt.Sprintf("kubectl describe pod %s -n %s", pods[0].Name, pods[0].Namespace)}
	}
	if pods := g.selected(); len(pods) > 0 {
		return []string{fmt.Sprintf("kubectl describe pod %s -n %s", pods[0].Name, pods[0].Namespace), fmt.Sprintf("kubectl logs %s -n %s --previous --tail 100", pods[0].Name, pods[0].Namespace)}
	}
	return []string{fmt.Sprintf("kubectl get pods -n %s", g.namespace)}
}

// deployment finds the Deployment behind a group.
func (a *analysis) deployment(g *group) *appsv1.Deployment {
	if g == nil || g.svc == nil || len(g.svc.Spec.Selector) == 0 {
		return nil
	}
	for i, d := range a.s.Deployments {
		if d.Namespace == g.namespace && matches(g.svc.Spec.Selector, d.Spec.Template.Labels) {
			return &a.s.Deployments[i]
		}
	}
	return nil
}

func (a *analysis) workloadOwner(g *group) string {
	if d := a.deployment(g); d != nil {
		return objectOwner(d)
	}
	return ownerNone
}

// isOwner matches the owner reference of a Deployment.
func isOwner(d *appsv1.Deployment) func(metav1.OwnerReference) bool {
	return func(r metav1.OwnerReference) bool { return r.Kind == "Deployment" && r.Name == d.Name }
}

// revisions gives the current ReplicaSet of a Deployment and the one before it; nil where there is none.
func (a *analysis) revisions(d *appsv1.Deployment) (current, previous *appsv1.ReplicaSet) {
	number := func(rs *appsv1.ReplicaSet) int {
		n, _ := strconv.Atoi(rs.Annotations["deployment.kubernetes.io/revision"]) // no revision counts as the oldest
		return n
	}
	var list []*appsv1.ReplicaSet
	for i, rs := range a.s.ReplicaSets {
		if rs.Namespace == d.Namespace && slices.ContainsFunc(rs.OwnerReferences, isOwner(d)) {
			list = append(list, &a.s.ReplicaSets[i])
		}
	}
	slices.SortStableFunc(list, func(x, y *appsv1.ReplicaSet) int { return number(y) - number(x) })
	if len(list) > 0 {
		current = list[0]
	}
	if len(list) > 1 {
		previous = list[1]
	}
	return current, previous
}

// recent is how new a revision must be to be suspected of what began after it.
const recent = 6 * time.Hour

// regressed reports whether the workload was changed lately, so that going back may help.
func (a *analysis) regressed(f diagnostics.Finding) bool {
	d := a.deployment(a.groupFor(f))
	if d == nil {
		return false
	}
	current, previous := a.revisions(d)
	return current != nil && previous != nil && a.s.Now.Sub(current.CreationTimestamp.Time) < recent && len(a.groupFor(f).of(healthy)) == 0 && f.ID != "alb/mesh.local-503"
}

// fixRollback offers the revision before, where there is one and the current one is new.
func (a *analysis) fixRollback(f diagnostics.Finding) {
	d := a.deployment(a.groupFor(f))
	if d == nil {
		return
	}
	current, previous := a.revisions(d)
	if current == nil || previous == nil {
		a.refuse("rollback-deployment", "Deployment %s/%s has 0 earlier revisions", d.Namespace, d.Name)
		return
	}
	age := a.s.Now.Sub(current.CreationTimestamp.Time)
	if age >= recent {
		a.refuse("rollback-deployment", "the current revision of %s/%s is %s old, the trouble is younger", d.Namespace, d.Name, days(age))
		return
	}
	owner := objectOwner(d)
	a.offer(f, diagnostics.Fix{
		ID: "rollback-deployment", Title: fmt.Sprintf("Go back to revision %s of %s", cmp.Or(previous.Annotations["deployment.kubernetes.io/revision"], "before"), d.Name), Owner: owner,
		Proof:   fmt.Sprintf("revision %s was made %s ago, just before the trouble; the one before ran since %s", current.Annotations["deployment.kubernetes.io/revision"], age.Round(time.Minute), previous.CreationTimestamp.UTC().Format("2006-01-02")),
		Changes: []string{fmt.Sprintf("Deployment %s/%s: pods of ReplicaSet %s instead of %s", d.Namespace, d.Name, previous.Name, current.Name)},
		Blast:   "all pods of the Deployment are replaced" + drift(owner), Undo: "roll out the newer revision again", SettlesIn: "5m0s", Risk: "what the new revision was made for is undone",
		Commands: []string{fmt.Sprintf("kubectl rollout undo deployment/%s -n %s", d.Name, d.Namespace)},
	})
}

func days(d time.Duration) string {
	if d < 48*time.Hour {
		return fmt.Sprintf("%d hours", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// fixEndpoints offers what brings ready endpoints back.
func (a *analysis) fixEndpoints(f diagnostics.Finding) {
	switch f.Reason {
	case "scaled-to-zero", "no-selector":
		a.fixService(f)
	default:
		a.fixRollback(f)
		a.fixApp(f)
	}
}

// fixService offers the text of a change to the Service, its workload or its ingress, with the difference shown.
func (a *analysis) fixService(f diagnostics.Finding) {
	g := a.groupFor(f)
	x := diagnostics.Fix{ID: "edit-service", Title: "Correct the Service", Undo: "put the old spec back", SettlesIn: "1m0s"}
	if g != nil && g.svc != nil {
		x.Owner = objectOwner(g.svc)
		x.Title = fmt.Sprintf("Correct Service %s/%s", g.namespace, g.service)
	}
	switch strings.TrimPrefix(f.ID, "alb/") {
	case "ep.selector":
		if near, ok := a.nearMiss(g); ok {
			x.Changes = []string{fmt.Sprintf("Service %s/%s: spec.selector as the pods are labelled (%s)", g.namespace, g.service, near.text)}
		} else {
			x.Changes = []string{fmt.Sprintf("Service %s/%s: a spec.selector that matches its pods (now %s)", g.namespace, g.service, labels(g.svc.Spec.Selector))}
		}
		x.Commands = []string{fmt.Sprintf("kubectl get pods -n %s --show-labels", g.namespace), fmt.Sprintf("kubectl edit service %s -n %s", g.service, g.namespace)}
	case "app.not-listening":
		a.retarget(g, &x)
	case "ep.port-name":
		var ports []string
		for _, p := range g.selected() {
			for _, c := range containers(p) {
				for _, cp := range c.Ports {
					ports = append(ports, strings.TrimSpace(fmt.Sprintf("%d %s", cp.ContainerPort, cp.Name)))
				}
			}
		}
		x.Changes = []string{fmt.Sprintf("Service %s/%s: targetPort of port %s → one that the pods have (%s)", g.namespace, g.service, a.s.portOf(*g.TargetGroup), joined(sorted(ports)))}
		x.Commands = []string{fmt.Sprintf("kubectl edit service %s -n %s", g.service, g.namespace)}
	case "svc.missing":
		x.Title = "Create the Service, or name another one in the ingress"
		x.Changes = []string{strings.TrimPrefix(f.Subject, "service/") + ": a Service of this name with the port that the ingress names"}
		if a.s.Ingress != nil {
			x.Commands = []string{fmt.Sprintf("kubectl get services -n %s", a.s.Ingress.Namespace), fmt.Sprintf("kubectl edit ingress %s -n %s", a.s.Ingress.Name, a.s.Ingress.Namespace)}
		}
	case "ep.none-ready":
		if d := a.deployment(g); d != nil {
			x.Title, x.Owner = fmt.Sprintf("Scale %s/%s up, or take it out of the rule", d.Namespace, d.Name), objectOwner(d)
			x.Changes = []string{fmt.Sprintf("Deployment %s/%s: replicas 0 → at least 1, or weight 0 in the action annotation", d.Namespace, d.Name)}
			x.Commands = []string{fmt.Sprintf("kubectl scale deployment %s -n %s --replicas 1", d.Name, d.Namespace)}
		}
	case "nodes.excluded":
		x.Title = "Let nodes be targets, or register pods instead"
		x.Changes = []string{"remove the label or taint that keeps the nodes out, or set " + annotation("target-type") + ": ip"}
		x.Commands = []string{"kubectl label nodes --all node.kubernetes.io/exclude-from-external-load-balancers-"}
	case "rule.weight-zero":
		x.Title = "Give a target group of the rule a weight"
		x.Changes = []string{"action annotation of the ingress: a weight above 0"}
	case "rule.fixed-response":
		x.Title = "Add the action annotation that the ingress names"
		x.Changes = []string{"annotation " + annotation("actions.<service>") + " with the wanted action"}
	case "port.traffic-differs":
		x.Changes, x.Proof = a.portText(g)
		x.Commands = []string{fmt.Sprintf("kubectl edit service %s -n %s", g.service, g.namespace)}
	case "nodeport.reject-no-endpoints":
		x.Changes = []string{fmt.Sprintf("Service %s/%s: a selector and targetPort that lead to ready pods", g.namespace, g.service)}
	}
	a.offer(f, x)
}

// retarget changes the target port of a Service to the one on which the pods pass their readiness probe, or the only one
// that they declare.
func (a *analysis) retarget(g *group, x *diagnostics.Fix) {
	to := 0
	for _, p := range g.pods() {
		if pr := probeOf(p); pr != nil && isReady(p) {
			to = pr.port
			x.Proof = fmt.Sprintf("the readiness probe of %s passes on port %d, and the Service sends to %d", p.Name, to, g.Port)
		} else if ports := declares(p); len(ports) == 1 {
			to = ports[0]
			x.Proof = fmt.Sprintf("port %d is the only one that the containers of %s declare, and the Service sends to %d", to, p.Name, g.Port)
		}
		break
	}
	svcPort := servicePort(g.svc, a.s.portOf(*g.TargetGroup))
	if to == 0 || svcPort == nil {
		x.Changes = []string{fmt.Sprintf("Service %s/%s: targetPort of port %s → the one on which the application listens", g.namespace, g.service, a.s.portOf(*g.TargetGroup))}
		x.Commands = []string{fmt.Sprintf("kubectl edit service %s -n %s", g.service, g.namespace)}
		return
	}
	i := slices.IndexFunc(g.svc.Spec.Ports, func(p corev1.ServicePort) bool { return p.Port == svcPort.Port && p.Protocol == svcPort.Protocol })
	x.Title = fmt.Sprintf("Send to port %d of the pods", to)
	x.Changes = []string{fmt.Sprintf("Service %s/%s: targetPort of port %d %s → %d", g.namespace, g.service, svcPort.Port, svcPort.TargetPort.String(), to)}
	x.Blast = "everybody who uses this port of the Service; the targets are registered anew on the new port" + drift(x.Owner)
	x.Commands = []string{fmt.Sprintf(`kubectl patch service %s -n %s --type json -p '[{"op":"replace","path":"/spec/ports/%d/targetPort","value":%d}]'`, g.service, g.namespace, i, to)}
}

// declares lists the ports that the application's containers declare.
func declares(p *corev1.Pod) []int {
	var out []int
	for _, c := range containers(p) {
		for _, cp := range c.Ports {
			out = append(out, int(cp.ContainerPort))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
