package pending

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/vpc"
)

// The tags by which the CNI finds subnets for pods (pkg/awsutils/awsutils.go).
const (
	tagCNI        = "kubernetes.io/role/cni"
	tagCNICluster = "cni.networking.k8s.aws/cluster/" // with the name of the cluster that may use the subnet
)

// discovered reports the tag by which the CNI finds further subnets. Before v1.22 any value counted, and no cluster was named.
func (s *Snapshot) discovered(subnet vpc.Subnet) bool {
	value, ok := subnet.Tags[tagCNI]
	if !ok || !s.since(22, 0) {
		return ok
	}
	return value != "0" && s.forThisCluster(subnet)
}

// forThisCluster reports that no tag keeps a subnet for other clusters.
func (s *Snapshot) forThisCluster(subnet vpc.Subnet) bool {
	others := false
	for key := range subnet.Tags {
		if name, ok := strings.CutPrefix(key, tagCNICluster); ok {
			if name == s.Target.Cluster {
				return true
			}
			others = true
		}
	}
	return !others
}

// excluded reports a subnet that a tag takes away from pods: since v1.22, 0 keeps the CNI from making interfaces in it, that
// of the node's own first interface included, and its interfaces give no address to new pods.
func (s *Snapshot) excluded(subnet *vpc.Subnet) bool {
	return subnet != nil && subnet.Tags[tagCNI] == "0" && s.since(22, 0)
}

// since reports a vpc-cni of at least version 1 with this minor version and patch; one that is not known counts as the latest.
func (s *Snapshot) since(minor, patch int) bool {
	if s.Driver == nil {
		return true
	}
	x, y, z := version(s.Driver.Version)
	if x == 0 {
		return true
	}
	return x > 1 || x == 1 && (y > minor || y == minor && z >= patch)
}

// noSubnet explains a node for which tags leave no subnet at all to make an interface in.
func (a *analysis) noSubnet(p *pool, f diagnostics.Finding, pods []waiting) bool {
	if p.settings.CustomNetworking || !p.canAttach() || p.room() > 0 || len(p.members) == 0 {
		return false
	}
	home := a.s.subnet(p.members[0].eni.Subnet)
	if !a.s.excluded(home) {
		return false
	}
	f.ID, f.Subject = "subnet-discovery", home.ID
	f.Summary = fmt.Sprintf("subnet %s of node %s is tagged %s=0, and no subnet of zone %s is tagged for pods of this cluster: the CNI has none to make an interface in", home.ID, p.node.Name, tagCNI, p.node.Zone)
	if !p.settings.SubnetDiscovery {
		f.Summary = fmt.Sprintf("subnet %s of node %s is tagged %s=0, and subnet discovery is off: the CNI has none to make an interface in", home.ID, p.node.Name, tagCNI)
	}
	f.Evidence = append(f.Evidence, subnetEvidence(home), tagEvidence(home))
	for n := range a.s.Subnets {
		if s := &a.s.Subnets[n]; s.ID != home.ID && s.Zone == home.Zone && (s.Tags[tagCNI] != "" || !a.s.forThisCluster(*s)) && len(f.Evidence) < mostEvidence-2 {
			f.Evidence = append(f.Evidence, tagEvidence(s))
		}
	}
	f.Evidence = append(f.Evidence, settingsEvidence("ENABLE_SUBNET_DISCOVERY", p), a.imageEvidence())
	a.witnessed(&f, p, "no valid subnets available for ENI creation", "primary subnet is tagged with "+tagCNI+"=0")
	a.find(f, pods)
	return true
}

func tagEvidence(s *vpc.Subnet) diagnostics.Evidence {
	var parts []string
	for _, key := range sortedKeys(s.Tags) {
		if key == tagCNI || strings.HasPrefix(key, tagCNICluster) {
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
	major, minor, patch := version(a.s.Driver.Version)
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

// version reads "v1.18.1" or "v1.18.1-eksbuild.1"; what it can't read is 0.
func version(text string) (major, minor, patch int) {
	text, _, _ = strings.Cut(strings.TrimPrefix(text, "v"), "-")
	parts := strings.Split(text, ".")
	for n, at := range []*int{&major, &minor, &patch} {
		if n < len(parts) {
			*at, _ = strconv.Atoi(parts[n])
		}
	}
	return major, minor, patch
}
