package aws

import (
	"slices"
	"strconv"
	"strings"
)

func elbWrites() map[string]operation {
	return map[string]operation{
		"SetSecurityGroups": setSecurityGroups, "RegisterTargets": registerTargets, "DeregisterTargets": deregisterTargets,
		"ModifyTargetGroup": modifyTargetGroup,
	}
}

// setSecurityGroups replaces the groups of a load balancer; its network interfaces follow.
func setSecurityGroups(s *Server, c *call) (object, error) {
	arn := c.str("LoadBalancerArn")
	lb := s.find("elbv2", "LoadBalancers", "LoadBalancerArn", arn)
	if lb == nil {
		return nil, loadBalancerNotFound("'" + arn + "'")
	}
	ids := c.strs("SecurityGroups")
	if len(ids) == 0 {
		return nil, &apiError{Code: "ValidationError", Message: "At least one security group must be specified"}
	}
	var groups []any
	for _, id := range ids {
		g := s.find("ec2", "SecurityGroups", "GroupId", id)
		if g == nil {
			return nil, &apiError{Code: "InvalidSecurityGroup", Message: "The security group '" + id + "' does not exist"}
		}
		groups = append(groups, object{"GroupId": id, "GroupName": g["GroupName"]})
	}
	lb["SecurityGroups"] = anys(ids)
	_, name, _ := strings.Cut(arn, ":loadbalancer/") // app/NAME/ID
	for _, e := range objects(s.lists["ec2"]["NetworkInterfaces"]) {
		if text(e["Description"]) == "ELB "+name {
			e["Groups"] = groups
		}
	}
	return object{"SecurityGroupIds": anys(ids)}, nil
}

// targets gives the health list of a target group and the targets that the call names, with the group's port where they have none.
func (s *Server) targets(c *call) (health object, arn string, wanted []object, err error) {
	arn = c.str("TargetGroupArn")
	if health, err = s.keyed("TargetHealthDescriptions"); err != nil {
		return nil, "", nil, err
	}
	group := s.find("elbv2", "TargetGroups", "TargetGroupArn", arn)
	if group == nil {
		return nil, "", nil, targetGroupNotFound("'" + arn + "'")
	}
	for _, t := range c.objects("Targets") {
		target := object{"Id": text(t["Id"]), "Port": integer(t["Port"])}
		if t["Port"] == nil {
			target["Port"] = integer(group["Port"])
		}
		if zone := text(t["AvailabilityZone"]); zone != "" {
			target["AvailabilityZone"] = zone
		}
		wanted = append(wanted, target)
	}
	if len(wanted) == 0 {
		return nil, "", nil, &apiError{Code: "ValidationError", Message: "At least one target must be specified"}
	}
	return health, arn, wanted, nil
}

func isTarget(d object, id string, port int) bool {
	t := at(d, "Target")
	return text(t["Id"]) == id && integer(t["Port"]) == port
}

func registerTargets(s *Server, c *call) (object, error) {
	health, arn, wanted, err := s.targets(c)
	if err != nil {
		return nil, err
	}
	state := object{"State": "initial", "Reason": "Elb.RegistrationInProgress", "Description": "Target registration is in progress"}
	for _, t := range wanted {
		l := objects(health[arn])
		i := slices.IndexFunc(l, func(d object) bool { return isTarget(d, text(t["Id"]), integer(t["Port"])) })
		switch {
		case i < 0:
			health[arn] = anys(append(l, object{"Target": t, "HealthCheckPort": s.checkPort(arn, t), "TargetHealth": clone(state)}))
		case text(at(l[i], "TargetHealth")["State"]) == "draining":
			l[i]["TargetHealth"] = clone(state)
		}
	}
	return object{}, nil
}

// checkPort is the port on which the health check of a target group reaches a target.
func (s *Server) checkPort(arn string, target object) string {
	group := s.find("elbv2", "TargetGroups", "TargetGroupArn", arn)
	if p := text(group["HealthCheckPort"]); p != "" && p != "traffic-port" {
		return p
	}
	return text(target["Port"])
}

func deregisterTargets(s *Server, c *call) (object, error) {
	health, arn, wanted, err := s.targets(c)
	if err != nil {
		return nil, err
	}
	for _, t := range wanted {
		for _, d := range objects(health[arn]) {
			if isTarget(d, text(t["Id"]), integer(t["Port"])) {
				d["TargetHealth"] = object{"State": "draining", "Reason": "Target.DeregistrationInProgress", "Description": "Target deregistration is in progress"}
			}
		}
	}
	return object{}, nil
}

// modifyTargetGroup changes the health check of a target group.
func modifyTargetGroup(s *Server, c *call) (object, error) {
	arn := c.str("TargetGroupArn")
	group := s.find("elbv2", "TargetGroups", "TargetGroupArn", arn)
	if group == nil {
		return nil, targetGroupNotFound("'" + arn + "'")
	}
	for _, f := range []string{"HealthCheckProtocol", "HealthCheckPort", "HealthCheckPath"} {
		if v := c.str(f); v != "" {
			group[f] = v
		}
	}
	for _, f := range []string{"HealthCheckIntervalSeconds", "HealthCheckTimeoutSeconds", "HealthyThresholdCount", "UnhealthyThresholdCount"} {
		if v := c.str(f); v != "" {
			n, err := strconv.Atoi(v)
			if err != nil {
				return nil, &apiError{Code: "ValidationError", Message: f + " must be a number"}
			}
			group[f] = n
		}
	}
	if v := c.str("HealthCheckEnabled"); v != "" {
		group["HealthCheckEnabled"] = v == "true"
	}
	if m, ok := c.params["Matcher"].(object); ok {
		group["Matcher"] = m
	}
	for _, d := range objects(at(s.lists["elbv2"], "TargetHealthDescriptions")[arn]) {
		d["HealthCheckPort"] = s.checkPort(arn, at(d, "Target"))
	}
	return object{"TargetGroups": []any{group}}, nil
}
