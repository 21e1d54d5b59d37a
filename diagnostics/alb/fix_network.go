package alb

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/vpc"
)

// fixEgress offers the text of an outbound rule of the load balancer's own group.
func (a *analysis) fixEgress(f diagnostics.Finding) {
	b := a.blockOf(f)
	owner := groupOwner(a.s.group(b.subject))
	fw := a.s.Firewall
	var changes, commands []string
	for _, port := range b.ports() {
		var to []string
		for _, p := range b.pairs {
			if p.path.port == port {
				to = append(to, a.chosen(sorted(slices.Clone(p.t.eni.Groups))))
			}
		}
		for _, group := range sorted(to) {
			fw = fw.With(vpc.SecurityGroupRule{ID: "new rule", Group: b.subject, Egress: true, Protocol: "tcp", From: port, To: port, Source: group})
			changes = append(changes, fmt.Sprintf("security group %s: outbound tcp %d to %s", b.subject, port, group))
			commands = append(commands, fmt.Sprintf("aws ec2 authorize-security-group-egress --group-id %s --ip-permissions 'IpProtocol=tcp,FromPort=%d,ToPort=%d,UserIdGroupPairs=[{GroupId=%s}]'", b.subject, port, port, group))
		}
	}
	opened, all, still := a.proveAll(b, fw)
	a.offer(f, diagnostics.Fix{
		ID: "allow-alb-egress", Title: "Let the load balancer out to its targets", Owner: owner, Frees: len(b.targets()), Needs: len(b.targets()),
		Proof: proofOf("with "+plural(len(changes), "outbound rule"), opened, all, still), Changes: changes, Commands: commands,
		Blast: "every load balancer that carries " + b.subject + drift(owner), Undo: "revoke the rule by its id", Risk: "changes a group of the network team",
	})
	a.refuse("allow-pod-port", "%d of %d paths are blocked before they reach the targets, at the outbound rules of %s: an inbound rule there would open none", len(b.pairs), len(b.pairs), b.subject)
}

// proveAll counts the blocked paths of all ports that a changed firewall opens.
func (a *analysis) proveAll(b *block, fw vpc.Firewall) (opened, all int, still string) {
	for _, port := range b.ports() {
		o, n, s := a.prove(b, port, fw, nil)
		opened, all, still = opened+o, all+n, cmp.Or(still, s)
	}
	return opened, all, still
}

func proofOf(what string, opened, all int, still string) string {
	text := fmt.Sprintf("%s %d of %d blocked paths are open", what, opened, all)
	if opened < all && still != "" {
		text += "; what else blocks: " + still
	}
	return text
}

// aclEntries is how many entries a network ACL takes by default in each direction (Amazon VPC quotas; up to 40 on request).
const aclEntries = 20

// fixACL offers the text for the network team: an ACL concerns a whole subnet, so the bot keeps out of it.
func (a *analysis) fixACL(f diagnostics.Finding) {
	b := a.blockOf(f)
	fw := a.s.Firewall
	number := map[bool]int{}
	var changes, commands []string
	for _, e := range a.lacking(b) {
		if _, ok := number[e.Egress]; !ok {
			number[e.Egress] = a.below(b.subject, e.Egress)
		}
		e.Number = number[e.Egress]
		if e.Number < 1 {
			changes = append(changes, fmt.Sprintf("network ACL %s: %s, allow tcp %s for %s, before the entry that denies; its numbers leave no room below, so they must be renumbered", b.subject, direction(e.Egress), span(e), e.CIDR))
			e.Number = 0
		} else {
			number[e.Egress]--
			changes = append(changes, fmt.Sprintf("network ACL %s: %s entry %d, allow tcp %s for %s", b.subject, direction(e.Egress), e.Number, span(e), e.CIDR))
			way := "--ingress"
			if e.Egress {
				way = "--egress"
			}
			commands = append(commands, fmt.Sprintf("aws ec2 create-network-acl-entry --network-acl-id %s %s --rule-number %d --protocol tcp --port-range From=%d,To=%d --cidr-block %s --rule-action allow", b.subject, way, e.Number, e.From, e.To, e.CIDR))
		}
		fw = fw.WithEntry(b.subject, e)
	}
	opened, all, still := a.proveAll(b, fw)
	x := diagnostics.Fix{
		ID: "edit-nacl", Title: "Let the load balancer's traffic through " + b.subject, Frees: len(b.targets()), Needs: len(b.targets()),
		Proof: proofOf(fmt.Sprintf("with %d more entries", len(changes)), opened, all, still), Changes: changes,
		Blast: "every address of the subnets that " + b.subject + " guards; an ACL keeps no state, so both directions count", Undo: "delete the entry by its number",
		Risk:     fmt.Sprintf("whole subnets; the ACL holds %d inbound and %d outbound entries of %d that it takes by default", a.entries(b.subject, false), a.entries(b.subject, true), aclEntries),
		Commands: append([]string{"aws ec2 describe-network-acls --network-acl-ids " + b.subject}, commands...),
	}
	a.offer(f, x)
	a.refuse("allow-pod-port", "the security groups admit the load balancer; %d paths are blocked at network ACL %s", len(b.pairs), b.subject)
}

