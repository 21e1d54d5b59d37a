package pending

import (
	"fmt"
	"slices"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/vpc"
)

// gaps names what could not be read, and which causes stay open for want of it.
func (a *analysis) gaps() {
	for _, u := range a.s.Unread {
		key := u
		key.What = ""
		g := diagnostics.Gap{Permission: u.Permission, Reason: u.Reason, Summary: gapText(u)}
		// A pod whose trouble is known doesn't hang on what could not be read.
		if len(a.unsolved)+len(a.unmade) > 0 {
			g.Caps = slices.Clone(a.open[key])
		}
		if u.Permission == "list pods" && len(a.s.Pods) == 0 {
			g.Caps = []string{"pending/subnet-exhausted", "pending/max-pods", "pending/insufficient-resources", "pending/image-pull"}
		}
		if u.Permission == "ec2:DescribeInstances" && a.doubtful() {
			g.Caps = append(g.Caps, "pending/leaked-enis")
		}
		slices.Sort(g.Caps)
		a.res.Gaps = append(a.res.Gaps, g)
	}
	if _, missed := a.unread("list events"); missed && len(a.unsolved) > 0 {
		for n := range a.res.Gaps {
			if g := &a.res.Gaps[n]; g.Permission == "list events" {
				g.Caps = append(g.Caps, "pending/volume-mount", "pending/missing-config", "pending/cni-iam", "pending/ipamd-down")
			}
		}
	}
}

// doubtful reports unattached interfaces that may be leaked in a subnet that is full.
func (a *analysis) doubtful() bool {
	for _, f := range a.of("subnet-exhausted", "eni-all-or-nothing", "no-free-prefix") {
		if l, ok := a.ledgers[f.Subject]; ok && l.Of(vpc.Unattached).Addresses > 0 {
			return true
		}
	}
	return false
}

func (a *analysis) isOpen() bool {
	return slices.ContainsFunc(a.res.Gaps, func(g diagnostics.Gap) bool { return len(g.Caps) > 0 })
}

func gapText(u diagnostics.Unread) string {
	how := map[string]string{diagnostics.Denied: "may not be read", diagnostics.Throttled: "was throttled", diagnostics.Timeout: "did not answer in time", diagnostics.Absent: "is not there"}[u.Reason]
	what := map[string]string{
		"ec2:DescribeSubnets":                   "subnets: cannot tell whether they are full",
		"ec2:DescribeNetworkInterfaces":         "network interfaces: cannot tell who holds addresses",
		"ec2:DescribeInstances":                 "instances: cannot tell whether an interface is leaked",
		"ec2:GetSubnetCidrReservations":         "subnet reservations: the count of free /28 may be off",
		"ec2:DescribeInstanceTypes":             "instance types: limits are from a table",
		"list events":                           "events: what Kubernetes said of the pods is not known",
		"get pods/proxy":                        "counters of the CNI: EC2's answers to it are not known",
		"get pods/log":                          "logs of the CNI",
		"eks:DescribeAddon":                     "add-ons: the owner of the CNI's settings is not known",
		"eks:DescribeCluster":                   "the cluster",
		"list nodes":                            "nodes",
		"list pods":                             "pods",
		"cloudtrail:LookupEvents":               "the audit log: when EC2 last refused is not known",
		"list persistentvolumeclaims":           "volume claims",
		"list persistentvolumes":                "volumes",
		"list daemonsets.apps":                  "DaemonSets: the settings of the CNI are not known",
		"list namespaces":                       "namespaces",
		"ec2:DescribeVpcs":                      "the VPC: unused blocks are not known",
		"ec2:DescribeRouteTables":               "route tables",
		"ec2:DescribeVpcEndpoints":              "endpoints: cannot tell whether a registry is reached without the internet",
		"eks:ListNodegroups":                    "node groups: what keeps them from growing is not known",
		"eks:DescribeNodegroup":                 "node groups: what keeps them from growing is not known",
		"autoscaling:DescribeScalingActivities": "scaling activities: what keeps node groups from growing is not known",
		"eks:ListFargateProfiles":               "Fargate profiles",
		"eks:DescribeFargateProfile":            "Fargate profiles",
		"list deployments.apps":                 "Deployments: who declares workloads is not known",
		"list resourcequotas":                   "resource quotas: what is used of them by now is not known",
		"get configmaps":                        "the ConfigMap amazon-vpc-cni: settings of the VPC resource controller are not known",
		"list csinodes.storage.k8s.io":          "CSI nodes: how many volumes a node may attach is not known",
		"list nodepools.karpenter.sh":           "node pools: their limits are not known",
		"list ec2nodeclasses.karpenter.k8s.aws": "node classes: in which subnets nodes start is not known",
		"list replicasets.apps":                 "ReplicaSets: pods that could not be made may be missed",
		"list statefulsets.apps":                "StatefulSets: pods that could not be made may be missed",
		"list jobs.batch":                       "jobs: pods that could not be made may be missed",
		"list nodeclasses.eks.amazonaws.com":    "node classes of EKS Auto Mode",
		"list eniconfigs.crd.k8s.amazonaws.com": "ENIConfigs",
	}[u.Permission]
	if what == "" {
		what = u.Permission
	}
	text := fmt.Sprintf("%s %s (%s)", u.Permission, how, what)
	if u.What != "" {
		text += " of " + u.What
	}
	return text
}
