package alb

import (
	"fmt"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/trail"
)

// deniedTo finds the last call to register targets in the group that AWS refused for want of a permission.
func (a *analysis) deniedTo(g *group) *trail.Event {
	var found *trail.Event
	for i, e := range a.s.Audit {
		switch e.Name {
		case "RegisterTargets", "DeregisterTargets", "DescribeTargetHealth":
			if !touches(e, g.ARN) {
				continue
			}
			found = nil // a later success overtakes it
			if forbidden(e.Error) {
				found = &a.s.Audit[i]
			}
		}
	}
	return found
}

// credentials reports a controller that AWS turns away.
func (a *analysis) credentials(e corev1.Event, g *group) {
	a.turnedAway(strings.ToLower(e.InvolvedObject.Kind)+"/"+e.InvolvedObject.Namespace+"/"+e.InvolvedObject.Name, trimmed(e.Message), eventEvidence(e), g)
}

// auditedRefusal reports the same by what CloudTrail remembers.
func (a *analysis) auditedRefusal(g *group, e *trail.Event) {
	a.turnedAway("targetgroupbinding/"+g.binding.Namespace+"/"+g.binding.Name, fmt.Sprintf("%s is not authorized to perform: elasticloadbalancing:%s (%s)", principal(*e), e.Name, e.Error), auditEvidence(*e, g.ARN), g)
}

func (a *analysis) turnedAway(subject, says string, ev diagnostics.Evidence, g *group) {
	if a.found("lbc.iam") {
		return
	}
	f := diagnostics.Finding{
		ID: "lbc.iam", Reason: "permission", Subject: subject, Confidence: diagnostics.Confirmed, Weight: 95,
		Summary: "AWS turns the load balancer controller away: " + says, Evidence: []diagnostics.Evidence{ev},
	}
	if strings.Contains(says, "AssumeRole") || strings.Contains(says, "get credentials") || strings.Contains(says, "cached credentials") {
		f.Reason = "credentials"
	}
	if g != nil {
		f.Affects = append(f.Affects, "targetgroup/"+g.Name)
		f.Evidence = append(f.Evidence, g.evidence(g.list), g.serviceEvidence())
		f.Evidence = append(f.Evidence, g.gateEvidence()...)
		if len(g.registered()) == 0 && len(g.ready()) > 0 {
			f.Summary = fmt.Sprintf("AWS turns the load balancer controller away, so none of the %d ready endpoints of Service %s/%s is registered: %s", len(g.ready()), g.namespace, g.service, says)
		}
	}
	a.report(f)
}

// refusedCall is what AWS says of a call that it refuses: who may not do what.
var refusedCall = regexp.MustCompile(`(\S+) is not authorized to perform: ([a-z0-9-]+:[A-Za-z*]+)`)

// refusedAction takes the role and the action out of a message; empty where it doesn't name them.
func refusedAction(msg string) (role, action string) {
	m := refusedCall.FindStringSubmatch(msg)
	if m == nil {
		return "", ""
	}
	return roleIn(m[1]), m[2]
}
