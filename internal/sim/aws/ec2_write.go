package aws

import (
	"slices"
	"strings"
)

func ec2Writes() map[string]operation {
	return map[string]operation{
		"AuthorizeSecurityGroupIngress": authorize(false), "AuthorizeSecurityGroupEgress": authorize(true),
		"RevokeSecurityGroupIngress": revoke(false), "RevokeSecurityGroupEgress": revoke(true),
		"CreateTags": createTags, "DeleteTags": deleteTags,
		"AssignPrivateIpAddresses": assignAddresses, "UnassignPrivateIpAddresses": unassignAddresses,
		"CreateNetworkInterface": createInterface, "AttachNetworkInterface": attachInterface,
		"DetachNetworkInterface": detachInterface, "DeleteNetworkInterface": deleteInterface,
	}
}

// done is the answer of the operations that only say that they worked.
func done() object { return object{"Return": true} }

// taggable maps the prefix of an id to the Describe operation that knows the resource.
var taggable = map[string]string{
	"vpc": "DescribeVpcs", "subnet": "DescribeSubnets", "eni": "DescribeNetworkInterfaces", "sg": "DescribeSecurityGroups",
	"sgr": "DescribeSecurityGroupRules", "acl": "DescribeNetworkAcls", "rtb": "DescribeRouteTables", "nat": "DescribeNatGateways",
	"vpce": "DescribeVpcEndpoints", "pl": "DescribeManagedPrefixLists",
}

// tagged gives the resources that a call names, and the member that holds their tags.
func (s *Server) tagged(c *call) ([]object, error) {
	var out []object
	for _, id := range c.strs("ResourceId") {
		kind, _, _ := strings.Cut(id, "-")
		d := describes[taggable[kind]]
		if kind == "i" {
			d = instances
		}
		if d.list == "" {
			return nil, &apiError{Code: "InvalidID", Message: "The ID '" + id + "' is not valid"}
		}
		o, err := d.one(s, id)
		if err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	if len(out) == 0 {
		return nil, missing("resourceIdSet")
	}
	return out, nil
}

func tagMember(o object) string {
	if _, ok := o["NetworkInterfaceId"]; ok && o["InstanceId"] == nil {
		return "TagSet"
	}
	return "Tags"
}

func createTags(s *Server, c *call) (object, error) {
	resources, err := s.tagged(c)
	if err != nil {
		return nil, err
	}
	if c.flag("DryRun") {
		return nil, dryRun()
	}
	for _, o := range resources {
		setTags(o, c.objects("Tag"))
	}
	return done(), nil
}

func setTags(o object, tags []object) {
	member := tagMember(o)
	for _, t := range tags {
		key := text(t["Key"])
		kept := slices.DeleteFunc(objects(o[member]), func(e object) bool { return text(e["Key"]) == key })
		o[member] = anys(append(kept, object{"Key": key, "Value": text(t["Value"])}))
	}
}

func deleteTags(s *Server, c *call) (object, error) {
	resources, err := s.tagged(c)
	if err != nil {
		return nil, err
	}
	if c.flag("DryRun") {
		return nil, dryRun()
	}
	for _, o := range resources {
		member := tagMember(o)
		o[member] = anys(slices.DeleteFunc(objects(o[member]), func(e object) bool {
			return slices.ContainsFunc(c.objects("Tag"), func(t object) bool {
				return text(t["Key"]) == text(e["Key"]) && (t["Value"] == nil || text(t["Value"]) == text(e["Value"]))
			})
		}))
	}
	return done(), nil
}

// newTags gives the tags that a creating call wants on a kind of resource.
func newTags(c *call, kind string) []any {
	out := []any{}
	for _, spec := range c.objects("TagSpecification") {
		if text(spec["ResourceType"]) == kind {
			for _, t := range objects(spec["Tag"]) {
				out = append(out, object{"Key": text(t["Key"]), "Value": text(t["Value"])})
			}
		}
	}
	return out
}