func direction(egress bool) string {
	if egress {
		return "outbound"
	}
	return "inbound"
}

func span(e vpc.ACLEntry) string {
	if e.From == e.To {
		return fmt.Sprint(e.From)
	}
	return fmt.Sprintf("%d-%d", e.From, e.To)
}

// lacking lists the entries that would let the blocked packets of a network ACL through, each for a whole subnet: the
// addresses of a load balancer change, its subnets don't.
func (a *analysis) lacking(b *block) []vpc.ACLEntry {
	var out []vpc.ACLEntry
	for _, p := range b.pairs {
		e := vpc.ACLEntry{Protocol: "6", From: p.path.port, To: p.path.port, Allow: true}
		if p.hop.Kind.Return() {
			e.From, e.To = vpc.EphemeralFrom, vpc.EphemeralTo
		}
		from, to := a.s.network(p.path.from), p.t.eni
		peer, addr := from.Subnet, from.Primary // at the target's subnet the load balancer is the other side
		if p.hop.Kind == vpc.SourceACLOut || p.hop.Kind == vpc.SourceACLIn {
			peer, addr = to.Subnet, p.t.addr
		}
		e.Egress = p.hop.Kind == vpc.SourceACLOut || p.hop.Kind == vpc.TargetACLOut
		e.CIDR = a.blockOfSubnet(peer, addr)
		if !slices.Contains(out, e) {
			out = append(out, e)
		}
	}
	return out
}

// blockOfSubnet is the block of a subnet, or the address alone where that was not read.
func (a *analysis) blockOfSubnet(id string, addr netip.Addr) netip.Prefix {
	for _, s := range a.s.Subnets {
		if s.ID == id && s.CIDR.IsValid() && s.CIDR.Addr().Is4() == addr.Is4() {
			return s.CIDR
		}
	}
	return netip.PrefixFrom(addr, addr.BitLen())
}

// below is a number for a new entry that goes before all others of its direction; 0 where there is no room.
func (a *analysis) below(acl string, egress bool) int {
	lowest := 0
	a.eachEntry(acl, egress, func(e vpc.ACLEntry) {
		if lowest == 0 || e.Number < lowest {
			lowest = e.Number
		}
	})
	switch {
	case lowest == 0:
		return 100
	case lowest > 10:
		return lowest - 10
	}
	return lowest - 1
}

func (a *analysis) entries(acl string, egress bool) int {
	n := 0
	a.eachEntry(acl, egress, func(vpc.ACLEntry) { n++ })
	return n
}

// eachEntry goes through the entries of an ACL in one direction, the implicit last one left out.
func (a *analysis) eachEntry(acl string, egress bool, do func(vpc.ACLEntry)) {
	for _, subnet := range sortedKeys(a.s.Firewall.ACLIDs) {
		if a.s.Firewall.ACLIDs[subnet] != acl {
			continue
		}
		for _, e := range a.s.Firewall.ACLs[subnet] {
			if e.Egress == egress && e.Number < 32767 {
				do(e)
			}
		}
		return
	}
}

// fixNodes offers the text of a rule between nodes, proved for every node and every pod of another node.
func (a *analysis) fixNodes(f diagnostics.Finding) {
	g := a.groupFor(f)
	hops := a.hops(g, g.registered())
	var changes, commands []string
	fw := a.s.Firewall
	for _, s := range a.sourcesOf(hops, f.Subject) {
		fw = fw.With(vpc.SecurityGroupRule{ID: "new rule", Group: f.Subject, Protocol: "tcp", From: s.port, To: s.port, Source: s.group})
		changes = append(changes, fmt.Sprintf("security group %s: inbound tcp %d from %s", f.Subject, s.port, s.group))
		commands = append(commands, fmt.Sprintf("aws ec2 authorize-security-group-ingress --group-id %s --protocol tcp --port %d --source-group %s", f.Subject, s.port, s.group))
	}
	opened, all := 0, 0
	for _, h := range hops {
		if h.reach.Verdict == vpc.Allowed || !h.in(f.Subject) {
			continue
		}
		all++
		if fw.Path(*h.from, *h.to, h.addr, h.port).Verdict == vpc.Allowed {
			opened++
		}
	}
	owner := groupOwner(a.s.group(f.Subject))
	a.offer(f, diagnostics.Fix{
		ID: "allow-pod-port", Title: "Let nodes reach pods of other nodes in " + f.Subject, Owner: owner, Frees: len(f.Affects), Needs: len(f.Affects),
		Proof:   fmt.Sprintf("with %s %d of %d blocked ways from node to pod are open", plural(len(changes), "rule"), opened, all),
		Changes: append(changes, "or annotation "+annotation("target-type")+": ip, which leaves the second hop out (and makes a new target group)"),
		Blast:   fmt.Sprintf("every interface that carries %s (%d seen here, often all nodes) can be reached on these ports from all nodes", f.Subject, a.carrying(f.Subject)) + drift(owner), Undo: "revoke the rule by its id", SettlesIn: a.settles(g),
		Commands: commands,
	})
}
