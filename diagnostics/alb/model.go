package alb

import (
	"net/netip"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/internal/elb"
	"github.com/netdiag/netdiag/internal/vpc"
)

// model is a snapshot put together: each target group with its Service, each target with its pod, its interface and the
// paths to it.
type model struct {
	s      *Snapshot
	groups []*group
}

// group is a target group with what stands behind it.
type group struct {
	*TargetGroup
	m         *model
	binding   *elb.TargetGroupBinding
	namespace string // of the Service
	service   string // name, empty where not known
	svc       *corev1.Service
	rules     []elb.Rule // that serve what was asked and forward here
	endpoints []endpoint
	list      []*target
}

// endpoint is an address behind a Service.
type endpoint struct {
	addr  netip.Addr
	port  int // 0 where the slice has no port for that of the Service
	ready bool
	// gated: the containers of the pod are ready, and it only waits for a readiness gate. The controller registers it
	// all the same, because its own gate waits for the load balancer.
	gated bool
	pod   string
	node  string
}

// target is one registered target.
type target struct {
	elb.TargetHealth
	group  *group
	class  class
	codes  []int // of a code
	addr   netip.Addr
	port   int // of the traffic
	hcPort int // of the health check
	pod    *corev1.Pod
	node   *corev1.Node
	eni    *vpc.NetworkInterface
	paths  []path
	// stray: the address belongs to a pod of somebody else by now, so that what it answers says nothing about the Service.
	stray bool
}

// path is the way from one node of the load balancer to a target on one port.
type path struct {
	from  string // interface id
	port  int
	reach vpc.Reach
}

func newModel(s *Snapshot) *model {
	m := &model{s: s}
	serving := s.serving()
	for i := range s.TargetGroups {
		g := &group{TargetGroup: &s.TargetGroups[i], m: m, binding: bindingOf(s.Bindings, s.TargetGroups[i].TargetGroup)}
		g.namespace, g.service = s.serviceOf(s.TargetGroups[i])
		g.svc = s.service(g.namespace, g.service)
		g.endpoints = s.endpointsOf(s.TargetGroups[i])
		for _, r := range serving {
			if slices.Contains(forwards(r), g.ARN) {
				g.rules = append(g.rules, r)
			}
		}
		for _, h := range g.Health {
			g.list = append(g.list, m.target(g, h))
		}
		m.groups = append(m.groups, g)
	}
	return m
}

func (m *model) target(g *group, h elb.TargetHealth) *target {
	s := m.s
	t := &target{TargetHealth: h, group: g, port: h.Port}
	t.class, t.codes = classOfHealth(h)
	t.hcPort = h.Port
	for _, text := range []string{h.HealthCheckPort, g.Check.Port} {
		if n, err := strconv.Atoi(text); err == nil {
			t.hcPort = n
			break
		}
	}
	if addr, err := netip.ParseAddr(h.ID); err == nil {
		t.addr = addr
		for _, e := range g.endpoints { // pods on the host network share the address of their node
			if e.addr == addr && e.pod != "" {
				t.pod = s.pod(g.namespace, e.pod)
			}
		}
		if t.pod == nil {
			t.pod = s.podAt(addr)
		}
		if t.pod != nil {
			t.node = s.node(t.pod.Spec.NodeName)
		}
		t.stray = g.strays(t)
	} else {
		for i := range s.Nodes {
			if instanceOf(&s.Nodes[i]) == h.ID {
				t.node = &s.Nodes[i]
			}
		}
	}
	t.eni = s.network(s.Carriers[h.ID])
	if t.eni == nil {
		return t
	}
	if !t.addr.IsValid() {
		t.addr = t.eni.Primary
	}
	for _, port := range t.ports() {
		for _, id := range s.Front {
			from := s.network(id)
			if from.VPC != "" && t.eni.VPC != "" && from.VPC != t.eni.VPC {
				continue
			}
			r := s.Firewall.Path(*from, *t.eni, t.addr, port)
			if hop, ok := s.detour(*from, *t.eni, t.addr); ok {
				r.Hops, r.Verdict = append(r.Hops, hop), min(r.Verdict, hop.Verdict)
			}
			t.paths = append(t.paths, path{id, port, r})
		}
	}
	return t
}

