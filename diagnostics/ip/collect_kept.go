package ip

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/awsnode"
	"github.com/netdiag/netdiag/internal/cni"
	"github.com/netdiag/netdiag/internal/vpc"
)

const (
	mostShort  = 6    // subnets that are short of which it is read what would help
	fewNodes   = 16   // nodes whose pods are asked for one by one; of more, all pods are read page by page
	mostPaged  = 1000 // nodes of a cluster whose pods are all read: in a larger one that takes longer than anybody waits,
	mostListed = 40   // and the pods of so many nodes are asked for, those included that are full; those with the most addresses first
)

// using is what the pods of a node use.
type using struct {
	used    map[netip.Addr]bool
	waiting map[string]bool // pods without an address
	failed  bool            // they could not be read
}

func (u *using) take(p *corev1.Pod) {
	if phase := p.Status.Phase; p.Spec.HostNetwork || phase == corev1.PodSucceeded || phase == corev1.PodFailed {
		return
	}
	name := p.Namespace + "/" + p.Name
	if a, err := netip.ParseAddr(p.Status.PodIP); err == nil {
		u.used[a] = true
		delete(u.waiting, name)
	} else {
		u.waiting[name] = true
	}
}

// fourth reads, where a subnet is short, what would help there: who sets up the CNI, and what its nodes keep ready.
func (c *collector) fourth(outer context.Context) error {
	short := c.short()
	if len(short) == 0 || c.s.Driver == nil {
		return nil
	}
	c.in.Say("reading what the nodes of %d subnets keep ready", len(short))
	g, ctx := c.reads.Group(outer)
	g.Read("", func() (err error) {
		c.s.Addon, err = c.in.Clusters.Addon(ctx, c.s.Target.Cluster, "vpc-cni")
		return err
	})
	if c.s.Cluster != nil && c.s.Cluster.VPC != "" {
		c.s.Every = c.subnets
		g.Read("", func() error {
			v, err := c.in.Network.VPC(ctx, c.s.Cluster.VPC)
			if err == nil {
				c.s.VPC = &v
			}
			return err
		})
		g.Read("", func() (err error) {
			c.s.Tables, err = c.in.Routing.RouteTables(ctx, c.s.Cluster.VPC)
			return err
		})
	}
	pods := c.inQuestion(short)
	c.count(ctx, g, pods)
	if err := g.Wait(); err != nil {
		return err
	}
	for n := range c.s.Subnets {
		c.attached(&c.s.Subnets[n])
	}
	for _, s := range short {
		c.able(s)
		c.keep(s, pods)
	}
	return nil
}

// short lists the subnets that are found to have too little room, the shortest first.
func (c *collector) short() []*Subnet {
	a := &analysis{s: &c.s, settings: c.settings}
	a.reckon()
	var out []*Subnet
	for _, r := range a.rooms {
		if len(out) < mostShort && !r.Hosts && (r.low() || r.surges() || r.fewPrefixes()) {
			out = append(out, r.Subnet)
		}
	}
	return out
}

// prefixed reports that pods get their addresses in a subnet from delegated prefixes.
func (c *collector) prefixed(s *Subnet) bool { return c.settings.PrefixDelegation && !s.Hosts }

// inQuestion makes room to count what pods use, for the nodes in subnets whose warm pools matter, by their names.
func (c *collector) inQuestion(short []*Subnet) map[string]*using {
	var in []node
	for _, n := range c.nodes {
		if h := c.held[n.instance]; h != nil && !n.foreign && slices.ContainsFunc(short, func(s *Subnet) bool { return !c.prefixed(s) && h.in[s.ID].Nodes > 0 }) {
			in = append(in, n)
		}
	}
	if c.s.Nodes > mostPaged {
		slices.SortStableFunc(in, func(a, b node) int { return c.held[b.instance].attached - c.held[a.instance].attached })
		in = in[:min(len(in), max(mostListed-len(c.s.Full), fewNodes))]
	}
	out := map[string]*using{}
	for _, n := range in {
		out[n.Name] = &using{used: map[netip.Addr]bool{}, waiting: map[string]bool{}}
	}
	return out
}

