package awsnet

import (
	"cmp"
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/netdiag/netdiag/internal/recall"
	"github.com/netdiag/netdiag/internal/vpc"
)

// NetworkACLs implements diagnostics.Routing.
func (r *Reader) NetworkACLs(ctx context.Context, subnets ...string) ([]vpc.NetworkACL, error) {
	subnets = set(subnets)
	return recall.List(ctx, &r.memory, key(append([]string{"acls"}, subnets...)...), func(ctx context.Context) ([]vpc.NetworkACL, error) {
		have := map[string]bool{}
		return inBatches(subnets, filterValues, func(batch []string) ([]vpc.NetworkACL, error) {
			var out []vpc.NetworkACL
			p := ec2.NewDescribeNetworkAclsPaginator(r.c.ec2, &ec2.DescribeNetworkAclsInput{
				Filters: []types.Filter{where("association.subnet-id", batch...)}, MaxResults: aws.Int32(pageSize),
			})
			err := pages(ctx, p, func(page *ec2.DescribeNetworkAclsOutput) {
				for _, a := range page.NetworkAcls {
					if acl := networkACL(a); !have[acl.ID] {
						have[acl.ID] = true
						out = append(out, acl)
					}
				}
			})
			return out, unreadable("ec2:DescribeNetworkAcls", fmt.Sprint("describe network ACLs of ", batch), err)
		})
	})
}

func networkACL(a types.NetworkAcl) vpc.NetworkACL {
	out := vpc.NetworkACL{ID: aws.ToString(a.NetworkAclId), VPC: aws.ToString(a.VpcId)}
	for _, s := range a.Associations {
		out.Subnets = append(out.Subnets, aws.ToString(s.SubnetId))
	}
	for _, e := range a.Entries {
		entry := vpc.ACLEntry{
			Number: int(aws.ToInt32(e.RuleNumber)), Egress: aws.ToBool(e.Egress), Protocol: aws.ToString(e.Protocol), CIDR: cidr(e.CidrBlock),
			From: 0, To: 65535, Allow: e.RuleAction == types.RuleActionAllow,
		}
		if e.Ipv6CidrBlock != nil {
			entry.CIDR = cidr(e.Ipv6CidrBlock)
		}
		if e.PortRange != nil {
			entry.From, entry.To = int(aws.ToInt32(e.PortRange.From)), int(aws.ToInt32(e.PortRange.To))
		}
		out.Entries = append(out.Entries, entry)
	}
	return out
}

// RouteTables implements diagnostics.Routing.
func (r *Reader) RouteTables(ctx context.Context, vpcID string) ([]vpc.RouteTable, error) {
	return recall.List(ctx, &r.memory, key("routes", vpcID), func(ctx context.Context) ([]vpc.RouteTable, error) {
		var out []vpc.RouteTable
		p := ec2.NewDescribeRouteTablesPaginator(r.c.ec2, &ec2.DescribeRouteTablesInput{
			Filters: []types.Filter{where("vpc-id", vpcID)}, MaxResults: aws.Int32(100), // the most that this operation takes
		})
		err := pages(ctx, p, func(page *ec2.DescribeRouteTablesOutput) {
			for _, t := range page.RouteTables {
				out = append(out, routeTable(t))
			}
		})
		return out, unreadable("ec2:DescribeRouteTables", "describe route tables of "+vpcID, err)
	})
}

// Endpoints implements diagnostics.Routing.
func (r *Reader) Endpoints(ctx context.Context, vpcID string) ([]vpc.ServiceEndpoint, error) {
	return recall.List(ctx, &r.memory, key("endpoints", vpcID), func(ctx context.Context) ([]vpc.ServiceEndpoint, error) {
		var out []vpc.ServiceEndpoint
		p := ec2.NewDescribeVpcEndpointsPaginator(r.c.ec2, &ec2.DescribeVpcEndpointsInput{
			Filters: []types.Filter{where("vpc-id", vpcID)}, MaxResults: aws.Int32(pageSize),
		})
		err := pages(ctx, p, func(page *ec2.DescribeVpcEndpointsOutput) {
			for _, e := range page.VpcEndpoints {
				out = append(out, vpc.ServiceEndpoint{
					ID: aws.ToString(e.VpcEndpointId), VPC: aws.ToString(e.VpcId), Service: aws.ToString(e.ServiceName), Kind: string(e.VpcEndpointType),
					State: string(e.State), RouteTables: e.RouteTableIds, Subnets: e.SubnetIds, PrivateDNS: aws.ToBool(e.PrivateDnsEnabled),
				})
			}
		})
		return out, unreadable("ec2:DescribeVpcEndpoints", "describe endpoints of "+vpcID, err)
	})
}

func routeTable(t types.RouteTable) vpc.RouteTable {
	out := vpc.RouteTable{ID: aws.ToString(t.RouteTableId), VPC: aws.ToString(t.VpcId)}
	for _, a := range t.Associations {
		out.Main = out.Main || aws.ToBool(a.Main)
		if a.SubnetId != nil {
			out.Subnets = append(out.Subnets, *a.SubnetId)
		}
	}
	for _, e := range t.Routes {
		route := vpc.Route{Destination: cidr(e.DestinationCidrBlock), PrefixList: aws.ToString(e.DestinationPrefixListId), State: string(e.State)}
		if e.DestinationIpv6CidrBlock != nil {
			route.Destination = cidr(e.DestinationIpv6CidrBlock)
		}
		for _, target := range []*string{
			e.GatewayId, e.NatGatewayId, e.TransitGatewayId, e.VpcPeeringConnectionId, e.EgressOnlyInternetGatewayId, e.LocalGatewayId,
			e.CarrierGatewayId, e.CoreNetworkArn, e.NetworkInterfaceId, e.InstanceId,
		} {
			route.Target = cmp.Or(route.Target, aws.ToString(target))
		}
		out.Routes = append(out.Routes, route)
	}
	return out
}

// Reservations implements diagnostics.Routing; IPv4 only.
func (r *Reader) Reservations(ctx context.Context, subnet string) ([]vpc.Reservation, error) {
	return recall.List(ctx, &r.memory, key("reservations", subnet), func(ctx context.Context) ([]vpc.Reservation, error) {
		var out []vpc.Reservation
		in := &ec2.GetSubnetCidrReservationsInput{SubnetId: aws.String(subnet)}
		for { // the SDK has no paginator for it
			page, err := r.c.ec2.GetSubnetCidrReservations(ctx, in)
			if err != nil {
				return nil, unreadable("ec2:GetSubnetCidrReservations", "get the CIDR reservations of "+subnet, err)
			}
			for _, e := range page.SubnetIpv4CidrReservations {
				out = append(out, vpc.Reservation{
					ID: aws.ToString(e.SubnetCidrReservationId), Subnet: aws.ToString(e.SubnetId), CIDR: cidr(e.Cidr), Kind: string(e.ReservationType),
				})
			}
			if aws.ToString(page.NextToken) == "" {
				return out, nil
			}
			in.NextToken = page.NextToken
		}
	})
}
