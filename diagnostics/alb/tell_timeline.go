package alb

import (
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

// tell adds a moment to the timeline.
type tell func(at time.Time, source, format string, args ...any)

// timeline tells what happened in the last two days; it is put in order later.
func (a *analysis) timeline() {
	since := a.s.Now.Add(-memory)
	add := func(at time.Time, source, format string, args ...any) {
		if at.Before(since) || at.IsZero() {
			return
		}
		m := diagnostics.Moment{At: at.UTC(), What: fmt.Sprintf(format, args...), Source: source}
		if !slices.Contains(a.out.Timeline, m) {
			a.out.Timeline = append(a.out.Timeline, m)
		}
	}
	a.changes(add)
	a.endsOf(add)
	a.moments(add)
}

// changes adds who changed what: by the fields that each manager set, new revisions and bindings, and CloudTrail.
func (a *analysis) changes(add tell) {
	changed := func(kind, source string, o metav1.Object) {
		for _, m := range o.GetManagedFields() {
			if m.Time != nil && m.Subresource == "" && m.Manager != "kube-controller-manager" { // it only counts revisions
				add(m.Time.Time, source, "%s %s/%s changed by %s", kind, o.GetNamespace(), o.GetName(), m.Manager)
			}
		}
	}
	if a.s.Ingress != nil {
		changed("ingress", "list ingresses.networking.k8s.io", a.s.Ingress)
	}
	for i := range a.s.Members {
		changed("ingress of the same group", "list ingresses.networking.k8s.io", &a.s.Members[i])
	}
	for _, g := range a.groups {
		if g.svc != nil {
			changed("Service", "list services", g.svc)
		}
		if d := a.deployment(g); d != nil {
			changed("Deployment", "list deployments.apps", d)
		}
		if g.binding != nil {
			add(g.binding.Created, "list targetgroupbindings.elbv2.k8s.aws", "TargetGroupBinding %s made", g.binding.Name)
		}
	}
	for _, rs := range a.s.ReplicaSets {
		if len(rs.OwnerReferences) > 0 && a.ours(rs.OwnerReferences[0].Kind, rs.Namespace, rs.OwnerReferences[0].Name) {
			add(rs.CreationTimestamp.Time, "list replicasets.apps", "new revision of %s/%s: ReplicaSet %s", rs.Namespace, rs.OwnerReferences[0].Name, rs.Name)
		}
	}
	for _, e := range a.s.Audit {
		text := fmt.Sprintf("%s by %s", e.Name, e.User)
		if e.Error != "" {
			text += " refused: " + e.Error
		}
		add(e.At, "cloudtrail:LookupEvents", "%s", text)
	}
}

// endsOf adds pods, containers and nodes that went, and what was warned of.
func (a *analysis) endsOf(add tell) {
	for _, g := range a.groups {
		for _, e := range a.endings(g) {
			add(e.FinishedAt.Time, "list pods", "container %s of pod %s ended with exit code %d (%s)", e.container.Name, e.pod.Name, e.ExitCode, e.says())
		}
		for _, x := range a.goings(g) {
			add(x.at, x.evidence.Source, "%s", x.what)
		}
	}
	for _, d := range a.departures() {
		add(d.at, "list events", "%s %s: %s", d.event.InvolvedObject.Kind, d.event.InvolvedObject.Name, trimmed(d.event.Message))
	}
	for _, e := range a.s.Events {
		if e.Type == "Warning" && e.InvolvedObject.Kind != "Node" {
			at := e.FirstTimestamp.Time
			if at.IsZero() {
				at = diagnostics.LastSeen(&e)
			}
			add(at, "list events", "%s %s: first %s: %s", e.InvolvedObject.Kind, e.InvolvedObject.Name, e.Reason, trimmed(e.Message))
		}
	}
}

// moments adds when errors of the load balancer began and ended, burst by burst where they came so.
func (a *analysis) moments(add tell) {
	const source = "cloudwatch:GetMetricData"
	for _, m := range []struct{ name, what string }{{elb502, "502"}, {elb503, "503"}, {elb504, "504"}} {
		c := a.counts(m.name)
		for _, b := range c.Bursts() {
			add(b.Start, source, "burst of answers %s: %.0f until %s", m.what, b.Sum, clock(b.End))
		}
		if at := a.began(m.name); !at.IsZero() && len(c.Bursts()) == 0 {
			add(at, source, "the load balancer begins to answer with %s", m.what)
		}
	}
}

// prevention is what keeps the same from happening again.
func prevention(roots []diagnostics.Finding) []string {
	var out []string
	for _, f := range roots {
		text := ""
		switch id := strings.TrimPrefix(f.ID, "alb/"); {
		case id == "sg.target-ingress" && f.Reason == "drift-removed":
			text = "Declare the rules of the node security group one by one, not inline, so that Terraform leaves those of the controller alone"
		case strings.HasPrefix(id, "sg."):
			text = "Let the controller manage the rules of the targets, and look at them whenever target-type or a port changes"
		case strings.HasPrefix(id, "nacl."):
			text = "Keep network ACLs open between the subnets of load balancers and pods, 1024-65535 for the answers"
		case strings.HasPrefix(id, "hc."):
			text = "Set " + annotation("healthcheck-path") + " to what the readiness probe asks"
		case strings.HasPrefix(id, "ep."), strings.HasPrefix(id, "svc."):
			text = "Alert when a Service of an ingress has no ready endpoint"
		case strings.HasPrefix(id, "lbc."), strings.HasPrefix(id, "ingress."):
			text = "Alert on Failed… events of ingresses and TargetGroupBindings"
		case strings.HasPrefix(id, "rollout."), strings.HasPrefix(id, "dereg."):
			text = "Use readiness gates and a preStop sleep for everything behind a load balancer"
		case strings.HasPrefix(id, "app."):
			text = "Alert on UnHealthyHostCount, and keep the health path shallow"
		}
		if text != "" && !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return out
}
