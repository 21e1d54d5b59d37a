package pending

import (
	"slices"

	"github.com/netdiag/netdiag/diagnostics"
)

// unreadable is a node whose ledger can't be drawn up for want of reads: only an answer of EC2 that stands for itself decides.
func (a *analysis) unreadable(node *Node, f diagnostics.Finding, pods []waiting) {
	m := node.Metrics
	if m != nil && m.Total > m.Assigned {
		a.leaves("ec2:DescribeNetworkInterfaces", byCounter...)
	}
	p := a.pools[node.Name]
	short := a.answered(node, refusals()...) > 0
	if m != nil && m.Assigned >= m.Total && !short {
		f.Confidence = diagnostics.Likely
		if a.counted(node, p, f, pods) {
			return
		}
	}
	// Without EC2 nothing can be said of subnets, whatever the pod's event says.
	causes := byLedger
	if m == nil {
		causes = slices.Concat(byLedger, byCounter)
	}
	missed := a.leaves("ec2:DescribeNetworkInterfaces", causes...)
	missed = a.leaves("ec2:DescribeSubnets", "subnet-exhausted", "eni-all-or-nothing", "no-free-prefix") || missed
	missed = a.leaves("list pods", causes...) || missed
	missed = a.leaves("ec2:DescribeInstanceTypes", "eni-slots-full") || missed
	why := "the interfaces of node " + node.Name + " are not known"
	switch {
	case missed && short:
		why = "EC2 has refused addresses to node " + node.Name + " for want of room, but its subnet could not be read"
	case missed:
		why = "the addresses of node " + node.Name + " and of its subnet could not be read"
	}
	a.unsolve(pods, why)
}

// unconfigured is a node whose CNI has settings that could not be read. A subnet without any address needs none to be
// known; of EC2's answers those decide that stand for themselves.
func (a *analysis) unconfigured(node *Node, p *pool, f diagnostics.Finding, pods []waiting) {
	ways := a.places(p)
	if len(ways) > 0 && !slices.ContainsFunc(ways, func(w way) bool { return w.subnet.Available > 0 }) {
		a.noRoom(p, ways, f, pods)
		return
	}
	if f.Latent {
		return
	}
	if a.answered(node, "InsufficientFreeAddressesInSubnet", "InsufficientCidrBlocks", "InvalidParameterValue") == 0 && a.counted(node, p, f, pods) {
		return
	}
	a.leaves("list daemonsets.apps", slices.Concat(byLedger, byCounter, []string{"node-cordoned", "eniconfig", "subnet-discovery"})...)
	a.unsolve(pods, "node "+node.Name+" has no free address, and the settings of its CNI could not be read")
}

// onAutoMode reports a node of EKS Auto Mode: no DaemonSet serves its pods.
func (a *analysis) onAutoMode(n *Node) bool {
	return a.s.Driver == nil && (a.s.Cluster != nil && a.s.Cluster.AutoMode || n.Labels["eks.amazonaws.com/compute-type"] == "auto")
}

// autoMode judges nodes of EKS Auto Mode, whose CNI shows neither settings nor counters.
func (a *analysis) autoMode(p *pool, f diagnostics.Finding, pods []waiting) {
	if !p.known {
		a.unreadable(p.node, f, pods)
		return
	}
	f.Evidence = append(f.Evidence, poolEvidence(p))
	for _, id := range p.subnets() {
		if s := a.s.subnet(id); s != nil && s.Available == 0 && p.free() == 0 {
			f.Confidence = diagnostics.Likely
			a.exhausted(s, f, pods)
			return
		}
	}
	a.unsolve(pods, "node "+p.node.Name+" belongs to EKS Auto Mode, which shows nothing of its CNI; its subnets have free addresses")
}
