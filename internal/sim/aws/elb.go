package aws

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

func elbOperations() map[string]operation {
	ops := map[string]operation{
		"DescribeLoadBalancers": describeLoadBalancers, "DescribeListeners": describeListeners, "DescribeRules": describeRules,
		"DescribeTargetGroups": describeTargetGroups, "DescribeTargetHealth": describeTargetHealth, "DescribeTags": describeTags,
		"DescribeLoadBalancerAttributes": attributes("LoadBalancerAttributes", "LoadBalancerArn", "LoadBalancers", loadBalancerNotFound),
		"DescribeTargetGroupAttributes":  attributes("TargetGroupAttributes", "TargetGroupArn", "TargetGroups", targetGroupNotFound),
	}
	maps.Copy(ops, elbWrites())
	return ops
}

func loadBalancerNotFound(what string) *apiError {
	return &apiError{Code: "LoadBalancerNotFound", Message: fmt.Sprintf("One or more load balancers not found: %s", what)}
}

func targetGroupNotFound(what string) *apiError {
	return &apiError{Code: "TargetGroupNotFound", Message: fmt.Sprintf("One or more target groups not found: %s", what)}
}

func listenerNotFound(string) *apiError {
	return &apiError{Code: "ListenerNotFound", Message: "One or more listeners not found"}
}

func ruleNotFound(string) *apiError {
	return &apiError{Code: "RuleNotFound", Message: "One or more rules not found"}
}

// pick gives the items whose field is one of the wanted values; one that isn't there is an error.
func pick(items []object, field string, want []string, notFound func(string) *apiError) ([]object, error) {
	if len(want) == 0 {
		return items, nil
	}
	if len(want) > 20 {
		return nil, &apiError{Code: "ValidationError", Message: fmt.Sprintf("The number of %s values cannot exceed 20", field)}
	}
	for _, v := range want {
		if !slices.ContainsFunc(items, func(o object) bool { return text(o[field]) == v }) {
			return nil, notFound("'" + v + "'")
		}
	}
	return keep(items, func(o object) bool { return slices.Contains(want, text(o[field])) }), nil
}

// marked cuts the items to a page of PageSize, 400 where none is asked for; the marker is the offset of the next page.
func marked(c *call, out string, items []object) (object, error) {
	from, size := 0, c.size("PageSize", 400)
	if m := c.str("Marker"); m != "" {
		n, err := strconv.Atoi(m)
		if err != nil || n > len(items) {
			return nil, &apiError{Code: "ValidationError", Message: "Invalid marker: " + m}
		}
		from = n
	}
	if size < 1 || size > 400 {
		return nil, &apiError{Code: "ValidationError", Message: "The page size must be between 1 and 400"}
	}
	items = items[from:]
	answer := object{}
	if len(items) > size {
		items = items[:size]
		answer["NextMarker"] = strconv.Itoa(from + size)
	}
	answer[out] = anys(items)
	return answer, nil
}

func describeLoadBalancers(s *Server, c *call) (object, error) {
	items, err := s.list("elbv2", "LoadBalancers")
	if err == nil {
		items, err = pick(items, "LoadBalancerArn", c.strs("LoadBalancerArns"), loadBalancerNotFound)
	}
	if err == nil {
		items, err = pick(items, "LoadBalancerName", c.strs("Names"), loadBalancerNotFound)
	}
	if err != nil {
		return nil, err
	}
	return marked(c, "LoadBalancers", items)
}

func describeListeners(s *Server, c *call) (object, error) {
	items, err := s.list("elbv2", "Listeners")
	if err != nil {
		return nil, err
	}
	lb, arns := c.str("LoadBalancerArn"), c.strs("ListenerArns")
	if lb == "" && len(arns) == 0 {
		return nil, &apiError{Code: "ValidationError", Message: "You must specify either listener ARNs or a load balancer ARN"}
	}
	if lb != "" {
		if s.find("elbv2", "LoadBalancers", "LoadBalancerArn", lb) == nil {
			return nil, loadBalancerNotFound("'" + lb + "'")
		}
		items = keep(items, func(o object) bool { return text(o["LoadBalancerArn"]) == lb })
	}
	if items, err = pick(items, "ListenerArn", arns, listenerNotFound); err != nil {
		return nil, err
	}
	return marked(c, "Listeners", items)
}

