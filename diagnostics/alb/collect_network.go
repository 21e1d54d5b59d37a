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
	queries := []diagnostics.InterfaceQuery{
		{Addresses: sorted(addresses)}, {IDs: sorted(branches)}, {Instances: sorted(instances)},
	}
	if s.Balancer != nil {
		queries = append(queries, diagnostics.InterfaceQuery{Description: "ELB " + suffix(s.Balancer.ARN)})
	}
	c.query(ctx, queries...)
	c.carry()
	// Addresses in a prefix are not listed one by one: look through the interfaces of the pods' nodes.
	var hosts []string
	for _, a := range addresses {
		if s.Carriers[a] != "" {
			continue
		}
		addr, err := netip.ParseAddr(a)
		if err != nil {
			continue
		}
		if p := s.podAt(addr); p != nil {
			hosts = append(hosts, instanceOf(s.node(p.Spec.NodeName)))
		}
	}
	if hosts = sorted(hosts); len(hosts) > 0 {
		c.query(ctx, diagnostics.InterfaceQuery{Instances: hosts})
		c.carry()
	}
}

// query reads interfaces by several questions and adds those that are new, sorted by id.
func (c *collector) query(ctx context.Context, queries ...diagnostics.InterfaceQuery) {
	s := c.s
	var reads []func(context.Context)
	for _, q := range queries {
		if len(q.Addresses)+len(q.IDs)+len(q.Instances) == 0 && q.Description == "" {
			continue
		}
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

// firewalls reads the security groups, their rules and prefix lists, and the network ACLs between load balancer and targets.
func (c *collector) firewalls(ctx context.Context) {
	s := c.s
	s.Firewall = vpc.Firewall{
		Rules: map[string][]vpc.SecurityGroupRule{}, ACLs: map[string][]vpc.ACLEntry{}, ACLIDs: map[string]string{}, PrefixLists: map[string][]netip.Prefix{},
	}
	var groups, subnets []string
	if s.Balancer != nil {
		groups = append(groups, s.Balancer.Groups...)
		for _, z := range s.Balancer.Zones {
			subnets = append(subnets, z.Subnet)
		}
	}
	for _, eni := range s.Interfaces {
		groups = append(groups, eni.Groups...)
		subnets = append(subnets, eni.Subnet)
	}
	groups, subnets = sorted(groups), sorted(subnets)
	reads := []func(context.Context){c.routes}
	if len(groups) > 0 {
		reads = append(reads,
			func(ctx context.Context) {
				v, err := c.in.Firewalls.SecurityGroups(ctx, groups...)
				c.keep(err, strings.Join(groups, ", "), func() { s.Groups = v })
			},
			func(ctx context.Context) { c.groupRules(ctx, groups) })
	}
	if len(subnets) > 0 {
		reads = append(reads,
			func(ctx context.Context) {
				v, err := c.in.Routing.NetworkACLs(ctx, subnets...)
				c.keep(err, strings.Join(subnets, ", "), func() { s.guard(v) })
			},
			func(ctx context.Context) {
				v, err := c.in.Network.Subnets(ctx, subnets...)
				c.keep(err, strings.Join(subnets, ", "), func() { s.Subnets = v })
			})
	}
	c.parallel(ctx, reads...)
	slices.SortFunc(s.Groups, func(a, b vpc.SecurityGroup) int { return strings.Compare(a.ID, b.ID) })
	slices.SortFunc(s.Subnets, func(a, b vpc.Subnet) int { return strings.Compare(a.ID, b.ID) })
}

// guard notes which entries guard which subnet. A subnet that no ACL was given for stays unknown.
func (s *Snapshot) guard(acls []vpc.NetworkACL) {
	for _, a := range acls {
		for _, subnet := range a.Subnets {
			s.Firewall.ACLs[subnet] = append([]vpc.ACLEntry{}, a.Entries...)
			s.Firewall.ACLIDs[subnet] = a.ID
		}
	}
}

// groupRules reads the rules of the groups, and the prefix lists that they name.
func (c *collector) groupRules(ctx context.Context, groups []string) {
	s := c.s
	rules, err := c.in.Firewalls.SecurityGroupRules(ctx, groups...)
	if c.reads.Missed(err, strings.Join(groups, ", ")) {
		return
	}
	slices.SortStableFunc(rules, func(a, b vpc.SecurityGroupRule) int { return strings.Compare(a.ID, b.ID) })
	var lists []string
	byGroup := map[string][]vpc.SecurityGroupRule{}
	for _, g := range groups {
		byGroup[g] = []vpc.SecurityGroupRule{} // read, and perhaps empty
	}
	for _, r := range rules {
		byGroup[r.Group] = append(byGroup[r.Group], r)
		lists = append(lists, r.PrefixList)
	}
	c.mu.Lock()
	s.Firewall.Rules = byGroup
	c.mu.Unlock()
	var reads []func(context.Context)
	for _, id := range sorted(lists) {
		reads = append(reads, func(ctx context.Context) {
			v, err := c.in.Firewalls.PrefixList(ctx, id)
			c.keep(err, id, func() {
				entries := []netip.Prefix{}
				for _, text := range v {
					if p, err := netip.ParsePrefix(text); err == nil {
						entries = append(entries, p)
					}
				}
				s.Firewall.PrefixLists[id] = entries
			})
		})
	}
	c.parallel(ctx, reads...)
}

// routes reads the blocks of the VPC, and its route tables where a target lies outside: inside, the local route always connects.
func (c *collector) routes(ctx context.Context) {
	s := c.s
	if s.Balancer == nil {
		return
	}
	v, err := c.in.Network.VPC(ctx, s.Balancer.VPC)
	if c.reads.Missed(err, s.Balancer.VPC) {
		return
	}
	c.mu.Lock()
	s.VPC = &v
	c.mu.Unlock()
	for _, g := range s.TargetGroups {
		for _, h := range g.Health {
			addr, err := netip.ParseAddr(h.ID)
			if err != nil {
				continue
			}
			if in, known := s.inVPC(addr); known && !in {
				tables, err := c.in.Routing.RouteTables(ctx, s.Balancer.VPC)
				c.keep(err, s.Balancer.VPC, func() { s.Routes = tables })
				return
			}
		}
	}
}
