package pending

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/cni"
	"github.com/netdiag/netdiag/internal/vpc"
)

// fixMove takes waiting pods off a node that can't serve them, where other nodes have addresses ready.
func (a *analysis) fixMove(f *diagnostics.Finding) {
	here := a.affected(f)
	var movable []waiting
	var stay string
	for _, w := range a.pods {
		if !slices.Contains(f.Affects, w.ref()) {
			continue
		}
		switch why := pinned(w.pod); why {
		case "":
			movable = append(movable, w)
		default:
			stay = why
		}
	}
	if len(here) == 0 || len(movable) == 0 {
		if stay != "" {
			a.refuse("move-pods-off-node", "0 of %s can move: %s", plural(len(f.Affects), "pod"), stay)
		}
		return
	}
	room, nodes := 0, 0
	for n := range a.s.Nodes {
		p := a.pools[a.s.Nodes[n].Name]
		if slices.Contains(here, p) || !p.known || p.node.Ready != "True" || p.node.Cordoned || p.node.Fargate || repels(p.node) || p.needing > 0 {
			continue
		}
		cpu, memory := requests(movable[0].pod)
		if n := min(p.free(), p.node.MaxPods-len(p.node.Pods), fits(p.node, cpu, memory)); n > 0 {
			room += n
			nodes++
		}
	}
	if room < len(movable) {
		if room > 0 {
			a.refuse("move-pods-off-node", "other nodes have %d addresses ready, and %d pods would have to move", room, len(movable))
		}
		return
	}
	fix := diagnostics.Fix{Title: fmt.Sprintf("Cordon %s and let %s start elsewhere", plural(len(here), "node"), plural(len(movable), "pod")), Frees: room, Needs: len(movable),
		Proof:     fmt.Sprintf("%s have %d addresses ready that no pod uses, in whatever subnet, and %s", plural(nodes, "other node"), room, plural(len(movable), "pod")+" can move"),
		Blast:     "the cordoned nodes take no new pods, and their CNI attaches nothing new, until they are uncordoned",
		SettlesIn: "2m"}
	for n, p := range here {
		fix.Changes = append(fix.Changes, "node "+p.node.Name+": schedulable → cordoned")
		if n < 5 {
			fix.Commands = append(fix.Commands, "kubectl cordon "+p.node.Name)
		}
	}
	var names []string
	for _, w := range movable[:min(len(movable), 10)] {
		names = append(names, w.pod.Name)
	}
	fix.Changes = append(fix.Changes, fmt.Sprintf("delete %s that never started; their controllers make them again", plural(len(movable), "pod")))
	fix.Commands = append(fix.Commands, fmt.Sprintf("kubectl delete pod -n %s %s", a.s.Target.Namespace, strings.Join(names, " ")))
	fix.Undo = "kubectl uncordon the same nodes"
	a.offer("move-pods-off-node", fix, f)
}

// pinned says why a pod can't start elsewhere; empty where it can.
func pinned(p *corev1.Pod) string {
	controller := ""
	for _, o := range p.OwnerReferences {
		if o.Controller != nil && *o.Controller {
			controller = o.Kind
		}
	}
	switch {
	case controller == "":
		return "nothing makes the pod again"
	case controller == "DaemonSet":
		return "a DaemonSet's pods belong to their nodes"
	case len(p.Spec.NodeSelector) > 0:
		return "the pods have a node selector"
	case p.Spec.Affinity != nil && p.Spec.Affinity.NodeAffinity != nil && p.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution != nil:
		return "the pods have a node affinity"
	}
	for _, v := range p.Spec.Volumes {
		if v.PersistentVolumeClaim != nil {
			return "the pods have volumes, which belong to a zone"
		}
	}
	return ""
}

// repels reports a taint that keeps ordinary pods away.
func repels(n *Node) bool {
	return slices.ContainsFunc(n.Taints, func(t corev1.Taint) bool { return t.Effect != corev1.TaintEffectPreferNoSchedule })
}

// fits is how many pods of these requests a node still takes.
func fits(n *Node, cpu, memory int64) int {
	usedCPU, usedMemory := int64(0), int64(0)
	for _, p := range n.Pods {
		usedCPU += p.CPU
		usedMemory += p.Memory
	}
	most := int64(1 << 20)
	if cpu > 0 && n.CPU > 0 {
		most = min(most, (n.CPU-usedCPU)/cpu)
	}
	if memory > 0 && n.Memory > 0 {
		most = min(most, (n.Memory-usedMemory)/memory)
	}
	return int(max(most, 0))
}

