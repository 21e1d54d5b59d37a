package cni

import "slices"

// Growth is what further pods take: nodes, and addresses of the subnet in which these have their pods.
type Growth struct {
	Nodes int
	// Addresses are the single ones: those of pods, and the primary address of each interface. With custom networking the
	// first interface of a node is in another subnet, which has to have Nodes more.
	Addresses int
	Prefixes  int // whole /28, besides
}

// Total counts all addresses, 16 for each prefix.
func (g Growth) Total() int { return g.Addresses + PrefixSize*g.Prefixes }

func (g Growth) plus(o Growth) Growth {
	return Growth{g.Nodes + o.Nodes, g.Addresses + o.Addresses, g.Prefixes + o.Prefixes}
}

// Takes is what a node with this many pods that need an address takes out of the subnet of its pods when nothing moves any more.
func (n Node) Takes(s Settings, pods int) Growth {
	p := n.Attached(s, pods)
	own := p.Interfaces
	if s.CustomNetworking {
		own--
	}
	if p.Prefixes > 0 {
		return Growth{Nodes: 1, Addresses: own, Prefixes: p.Prefixes}
	}
	return Growth{Nodes: 1, Addresses: own + p.Addresses}
}

// NodePerPod is the growth where each further pod gets a node of its own, as where only one of them fits on a node. pods are all
// of such a node that need an address: the further one, and those that run on every node.
func (n Node) NodePerPod(s Settings, further, pods int) Growth {
	one := n.Takes(s, pods)
	return Growth{Nodes: further, Addresses: further * one.Addresses, Prefixes: further * one.Prefixes}
}

// Load is a node that is there.
type Load struct {
	Node
	Pods int    // that need an address
	Most int    // such pods that it can take: by max-pods, by places for addresses, by what they request
	Now  Growth // what it holds in the subnet
}

// Fill is the growth where further pods go to nodes that are there, always to the one with the fewest, and what these can't take
// to further nodes like n with most pods each. A node that holds more than it needs takes nothing.
func (n Node) Fill(s Settings, loads []Load, further, most int) Growth {
	loads = slices.Clone(loads)
	var out Growth
	before := make([]int, len(loads))
	for i, l := range loads {
		before[i] = l.Pods
	}
	for ; further > 0; further-- {
		least := -1
		for i, l := range loads {
			if l.Pods < l.Most && (least < 0 || l.Pods < loads[least].Pods) {
				least = i
			}
		}
		if least < 0 {
			break
		}
		loads[least].Pods++
	}
	for i, l := range loads {
		if l.Pods > before[i] {
			t := l.Takes(s, l.Pods)
			out = out.plus(Growth{0, max(t.Addresses-l.Now.Addresses, 0), max(t.Prefixes-l.Now.Prefixes, 0)})
		}
	}
	for most = max(most, 1); further > 0; further -= most {
		out = out.plus(n.Takes(s, min(further, most)))
	}
	return out
}

// Times is the growth to k times the pods, where nodes carry as many as now: nodes and pods are those of now, and holds what they hold.
func (n Node) Times(s Settings, k float64, nodes, pods int, holds Growth) Growth {
	then := ceil(k * float64(nodes))
	one := n.Takes(s, pods)
	return Growth{Nodes: then - nodes, Addresses: max(then*one.Addresses-holds.Addresses, 0), Prefixes: max(then*one.Prefixes-holds.Prefixes, 0)}
}

func ceil(f float64) int {
	n := int(f)
	if float64(n) < f {
		n++
	}
	return n
}

// Reserve is how many addresses a subnet should keep for load balancers, upgrades and node rotation: 5 in 100, and at least 16.
func Reserve(usable int) int { return max(16, (usable+19)/20) }
