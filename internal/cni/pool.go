// Package cni is the arithmetic of the Amazon VPC CNI: how many pods an instance type can carry, how many addresses
// its ipamd keeps attached to a node, and how many it gives back when its targets change. It talks to nothing.
//
// The rules are those of amazon-vpc-cni-k8s v1.23 (docs/eni-and-ip-target.md, docs/prefix-and-ip-target.md, pkg/ipamd).
package cni

// PrefixSize is the number of addresses of a delegated IPv4 prefix, a /28.
const PrefixSize = 16

// Pool is what a node holds for its pods when nothing moves any more.
type Pool struct {
	Addresses  int // for pods: secondary addresses, or 16 for each prefix
	Prefixes   int // delegated prefixes; 0 without prefix delegation
	Interfaces int // network interfaces, the primary one included; trunk and unmanaged ones don't count
}

// Footprint counts the addresses that the pool takes out of the subnet: those for pods, and the primary address of each interface.
func (p Pool) Footprint() int { return p.Addresses + p.Interfaces }

// Node is a place for pods.
type Node struct {
	Limits  Limits
	MaxPods int // of the kubelet; 0 means the formula of MaxPods
	// Taken counts interfaces of the default network card that the CNI can't use for pods: trunk, unmanaged, excluded.
	Taken int
}

// Slots is the greatest number of pod addresses that a node can hold, whatever the subnet has. With custom
// networking the primary interface gives none. A type that is not Nitro falls back to secondary addresses.
func (n Node) Slots(s Settings) int {
	return n.usable(s) * n.Limits.perInterface(s)
}

// usable counts the interfaces that carry pod addresses at most.
func (n Node) usable(s Settings) int {
	most := n.Limits.Interfaces
	if s.MaxENI > 0 {
		most = min(most, s.MaxENI)
	}
	most -= n.Taken
	if s.CustomNetworking {
		most--
	}
	return max(most, 0)
}

// Attached is what the node holds in the steady state with this many pods that need an address (hostNetwork pods need none).
func (n Node) Attached(s Settings, pods int) Pool {
	maxPods := n.MaxPods
	if maxPods == 0 {
		maxPods = MaxPods(n.Limits, s)
	}
	unit, slots := 1, n.Slots(s)
	prefixes := s.PrefixDelegation && n.Limits.Nitro
	switch {
	case prefixes:
		unit = PrefixSize
	case !s.targets():
		unit = n.Limits.perInterface(s) // whole interfaces are filled
	}
	total := 0
	for unit > 0 && total+unit <= slots && total < maxPods {
		if short, _ := s.Target(n.Limits, total, min(pods, total)); short == 0 {
			break
		}
		total += unit
	}
	p := Pool{Addresses: total}
	if prefixes {
		p.Prefixes = total / PrefixSize
	}
	if per := n.Limits.perInterface(s); per > 0 {
		p.Interfaces = (total + per - 1) / per
	}
	if s.CustomNetworking {
		p.Interfaces++
	}
	p.Interfaces = max(p.Interfaces, 1)
	return p
}

// Target is what ipamd wants of a pool of total addresses of which assigned are in use: short addresses more, or over
// addresses less (counted as single addresses; prefixes and interfaces come and go whole). Addresses in cooldown count
// as free. Without targets over only says how much is above the warm interfaces or prefixes.
func (s Settings) Target(l Limits, total, assigned int) (short, over int) {
	free := total - assigned
	if !s.targets() {
		unit, warm := l.Addresses-1, s.WarmENI
		if s.PrefixDelegation && l.Nitro {
			unit, warm = PrefixSize, s.WarmPrefix
		}
		if warm == 0 {
			if free == 0 {
				return unit, 0
			}
			return 0, max(free-unit, 0)
		}
		return max(unit*warm-free, 0), max(free-unit*warm, 0)
	}
	short = max(s.WarmIP-free, s.MinimumIP-total, 0)
	over = max(min(free-s.WarmIP, total-s.MinimumIP), 0)
	return short, over
}

// HardCap reports that MINIMUM_IP_TARGET without WARM_IP_TARGET stops the node at that many addresses (whole prefixes
// with prefix delegation): ipamd is never short of a free one, so it never asks for another.
func (s Settings) HardCap() (addresses int, capped bool) {
	if s.MinimumIP <= 0 || s.WarmIP > 0 {
		return 0, false
	}
	if s.PrefixDelegation {
		return (s.MinimumIP + PrefixSize - 1) / PrefixSize * PrefixSize, true
	}
	return s.MinimumIP, true
}
