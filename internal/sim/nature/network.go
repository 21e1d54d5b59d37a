package nature

import (
	"context"
	"net/netip"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/awsnet"
	"github.com/netdiag/netdiag/internal/elb"
	"github.com/netdiag/netdiag/internal/vpc"
)

// view is what the health checkers see of the network in one round.
type view struct {
	groups   []elb.TargetGroup
	health   map[string][]elb.TargetHealth
	fronts   map[string][]vpc.NetworkInterface // by load balancer
	carriers map[string]vpc.NetworkInterface   // of targets, by address or instance
	firewall vpc.Firewall
}

// verdict is the worst answer over all interfaces of the load balancers, on the port of the traffic and on that of the
// check; known is false for targets that no interface carries.
func (v *view) verdict(g elb.TargetGroup, h elb.TargetHealth) (verdict vpc.Verdict, known bool) {
	carrier, ok := v.carriers[h.ID]
	address := carrier.Primary
	if a, err := netip.ParseAddr(h.ID); err == nil {
		address = a
	}
	verdict = vpc.Allowed
	for _, arn := range g.LoadBalancers {
		for _, front := range v.fronts[arn] {
			for _, port := range []int{h.Port, checkedPort(g, h)} {
				verdict, known = min(verdict, v.firewall.Path(front, carrier, address, port).Verdict), ok
			}
		}
	}
	return verdict, known
}

func (k *checks) view(ctx context.Context) (*view, error) {
	r := k.c.reads.Reader()
	groups, err := r.TargetGroups(ctx, k.arns...)
	if err != nil {
		return nil, err
	}
	v := &view{groups: groups, health: map[string][]elb.TargetHealth{}, fronts: map[string][]vpc.NetworkInterface{}, carriers: map[string]vpc.NetworkInterface{}}
	var all []vpc.NetworkInterface
	for _, g := range groups {
		if v.health[g.ARN], err = r.TargetHealth(ctx, g.ARN); err != nil {
			return nil, err
		}
		carriers, err := targetInterfaces(ctx, r, g.ARN)
		if err != nil {
			return nil, err
		}
		all = append(all, carriers...)
		for _, e := range carriers {
			v.carriers[e.Instance] = e
			for _, a := range e.Addresses {
				v.carriers[a.String()] = e
			}
			for _, a := range e.IPv6 {
				v.carriers[a.String()] = e
			}
		}
		for _, arn := range g.LoadBalancers {
			_, name, _ := strings.Cut(arn, ":loadbalancer/")
			front, err := r.Interfaces(ctx, diagnostics.InterfaceQuery{Description: "ELB " + name})
			if err != nil {
				return nil, err
			}
			v.fronts[arn] = front
			all = append(all, front...)
		}
	}
	v.firewall, err = firewall(ctx, r, all)
	return v, err
}

// firewall reads the security groups and network ACLs of interfaces.
func firewall(ctx context.Context, r *awsnet.Reader, interfaces []vpc.NetworkInterface) (vpc.Firewall, error) {
	f := vpc.Firewall{Rules: map[string][]vpc.SecurityGroupRule{}, ACLs: map[string][]vpc.ACLEntry{}, ACLIDs: map[string]string{}, PrefixLists: map[string][]netip.Prefix{}}
	subnets := map[string]bool{}
	for _, e := range interfaces {
		subnets[e.Subnet] = true
		for _, g := range e.Groups {
			f.Rules[g] = nil
		}
	}
	rules, err := r.SecurityGroupRules(ctx, sortedKeys(f.Rules)...)
	if err != nil {
		return f, err
	}
	for _, rule := range rules {
		f.Rules[rule.Group] = append(f.Rules[rule.Group], rule)
		if rule.PrefixList == "" || f.PrefixLists[rule.PrefixList] != nil {
			continue
		}
		list, err := r.PrefixList(ctx, rule.PrefixList)
		if err != nil {
			continue // the path stays unknown, and so the target as it is
		}
		f.PrefixLists[rule.PrefixList] = []netip.Prefix{}
		for _, text := range list {
			if p, err := netip.ParsePrefix(text); err == nil {
				f.PrefixLists[rule.PrefixList] = append(f.PrefixLists[rule.PrefixList], p)
			}
		}
	}
	acls, err := r.NetworkACLs(ctx, sortedKeys(subnets)...)
	if err != nil {
		return f, err
	}
	for _, acl := range acls {
		for _, s := range acl.Subnets {
			f.ACLs[s], f.ACLIDs[s] = acl.Entries, acl.ID
		}
	}
	return f, nil
}
