package alb

import (
	"fmt"
	"slices"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/trail"
)

// goingReasons are the reasons of events that tell of a node that is taken away: by the node lifecycle controllers,
// Karpenter, the termination handler and the cluster autoscaler.
var goingReasons = []string{
	"RemovingNode", "DeletingNode", "TerminatingNode", "NodeTerminating", "Terminating", "InstanceTerminating", "InstanceStopping",
	"SpotInterrupted", "SpotInterruption", "TerminatingOnInterruption", "DisruptionTerminating", "Disrupted", "ASGLifecycle", "Drained", "ScaleDown",
}

// goneCalls are the calls and service events that end an instance, as CloudTrail names them.
var goneCalls = []string{"TerminateInstances", "StopInstances", "BidEvictedEvent"}

// invalidState is the reason of a target whose instance is stopped or terminated.
const invalidState = "Target.InvalidState"

// going is a sign that a node was taken away.
type going struct {
	at       time.Time
	what     string
	evidence diagnostics.Evidence
}

// terminated recognises targets by instance that went down with their node while requests were still sent to them. A
// node that went without a request failing around it is no trouble.
func (a *analysis) terminated() {
	if a.found("sg.target-ingress", "sg.alb-egress", "nacl.forward", "nacl.return") {
		return
	}
	bursts := a.counts(elb502, elb504).Bursts()
	for _, g := range a.groups {
		gone := slices.DeleteFunc(slices.Clone(g.list), func(t *target) bool { return t.Reason != invalidState })
		if g.TargetType != "instance" || a.total(elb502, elb504) == 0 || len(gone) == 0 && a.troubled() {
			continue
		}
		var ev []diagnostics.Evidence
		aligned := false
		for _, x := range a.goings(g) {
			near := slices.ContainsFunc(bursts, func(b trail.Burst) bool { return b.Near(x.at, 5*time.Minute, 3*time.Minute) })
			aligned = aligned || near
			if near || len(gone) > 0 {
				ev = append(ev, x.evidence)
			}
		}
		if len(gone) == 0 && !aligned {
			continue
		}
		f := diagnostics.Finding{
			ID: "node.termination", Subject: g.Name, Confidence: diagnostics.Likely, Affects: affected(gone), Weight: 40,
			Summary:  fmt.Sprintf("%s of %s stopped or was terminated", plural(max(len(gone), 1), "node"), g.Name),
			Evidence: append([]diagnostics.Evidence{g.evidence(g.list), a.metric(elb502), a.metric(elb504)}, ev[:min(len(ev), 4)]...),
		}
		if aligned {
			f.Summary += " with requests still on the way to it"
		} else {
			f.Confidence = diagnostics.Possible // a node is gone and requests failed, but not for sure at one time
		}
		if len(bursts) > 0 {
			last := bursts[len(bursts)-1]
			f.Summary += fmt.Sprintf(": %.0f requests got 502 or 504 from %s to %s", last.Sum, clock(last.Start), clock(last.End))
		}
		a.report(f)
		return
	}
}

// goings lists the signs that nodes were taken away, those of nodes that stand and aren't targets left out.
func (a *analysis) goings(g *group) []going {
	var out []going
	for _, e := range a.s.Events {
		if (e.InvolvedObject.Kind != "Node" && e.InvolvedObject.Kind != "NodeClaim") || !slices.Contains(goingReasons, e.Reason) {
			continue
		}
		if n := a.s.node(e.InvolvedObject.Name); n != nil && !slices.ContainsFunc(g.list, func(t *target) bool { return t.node == n }) {
			continue
		}
		out = append(out, going{diagnostics.LastSeen(&e), fmt.Sprintf("%s %s: %s", e.InvolvedObject.Kind, e.InvolvedObject.Name, e.Reason), eventEvidence(e)})
	}
	for _, e := range a.s.Audit {
		for _, t := range g.list {
			if slices.Contains(goneCalls, e.Name) && e.Error == "" && touches(e, t.ID) {
				out = append(out, going{e.At, fmt.Sprintf("%s of %s by %s", e.Name, t.ID, e.User), auditEvidence(e, t.ID)})
			}
		}
	}
	return out
}
