package awsnet

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/recall"
	"github.com/netdiag/netdiag/internal/vpc"
)

// Interfaces implements diagnostics.Interfaces. Addresses out of a delegated prefix aren't found by address: EC2 doesn't
// list them; look through the interfaces of the instance.
func (r *Reader) Interfaces(ctx context.Context, q diagnostics.InterfaceQuery) ([]vpc.NetworkInterface, error) {
	var four, six []string
	for _, a := range q.Addresses {
		if ip, err := netip.ParseAddr(a); err == nil && ip.Is6() && !ip.Is4In6() {
			six = append(six, ip.String())
		} else {
			four = append(four, a)
		}
	}
	var out []vpc.NetworkInterface
	have := map[string]bool{}
	for _, f := range []struct {
		name   string
		values []string
	}{
		{"subnet-id", q.Subnets}, {"attachment.instance-id", q.Instances}, {"addresses.private-ip-address", four},
		{"ipv6-addresses.ipv6-address", six}, {"description", []string{q.Description}}, {"network-interface-id", q.IDs},
	} {
		found, err := r.interfaces(ctx, f.name, set(f.values))
		if err != nil {
			return nil, err
		}
		for _, n := range found { // one interface can carry an IPv4 and an IPv6 address that were asked for
			if !have[n.ID] {
				have[n.ID] = true
				out = append(out, n)
			}
		}
	}
	return out, nil
}

func (r *Reader) interfaces(ctx context.Context, filter string, values []string) ([]vpc.NetworkInterface, error) {
	return recall.List(ctx, &r.memory, key(append([]string{"interfaces", filter}, values...)...), func(ctx context.Context) ([]vpc.NetworkInterface, error) {
		return inBatches(values, filterValues, func(batch []string) ([]vpc.NetworkInterface, error) {
			var out []vpc.NetworkInterface
			p := ec2.NewDescribeNetworkInterfacesPaginator(r.c.ec2, &ec2.DescribeNetworkInterfacesInput{
				Filters: []types.Filter{where(filter, literal(batch)...)}, MaxResults: aws.Int32(pageSize),
				IncludeManagedResources: aws.Bool(true), // those of EKS Auto Mode can be hidden, and hold addresses all the same
			})
			err := pages(ctx, p, func(page *ec2.DescribeNetworkInterfacesOutput) {
				for _, n := range page.NetworkInterfaces {
					out = append(out, networkInterface(n))
				}
			})
			return out, unreadable("ec2:DescribeNetworkInterfaces", fmt.Sprintf("describe network interfaces with %s %v", filter, batch), err)
		})
	})
}

// literal escapes the wildcards of filter values.
func literal(values []string) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = wildcards.Replace(v)
	}
	return out
}

func networkInterface(n types.NetworkInterface) vpc.NetworkInterface {
	out := vpc.NetworkInterface{
		ID: aws.ToString(n.NetworkInterfaceId), Subnet: aws.ToString(n.SubnetId), VPC: aws.ToString(n.VpcId), Zone: aws.ToString(n.AvailabilityZone),
		Owner: aws.ToString(n.OwnerId), Status: string(n.Status),
		Type:        string(n.InterfaceType), // as text: the SDK's constant for NAT gateways is not what the API answers
		Description: aws.ToString(n.Description), Requester: aws.ToString(n.RequesterId), Managed: aws.ToBool(n.RequesterManaged),
		Primary: addr(n.PrivateIpAddress), Tags: ec2Tags(n.TagSet),
	}
	if n.Operator != nil && aws.ToBool(n.Operator.Managed) {
		out.Operator = aws.ToString(n.Operator.Principal)
	}
	for _, a := range n.PrivateIpAddresses {
		out.Addresses = append(out.Addresses, addr(a.PrivateIpAddress))
	}
	for _, p := range n.Ipv4Prefixes {
		out.Prefixes = append(out.Prefixes, cidr(p.Ipv4Prefix))
	}
	for _, a := range n.Ipv6Addresses {
		out.IPv6 = append(out.IPv6, addr(a.Ipv6Address))
	}
	for _, p := range n.Ipv6Prefixes {
		out.IPv6Prefixes = append(out.IPv6Prefixes, cidr(p.Ipv6Prefix))
	}
	for _, g := range n.Groups {
		out.Groups = append(out.Groups, aws.ToString(g.GroupId))
	}
	if a := n.Attachment; a != nil {
		out.Instance, out.InstanceOwner = aws.ToString(a.InstanceId), aws.ToString(a.InstanceOwnerId)
		out.Device, out.Card = int(aws.ToInt32(a.DeviceIndex)), int(aws.ToInt32(a.NetworkCardIndex))
		out.Attached = aws.ToTime(a.AttachTime)
	}
	return out
}
