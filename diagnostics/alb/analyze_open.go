package alb

import (
	"fmt"
	"strconv"

	"github.com/netdiag/netdiag/diagnostics"
)

// Attributes that say how few healthy targets make the load balancer send to all targets of a group: a count, 1 by
// default, and a percentage, off by default. The higher of the two counts.
const (
	leastCount   = "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count"
	leastPercent = "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage"
)

// least is how many targets must be healthy for the load balancer to leave out the others.
func (g *group) least() int {
	least := 1
	if n, err := strconv.Atoi(g.Attributes[leastCount]); err == nil {
		least = max(least, n)
	}
	if n, err := strconv.Atoi(g.Attributes[leastPercent]); err == nil {
		least = max(least, (n*len(g.registered())+99)/100)
	}
	return least
}

// failsOpen reports that so few targets are healthy, none by default, that the load balancer sends to all of them, the
// unhealthy ones too.
func (g *group) failsOpen() bool {
	return len(g.bad()) > 0 && len(g.of(healthy)) < g.least()
}

// scant says how many targets of a group that fails open are healthy.
func (g *group) scant() string {
	if well := len(g.of(healthy)); well > 0 {
		return fmt.Sprintf("only %s of %s %s healthy and the group asks for %d", fraction(well, len(g.registered())), g.Name, verb(well, "is", "are"), g.least())
	}
	return fmt.Sprintf("no target of %s is healthy", g.Name)
}

// open reports that a group fails open: requests go to all of its targets, so that they don't fail for a health check alone.
func (a *analysis) open(g *group) {
	if !g.failsOpen() || len(g.rules) == 0 {
		return
	}
	ts := g.registered()
	f := diagnostics.Finding{
		ID: "lb.fail-open", Subject: g.Name, Confidence: diagnostics.Confirmed, Affects: affected(ts),
		Summary:  fmt.Sprintf("%s, so the load balancer sends requests to %s: they succeed where the application can be reached and answers", g.scant(), them(len(ts))),
		Evidence: []diagnostics.Evidence{g.evidence(ts)},
	}
	if least := g.least(); least > 1 {
		f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "least healthy targets of " + g.Name, Value: fmt.Sprintf("%d (count %s, percentage %s)", least, g.Attributes[leastCount], g.Attributes[leastPercent]),
			Source: "elasticloadbalancing:DescribeTargetGroupAttributes", Repeat: "aws elbv2 describe-target-group-attributes --target-group-arn " + g.ARN})
	}
	if a.measured() {
		f.Evidence = append(f.Evidence, a.metric(failedOpen))
	}
	a.report(f)
}
