package pending

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/awsnode"
)

// branchDevice is what the VPC resource controller lets nodes with a trunk interface offer: branch interfaces for pods with
// their own security groups.
const branchDevice = "vpc.amazonaws.com/pod-eni"

// branchCapacity tells full nodes from nodes that never got a trunk interface.
func (a *analysis) branchCapacity(f diagnostics.Finding, pods []waiting) {
	if failed := a.trunkFailures(); len(failed) > 0 {
		f.ID, f.Subject = "branch-eni-failed", a.s.Target.Cluster
		f.Summary = fmt.Sprintf("the control plane could make no trunk interface for %s, so that they offer no branch interfaces to pods with their own security groups", plural(len(failed), "node"))
		for _, e := range failed[:min(len(failed), 3)] {
			f.Evidence = append(f.Evidence, eventEvidence(e))
		}
		a.find(f, pods)
		return
	}
	offered, used, nodes, trunks, unable := int64(0), int64(0), 0, 0, map[string]bool{}
	for n := range a.s.Nodes {
		node := &a.s.Nodes[n]
		if node.Fargate {
			continue
		}
		nodes++
		offered += node.has(branchDevice)
		used += node.used(branchDevice)
		if node.has(branchDevice) > 0 {
			trunks++
			if len(f.Evidence) < 5 && node.Read {
				f.Evidence = append(f.Evidence, diagnostics.Evidence{What: branchDevice + " of node " + node.Name, Value: fmt.Sprintf("%d requested of %d allocatable", node.used(branchDevice), node.has(branchDevice)),
					Source: "list nodes, list pods", Repeat: "kubectl describe node " + node.Name})
			}
		} else if !a.trunkable(node.Type) {
			unable[node.Type] = true
		}
	}
	f.Subject = branchDevice
	f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "allocatable " + branchDevice, Value: fmt.Sprint(offered), Source: "list nodes",
		Repeat: "kubectl get nodes -o custom-columns=NAME:.metadata.name,ENI:.status.allocatable.vpc\\.amazonaws\\.com/pod-eni"})
	switch {
	case offered > 0:
		f.Summary = fmt.Sprintf("%d of %s offer %d branch interfaces together, %d of them are taken, and none is left for %s with their own security groups",
			trunks, plural(nodes, "node"), offered, used, plural(len(pods), "pod"))
	case a.s.Driver != nil && a.s.Driver.Env["ENABLE_POD_ENI"] != "true":
		f.Summary = fmt.Sprintf("none of %s offers a branch interface: ENABLE_POD_ENI of aws-node is %s", plural(nodes, "node"), awsnode.Shown(a.s.Driver.Env, "ENABLE_POD_ENI"))
	case len(unable) > 0:
		f.Summary = fmt.Sprintf("none of %s offers a branch interface: instance type %s can't have a trunk interface", plural(nodes, "node"), strings.Join(sorted(unable), ", "))
	default:
		f.Summary = fmt.Sprintf("none of %s offers a branch interface: no trunk interface is attached", plural(nodes, "node"))
	}
	a.find(f, pods)
}

// trunkFailures lists what was said within the hour of nodes that got no trunk interface and still have none.
func (a *analysis) trunkFailures() []*corev1.Event {
	var out []*corev1.Event
	for n := range a.s.Events {
		e := &a.s.Events[n]
		node := a.s.node(e.InvolvedObject.Name)
		if e.InvolvedObject.Kind == "Node" && e.Reason == "TrunkENICreationFailed" && a.s.At.Sub(diagnostics.LastSeen(e)) <= 6*fresh && node != nil && node.has(branchDevice) == 0 {
			out = append(out, e)
		}
	}
	return out
}

// trunkable reports whether an instance type can have a trunk interface: types on Nitro can, but not those of the t family,
// i3 and i4i (pkg/aws/vpc/limits.go of the VPC resource controller).
func (a *analysis) trunkable(name string) bool {
	family, _, _ := strings.Cut(name, ".")
	if strings.HasPrefix(family, "t") && len(family) > 1 && family[1] >= '0' && family[1] <= '9' || family == "i3" || family == "i4i" {
		return false
	}
	l, ok := awsnode.LimitsOf(a.s.Types, name)
	return !ok || l.Nitro
}

