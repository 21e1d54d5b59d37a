package alb

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/netdiag/netdiag/internal/vpc"
)

// impact says what clients feel of each serving group: the load balancer sends only to healthy targets as long as there
// are enough of them, and to all targets when there aren't.
func (a *analysis) impact() string {
	var parts []string
	if ing := a.s.Ingress; ing != nil && a.s.Balancer == nil && a.troubled() {
		parts = append(parts, fmt.Sprintf("no load balancer serves ingress %s/%s", ing.Namespace, ing.Name))
	}
	for _, g := range a.groups {
		if len(g.rules) == 0 || !g.HealthRead || g.standsBy() {
			continue
		}
		if text := a.impactOf(g); text != "" {
			parts = append(parts, text)
		}
	}
	parts = append(parts, a.impactOfRules()...)
	if a.measured() && len(parts) == 0 && a.errors()+a.total(target5xx) > 0 {
		parts = append(parts, a.past())
	}
	if turned := a.total(elb4xx); turned > 0 && a.found("proto.464", "waf.or.auth") {
		parts = append(parts, fmt.Sprintf("in the last %d minutes the load balancer itself turned %s %% of the requests away with a 4xx", a.minutes(), percent(turned, turned+a.total(requests))))
	}
	if len(parts) == 0 && a.found("edge.not-alb") {
		parts = append(parts, fmt.Sprintf("%s has answered no request with a 5xx in the last %d minutes: who got one got it from elsewhere", a.balancerName(), a.minutes()))
	}
	return strings.Join(parts, "; ")
}

// impactOfRules says what clients feel of rules that lead to no target.
func (a *analysis) impactOfRules() []string {
	var out []string
	for _, r := range a.s.serving() {
		if act := last(r); act.Type == "fixed-response" && strings.HasPrefix(act.StatusCode, "5") {
			out = append(out, fmt.Sprintf("rule %s answers every request with %s by itself", ruleName(r), act.StatusCode))
		}
	}
	for _, f := range a.findings("rule.weight-zero") {
		if f.Reason == "all-zero" {
			out = append(out, fmt.Sprintf("rule %s has no target group with a weight: every request of it gets 503", f.Subject))
		}
	}
	return out
}

// impactOf says what clients feel of one group; empty where that is nothing.
func (a *analysis) impactOf(g *group) string {
	r, bad, well := len(g.registered()), len(g.bad())-a.designed(g), len(g.of(healthy))
	own, all := g.weights()
	switch {
	case r == 0 && all > own:
		return fmt.Sprintf("%s has no target: %d of %d parts of the requests of its rule get 503", g.Name, own, all)
	case r == 0:
		return fmt.Sprintf("%s has no target: every request to it gets 503", g.Name)
	case g.failsOpen():
		return fmt.Sprintf("%s, so requests go to %s: %s", g.scant(), them(r), a.felt())
	case bad > 0 && well > 0 && g.zonal():
		return fmt.Sprintf("%s of %s are unhealthy, and each zone of the load balancer sends only to targets of its own%s: %s", fraction(bad, r), g.Name, g.lostZones(), a.felt())
	case bad > 0 && well > 0:
		text := fmt.Sprintf("%s of %s %s unhealthy; the load balancer sends %s nothing, so no request fails for that alone, but %d of %d %s left to serve",
			fraction(bad, r), g.Name, verb(bad, "is", "are"), verb(bad, "it", "them"), well, r, verb(well, "is", "are"))
		if a.lately(elb502, elb504) > 0 {
			text += ": " + a.felt()
		}
		return text
	case well > 0 && len(g.of(unused)) > 0:
		n := len(g.of(unused))
		return fmt.Sprintf("%s of %s %s no requests; %d of %d are left to serve", fraction(n, r), g.Name, verb(n, "gets", "get"), well, r)
	case well == 0 && len(g.of(initial)) > 0:
		return fmt.Sprintf("%s is not served yet: none of its %s has passed a health check", g.Name, plural(r, "target"))
	case slices.ContainsFunc(g.of(healthy), func(t *target) bool { return t.port != t.hcPort && t.verdict(t.port) == vpc.Denied }):
		return fmt.Sprintf("all targets of %s count as healthy, yet no request reaches them: %s", g.Name, a.felt())
	}
	return ""
}

