// Package pending answers why pods of a namespace don't start: it finds out whether they wait for an address, and if so
// which of the many reasons for it is the true one, and tells what would really help.
package pending

import (
	_ "embed" // for doc.md

	"github.com/netdiag/netdiag/diagnostics"
)

//go:embed doc.md
var doc string

// Diagnosis is /netdiag pending <namespace> [pod].
var Diagnosis = diagnostics.Define(diagnostics.Spec[Snapshot]{
	Name: "pending", Doc: doc, Usage: "<namespace> [pod]",
	Reads: []string{
		"list namespaces", "list pods", "list events", "list nodes", "get nodes", "get pods/proxy", "get pods/log",
		"list deployments.apps", "list replicasets.apps", "list statefulsets.apps", "list daemonsets.apps", "list jobs.batch",
		"list persistentvolumeclaims", "list persistentvolumes", "list csinodes.storage.k8s.io", "list resourcequotas", "get configmaps",
		"list nodepools.karpenter.sh", "list ec2nodeclasses.karpenter.k8s.aws", "list eniconfigs.crd.k8s.amazonaws.com", "list nodeclasses.eks.amazonaws.com",
		"ec2:DescribeSubnets", "ec2:DescribeVpcs", "ec2:DescribeNetworkInterfaces", "ec2:GetSubnetCidrReservations",
		"ec2:DescribeInstanceTypes", "ec2:DescribeInstances", "ec2:DescribeRouteTables", "ec2:DescribeVpcEndpoints",
		"eks:DescribeCluster", "eks:DescribeAddon", "eks:ListFargateProfiles", "eks:DescribeFargateProfile", "eks:ListNodegroups", "eks:DescribeNodegroup", "autoscaling:DescribeScalingActivities",
		"cloudtrail:LookupEvents",
	},
	Causes: []string{
		"max-pods", "branch-eni-capacity", "windows-ip-resource", "insufficient-resources", "taint", "affinity", "volume-binding", "host-port", "gated",
		"node-launch-no-ip", "capacity-shortage", "autoscaler-limits", "fargate-no-ip", "subnet-exhausted", "eni-all-or-nothing", "no-free-prefix", "eni-slots-full", "warm-target-cap", "ip-cooldown",
		"insufficiency-backoff", "api-throttled", "cni-not-initialized", "ipamd-down", "cni-misconfigured", "cni-iam", "branch-eni-failed",
		"eniconfig", "subnet-discovery", "nau-limit", "eni-quota", "attachment-limit", "node-cordoned", "ipamd-leak", "node-disk", "imds-lag", "config-drift",
		"leaked-enis", "other-tenants", "warm-pool-overheld",
		"image-pull", "volume-mount", "missing-config", "runtime", "kubelet-rejected", "node-not-ready", "quota", "admission-webhook",
		"admission-denied", "init-container", "terminating", "other-cni", "network-policy-agent", "egress",
	},
	Collect: collect,
	Analyze: analyze,
})
