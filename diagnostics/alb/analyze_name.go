package alb

import (
	"fmt"
	"slices"
	"strings"
	"time"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/trail"
)

// resolution compares where the names of the ingress lead, as far as external-dns manages them, with the load balancer.
func (a *analysis) resolution() {
	if a.s.Ingress == nil || a.s.Balancer == nil {
		return
	}
	seen := map[string]bool{}
	for _, r := range a.s.Ingress.Spec.Rules {
		if host := strings.ToLower(r.Host); host != "" && !seen[host] {
			seen[host] = true
			a.resolve(host)
		}
	}
}

// leadsTo lists where the records of a name lead: the names at the end of chains of records, with the object of the last one.
// Where the name has no record of its own, that of a wildcard one level up counts, as in DNS.
func (s *Snapshot) leadsTo(host string) []DNSRecord {
	var out []DNSRecord
	seen := map[string]bool{}
	var follow func(name string, from DNSRecord)
	follow = func(name string, from DNSRecord) {
		name = strings.TrimSuffix(strings.TrimPrefix(strings.ToLower(name), "dualstack."), ".")
		if seen[name] {
			return
		}
		seen[name] = true
		_, parent, _ := strings.Cut(name, ".")
		for _, pattern := range []string{name, "*." + parent} {
			records := slices.DeleteFunc(slices.Clone(s.DNS), func(d DNSRecord) bool {
				return !strings.EqualFold(strings.TrimSuffix(d.Name, "."), pattern) || len(d.Targets) == 0
			})
			for _, d := range records {
				for _, t := range d.Targets {
					follow(t, d)
				}
			}
			if len(records) > 0 {
				return
			}
		}
		if from.Object != "" {
			out = append(out, DNSRecord{Name: name, Object: from.Object})
		}
	}
	follow(host, DNSRecord{})
	return out
}

// balanced reports whether a name is that of a load balancer of AWS: <name>.<region>.elb.amazonaws.com, of a network load
// balancer <name>.elb.<region>.amazonaws.com.
func balanced(host string) (balancer, network bool) {
	labels := strings.Split(host, ".")
	if len(labels) < 5 || !strings.HasPrefix(labels[3], "amazonaws") {
		return false, false
	}
	return labels[1] == "elb" || labels[2] == "elb", labels[1] == "elb"
}

// ownName reports whether a name is that of our load balancer, or of the one in front of it that the ingress names.
func (s *Snapshot) ownName(host string) bool {
	return strings.EqualFold(host, s.Balancer.DNSName) || slices.ContainsFunc(s.Ingress.Status.LoadBalancer.Ingress, func(i networkingv1.IngressLoadBalancerIngress) bool {
		return strings.EqualFold(i.Hostname, host)
	})
}

// resolve judges one name. Of several records one that leads here is enough: they may be weighted.
func (a *analysis) resolve(host string) {
	ends := a.s.leadsTo(host)
	if len(ends) == 0 {
		return
	}
	if slices.ContainsFunc(ends, func(d DNSRecord) bool { return a.s.ownName(d.Name) }) {
		a.pass("dns.wrong-lb", "%s points to this load balancer", host)
		return
	}
	to := ends[0].Name
	f := diagnostics.Finding{
		Subject: host, Weight: 100, Evidence: []diagnostics.Evidence{{What: "DNS record " + host, Value: to, Source: "list dnsendpoints.externaldns.k8s.io", Repeat: dnsCommand(ends[0].Object)}},
	}
	if a.measured() || a.silent() {
		f.Evidence = append(f.Evidence, a.metric(requests))
	}
	balancer, network := balanced(to)
	switch {
	case balancer && a.flows() && network:
		return // one in front that passes requests on to this one
	case balancer:
		f.ID, f.Confidence = "dns.wrong-lb", diagnostics.Confirmed
		f.Summary = fmt.Sprintf("%s points to %s, not to %s of this ingress", host, to, a.s.Balancer.DNSName)
		if a.flows() || !a.measured() && !a.silent() {
			f.Confidence = diagnostics.Likely // requests that still come may be for other names, or to an address that clients remember
		}
	case a.flows() || !a.measured() && !a.silent():
		return // something in front that passes requests on
	default:
		f.ID, f.Confidence = "edge.not-alb", diagnostics.Likely
		f.Summary = fmt.Sprintf("%s points to %s and no request reaches this load balancer: what users see comes from there", host, to)
		if a.lately(arrivals...) > 0 {
			f.Summary = fmt.Sprintf("%s points to %s and hardly any request (%.0f in the last 5 minutes) reaches this load balancer: what users see comes from there", host, to, a.lately(arrivals...))
			if a.arrived().Ceased().IsZero() {
				f.Confidence = diagnostics.Possible // it may never have been more
			}
		}
	}
	a.report(f)
}

// arrivals are the counters that tell of requests, those included for which the load balancer chose no target.
var arrivals = []string{requests, elb4xx, elb500, elb503, authError, authFailure}

// flows reports whether requests reach the load balancer: more than one a minute of late, and not a last trickle of what was more.
func (a *analysis) flows() bool {
	return a.lately(arrivals...) > 6 && a.arrived().Ceased().IsZero()
}

// settled is how long CloudWatch may take to show a minute.
const settled = 3 * time.Minute

// arrived counts what reached the load balancer up to now: a counter that has stopped has no points any more.
func (a *analysis) arrived() trail.Counts {
	from, to := a.span()
	if until := a.s.Now.Add(-settled); !from.IsZero() && until.After(to) {
		to = until
	}
	sum := trail.Fill(nil, from, to)
	for _, name := range arrivals {
		sum = sum.Plus(trail.Fill(a.series(name, statisticSum), from, to))
	}
	return sum
}

func dnsCommand(object string) string {
	parts := strings.Split(object, "/")
	if len(parts) != 3 {
		return ""
	}
	return fmt.Sprintf("kubectl get dnsendpoint %s -n %s -o yaml", parts[2], parts[1])
}

// collapse sees requests that stopped coming while everything here is well: whoever gets errors gets them from something
// before the load balancer.
func (a *analysis) collapse() {
	if a.found("edge.not-alb", "dns.wrong-lb") {
		return
	}
	c := a.arrived()
	at := c.Ceased()
	if at.IsZero() {
		return
	}
	before := c.Between(c.From, at) / max(at.Sub(c.From).Minutes(), 1)
	a.report(diagnostics.Finding{
		ID: "edge.not-alb", Subject: a.balancerName(), Confidence: diagnostics.Likely, Weight: 50,
		Summary: fmt.Sprintf("since %s hardly any request reaches %s (%.0f in the last 5 minutes, %.0f a minute before), and it answers those that do: errors that users see come from something in front of it",
			clock(at), a.balancerName(), a.lately(arrivals...), before),
		Evidence: []diagnostics.Evidence{a.metric(requests), a.metric(elb502), a.metric(elb503), a.metric(elb504)},
	})
}
