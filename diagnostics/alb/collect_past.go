package alb

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/netdiag/netdiag/internal/elb"
	"github.com/netdiag/netdiag/internal/trail"
)

// window is how far back the metrics are read, by the minute.
const window = time.Hour

// memory is how far back CloudTrail is asked who changed something.
const memory = 48 * time.Hour

// Metrics of AWS/ApplicationELB, as the load balancer guide names them. None of them counts health checks.
const (
	requests       = "RequestCount"
	elb4xx         = "HTTPCode_ELB_4XX_Count"
	elb500         = "HTTPCode_ELB_500_Count"
	elb502         = "HTTPCode_ELB_502_Count"
	elb503         = "HTTPCode_ELB_503_Count"
	elb504         = "HTTPCode_ELB_504_Count"
	target2xx      = "HTTPCode_Target_2XX_Count"
	target5xx      = "HTTPCode_Target_5XX_Count"
	connectErrors  = "TargetConnectionErrorCount"
	tlsErrors      = "TargetTLSNegotiationErrorCount"
	rejected       = "RejectedConnectionCount"
	failedOpen     = "UnhealthyRoutingRequestCount"
	authError      = "ELBAuthError"
	authFailure    = "ELBAuthFailure"
	fixedAnswers   = "HTTP_Fixed_Response_Count"
	responseTime   = "TargetResponseTime"
	applicationELB = "AWS/ApplicationELB"
	balancerDim    = "LoadBalancer"
	groupDim       = "TargetGroup"
	percentile99   = "p99"
	statisticSum   = "Sum"
	statisticMax   = "Maximum"
)

// metricGroups is of how many target groups the metrics are read one by one.
const metricGroups = 20

// metrics reads the last hour of the load balancer in one call, and what tells its target groups apart. How many requests
// were routed by failing open CloudWatch knows by target group only.
func (c *collector) metrics(ctx context.Context) {
	s := c.s
	if s.Balancer == nil {
		return
	}
	query := func(name, statistic, group string) trail.Query {
		q := trail.Query{Namespace: applicationELB, Metric: name, Dimensions: map[string]string{balancerDim: suffix(s.Balancer.ARN)}, Statistic: statistic, Period: time.Minute}
		if group != "" {
			q.Dimensions[groupDim] = suffix(group)
		}
		return q
	}
	var qs []trail.Query
	for _, name := range []string{requests, elb4xx, elb500, elb502, elb503, elb504, target2xx, target5xx, connectErrors, tlsErrors, rejected, failedOpen, authError, authFailure, fixedAnswers} {
		qs = append(qs, query(name, statisticSum, ""))
	}
	qs = append(qs, query(responseTime, percentile99, ""), query(responseTime, statisticMax, ""))
	for _, g := range s.TargetGroups[:min(len(s.TargetGroups), metricGroups)] {
		for _, name := range []string{requests, target5xx, connectErrors, failedOpen} {
			qs = append(qs, query(name, statisticSum, g.ARN))
		}
		qs = append(qs, query(responseTime, statisticMax, g.ARN))
	}
	v, err := c.in.Metrics.Metrics(ctx, s.Now.Add(-window), s.Now, qs)
	c.keep(err, s.Balancer.Name, func() { s.Series = v })
}

// audit asks CloudTrail who changed what stands between load balancer and targets, and who changed a target group that
// doesn't hold what it should. It answers two questions a second, so only what is under suspicion is asked about.
func (c *collector) audit(ctx context.Context) {
	s := c.s
	var reads []func(context.Context)
	asked := suspects(s)
	for _, id := range asked[:min(len(asked), max(c.left(), 0))] {
		reads = append(reads, func(ctx context.Context) {
			v, err := c.in.Audit.Audit(ctx, id, s.Now.Add(-memory), s.Now)
			c.keep(err, id, func() {
				for _, e := range v {
					if !slices.ContainsFunc(s.Audit, func(o trail.Event) bool { return o.ID == e.ID }) {
						s.Audit = append(s.Audit, e)
					}
				}
			})
		})
	}
	c.parallel(ctx, reads...)
	slices.SortFunc(s.Audit, func(a, b trail.Event) int { return cmp.Or(a.At.Compare(b.At), strings.Compare(a.ID, b.ID)) })
}

// logLines is how much of a log is read, and logPods of how many pods.
const logLines, logPods = 200, 3

// logs reads the end of the application's logs where every target is healthy and the load balancer still sends errors
// of its own: only there can they tell what nothing else does.
func (c *collector) logs(ctx context.Context) {
	s := c.s
	m := newModel(s)
	if !m.allHealthy() || m.total(elb502, elb504) == 0 {
		return
	}
	var reads []func(context.Context)
	for i, t := range m.targets() {
		if t.pod == nil || i >= logPods {
			continue
		}
		for _, ct := range t.pod.Spec.Containers {
			if isSidecar(ct.Name) {
				continue
			}
			p := t.pod
			reads = append(reads, func(ctx context.Context) {
				text, err := c.in.PodFiles.Log(ctx, p.Namespace, p.Name, ct.Name, logLines)
				c.keep(err, p.Namespace+"/"+p.Name, func() {
					if s.Logs == nil {
						s.Logs = map[string]string{}
					}
					if text != "" {
						s.Logs[p.Namespace+"/"+p.Name+"/"+ct.Name] = text
					}
				})
			})
		}
	}
	c.parallel(ctx, reads...)
}

// suspects lists the resources that CloudTrail is asked about: what denies a path, and target groups whose targets
// aren't the endpoints of their Service, that lately had nobody to send to, or that have another health check than annotated.
func suspects(s *Snapshot) []string {
	m := newModel(s)
	var out []string
	for _, t := range m.targets() {
		for _, p := range t.paths {
			for _, h := range p.reach.Blocking() {
				if len(h.Groups) > 0 {
					out = append(out, h.Groups...)
				} else {
					out = append(out, h.By)
				}
			}
		}
	}
	for _, g := range m.groups {
		_, _, differs := m.desired(g)
		if m.total(elb503) > 0 || g.foreign() || len(g.matters(differs)) > 0 {
			out = append(out, g.ARN)
		}
	}
	out = sorted(out)
	for _, t := range m.targets() {
		if t.Reason == invalidState { // who ended the instance
			out = append(out, t.ID)
		}
	}
	return out[:min(len(out), 6)]
}

// bindingOf finds the binding of a target group; nil where none names it.
func bindingOf(bindings []elb.TargetGroupBinding, tg elb.TargetGroup) *elb.TargetGroupBinding {
	for i, b := range bindings {
		if b.TargetGroupARN == tg.ARN || (b.TargetGroupARN == "" && b.TargetGroupName == tg.Name) {
			return &bindings[i]
		}
	}
	return nil
}
