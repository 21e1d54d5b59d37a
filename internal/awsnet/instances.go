package awsnet

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/netdiag/netdiag/internal/recall"
	"github.com/netdiag/netdiag/internal/vpc"
)

// Instances implements diagnostics.Instances, managed instances included.
func (r *Reader) Instances(ctx context.Context, ids ...string) ([]vpc.Instance, error) {
	ids = set(ids)
	return recall.List(ctx, &r.memory, key(append([]string{"instances"}, ids...)...), func(ctx context.Context) ([]vpc.Instance, error) {
		return inBatches(ids, filterValues, func(batch []string) ([]vpc.Instance, error) {
			var out []vpc.Instance
			p := ec2.NewDescribeInstancesPaginator(r.c.ec2, &ec2.DescribeInstancesInput{
				Filters: []types.Filter{where("instance-id", batch...)}, MaxResults: aws.Int32(pageSize), IncludeManagedResources: aws.Bool(true),
			})
			err := pages(ctx, p, func(page *ec2.DescribeInstancesOutput) {
				for _, v := range page.Reservations {
					for _, i := range v.Instances {
						out = append(out, instance(i))
					}
				}
			})
			return out, unreadable("ec2:DescribeInstances", fmt.Sprint("describe instances ", batch), err)
		})
	})
}

func instance(i types.Instance) vpc.Instance {
	out := vpc.Instance{
		ID: aws.ToString(i.InstanceId), Type: string(i.InstanceType), Subnet: aws.ToString(i.SubnetId), Address: addr(i.PrivateIpAddress),
		Launched: aws.ToTime(i.LaunchTime), Volumes: len(i.BlockDeviceMappings), Tags: ec2Tags(i.Tags),
	}
	if i.State != nil {
		out.State = string(i.State.Name)
	}
	if i.Placement != nil {
		out.Zone = aws.ToString(i.Placement.AvailabilityZone)
	}
	for _, g := range i.SecurityGroups {
		out.Groups = append(out.Groups, aws.ToString(g.GroupId))
	}
	return out
}

// InstanceTypes implements diagnostics.Instances.
func (r *Reader) InstanceTypes(ctx context.Context, names ...string) ([]vpc.InstanceType, error) {
	names = set(names)
	return recall.List(ctx, &r.memory, key(append([]string{"types"}, names...)...), func(ctx context.Context) ([]vpc.InstanceType, error) {
		return inBatches(names, 100, func(batch []string) ([]vpc.InstanceType, error) {
			var out []vpc.InstanceType
			p := ec2.NewDescribeInstanceTypesPaginator(r.c.ec2, &ec2.DescribeInstanceTypesInput{
				Filters: []types.Filter{where("instance-type", batch...)}, MaxResults: aws.Int32(100),
			})
			err := pages(ctx, p, func(page *ec2.DescribeInstanceTypesOutput) {
				for _, t := range page.InstanceTypes {
					out = append(out, instanceType(t))
				}
			})
			return out, unreadable("ec2:DescribeInstanceTypes", fmt.Sprint("describe instance types ", batch), err)
		})
	})
}

func instanceType(t types.InstanceTypeInfo) vpc.InstanceType {
	out := vpc.InstanceType{
		Name:  string(t.InstanceType),
		Nitro: t.Hypervisor == types.InstanceTypeHypervisorNitro || aws.ToBool(t.BareMetal), // of bare metal the API names no hypervisor
	}
	if t.VCpuInfo != nil {
		out.VCPUs = int(aws.ToInt32(t.VCpuInfo.DefaultVCpus))
	}
	if n := t.NetworkInfo; n != nil {
		out.AddressesPerInterface = int(aws.ToInt32(n.Ipv4AddressesPerInterface))
		out.Interfaces = int(aws.ToInt32(n.MaximumNetworkInterfaces)) // of all cards; the same where there is one
		for _, card := range n.NetworkCards {
			if aws.ToInt32(card.NetworkCardIndex) == aws.ToInt32(n.DefaultNetworkCardIndex) {
				out.Interfaces = int(aws.ToInt32(card.MaximumNetworkInterfaces))
			}
		}
	}
	return out
}
