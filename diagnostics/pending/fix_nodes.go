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

// fixNewNodes starts nodes in subnets that have room.
func (a *analysis) fixNewNodes(f *diagnostics.Finding) {
	zone := ""
	if s := a.s.subnet(f.Subject); s != nil {
		zone = s.Zone
	}
	if here := a.affected(f); len(here) > 0 && here[0].known && here[0].settings.CustomNetworking && a.eniConfig(here[0]) == f.Subject {
		a.refuse("new-node-group", "pods of new nodes take their addresses of subnet %s too, as ENIConfig %q says, and it has %d left", f.Subject, here[0].eniConfigName(), available(a.s.subnet(f.Subject)))
		return
	}
	roomy, text := a.roomy(zone, 2*len(f.Affects)+16, f.Subject)
	if roomy == noRoomAnywhere && a.s.VPC != nil {
		a.refuse("new-node-group", "%s, and none of its blocks has an unused /26: nodes need another block first", text)
		return
	}
	fix := diagnostics.Fix{Title: "Start nodes in subnets that have room", Needs: len(f.Affects), Proof: text,
		Blast: "none on running pods; pods move only when they are made again", Undo: "delete the node group", SettlesIn: "10m",
		Changes:  []string{"a new managed node group"},
		Commands: []string{fmt.Sprintf("aws eks create-nodegroup --cluster-name %s --nodegroup-name <name> --node-role <role> --subnets %s", a.s.Target.Cluster, roomy)}}
	a.offer("new-node-group", fix, f)
}

// noRoomAnywhere stands where no subnet has room, and the VPC has none for another.
const noRoomAnywhere = "<new subnet>"

// roomy lists subnets but one with at least so many free addresses, those of the zone first.
func (a *analysis) roomy(zone string, need int, but string) (ids, text string) {
	var same, other []string
	for _, s := range a.s.Subnets {
		if s.Available < need || s.ID == but {
			continue
		}
		if s.Zone == zone {
			same = append(same, fmt.Sprintf("%s (%s, %d free)", s.ID, s.Zone, s.Available))
			ids += s.ID + " "
		} else {
			other = append(other, fmt.Sprintf("%s (%s, %d free)", s.ID, s.Zone, s.Available))
		}
	}
	if ids == "" {
		for _, s := range a.s.Subnets {
			if s.Available >= need && s.ID != but {
				ids += s.ID + " "
			}
		}
	}
	block, ok := a.freeBlock()
	switch {
	case len(same) > 0 && zone != "":
		return strings.TrimSpace(ids), "room in the same zone: " + strings.Join(same, ", ")
	case len(other) > 0 || len(same) > 0:
		return strings.TrimSpace(ids), "room in " + strings.Join(append(same, other...), ", ")
	case ok:
		return "<new subnet " + block.String() + ">", fmt.Sprintf("no subnet of the VPC has %d free addresses; %s of it is unused", need, block)
	}
	return noRoomAnywhere, fmt.Sprintf("no subnet that could be read has %d free addresses", need)
}

// fixMaxPods needs further nodes: the limit of a running kubelet doesn't change.
func (a *analysis) fixMaxPods(f *diagnostics.Finding) {
	full := a.fullOfPods()
	if len(full) == 0 {
		a.fixNewNodes(f)
		return
	}
	p := full[0]
	takes := p.place().Attached(p.settings, min(len(f.Affects), p.place().Slots(p.settings))).Footprint()
	subnets, tight := map[string]bool{}, 0
	for _, o := range full {
		for _, id := range o.subnets() {
			subnets[id] = true
		}
	}
	for _, id := range sorted(subnets) {
		if s := a.s.subnet(id); s != nil && s.Available < takes {
			tight++
		}
	}
	ids, room := a.roomy("", takes+16, "")
	fix := diagnostics.Fix{Title: "Start further nodes", Needs: len(f.Affects),
		Proof: fmt.Sprintf("each of %s runs %d of %d pods, and a kubelet's limit is set at its start; a further %s takes %d addresses for these %s; %s",
			plural(len(full), "full node"), p.node.MaxPods, p.node.MaxPods, p.node.Type, takes, plural(len(f.Affects), "pod"), room),
		Blast: "none on running pods", Undo: "delete the node group", SettlesIn: "10m", Changes: []string{"a new managed node group, or more nodes in the one that is there"},
		Commands: []string{fmt.Sprintf("aws eks create-nodegroup --cluster-name %s --nodegroup-name <name> --node-role <role> --subnets %s", a.s.Target.Cluster, ids)}}
	if tight > 0 {
		fix.Proof += fmt.Sprintf("; %d of the present %s have fewer than the %d that such a node takes", tight, plural(len(subnets), "subnet"), takes)
	} else if w, ok := a.first(f); ok && len(a.s.Groups) > 0 {
		fix.Changes, fix.Commands = a.growth(w, (len(f.Affects)+p.node.MaxPods-1)/p.node.MaxPods, true, ids)
	}
	a.offer("new-node-group", fix, f)
	a.raiseLimit(f, p)
	a.fixDelegation(f, full)
	a.refuse("tune-warm-pool", "0 of %s have a node: they wait for a place, not for an address", plural(len(f.Affects), "pod"))
}

