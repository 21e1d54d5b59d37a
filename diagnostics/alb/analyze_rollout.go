package alb

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/trail"
)

// departure is a moment in which pods of a group were taken away by a rollout or a smaller scale.
type departure struct {
	at    time.Time
	event corev1.Event
	spec  *corev1.PodSpec // of the pods that went, nil where it isn't known
}

// departures lists the moments in which pods of the groups were taken away, as far as events remember.
func (a *analysis) departures() []departure {
	var out []departure
	for _, e := range a.s.Events {
		o := e.InvolvedObject
		scaled := strings.HasPrefix(e.Message, "Scaled down") && e.Reason == "ScalingReplicaSet"
		deleted := e.Reason == "SuccessfulDelete" && (o.Kind == "ReplicaSet" || o.Kind == "StatefulSet")
		if (!scaled && !deleted) || !a.ours(o.Kind, o.Namespace, o.Name) {
			continue
		}
		d := departure{at: diagnostics.LastSeen(&e), event: e}
		for i, rs := range a.s.ReplicaSets {
			if rs.Namespace == o.Namespace && (rs.Name == o.Name || slices.Contains(strings.Fields(e.Message), rs.Name)) {
				d.spec = &a.s.ReplicaSets[i].Spec.Template.Spec
			}
		}
		out = append(out, d)
	}
	return out
}

// ours reports whether the pods of a workload are behind one of the groups.
func (a *analysis) ours(kind, namespace, name string) bool {
	behind := func(labels map[string]string) bool {
		return slices.ContainsFunc(a.groups, func(g *group) bool {
			return g.svc != nil && g.namespace == namespace && len(g.svc.Spec.Selector) > 0 && matches(g.svc.Spec.Selector, labels)
		})
	}
	owned := func(refs []metav1.OwnerReference) bool {
		return slices.ContainsFunc(refs, func(r metav1.OwnerReference) bool { return r.Kind == kind && r.Name == name })
	}
	return slices.ContainsFunc(a.s.Deployments, func(d appsv1.Deployment) bool {
		return kind == "Deployment" && d.Namespace == namespace && d.Name == name && behind(d.Spec.Template.Labels)
	}) || slices.ContainsFunc(a.s.ReplicaSets, func(rs appsv1.ReplicaSet) bool {
		return rs.Namespace == namespace && (kind == "ReplicaSet" && rs.Name == name || owned(rs.OwnerReferences)) && behind(rs.Spec.Template.Labels)
	}) || slices.ContainsFunc(a.s.Pods, func(p corev1.Pod) bool {
		return p.Namespace == namespace && owned(p.OwnerReferences) && behind(p.Labels)
	})
}

// expired recognises requests that outlived the deregistration delay: the errors come that long after pods were taken away.
func (a *analysis) expired() bool {
	bursts := a.counts(elb502).Bursts()
	for _, g := range a.groups {
		delay, err := strconv.Atoi(g.Attributes["deregistration_delay.timeout_seconds"])
		if err != nil || delay < 60 && !g.careful() { // sooner than a minute it can't be told from pods that went too early
			continue
		}
		for _, d := range a.departures() {
			due := d.at.Add(time.Duration(delay) * time.Second).Truncate(time.Minute)
			i := slices.IndexFunc(bursts, func(b trail.Burst) bool { // the controller deregisters some seconds after the event
				return !b.Start.Before(due) && !b.Start.After(due.Add(time.Minute))
			})
			if i < 0 {
				continue
			}
			f := diagnostics.Finding{
				ID: "dereg.delay-elapsed", Subject: g.Name, Confidence: diagnostics.Likely, Weight: 40,
				Summary: fmt.Sprintf("requests that lasted longer than the deregistration delay of %d s were cut off: %.0f got 502 from %s, when it was over for the pods that were taken away at %s",
					delay, bursts[i].Sum, clock(bursts[i].Start), clock(d.at)),
				Evidence: []diagnostics.Evidence{a.metric(elb502), a.burstEvidence("502", bursts), eventEvidence(d.event), attributeEvidence(g, "deregistration_delay.timeout_seconds")},
			}
			if grace := graceOf(d.spec); d.spec != nil && grace < delay {
				f.Confidence = diagnostics.Possible
				f.Summary += fmt.Sprintf(" (yet their terminationGracePeriodSeconds of %d should have ended them before)", grace)
			}
			a.report(f)
			return true
		}
	}
	return false
}

func attributeEvidence(g *group, key string) diagnostics.Evidence {
	return diagnostics.Evidence{What: key + " of " + g.Name, Value: g.Attributes[key], Source: "elasticloadbalancing:DescribeTargetGroupAttributes", Repeat: "aws elbv2 describe-target-group-attributes --target-group-arn " + g.ARN}
}

// drained recognises pods that are taken away faster than the load balancer learns of it: bursts at scale-downs of pods that
// neither wait for it nor make it wait for them.
func (a *analysis) drained() bool {
	bursts := a.counts(elb502, elb504).Bursts()
	for _, b := range bursts {
		var ev []diagnostics.Evidence
		var gone *corev1.PodSpec
		for _, d := range a.departures() {
			if b.Near(d.at, 2*time.Minute, time.Minute) {
				ev = append(ev, eventEvidence(d.event))
				gone = d.spec
			}
		}
		if len(ev) > 0 || len(a.departures()) == 0 {
			ev = append(ev, a.revised(b)...)
		}
		if len(ev) == 0 {
			continue
		}
		for _, g := range a.groups {
			if len(g.rules) > 0 && a.race(g, b, bursts, gone, ev) {
				return true
			}
		}
	}
	return false
}

