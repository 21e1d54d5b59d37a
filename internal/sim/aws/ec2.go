package aws

import (
	"encoding/base64"
	"fmt"
	"maps"
	"strconv"
	"strings"
)

// describe is how a Describe operation of EC2 selects from a recorded list.
type describe struct {
	list    string            // in aws.json
	out     string            // member of the answer
	ids     string            // parameter that lists ids
	id      string            // the member that holds the id
	unknown string            // error code of an id that isn't there
	noun    string            // as its message names it
	filters map[string]string // filter name → path of members
	rename  map[string]string // members whose element name depends on where they stand
	prepare func(s *Server, items []object) []object
	hides   bool // managed resources stay hidden without IncludeManagedResources
}

func ec2Operations() map[string]operation {
	ops := map[string]operation{
		"DescribeInstances": describeInstances, "GetSubnetCidrReservations": subnetReservations,
		"GetManagedPrefixListEntries": prefixListEntries,
	}
	for action, d := range describes {
		ops[action] = d.do
	}
	maps.Copy(ops, ec2Writes())
	return ops
}

var describes = map[string]describe{
	"DescribeVpcs": {list: "Vpcs", out: "Vpcs", ids: "VpcId", id: "VpcId", unknown: "InvalidVpcID.NotFound", noun: "vpc ID", filters: vpcFilters},
	"DescribeSubnets": {
		list: "Subnets", out: "Subnets", ids: "SubnetId", id: "SubnetId", unknown: "InvalidSubnetID.NotFound", noun: "subnet ID", filters: subnetFilters,
		prepare: withLag,
	},
	"DescribeNetworkInterfaces": {
		list: "NetworkInterfaces", out: "NetworkInterfaces", ids: "NetworkInterfaceId", id: "NetworkInterfaceId",
		unknown: "InvalidNetworkInterfaceID.NotFound", noun: "networkInterface ID", filters: interfaceFilters, hides: true,
	},
	"DescribeInstanceTypes": {
		list: "InstanceTypes", out: "InstanceTypes", ids: "InstanceType", id: "InstanceType", unknown: "InvalidInstanceType",
		noun: "instance type", filters: instanceTypeFilters,
	},
	"DescribeSecurityGroups": {
		list: "SecurityGroups", out: "SecurityGroupInfo", ids: "GroupId", id: "GroupId", unknown: "InvalidGroup.NotFound", noun: "security group",
		filters: groupFilters, prepare: withPermissions, rename: map[string]string{"Description": "GroupDescription"},
	},
	"DescribeSecurityGroupRules": {
		list: "SecurityGroupRules", out: "SecurityGroupRules", ids: "SecurityGroupRuleId", id: "SecurityGroupRuleId",
		unknown: "InvalidSecurityGroupRuleId.NotFound", noun: "security group rule ID",
		filters: map[string]string{"group-id": "GroupId", "security-group-rule-id": "SecurityGroupRuleId"}, prepare: withoutNew,
	},
	"DescribeNetworkAcls": {
		list: "NetworkAcls", out: "NetworkAcls", ids: "NetworkAclId", id: "NetworkAclId", unknown: "InvalidNetworkAclID.NotFound",
		noun: "networkAcl ID", filters: aclFilters, rename: map[string]string{"IsDefault": "Default"},
	},
	"DescribeRouteTables": {
		list: "RouteTables", out: "RouteTables", ids: "RouteTableId", id: "RouteTableId", unknown: "InvalidRouteTableID.NotFound",
		noun: "routeTable ID", filters: routeTableFilters,
	},
	"DescribeNatGateways": {
		list: "NatGateways", out: "NatGateways", ids: "NatGatewayId", id: "NatGatewayId", unknown: "NatGatewayNotFound", noun: "Nat Gateway",
		filters: map[string]string{"nat-gateway-id": "NatGatewayId", "state": "State", "subnet-id": "SubnetId", "vpc-id": "VpcId"},
	},
	"DescribeVpcEndpoints": {
		list: "VpcEndpoints", out: "VpcEndpoints", ids: "VpcEndpointId", id: "VpcEndpointId", unknown: "InvalidVpcEndpointId.NotFound",
		noun: "Vpc Endpoint Id", filters: endpointFilters,
	},
	"DescribeManagedPrefixLists": {
		list: "ManagedPrefixLists", out: "PrefixLists", ids: "PrefixListId", id: "PrefixListId", unknown: "InvalidPrefixListID.NotFound",
		noun: "prefix list ID", filters: map[string]string{"prefix-list-id": "PrefixListId", "prefix-list-name": "PrefixListName", "owner-id": "OwnerId"},
		prepare: withoutEntries,
	},
}

func (d describe) do(s *Server, c *call) (object, error) {
	items, err := d.selected(s, c)
	if err != nil {
		return nil, err
	}
	return page(c, d.out, d.renamed(items))
}

