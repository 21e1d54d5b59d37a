package alb

import (
	"context"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"

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
}

// collect reads everything about what was asked for: first the names, then the load balancer and the cluster side by
// side, then the interfaces and firewalls between them, and last what the past can tell.
func collect(ctx context.Context, in diagnostics.Inputs, t diagnostics.Target) (Snapshot, error) {
	c := &collector{in: in, s: &Snapshot{Now: in.Now, Cluster: t.Cluster, Region: t.Region, Carriers: map[string]string{}}}
	in.Say("looking for %s", t.Name)
	if err := resolve(ctx, in, t, &c.reads, c.s); err != nil {
		return Snapshot{}, err
	}
	c.parallel(ctx, c.balancer, c.cluster, c.system)
	c.trim()
	if c.s.Balancer != nil {
		in.Say("found load balancer %s with %d target groups", c.s.Balancer.Name, len(c.s.TargetGroups))
	}
	c.interfaces(ctx)
	c.parallel(ctx, c.firewalls, c.metrics)
	c.parallel(ctx, c.audit, c.logs)
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

// namespaces are those in which something about the ingress can lie: its own, and those of the bindings in its stack.
func (c *collector) namespaces() []string {
	var out []string
	if c.s.Ingress != nil {
		out = append(out, c.s.Ingress.Namespace)
	}
	if c.s.Asked != nil {
		out = append(out, c.s.Asked.Namespace)
	}
	for _, b := range c.s.Bindings {
		if c.s.inStack(b) {
			out = append(out, b.Namespace)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// cluster reads the workloads and their events in the namespaces of the ingress, and those of the group.
func (c *collector) cluster(ctx context.Context) {
	var reads []func(context.Context)
	add := func(read func(context.Context)) { reads = append(reads, read) }
	for _, ns := range c.namespaces() {
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
	eventful := c.namespaces()
	for _, m := range c.s.Members { // a sibling's mistake stops the whole group
		eventful = append(eventful, m.Namespace)
	}
	eventful = append(eventful, "default") // events of nodes
	slices.Sort(eventful)
	for _, ns := range slices.Compact(eventful) {
		add(func(ctx context.Context) {
			v, err := c.in.Events.Events(ctx, ns)
			c.keep(err, ns, func() { c.s.Events = append(c.s.Events, v...) })
		})
	}
	c.parallel(ctx, reads...)
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

// trim puts the lists into an order of their own, and leaves out what says nothing about the ingress: pods and events of
// others, and the bookkeeping of the API server.
func (c *collector) trim() {
	s := c.s
	c.order()
	var selectors []map[string]string
	for _, svc := range s.Services {
		if len(svc.Spec.Selector) > 0 && s.serves(svc) {
			selectors = append(selectors, svc.Spec.Selector)
		}
	}
	targets := map[string]bool{}
	for _, g := range s.TargetGroups {
		for _, h := range g.Health {
			targets[h.ID] = true
		}
	}
	var pods []corev1.Pod
	for _, p := range s.Pods {
		if targets[p.Status.PodIP] || len(s.Pods) <= 200 || slices.ContainsFunc(selectors, func(sel map[string]string) bool { return near(sel, p.Labels) }) {
			p.ManagedFields = nil
			pods = append(pods, p)
		}
	}
	s.Pods = pods
	var events []corev1.Event
	for _, e := range s.Events {
		if s.concerns(e) {
			e.ManagedFields = nil
			events = append(events, e)
		}
	}
	s.Events = events
	for i := range s.Services {
		s.Services[i].ManagedFields = nil
	}
	for i := range s.Slices {
		s.Slices[i].ManagedFields = nil
	}
	for i := range s.ReplicaSets {
		s.ReplicaSets[i].ManagedFields = nil
	}
	for i := range s.Nodes {
		s.Nodes[i].ManagedFields, s.Nodes[i].Status.Images = nil, nil
	}
}

// near reports whether the labels match the selector, or miss it by one key.
func near(selector, labels map[string]string) bool {
	wrong := 0
	for k, v := range selector {
		if labels[k] != v {
			wrong++
		}
	}
	return wrong == 0 || (wrong == 1 && len(selector) > 1) || (wrong == 1 && looksLike(selector, labels))
}

// looksLike reports whether a value of the selector stands under another key, or its key has a similar value.
func looksLike(selector, labels map[string]string) bool {
	for k, v := range selector {
		if have, ok := labels[k]; ok && (distance(have, v) <= 3 || strings.HasPrefix(have, v) || strings.HasPrefix(v, have)) {
			return true
		}
		for _, have := range labels {
			if have == v {
				return true
			}
		}
	}
	return false
}

// concerns reports whether an event is about the ingress, its group, its bindings, its workloads or a node.
func (s *Snapshot) concerns(e corev1.Event) bool {
	switch o := e.InvolvedObject; o.Kind {
	case "Ingress":
		if s.Ingress != nil && o.Namespace == s.Ingress.Namespace && o.Name == s.Ingress.Name {
			return true
		}
		for _, m := range s.Members {
			if o.Namespace == m.Namespace && o.Name == m.Name {
				return true
			}
		}
		return false
	case "TargetGroupBinding":
		for _, b := range s.Bindings {
			if o.Namespace == b.Namespace && o.Name == b.Name {
				return true
			}
		}
		return false
	case "Pod":
		return s.pod(o.Namespace, o.Name) != nil
	case "Node", "Deployment", "ReplicaSet", "Service":
		return true
	}
	return false
}
