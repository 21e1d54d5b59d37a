package nature

import (
	"slices"

	"github.com/netdiag/netdiag/internal/vpc"
)

// forPods reports a subnet that is tagged so that the CNI finds it (amazon-vpc-cni-k8s, "Enhanced Subnet Discovery").
func forPods(s vpc.Subnet) bool {
	v, tagged := s.Tags["kubernetes.io/role/cni"]
	return tagged && v != "0"
}

// discover finds the subnets in which further interfaces can be made besides that of the node: tagged, in its VPC and
// zone. The list has those with most addresses first.
func (p *pool) discover(subnets []vpc.Subnet) {
	from := p.model()
	if from == nil || !p.settings.SubnetDiscovery || p.settings.CustomNetworking {
		return
	}
	at := slices.IndexFunc(subnets, func(s vpc.Subnet) bool { return s.ID == from.Subnet })
	for _, s := range subnets {
		if at >= 0 && s.ID != from.Subnet && forPods(s) && s.Zone == subnets[at].Zone && s.VPC == from.VPC {
			p.further = append(p.further, s.ID)
		}
	}
}
