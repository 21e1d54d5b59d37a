package pending

import (
	"fmt"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/awsnode"
	"github.com/netdiag/netdiag/internal/vpc"
)

// noSubnet explains a node for which tags leave no subnet at all to make an interface in.
func (a *analysis) noSubnet(p *pool, f diagnostics.Finding, pods []waiting) bool {
	if p.settings.CustomNetworking || !p.canAttach() || p.room() > 0 || len(p.members) == 0 {
		return false
	}
	home := a.s.subnet(p.members[0].eni.Subnet)
	if !a.s.setup().Untagged(home) {
		return false
	}
	f.ID, f.Subject = "subnet-discovery", home.ID
	f.Summary = fmt.Sprintf("subnet %s of node %s is tagged %s=0, and no subnet of zone %s is tagged for pods of this cluster: the CNI has none to make an interface in", home.ID, p.node.Name, awsnode.TagCNI, p.node.Zone)
	if !p.settings.SubnetDiscovery {
		f.Summary = fmt.Sprintf("subnet %s of node %s is tagged %s=0, and subnet discovery is off: the CNI has none to make an interface in", home.ID, p.node.Name, awsnode.TagCNI)
	}
	f.Evidence = append(f.Evidence, subnetEvidence(home), tagEvidence(home))
	for n := range a.s.Subnets {
		if s := &a.s.Subnets[n]; s.ID != home.ID && s.Zone == home.Zone && (s.Tags[awsnode.TagCNI] != "" || !a.s.setup().Shared(*s)) && len(f.Evidence) < mostEvidence-2 {
			f.Evidence = append(f.Evidence, tagEvidence(s))
		}
	}
	f.Evidence = append(f.Evidence, settingsEvidence("ENABLE_SUBNET_DISCOVERY", p), a.imageEvidence())
	a.witnessed(&f, p, "no valid subnets available for ENI creation", "primary subnet is tagged with "+awsnode.TagCNI+"=0")
	a.find(f, pods)
	return true
}

func tagEvidence(s *vpc.Subnet) diagnostics.Evidence {
	var parts []string
	for _, key := range sortedKeys(s.Tags) {
		if key == awsnode.TagCNI || strings.HasPrefix(key, awsnode.TagCluster) {
			parts = append(parts, key+"="+s.Tags[key])
		}
	}
	value := strings.Join(parts, ", ")
	if value == "" {
		value = "none for the CNI"
	}
	return diagnostics.Evidence{What: "tags of " + s.ID, Value: value, Source: "ec2:DescribeSubnets", Repeat: "aws ec2 describe-subnets --subnet-ids " + s.ID}
}

func (a *analysis) imageEvidence() diagnostics.Evidence {
	return diagnostics.Evidence{What: "image of aws-node", Value: a.s.Driver.Version,
		Source: "list daemonsets.apps", Repeat: "kubectl get daemonset aws-node -n kube-system -o jsonpath={.spec.template.spec.containers[*].image}"}
}

// discoveryBug is v1.18.0 to v1.18.2: the CNI keeps trying to fill an interface in a full subnet and never opens one in another.
func (a *analysis) discoveryBug(p *pool, ways []way, f diagnostics.Finding, pods []waiting) bool {
	if a.s.Driver == nil {
		return false
	}
	major, minor, patch := awsnode.Version(a.s.Driver.Version)
	if major != 1 || minor != 18 || patch > 2 {
		return false
	}
	var stuck, roomy *vpc.Subnet
	for _, w := range ways {
		switch {
		case w.fill && w.subnet.Available == 0:
			stuck = w.subnet
		case w.tagged && w.subnet.Available >= w.need:
			roomy = w.subnet
		}
	}
	if stuck == nil || roomy == nil {
		return false
	}
	f.ID, f.Subject, f.Confidence = "subnet-discovery", stuck.ID, diagnostics.Likely
	f.Summary = fmt.Sprintf("vpc-cni %s keeps filling an interface in the full subnet %s and never opens one in %s, which has %d addresses (fixed in v1.18.3)", a.s.Driver.Version, stuck.ID, roomy.ID, roomy.Available)
	f.Evidence = append(f.Evidence, subnetEvidence(stuck), subnetEvidence(roomy), a.imageEvidence())
	a.witnessed(&f, p, "InsufficientFreeAddressesInSubnet")
	a.find(f, pods)
	return true
}
