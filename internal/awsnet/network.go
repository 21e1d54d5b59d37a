package awsnet

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/recall"
	"github.com/netdiag/netdiag/internal/vpc"
)

const (
	filterValues = 200  // EC2 takes no more filter values in one call
	pageSize     = 1000 // the largest page of EC2; calls without a page size use a smaller token bucket
)

// where makes a filter. Filters are used rather than lists of ids, because one id that is gone makes a whole call fail.
func where(name string, values ...string) types.Filter {
	return types.Filter{Name: aws.String(name), Values: values}
}

// Subnets implements diagnostics.Network; ids that don't exist are left out.
func (r *Reader) Subnets(ctx context.Context, ids ...string) ([]vpc.Subnet, error) {
	ids = set(ids)
	return recall.List(ctx, &r.memory, key(append([]string{"subnets"}, ids...)...), func(ctx context.Context) ([]vpc.Subnet, error) {
		return inBatches(ids, filterValues, func(batch []string) ([]vpc.Subnet, error) {
			return r.subnets(ctx, fmt.Sprint("describe subnets ", batch), where("subnet-id", batch...))
		})
	})
}

// SubnetsOf implements diagnostics.Network.
func (r *Reader) SubnetsOf(ctx context.Context, vpcID string) ([]vpc.Subnet, error) {
	return recall.List(ctx, &r.memory, key("subnets-of", vpcID), func(ctx context.Context) ([]vpc.Subnet, error) {
		return r.subnets(ctx, "describe subnets of "+vpcID, where("vpc-id", vpcID))
	})
}

func (r *Reader) subnets(ctx context.Context, what string, f types.Filter) ([]vpc.Subnet, error) {
	var out []vpc.Subnet
	p := ec2.NewDescribeSubnetsPaginator(r.c.ec2, &ec2.DescribeSubnetsInput{Filters: []types.Filter{f}, MaxResults: aws.Int32(pageSize)})
	err := pages(ctx, p, func(page *ec2.DescribeSubnetsOutput) {
		for _, s := range page.Subnets {
			out = append(out, vpc.Subnet{
				ID: aws.ToString(s.SubnetId), VPC: aws.ToString(s.VpcId), Zone: aws.ToString(s.AvailabilityZone), CIDR: cidr(s.CidrBlock),
				Owner: aws.ToString(s.OwnerId), Available: int(aws.ToInt32(s.AvailableIpAddressCount)), Tags: ec2Tags(s.Tags),
			})
		}
	})
	return out, unreadable("ec2:DescribeSubnets", what, err)
}

// VPC implements diagnostics.Network. One that doesn't exist is a ReadError with reason absent.
func (r *Reader) VPC(ctx context.Context, id string) (vpc.VPC, error) {
	return recall.Once(ctx, &r.memory, key("vpc", id), func(ctx context.Context) (vpc.VPC, error) {
		what := "describe VPC " + id
		out, err := r.c.ec2.DescribeVpcs(ctx, &ec2.DescribeVpcsInput{Filters: []types.Filter{where("vpc-id", id)}})
		if err != nil {
			return vpc.VPC{}, unreadable("ec2:DescribeVpcs", what, err)
		}
		if len(out.Vpcs) == 0 {
			return vpc.VPC{}, &diagnostics.ReadError{Permission: "ec2:DescribeVpcs", Reason: diagnostics.Absent, Err: fmt.Errorf("%s: no such VPC", what)}
		}
		v := out.Vpcs[0]
		got := vpc.VPC{ID: aws.ToString(v.VpcId)}
		for _, a := range v.CidrBlockAssociationSet {
			if a.CidrBlockState != nil && a.CidrBlockState.State == types.VpcCidrBlockStateCodeAssociated {
				got.CIDRs = append(got.CIDRs, cidr(a.CidrBlock))
			}
		}
		if len(v.CidrBlockAssociationSet) == 0 && v.CidrBlock != nil {
			got.CIDRs = append(got.CIDRs, cidr(v.CidrBlock))
		}
		return got, nil
	})
}

func ec2Tags(tags []types.Tag) map[string]string {
	out := make(map[string]string, len(tags))
	for _, t := range tags {
		out[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return out
}
