package alb

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/internal/vpc"
)

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
	c.ask(6) // with the VPC, and metrics at the same time
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

// mostLists is how many prefix lists are read.
const mostLists = 4

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
	for n, id := range sorted(lists) {
		if n >= mostLists {
			c.skip("ec2:GetManagedPrefixListEntries", id)
			continue
		}
		c.ask(1)
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

// routes reads the blocks of the VPC, and its route tables where a target lies outside or doesn't answer: inside, the local
// route connects, but for a route of its own that leads through something else.
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
			kind, _ := classOfHealth(h)
			addr, err := netip.ParseAddr(h.ID)
			in, known := s.inVPC(addr)
			if kind == drop || (err == nil && known && !in) {
				c.ask(1)
				tables, err := c.in.Routing.RouteTables(ctx, s.Balancer.VPC)
				c.keep(err, s.Balancer.VPC, func() { s.Routes = tables })
				return
			}
		}
	}
}
