package alb

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
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
