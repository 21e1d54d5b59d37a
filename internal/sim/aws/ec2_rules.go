package aws

import (
	"encoding/json"
	"maps"
	"time"
)

// withoutNew shows rules without those that were made only now.
func withoutNew(s *Server, items []object) []object {
	now := s.now()
	maps.DeleteFunc(s.unseen, func(_ string, until time.Time) bool { return !now.Before(until) })
	if len(s.unseen) == 0 {
		return items
	}
	return keep(items, func(r object) bool {
		_, late := s.unseen[text(r["SecurityGroupRuleId"])]
		return !late
	})
}

// withPermissions gives security groups the IpPermissions that their rules make, where the rules are recorded.
func withPermissions(s *Server, items []object) []object {
	rules, err := s.list("ec2", "SecurityGroupRules")
	if err != nil {
		return items
	}
	of := map[string][]object{}
	for _, r := range withoutNew(s, rules) {
		id := text(r["GroupId"])
		of[id] = append(of[id], r)
	}
	out := make([]object, len(items))
	for i, o := range items {
		out[i] = clone(o)
		mine := of[text(o["GroupId"])]
		out[i]["IpPermissions"] = permissions(keep(mine, func(r object) bool { return text(r["IsEgress"]) != "true" }))
		out[i]["IpPermissionsEgress"] = permissions(keep(mine, func(r object) bool { return text(r["IsEgress"]) == "true" }))
	}
	return out
}

// permissions groups rules by protocol and ports, the way DescribeSecurityGroups shows them.
func permissions(rules []object) []any {
	type key struct{ protocol, from, to string }
	at := map[key]object{}
	var out []any
	for _, r := range rules {
		k := key{text(r["IpProtocol"]), text(r["FromPort"]), text(r["ToPort"])}
		p := at[k]
		if p == nil {
			p = object{"IpProtocol": k.protocol, "IpRanges": []any{}, "Ipv6Ranges": []any{}, "PrefixListIds": []any{}, "UserIdGroupPairs": []any{}}
			if k.protocol != "-1" { // a rule for all protocols has no ports here
				p["FromPort"], p["ToPort"] = json.Number(k.from), json.Number(k.to)
			}
			at[k] = p
			out = append(out, p)
		}
		list, e := "", object{}
		switch {
		case r["CidrIpv4"] != nil:
			list, e["CidrIp"] = "IpRanges", r["CidrIpv4"]
		case r["CidrIpv6"] != nil:
			list, e["CidrIpv6"] = "Ipv6Ranges", r["CidrIpv6"]
		case r["PrefixListId"] != nil:
			list, e["PrefixListId"] = "PrefixListIds", r["PrefixListId"]
		default:
			ref, _ := r["ReferencedGroupInfo"].(object)
			list = "UserIdGroupPairs"
			for _, f := range []string{"GroupId", "UserId", "PeeringStatus", "VpcPeeringConnectionId"} {
				e[f] = ref[f]
			}
		}
		if d := text(r["Description"]); d != "" {
			e["Description"] = d
		}
		p[list] = append(p[list].([]any), e)
	}
	return out
}
