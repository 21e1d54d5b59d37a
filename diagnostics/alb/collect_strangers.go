package alb

import (
	"context"
	"net/netip"
	"slices"

	"github.com/netdiag/netdiag/diagnostics"
)

// mostStrangers limits how many addresses are looked up one by one.
const mostStrangers = 10

// strangers finds the pods that have the addresses of registered targets and are none of ours: an address that became
// free goes to the next pod, in whichever namespace.
func (c *collector) strangers(ctx context.Context) {
	s := c.s
	var reads []func(context.Context)
	for _, g := range s.TargetGroups {
		if g.TargetType != "ip" {
			continue
		}
		endpoints := s.endpointsOf(g)
		for _, h := range g.Health {
			addr, err := netip.ParseAddr(h.ID)
			if err != nil || h.State == "draining" || s.podAt(addr) != nil || slices.ContainsFunc(endpoints, func(e endpoint) bool { return e.addr == addr }) || len(reads) == mostStrangers {
				continue
			}
			reads = append(reads, func(ctx context.Context) {
				v, err := c.in.Pods.Pods(ctx, diagnostics.PodQuery{Address: h.ID})
				c.keep(err, "with address "+h.ID, func() { s.Pods = append(s.Pods, v...) })
			})
		}
	}
	c.parallel(ctx, reads...)
}

// stateful reads the StatefulSets of a namespace in which a Service of the ingress has no pod and no Deployment.
func (c *collector) stateful(ctx context.Context) {
	s := c.s
	a := &analysis{model: newModel(s)}
	var reads []func(context.Context)
	var asked []string
	for _, g := range a.groups {
		if g.svc == nil || len(g.endpoints) > 0 || len(g.selected()) > 0 || len(a.workloads(g)) > 0 || slices.Contains(asked, g.namespace) {
			continue
		}
		asked = append(asked, g.namespace)
		reads = append(reads, func(ctx context.Context) {
			v, err := c.in.Controllers.StatefulSets(ctx, g.namespace)
			c.keep(err, g.namespace, func() { s.StatefulSets = append(s.StatefulSets, v...) })
		})
	}
	c.parallel(ctx, reads...)
}