// fixAddSubnet gives the CNI a further subnet in the zone. A node needs a free place for an interface to use it.
func (a *analysis) fixAddSubnet(f *diagnostics.Finding) {
	s, here := a.s.subnet(f.Subject), a.affected(f)
	if s == nil || a.s.Driver == nil || len(here) == 0 {
		return
	}
	settings := here[0].settings
	major, minor, patch := version(a.s.Driver.Version)
	old := major < 1 || major == 1 && (minor < 18 || minor == 18 && patch < 3)
	able := 0
	for _, p := range here {
		if p.known && p.canAttach() {
			able++
		}
	}
	switch {
	case settings.CustomNetworking, !settings.SubnetDiscovery, old:
		return
	case able == 0:
		a.refuse("add-pod-subnet", "0 of %s have a place left for an interface in another subnet: all %d are taken in %s", plural(len(here), "affected node"), here[0].interfaces(), s.ID)
		return
	}
	for _, o := range a.s.Subnets {
		if o.ID != s.ID && o.Zone == s.Zone && discovered(o) && o.Available > len(f.Affects) {
			return // there is one
		}
	}
	block, ok := a.freeBlock()
	gain := vpc.Usable(block)
	fix := diagnostics.Fix{Title: fmt.Sprintf("Add a subnet for pods in %s: %s, tagged kubernetes.io/role/cni=1", s.Zone, block), Frees: gain, Needs: len(f.Affects),
		Proof: fmt.Sprintf("%s is unused in the VPC and gives %d addresses in %s; %d of %s have a place for an interface there", block, gain, s.Zone, able, plural(len(here), "affected node")),
		Blast: "running pods stay as they are; new ones may get addresses of another block, which firewalls and security groups that name blocks must know",
		Undo:  "take the tag away, drain the nodes, delete the subnet", SettlesIn: "5m",
		Changes: []string{fmt.Sprintf("a new subnet %s in %s, with the route table of %s", block, s.Zone, s.ID)},
		Commands: []string{
			fmt.Sprintf("aws ec2 create-subnet --vpc-id %s --availability-zone %s --cidr-block %s", s.VPC, s.Zone, block),
			fmt.Sprintf("aws ec2 associate-route-table --subnet-id <new subnet> --route-table-id <the one of %s>", s.ID),
			"aws ec2 create-tags --resources <new subnet> --tags Key=kubernetes.io/role/cni,Value=1",
		}}
	if !ok {
		fix.Commands = append([]string{fmt.Sprintf("aws ec2 associate-vpc-cidr-block --vpc-id %s --cidr-block %s", s.VPC, "100.64.0.0/16")}, fix.Commands...)
		fix.Proof = fmt.Sprintf("the VPC has no unused /24, so that it needs another block; %d of %s have a place for an interface there", able, plural(len(here), "affected node"))
	}
	if settings.PrefixDelegation {
		fix.Commands = append(fix.Commands, fmt.Sprintf("aws ec2 create-subnet-cidr-reservation --subnet-id <new subnet> --cidr %s --reservation-type prefix", block))
	}
	if able < len(here) {
		fix.Blast += fmt.Sprintf("; %d nodes have no place for a further interface and must be replaced", len(here)-able)
	}
	a.offer("add-pod-subnet", fix, f)
}

// freeBlock finds room for a subnet in the VPC, or names one that would need a further block.
func (a *analysis) freeBlock() (block prefix, ok bool) {
	if a.s.VPC != nil {
		for _, bits := range []int{20, 22, 24} {
			if b, ok := vpc.FreeBlock(*a.s.VPC, a.s.Subnets, bits); ok {
				return b, true
			}
		}
	}
	return secondary20, false
}

// fixNewNodes starts nodes in subnets that have room.
func (a *analysis) fixNewNodes(f *diagnostics.Finding) {
	zone := ""
	if s := a.s.subnet(f.Subject); s != nil {
		zone = s.Zone
	}
	roomy, text := a.roomy(zone, 2*len(f.Affects)+16)
	fix := diagnostics.Fix{Title: "Start nodes in subnets that have room", Needs: len(f.Affects), Proof: text,
		Blast: "none on running pods; pods move only when they are made again", Undo: "delete the node group", SettlesIn: "10m",
		Changes:  []string{"a new managed node group"},
		Commands: []string{fmt.Sprintf("aws eks create-nodegroup --cluster-name %s --nodegroup-name <name> --node-role <role> --subnets %s", a.s.Target.Cluster, roomy)}}
	a.offer("new-node-group", fix, f)
}

