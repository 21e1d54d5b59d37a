package alb

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
)

// traffic asks what requests meet where the targets don't explain it: names that lead elsewhere, a load balancer at its
// limits, and, with every target healthy, the shape of the errors.
func (a *analysis) traffic() {
	a.resolution()
	a.login()
	a.capacity()
	a.terminated()
	if a.troubled() || !a.allHealthy() || !a.measured() {
		return
	}
	a.migration()
	a.collapse()
	for _, question := range []func() bool{a.crashed, a.expired, a.drained, a.slowPath, a.wrongPort, a.bigHeaders, a.keepAlive, a.own5xx, a.version464} {
		if a.troubled() || question() {
			return
		}
	}
}

// login reports an identity provider that the load balancer can't use.
func (a *analysis) login() {
	if !a.measured() || a.total(authError)+a.total(authFailure) == 0 {
		return
	}
	for _, r := range a.s.serving() {
		for _, act := range r.Actions {
			if strings.HasPrefix(act.Type, "authenticate-") {
				a.report(diagnostics.Finding{
					ID: "waf.or.auth", Subject: "rule " + ruleName(r), Confidence: diagnostics.Likely, Weight: 60,
					Summary:  fmt.Sprintf("rule %s lets users log in first (%s) and the load balancer can't complete it: requests end with 561 or 500 before they reach a target", ruleName(r), act.Type),
					Evidence: []diagnostics.Evidence{a.metric(authError), a.metric(authFailure), ruleEvidence(r)},
				})
				return
			}
		}
	}
}

// capacity reports a load balancer that turns connections away or can't grow.
func (a *analysis) capacity() {
	lb := a.s.Balancer
	if lb == nil || (a.total(rejected) == 0 && lb.State != "active_impaired") {
		return
	}
	f := diagnostics.Finding{
		ID: "lb.capacity", Subject: lb.Name, Confidence: diagnostics.Likely, Weight: 60,
		Summary: fmt.Sprintf("load balancer %s is at its limits: state %s, %.0f connections rejected in the last hour", lb.Name, lb.State, a.total(rejected)),
		Evidence: []diagnostics.Evidence{{What: "state of " + lb.Name, Value: strings.TrimSpace(lb.State + " " + lb.Reason), Source: "elasticloadbalancing:DescribeLoadBalancers",
			Repeat: "aws elbv2 describe-load-balancers --names " + lb.Name}},
	}
	if a.measured() {
		f.Evidence = append(f.Evidence, a.metric(rejected))
	}
	a.report(f)
}

// owners reports a target group that two parties fill and empty in turn.
func (a *analysis) owners() {
	for _, g := range a.groups {
		users := map[string]bool{}
		var ev []diagnostics.Evidence
		for _, e := range a.s.Audit {
			if (e.Name == "RegisterTargets" || e.Name == "DeregisterTargets") && e.Error == "" && touches(e, g.ARN) {
				if !users[e.User] {
					ev = append(ev, auditEvidence(e, g.ARN))
				}
				users[e.User] = true
			}
		}
		var bindings []string
		for _, b := range a.s.Bindings {
			if b.TargetGroupARN == g.ARN && !b.MultiCluster {
				bindings = append(bindings, b.Namespace+"/"+b.Name)
				if len(bindings) > 1 {
					ev = append(ev, bindingEvidence(&b))
				}
			}
		}
		if len(users) < 2 && len(bindings) < 2 {
			continue
		}
		who := joined(sortedKeys(users))
		if len(bindings) > 1 {
			who = "TargetGroupBindings " + joined(bindings)
		}
		a.report(diagnostics.Finding{
			ID: "tg.two-owners", Subject: g.Name, Confidence: diagnostics.Likely, Weight: 80,
			Summary: fmt.Sprintf("target group %s has more than one owner (%s): each takes out what the other put in", g.Name, who), Evidence: append([]diagnostics.Evidence{g.evidence(g.list)}, ev...),
		})
	}
}

// migration recognises a moment without targets in the past: rules moved to a new target group before it was filled.
func (a *analysis) migration() {
	start, end, ok := a.burst(elb503)
	if !ok || a.lately(elb503) > 0 {
		return
	}
	for _, g := range a.groups {
		var ev []diagnostics.Evidence
		for _, e := range a.s.Audit {
			if e.Name == "CreateTargetGroup" && touches(e, g.ARN) && near503(e.At, start, end) {
				ev = append(ev, auditEvidence(e, g.ARN))
			}
		}
		if g.binding != nil && near503(g.binding.Created, start, end) && a.s.Ingress != nil && a.s.Ingress.CreationTimestamp.Time.Before(start.Add(-10*time.Minute)) {
			ev = append(ev, diagnostics.Evidence{What: "TargetGroupBinding " + g.binding.Name, Value: "made at " + clock(g.binding.Created), Source: "list targetgroupbindings.elbv2.k8s.aws",
				Repeat: fmt.Sprintf("kubectl get targetgroupbinding %s -n %s -o yaml", g.binding.Name, g.binding.Namespace)})
		}
		if len(ev) == 0 {
			continue
		}
		a.report(diagnostics.Finding{
			ID: "tg.migration-gap", Subject: g.Name, Confidence: diagnostics.Likely, Weight: 30,
			Summary: fmt.Sprintf("from %s to %s clients got %.0f answers 503: the rules had moved to the new target group %s before its targets were registered; it is over now",
				clock(start), clock(end), a.total(elb503), g.Name),
			Evidence: append([]diagnostics.Evidence{a.metric(elb503)}, ev...),
		})
		return
	}
}