// rules gives the rules of a listener in the order in which they are evaluated, the default one last.
func (s *Server) rules(listener object) ([]object, error) {
	all, err := s.list("elbv2", "Rules")
	if err != nil {
		return nil, err
	}
	arn := text(listener["ListenerArn"])
	out := keep(all, func(o object) bool { return text(o["ListenerArn"]) == arn })
	hasDefault := slices.ContainsFunc(out, func(o object) bool { return text(o["IsDefault"]) == "true" })
	if !hasDefault {
		id := arn[strings.LastIndex(arn, "/")+1:]
		out = append(out, object{
			"RuleArn": strings.Replace(arn, ":listener/", ":listener-rule/", 1) + "/" + id, "Priority": "default",
			"Conditions": []any{}, "Actions": listener["DefaultActions"], "IsDefault": true,
		})
	}
	slices.SortStableFunc(out, func(a, b object) int { return priority(a) - priority(b) })
	for i, o := range out {
		out[i] = clone(o)
		delete(out[i], "ListenerArn")
	}
	return out, nil
}

func priority(rule object) int {
	n, err := strconv.Atoi(text(rule["Priority"]))
	if err != nil {
		return 1 << 20 // the default rule comes last
	}
	return n
}

func describeRules(s *Server, c *call) (object, error) {
	listener, arns := c.str("ListenerArn"), c.strs("RuleArns")
	if (listener == "") == (len(arns) == 0) {
		return nil, &apiError{Code: "ValidationError", Message: "You must specify either listener rule ARNs or a listener ARN"}
	}
	listeners, err := s.list("elbv2", "Listeners")
	if err != nil {
		return nil, err
	}
	if listener != "" {
		if listeners, err = pick(listeners, "ListenerArn", []string{listener}, listenerNotFound); err != nil {
			return nil, err
		}
	}
	var items []object
	for _, l := range listeners {
		rules, err := s.rules(l)
		if err != nil {
			return nil, err
		}
		items = append(items, rules...)
	}
	if items, err = pick(items, "RuleArn", arns, ruleNotFound); err != nil {
		return nil, err
	}
	return marked(c, "Rules", items)
}

func describeTargetGroups(s *Server, c *call) (object, error) {
	items, err := s.list("elbv2", "TargetGroups")
	if err == nil {
		items, err = pick(items, "TargetGroupArn", c.strs("TargetGroupArns"), targetGroupNotFound)
	}
	if err == nil {
		items, err = pick(items, "TargetGroupName", c.strs("Names"), targetGroupNotFound)
	}
	if err != nil {
		return nil, err
	}
	if lb := c.str("LoadBalancerArn"); lb != "" {
		if s.find("elbv2", "LoadBalancers", "LoadBalancerArn", lb) == nil {
			return nil, loadBalancerNotFound("'" + lb + "'")
		}
		items = keep(items, func(o object) bool { return slices.Contains(values(o["LoadBalancerArns"]), lb) })
	}
	return marked(c, "TargetGroups", items)
}

func describeTargetHealth(s *Server, c *call) (object, error) {
	arn := c.str("TargetGroupArn")
	health, err := s.keyed("TargetHealthDescriptions")
	if err != nil {
		return nil, err
	}
	if _, ok := health[arn]; !ok && s.find("elbv2", "TargetGroups", "TargetGroupArn", arn) == nil {
		return nil, targetGroupNotFound("'" + arn + "'")
	}
	items := objects(health[arn])
	if want := c.objects("Targets"); len(want) > 0 {
		items = keep(items, func(o object) bool {
			return slices.ContainsFunc(want, func(t object) bool {
				return text(t["Id"]) == text(at(o, "Target")["Id"]) && (t["Port"] == nil || text(t["Port"]) == text(at(o, "Target")["Port"]))
			})
		})
	}
	return object{"TargetHealthDescriptions": anys(items)}, nil
}
