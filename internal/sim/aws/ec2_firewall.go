package aws

import (
	"cmp"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ruleQuota is how many inbound, and how many outbound, rules a security group may have for each address family; AWS
// raises it on request, the simulator doesn't.
const ruleQuota = 60

var ruleDescription = regexp.MustCompile(`^[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{0,255}$`)

// authorize adds rules to a security group.
func authorize(egress bool) operation {
	return func(s *Server, c *call) (object, error) {
		group, err := describes["DescribeSecurityGroups"].one(s, c.str("GroupId"))
		if err != nil {
			return nil, err
		}
		existing, err := s.list("ec2", "SecurityGroupRules")
		if err != nil {
			return nil, err
		}
		rules, err := s.requestedRules(c, group, egress)
		if err != nil {
			return nil, err
		}
		mine := keep(existing, func(r object) bool {
			return text(r["GroupId"]) == text(group["GroupId"]) && (text(r["IsEgress"]) == "true") == egress
		})
		for i, r := range rules {
			if slices.ContainsFunc(mine, func(e object) bool { return sameRule(e, r) }) {
				return nil, duplicateRule(r)
			}
			if len(mine)+i >= ruleQuota {
				return nil, &apiError{Code: "RulesPerSecurityGroupLimitExceeded", Message: "The maximum number of rules per security group has been reached."}
			}
		}
		if c.flag("DryRun") {
			return nil, dryRun()
		}
		for _, r := range rules {
			r["SecurityGroupRuleId"] = s.newID("sgr-")
			r["Tags"] = newTags(c, "security-group-rule")
			s.add("ec2", "SecurityGroupRules", r)
			if s.lag > 0 {
				s.unseen[text(r["SecurityGroupRuleId"])] = s.now().Add(s.lag)
			}
		}
		return object{"Return": true, "SecurityGroupRules": anys(rules)}, nil
	}
}

func duplicateRule(r object) *apiError {
	peer := cmp.Or(text(r["CidrIpv4"]), text(r["CidrIpv6"]), text(r["PrefixListId"]), text(at(r, "ReferencedGroupInfo")["GroupId"]))
	return &apiError{Code: "InvalidPermission.Duplicate", Message: fmt.Sprintf(
		"the specified rule \"peer: %s, %s, from port: %s, to port: %s, ALLOW\" already exists",
		peer, strings.ToUpper(text(r["IpProtocol"])), text(r["FromPort"]), text(r["ToPort"]))}
}

// sameRule compares what a rule lets through; descriptions and tags don't count.
func sameRule(a, b object) bool {
	for _, f := range []string{"IpProtocol", "FromPort", "ToPort", "CidrIpv4", "CidrIpv6", "PrefixListId"} {
		if text(a[f]) != text(b[f]) {
			return false
		}
	}
	return text(at(a, "ReferencedGroupInfo")["GroupId"]) == text(at(b, "ReferencedGroupInfo")["GroupId"])
}

// requestedRules reads the permissions of a call as rules, one for each source.
func (s *Server) requestedRules(c *call, group object, egress bool) ([]object, error) {
	permissions := c.objects("IpPermissions")
	if ip := c.str("CidrIp"); ip != "" {
		permissions = append(permissions, object{
			"IpProtocol": c.str("IpProtocol"), "FromPort": c.str("FromPort"), "ToPort": c.str("ToPort"), "IpRanges": []any{object{"CidrIp": ip}},
		})
	}
	var out []object
	for _, p := range permissions {
		from, to, err := portsOf(p)
		if err != nil {
			return nil, err
		}
		for _, kind := range []string{"IpRanges", "Ipv6Ranges", "PrefixListIds", "Groups"} {
			for _, source := range objects(p[kind]) {
				rule := object{
					"GroupId": group["GroupId"], "GroupOwnerId": group["OwnerId"], "IsEgress": egress,
					"IpProtocol": text(p["IpProtocol"]), "FromPort": from, "ToPort": to,
				}
				if err := s.source(rule, kind, source, group); err != nil {
					return nil, err
				}
				if d := text(source["Description"]); d != "" {
					if !ruleDescription.MatchString(d) {
						return nil, invalid("Invalid rule description. Valid descriptions are strings less than 256 characters from the following set:  a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*")
					}
					rule["Description"] = d
				}
				out = append(out, rule)
			}
		}
	}
	if len(out) == 0 {
		return nil, missing("ipPermissions")
	}
	return out, nil
}

// portsOf reads the ports of a permission; a rule for all protocols has -1 to -1.
func portsOf(p object) (from, to int, err error) {
	if text(p["IpProtocol"]) == "-1" {
		return -1, -1, nil
	}
	from, err1 := strconv.Atoi(text(p["FromPort"]))
	to, err2 := strconv.Atoi(text(p["ToPort"]))
	if text(p["IpProtocol"]) == "" || err1 != nil || err2 != nil || from > to || from < -1 || to > 65535 {
		return 0, 0, invalid("Invalid value for portRange: %s %s-%s", text(p["IpProtocol"]), text(p["FromPort"]), text(p["ToPort"]))
	}
	return from, to, nil
}

// source puts the source of a permission into a rule.
func (s *Server) source(rule object, kind string, source, group object) error {
	switch kind {
	case "IpRanges", "Ipv6Ranges":
		param, member := "CidrIp", "CidrIpv4"
		if kind == "Ipv6Ranges" {
			param, member = "CidrIpv6", "CidrIpv6"
		}
		p, err := netip.ParsePrefix(text(source[param]))
		if err != nil || p.Masked() != p {
			return invalid("CIDR block %s is malformed", text(source[param]))
		}
		rule[member] = p.String()
	case "PrefixListIds":
		rule["PrefixListId"] = text(source["PrefixListId"])
	default:
		id := text(source["GroupId"])
		from, err := describes["DescribeSecurityGroups"].one(s, id)
		if err != nil {
			return err
		}
		if text(from["VpcId"]) != text(group["VpcId"]) {
			return &apiError{Code: "InvalidGroup.NotFound", Message: "You have specified two resources that belong to different networks."}
		}
		rule["ReferencedGroupInfo"] = object{"GroupId": id, "UserId": from["OwnerId"]}
	}
	return nil
}

// revoke takes rules of a security group back, by their ids or by what they let through.
func revoke(egress bool) operation {
	return func(s *Server, c *call) (object, error) {
		group, err := describes["DescribeSecurityGroups"].one(s, c.str("GroupId"))
		if err != nil {
			return nil, err
		}
		all, err := s.list("ec2", "SecurityGroupRules")
		if err != nil {
			return nil, err
		}
		mine := keep(all, func(r object) bool {
			return text(r["GroupId"]) == text(group["GroupId"]) && (text(r["IsEgress"]) == "true") == egress
		})
		var gone []string
		if named := c.strs("SecurityGroupRuleId"); len(named) > 0 {
			found, err := describes["DescribeSecurityGroupRules"].named(mine, named)
			if err != nil {
				return nil, err
			}
			gone = values(anys(found), "SecurityGroupRuleId")
		} else {
			rules, err := s.requestedRules(c, group, egress)
			if err != nil {
				return nil, err
			}
			for _, r := range rules {
				i := slices.IndexFunc(mine, func(e object) bool { return sameRule(e, r) })
				if i < 0 {
					return nil, &apiError{Code: "InvalidPermission.NotFound", Message: "The specified rule does not exist in this security group."}
				}
				gone = append(gone, text(mine[i]["SecurityGroupRuleId"]))
			}
		}
		if c.flag("DryRun") {
			return nil, dryRun()
		}
		s.remove("ec2", "SecurityGroupRules", func(r object) bool { return slices.Contains(gone, text(r["SecurityGroupRuleId"])) })
		return done(), nil
	}
}
