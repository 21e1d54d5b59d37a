package pending

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/awsnode"
	"github.com/netdiag/netdiag/internal/cni"
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
	if s == nil || a.s.Driver == nil || len(here) == 0 || here[0].settings.CustomNetworking {
		return
	}
	able := 0
	for _, p := range here {
		if p.known && p.canAttach() {
			able++
		}
	}
	fix, why := a.ground(here[0].settings).Further(s, awsnode.Wanted{Needs: len(f.Affects), Nodes: len(here), Node: "affected node", Able: able, Places: here[0].interfaces()})
	switch {
	case fix != nil:
		a.offer("add-pod-subnet", *fix, f)
	case why != "":
		a.refuse("add-pod-subnet", "%s", why)
	}
}

// ground is the network in which a further subnet may be given to pods.
func (a *analysis) ground(s cni.Settings) awsnode.Ground {
	u := a.s.setup()
	return awsnode.Ground{Setup: u, Settings: s, VPC: a.s.VPC, Subnets: a.s.Subnets, Tables: a.s.RouteTables, Others: u.OtherCluster(a.s.Subnets, a.s.Interfaces), Blind: a.mayNot("ec2:DescribeSubnets")}
}

// mayNot reports that the CNI has told within the hour that it lacks a permission.
func (a *analysis) mayNot(action string) bool {
	return slices.ContainsFunc(a.s.Events, func(e corev1.Event) bool {
		return e.Reason == "MissingIAMPermissions" && a.s.At.Sub(diagnostics.LastSeen(&e)) <= 6*fresh && actionIn(e.Message) == action
	})
}

// freeBlock finds room for a subnet in the VPC, or names one that would need a further block.
func (a *analysis) freeBlock() (block netip.Prefix, ok bool) {
	return awsnode.Ground{VPC: a.s.VPC, Subnets: a.s.Subnets}.FreeBlock()
}