// detour finds a route inside the VPC that leads through something else, on the way to a target or back.
func (s *Snapshot) detour(from, to vpc.NetworkInterface, addr netip.Addr) (vpc.Hop, bool) {
	if s.VPC == nil || from.Subnet == to.Subnet {
		return vpc.Hop{}, false
	}
	if hop, ok := vpc.Detour(s.Routes, s.VPC.CIDRs, from.Subnet, addr); ok {
		return hop, true
	}
	return vpc.Detour(s.Routes, s.VPC.CIDRs, to.Subnet, from.Primary)
}

// ports lists the health check port, and the port of the traffic where it is another.
func (t *target) ports() []int {
	if t.port == t.hcPort || t.port == 0 {
		return []int{t.hcPort}
	}
	return []int{t.hcPort, t.port}
}

// to lists the paths to one port.
func (t *target) to(port int) []path {
	return slices.DeleteFunc(slices.Clone(t.paths), func(p path) bool { return p.port != port })
}

// verdict joins the paths to a port: allowed or denied where all are, partial where they differ or one is partial; unknown
// where no path is known, or one is unknown and none is blocked.
func (t *target) verdict(port int) vpc.Verdict {
	paths := t.to(port)
	if len(paths) == 0 {
		return vpc.Unknown
	}
	count := map[vpc.Verdict]int{}
	for _, p := range paths {
		count[p.reach.Verdict]++
	}
	switch {
	case count[vpc.Denied] == len(paths):
		return vpc.Denied
	case count[vpc.Denied]+count[vpc.Partial] > 0:
		return vpc.Partial
	case count[vpc.Unknown] > 0:
		return vpc.Unknown
	}
	return vpc.Allowed
}

// blocked lists the paths to the health check port on which something is known to stop packets.
func (t *target) blocked() []path {
	return slices.DeleteFunc(t.to(t.hcPort), func(p path) bool { return len(p.reach.Blocking()) == 0 })
}

// name is the target as reports spell it.
func (t *target) name() string { return t.ID + ":" + strconv.Itoa(t.port) }

// affects is the target as findings list it.
func (t *target) affects() string { return "target/" + t.name() }

// bad reports whether the target fails its health checks.
func (t *target) bad() bool {
	return t.class == code || t.class == drop || t.class == refuse || t.class == other
}

// targets lists the targets of all groups.
func (m *model) targets() []*target {
	var out []*target
	for _, g := range m.groups {
		out = append(out, g.list...)
	}
	return out
}

// registered lists the targets that are not on their way out.
func (g *group) registered() []*target {
	return slices.DeleteFunc(slices.Clone(g.list), func(t *target) bool { return t.class == draining })
}

func (g *group) of(classes ...class) []*target {
	return slices.DeleteFunc(slices.Clone(g.list), func(t *target) bool { return !slices.Contains(classes, t.class) })
}

func (g *group) bad() []*target {
	return slices.DeleteFunc(slices.Clone(g.list), func(t *target) bool { return !t.bad() })
}

// ready lists the endpoints that get traffic.
func (g *group) ready() []endpoint {
	return slices.DeleteFunc(slices.Clone(g.endpoints), func(e endpoint) bool { return !e.ready || e.port == 0 })
}

// allHealthy reports that every group that serves has healthy targets and nothing but healthy and leaving ones.
func (m *model) allHealthy() bool {
	any := false
	for _, g := range m.groups {
		if len(g.rules) == 0 || g.standsBy() {
			continue
		}
		any = true
		if !g.HealthRead || len(g.of(healthy)) == 0 || len(g.of(healthy, draining)) != len(g.list) {
			return false
		}
	}
	return any
}