// revised finds a new revision of a workload at the time of a burst: it takes the pods of the one before away. This
// stands alone where the events have expired.
func (a *analysis) revised(b trail.Burst) []diagnostics.Evidence {
	for _, d := range a.s.Deployments {
		if !a.ours("Deployment", d.Namespace, d.Name) {
			continue
		}
		current, previous := a.revisions(&d)
		if current == nil || previous == nil || !b.Near(current.CreationTimestamp.Time, 5*time.Minute, time.Minute) {
			continue
		}
		return []diagnostics.Evidence{{What: "ReplicaSet " + current.Namespace + "/" + current.Name, Value: fmt.Sprintf("made at %s, in place of %s", clock(current.CreationTimestamp.Time), previous.Name),
			Source: "list replicasets.apps", Repeat: fmt.Sprintf("kubectl get replicasets -n %s --sort-by .metadata.creationTimestamp", current.Namespace)}}
	}
	return nil
}

// race reports a group whose pods go without care. The pods that went tell how they stop, those that are there whether
// new ones wait for the load balancer.
func (a *analysis) race(g *group, b trail.Burst, bursts []trail.Burst, gone *corev1.PodSpec, ev []diagnostics.Evidence) bool {
	i := slices.IndexFunc(g.list, func(t *target) bool { return t.pod != nil })
	pods := g.selected()
	if i >= 0 {
		pods = append(pods, g.list[i].pod)
	}
	if len(pods) == 0 {
		return false
	}
	p := pods[0]
	spec := gone
	if spec == nil {
		spec = &p.Spec
	}
	lacks := g.lacking(p, spec)
	if len(lacks) == 0 {
		return false
	}
	f := diagnostics.Finding{
		ID: "rollout.drain-race", Subject: g.subject(), Confidence: diagnostics.Likely, Weight: 40,
		Summary: fmt.Sprintf("between %s and %s, while pods of %s were replaced or taken away, %.0f requests got 502 or 504: the pods have %s, so they end before the load balancer stops sending to them",
			clock(b.Start), clock(b.End), g.subject(), b.Sum, strings.Join(lacks, " and ")),
	}
	if g.TargetType != "ip" {
		f.Confidence = diagnostics.Possible // on the way by the nodes it is kube-proxy that has to learn of it
	}
	f.Evidence = append([]diagnostics.Evidence{a.metric(elb502), a.metric(elb504), a.burstEvidence("502 and 504", bursts)}, ev[:min(len(ev), 3)]...)
	f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "how pods of " + g.subject() + " go", Value: fmt.Sprintf("%s, terminationGracePeriodSeconds %d", joined(lacks), graceOf(spec)), Source: "list pods",
		Repeat: fmt.Sprintf("kubectl get pod %s -n %s -o yaml", p.Name, p.Namespace)})
	a.report(f)
	return true
}

// shortStop is the least that a preStop sleep must last: until then a load balancer node may still send to the pod.
const shortStop = 15

// lacking lists what pods that go with care have and these don't. Readiness gates exist for targets by address only.
func (g *group) lacking(p *corev1.Pod, spec *corev1.PodSpec) []string {
	var out []string
	if g.TargetType == "ip" && !gated(p) {
		out = append(out, "no readiness gate")
	}
	stops, seconds := stopOf(spec)
	switch {
	case !stops:
		out = append(out, "no preStop hook")
	case seconds >= 0 && seconds < shortStop:
		out = append(out, fmt.Sprintf("a preStop sleep of only %d s", seconds))
	case seconds >= graceOf(spec):
		out = append(out, fmt.Sprintf("a grace period of %d s that ends with the preStop sleep of %d s", graceOf(spec), seconds))
	}
	return out
}

// careful reports whether the pods behind a group are known and go with care.
func (g *group) careful() bool {
	pods := g.selected()
	return len(pods) > 0 && !slices.ContainsFunc(pods, func(p *corev1.Pod) bool { return len(g.lacking(p, &p.Spec)) > 0 })
}

// gated reports whether the controller put its readiness gate into the pod: target-health.elbv2.k8s.aws/<binding>, of EKS Auto
// Mode target-health.eks.amazonaws.com/<binding>.
func gated(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Spec.ReadinessGates, func(r corev1.PodReadinessGate) bool {
		return strings.HasPrefix(string(r.ConditionType), "target-health.")
	})
}

// stopOf tells whether a container has a preStop hook and how many seconds the longest one sleeps; -1 where that can't be seen.
func stopOf(spec *corev1.PodSpec) (stops bool, seconds int) {
	seconds = -1
	for _, c := range spec.Containers {
		if c.Lifecycle == nil || c.Lifecycle.PreStop == nil {
			continue
		}
		stops = true
		hook := c.Lifecycle.PreStop
		if hook.Sleep != nil {
			seconds = max(seconds, int(hook.Sleep.Seconds))
		}
		if hook.Exec == nil {
			continue
		}
		words := strings.FieldsFunc(strings.Join(hook.Exec.Command, " "), func(r rune) bool { return r == ' ' || r == ';' || r == '&' })
		for i, w := range words[:max(len(words)-1, 0)] {
			if n, err := strconv.Atoi(strings.TrimSuffix(words[i+1], "s")); err == nil && (w == "sleep" || strings.HasSuffix(w, "/sleep")) {
				seconds = max(seconds, n)
			}
		}
	}
	return stops, seconds
}

// graceOf is terminationGracePeriodSeconds, 30 where it isn't set or known.
func graceOf(spec *corev1.PodSpec) int {
	if spec == nil || spec.TerminationGracePeriodSeconds == nil {
		return 30
	}
	return int(*spec.TerminationGracePeriodSeconds)
}
