package pending

import (
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics/awsnode"
	"github.com/netdiag/netdiag/internal/vpc"
)

// What to read next is decided by what has been read, here.

// tightSubnets are those of the nodes in trouble that are so short that it matters who else is in them, and those of nodes that
// can't hold more single addresses, where it matters whether there is room for prefixes.
func (c *collector) tightSubnets(deep []*Node) []string {
	touched := map[string]bool{}
	for _, i := range c.s.Interfaces {
		touched[i.Subnet] = true
	}
	zones := map[string]bool{}
	for _, node := range deep {
		zones[node.Zone] = true
		if s := c.s.subnetAt(node.Address); s != nil {
			touched[s.ID] = true
		}
	}
	for _, id := range c.s.ENIConfigs {
		touched[id] = touched[id] || c.s.subnet(id) != nil && zones[c.s.subnet(id).Zone]
	}
	full := map[string]bool{}
	for _, node := range deep {
		if p := c.s.newPool(node); p.full() && p.limits.Nitro && !p.prefixes() {
			for _, id := range p.subnets() {
				full[id] = true // do they have room for prefixes?
			}
		}
	}
	var out []string
	for _, s := range c.s.Subnets {
		touched[s.ID] = touched[s.ID] || c.s.Driver != nil && zones[s.Zone] && c.s.setup().Discovered(s)
		if full[s.ID] || touched[s.ID] && tight(s, c.s.Driver) {
			out = append(out, s.ID)
		}
	}
	return out
}

// tight reports that a subnet is nearly full or, where prefixes are delegated, that its free addresses don't prove that a
// whole /28 is free: they do where there are more than fifteen for each /28.
func tight(s vpc.Subnet, d *awsnode.Driver) bool {
	usable := vpc.Usable(s.CIDR)
	if d != nil && d.Env["ENABLE_PREFIX_DELEGATION"] == "true" && s.Available <= usable/16*15 {
		return true
	}
	return s.Available < max(32, usable/10)
}

// customNetworking reports that pods of the nodes get their addresses where ENIConfigs say.
func (c *collector) customNetworking(deep []*Node) bool {
	const name = "AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG"
	return c.s.Driver != nil && c.s.Driver.Env[name] == "true" ||
		slices.ContainsFunc(deep, func(n *Node) bool { return n.Agent != nil && n.Agent.Env[name] == "true" })
}

// nodeSubnets are the tight ones, and of those of other nodes so many that the interfaces of them all can be read at once:
// they tell whether another zone has room.
func (c *collector) nodeSubnets(tight []string) []string {
	const most = 4096 // addresses in use
	out, used := slices.Clone(tight), 0
	inUse := func(s *vpc.Subnet) int { return max(vpc.Usable(s.CIDR)-s.Available, 0) }
	for _, id := range tight {
		used += inUse(c.s.subnet(id))
	}
	for n := range c.s.Nodes {
		s := c.s.subnetAt(c.s.Nodes[n].Address)
		if s == nil || slices.Contains(out, s.ID) || used+inUse(s) > most {
			continue
		}
		out, used = append(out, s.ID), used+inUse(s)
	}
	slices.Sort(out)
	return out
}

// subnetAt finds the subnet that an address lies in.
func (s *Snapshot) subnetAt(address string) *vpc.Subnet {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return nil
	}
	for n := range s.Subnets {
		if s.Subnets[n].CIDR.Contains(a) {
			return &s.Subnets[n]
		}
	}
	return nil
}

func (s *Snapshot) subnet(id string) *vpc.Subnet {
	for n := range s.Subnets {
		if s.Subnets[n].ID == id {
			return &s.Subnets[n]
		}
	}
	return nil
}