// zonal reports that cross-zone load balancing is off for the group, so that each zone is on its own.
func (g *group) zonal() bool { return g.Attributes["load_balancing.cross_zone.enabled"] == "false" }

// lostZones names the zones in which a group whose zones are on their own has targets and no healthy one: there requests go to all of them.
func (g *group) lostZones() string {
	well := map[string]int{}
	for _, t := range g.registered() {
		well[t.zoneName()] += 0
		if t.class == healthy {
			well[t.zoneName()]++
		}
	}
	lost := slices.DeleteFunc(sortedKeys(well), func(z string) bool { return well[z] > 0 })
	if len(lost) == 0 {
		return ", of which each has a healthy one"
	}
	return fmt.Sprintf("; in %s none is healthy, so there requests go to all of them", joined(lost))
}

// felt is the share of requests that lately failed, as far as it was measured.
func (a *analysis) felt() string {
	if !a.measured() || asked(a.lately) == 0 {
		return "they succeed where the application answers, and get 502 or 504 where it can't be reached"
	}
	parts := a.shares(a.lately)
	if len(parts) == 0 {
		return "in the last 5 minutes none of them got a 5xx"
	}
	return "in the last 5 minutes " + joined(parts)
}

// shares lists which part of the requests got which error.
func (a *analysis) shares(count func(...string) float64) []string {
	all := asked(count)
	var parts []string
	for _, m := range []struct{ name, what string }{{elb502, "502"}, {elb503, "503"}, {elb504, "504"}, {target5xx, "a 5xx of the application"}} {
		if n := count(m.name); n > 0 {
			parts = append(parts, fmt.Sprintf("%s %% got %s", percent(n, all), m.what))
		}
	}
	return parts
}

// percent is a share in percent, with as many digits as tell it from nothing.
func percent(n, all float64) string {
	if share := 100 * n / all; share < 0.1 {
		return fmt.Sprintf("%.2f", share)
	}
	return fmt.Sprintf("%.1f", 100*n/all)
}

// past says which part of the requests failed in the time that the metrics tell of, and since when none does any more.
func (a *analysis) past() string {
	text := fmt.Sprintf("in the last %d minutes %s", a.minutes(), joined(a.shares(a.total)))
	if a.lately(elb502, elb503, elb504, target5xx) > 0 {
		return text
	}
	c := a.counts(elb502, elb503, elb504, target5xx)
	end := len(c.Values) - 1
	for end > 0 && c.Values[end] == 0 {
		end--
	}
	return text + ", none since " + clock(c.From.Add(time.Duration(end+1)*time.Minute))
}

// pattern says how errors come whose cause isn't known.
func (a *analysis) pattern() string {
	c := a.counts(elb502, elb503, elb504)
	var text string
	switch bursts := c.Bursts(); {
	case len(bursts) > 0:
		text = fmt.Sprintf("they came in %s, the last from %s to %s", plural(len(bursts), "burst"), clock(bursts[len(bursts)-1].Start), clock(bursts[len(bursts)-1].End))
	case c.Flat():
		text = fmt.Sprintf("they come evenly, %.1f a minute", c.Total()/float64(len(c.Values)))
	default:
		text = "they come neither in bursts nor evenly"
	}
	if n := a.total(connectErrors); n > 0 {
		return text + fmt.Sprintf(", and %.0f connections to targets failed", n)
	}
	return text + ", and no connection to a target failed"
}

// logging asks for the logs that would have told more, where they are known to be off: access logs tell of each request
// what became of it, health check logs of each check how long it took.
func (a *analysis) logging() []string {
	var out []string
	guessed := a.errors() > 0 && (!a.troubled() || a.found("keepalive.mismatch", "resp.malformed", "resp.header-too-large", "app.slow-response"))
	if a.measured() && guessed && a.s.Attributes["access_logs.s3.enabled"] == "false" {
		out = append(out, "Switch on the access logs of "+a.balancerName()+" (access_logs.s3.enabled): they tell for each error whether the target closed the connection, answered late or was never reached")
	}
	if len(a.unhealthy()) > 0 && (!a.troubled() || a.found("app.slow-health")) && a.s.Attributes["health_check_logs.s3.enabled"] == "false" {
		out = append(out, "Switch on the health check logs of "+a.balancerName()+" (health_check_logs.s3.enabled): they tell for each check its code and how long it took")
	}
	return out
}
