package alb

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
)

// idleTimeout is how many seconds the load balancer keeps a connection on which nothing is sent; known is false where
// its attributes were not readable, and the default of 60 is assumed.
func (a *analysis) idleTimeout() (seconds int, known bool) {
	n, err := strconv.Atoi(a.s.Attributes["idle_timeout.timeout_seconds"])
	if err != nil {
		return 60, false
	}
	return n, true
}

func (a *analysis) idleEvidence() diagnostics.Evidence {
	seconds, known := a.idleTimeout()
	value := fmt.Sprint(seconds)
	if !known {
		value += " by default; the attributes could not be read"
	}
	return diagnostics.Evidence{What: "idle_timeout.timeout_seconds of " + a.balancerName(), Value: value, Source: "elasticloadbalancing:DescribeLoadBalancerAttributes",
		Repeat: "aws elbv2 describe-load-balancer-attributes --load-balancer-arn " + a.s.Balancer.ARN}
}

// slowPath recognises answers that take longer than the load balancer waits: connections succeed, and the slowest
// requests last as long as the idle timeout. 504 with connections that fail is no slow answer.
func (a *analysis) slowPath() bool {
	idle, known := a.idleTimeout()
	if a.total(elb504) == 0 || a.total(connectErrors) > 0.05*a.total(elb504) {
		return false
	}
	g, slowest := a.slowest()
	by, lines := a.logged(longerThan(time.Duration(idle) * time.Second))
	if slowest < 0.9*float64(idle) && by == nil {
		return false
	}
	if by != nil {
		g = by
	}
	f := diagnostics.Finding{
		ID: "app.slow-response", Subject: g.subject(), Confidence: diagnostics.Likely, Weight: 40,
		Summary:  fmt.Sprintf("some answers of %s take longer than the idle timeout of %d s, so the load balancer gives up with 504 (%.0f times, and no connection to a target failed)", g.subject(), idle, a.total(elb504)),
		Evidence: []diagnostics.Evidence{a.metric(elb504), a.metric(connectErrors), a.idleEvidence()},
	}
	if slowest > 0 {
		e := a.metric(responseTime)
		e.Value = fmt.Sprintf("up to %.1f s", slowest)
		e.Repeat = strings.Replace(e.Repeat, "--statistics Sum", "--statistics Maximum --extended-statistics p99", 1)
		f.Evidence = append(f.Evidence, e)
	}
	f.Evidence = append(f.Evidence, lines...)
	if !known {
		f.Confidence = diagnostics.Possible
	}
	a.report(f)
	return true
}

var tookMS = regexp.MustCompile(`\b(\d{4,7}) ?ms\b`)

// longerThan looks for a request that took longer than the limit.
func longerThan(limit time.Duration) func(line string) bool {
	return func(line string) bool {
		match := tookMS.FindStringSubmatch(line)
		if match == nil {
			return false
		}
		ms, err := strconv.Atoi(match[1])
		return err == nil && time.Duration(ms)*time.Millisecond > limit
	}
}

// logged gives the first line of the applications' logs that says what is looked for, and the group of the pod that says
// it; nil where none does.
func (a *analysis) logged(says func(line string) bool) (*group, []diagnostics.Evidence) {
	for _, name := range sortedKeys(a.s.Logs) {
		for line := range strings.SplitSeq(a.s.Logs[name], "\n") {
			if !says(line) {
				continue
			}
			parts := strings.Split(name, "/")
			by := a.most(requests)
			for _, t := range a.targets() {
				if t.pod != nil && t.pod.Namespace == parts[0] && t.pod.Name == parts[1] {
					by = t.group
				}
			}
			return by, []diagnostics.Evidence{{What: "log of " + name, Value: strings.TrimSpace(line), Source: "get pods/log",
				Repeat: fmt.Sprintf("kubectl logs %s -n %s -c %s --tail %d", parts[1], parts[0], parts[2], logLines)}}
		}
	}
	return nil, nil
}