// uncounted are the nodes of which it isn't known how many of the addresses that they hold pods use, those with the most first.
func (c *collector) uncounted(held map[string]int) []*Node {
	var out []*Node
	for n := range c.s.Nodes {
		if node := &c.s.Nodes[n]; node.Instance != "" && held[node.Instance] > 0 && !node.Read {
			out = append(out, node)
		}
	}
	slices.SortStableFunc(out, func(a, b *Node) int { return held[b.Instance] - held[a.Instance] })
	return out
}

func (c *collector) vpcID() string {
	switch {
	case c.s.Cluster != nil && c.s.Cluster.VPC != "":
		return c.s.Cluster.VPC
	case len(c.s.Subnets) > 0:
		return c.s.Subnets[0].VPC
	}
	return ""
}

// anyOn reports that a pod has come exactly so far.
func (c *collector) anyOn(s stage) bool {
	events := byPod(c.s.Events)
	for n := range c.s.Pods {
		if judge(&c.s.Pods[n], events[string(c.s.Pods[n].UID)], c.s.At).stage == s {
			return true
		}
	}
	return false
}

// lacks reports that a pod without a node waits for a reason for which f holds; its own events are given too.
func (c *collector) lacks(f func(k clause, text string, events []*corev1.Event) bool) bool {
	events := byPod(c.s.Events)
	for n := range c.s.Pods {
		own := events[string(c.s.Pods[n].UID)]
		w := judge(&c.s.Pods[n], own, c.s.At)
		if w.stage != unscheduled {
			continue
		}
		_, clauses := parseClauses(w.text)
		if slices.ContainsFunc(clauses, func(k clause) bool { return f(k, w.text, own) }) {
			return true
		}
	}
	return false
}

// lacksNode reports that a pod finds no node because those that would take it are full or none is there, or that an
// autoscaler has something to say of it.
func (c *collector) lacksNode() bool {
	return c.lacks(func(k clause, text string, events []*corev1.Event) bool {
		return slices.Contains(capacity, k.cause) || strings.Contains(text, noNodesAtAll) || slices.ContainsFunc(events, fromAutoscaler)
	})
}

// pullsTimeOut reports that a registry can't be reached from a node.
func (c *collector) pullsTimeOut() bool {
	events := byPod(c.s.Events)
	for n := range c.s.Pods {
		own := events[string(c.s.Pods[n].UID)]
		if judge(&c.s.Pods[n], own, c.s.At).stage != connected {
			continue
		}
		if e := pullFailure(own, c.s.At); e != nil && unreachable(e.Message) {
			return true
		}
		for _, s := range slices.Concat(c.s.Pods[n].Status.InitContainerStatuses, c.s.Pods[n].Status.ContainerStatuses) {
			if s.State.Waiting != nil && unreachable(s.State.Waiting.Message) {
				return true
			}
		}
	}
	return false
}

// claimed reports that a pod without a node or without its volumes uses a claim.
func (c *collector) claimed() bool {
	events := byPod(c.s.Events)
	for n := range c.s.Pods {
		switch judge(&c.s.Pods[n], events[string(c.s.Pods[n].UID)], c.s.At).stage {
		case unscheduled, unmounted:
			for _, v := range c.s.Pods[n].Spec.Volumes {
				if v.PersistentVolumeClaim != nil || v.Ephemeral != nil {
					return true
				}
			}
		}
	}
	return false
}

// recovered lists interfaces of nodes that EC2 has refused addresses although their subnet has some now: the audit log
// tells when it last did. At most as many as calls are left.
func (c *collector) recovered(deep []*Node, left int) []string {
	most := min(6, left)
	var out []string
	for _, node := range deep {
		if _, _, said := node.logged(c.s.At, fresh, logParts(refusals())...); !said && node.Metrics.count(refusals()...) == 0 {
			continue
		}
		for _, i := range c.s.Interfaces {
			s := c.s.subnet(i.Subnet)
			if i.Instance == node.Instance && s != nil && s.Available > 0 && len(out) < most && !slices.Contains(out, i.ID) {
				out = append(out, i.ID)
			}
		}
	}
	return out
}
