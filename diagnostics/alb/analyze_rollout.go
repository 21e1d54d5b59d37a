package alb

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

// crashed aligns 502 answers with containers that ended.
func (a *analysis) crashed() bool {
	for _, g := range a.groups {
		for _, t := range g.registered() {
			if t.pod == nil {
				continue
			}
			for _, c := range t.pod.Status.ContainerStatuses {
				end := c.LastTerminationState.Terminated
				if end == nil || isSidecar(c.Name) || a.around(elb502, end.FinishedAt.Time) == 0 {
					continue
				}
				a.report(diagnostics.Finding{
					ID: "app.crash-midrequest", Subject: g.subject(), Confidence: diagnostics.Likely, Weight: 60, Affects: []string{"pod/" + t.pod.Namespace + "/" + t.pod.Name},
					Summary: fmt.Sprintf("container %s of pod %s ended at %s with exit code %d (%s), and requests under way got 502 in the same minute", c.Name, t.pod.Name, clock(end.FinishedAt.Time), end.ExitCode, end.Reason),
					Evidence: []diagnostics.Evidence{a.metric(elb502), {What: "last end of container " + c.Name, Value: fmt.Sprintf("%s, exit code %d at %s, %d restarts", end.Reason, end.ExitCode, clock(end.FinishedAt.Time), c.RestartCount), Source: "list pods",
						Repeat: fmt.Sprintf("kubectl get pod %s -n %s -o yaml", t.pod.Name, t.pod.Namespace)}},
				})
				return true
			}
		}
	}
	return false
}

// around is the sum of a metric in the minute of t and the ones next to it.
func (a *analysis) around(name string, t time.Time) float64 {
	var sum float64
	for _, p := range a.series(name) {
		if d := p.At.Sub(t.Truncate(time.Minute)); d >= -time.Minute && d <= time.Minute {
			sum += p.Value
		}
	}
	return sum
}

// scaledDown lists the moments at which pods of the groups were taken away by a rollout or a smaller scale.
func (a *analysis) scaledDown() []corev1.Event {
	var out []corev1.Event
	for _, e := range a.s.Events {
		if e.Reason == "ScalingReplicaSet" && strings.HasPrefix(e.Message, "Scaled down") && a.ours(e.InvolvedObject.Namespace, e.InvolvedObject.Name) {
			out = append(out, e)
		}
	}
	return out
}

// ours reports whether a Deployment's pods are behind one of the groups.
func (a *analysis) ours(namespace, deployment string) bool {
	for _, d := range a.s.Deployments {
		if d.Namespace != namespace || d.Name != deployment {
			continue
		}
		for _, g := range a.groups {
			if g.svc != nil && g.namespace == namespace && len(g.svc.Spec.Selector) > 0 && matches(g.svc.Spec.Selector, d.Spec.Template.Labels) {
				return true
			}
		}
	}
	return false
}

// expired recognises requests that outlived the deregistration delay: the errors come that long after the scale-down.
func (a *analysis) expired() bool {
	start, end, ok := a.burst(elb502, elb504)
	if !ok {
		return false
	}
	for _, g := range a.groups {
		delay, err := strconv.Atoi(g.Attributes["deregistration_delay.timeout_seconds"])
		if err != nil || delay < 60 {
			continue
		}
		for _, e := range a.scaledDown() {
			due := lastSeen(e).Add(time.Duration(delay) * time.Second)
			soon := lastSeen(e).Add(time.Minute)
			if due.Before(start.Add(-time.Minute)) || due.After(end.Add(time.Minute)) || soon.After(start) {
				continue
			}
			a.report(diagnostics.Finding{
				ID: "dereg.delay-elapsed", Subject: g.Name, Confidence: diagnostics.Likely, Weight: 40,
				Summary:  fmt.Sprintf("requests that lasted longer than the deregistration delay of %d s were cut off: the errors began at %s, %d s after the pods were scaled down", delay, clock(start), int(start.Sub(lastSeen(e)).Seconds())),
				Evidence: []diagnostics.Evidence{a.metric(elb502), eventEvidence(e), attributeEvidence(g, "deregistration_delay.timeout_seconds")},
			})
			return true
		}
	}
	return false
}

func attributeEvidence(g *group, key string) diagnostics.Evidence {
	return diagnostics.Evidence{What: key + " of " + g.Name, Value: g.Attributes[key], Source: "elasticloadbalancing:DescribeTargetGroupAttributes", Repeat: "aws elbv2 describe-target-group-attributes --target-group-arn " + g.ARN}
}

