package aws

import (
	"fmt"
	"slices"
	"strings"
)

// attributes answers the attributes of a load balancer or target group.
func attributes(list, param, owners string, notFound func(string) *apiError) operation {
	return func(s *Server, c *call) (object, error) {
		arn := c.str(param)
		all, err := s.keyed(list)
		if err != nil {
			return nil, err
		}
		if _, ok := all[arn]; !ok && s.find("elbv2", owners, param, arn) == nil {
			return nil, notFound("'" + arn + "'")
		}
		return object{"Attributes": anys(objects(all[arn]))}, nil
	}
}

func describeTags(s *Server, c *call) (object, error) {
	all, err := s.keyed("Tags")
	if err != nil {
		return nil, err
	}
	arns := c.strs("ResourceArns")
	if len(arns) == 0 || len(arns) > 20 {
		return nil, &apiError{Code: "ValidationError", Message: "The number of resource ARNs must be between 1 and 20"}
	}
	var items []object
	for _, arn := range arns {
		if _, ok := all[arn]; !ok {
			if err := s.resource(arn); err != nil {
				return nil, err
			}
		}
		items = append(items, object{"ResourceArn": arn, "Tags": anys(objects(all[arn]))})
	}
	return object{"TagDescriptions": anys(items)}, nil
}

// resource reports the error of an ARN that names nothing.
func (s *Server) resource(arn string) error {
	kind := func(k string) bool { return strings.Contains(arn, ":"+k+"/") }
	switch {
	case kind("loadbalancer") && s.find("elbv2", "LoadBalancers", "LoadBalancerArn", arn) == nil:
		return loadBalancerNotFound("'" + arn + "'")
	case kind("targetgroup") && s.find("elbv2", "TargetGroups", "TargetGroupArn", arn) == nil:
		return targetGroupNotFound("'" + arn + "'")
	case kind("listener") && s.find("elbv2", "Listeners", "ListenerArn", arn) == nil:
		return listenerNotFound(arn)
	case kind("listener-rule") && !s.hasRule(arn):
		return ruleNotFound(arn)
	case !strings.HasPrefix(arn, "arn:"):
		return &apiError{Code: "ValidationError", Message: fmt.Sprintf("'%s' is not a valid ARN", arn)}
	}
	return nil
}

func (s *Server) hasRule(arn string) bool {
	for _, l := range objects(s.lists["elbv2"]["Listeners"]) {
		rules, err := s.rules(l)
		if err == nil && slices.ContainsFunc(rules, func(o object) bool { return text(o["RuleArn"]) == arn }) {
			return true
		}
	}
	return false
}
