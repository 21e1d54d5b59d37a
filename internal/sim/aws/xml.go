package aws

import (
	"encoding/xml"
	"maps"
	"slices"
	"strings"
	"time"
)

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a strings.Builder takes everything
	return b.String()
}

// queryXML writes a structure for the query protocol: members under their own names, lists as <member>.
func queryXML(b *strings.Builder, o object) {
	writeXML(b, o, func(n string) string { return n }, "member")
}

// ec2XML writes a structure for EC2: names begin with a small letter, lists are <item>s of a …Set.
func ec2XML(b *strings.Builder, o object) { writeXML(b, o, ec2Name, "item") }

func writeXML(b *strings.Builder, o object, name func(string) string, item string) {
	for _, k := range slices.Sorted(maps.Keys(o)) {
		v := o[k]
		if v == nil {
			continue
		}
		n := name(k)
		b.WriteString("<" + n + ">")
		switch v := v.(type) {
		case object:
			writeXML(b, v, name, item)
		case []any:
			for _, e := range v {
				b.WriteString("<" + item + ">")
				if eo, ok := e.(object); ok {
					writeXML(b, eo, name, item)
				} else {
					b.WriteString(escape(text(e)))
				}
				b.WriteString("</" + item + ">")
			}
		case string:
			b.WriteString(escape(stampXML(k, v)))
		default:
			b.WriteString(escape(text(v)))
		}
		b.WriteString("</" + n + ">")
	}
}

// stampXML writes the timestamps of the command line's output (+00:00) as the services send them.
func stampXML(key, v string) string {
	if !strings.HasSuffix(key, "Time") {
		return v
	}
	t, err := time.Parse(time.RFC3339Nano, v)
	if err != nil {
		return v
	}
	return text(t)
}

// ec2Names lists the element names of EC2 that are not the member's name with a small first letter. Names that depend on
// where they stand are in the rename tables of the operations.
var ec2Names = map[string]string{
	"AssignedIpv4Prefixes": "assignedIpv4PrefixSet", "AssignedPrivateIpAddresses": "assignedPrivateIpAddressesSet",
	"Associations": "associationSet", "BlockDeviceMappings": "blockDeviceMapping", "DnsEntries": "dnsEntrySet", "Entries": "entrySet",
	"Groups": "groupSet", "InstanceTypes": "instanceTypeSet", "Instances": "instancesSet", "Ipv4Prefixes": "ipv4PrefixSet",
	"Ipv6Addresses": "ipv6AddressesSet", "Ipv6Prefixes": "ipv6PrefixSet", "Licenses": "licenseSet",
	"NatGatewayAddresses": "natGatewayAddressSet", "NatGateways": "natGatewaySet", "NetworkAcls": "networkAclSet",
	"NetworkInterfaceIds": "networkInterfaceIdSet", "NetworkInterfaces": "networkInterfaceSet", "PrefixLists": "prefixListSet",
	"PrivateIpAddresses": "privateIpAddressesSet", "PropagatingVgws": "propagatingVgwSet", "PublicIpAddress": "ipAddress",
	"Reservations": "reservationSet", "RouteTableIds": "routeTableIdSet", "RouteTables": "routeTableSet", "Routes": "routeSet",
	"SecurityGroupRules": "securityGroupRuleSet", "SecurityGroups": "groupSet", "StateTransitionReason": "reason",
	"SubnetIds": "subnetIdSet", "SubnetIpv4CidrReservations": "subnetIpv4CidrReservationSet",
	"SubnetIpv6CidrReservations": "subnetIpv6CidrReservationSet", "Subnets": "subnetSet", "Tags": "tagSet",
	"UnknownIpPermissions": "unknownIpPermissionSet", "UserIdGroupPairs": "groups", "VpcEndpoints": "vpcEndpointSet", "Vpcs": "vpcSet",
}

func ec2Name(member string) string {
	if n, ok := ec2Names[member]; ok {
		return n
	}
	return strings.ToLower(member[:1]) + member[1:]
}
