package vpc

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
)

// Verdict says whether packets get through. The verdicts are ordered: a path is as good as its worst hop.
type Verdict int

// Denied is proven: everything that could let the packet in was read, and nothing does. Partial means that only some of
// the source ports get an answer, so that connections fail now and then. Unknown means that something which could let the
// packet in was not readable. Allowed is proven.
const (
	Denied Verdict = iota
	Partial
	Unknown
	Allowed
)

// String is the verdict in one lower-case word.
func (v Verdict) String() string {
	switch v {
	case Denied:
		return "denied"
	case Partial:
		return "partial"
	case Unknown:
		return "unknown"
	case Allowed:
		return "allowed"
	}
	return fmt.Sprintf("verdict(%d)", int(v))
}

// HopKind is a place where a packet, or the answer to it, can be dropped.
type HopKind string

// The hops of a path in the order in which the packets meet them: the first four on the way there, the last two on the
// way back, which only network ACLs look at because security groups remember connections.
const (
	NoFamily      HopKind = "address-family" // the interfaces share no address family
	SourceEgress  HopKind = "source-sg-egress"
	SourceACLOut  HopKind = "source-acl-out"
	TargetACLIn   HopKind = "target-acl-in"
	TargetIngress HopKind = "target-sg-ingress"
	TargetACLOut  HopKind = "target-acl-return-out"
	SourceACLIn   HopKind = "source-acl-return-in"
	DetourHop     HopKind = "route" // beside the way: a route sends the packets through something else
)

// Return reports whether the hop is on the way back.
func (k HopKind) Return() bool { return k == TargetACLOut || k == SourceACLIn }

// Hop is the verdict of one place on the path.
type Hop struct {
	Kind    HopKind `json:"kind"`
	Verdict Verdict `json:"verdict"`
	// By is the id of what decided: the rule that lets the packet in, or the security group or network ACL that doesn't.
	By string `json:"by"`
	// Groups lists the security groups that were asked, none for a network ACL.
	Groups []string `json:"groups,omitempty"`
	Reason string   `json:"reason"`
	// Unread lists what could not be read and could have changed the verdict: security group, prefix list or subnet ids.
	Unread []string `json:"unread,omitempty"`
}

// Reach is the answer to one question of Path; its verdict is the worst of its hops.
type Reach struct {
	Verdict Verdict `json:"verdict"`
	Hops    []Hop   `json:"hops"`
}

// Blocking lists the hops that deny or answer in part, in packet order: two blocks can stand at once.
func (r Reach) Blocking() []Hop {
	var out []Hop
	for _, h := range r.Hops {
		if h.Verdict == Denied || h.Verdict == Partial {
			out = append(out, h)
		}
	}
	return out
}

// Unread lists what could not be read and could have changed the verdict.
func (r Reach) Unread() []string {
	var out []string
	for _, h := range r.Hops {
		out = append(out, h.Unread...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Firewall is every security group rule and network ACL that was read. A key that is absent was not readable, which is
// something else than read and empty.
type Firewall struct {
	Rules       map[string][]SecurityGroupRule // by security group id, both directions
	ACLs        map[string][]ACLEntry          // by subnet id
	ACLIDs      map[string]string              // network ACL id by subnet id
	PrefixLists map[string][]netip.Prefix      // by prefix list id
}

// PortRange is an inclusive range of ports.
type PortRange struct{ From, To int }

// EphemeralFrom and EphemeralTo bound the source ports of a load balancer node, to which answers must get back (VPC user
// guide, network ACLs: requests that originate from Elastic Load Balancing use ports 1024-65535).
const (
	EphemeralFrom = 1024
	EphemeralTo   = 65535
)

// Path tells whether a TCP connection from one interface reaches an address of another on a port, and the answer gets
// back. Network ACLs are met only by packets that enter or leave a subnet.
func (f Firewall) Path(from, to NetworkInterface, toAddr netip.Addr, port int) Reach {
	src, ok := sameFamily(from, toAddr)
	if !ok {
		return Reach{Denied, []Hop{{Kind: NoFamily, Verdict: Denied, By: from.ID, Reason: fmt.Sprintf("%s has no address of the family of %s", from.ID, toAddr)}}}
	}
	dst, ephemeral := PortRange{port, port}, PortRange{EphemeralFrom, EphemeralTo}
	hops := []Hop{f.group(SourceEgress, from, true, toAddr, to.Groups, port)}
	cross := from.Subnet != to.Subnet
	if cross {
		hops = append(hops,
			f.acl(SourceACLOut, from.Subnet, true, toAddr, dst),
			f.acl(TargetACLIn, to.Subnet, false, src, dst))
	}
	hops = append(hops, f.group(TargetIngress, to, false, src, from.Groups, port))
	if cross {
		hops = append(hops,
			f.acl(TargetACLOut, to.Subnet, true, src, ephemeral),
			f.acl(SourceACLIn, from.Subnet, false, toAddr, ephemeral))
	}
	r := Reach{Allowed, hops}
	for _, h := range hops {
		r.Verdict = min(r.Verdict, h.Verdict)
	}
	return r
}

// With is the firewall with one more security group rule: would this rule open the path? Where the rules of its group
// were not readable they stay so, because a guess proves nothing.
func (f Firewall) With(rule SecurityGroupRule) Firewall {
	old, ok := f.Rules[rule.Group]
	if !ok {
		return f
	}
	rules := make(map[string][]SecurityGroupRule, len(f.Rules))
	maps.Copy(rules, f.Rules)
	rules[rule.Group] = append(slices.Clone(old), rule)
	f.Rules = rules
	return f
}

// WithEntry is the firewall with one more entry of a network ACL, on every subnet that the ACL guards.
func (f Firewall) WithEntry(acl string, e ACLEntry) Firewall {
	acls := make(map[string][]ACLEntry, len(f.ACLs))
	for subnet, entries := range f.ACLs {
		acls[subnet] = entries
		if f.ACLIDs[subnet] == acl {
			acls[subnet] = append(slices.Clone(entries), e)
		}
	}
	f.ACLs = acls
	return f
}

// sameFamily is the address of an interface from which it would talk to addr.
func sameFamily(from NetworkInterface, addr netip.Addr) (netip.Addr, bool) {
	own := from.Addresses
	if addr.Is6() && !addr.Is4In6() {
		own = from.IPv6
	}
	for _, a := range append([]netip.Addr{from.Primary}, own...) {
		if a.IsValid() && a.Is4() == addr.Unmap().Is4() {
			return a, true
		}
	}
	return netip.Addr{}, false
}
