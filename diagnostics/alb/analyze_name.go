package alb

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
)

// resolution compares where the names of the ingress lead, as far as external-dns manages them, with the load balancer.
func (a *analysis) resolution() {
	if a.s.Ingress == nil || a.s.Balancer == nil {
		return
	}
	ours := []string{a.s.Balancer.DNSName, a.s.Host}
	for _, i := range a.s.Ingress.Status.LoadBalancer.Ingress {
		ours = append(ours, i.Hostname)
	}
	asked := map[string]bool{}
	for _, r := range a.s.Ingress.Spec.Rules {
		if r.Host != "" && !asked[r.Host] {
			asked[r.Host] = true
			a.resolve(r.Host, ours)
		}
	}
}

// resolve follows one name. Of several records one that leads here is enough: they may be weighted.
func (a *analysis) resolve(host string, ours []string) {
	var to, object string
	for _, d := range a.s.DNS {
		if !strings.EqualFold(d.Name, host) {
			continue
		}
		for _, t := range d.Targets {
			t = strings.TrimSuffix(strings.TrimPrefix(strings.ToLower(t), "dualstack."), ".")
			if slices.ContainsFunc(ours, func(o string) bool { return strings.EqualFold(o, t) }) {
				a.pass("dns.wrong-lb", "%s points to this load balancer", host)
				return
			}
			to, object = t, d.Object
		}
	}
	if to == "" {
		return
	}
	f := diagnostics.Finding{
		ID: "dns.wrong-lb", Subject: host, Confidence: diagnostics.Confirmed, Weight: 100,
		Summary:  fmt.Sprintf("%s points to %s, not to %s of this ingress", host, to, a.s.Balancer.DNSName),
		Evidence: []diagnostics.Evidence{{What: "DNS record " + host, Value: to, Source: "list dnsendpoints.externaldns.k8s.io", Repeat: dnsCommand(object)}},
	}
	if a.measured() {
		f.Evidence = append(f.Evidence, a.metric(requests))
	}
	if labels := strings.Split(to, "."); len(labels) < 5 || (labels[1] != "elb" && labels[2] != "elb") {
		if !a.measured() || a.lately(requests) > 0 {
			return // something in front that passes requests on
		}
		f.ID, f.Confidence = "edge.not-alb", diagnostics.Likely
		f.Summary = fmt.Sprintf("%s points to %s and no request reaches this load balancer: what users see comes from there", host, to)
	}
	a.report(f)
}

func dnsCommand(object string) string {
	parts := strings.Split(object, "/")
	if len(parts) != 3 {
		return ""
	}
	return fmt.Sprintf("kubectl get dnsendpoint %s -n %s -o yaml", parts[2], parts[1])
}

// collapse sees requests that stopped coming while everything here is well.
func (a *analysis) collapse() {
	if a.total(requests) == 0 || a.lately(requests) > 0 || a.total(requests)/60 < 1 {
		return
	}
	a.report(diagnostics.Finding{
		ID: "edge.not-alb", Subject: a.balancerName(), Confidence: diagnostics.Likely, Weight: 50,
		Summary:  fmt.Sprintf("no request has reached %s for five minutes, and before they did: what users see comes from something in front of it", a.balancerName()),
		Evidence: []diagnostics.Evidence{a.metric(requests)},
	})
}