func near503(t, start, end time.Time) bool {
	return t.After(start.Add(-3*time.Minute)) && t.Before(end.Add(3*time.Minute))
}

// burst is the span of minutes in which a metric counted something, where most minutes counted nothing.
func (a *analysis) burst(names ...string) (start, end time.Time, ok bool) {
	counted, minutes := 0, 0
	for _, name := range names {
		points := a.series(name)
		minutes = max(minutes, len(points))
		n := 0
		for _, p := range points {
			if p.Value == 0 {
				continue
			}
			n++
			if start.IsZero() || p.At.Before(start) {
				start = p.At
			}
			if e := p.At.Add(time.Minute); e.After(end) {
				end = e
			}
		}
		counted = max(counted, n)
	}
	return start, end, counted > 0 && 2*counted <= minutes
}

// steady reports whether a metric counted something in most minutes, and at most two percent of the requests.
func (a *analysis) steady(name string) bool {
	points := a.series(name)
	n := 0
	for _, p := range points {
		if p.Value > 0 {
			n++
		}
	}
	return n > 0 && 5*n >= 4*len(points) && a.total(name) <= 0.02*a.total(requests)
}

var headerSize = regexp.MustCompile(`(?i)header[a-z_ -]*[=: ]+(\d{4,9})`)

// headerLimit is the most that an Application Load Balancer takes of a response's headers, in bytes.
const headerLimit = 32 << 10

// bigHeaders finds answers in the application's log whose headers are larger than the load balancer takes.
func (a *analysis) bigHeaders() bool {
	if a.total(elb502) == 0 {
		return false
	}
	for _, name := range sortedKeys(a.s.Logs) {
		for line := range strings.SplitSeq(a.s.Logs[name], "\n") {
			match := headerSize.FindStringSubmatch(line)
			if match == nil {
				continue
			}
			if n, err := strconv.Atoi(match[1]); err != nil || n <= headerLimit {
				continue
			}
			parts := strings.Split(name, "/")
			a.report(diagnostics.Finding{
				ID: "resp.header-too-large", Subject: a.groups[0].subject(), Confidence: diagnostics.Likely, Weight: 40,
				Summary: fmt.Sprintf("%s sends answers with more than %d bytes of headers, which the load balancer turns into 502", a.groups[0].subject(), headerLimit),
				Evidence: []diagnostics.Evidence{a.metric(elb502), {What: "log of " + name, Value: strings.TrimSpace(line), Source: "get pods/log",
					Repeat: fmt.Sprintf("kubectl logs %s -n %s -c %s --tail %d", parts[1], parts[0], parts[2], logLines)}},
			})
			return true
		}
	}
	return false
}

// own5xx reports errors that the application made itself.
func (a *analysis) own5xx() bool {
	all := a.total(requests)
	if a.total(target5xx) < 0.005*all || a.total(target5xx) == 0 || a.total(elb502)+a.total(elb503)+a.total(elb504) > 0 {
		return false
	}
	a.report(diagnostics.Finding{
		ID: "app.own-5xx", Subject: a.groups[0].subject(), Confidence: diagnostics.Confirmed, Weight: 60,
		Summary:  fmt.Sprintf("the application itself answers %.1f %% of the requests with 5xx; the load balancer made none of these errors", 100*a.total(target5xx)/all),
		Evidence: []diagnostics.Evidence{a.metric(target5xx), a.metric(elb502), a.metric(elb503), a.metric(elb504)},
	})
	return true
}

// version464 reports clients that speak another version of HTTP than the target group asks for.
func (a *analysis) version464() bool {
	for _, g := range a.groups {
		if (g.ProtocolVersion == "GRPC" || g.ProtocolVersion == "HTTP2") && a.total(elb4xx) >= 0.01*a.total(requests) && a.total(elb4xx) > 0 {
			a.report(diagnostics.Finding{
				ID: "proto.464", Subject: g.Name, Confidence: diagnostics.Likely, Weight: 50,
				Summary:  fmt.Sprintf("the load balancer turns away %.1f %% of the requests: target group %s takes %s only, which answers HTTP/1.1 clients with 464", 100*a.total(elb4xx)/a.total(requests), g.Name, g.ProtocolVersion),
				Evidence: []diagnostics.Evidence{a.metric(elb4xx), g.checkEvidence()},
			})
			return true
		}
	}
	return false
}
