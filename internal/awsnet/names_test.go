package awsnet_test

import (
	"github.com/netdiag/netdiag/internal/eks"
	"github.com/netdiag/netdiag/internal/elb"
	"github.com/netdiag/netdiag/internal/vpc"
)

type (
	vpcInterface    = vpc.NetworkInterface
	vpcInstance     = vpc.Instance
	vpcInstanceType = vpc.InstanceType
	vpcGroup        = vpc.SecurityGroup
	vpcRule         = vpc.SecurityGroupRule
	vpcACL          = vpc.NetworkACL
	lb              = elb.LoadBalancer
	tg              = elb.TargetGroup
	nodegroup       = eks.Nodegroup
	fargate         = eks.FargateProfile
)
