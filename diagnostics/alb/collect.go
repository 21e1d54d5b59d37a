package alb

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/netdiag/netdiag/diagnostics"
)

// fanout limits how many reads of one diagnosis are under way at once; the load balancer API shares one small bucket of
// tokens with the controller and everybody else in the account.
const fanout = 6

// collector reads a Snapshot. Each read says in reads what it could not do.
type collector struct {
	in    diagnostics.Inputs
	reads diagnostics.Reads
	mu    sync.Mutex // guards s while several reads run
	s     *Snapshot
	asked atomic.Int32    // calls to AWS
	heard map[string]bool // namespaces whose events were read
	read  int             // namespaces whose workloads were read
	near  []string        // namespaces that matter, as far as they are known before the target groups are
	// refused is set where it turns out that what was asked for is nothing for this diagnosis.
	refused error
}

// collect reads everything about what was asked for: first the names, then the load balancer and the cluster side by
// side, then the interfaces and firewalls between them, and last what the past can tell.
func collect(ctx context.Context, in diagnostics.Inputs, t diagnostics.Target) (Snapshot, error) {
	c := &collector{in: in, heard: map[string]bool{}, s: &Snapshot{Now: in.Now, Cluster: t.Cluster, Region: t.Region, Carriers: map[string]string{}}}
	c.ask(2) // for the account and the cluster
	in.Say("looking for %s", t.Name)
	if err := resolve(ctx, in, t, &c.reads, c.s); err != nil {
		return Snapshot{}, err
	}
	if c.s.Asked != nil && c.s.Asked.TargetGroupName != "" {
		c.ask(1) // for its ARN
	}
	c.near = c.namespaces()
	c.parallel(ctx, c.balancer, func(ctx context.Context) { c.cluster(ctx, c.near) }, c.system)
	if c.refused != nil {
		return Snapshot{}, c.refused
	}
	// A rule may forward to a target group that a binding of another namespace fills.
	if far := slices.DeleteFunc(c.namespaces(), func(ns string) bool { return slices.Contains(c.near, ns) }); len(far) > 0 {
		c.cluster(ctx, far)
	}
	c.parallel(ctx, c.strangers, c.choice)
	c.stateful(ctx)
	c.trim()
	if c.s.Balancer != nil {
		in.Say("found load balancer %s with %d target groups", c.s.Balancer.Name, len(c.s.TargetGroups))
	}
	c.interfaces(ctx)
	c.parallel(ctx, c.firewalls, c.metrics)
	c.parallel(ctx, c.audit, c.logs, c.agents, c.foreign)
	c.order()
	c.s.Unread = c.reads.Unread()
	return *c.s, c.reads.Fault()
}

// parallel runs the reads side by side, a few at a time, and waits for all of them. A read reports to c.reads, never an error.
func (c *collector) parallel(ctx context.Context, reads ...func(context.Context)) {
	var g errgroup.Group
	g.SetLimit(fanout)
	for _, read := range reads {
		g.Go(func() error {
			read(ctx)
			return nil
		})
	}
	_ = g.Wait() // no read returns an error
}

// namespaces are those in which something about the ingress can lie: its own, and those of the bindings in its stack and of
// its target groups.
func (c *collector) namespaces() []string {
	var out []string
	if c.s.Ingress != nil {
		out = append(out, c.s.Ingress.Namespace)
	}
	if c.s.Asked != nil {
		out = append(out, c.s.Asked.Namespace)
	}
	for _, b := range c.s.Bindings {
		if c.s.inStack(b) || slices.ContainsFunc(c.s.TargetGroups, func(g TargetGroup) bool { return g.ARN == b.TargetGroupARN }) {
			out = append(out, b.Namespace)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// cluster reads the workloads and their events in some namespaces, and the events of the other ingresses of the group.
func (c *collector) cluster(ctx context.Context, namespaces []string) {
	var reads []func(context.Context)
	add := func(read func(context.Context)) { reads = append(reads, read) }
	namespaces = c.visited(namespaces)
	for _, ns := range namespaces {
		add(func(ctx context.Context) {
			v, err := c.in.Services.Services(ctx, ns)
			c.keep(err, ns, func() { c.s.Services = append(c.s.Services, v...) })
		})
		add(func(ctx context.Context) {
			v, err := c.in.Services.EndpointSlices(ctx, ns)
			c.keep(err, ns, func() { c.s.Slices = append(c.s.Slices, v...) })
		})
		add(func(ctx context.Context) {
			v, err := c.in.Pods.Pods(ctx, diagnostics.PodQuery{Namespace: ns})
			c.keep(err, ns, func() { c.s.Pods = append(c.s.Pods, v...) })
		})
		add(func(ctx context.Context) {
			v, err := c.in.Controllers.Deployments(ctx, ns)
			c.keep(err, ns, func() { c.s.Deployments = append(c.s.Deployments, v...) })
		})
		add(func(ctx context.Context) {
			v, err := c.in.Controllers.ReplicaSets(ctx, ns)
			c.keep(err, ns, func() { c.s.ReplicaSets = append(c.s.ReplicaSets, v...) })
		})
		add(func(ctx context.Context) {
			v, err := c.in.Policies.NetworkPolicies(ctx, ns)
			c.keep(err, ns, func() { c.s.Policies = append(c.s.Policies, v...) })
		})
	}
	eventful := append(slices.Clone(namespaces), "default") // where the events of nodes are
	for _, m := range c.s.Members {                         // a sibling's mistake stops the whole group
		eventful = append(eventful, m.Namespace)
	}
	for _, ns := range eventful {
		if c.heard[ns] {
			continue
		}
		if len(c.heard) >= mostHeard {
			c.skip("list events", ns)
			continue
		}
		c.heard[ns] = true
		add(func(ctx context.Context) {
			v, err := c.in.Events.Events(ctx, ns)
			c.keep(err, ns, func() { c.s.Events = append(c.s.Events, v...) })
		})
	}
	c.parallel(ctx, reads...)
}

// visited cuts namespaces to as many as one run reads; that of the ingress is always among them.
func (c *collector) visited(namespaces []string) []string {
	own := func(ns string) bool { return c.s.Ingress != nil && c.s.Ingress.Namespace == ns }
	namespaces = slices.Clone(namespaces)
	slices.SortStableFunc(namespaces, func(a, b string) int {
		switch {
		case own(a) == own(b):
			return 0
		case own(a):
			return -1
		}
		return 1
	})
	n := min(len(namespaces), mostNamespaces-c.read)
	c.read += n
	for _, ns := range namespaces[n:] {
		c.skip("list endpointslices.discovery.k8s.io", ns)
	}
	return namespaces[:n]
}

// keep stores what was read, or that it could not be.
func (c *collector) keep(err error, what string, store func()) {
	if c.reads.Missed(err, what) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	store()
}
