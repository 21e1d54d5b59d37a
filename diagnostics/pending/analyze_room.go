package pending

import (
	"fmt"
	"slices"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/cni"
	"github.com/netdiag/netdiag/internal/vpc"
)

// way is a way for ipamd to get another address: on an interface that is there, or with a new one.
type way struct {
	subnet *vpc.Subnet
	need   int  // free addresses that the call asks for; it gets all or none
	fill   bool // on an interface that is there
	tagged bool // a further subnet, found by its tag
}

// places lists the ways that a node has, and the subnets that they lead to.
func (a *analysis) places(p *pool) []way {
	var out []way
	add := func(id string, need int, fill, tagged bool) {
		s := a.s.subnet(id)
		if s == nil || slices.ContainsFunc(out, func(w way) bool { return w.subnet.ID == id && w.need <= need }) {
			return
		}
		out = append(out, way{s, need, fill, tagged})
	}
	for _, m := range p.members {
		if m.room > 0 && !m.excluded {
			add(m.eni.Subnet, 1, true, false)
		}
	}
	if !p.canAttach() {
		return out
	}
	short, _ := p.settings.Target(p.limits, p.attached, p.assigned)
	need := 1 + min(max(short, 1), p.limits.Addresses-1)
	if p.settings.WarmIP <= 0 && p.settings.MinimumIP <= 0 {
		need = p.limits.Addresses // its own primary address, and all the others at once
	}
	home := ""
	if len(p.members) > 0 {
		home = p.members[0].eni.Subnet
	}
	switch {
	case p.settings.CustomNetworking:
		add(a.eniConfig(p), need, false, false)
	default:
		if !a.s.setup().Untagged(a.s.subnet(home)) {
			add(home, need, false, false)
		}
		if p.settings.SubnetDiscovery && a.s.setup().Since(18, 0) {
			for _, s := range a.s.Subnets {
				if s.ID != home && s.Zone == p.node.Zone && a.s.setup().Discovered(s) {
					add(s.ID, need, false, true)
				}
			}
		}
	}
	return out
}

// subnetOrWitness decides between a subnet without room and, where there is room, what EC2 has answered instead.
func (a *analysis) subnetOrWitness(node *Node, p *pool, f diagnostics.Finding, pods []waiting) {
	if p.settings.CustomNetworking && p.room() == 0 && a.noENIConfig(p, f, pods) {
		return
	}
	ways := a.places(p)
	if len(ways) == 0 && a.noSubnet(p, f, pods) {
		return
	}
	if len(ways) == 0 {
		a.leaves("ec2:DescribeSubnets", "subnet-exhausted", "eni-all-or-nothing", "no-free-prefix")
		if !f.Latent {
			a.unsolve(pods, "the subnets of node "+node.Name+" are not known")
		}
		return
	}
	var short []way
	for _, w := range ways {
		if a.shortOf(p, w) {
			short = append(short, w)
		}
	}
	if len(short) == len(ways) {
		a.noRoom(p, short, f, pods)
		return
	}
	if f.Latent {
		return
	}
	if a.discoveryBug(p, ways, f, pods) || a.fewerThanWait(node, p, ways, f, pods) || a.prefixesRefused(node, p, ways, f, pods) || a.counted(node, p, f, pods) ||
		a.metadataLag(p, f, pods) || a.onDisk(p, f, pods) {
		return
	}
	if node.Metrics == nil {
		a.leaves("get pods/proxy", byCounter...)
	}
	a.unsolve(pods, fmt.Sprintf("node %s has no free address and its subnet %s has %d; what stops the CNI is not known", node.Name, ways[0].subnet.ID, ways[0].subnet.Available))
}

// shortOf reports that a way is proved to lead nowhere.
func (a *analysis) shortOf(p *pool, w way) bool {
	if p.prefixes() {
		blocks, ok := a.prefixesOf(w.subnet)
		return ok && blocks.None() || !w.fill && w.subnet.Available == 0
	}
	return w.subnet.Available < w.need
}

// prefixesOf estimates the free /28 of a subnet; ok is false where its interfaces were not all read and it has too many
// free addresses to be sure without.
func (a *analysis) prefixesOf(s *vpc.Subnet) (p vpc.Prefixes, ok bool) {
	l, whole := a.ledgers[s.ID]
	if !whole {
		return vpc.Prefixes{}, s.Available < cni.PrefixSize && len(a.s.Reservations) == 0
	}
	return vpc.FreePrefixes(l, a.s.Interfaces, a.s.Reservations), true
}

// noRoom reports subnets that can't serve the node: without an address, with fewer than one call asks for, or without a /28.
func (a *analysis) noRoom(p *pool, short []way, f diagnostics.Finding, pods []waiting) {
	most := short[0]
	for _, w := range short {
		if w.subnet.Available > most.subnet.Available {
			most = w
		}
	}
	s := most.subnet
	f.Subject = s.ID
	switch {
	case s.Available == 0:
		a.witnessed(&f, p, "InsufficientFreeAddressesInSubnet", "InsufficientCidrBlocks")
		a.exhausted(s, f, pods)
	case p.prefixes():
		blocks, _ := a.prefixesOf(s)
		f.ID = "no-free-prefix"
		if _, missed := a.unread("ec2:GetSubnetCidrReservations"); missed {
			f.Confidence = diagnostics.Likely // a reservation could hold some
		}
		f.Summary = fmt.Sprintf("subnet %s (%s) has %d addresses available but no free aligned /28, and the CNI asks for whole prefixes", s.ID, s.Zone, s.Available)
		f.Evidence = append([]diagnostics.Evidence{subnetEvidence(s), {What: "free aligned /28 of " + s.ID,
			Value:  fmt.Sprintf("0: in each of %d blocks with free addresses at least one is in use", blocks.Broken),
			Source: "ec2:DescribeNetworkInterfaces, ec2:GetSubnetCidrReservations", Repeat: "aws ec2 describe-network-interfaces --filters Name=subnet-id,Values=" + s.ID},
			settingsEvidence("ENABLE_PREFIX_DELEGATION", p)}, f.Evidence...)
		a.witnessed(&f, p, "InsufficientCidrBlocks", "InvalidParameterValue")
		a.find(f, pods)
	default:
		f.ID = "eni-all-or-nothing"
		f.Summary = fmt.Sprintf("subnet %s (%s) has %d addresses available, but a new interface of node %s asks for %d at once and gets none", s.ID, s.Zone, s.Available, p.node.Name, most.need)
		f.Evidence = append([]diagnostics.Evidence{subnetEvidence(s)}, f.Evidence...)
		a.witnessed(&f, p, "InsufficientFreeAddressesInSubnet")
		a.find(f, pods)
	}
}

// fewerThanWait is a subnet with some addresses left, but fewer than pods wait for on its nodes, and EC2 has refused to give
// them: the count of free addresses lags, and each that comes free is taken at once.
func (a *analysis) fewerThanWait(node *Node, p *pool, ways []way, f diagnostics.Finding, pods []waiting) bool {
	refusals := []string{"InsufficientFreeAddressesInSubnet"}
	if p.prefixes() || a.answered(node, refusals...) == 0 {
		return false
	}
	for _, w := range ways {
		needing := 0
		for n := range a.s.Nodes {
			if o := a.pools[a.s.Nodes[n].Name]; o.needing > 0 && o.footprint(w.subnet.ID) > 0 {
				needing += o.needing
			}
		}
		if w.subnet.Available >= needing {
			return false
		}
	}
	f.Confidence = diagnostics.Likely
	a.witnessed(&f, p, refusals...)
	a.exhausted(ways[0].subnet, f, pods)
	return true
}
