package alb

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
)

// slowPath recognises answers that take longer than the load balancer waits: connections succeed, and the slowest
// requests last just as long as the idle timeout.
func (a *analysis) slowPath() bool {
	idle, err := strconv.Atoi(cmp.Or(a.s.Attributes["idle_timeout.timeout_seconds"], "60"))
	if err != nil || a.total(elb504) == 0 || a.total(connectErrors) > 0 {
		return false
	}
	slowest := 0.0
	for _, p := range a.series(responseTime) {
		slowest = max(slowest, p.Value)
	}
	if slowest < 0.9*float64(idle) {
		return false
	}
	e := a.metric(responseTime)
	e.Value = fmt.Sprintf("p99 up to %.1f s", slowest)
	e.Repeat = strings.Replace(e.Repeat, "--statistics Sum", "--extended-statistics p99", 1)
	a.report(diagnostics.Finding{
		ID: "app.slow-response", Subject: a.groups[0].subject(), Confidence: diagnostics.Likely, Weight: 40,
		Summary: fmt.Sprintf("some answers of %s take longer than the idle timeout of %d s, so the load balancer gives up with 504", a.groups[0].subject(), idle),
		Evidence: append([]diagnostics.Evidence{a.metric(elb504), a.metric(connectErrors), e, {What: "idle_timeout.timeout_seconds of " + a.balancerName(), Value: fmt.Sprint(idle), Source: "elasticloadbalancing:DescribeLoadBalancerAttributes",
			Repeat: "aws elbv2 describe-load-balancer-attributes --load-balancer-arn " + a.s.Balancer.ARN}}, a.slowLines()...),
	})
	return true
}

var tookMS = regexp.MustCompile(`\b(\d{4,7})ms\b`)

// slowLines finds requests in the logs that took longer than half a minute.
func (a *analysis) slowLines() []diagnostics.Evidence {
	for _, name := range sortedKeys(a.s.Logs) {
		for line := range strings.SplitSeq(a.s.Logs[name], "\n") {
			match := tookMS.FindStringSubmatch(line)
			if match == nil {
				continue
			}
			if ms, err := strconv.Atoi(match[1]); err == nil && ms > 30_000 {
				parts := strings.Split(name, "/")
				return []diagnostics.Evidence{{What: "log of " + name, Value: strings.TrimSpace(line), Source: "get pods/log", Repeat: fmt.Sprintf("kubectl logs %s -n %s -c %s --tail %d", parts[1], parts[0], parts[2], logLines)}}
			}
		}
	}
	return nil
}

// wrongPort recognises a health check on a port that works while the traffic's doesn't.
func (a *analysis) wrongPort() bool {
	for _, g := range a.groups {
		for _, t := range g.of(healthy) {
			if t.hcPort == t.port || a.total(connectErrors) == 0 || a.total(elb502)+a.total(elb504) == 0 {
				continue
			}
			a.report(diagnostics.Finding{
				ID: "port.traffic-differs", Subject: g.Name, Confidence: diagnostics.Likely, Weight: 80, Affects: affected(g.of(healthy)),
				Summary:  fmt.Sprintf("the health check asks port %d, which answers, but requests go to port %d, where connections fail", t.hcPort, t.port),
				Evidence: []diagnostics.Evidence{g.evidence(g.of(healthy)), g.checkEvidence(), a.metric(connectErrors), a.metric(elb502)},
			})
			return true
		}
	}
	return false
}

// closesEarly knows servers that by default close idle connections sooner than the load balancer, by a word in the name of their image, with their seconds.
var closesEarly = []struct {
	word    *regexp.Regexp
	server  string
	seconds int
}{

	{regexp.MustCompile(`(?i)(^|[^a-z])(node|nodejs)(\d|[^a-z]|$)`), "Node.js", 5},
	{regexp.MustCompile(`(?i)(^|[^a-z])gunicorn(\d|[^a-z]|$)`), "gunicorn", 2},
	{regexp.MustCompile(`(?i)(^|[^a-z])uvicorn(\d|[^a-z]|$)`), "uvicorn", 5},
}

// keepAlive recognises a few 502 all the time without any rollout or restart, of a server that is known to close idle
// connections early. Without access logs it stays a possibility.
func (a *analysis) keepAlive() bool {
	idle, err := strconv.Atoi(cmp.Or(a.s.Attributes["idle_timeout.timeout_seconds"], "60"))
	if err != nil || !a.steady(elb502) || a.total(elb504) > 0 || len(a.scaledDown()) > 0 {
		return false
	}
	for _, t := range a.targets() {
		if t.pod == nil {
			continue
		}
		for _, c := range containers(t.pod) {
			image := c.Image[strings.LastIndexByte(c.Image, '/')+1:]
			for _, k := range closesEarly {
				if !k.word.MatchString(image) || k.seconds >= idle {
					continue
				}
				a.report(diagnostics.Finding{
					ID: "keepalive.mismatch", Subject: t.group.subject(), Confidence: diagnostics.Possible, Weight: 30,
					Summary: fmt.Sprintf("a few 502 all the time, without rollout or restart: %s by default closes idle connections after %d s, the load balancer reuses them for %d s", k.server, k.seconds, idle),
					Evidence: []diagnostics.Evidence{a.metric(elb502), {What: "image of " + t.pod.Name, Value: image, Source: "list pods", Repeat: fmt.Sprintf("kubectl get pod %s -n %s -o jsonpath='{.spec.containers[*].image}'", t.pod.Name, t.pod.Namespace)},
						{What: "idle_timeout.timeout_seconds of " + a.balancerName(), Value: fmt.Sprint(idle), Source: "elasticloadbalancing:DescribeLoadBalancerAttributes", Repeat: "aws elbv2 describe-load-balancer-attributes --load-balancer-arn " + a.s.Balancer.ARN}},
				})
				return true
			}
		}
	}
	return false
}
