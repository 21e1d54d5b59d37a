package pending

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/awsnode"
	"github.com/netdiag/netdiag/internal/cni"
	"github.com/netdiag/netdiag/internal/vpc"
)

// Prefix delegation makes no addresses: it lets a node carry more of them. So it helps where nodes are full, never where
// subnets are, and only nodes that are started afterwards run more pods.

// prefixNeed is how many whole /28 each node of a subnet must find there: one in use and one kept warm.
const prefixNeed = 2

// prefixesHelp proves that nodes like these could have prefixes: every subnet of theirs has a free /28 twice for each node in
// it, the types can and the CNI is new enough. why says what proves it, or with a number what is against it.
func (a *analysis) prefixesHelp(nodes []*pool) (why string, ok bool) {
	if a.s.Driver == nil || len(nodes) == 0 {
		return "", false
	}
	subnets := map[string]bool{}
	for _, p := range nodes {
		switch {
		case !p.known || p.settings.IPv6:
			return "", false
		case !p.limits.Nitro:
			return fmt.Sprintf("%s is no Nitro type: the CNI falls back to single addresses there, and 0 prefixes are attached", p.node.Type), false
		}
		for _, id := range a.podSubnets(p) {
			subnets[id] = true
		}
	}
	if major, minor, _ := awsnode.Version(a.s.Driver.Version); major == 1 && minor < 9 {
		return fmt.Sprintf("vpc-cni %s is older than v1.9.0 and can't delegate prefixes", a.s.Driver.Version), false
	}
	var proof []string
	for _, id := range sorted(subnets) {
		s := a.s.subnet(id)
		if s == nil {
			return "", false
		}
		need := prefixNeed * a.nodesIn(s)
		free, sure := a.wholeBlocks(s)
		switch {
		case free < need && !sure:
			return "", false // there may be enough, or not
		case free < need:
			return fmt.Sprintf("subnet %s has %s, and its %s would need %d", id, plural(free, "free /28 block"), plural(a.nodesIn(s), "node"), need), false
		}
		proof = append(proof, fmt.Sprintf("subnet %s has at least %s and its %s ask for %d", id, plural(free, "whole /28 block"), plural(a.nodesIn(s), "node"), need))
	}
	return strings.Join(proof, "; "), len(proof) > 0
}

// podSubnets are those in which new interfaces for pods of a node are made.
func (a *analysis) podSubnets(p *pool) []string {
	if p.settings.CustomNetworking {
		if id := a.eniConfig(p); id != "" {
			return []string{id}
		}
		return nil
	}
	return p.subnets()
}

// nodesIn counts the nodes of the cluster whose pods get their addresses in a subnet.
func (a *analysis) nodesIn(s *vpc.Subnet) int {
	n := 0
	for i := range a.s.Nodes {
		p := a.pools[a.s.Nodes[i].Name]
		in := s.CIDR.IsValid() && a.s.subnetAt(p.node.Address) == s
		if p.settings.CustomNetworking {
			in = a.eniConfig(p) == s.ID
		}
		if in && !p.node.Fargate {
			n++
		}
	}
	return n
}

// wholeBlocks is how many /28 of a subnet are free at least. sure means that it is the most as well: otherwise its interfaces
// were not all read, and free addresses beyond fifteen a block prove whole ones.
func (a *analysis) wholeBlocks(s *vpc.Subnet) (free int, sure bool) {
	if b, ok := a.prefixesOf(s); ok {
		return b.AtLeast + b.Reserved, true
	}
	return max(s.Available-15*(vpc.Usable(s.CIDR)+5)/cni.PrefixSize, 0), false
}

// madeForPrefixes reports nodes whose kubelets allow as many pods as only delegated prefixes can serve.
func madeForPrefixes(nodes []*pool) bool {
	return len(nodes) > 0 && !slices.ContainsFunc(nodes, func(p *pool) bool {
		with := p.settings
		with.PrefixDelegation = true
		return p.settings.PrefixDelegation || p.node.MaxPods < cni.MaxPods(p.limits, with) || p.node.MaxPods <= p.place().Slots(p.settings)+2
	})
}

