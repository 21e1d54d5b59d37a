// Package awsnode is the VPC CNI of a cluster as diagnoses see it: what its DaemonSet aws-node is set to, who declares that, and how
// it is changed by the same way.
package awsnode

import "github.com/netdiag/netdiag/internal/eks"

// Setup is how aws-node is set up in a cluster, as far as it could be read.
type Setup struct {
	Cluster string
	Driver  *Driver    // the DaemonSet; nil where there is none, or it could not be read
	Addon   *eks.Addon // vpc-cni; nil where it isn't an EKS add-on, or could not be read
	// AddonUnread means that the add-on could not be read.
	AddonUnread bool
}
