package pending

import (
	"fmt"

	"github.com/netdiag/netdiag/diagnostics"
)

// windowsDevice is what the VPC resource controller lets Windows nodes offer: addresses for their pods.
const windowsDevice = "vpc.amazonaws.com/PrivateIPv4Address"

// windows tells nodes that offer no addresses at all, because Windows address management is off, from nodes that have given all of them away.
func (a *analysis) windows(f diagnostics.Finding, r rule) {
	f.Subject = windowsDevice
	nodes, offered, used := 0, int64(0), int64(0)
	for n := range a.s.Nodes {
		node := &a.s.Nodes[n]
		if node.Labels["kubernetes.io/os"] != "windows" {
			continue
		}
		nodes++
		offered += node.has(windowsDevice)
		used += node.used(windowsDevice)
		if len(f.Evidence) < 4 {
			f.Evidence = append(f.Evidence, diagnostics.Evidence{What: windowsDevice + " of node " + node.Name, Value: fmt.Sprintf("%d requested of %d allocatable", node.used(windowsDevice), node.has(windowsDevice)),
				Source: "list nodes, list pods", Repeat: "kubectl describe node " + node.Name})
		}
	}
	if ipam, ok := a.s.CNIConfig["enable-windows-ipam"]; ok || a.s.CNIConfig != nil {
		if ipam == "" {
			ipam = "unset"
		}
		f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "enable-windows-ipam of ConfigMap kube-system/amazon-vpc-cni", Value: ipam, Source: "get configmaps",
			Repeat: "kubectl get configmap amazon-vpc-cni -n kube-system -o yaml"})
	}
	switch {
	case nodes == 0:
		f.Summary = fmt.Sprintf("no node offers %s, which pods on Windows need", windowsDevice)
	case offered == 0:
		f.Summary = fmt.Sprintf("none of %s offers addresses for pods (%s): Windows address management is off, or does not reach them", plural(nodes, "Windows node"), windowsDevice)
	default:
		f.Summary = fmt.Sprintf("%s have given away %d of the %d addresses that they offer to pods (%s)", plural(nodes, "Windows node"), used, offered, windowsDevice)
	}
	a.find(f, r.pods)
}