// roomy lists subnets with at least so many free addresses, those of the zone first.
func (a *analysis) roomy(zone string, need int) (ids, text string) {
	var same, other []string
	for _, s := range a.s.Subnets {
		if s.Available < need {
			continue
		}
		if s.Zone == zone {
			same = append(same, fmt.Sprintf("%s (%s, %d free)", s.ID, s.Zone, s.Available))
			ids += s.ID + " "
		} else {
			other = append(other, fmt.Sprintf("%s (%s, %d free)", s.ID, s.Zone, s.Available))
		}
	}
	for _, s := range a.s.Subnets {
		if ids == "" && s.Available >= need && s.Zone != zone {
			ids += s.ID + " "
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
	return "<new subnet>", fmt.Sprintf("no subnet that could be read has %d free addresses", need)
}

// fixMaxPods needs further nodes: the limit of a running kubelet doesn't change.
func (a *analysis) fixMaxPods(f *diagnostics.Finding) {
	var full []*pool
	subnets := map[string]bool{}
	for n := range a.s.Nodes {
		p := a.pools[a.s.Nodes[n].Name]
		if p.node.Read && p.node.MaxPods > 0 && len(p.node.Pods) >= p.node.MaxPods {
			full = append(full, p)
			for _, id := range p.subnets() {
				subnets[id] = true
			}
		}
	}
	if len(full) == 0 {
		a.fixNewNodes(f)
		return
	}
	p := full[0]
	takes := p.place().Attached(p.settings, min(len(f.Affects), p.place().Slots(p.settings))).Footprint()
	free, blocks, tight := 0, 0, 0
	for _, id := range sorted(subnets) {
		s := a.s.subnet(id)
		if s == nil {
			continue
		}
		free += s.Available
		if s.Available < takes {
			tight++
		}
		if b, ok := a.prefixesOf(s); ok {
			blocks += b.Free + b.Reserved
		} else {
			blocks += s.Available / cni.PrefixSize
		}
	}
	ids, room := a.roomy("", takes+16)
	fix := diagnostics.Fix{Title: "Start further nodes", Needs: len(f.Affects),
		Proof: fmt.Sprintf("each of %s runs %d of %d pods, and a kubelet's limit is set at its start; a further %s takes %d addresses for these %s; %s",
			plural(len(full), "full node"), p.node.MaxPods, p.node.MaxPods, p.node.Type, takes, plural(len(f.Affects), "pod"), room),
		Blast: "none on running pods", Undo: "delete the node group", SettlesIn: "10m", Changes: []string{"a new managed node group, or more nodes in the one that is there"},
		Commands: []string{fmt.Sprintf("aws eks create-nodegroup --cluster-name %s --nodegroup-name <name> --node-role <role> --subnets %s", a.s.Target.Cluster, ids)}}
	if tight > 0 {
		fix.Proof += fmt.Sprintf("; %d of the present %s have fewer than the %d that such a node takes", tight, plural(len(subnets), "subnet"), takes)
	}
	a.offer("new-node-group", fix, f)
	a.refuse("enable-prefix-delegation", "max-pods of the %s that are there stays %d whatever the CNI does, and their subnets have %d free addresses in at most %d free /28 blocks, where %d would be needed",
		plural(len(full), "node"), p.node.MaxPods, free, blocks, 2*len(full))
	a.refuse("tune-warm-pool", "0 of %s have a node: they wait for a place, not for an address", plural(len(f.Affects), "pod"))
}

// fixSlots is for nodes that may run more pods than they can have addresses.
func (a *analysis) fixSlots(f *diagnostics.Finding) {
	a.fixMove(f)
	for _, p := range a.affected(f) {
		slots := p.place().Slots(p.settings)
		host := 0
		for _, pod := range p.node.Pods {
			if pod.Host {
				host++
			}
		}
		right := cni.MaxPods(p.limits, p.settings)
		a.offer("set-max-pods", diagnostics.Fix{Title: fmt.Sprintf("Start nodes of type %s with max-pods %d instead of %d", p.node.Type, right, p.node.MaxPods), Needs: p.needing,
			Proof: fmt.Sprintf("the type holds %d pod addresses here, and %s on the node's network need none: beyond %d pods none gets an address", slots, plural(host, "pod"), right),
			Blast: "nodes are replaced", Undo: "the launch template before", SettlesIn: "15m", Changes: []string{fmt.Sprintf("launch template of node group %s: max-pods %d → %d", p.node.Group, p.node.MaxPods, right)},
			Commands: []string{fmt.Sprintf("aws eks update-nodegroup-version --cluster-name %s --nodegroup-name %s --launch-template name=<template>,version=<with maxPods %d>", a.s.Target.Cluster, p.node.Group, right)}}, f)
		for _, id := range p.subnets() {
			if s := a.s.subnet(id); s != nil {
				a.refuse("add-pod-subnet", "subnet %s has %d free addresses: the node has no place for more, whatever the subnets have", id, s.Available)
			}
		}
	}
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
		Commands: []string{fmt.Sprintf("aws ec2 create-subnet --vpc-id %s --availability-zone %s --cidr-block %s", s.VPC, s.Zone, block), "kubectl edit nodeclass.eks.amazonaws.com " + class}}, f)
	a.fixMove(f)
	a.refuse("tune-warm-pool", "EKS Auto Mode has no aws-node to tune: 0 of %s run it", plural(len(a.s.Nodes), "node"))
}
