package awsnode

import (
	"strconv"
	"strings"

	"github.com/netdiag/netdiag/internal/vpc"
)

// The tags by which the CNI finds subnets for pods (pkg/awsutils/awsutils.go).
const (
	TagCNI     = "kubernetes.io/role/cni"
	TagCluster = "cni.networking.k8s.aws/cluster/" // with the name of the cluster that may use the subnet
)

// Discovered reports the tag by which the CNI finds further subnets. Before v1.22 any value counted, and no cluster was named.
func (u Setup) Discovered(subnet vpc.Subnet) bool {
	value, ok := subnet.Tags[TagCNI]
	if !ok || !u.Since(22, 0) {
		return ok
	}
	return value != "0" && u.Shared(subnet)
}

// Shared reports that no tag keeps a subnet for other clusters.
func (u Setup) Shared(subnet vpc.Subnet) bool {
	others := false
	for key := range subnet.Tags {
		if name, ok := strings.CutPrefix(key, TagCluster); ok {
			if name == u.Cluster {
				return true
			}
			others = true
		}
	}
	return !others
}

// Untagged reports a subnet that a tag takes away from pods: since v1.22, 0 keeps the CNI from making interfaces in it, that
// of the node's own first interface included, and its interfaces give no address to new pods.
func (u Setup) Untagged(subnet *vpc.Subnet) bool {
	return subnet != nil && subnet.Tags[TagCNI] == "0" && u.Since(22, 0)
}

// Since reports a vpc-cni of at least version 1 with this minor version and patch; one that is not known counts as the latest.
func (u Setup) Since(minor, patch int) bool {
	if u.Driver == nil {
		return true
	}
	x, y, z := Version(u.Driver.Version)
	if x == 0 {
		return true
	}
	return x > 1 || x == 1 && (y > minor || y == minor && z >= patch)
}

// Version reads "v1.18.1" or "v1.18.1-eksbuild.1"; what it can't read is 0.
func Version(text string) (major, minor, patch int) {
	text, _, _ = strings.Cut(strings.TrimPrefix(text, "v"), "-")
	parts := strings.Split(text, ".")
	for n, at := range []*int{&major, &minor, &patch} {
		if n < len(parts) {
			*at, _ = strconv.Atoi(parts[n])
		}
	}
	return major, minor, patch
}
