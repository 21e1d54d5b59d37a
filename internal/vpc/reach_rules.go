package vpc

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Admits reports whether the rule, of whichever group it is, lets TCP packets on a port pass to or from a peer that has
// this address and carries these groups. decided is false where the rule stands on a prefix list that was not read.
//
// A reference to a security group holds for private addresses of interfaces that carry the group, in this VPC or in one
// that is peered actively; a reference to the own group is nothing special. A rule for IPv4 never admits IPv6.
func (f Firewall) Admits(r SecurityGroupRule, peer netip.Addr, peerGroups []string, port int) (admits, decided bool) {
	if !isTCP(r.Protocol) || (r.Protocol != allProtocols && (port < r.From || port > r.To)) {
		return false, true
	}
	switch {
	case r.Source != "":
		return (r.Peering == "" || r.Peering == "active") && slices.Contains(peerGroups, r.Source), true
	case r.PrefixList != "":
		list, ok := f.PrefixLists[r.PrefixList]
		if !ok {
			return false, false
		}
		return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(peer) }), true
	}
	return r.CIDR.IsValid() && r.CIDR.Contains(peer), true
}

// allProtocols is how EC2 spells "every protocol and port".
const allProtocols = "-1"

func isTCP(protocol string) bool {
	return protocol == allProtocols || protocol == "tcp" || protocol == "6"
}

// group asks all groups of an interface: the union of all their rules counts, order doesn't, and nothing denies but the lack of a rule.
func (f Firewall) group(kind HopKind, own NetworkInterface, egress bool, peer netip.Addr, peerGroups []string, port int) Hop {
	h := Hop{Kind: kind, Verdict: Denied, Groups: slices.Sorted(slices.Values(own.Groups))}
	direction := "into"
	if egress {
		direction = "out of"
	}
	for _, g := range h.Groups {
		rules, ok := f.Rules[g]
		if !ok {
			h.Unread = append(h.Unread, g)
			continue
		}
		for _, r := range rules {
			if r.Egress != egress {
				continue
			}
			admits, decided := f.Admits(r, peer, peerGroups, port)
			if admits {
				return Hop{Kind: kind, Verdict: Allowed, By: r.ID, Groups: h.Groups, Reason: fmt.Sprintf("%s of %s admits tcp %d (%s)", r.ID, g, port, describe(r))}
			}
			if !decided {
				h.Unread = append(h.Unread, r.PrefixList)
			}
		}
	}
	h.By = strings.Join(h.Groups, " ")
	if len(h.Unread) > 0 {
		slices.Sort(h.Unread)
		h.Unread = slices.Compact(h.Unread)
		h.Verdict, h.Reason = Unknown, "not readable: "+strings.Join(h.Unread, ", ")
		return h
	}
	if len(h.Groups) == 0 {
		// Every interface that EC2 filters carries a group; without one we have not seen the interface.
		h.Verdict, h.By, h.Reason = Unknown, own.ID, "security groups of "+own.ID+" not known"
		return h
	}
	h.Reason = fmt.Sprintf("no rule of %s lets tcp %d %s %s, peer %s with %s", strings.Join(h.Groups, ", "), port, direction, own.ID, peer, orNone(peerGroups))
	return h
}

func orNone(groups []string) string {
	if len(groups) == 0 {
		return "no group"
	}
	return strings.Join(slices.Sorted(slices.Values(groups)), ", ")
}

// describe says what a rule admits.
func describe(r SecurityGroupRule) string {
	ports := fmt.Sprintf("%s %d-%d", r.Protocol, r.From, r.To)
	if r.Protocol == allProtocols {
		ports = "all traffic"
	} else if r.From == r.To {
		ports = fmt.Sprintf("%s %d", r.Protocol, r.From)
	}
	peer := cmp.Or(r.Source, r.PrefixList)
	if peer == "" {
		peer = r.CIDR.String()
	}
	if r.Egress {
		return ports + " to " + peer
	}
	return ports + " from " + peer
}

// acl asks the network ACL of a subnet about a range of ports: the entry with the lowest number that matches decides for
// each of them, and what no entry matches is denied.
func (f Firewall) acl(kind HopKind, subnet string, egress bool, peer netip.Addr, want PortRange) Hop {
	entries, ok := f.ACLs[subnet]
	if !ok {
		return Hop{Kind: kind, Verdict: Unknown, By: subnet, Reason: "network ACL of " + subnet + " not readable", Unread: []string{subnet}}
	}
	h := Hop{Kind: kind, Verdict: Allowed, By: cmp.Or(f.ACLIDs[subnet], subnet)}
	entries = slices.Clone(entries)
	slices.SortStableFunc(entries, func(a, b ACLEntry) int { return cmp.Compare(a.Number, b.Number) })
	open := []PortRange{want} // not decided yet
	var allowed, denied int
	var why []string
	for _, e := range entries {
		if e.Egress != egress || (e.Protocol != allProtocols && e.Protocol != "6" && e.Protocol != "tcp") || !e.CIDR.Contains(peer) {
			continue
		}
		span := PortRange{e.From, e.To}
		if e.Protocol == allProtocols {
			span = PortRange{0, 65535}
		}
		var rest []PortRange
		for _, o := range open {
			both := PortRange{max(o.From, span.From), min(o.To, span.To)}
			if both.From > both.To {
				rest = append(rest, o)
				continue
			}
			if e.Allow {
				allowed += both.size()
			} else {
				denied += both.size()
				why = append(why, fmt.Sprintf("entry %d of %s denies %s for %s", e.Number, h.By, both, e.CIDR))
			}
			if o.From < both.From {
				rest = append(rest, PortRange{o.From, both.From - 1})
			}
			if both.To < o.To {
				rest = append(rest, PortRange{both.To + 1, o.To})
			}
		}
		open = rest
	}
	for _, o := range open {
		denied += o.size()
		why = append(why, fmt.Sprintf("no entry of %s allows %s for %s", h.By, o, peer))
	}
	h.Reason = strings.Join(why, "; ")
	switch {
	case denied == 0:
		h.Reason = fmt.Sprintf("%s allows %s for %s", h.By, want, peer)
	case allowed == 0:
		h.Verdict = Denied
	default:
		h.Verdict = Partial
	}
	return h
}

func (p PortRange) size() int { return p.To - p.From + 1 }

// String is the range as people write it: 8080, or 1024-65535.
func (p PortRange) String() string {
	if p.From == p.To {
		return fmt.Sprint(p.From)
	}
	return fmt.Sprintf("%d-%d", p.From, p.To)
}
