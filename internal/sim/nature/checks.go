package nature

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/internal/elb"
	"github.com/netdiag/netdiag/internal/vpc"
)

// checkLoop is how often the network is looked at.
const checkLoop = 10 * time.Second

// The state of a target whose health check meets silence.
const (
	timedOut     = "Target.Timeout"
	timedOutText = "Request timed out"
)

// checks are the health checkers of all application load balancers: a target to which the network opens becomes
// healthy, and one to which it closes times out, each after as many checks as its target group asks for.
type checks struct {
	n *Nature
	c *clients

	arns    []string // of all target groups when Run began
	began   map[string]elb.HealthCheck
	targets map[string]*target
}

// target is what is known of one target.
type target struct {
	open bool // by the last certain answer that has lasted
	// deaf marks one that timed out from the start although the network was open: something else silences it.
	deaf bool

	turning bool          // the answer is another one than it was
	since   time.Duration // for how long
}

// lasted reports that the other answer has lasted this long, after which it is the answer.
func (t *target) lasted(d time.Duration) bool {
	if !t.turning {
		t.turning, t.since = true, 0
		return false
	}
	t.since += checkLoop
	t.turning = t.since < d
	return !t.turning
}

func newChecks(n *Nature, c *clients) *checks {
	return &checks{n: n, c: c, began: map[string]elb.HealthCheck{}, targets: map[string]*target{}}
}

func (k *checks) round(ctx context.Context) error {
	if k.arns == nil {
		if err := k.discover(ctx); err != nil {
			return err
		}
	}
	if len(k.arns) == 0 {
		return nil
	}
	v, err := k.view(ctx)
	if err != nil {
		return err
	}
	for _, g := range v.groups {
		if _, known := k.began[g.ARN]; !known {
			k.began[g.ARN] = g.Check
		}
		for _, h := range v.health[g.ARN] {
			k.check(v, g, h)
		}
	}
	return nil
}

func (k *checks) discover(ctx context.Context) error {
	arns := []string{}
	p := elbv2.NewDescribeTargetGroupsPaginator(k.c.elb, &elbv2.DescribeTargetGroupsInput{})
	for p.HasMorePages() {
		page, err := p.NextPage(ctx)
		switch {
		case code(err) == "UnsupportedOperation": // a world without load balancers
			k.arns = arns
			return nil
		case err != nil:
			return fmt.Errorf("describe target groups: %w", err)
		}
		for _, g := range page.TargetGroups {
			if slices.ContainsFunc(g.LoadBalancerArns, application) {
				arns = append(arns, *g.TargetGroupArn)
			}
		}
	}
	k.arns = arns
	return nil
}

func application(arn string) bool { return strings.Contains(arn, ":loadbalancer/app/") }

// check looks at one target.
func (k *checks) check(v *view, g elb.TargetGroup, h elb.TargetHealth) {
	verdict, known := v.verdict(g, h)
	if !known {
		return
	}
	id := fmt.Sprintf("%s %s %d", g.ARN, h.ID, h.Port)
	t := k.targets[id]
	if t == nil {
		open := verdict == vpc.Allowed
		k.targets[id] = &target{open: open, deaf: open && h.Reason == timedOut}
		return
	}
	up, down := time.Duration(g.Check.Healthy)*g.Check.Interval, time.Duration(g.Check.Unhealthy)*g.Check.Interval
	switch {
	case verdict == vpc.Allowed && !t.open && k.answers(h):
		if !t.lasted(up) {
			return
		}
		t.open = true
		if h.Reason == timedOut && !t.deaf {
			k.set(g, h, "healthy", "", "")
		}
	case verdict == vpc.Denied && t.open:
		if !t.lasted(down) {
			return
		}
		t.open = false
		if h.State == "healthy" {
			k.set(g, h, "unhealthy", timedOut, timedOutText)
		}
	case verdict == vpc.Allowed && t.open && k.corrected(g, h):
		if t.lasted(up) {
			k.set(g, h, "healthy", "", "")
		}
	default:
		t.turning = false
	}
}

func (k *checks) set(g elb.TargetGroup, h elb.TargetHealth, state, reason, text string) {
	k.n.o.Health.SetTargetHealth(g.ARN, h.ID, h.Port, state, reason, text)
	k.n.say("health checks: target %s:%d of %s is %s %s", h.ID, h.Port, g.Name, state, reason)
}

// answers reports whether whoever is behind a target would answer: a pod that is ready, or one that isn't known.
func (k *checks) answers(h elb.TargetHealth) bool {
	p := k.pod(h.ID)
	return p == nil || isReady(p)
}

// pod finds the pod that has an address of its own.
func (k *checks) pod(address string) *corev1.Pod {
	for _, p := range listed[*corev1.Pod](k.c.pods) {
		if p.Status.PodIP == address && !p.Spec.HostNetwork && p.Status.Phase == corev1.PodRunning {
			return p
		}
	}
	return nil
}

// corrected reports whether a target fails a check that has been changed since to what the readiness probe of its pod
// asks and gets.
func (k *checks) corrected(g elb.TargetGroup, h elb.TargetHealth) bool {
	if h.State != "unhealthy" || h.Reason != "Target.ResponseCodeMismatch" && h.Reason != "Target.FailedHealthChecks" || k.began[g.ARN] == g.Check {
		return false
	}
	p := k.pod(h.ID)
	if p == nil || !isReady(p) {
		return false
	}
	for _, c := range p.Spec.Containers {
		if c.ReadinessProbe == nil || c.ReadinessProbe.HTTPGet == nil {
			continue
		}
		get := c.ReadinessProbe.HTTPGet
		port := get.Port.IntValue()
		for _, named := range c.Ports {
			if named.Name == get.Port.String() {
				port = int(named.ContainerPort)
			}
		}
		if get.Path == g.Check.Path && port == checkedPort(g, h) {
			return true
		}
	}
	return false
}

// checkedPort is the port that the health check of a target asks.
func checkedPort(g elb.TargetGroup, h elb.TargetHealth) int {
	if p, err := strconv.Atoi(g.Check.Port); err == nil {
		return p
	}
	return h.Port
}
