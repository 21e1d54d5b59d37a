package aws

import (
	"slices"
	"strings"
)

// The filters that EC2 documents for each operation, with the path of the member that they look at. tag:KEY and tag-key
// work everywhere.
var (
	vpcFilters = map[string]string{
		"cidr": "CidrBlock", "cidr-block-association.association-id": "CidrBlockAssociationSet.AssociationId",
		"cidr-block-association.cidr-block": "CidrBlockAssociationSet.CidrBlock", "cidr-block-association.state": "CidrBlockAssociationSet.CidrBlockState.State",
		"dhcp-options-id": "DhcpOptionsId", "is-default": "IsDefault", "owner-id": "OwnerId", "state": "State", "vpc-id": "VpcId",
	}
	subnetFilters = map[string]string{
		"availability-zone": "AvailabilityZone", "availabilityZone": "AvailabilityZone", "availability-zone-id": "AvailabilityZoneId",
		"available-ip-address-count": "AvailableIpAddressCount", "cidr-block": "CidrBlock", "cidr": "CidrBlock", "cidrBlock": "CidrBlock",
		"default-for-az": "DefaultForAz", "ipv6-native": "Ipv6Native", "map-public-ip-on-launch": "MapPublicIpOnLaunch", "owner-id": "OwnerId",
		"state": "State", "subnet-arn": "SubnetArn", "subnet-id": "SubnetId", "vpc-id": "VpcId",
		"ipv6-cidr-block-association.ipv6-cidr-block": "Ipv6CidrBlockAssociationSet.Ipv6CidrBlock",
	}
	interfaceFilters = map[string]string{
		"addresses.association.owner-id": "PrivateIpAddresses.Association.IpOwnerId", "addresses.association.public-ip": "PrivateIpAddresses.Association.PublicIp",
		"addresses.primary": "PrivateIpAddresses.Primary", "addresses.private-ip-address": "PrivateIpAddresses.PrivateIpAddress",
		"association.ip-owner-id": "Association.IpOwnerId", "association.public-dns-name": "Association.PublicDnsName",
		"association.public-ip": "Association.PublicIp", "attachment.attachment-id": "Attachment.AttachmentId",
		"attachment.delete-on-termination": "Attachment.DeleteOnTermination", "attachment.device-index": "Attachment.DeviceIndex",
		"attachment.instance-id": "Attachment.InstanceId", "attachment.instance-owner-id": "Attachment.InstanceOwnerId",
		"attachment.network-card-index": "Attachment.NetworkCardIndex", "attachment.status": "Attachment.Status",
		"availability-zone": "AvailabilityZone", "availability-zone-id": "AvailabilityZoneId", "description": "Description",
		"group-id": "Groups.GroupId", "group-name": "Groups.GroupName", "interface-type": "InterfaceType",
		"ipv6-addresses.ipv6-address": "Ipv6Addresses.Ipv6Address", "mac-address": "MacAddress", "network-interface-id": "NetworkInterfaceId",
		"operator.managed": "Operator.Managed", "operator.principal": "Operator.Principal", "owner-id": "OwnerId",
		"private-dns-name": "PrivateDnsName", "private-ip-address": "PrivateIpAddresses.PrivateIpAddress", "requester-id": "RequesterId",
		"requester-managed": "RequesterManaged", "source-dest-check": "SourceDestCheck", "status": "Status", "subnet-id": "SubnetId", "vpc-id": "VpcId",
	}
	instanceFilters = map[string]string{
		"architecture": "Architecture", "availability-zone": "Placement.AvailabilityZone", "image-id": "ImageId", "instance-id": "InstanceId",
		"instance-state-code": "State.Code", "instance-state-name": "State.Name", "instance-type": "InstanceType",
		"instance.group-id": "SecurityGroups.GroupId", "instance.group-name": "SecurityGroups.GroupName",
		"network-interface.addresses.private-ip-address": "NetworkInterfaces.PrivateIpAddresses.PrivateIpAddress",
		"network-interface.network-interface-id":         "NetworkInterfaces.NetworkInterfaceId",
		"network-interface.subnet-id":                    "NetworkInterfaces.SubnetId",
		"network-interface.vpc-id":                       "NetworkInterfaces.VpcId",
		"network-interface.group-id":                     "NetworkInterfaces.Groups.GroupId",
		"network-interface.ipv6-addresses.ipv6-address":  "NetworkInterfaces.Ipv6Addresses.Ipv6Address",
		"network-interface.attachment.attachment-id":     "NetworkInterfaces.Attachment.AttachmentId",
		"operator.managed":                               "Operator.Managed", "operator.principal": "Operator.Principal", "placement-group-name": "Placement.GroupName",
		"private-dns-name": "PrivateDnsName", "private-ip-address": "PrivateIpAddress", "subnet-id": "SubnetId",
		"tenancy": "Placement.Tenancy", "vpc-id": "VpcId", "block-device-mapping.volume-id": "BlockDeviceMappings.Ebs.VolumeId",
	}
	instanceTypeFilters = map[string]string{
		"bare-metal": "BareMetal", "current-generation": "CurrentGeneration", "hypervisor": "Hypervisor", "instance-type": "InstanceType",
		"memory-info.size-in-mib": "MemoryInfo.SizeInMiB", "network-info.ipv4-addresses-per-interface": "NetworkInfo.Ipv4AddressesPerInterface",
		"network-info.maximum-network-interfaces": "NetworkInfo.MaximumNetworkInterfaces", "vcpu-info.default-vcpus": "VCpuInfo.DefaultVCpus",
	}
	groupFilters = map[string]string{
		"description": "Description", "group-id": "GroupId", "group-name": "GroupName", "owner-id": "OwnerId", "vpc-id": "VpcId",
		"ip-permission.cidr": "IpPermissions.IpRanges.CidrIp", "ip-permission.from-port": "IpPermissions.FromPort",
		"ip-permission.group-id": "IpPermissions.UserIdGroupPairs.GroupId", "ip-permission.prefix-list-id": "IpPermissions.PrefixListIds.PrefixListId",
		"ip-permission.protocol": "IpPermissions.IpProtocol", "ip-permission.to-port": "IpPermissions.ToPort",
		"egress.ip-permission.cidr": "IpPermissionsEgress.IpRanges.CidrIp", "egress.ip-permission.from-port": "IpPermissionsEgress.FromPort",
		"egress.ip-permission.group-id": "IpPermissionsEgress.UserIdGroupPairs.GroupId", "egress.ip-permission.protocol": "IpPermissionsEgress.IpProtocol",
		"egress.ip-permission.to-port": "IpPermissionsEgress.ToPort",
	}
	aclFilters = map[string]string{
		"association.association-id": "Associations.NetworkAclAssociationId", "association.network-acl-id": "Associations.NetworkAclId",
		"association.subnet-id": "Associations.SubnetId", "default": "IsDefault", "entry.cidr": "Entries.CidrBlock", "entry.protocol": "Entries.Protocol",
		"entry.rule-action": "Entries.RuleAction", "entry.egress": "Entries.Egress", "entry.rule-number": "Entries.RuleNumber",
		"network-acl-id": "NetworkAclId", "owner-id": "OwnerId", "vpc-id": "VpcId",
	}
	routeTableFilters = map[string]string{
		"association.main": "Associations.Main", "association.route-table-association-id": "Associations.RouteTableAssociationId",
		"association.route-table-id": "Associations.RouteTableId", "association.subnet-id": "Associations.SubnetId",
		"association.gateway-id": "Associations.GatewayId", "owner-id": "OwnerId", "route-table-id": "RouteTableId",
		"route.destination-cidr-block": "Routes.DestinationCidrBlock", "route.destination-prefix-list-id": "Routes.DestinationPrefixListId",
		"route.gateway-id": "Routes.GatewayId", "route.instance-id": "Routes.InstanceId", "route.nat-gateway-id": "Routes.NatGatewayId",
		"route.origin": "Routes.Origin", "route.state": "Routes.State", "route.transit-gateway-id": "Routes.TransitGatewayId",
		"route.vpc-peering-connection-id": "Routes.VpcPeeringConnectionId", "vpc-id": "VpcId",
	}
	endpointFilters = map[string]string{
		"service-name": "ServiceName", "vpc-id": "VpcId", "vpc-endpoint-id": "VpcEndpointId", "vpc-endpoint-state": "State",
		"vpc-endpoint-type": "VpcEndpointType", "ip-address-type": "IpAddressType",
	}
)

