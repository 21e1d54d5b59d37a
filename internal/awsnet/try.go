package awsnet

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/netdiag/netdiag/diagnostics"
)

// Known refuses a cluster that EKS does not know in the region of the client.
func (c *Client) Known(ctx context.Context, cluster string) error {
	_, err := c.eks.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: &cluster})
	if err != nil && classify(err) == absent {
		return diagnostics.Refusal(fmt.Sprintf("There is no EKS cluster %q in %s.", cluster, c.region))
	}
	return unreadable("eks:DescribeCluster", "describe cluster "+cluster, err)
}

// Try finds out whether the caller has a permission, such as ec2:DescribeSubnets, by the smallest call that needs it: a dry
// run where EC2 has one, elsewhere a question about something that isn't there, for AWS looks at permissions first. nil
// means that it is granted; a *diagnostics.ReadError of reason denied that it is not; anything else that it can't be told.
func (c *Client) Try(ctx context.Context, permission, cluster string) error {
	call, ok := c.trials(cluster)[permission]
	if !ok {
		return fmt.Errorf("try %s: netdiag makes no such call", permission)
	}
	err := call(ctx)
	switch {
	case err == nil:
		return nil
	case classify(err) == denied, classify(err) == throttled, classify(err) == timeout, classify(err) == noIdentity, classify(err) == interrupted:
		return unreadable(permission, "try "+permission, err)
	}
	return nil // it was let through, and found wanting
}

