package remedy

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Most of one kind that an action may name: what touches more is to be done in parts.
const (
	MaxInterfaces = 25 // each is looked at, tried and deleted by itself, within the time of one change
	MaxPods       = 100
)

// How AWS and Kubernetes write the names of things. Ids of EC2 have 8 hex digits, newer ones 17; a cluster's name has 1 to
// 100 characters (eks:CreateCluster); a Kubernetes name is an RFC 1123 subdomain, and a namespace a label.
var (
	interfaceID = regexp.MustCompile(`^eni-([0-9a-f]{8}|[0-9a-f]{17})$`)
	subnetID    = regexp.MustCompile(`^subnet-([0-9a-f]{8}|[0-9a-f]{17})$`)
	groupID     = regexp.MustCompile(`^sg-([0-9a-f]{8}|[0-9a-f]{17})$`)
	clusterName = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z_-]{0,99}$`)
	clusterTag  = regexp.MustCompile(`^kubernetes\.io/cluster/[0-9A-Za-z][0-9A-Za-z_-]{0,99}$`)
	objectName  = regexp.MustCompile(`^[0-9a-z]([0-9a-z.-]{0,251}[0-9a-z])?$`)
	spaceName   = regexp.MustCompile(`^[0-9a-z]([0-9a-z-]{0,61}[0-9a-z])?$`)
	objectUID   = regexp.MustCompile(`^[0-9A-Za-z]([0-9A-Za-z.-]{0,126}[0-9A-Za-z])?$`)
)

// roleCNI is the tag by which subnets are given to pods (amazon-vpc-cni-k8s README, "Enhanced Subnet Discovery").
const roleCNI = "kubernetes.io/role/cni"

func (r *AddonConfig) validate() error   { return nil }
func (r *DaemonSetEnv) validate() error  { return nil }
func (r *RevokeIngress) validate() error { return nil }
func (r *Annotate) validate() error      { return nil }

func (r *AllowIngress) validate() error {
	if r.Group == "" || r.Source == "" || r.Port < 1 || r.Port > 65535 {
		return fmt.Errorf("allow ingress %+v: needs a group, a source group and a port from 1 to 65535", *r)
	}
	return nil
}

func (r *DeleteInterfaces) validate() error {
	if !clusterName.MatchString(r.Cluster) {
		return fmt.Errorf("delete interfaces: %q is no cluster", r.Cluster)
	}
	if n := len(r.Interfaces); n < 1 || n > MaxInterfaces {
		return fmt.Errorf("delete interfaces of %s: names %d, not 1 to %d", r.Cluster, n, MaxInterfaces)
	}
	for _, id := range r.Interfaces {
		if !interfaceID.MatchString(id) {
			return fmt.Errorf("delete interfaces of %s: %q is no network interface", r.Cluster, id)
		}
	}
	return ascending("delete interfaces of "+r.Cluster, r.Interfaces, strings.Compare)
}

func (r *Tag) validate() error {
	var takes []string
	switch {
	case subnetID.MatchString(r.Resource) && r.Key == roleCNI:
		takes = []string{"1", "0"}
	case groupID.MatchString(r.Resource) && clusterTag.MatchString(r.Key):
		takes = []string{"owned", "shared"}
	default:
		return fmt.Errorf("tag %q of %q: not one that may be changed", r.Key, r.Resource)
	}
	for _, v := range []*string{r.Value, r.Was} {
		if v != nil && !slices.Contains(takes, *v) {
			return fmt.Errorf("tag %s of %s: value %q, not one of %v", r.Key, r.Resource, *v, takes)
		}
	}
	if r.Value == nil && r.Was == nil || r.Value != nil && r.Was != nil && *r.Value == *r.Was {
		return fmt.Errorf("tag %s of %s: nothing would change", r.Key, r.Resource)
	}
	return nil
}

func (r *RestartPods) validate() error {
	if r.Namespace != "kube-system" || r.DaemonSet != "aws-node" {
		return fmt.Errorf("restart pods of %q/%q: only those of kube-system/aws-node", r.Namespace, r.DaemonSet)
	}
	if n := len(r.Pods); n < 1 || n > MaxPods {
		return fmt.Errorf("restart pods of aws-node: names %d, not 1 to %d", n, MaxPods)
	}
	for _, p := range r.Pods {
		if !objectName.MatchString(p.Name) || !objectUID.MatchString(p.UID) || !objectName.MatchString(p.Node) {
			return fmt.Errorf("restart pods of aws-node: %+q is no pod on a node", p)
		}
	}
	return ascending("restart pods of aws-node", r.Pods, func(a, b Pod) int { return strings.Compare(a.Name, b.Name) })
}

func (r *MovePods) validate() error {
	if !objectName.MatchString(r.Node) {
		return fmt.Errorf("move pods: %q is no node", r.Node)
	}
	if n := len(r.Pods); n < 1 || n > MaxPods {
		return fmt.Errorf("move pods off %s: names %d, not 1 to %d", r.Node, n, MaxPods)
	}
	for _, p := range r.Pods {
		if !spaceName.MatchString(p.Namespace) || !objectName.MatchString(p.Name) || !objectUID.MatchString(p.UID) {
			return fmt.Errorf("move pods off %s: %+q is no pod", r.Node, p)
		}
	}
	return ascending("move pods off "+r.Node, r.Pods, func(a, b NamespacedPod) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
}

func (r *Cordon) validate() error {
	if !objectName.MatchString(r.Node) {
		return fmt.Errorf("cordon: %q is no node", r.Node)
	}
	if r.On == r.Was {
		return fmt.Errorf("cordon %s: nothing would change", r.Node)
	}
	return nil
}

// ascending reports a list that isn't sorted, or names a thing twice: one set of things has one hash.
func ascending[T any](what string, list []T, compare func(a, b T) int) error {
	for i := 1; i < len(list); i++ {
		if compare(list[i-1], list[i]) >= 0 {
			return fmt.Errorf("%s: %+v and %+v are not in order, or the same", what, list[i-1], list[i])
		}
	}
	return nil
}