// selected gives the items that the ids and filters of the call name.
func (d describe) selected(s *Server, c *call) ([]object, error) {
	items, err := s.described(c, d.list)
	if err != nil {
		return nil, err
	}
	if d.hides && !c.flag("IncludeManagedResources") {
		items = keep(items, func(o object) bool { return text(at(o, "Operator")["HiddenByDefault"]) != "true" })
	}
	if ids := c.strs(d.ids); len(ids) > 0 {
		if items, err = d.named(items, ids); err != nil {
			return nil, err
		}
	}
	if d.prepare != nil {
		items = d.prepare(s, items)
	}
	return filtered(items, c.objects("Filter"), d.filters)
}

// described gives the items of a list, or those of the crowd that may pass the filters of the call.
func (s *Server) described(c *call, list string) ([]object, error) {
	if s.crowd != nil {
		filters := map[string][]string{}
		for _, f := range c.objects("Filter") {
			filters[text(f["Name"])] = values(f["Value"])
		}
		if items, ok := s.crowd.Items(list, filters); ok {
			return items, nil
		}
	}
	return s.list("ec2", list)
}

// named gives the items with these ids, in the order of the list; one that isn't there is an error.
func (d describe) named(items []object, ids []string) ([]object, error) {
	want := map[string]bool{}
	for _, id := range ids {
		want[id] = true
	}
	found := keep(items, func(o object) bool { return want[text(o[d.id])] })
	for _, o := range found {
		delete(want, text(o[d.id]))
	}
	for _, id := range ids {
		if want[id] {
			return nil, d.notFound(id)
		}
	}
	return found, nil
}

func (d describe) notFound(id string) *apiError {
	msg := fmt.Sprintf("The %s '%s' does not exist", d.noun, id)
	if d.unknown == "InvalidInstanceType" {
		msg = fmt.Sprintf("The following supplied instance types do not exist: [%s]", id)
	}
	return &apiError{Code: d.unknown, Message: msg}
}

func (d describe) renamed(items []object) []object {
	if len(d.rename) == 0 {
		return items
	}
	out := make([]object, len(items))
	for i, o := range items {
		out[i] = clone(o)
		for from, to := range d.rename {
			if v, ok := o[from]; ok {
				delete(out[i], from)
				out[i][to] = v
			}
		}
	}
	return out
}

func keep(items []object, ok func(object) bool) []object {
	out := make([]object, 0, len(items))
	for _, o := range items {
		if ok(o) {
			out = append(out, o)
		}
	}
	return out
}

// page cuts the items to the page that the call asks for. A token holds the offset of the next page.
func page(c *call, out string, items []object) (object, error) {
	from := 0
	if token := c.str("NextToken"); token != "" {
		b, err := base64.StdEncoding.DecodeString(token)
		if err == nil {
			from, err = strconv.Atoi(strings.TrimPrefix(string(b), "offset:"))
		}
		if err != nil || from > len(items) {
			return nil, &apiError{Code: "InvalidNextToken", Message: "The token '" + token + "' is invalid"}
		}
	}
	items = items[from:]
	answer := object{}
	if n := c.number("MaxResults", 1000); n < 5 || n > 1000 {
		return nil, invalid("Value ( %d ) for parameter maxResults is invalid. Expecting a value between 5 and 1000.", n)
	}
	if n := c.size("MaxResults", 0); n > 0 && len(items) > n {
		items = items[:n]
		answer["NextToken"] = base64.StdEncoding.EncodeToString([]byte("offset:" + strconv.Itoa(from+n)))
	}
	answer[out] = anys(items)
	return answer, nil
}

func subnetReservations(s *Server, c *call) (object, error) {
	subnet := c.str("SubnetId")
	if subnet == "" {
		return nil, missing("SubnetId")
	}
	if _, err := describes["DescribeSubnets"].one(s, subnet); err != nil {
		return nil, err
	}
	items, err := s.list("ec2", "SubnetCidrReservations")
	if err != nil {
		return nil, err
	}
	of := func(six bool) []any {
		return anys(keep(items, func(o object) bool {
			return text(o["SubnetId"]) == subnet && strings.Contains(text(o["Cidr"]), ":") == six
		}))
	}
	return object{"SubnetIpv4CidrReservations": of(false), "SubnetIpv6CidrReservations": of(true)}, nil
}

// one gives the item with this id; an error where it isn't there.
func (d describe) one(s *Server, id string) (object, error) {
	if _, err := s.list("ec2", d.list); err != nil {
		return nil, err
	}
	if o := s.find("ec2", d.list, d.id, id); o != nil {
		return o, nil
	}
	return nil, d.notFound(id)
}

func prefixListEntries(s *Server, c *call) (object, error) {
	o, err := describes["DescribeManagedPrefixLists"].one(s, c.str("PrefixListId"))
	if err != nil {
		return nil, err
	}
	return page(c, "Entries", objects(o["Entries"]))
}

func withoutEntries(_ *Server, items []object) []object {
	out := make([]object, len(items))
	for i, o := range items {
		out[i] = clone(o)
		delete(out[i], "Entries")
	}
	return out
}