// trials lists the smallest call for each permission.
func (c *Client) trials(cluster string) map[string]func(context.Context) error {
	yes, five, one := aws.Bool(true), aws.Int32(5), aws.Int32(1)
	nothing := "netdiag-permission-check"
	arn := func(kind string) *string { // of something that isn't there
		return aws.String("arn:aws:elasticloadbalancing:" + c.region + ":000000000000:" + kind + "/" + nothing + "/0000000000000000")
	}
	balancer := arn("loadbalancer/app")
	now := time.Now()
	return map[string]func(context.Context) error{
		"ec2:DescribeVpcs":               asking(c.ec2.DescribeVpcs, &ec2.DescribeVpcsInput{DryRun: yes}),
		"ec2:DescribeSubnets":            asking(c.ec2.DescribeSubnets, &ec2.DescribeSubnetsInput{DryRun: yes}),
		"ec2:DescribeNetworkInterfaces":  asking(c.ec2.DescribeNetworkInterfaces, &ec2.DescribeNetworkInterfacesInput{DryRun: yes}),
		"ec2:DescribeInstances":          asking(c.ec2.DescribeInstances, &ec2.DescribeInstancesInput{DryRun: yes}),
		"ec2:DescribeInstanceTypes":      asking(c.ec2.DescribeInstanceTypes, &ec2.DescribeInstanceTypesInput{DryRun: yes}),
		"ec2:DescribeSecurityGroups":     asking(c.ec2.DescribeSecurityGroups, &ec2.DescribeSecurityGroupsInput{DryRun: yes}),
		"ec2:DescribeSecurityGroupRules": asking(c.ec2.DescribeSecurityGroupRules, &ec2.DescribeSecurityGroupRulesInput{DryRun: yes}),
		"ec2:DescribeNetworkAcls":        asking(c.ec2.DescribeNetworkAcls, &ec2.DescribeNetworkAclsInput{DryRun: yes}),
		"ec2:DescribeVpcEndpoints":       asking(c.ec2.DescribeVpcEndpoints, &ec2.DescribeVpcEndpointsInput{DryRun: yes}),
		"ec2:DescribeRouteTables":        asking(c.ec2.DescribeRouteTables, &ec2.DescribeRouteTablesInput{DryRun: yes}),
		"ec2:GetSubnetCidrReservations":  asking(c.ec2.GetSubnetCidrReservations, &ec2.GetSubnetCidrReservationsInput{DryRun: yes, SubnetId: aws.String("subnet-00000000000000000")}),
		"ec2:GetManagedPrefixListEntries": asking(c.ec2.GetManagedPrefixListEntries,
			&ec2.GetManagedPrefixListEntriesInput{DryRun: yes, PrefixListId: aws.String("pl-00000000000000000")}),

		"elasticloadbalancing:DescribeLoadBalancers": asking(c.elb.DescribeLoadBalancers, &elb.DescribeLoadBalancersInput{PageSize: one}),
		"elasticloadbalancing:DescribeLoadBalancerAttributes": asking(c.elb.DescribeLoadBalancerAttributes,
			&elb.DescribeLoadBalancerAttributesInput{LoadBalancerArn: balancer}),
		"elasticloadbalancing:DescribeListeners": asking(c.elb.DescribeListeners, &elb.DescribeListenersInput{LoadBalancerArn: balancer}),
		"elasticloadbalancing:DescribeRules":     asking(c.elb.DescribeRules, &elb.DescribeRulesInput{ListenerArn: arn("listener/app")}),
		"elasticloadbalancing:DescribeTargetGroups": asking(c.elb.DescribeTargetGroups,
			&elb.DescribeTargetGroupsInput{PageSize: one}),
		"elasticloadbalancing:DescribeTargetGroupAttributes": asking(c.elb.DescribeTargetGroupAttributes,
			&elb.DescribeTargetGroupAttributesInput{TargetGroupArn: arn("targetgroup")}),
		"elasticloadbalancing:DescribeTargetHealth": asking(c.elb.DescribeTargetHealth, &elb.DescribeTargetHealthInput{TargetGroupArn: arn("targetgroup")}),
		"elasticloadbalancing:DescribeTags":         asking(c.elb.DescribeTags, &elb.DescribeTagsInput{ResourceArns: []string{*balancer}}),

		"eks:DescribeCluster":        asking(c.eks.DescribeCluster, &eks.DescribeClusterInput{Name: &cluster}),
		"eks:DescribeAddon":          asking(c.eks.DescribeAddon, &eks.DescribeAddonInput{ClusterName: &cluster, AddonName: aws.String("vpc-cni")}),
		"eks:ListNodegroups":         asking(c.eks.ListNodegroups, &eks.ListNodegroupsInput{ClusterName: &cluster, MaxResults: one}),
		"eks:DescribeNodegroup":      asking(c.eks.DescribeNodegroup, &eks.DescribeNodegroupInput{ClusterName: &cluster, NodegroupName: &nothing}),
		"eks:ListFargateProfiles":    asking(c.eks.ListFargateProfiles, &eks.ListFargateProfilesInput{ClusterName: &cluster, MaxResults: one}),
		"eks:DescribeFargateProfile": asking(c.eks.DescribeFargateProfile, &eks.DescribeFargateProfileInput{ClusterName: &cluster, FargateProfileName: &nothing}),

		"autoscaling:DescribeScalingActivities": asking(c.autoscaling.DescribeScalingActivities, &autoscaling.DescribeScalingActivitiesInput{MaxRecords: five}),
		"cloudtrail:LookupEvents":               asking(c.cloudtrail.LookupEvents, &cloudtrail.LookupEventsInput{MaxResults: one}),
		"cloudwatch:GetMetricData": asking(c.cloudwatch.GetMetricData, &cloudwatch.GetMetricDataInput{
			StartTime: aws.Time(now.Add(-time.Hour)), EndTime: &now, MetricDataQueries: []cwtypes.MetricDataQuery{{
				Id: aws.String("m"), MetricStat: &cwtypes.MetricStat{Period: aws.Int32(60), Stat: aws.String("Sum"),
					Metric: &cwtypes.Metric{Namespace: aws.String("AWS/ApplicationELB"), MetricName: aws.String("RequestCount")}},
			}},
		}),
	}
}

func asking[I, O, P any](call func(context.Context, *I, ...func(P)) (*O, error), in *I) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := call(ctx, in)
		return err
	}
}
