// Package ip answers how much room the subnets have in which pods get their addresses, and how long it will last.
package ip

import (
	_ "embed" // for doc.md

	"github.com/netdiag/netdiag/diagnostics"
)

//go:embed doc.md
var doc string

// Diagnosis is /netdiag ip [subnet | zone].
var Diagnosis = diagnostics.Define(diagnostics.Spec[Snapshot]{
	Name: "ip", Doc: doc, Usage: "[subnet | zone]",
	Reads: []string{
		"list nodes", "list pods", "list events", "list daemonsets.apps", "list eniconfigs.crd.k8s.amazonaws.com",
		"ec2:DescribeSubnets", "ec2:DescribeNetworkInterfaces", "ec2:GetSubnetCidrReservations", "ec2:DescribeInstanceTypes",
		"ec2:DescribeVpcs", "ec2:DescribeRouteTables", "eks:DescribeCluster", "eks:DescribeAddon",
	},
	Outlook: true,
	Causes:  []string{"subnet-low", "surge-short", "prefixes-low", "slots-full", "agent-errors"},
	Collect: collect,
	Analyze: analyze,
})