// offerPrefixes proposes prefix delegation for nodes that are full, where it is proved to help, and refuses it with the number
// that is against it. It is nothing for the bot to carry out: a node that is full has no place for a prefix until it is replaced.
func (a *analysis) offerPrefixes(f *diagnostics.Finding, full []*pool) {
	if len(full) == 0 || full[0].prefixes() {
		return
	}
	why, ok := a.prefixesHelp(full)
	p := full[0]
	with := p.settings
	with.PrefixDelegation = true
	switch {
	case !ok && why != "":
		a.refuse("enable-prefix-delegation", "%s", why)
		return
	case !ok:
		return
	}
	most, now := cni.MaxPods(p.limits, with), p.place().Slots(p.settings)
	needs := 0
	for _, p := range full {
		needs += p.needing
	}
	fix := diagnostics.Fix{Title: "Delegate prefixes to the nodes, and replace those that are full", Needs: max(needs, len(f.Affects)),
		Proof: fmt.Sprintf("each %s holds %d pod addresses now and %d with prefixes, for up to %d pods; %s", p.node.Type, now, p.place().Slots(with), most, why)}
	fix = a.s.setup().Change(fix, true, awsnode.Setting{Name: "ENABLE_PREFIX_DELEGATION", Value: "true"})
	fix.Action, fix.Executable = nil, false
	fix.SettlesIn = "15m"
	if p.node.MaxPods >= most {
		fix.Changes = append(fix.Changes, fmt.Sprintf("%s drained and replaced: they allow %d pods already", plural(len(full), "full node"), p.node.MaxPods))
	} else {
		fix.Changes = append(fix.Changes, fmt.Sprintf("new nodes of type %s with max-pods %d instead of %d; the %s stay at %d until they are replaced", p.node.Type, most, p.node.MaxPods, plural(len(full), "full node"), p.node.MaxPods))
	}
	fix.Blast += "; nodes that are there hand back the single addresses that no pod uses and mix both kinds until they are replaced"
	for n := range full[:min(len(full), 3)] {
		fix.Commands = append(fix.Commands, "kubectl drain "+full[n].node.Name+" --ignore-daemonsets --delete-emptydir-data")
	}
	fix.Undo += "; prefixes in use stay until their pods are gone"
	a.offer("enable-prefix-delegation", fix, f)
}

// fixReserved is for a subnet without single addresses some of which are set aside for prefixes, by a reservation or on nodes
// that hold prefixes already, while prefix delegation is off: then nobody can have them. It reports whether that is so.
func (a *analysis) fixReserved(f *diagnostics.Finding) bool {
	s, here := a.s.subnet(f.Subject), a.affected(f)
	if s == nil || a.s.Driver == nil || len(here) == 0 {
		return false
	}
	if major, minor, _ := awsnode.Version(a.s.Driver.Version); major == 1 && minor < 9 {
		return false
	}
	blocks, _ := a.prefixesOf(s)
	idle, needs, further := 0, 0, 0
	for _, p := range here {
		if !p.known || p.settings.PrefixDelegation || p.settings.IPv6 || !p.limits.Nitro {
			return false
		}
		free := p.idleInPrefixes()
		idle, needs = idle+free, needs+p.needing
		if short := p.needing - free; short > 0 {
			further += (short + cni.PrefixSize - 1) / cni.PrefixSize
			if p.room() == 0 {
				return false // a new interface would need a single address
			}
		}
	}
	if needs == 0 || further > 0 && blocks.Reserved < max(further, prefixNeed*a.nodesIn(s)) {
		return false
	}
	fix := diagnostics.Fix{Title: "Delegate prefixes again: what is left of the subnet is set aside for them", Frees: idle + cni.PrefixSize*blocks.Reserved, Needs: needs,
		Proof: fmt.Sprintf("subnet %s has %d single addresses, but the waiting nodes hold %d unused ones in prefixes and %s are reserved for further ones; %s missing, and while prefixes are not delegated none of these is given out",
			s.ID, s.Available, idle, plural(blocks.Reserved, "whole /28 block"), awsnode.AreMissing(needs))}
	fix = a.s.setup().Change(fix, true, awsnode.Setting{Name: "ENABLE_PREFIX_DELEGATION", Value: "true"})
	fix.Blast += "; single addresses that no pod uses go back to the subnet, those in use stay until their pods are gone"
	a.offer("enable-prefix-delegation", fix, f)
	return true
}

// idleInPrefixes counts the addresses in prefixes of a node that no pod uses.
func (p *pool) idleInPrefixes() int {
	n := 0
	for _, m := range p.members {
		n += cni.PrefixSize * len(m.eni.Prefixes)
	}
	if p.prefixes() {
		return n - p.assigned
	}
	return n - p.aside
}