// raiseLimit raises a limit that was set below what the interfaces of the type can serve.
func (a *analysis) raiseLimit(f *diagnostics.Finding, p *pool) {
	l, ok := awsnode.LimitsOf(a.s.Types, p.node.Type)
	right := cni.MaxPods(l, p.settings)
	if !ok || right <= p.node.MaxPods || p.node.MaxPods == 110 || p.node.MaxPods == 250 {
		return
	}
	a.offer("set-max-pods", diagnostics.Fix{Title: fmt.Sprintf("Start nodes of type %s with max-pods %d instead of %d", p.node.Type, right, p.node.MaxPods), Needs: len(f.Affects),
		Proof: fmt.Sprintf("the interfaces of %s serve %d pods as the CNI is set, and its nodes take only %d", p.node.Type, right, p.node.MaxPods), Blast: "nodes are replaced", Undo: "the launch template before", SettlesIn: "15m",
		Changes:  []string{fmt.Sprintf("launch template of node group %s: max-pods %d → %d", p.node.Group, p.node.MaxPods, right)},
		Commands: []string{fmt.Sprintf("aws eks update-nodegroup-version --cluster-name %s --nodegroup-name %s --launch-template name=<template>,version=<with maxPods %d>", a.s.Target.Cluster, p.node.Group, right)}}, f)
}

// fixSlots is for nodes that may run more pods than they can have addresses: where they were started for prefixes, these are
// what is missing; otherwise nodes with the right limit are.
func (a *analysis) fixSlots(f *diagnostics.Finding) {
	a.fixMove(f)
	full := []*pool{} // of all findings of this cause: the setting is one for all nodes
	for _, o := range a.of("eni-slots-full") {
		for _, p := range a.affected(o) {
			if !slices.Contains(full, p) {
				full = append(full, p)
			}
		}
	}
	made := madeForPrefixes(full)
	if made {
		a.offerPrefixes(f, full)
	}
	for _, p := range a.affected(f) {
		a.fixLimit(f, p)
		for _, id := range p.subnets() {
			if s := a.s.subnet(id); s != nil {
				a.refuse("add-pod-subnet", "subnet %s has %d free addresses: the node has no place for more, whatever the subnets have", id, s.Available)
			}
		}
	}
	if !made {
		a.offerPrefixes(f, full)
	}
}

// fixLimit starts nodes with a limit of pods that fits the addresses that they can hold. A node that has such a limit already is
// full of addresses that new pods can't have: it is replaced as it is.
func (a *analysis) fixLimit(f *diagnostics.Finding, p *pool) {
	slots, host := p.place().Slots(p.settings), 0
	for _, pod := range p.node.Pods {
		if pod.Host {
			host++
		}
	}
	right := min(cni.MaxPods(p.limits, p.settings), slots+max(host, 2))
	if p.attached == slots {
		right = min(right, slots+host)
	}
	switch {
	case right >= p.node.MaxPods && p.attached == slots:
		a.fixNewNodes(f)
		return
	case right >= p.node.MaxPods:
		a.offer("new-node-group", diagnostics.Fix{Title: "Replace " + p.node.Name, Needs: p.needing,
			Proof: fmt.Sprintf("its places are taken by addresses that new pods don't get: %s; a new node of type %s holds %d pod addresses", p.otherKind(), p.node.Type, slots),
			Blast: "its pods are made again on other nodes", Undo: "nothing to undo", SettlesIn: "15m", Changes: []string{"node " + p.node.Name + " drained and replaced"},
			Commands: []string{"kubectl drain " + p.node.Name + " --ignore-daemonsets --delete-emptydir-data"}}, f)
		return
	}
	a.offer("set-max-pods", diagnostics.Fix{Title: fmt.Sprintf("Start nodes of type %s with max-pods %d instead of %d", p.node.Type, right, p.node.MaxPods), Needs: p.needing,
		Proof: fmt.Sprintf("the type holds %d pod addresses here, and %s on the node's network need none: beyond %d pods none gets an address", slots, plural(host, "pod"), right),
		Blast: "nodes are replaced", Undo: "the launch template before", SettlesIn: "15m", Changes: []string{fmt.Sprintf("launch template of node group %s: max-pods %d → %d", p.node.Group, p.node.MaxPods, right)},
		Commands: []string{fmt.Sprintf("aws eks update-nodegroup-version --cluster-name %s --nodegroup-name %s --launch-template name=<template>,version=<with maxPods %d>", a.s.Target.Cluster, p.node.Group, right)}}, f)
}

// fixAutoMode goes through the node class: there is no CNI to set.
func (a *analysis) fixAutoMode(f *diagnostics.Finding) {
	s := a.s.subnet(f.Subject)
	block, _ := a.freeBlock()
	class := a.s.NodeClass
	if class == "" {
		class = "<node class>"
	}
	a.offer("auto-mode-subnets", diagnostics.Fix{Title: "Give the node class further subnets", Needs: len(f.Affects),
		Proof: fmt.Sprintf("subnet %s has %d of %d addresses left; %s is unused in the VPC", s.ID, s.Available, vpc.Usable(s.CIDR), block),
		Blast: "EKS Auto Mode replaces nodes by and by", Undo: "the subnet selector before", SettlesIn: "15m", Changes: []string{"NodeClass " + class + ": subnetSelectorTerms gain a subnet"},
		Commands: []string{fmt.Sprintf("aws ec2 create-subnet --vpc-id %s --availability-zone %s --cidr-block %s", s.VPC, s.Zone, block), "kubectl patch nodeclass.eks.amazonaws.com " + class + ` --type json -p '[{"op":"add","path":"/spec/subnetSelectorTerms/-","value":{"id":"<new subnet>"}}]'`}}, f)
	a.fixMove(f)
	a.refuse("tune-warm-pool", "EKS Auto Mode has no aws-node to tune: 0 of %s run it", plural(len(a.s.Nodes), "node"))
	a.refuse("custom-networking", "EKS Auto Mode heeds 0 ENIConfigs: subnets for pods alone are podSubnetSelectorTerms of NodeClass %s", class)
}
