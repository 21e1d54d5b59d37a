package pending

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
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
		f.Summary = fmt.Sprintf("none of %s offers a branch interface: ENABLE_POD_ENI of aws-node is %s", plural(nodes, "node"), shown(a.s.Driver.Env, "ENABLE_POD_ENI"))
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
		if e.InvolvedObject.Kind == "Node" && e.Reason == "TrunkENICreationFailed" && a.s.At.Sub(when(e)) <= 6*fresh && node != nil && node.has(branchDevice) == 0 {
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
	l, ok := a.s.limits(name)
	return !ok || l.Nitro
}
