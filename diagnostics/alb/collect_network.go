package alb

import (
	"context"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/vpc"
)

// interfaces reads the interfaces of the load balancer's nodes and those that carry the targets.
//
// A pod's address is on its own branch interface (security groups for pods), on an interface of its node, in a prefix
// of one (prefix delegation), or on the interface of a Fargate task; the address itself is the only sure key.
func (c *collector) interfaces(ctx context.Context) {
	s := c.s
	var instances, addresses, branches []string
	for _, g := range s.TargetGroups {
		for _, h := range g.Health {
			addr, err := netip.ParseAddr(h.ID)
			if err != nil {
				if strings.HasPrefix(h.ID, "i-") {
					instances = append(instances, h.ID)
				}
				continue
			}
			addresses = append(addresses, h.ID)
			if p := s.podAt(addr); p != nil {
				if b := branchOf(p, addr); b != "" {
					branches = append(branches, b)
					instances = append(instances, instanceOf(s.node(p.Spec.NodeName))) // to compare with the groups of the node
				}
			}
		}
		if g.TargetType == "instance" { // behind each node port stand the pods, wherever they run
			for _, e := range s.endpointsOf(g) {
				addresses = append(addresses, e.addr.String())
			}
		}
	}
	room := c.left() - behind
	instances = c.chosen(instances, room-1)
	addresses = c.chosen(addresses, room-(len(instances)+addressesInCall-1)/addressesInCall)
	queries := []diagnostics.InterfaceQuery{
		{Addresses: sorted(slices.Clone(addresses))}, {IDs: sorted(branches)}, {Instances: sorted(instances)},
	}
	if s.Balancer != nil {
		queries = append(queries, diagnostics.InterfaceQuery{Description: "ELB " + suffix(s.Balancer.ARN)})
	}
	c.query(ctx, queries...)
	c.carry()
	c.delegated(ctx, addresses)
}

// delegated looks for addresses in prefixes, which are not listed one by one: through the interfaces of the pods' nodes.
func (c *collector) delegated(ctx context.Context, addresses []string) {
	s := c.s
	most := addressesInCall * max(c.left()-fixed, 1)
	var hosts, cut []string
	for _, a := range addresses {
		if s.Carriers[a] != "" {
			continue
		}
		addr, err := netip.ParseAddr(a)
		if err != nil {
			continue
		}
		p := s.podAt(addr)
		if p == nil {
			continue
		}
		switch host := instanceOf(s.node(p.Spec.NodeName)); {
		case host == "" || slices.Contains(hosts, host):
		case len(hosts) < most:
			hosts = append(hosts, host)
		default:
			cut = append(cut, a)
		}
	}
	if len(hosts) > 0 {
		c.query(ctx, diagnostics.InterfaceQuery{Instances: sorted(hosts)})
		c.carry()
	}
	s.Unlooked = sorted(append(s.Unlooked, cut...))
}

// chosen are the targets whose interfaces are looked for: all, or where that takes too many calls those in trouble first.
func (c *collector) chosen(targets []string, calls int) []string {
	most := addressesInCall * max(calls, 1)
	if targets = sorted(targets); len(targets) <= most {
		return targets
	}
	trouble := map[string]int{}
	for _, g := range c.s.TargetGroups {
		for _, h := range g.Health {
			if h.State != "healthy" {
				trouble[h.ID] = 1
			}
		}
	}
	slices.SortStableFunc(targets, func(a, b string) int { return trouble[b] - trouble[a] })
	c.s.Unlooked = sorted(append(c.s.Unlooked, targets[most:]...))
	return targets[:most]
}

// query reads interfaces by several questions and adds those that are new, sorted by id.
func (c *collector) query(ctx context.Context, queries ...diagnostics.InterfaceQuery) {
	s := c.s
	var reads []func(context.Context)
	for _, q := range queries {
		if len(q.Addresses)+len(q.IDs)+len(q.Instances) == 0 && q.Description == "" {
			continue
		}
		c.askAbout(max(len(q.Addresses)+len(q.IDs)+len(q.Instances), 1), addressesInCall)
		reads = append(reads, func(ctx context.Context) {
			v, err := c.in.Interfaces.Interfaces(ctx, q)
			c.keep(err, "", func() {
				for _, eni := range v {
					if s.network(eni.ID) == nil {
						s.Interfaces = append(s.Interfaces, eni)
					}
					if q.Description != "" && eni.Description == q.Description && !slices.Contains(s.Front, eni.ID) {
						s.Front = append(s.Front, eni.ID)
					}
				}
			})
		})
	}
	c.parallel(ctx, reads...)
	slices.SortFunc(s.Interfaces, func(a, b vpc.NetworkInterface) int { return strings.Compare(a.ID, b.ID) })
	slices.Sort(s.Front)
}

// carry finds for each target the interface that carries it: in the VPC of the load balancer, because another VPC may use
// the same addresses, and with the address really on it.
func (c *collector) carry() {
	s := c.s
	for _, eni := range s.Interfaces {
		if s.Balancer != nil && eni.VPC != "" && eni.VPC != s.Balancer.VPC {
			continue
		}
		if eni.Instance != "" && eni.Device == 0 && eni.Card == 0 {
			s.Carriers[eni.Instance] = eni.ID
		}
		for _, a := range append(slices.Clone(eni.Addresses), eni.IPv6...) {
			s.Carriers[a.String()] = eni.ID
		}
	}
	for _, p := range s.Pods {
		for _, ip := range p.Status.PodIPs {
			addr, err := netip.ParseAddr(ip.IP)
			if err != nil || s.Carriers[ip.IP] != "" {
				continue
			}
			for _, eni := range s.Interfaces {
				if slices.ContainsFunc(eni.Prefixes, func(p netip.Prefix) bool { return p.Contains(addr) }) {
					s.Carriers[ip.IP] = eni.ID
				}
			}
		}
	}
}

// branchOf is the id of the branch interface of a pod that has its own security groups, from the annotation that the VPC
// resource controller writes; empty for other pods.
func branchOf(p *corev1.Pod, addr netip.Addr) string {
	var enis []struct {
		ID   string `json:"eniId"`
		IPv4 string `json:"privateIp"`
		IPv6 string `json:"ipv6Addr"`
	}
	if json.Unmarshal([]byte(p.Annotations["vpc.amazonaws.com/pod-eni"]), &enis) != nil {
		return ""
	}
	for _, e := range enis {
		if e.IPv4 == addr.String() || e.IPv6 == addr.String() {
			return e.ID
		}
	}
	return ""
}

// instanceOf is the EC2 instance of a node, from its provider id; empty on Fargate, on hybrid nodes, and where there is no node.
func instanceOf(n *corev1.Node) string {
	if n == nil {
		return ""
	}
	id := n.Spec.ProviderID[strings.LastIndexByte(n.Spec.ProviderID, '/')+1:]
	if !strings.HasPrefix(id, "i-") {
		return ""
	}
	return id
}

// sorted is the list without its empty and repeated entries.
func sorted(list []string) []string {
	list = slices.DeleteFunc(list, func(s string) bool { return s == "" })
	slices.Sort(list)
	return slices.Compact(list)
}