// count reads the pods of nodes.
func (c *collector) count(ctx context.Context, g *diagnostics.ReadGroup, of map[string]*using) {
	if len(of) > fewNodes && c.s.Nodes <= mostPaged {
		g.Read("", func() error {
			err := c.in.AllPods.EachPod(ctx, func(p *corev1.Pod) {
				if u := of[p.Spec.NodeName]; u != nil {
					u.take(p)
				}
			})
			for _, u := range of {
				u.failed = err != nil
			}
			return err
		})
		return
	}
	for name, u := range of {
		g.Read("", func() error {
			pods, err := c.in.Pods.Pods(ctx, diagnostics.PodQuery{Node: name})
			for n := range pods {
				u.take(&pods[n])
			}
			u.failed = err != nil
			return err
		})
	}
}

// keep sums what nodes hold in a subnet that is short, alike ones together.
func (c *collector) keep(s *Subnet, pods map[string]*using) {
	if c.prefixed(s) {
		return
	}
	setup, alike := c.s.setup(), map[string]Holding{}
	add := func(h Holding) {
		key, err := json.Marshal(h)
		if err != nil {
			panic(err) // numbers only
		}
		h.Nodes = alike[string(key)].Nodes + 1
		alike[string(key)] = h
	}
	for _, n := range c.nodes {
		held := c.held[n.instance]
		if held == nil || held.in[s.ID].Nodes == 0 || n.foreign {
			continue
		}
		u := pods[n.Name]
		limits, known := awsnode.LimitsOf(c.types, n.Type)
		if u == nil || u.failed || !known || held.members == 0 {
			s.Uncounted++
			add(Holding{Unread: true, Attached: held.attached, Here: held.in[s.ID].Total()})
			continue
		}
		h := Holding{Limits: limits, MaxPods: n.MaxPods, Taken: held.taken, Waiting: len(u.waiting), Here: held.in[s.ID].Total()}
		slices.SortFunc(held.interfaces, byDevice)
		for _, e := range held.interfaces {
			excluded := setup.Excluded(c.settings, e, c.subnet(e.Subnet))
			if excluded && !c.settings.CustomNetworking { // the settings account for the first interface
				h.Taken++
			}
			l := awsnode.Count(e, u.used, false, excluded)
			h.Interfaces = append(h.Interfaces, Place{Here: e.Subnet == s.ID, Primary: l.Primary, Kept: l.Kept, Addresses: l.Addresses, Assigned: l.Assigned})
		}
		add(h)
	}
	for _, key := range slices.Sorted(maps.Keys(alike)) {
		s.Kept = append(s.Kept, alike[key])
	}
	s.Counted = true
}

// able counts the nodes of a subnet to which another interface can be attached.
func (c *collector) able(s *Subnet) {
	for _, n := range c.nodes {
		held := c.held[n.instance]
		if held == nil || held.in[s.ID].Nodes == 0 || n.foreign {
			continue
		}
		limits, known := awsnode.LimitsOf(c.types, n.Type)
		most := limits.Interfaces
		if c.settings.MaxENI > 0 {
			most = min(most, c.settings.MaxENI)
		}
		if most -= held.taken; !known || held.members == 0 {
			continue
		}
		s.Places = max(s.Places, most)
		if held.members < most {
			s.Able++
		}
	}
}

// attached counts the nodes whose pods may get addresses in a subnet by how many they have attached.
func (c *collector) attached(s *Subnet) {
	for _, n := range c.nodes {
		held := c.held[n.instance]
		if held == nil || n.foreign || !slices.ContainsFunc(held.interfaces, func(e *vpc.NetworkInterface) bool { return e.Subnet == s.ID }) {
			continue
		}
		if s.Attached == nil {
			s.Attached = map[int]int{}
		}
		s.Attached[held.attached]++
	}
}

func (c *collector) subnet(id string) *vpc.Subnet {
	for n := range c.subnets {
		if c.subnets[n].ID == id {
			return &c.subnets[n]
		}
	}
	return nil
}

// byDevice orders the interfaces of a node, the first one before all others.
func byDevice(a, b *vpc.NetworkInterface) int {
	return cmp.Or(cmp.Compare(a.Device, b.Device), cmp.Compare(a.ID, b.ID))
}

// held is the node as internal/cni reckons with it.
func (h Holding) held(s cni.Settings) cni.Held {
	out := cni.Held{Node: cni.Node{Limits: h.Limits, MaxPods: h.MaxPods, Taken: h.Taken}, Settings: s, Pods: h.Waiting, Waiting: h.Waiting}
	for _, i := range h.Interfaces {
		out.Interfaces = append(out.Interfaces, cni.Interface{Primary: i.Primary, Kept: i.Kept, Addresses: i.Addresses, Assigned: i.Assigned})
		out.Here = append(out.Here, i.Here)
		out.Pods += i.Assigned
	}
	return out
}
