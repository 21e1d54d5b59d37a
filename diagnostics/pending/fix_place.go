package pending

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/awsnode"
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
	if stay != "" {
		a.refuse("move-pods-off-node", "%d of %s can move: %s", len(movable), plural(len(f.Affects), "pod"), stay)
	}
	if len(here) == 0 || len(movable) == 0 || stay != "" {
		return
	}
	room, nodes := 0, 0
	for n := range a.s.Nodes {
		p := a.pools[a.s.Nodes[n].Name]
		if slices.Contains(here, p) || !p.known || p.node.Ready != "True" || p.node.Cordoned || p.node.Fargate || repels(p.node) || p.needing > 0 {
			continue
		}
		d := demandOf(movable[0].pod)
		if n := min(p.free(), p.node.MaxPods-len(p.node.Pods), fits(p.node, d.cpu, d.memory)); n > 0 {
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
	which := plural(len(here), "node")
	if len(here) == 1 {
		which = "node " + here[0].node.Name
	}
	fix := diagnostics.Fix{Title: fmt.Sprintf("Cordon %s and let %s start elsewhere", which, plural(len(movable), "pod")), Frees: room, Needs: len(movable),
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
	for _, w := range movable[:min(len(movable), mostMoved)] {
		names = append(names, w.pod.Name)
	}
	fix.Changes = append(fix.Changes, fmt.Sprintf("delete %s that never started; their controllers make them again", plural(len(movable), "pod")))
	fix.Commands = append(fix.Commands, fmt.Sprintf("kubectl delete pod -n %s %s", a.s.Target.Namespace, strings.Join(names, " ")))
	fix.Undo = "kubectl uncordon the same nodes"
	a.moving(&fix, f, here, movable)
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
	able := 0
	for _, p := range here {
		if p.known && p.canAttach() {
			able++
		}
	}
	switch {
	case settings.CustomNetworking:
		return
	case !a.s.setup().Since(18, 3):
		a.refuse("add-pod-subnet", "vpc-cni %s finds no further subnet by its tag: v1.18.3 is the first that does so in practice", a.s.Driver.Version)
		return
	case !settings.SubnetDiscovery:
		a.refuse("add-pod-subnet", "ENABLE_SUBNET_DISCOVERY is false: of the tagged subnets the CNI uses 0")
		return
	case a.mayNot("ec2:DescribeSubnets"):
		a.refuse("add-pod-subnet", "the CNI may not call ec2:DescribeSubnets: of the tagged subnets it finds 0")
		return
	case able == 0:
		a.refuse("add-pod-subnet", "0 of %s have a place left for an interface in another subnet: all %d are taken in %s", plural(len(here), "affected node"), here[0].interfaces(), s.ID)
		return
	}
	for _, o := range a.s.Subnets {
		if o.ID != s.ID && o.Zone == s.Zone && a.s.setup().Discovered(o) && o.Available > len(f.Affects) {
			return // there is one
		}
	}
	if o := a.unused(s, len(f.Affects)+len(here)); o != nil {
		fix := diagnostics.Fix{Title: fmt.Sprintf("Give subnet %s to pods: it is there, and lacks the tag %s", o.ID, awsnode.TagCNI), Frees: o.Available, Needs: len(f.Affects),
			Proof:   fmt.Sprintf("nothing is in subnet %s (%s): it gives %d addresses in %s; %d of %s have a place for an interface there", o.ID, o.CIDR, o.Available, o.Zone, able, plural(len(here), "affected node")),
			Blast:   forPods,
			Changes: []string{"subnet " + o.ID + ": tag " + awsnode.TagCNI + " unset → 1"}, SettlesIn: "5m"}
		if able < len(here) {
			fix.Blast += fmt.Sprintf("; %d nodes have no place for a further interface and must be replaced", len(here)-able)
		}
		a.offer("add-pod-subnet", a.tagSubnet(fix, o, s, new("1")), f)
		return
	}
	block, ok := a.freeBlock()
	gain := vpc.Usable(block)
	table, route := a.routes(s)
	fix := diagnostics.Fix{Title: fmt.Sprintf("Add a subnet for pods in %s: %s, tagged kubernetes.io/role/cni=1", s.Zone, block), Frees: gain, Needs: len(f.Affects),
		Proof: fmt.Sprintf("%s is unused in the VPC and gives %d addresses in %s; %d of %s have a place for an interface there", block, gain, s.Zone, able, plural(len(here), "affected node")),
		Blast: forPods,
		Undo:  "take the tag away, drain the nodes, delete the subnet", SettlesIn: "5m",
		Changes: []string{fmt.Sprintf("a new subnet %s in %s, with the route table of %s", block, s.Zone, s.ID)},
		Commands: []string{
			fmt.Sprintf("aws ec2 create-subnet --vpc-id %s --availability-zone %s --cidr-block %s", s.VPC, s.Zone, block),
			"aws ec2 associate-route-table --subnet-id <new subnet> --route-table-id " + table,
			"aws ec2 create-tags --resources <new subnet> --tags Key=kubernetes.io/role/cni,Value=1",
		}}
	fix.Proof += route
	if !ok {
		fix.Commands = append([]string{fmt.Sprintf("aws ec2 associate-vpc-cidr-block --vpc-id %s --cidr-block %s", s.VPC, "100.64.0.0/16")}, fix.Commands...)
		fix.Proof = fmt.Sprintf("the VPC has no unused /26, so that it needs another block, which takes the control plane up to 5 hours to know; %d of %s have a place for an interface there%s", able, plural(len(here), "affected node"), route)
	}
	if settings.PrefixDelegation {
		fix.Proof += fmt.Sprintf("; it has %d whole /28 blocks", vpc.CleanPrefixes(block))
		fix.Commands = append(fix.Commands, fmt.Sprintf("aws ec2 create-subnet-cidr-reservation --subnet-id <new subnet> --cidr %s --reservation-type prefix", block))
	}
	if able < len(here) {
		fix.Blast += fmt.Sprintf("; %d nodes have no place for a further interface and must be replaced", len(here)-able)
	}
	a.offer("add-pod-subnet", fix, f)
}

// mayNot reports that the CNI has told within the hour that it lacks a permission.
func (a *analysis) mayNot(action string) bool {
	return slices.ContainsFunc(a.s.Events, func(e corev1.Event) bool {
		return e.Reason == "MissingIAMPermissions" && a.s.At.Sub(diagnostics.LastSeen(&e)) <= 6*fresh && actionIn(e.Message) == action
	})
}

// routes names the route table that a new subnet has to share with one that is there: without it, it gets the main one of the VPC.
func (a *analysis) routes(s *vpc.Subnet) (table, why string) {
	table, out := a.wayOut(s.ID)
	main := ""
	for _, t := range a.s.RouteTables {
		if t.Main {
			main = t.ID
		}
	}
	switch {
	case table == "":
		return fmt.Sprintf("<the one of %s>", s.ID), ""
	case out && main != "" && main != table:
		if _, also := a.wayOut("no subnet: the main table"); !also {
			return table, fmt.Sprintf("; it needs route table %s, since the main one of the VPC, %s, has 0 default routes", table, main)
		}
	}
	return table, ""
}

// freeBlock finds room for a subnet in the VPC, or names one that would need a further block.
func (a *analysis) freeBlock() (block prefix, ok bool) {
	if a.s.VPC != nil {
		for _, bits := range []int{20, 22, 24, 26} {
			if b, ok := vpc.FreeBlock(*a.s.VPC, a.s.Subnets, bits); ok {
				return b, true
			}
		}
	}
	return secondary20, false
}