// filterValueLimit is how many filter values EC2 takes in one call.
const filterValueLimit = 200

// filtered keeps the items that every filter accepts; a filter accepts where one of its values matches.
func filtered(items, filters []object, known map[string]string) ([]object, error) {
	n := 0
	for _, f := range filters {
		name, want := text(f["Name"]), values(f["Value"])
		if n += len(want); n > filterValueLimit {
			return nil, &apiError{Code: "FilterLimitExceeded", Message: "The maximum number of filter values specified on a single call is 200"}
		}
		key, tagged := strings.CutPrefix(name, "tag:")
		path, ok := known[name]
		if !ok && !tagged && name != "tag-key" {
			return nil, invalid("The filter '%s' is invalid", name)
		}
		items = keep(items, func(o object) bool {
			var have []string
			switch {
			case tagged:
				have = tagValues(o, func(k string) bool { return k == key })
			case name == "tag-key":
				have = tagKeys(o)
			default:
				have = values(o, strings.Split(path, ".")...)
			}
			return slices.ContainsFunc(have, func(h string) bool {
				return slices.ContainsFunc(want, func(w string) bool { return glob(w, h) })
			})
		})
	}
	return items, nil
}

func tagsOf(o object) []object {
	if _, ok := o["TagSet"]; ok {
		return objects(o["TagSet"])
	}
	return objects(o["Tags"])
}

func tagKeys(o object) []string {
	var out []string
	for _, t := range tagsOf(o) {
		out = append(out, text(t["Key"]))
	}
	return out
}

func tagValues(o object, key func(string) bool) []string {
	var out []string
	for _, t := range tagsOf(o) {
		if key(text(t["Key"])) {
			out = append(out, text(t["Value"]))
		}
	}
	return out
}

// glob reports whether s matches a filter value: * is any text, ? any one character, \ takes the next one as it is.
func glob(pattern, s string) bool {
	switch {
	case pattern == "":
		return s == ""
	case pattern[0] == '*':
		for i := 0; i <= len(s); i++ {
			if glob(pattern[1:], s[i:]) {
				return true
			}
		}
		return false
	case s == "":
		return false
	case pattern[0] == '?':
		return glob(pattern[1:], s[1:])
	case pattern[0] == '\\' && len(pattern) > 1:
		pattern = pattern[1:]
	}
	return pattern[0] == s[0] && glob(pattern[1:], s[1:])
}
