package pending

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

// branchCapacity tells full nodes from nodes that never got a trunk interface.
func (a *analysis) branchCapacity(f diagnostics.Finding, pods []waiting) {
	const device = "vpc.amazonaws.com/pod-eni"
	var failed []*corev1.Event
	for n := range a.s.Events {
		e := &a.s.Events[n]
		node := a.s.node(e.InvolvedObject.Name)
		if e.InvolvedObject.Kind == "Node" && e.Reason == "TrunkENICreationFailed" && a.s.At.Sub(when(e)) <= 6*fresh && node != nil && node.Devices[device] == 0 {
			failed = append(failed, e)
		}
	}
	if len(failed) > 0 {
		f.ID, f.Subject = "branch-eni-failed", a.s.Target.Cluster
		f.Summary = fmt.Sprintf("the control plane could make no trunk interface for %s, so that they offer no branch interfaces to pods with their own security groups", plural(len(failed), "node"))
		for _, e := range failed[:min(len(failed), 3)] {
			f.Evidence = append(f.Evidence, eventEvidence(e))
		}
		a.find(f, pods)
		return
	}
	offered, nodes := int64(0), 0
	for n := range a.s.Nodes {
		offered += a.s.Nodes[n].Devices[device]
		nodes++
	}
	f.Subject = device
	f.Summary = fmt.Sprintf("%s offer %d branch interfaces together, and none is left for %s with their own security groups", plural(nodes, "node"), offered, plural(len(pods), "pod"))
	if offered == 0 {
		f.Summary = fmt.Sprintf("none of %s offers a branch interface: no trunk interface is attached, or the instance types have none", plural(nodes, "node"))
	}
	f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "allocatable " + device, Value: fmt.Sprint(offered), Source: "list nodes",
		Repeat: "kubectl get nodes -o custom-columns=NAME:.metadata.name,ENI:.status.allocatable.vpc\\.amazonaws\\.com/pod-eni"})
	a.find(f, pods)
}
