package aws

import "strings"

var instances = describe{
	list: "Instances", ids: "InstanceId", id: "InstanceId", unknown: "InvalidInstanceID.NotFound", noun: "instance ID",
	filters: instanceFilters, rename: map[string]string{"State": "InstanceState", "PublicDnsName": "DnsName"}, hides: true,
	prepare: withInterfaces,
}

// describeInstances answers every instance in a reservation of its own.
func describeInstances(s *Server, c *call) (object, error) {
	if len(c.strs("InstanceId")) > 0 && c.str("MaxResults") != "" {
		return nil, &apiError{Code: "InvalidParameterCombination", Message: "The parameter instancesSet cannot be used with the parameter maxResults"}
	}
	items, err := instances.selected(s, c)
	if err != nil {
		return nil, err
	}
	var out []object
	for _, o := range instances.renamed(items) {
		out = append(out, object{
			"ReservationId": "r-" + strings.TrimPrefix(text(o["InstanceId"]), "i-"), "OwnerId": s.world.Meta.Account,
			"Groups": []any{}, "Instances": []any{o},
		})
	}
	return page(c, "Reservations", out)
}

// withInterfaces fills in the network interfaces of instances that were recorded without.
func withInterfaces(s *Server, items []object) []object {
	attached := map[string][]any{}
	for _, e := range objects(s.lists["ec2"]["NetworkInterfaces"]) {
		if id := text(at(e, "Attachment")["InstanceId"]); id != "" {
			attached[id] = append(attached[id], e)
		}
	}
	out := make([]object, len(items))
	for i, o := range items {
		out[i] = o
		if _, ok := o["NetworkInterfaces"]; !ok {
			out[i] = clone(o)
			out[i]["NetworkInterfaces"] = attached[text(o["InstanceId"])]
		}
	}
	return out
}