// branchEvent finds what the VPC resource controller says about a pod's branch interface.
func (a *analysis) branchEvent(w waiting) *corev1.Event {
	return last(byPod(a.s.Events)[string(w.pod.UID)], a.s.At, fresh, "BranchAllocationFailed", "BranchENIAnnotationFailed")
}

// Reasons why a branch interface could not be made.
const (
	noTrunk       = "trunk"
	tooManyGroups = "security-groups"
	noRoomLeft    = "subnet"
)

// branch explains a pod with its own security group that got no branch interface. The first failure before the interface is
// there belongs to the normal course.
func (a *analysis) branch(node *Node, w waiting, f diagnostics.Finding) bool {
	events := byPod(a.s.Events)[string(w.pod.UID)]
	if made := last(events, a.s.At, 6*fresh, "ResourceAllocated"); made != nil && w.event != nil && !diagnostics.LastSeen(w.event).After(diagnostics.LastSeen(made).Add(young)) {
		a.healed([]waiting{w}, "its branch interface was made after the last failure")
		return true
	}
	f.ID, f.Confidence = "branch-eni-failed", diagnostics.Likely
	f.Summary = "no branch interface could be made for a pod with its own security groups on node " + node.Name
	if e := a.branchEvent(w); e != nil {
		f.Confidence = diagnostics.Confirmed
		f.Evidence = append(f.Evidence, eventEvidence(e))
		switch {
		case strings.Contains(e.Message, "security group memberships"):
			f.Reason = tooManyGroups
			f.Summary += ": it has more security groups than an interface may have"
		case strings.Contains(e.Message, "InsufficientFreeAddressesInSubnet"), strings.Contains(e.Message, "does not have enough free addresses"):
			f.Reason = noRoomLeft
			f.Summary += ": its subnet had no address for it"
			f.Because = a.branchSubnet(node, w)
		}
	}
	a.find(f, []waiting{w})
	return true
}

// branchSubnet reports the subnet in which branch interfaces of a node are made, where it has no address, and gives the key of
// the finding. They are made where its first interface is or, with custom networking, where its ENIConfig says.
func (a *analysis) branchSubnet(node *Node, w waiting) []string {
	p := a.pools[node.Name]
	s := a.s.subnetAt(node.Address)
	if p.settings.CustomNetworking {
		s = a.s.subnet(a.eniConfig(p))
	}
	if s == nil {
		a.leaves("ec2:DescribeSubnets", "subnet-exhausted")
		return nil
	}
	if s.Available > 0 {
		return nil
	}
	a.exhausted(s, diagnostics.Finding{Confidence: diagnostics.Confirmed, Evidence: []diagnostics.Evidence{eventEvidence(a.branchEvent(w))}}, []waiting{w})
	return []string{"pending/subnet-exhausted " + s.ID}
}

// noBranch explains a pod with its own security groups of which nobody says why it has no branch interface: its node may have
// no trunk to hang one on.
func (a *analysis) noBranch(node *Node, w waiting) {
	if a.branchEvent(w) != nil {
		a.branch(node, w, diagnostics.Finding{Subject: node.Name, Evidence: []diagnostics.Evidence{podEvidence(w)}})
		return
	}
	f := diagnostics.Finding{ID: "branch-eni-failed", Subject: node.Name, Reason: noTrunk, Confidence: diagnostics.Likely, Evidence: []diagnostics.Evidence{podEvidence(w)},
		Summary: fmt.Sprintf("node %s has no trunk interface, on which a pod with its own security groups needs a branch", node.Name)}
	line, _, logged := node.logged(a.s.At, fresh, "No slot available for a trunk ENI", "No trunk ENI found")
	switch e := a.nodeEvent(node, 6*fresh, "TrunkENICreationFailed", "NodeTrunkFailedInit", "Unsupported"); {
	case e != nil:
		f.Confidence = diagnostics.Confirmed
		f.Evidence = append(f.Evidence, eventEvidence(e))
	case logged:
		f.Evidence = append(f.Evidence, logEvidence(node, line))
	case node.Labels["vpc.amazonaws.com/has-trunk-attached"] == "false":
		f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "label vpc.amazonaws.com/has-trunk-attached of node " + node.Name, Value: "false", Source: "list nodes", Repeat: nodeCommand(node)})
	default:
		a.leaves("list events", "branch-eni-failed")
		a.unsolve([]waiting{w}, "it has its own security groups, so that it needs a branch interface; nothing says why it has none")
		return
	}
	a.find(f, []waiting{w})
}
