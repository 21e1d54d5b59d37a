package awsnet

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/netdiag/netdiag/internal/recall"
	"github.com/netdiag/netdiag/internal/vpc"
)

// wildcards escapes what filter values of EC2 read as patterns.
var wildcards = strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`)

// SecurityGroups implements diagnostics.Firewalls; ids that don't exist are left out.
func (r *Reader) SecurityGroups(ctx context.Context, ids ...string) ([]vpc.SecurityGroup, error) {
	ids = set(ids)
	return recall.List(ctx, &r.memory, key(append([]string{"groups"}, ids...)...), func(ctx context.Context) ([]vpc.SecurityGroup, error) {
		return inBatches(ids, filterValues, func(batch []string) ([]vpc.SecurityGroup, error) {
			var out []vpc.SecurityGroup
			p := ec2.NewDescribeSecurityGroupsPaginator(r.c.ec2, &ec2.DescribeSecurityGroupsInput{
				Filters: []types.Filter{where("group-id", batch...)}, MaxResults: aws.Int32(pageSize),
			})
			err := pages(ctx, p, func(page *ec2.DescribeSecurityGroupsOutput) {
				for _, g := range page.SecurityGroups {
					out = append(out, vpc.SecurityGroup{
						ID: aws.ToString(g.GroupId), Name: aws.ToString(g.GroupName), Description: aws.ToString(g.Description),
						VPC: aws.ToString(g.VpcId), Tags: ec2Tags(g.Tags),
					})
				}
			})
			return out, unreadable("ec2:DescribeSecurityGroups", fmt.Sprint("describe security groups ", batch), err)
		})
	})
}

// SecurityGroupRules implements diagnostics.Firewalls: the rules of these groups, both directions.
func (r *Reader) SecurityGroupRules(ctx context.Context, groups ...string) ([]vpc.SecurityGroupRule, error) {
	groups = set(groups)
	return recall.List(ctx, &r.memory, key(append([]string{"rules"}, groups...)...), func(ctx context.Context) ([]vpc.SecurityGroupRule, error) {
		return inBatches(groups, filterValues, func(batch []string) ([]vpc.SecurityGroupRule, error) {
			return r.c.securityGroupRules(ctx, fmt.Sprint("describe security group rules of ", batch), where("group-id", batch...))
		})
	})
}

func (c *Client) securityGroupRules(ctx context.Context, what string, f types.Filter) ([]vpc.SecurityGroupRule, error) {
	var out []vpc.SecurityGroupRule
	p := ec2.NewDescribeSecurityGroupRulesPaginator(c.ec2, &ec2.DescribeSecurityGroupRulesInput{
		Filters: []types.Filter{f}, MaxResults: aws.Int32(pageSize),
	})
	err := pages(ctx, p, func(page *ec2.DescribeSecurityGroupRulesOutput) {
		for _, s := range page.SecurityGroupRules {
			out = append(out, securityGroupRule(s))
		}
	})
	return out, unreadable("ec2:DescribeSecurityGroupRules", what, err)
}

func securityGroupRule(s types.SecurityGroupRule) vpc.SecurityGroupRule {
	out := vpc.SecurityGroupRule{
		ID: aws.ToString(s.SecurityGroupRuleId), Group: aws.ToString(s.GroupId), Egress: aws.ToBool(s.IsEgress), Protocol: aws.ToString(s.IpProtocol),
		From: int(aws.ToInt32(s.FromPort)), To: int(aws.ToInt32(s.ToPort)), CIDR: cidr(s.CidrIpv4), PrefixList: aws.ToString(s.PrefixListId),
		Description: aws.ToString(s.Description), Tags: ec2Tags(s.Tags),
	}
	if s.CidrIpv6 != nil {
		out.CIDR = cidr(s.CidrIpv6)
	}
	if g := s.ReferencedGroupInfo; g != nil {
		out.Source, out.Peering = aws.ToString(g.GroupId), aws.ToString(g.PeeringStatus)
	}
	return out
}

// PrefixList implements diagnostics.Firewalls: the CIDR blocks of a managed prefix list.
func (r *Reader) PrefixList(ctx context.Context, id string) ([]string, error) {
	return recall.List(ctx, &r.memory, key("prefix-list", id), func(ctx context.Context) ([]string, error) {
		var out []string
		p := ec2.NewGetManagedPrefixListEntriesPaginator(r.c.ec2, &ec2.GetManagedPrefixListEntriesInput{PrefixListId: aws.String(id)})
		err := pages(ctx, p, func(page *ec2.GetManagedPrefixListEntriesOutput) {
			for _, e := range page.Entries {
				out = append(out, aws.ToString(e.Cidr))
			}
		})
		return out, unreadable("ec2:GetManagedPrefixListEntries", "get the entries of prefix list "+id, err)
	})
}