// drained recognises a rollout that takes pods away faster than the load balancer learns of it.
func (a *analysis) drained() bool {
	start, end, ok := a.burst(elb502, elb504)
	if !ok {
		return false
	}
	var ev []diagnostics.Evidence
	for _, e := range a.scaledDown() {
		if at := lastSeen(e); !at.Before(start.Add(-2*time.Minute)) && !at.After(end.Add(time.Minute)) {
			ev = append(ev, eventEvidence(e))
		}
	}
	for _, rs := range a.s.ReplicaSets {
		at := rs.CreationTimestamp.Time
		if len(rs.OwnerReferences) > 0 && a.ours(rs.Namespace, rs.OwnerReferences[0].Name) && !at.Before(start.Add(-5*time.Minute)) && !at.After(end.Add(time.Minute)) {
			ev = append(ev, diagnostics.Evidence{What: "ReplicaSet " + rs.Namespace + "/" + rs.Name, Value: "made at " + clock(at), Source: "list replicasets.apps", Repeat: fmt.Sprintf("kubectl get replicaset %s -n %s", rs.Name, rs.Namespace)})
		}
	}
	if len(ev) == 0 {
		return false
	}
	for _, g := range a.groups {
		for _, t := range g.registered() {
			if t.pod == nil || g.TargetType != "ip" {
				continue
			}
			gate := slices.ContainsFunc(t.pod.Spec.ReadinessGates, func(r corev1.PodReadinessGate) bool {
				return strings.HasPrefix(string(r.ConditionType), "target-health.elbv2.k8s.aws/")
			})
			stops := slices.ContainsFunc(t.pod.Spec.Containers, func(c corev1.Container) bool { return c.Lifecycle != nil && c.Lifecycle.PreStop != nil })
			if gate && stops {
				continue
			}
			var lacks []string
			if !gate {
				lacks = append(lacks, "no readiness gate")
			}
			if !stops {
				lacks = append(lacks, "no preStop hook")
			}
			grace := int64(30)
			if s := t.pod.Spec.TerminationGracePeriodSeconds; s != nil {
				grace = *s
			}
			ev = append(ev, diagnostics.Evidence{What: "how pod " + t.pod.Name + " goes", Value: fmt.Sprintf("%s, terminationGracePeriodSeconds %d", joined(lacks), grace), Source: "list pods",
				Repeat: fmt.Sprintf("kubectl get pod %s -n %s -o yaml", t.pod.Name, t.pod.Namespace)})
			if len(ev) > 5 {
				ev = append(ev[:4], ev[len(ev)-1])
			}
			a.report(diagnostics.Finding{
				ID: "rollout.drain-race", Subject: g.subject(), Confidence: diagnostics.Likely, Weight: 40,
				Summary:  fmt.Sprintf("between %s and %s, while %s was rolled out, %.0f requests got 502 or 504: its pods have %s, so they end before the load balancer stops sending to them", clock(start), clock(end), g.subject(), a.total(elb502)+a.total(elb504), strings.Join(lacks, " and ")),
				Evidence: append([]diagnostics.Evidence{a.metric(elb502), a.metric(elb504)}, ev...),
			})
			return true
		}
	}
	return false
}

// goingReasons are the reasons of events that tell of a node that is taken away.
var goingReasons = []string{"RemovingNode", "DeletingNode", "NodeTerminating", "Terminating", "TerminatingNode", "SpotInterrupted", "SpotInterruption", "TerminatingOnInterruption", "DisruptionTerminating", "InstanceTerminating", "Disrupted", "Drained", "ScaleDown", "NodeNotReady"}

// terminated recognises targets that went down with their node.
func (a *analysis) terminated() {
	if a.found("sg.target-ingress", "sg.alb-egress", "nacl.forward", "nacl.return") {
		return
	}
	for _, g := range a.groups {
		var ts []*target
		for _, t := range g.list {
			if t.Reason == "Target.InvalidState" {
				ts = append(ts, t)
			}
		}
		var ev []diagnostics.Evidence
		for _, e := range a.s.Events {
			if (e.InvolvedObject.Kind != "Node" && e.InvolvedObject.Kind != "NodeClaim") || !slices.Contains(goingReasons, e.Reason) {
				continue
			}
			if len(ts) > 0 || a.around(elb502, lastSeen(e))+a.around(elb504, lastSeen(e)) > 0 {
				ev = append(ev, eventEvidence(e))
			}
		}
		if len(ts) == 0 && (len(ev) == 0 || g.TargetType != "instance" || a.troubled()) {
			continue
		}
		if a.measured() {
			ev = append(ev, a.metric(elb502))
		}
		a.report(diagnostics.Finding{
			ID: "node.termination", Subject: g.Name, Confidence: diagnostics.Likely, Affects: affected(ts), Weight: 40,
			Summary:  fmt.Sprintf("nodes behind %s were taken away while the load balancer still sent requests to them", g.Name),
			Evidence: append([]diagnostics.Evidence{g.evidence(ts)}, ev...),
		})
		return
	}
}