// wrongPort recognises a health check on a port that works while that of the traffic doesn't: connections to targets fail
// although all are healthy. 502 on a failed connection is a refusal, and 504 a connection that nothing answered.
func (a *analysis) wrongPort() bool {
	if a.total(connectErrors) == 0 || a.total(elb502, elb504) == 0 {
		return false
	}
	for _, g := range a.groups {
		ts := slices.DeleteFunc(g.of(healthy), func(t *target) bool { return t.hcPort == t.port || len(g.rules) == 0 })
		if len(ts) == 0 {
			continue
		}
		t := ts[0]
		f := diagnostics.Finding{
			ID: "port.traffic-differs", Subject: g.Name, Confidence: diagnostics.Likely, Weight: 80, Affects: affected(ts),
			Summary:  fmt.Sprintf("the health check of %s asks port %d, which answers, but requests go to port %d, where connections fail", g.Name, t.hcPort, t.port),
			Evidence: []diagnostics.Evidence{g.evidence(ts), g.checkEvidence(), a.metric(connectErrors), a.metric(elb502), a.metric(elb504)},
		}
		if a.total(elb502) > a.total(elb504) {
			f.Reason = "refused"
			f.Summary = fmt.Sprintf("the health check of %s asks port %d, which answers, but requests go to port %d, which refuses connections", g.Name, t.hcPort, t.port)
		}
		if t.pod != nil {
			f.Evidence = append(f.Evidence, portEvidence(t.pod))
		}
		// Every request meets it, and the pods say that nothing of theirs is on that port.
		if undeclared(t.pod, t.port) && a.lately(elb502, elb504) >= 0.9*asked(a.lately) && a.lately(connectErrors) > 0 {
			f.Confidence = diagnostics.Confirmed
			f.Summary += fmt.Sprintf(": no container declares port %d", t.port)
		}
		a.report(f)
		return true
	}
	return false
}

var headerSize = regexp.MustCompile(`(?i)header[a-z_ -]*[=: ]+(\d{4,9})`)

// headerLimit is the most that an Application Load Balancer takes of a response's headers, in bytes.
const headerLimit = 32 << 10

// bigHeaders finds answers in the application's log whose headers are larger than the load balancer takes.
func (a *analysis) bigHeaders() bool {
	if a.total(elb502) == 0 {
		return false
	}
	g, lines := a.logged(func(line string) bool {
		match := headerSize.FindStringSubmatch(line)
		if match == nil || strings.Contains(strings.ToLower(line), "request header") || strings.Contains(strings.ToLower(line), "request_header") {
			return false
		}
		n, err := strconv.Atoi(match[1])
		return err == nil && n > headerLimit
	})
	if g == nil {
		return false
	}
	a.report(diagnostics.Finding{
		ID: "resp.header-too-large", Subject: g.subject(), Confidence: diagnostics.Likely, Weight: 40,
		Summary:  fmt.Sprintf("%s sends answers with more than %d bytes of headers, which the load balancer turns into 502", g.subject(), headerLimit),
		Evidence: append([]diagnostics.Evidence{a.metric(elb502)}, lines...),
	})
	return true
}

// own5xx reports errors that the application made itself. Beside errors of the load balancer it is told only where nothing
// explains those.
func (a *analysis) own5xx() bool {
	g := a.most(target5xx)
	made, all, ev := a.total(target5xx), asked(a.total), a.metric(target5xx)
	whole := a.shared() && g.sum(requests) == 0
	if g.sum(requests) > 0 { // CloudWatch tells the target groups apart
		made, all, ev = g.sum(target5xx), g.sum(requests), g.metric(target5xx)
	}
	if made == 0 || made < 0.005*all {
		return false
	}
	share := 100 * made / max(all, 1)
	f := diagnostics.Finding{
		ID: "app.own-5xx", Subject: g.subject(), Confidence: diagnostics.Confirmed, Weight: 60,
		Summary:  fmt.Sprintf("the application itself answers %.1f %% of the requests with 5xx; the load balancer made none of these errors", share),
		Evidence: []diagnostics.Evidence{ev, a.metric(elb502), a.metric(elb503), a.metric(elb504)},
	}
	if n := a.errors(); n > 0 {
		if a.troubled() || n >= made {
			return false
		}
		f.Confidence = diagnostics.Likely
		f.Summary = fmt.Sprintf("the application itself answers %.1f %% of the requests with 5xx; %.0f further errors were made by the load balancer", share, n)
	}
	if whole {
		f.Confidence = diagnostics.Likely
		f.Summary += fmt.Sprintf(" (of all requests to %s, which serves other ingresses too)", a.balancerName())
	}
	a.report(f)
	return true
}
