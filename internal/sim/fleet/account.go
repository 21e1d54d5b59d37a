package fleet

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/netdiag/netdiag/internal/world"
)

const (
	elbARN       = "arn:aws:elasticloadbalancing:" + region + ":" + account + ":"
	balancerName = "k8s-shop-storefro-f1ee700001"
	balancerHost = balancerName + "-456789012." + region + ".elb.amazonaws.com"
	balancerPath = "loadbalancer/app/" + balancerName + "/50dc6c495c0c9188"
	listenerPath = "listener/app/" + balancerName + "/50dc6c495c0c9188/d06ba0c8e3fa855e"
	targetGroup  = "k8s-shop-storefro-f1ee700002"
	targetPath   = "targetgroup/" + targetGroup + "/482a986eaf6fdda6"
)

// account gives what aws.json of a world holds, but for interfaces and instances.
func (f *Fleet) account() world.AWS {
	return world.AWS{
		"ec2":         lists(f.ec2()),
		"elbv2":       lists(f.elb()),
		"eks":         lists(f.eks()),
		"autoscaling": lists(object{"Activities": []any{}}),
		"cloudwatch":  lists(object{"Metrics": []any{f.requests()}}),
		"cloudtrail":  lists(object{"Events": []any{}}),
	}
}

func lists(in object) map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	for name, v := range in {
		b, err := json.Marshal(v)
		if err != nil {
			panic(err) // trees of JSON values always encode
		}
		out[name] = b
	}
	return out
}

func (f *Fleet) ec2() object {
	var subnets, associations []any
	blocks := []any{object{"CidrBlock": "10.0.0.0/16", "CidrBlockState": object{"State": "associated"}}}
	have := map[byte]bool{}
	for _, s := range append(slices.Clip(f.subnets), publics()...) {
		subnets = append(subnets, object{
			"SubnetId": s.id, "VpcId": vpcID, "CidrBlock": s.cidr.String(), "AvailableIpAddressCount": s.available, "AvailabilityZone": s.zone, "State": "available",
			"OwnerId": account, "Tags": tags("Name", s.id), "Ipv6CidrBlockAssociationSet": []any{},
		})
		associations = append(associations, object{"NetworkAclAssociationId": "aclassoc-" + s.id[7:], "NetworkAclId": "acl-0f1ee700000000001", "SubnetId": s.id})
		if b := s.cidr.Addr().As4(); b[0] == 100 && !have[b[1]] {
			have[b[1]] = true
			blocks = append(blocks, object{"CidrBlock": fmt.Sprintf("100.%d.0.0/16", b[1]), "CidrBlockState": object{"State": "associated"}})
		}
	}
	entry := func(number int, egress bool, action string) object {
		return object{"CidrBlock": "0.0.0.0/0", "Egress": egress, "Protocol": "-1", "RuleAction": action, "RuleNumber": number}
	}
	return object{
		"Vpcs":    []any{object{"VpcId": vpcID, "CidrBlock": "10.0.0.0/16", "State": "available", "OwnerId": account, "CidrBlockAssociationSet": blocks, "Tags": []any{}}},
		"Subnets": subnets,
		"InstanceTypes": []any{object{"InstanceType": instanceType, "BareMetal": false, "Hypervisor": "nitro", "VCpuInfo": object{"DefaultVCpus": 4}, "MemoryInfo": object{"SizeInMiB": 16384},
			"NetworkInfo": object{"MaximumNetworkInterfaces": 4, "DefaultNetworkCardIndex": 0, "NetworkCards": []any{object{"NetworkCardIndex": 0, "MaximumNetworkInterfaces": 4}}, "Ipv4AddressesPerInterface": perInterface, "Ipv6AddressesPerInterface": perInterface}}},
		"SecurityGroups":     f.securityGroups(),
		"SecurityGroupRules": f.securityGroupRules(),
		"NetworkAcls": []any{object{"NetworkAclId": "acl-0f1ee700000000001", "VpcId": vpcID, "IsDefault": true, "OwnerId": account, "Associations": associations, "Tags": []any{},
			"Entries": []any{entry(100, false, "allow"), entry(100, true, "allow"), entry(32767, false, "deny"), entry(32767, true, "deny")}}},
		"RouteTables": []any{object{"RouteTableId": "rtb-0f1ee700000000001", "VpcId": vpcID, "OwnerId": account, "Tags": []any{}, "PropagatingVgws": []any{},
			"Routes":       []any{object{"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "Origin": "CreateRouteTable", "State": "active"}},
			"Associations": []any{object{"RouteTableAssociationId": "rtbassoc-0f1ee700000000001", "Main": true, "AssociationState": object{"State": "associated"}}}}},
		"SubnetCidrReservations": []any{}, "ManagedPrefixLists": []any{}, "NatGateways": []any{}, "VpcEndpoints": []any{},
	}
}

func (f *Fleet) securityGroups() []any {
	var out []any
	for _, g := range [][2]string{{nodeGroup, cluster + "-node"}, {oldGroup, cluster + "-node-old"}, {albGroup, "web-alb"}, {clusterGroup, cluster + "-cluster"}} {
		out = append(out, object{"GroupId": g[0], "GroupName": g[1], "Description": g[1], "VpcId": vpcID, "OwnerId": account, "Tags": []any{}})
	}
	return out
}

// securityGroupRules lets the load balancer reach the nodes, but for those with the old group.
func (f *Fleet) securityGroupRules() []any {
	var out []any
	rule := func(group string, egress bool, protocol string, from, to int, peer object) {
		r := object{"SecurityGroupRuleId": fmt.Sprintf("sgr-0f1ee7%011x", len(out)+1), "GroupId": group, "GroupOwnerId": account, "IsEgress": egress, "IpProtocol": protocol, "FromPort": from, "ToPort": to, "Tags": []any{}}
		maps.Copy(r, peer)
		out = append(out, r)
	}
	from := func(group string) object {
		return object{"ReferencedGroupInfo": object{"GroupId": group, "UserId": account, "VpcId": vpcID}}
	}
	anywhere := object{"CidrIpv4": "0.0.0.0/0"}
	for _, group := range []string{nodeGroup, oldGroup, albGroup, clusterGroup} {
		rule(group, true, "-1", -1, -1, anywhere)
	}
	for _, group := range []string{nodeGroup, oldGroup} {
		rule(group, false, "-1", -1, -1, from(nodeGroup))
		rule(group, false, "-1", -1, -1, from(oldGroup))
		rule(group, false, "tcp", 10250, 10250, from(clusterGroup))
	}
	rule(nodeGroup, false, "tcp", appPort, appPort, from(albGroup))
	rule(albGroup, false, "tcp", 443, 443, anywhere)
	return out
}

func (f *Fleet) elb() object {
	var zones, health []any
	for _, p := range publics() {
		zones = append(zones, object{"ZoneName": p.zone, "SubnetId": p.id, "LoadBalancerAddresses": []any{}})
	}
	for n := range f.targets {
		node, nth := f.spread(n, f.targets)
		s := f.subnets[f.nodes[node].subnet]
		state := object{"State": "healthy"}
		if s.closed {
			state = object{"State": "unhealthy", "Reason": "Target.Timeout", "Description": "Request timed out"}
		}
		health = append(health, object{"Target": object{"Id": f.podAddress(pod{node, nth}).String(), "Port": appPort, "AvailabilityZone": s.zone}, "HealthCheckPort": fmt.Sprint(appPort), "TargetHealth": state})
	}
	stack := func(resource string) []any {
		return tags("elbv2.k8s.aws/cluster", cluster, "ingress.k8s.aws/resource", resource, "ingress.k8s.aws/stack", "shop/storefront")
	}
	notFound := []any{object{"Type": "fixed-response", "Order": 1, "FixedResponseConfig": object{"StatusCode": "404", "ContentType": "text/plain"}}}
	rule := elbARN + "listener-rule/" + listenerPath[len("listener/"):] + "/b4e2b57672eb8bb5"
	return object{
		"LoadBalancers": []any{object{"LoadBalancerArn": elbARN + balancerPath, "DNSName": balancerHost, "LoadBalancerName": balancerName, "Scheme": "internet-facing", "VpcId": vpcID,
			"State": object{"Code": "active"}, "Type": "application", "CreatedTime": f.ago(1000 * time.Hour), "AvailabilityZones": zones, "SecurityGroups": []any{albGroup}, "IpAddressType": "ipv4"}},
		"LoadBalancerAttributes": object{elbARN + balancerPath: tags("idle_timeout.timeout_seconds", "60", "load_balancing.cross_zone.enabled", "true", "waf.fail_open.enabled", "false")},
		"Listeners":              []any{object{"ListenerArn": elbARN + listenerPath, "LoadBalancerArn": elbARN + balancerPath, "Port": 443, "Protocol": "HTTPS", "DefaultActions": notFound}},
		"Rules": []any{
			object{"ListenerArn": elbARN + listenerPath, "RuleArn": rule, "Priority": "1", "IsDefault": false,
				"Conditions": []any{object{"Field": "host-header", "Values": []any{"shop.example.com"}, "HostHeaderConfig": object{"Values": []any{"shop.example.com"}}}, object{"Field": "path-pattern", "Values": []any{"/*"}, "PathPatternConfig": object{"Values": []any{"/*"}}}},
				"Actions":    []any{object{"Type": "forward", "Order": 1, "TargetGroupArn": elbARN + targetPath, "ForwardConfig": object{"TargetGroups": []any{object{"TargetGroupArn": elbARN + targetPath, "Weight": 1}}}}}},
			object{"ListenerArn": elbARN + listenerPath, "RuleArn": rule + "0", "Priority": "default", "IsDefault": true, "Conditions": []any{}, "Actions": notFound},
		},
		"TargetGroups": []any{object{"TargetGroupArn": elbARN + targetPath, "TargetGroupName": targetGroup, "Protocol": "HTTP", "ProtocolVersion": "HTTP1", "Port": appPort, "VpcId": vpcID, "TargetType": "ip",
			"HealthCheckProtocol": "HTTP", "HealthCheckPort": "traffic-port", "HealthCheckEnabled": true, "HealthCheckIntervalSeconds": 15, "HealthCheckTimeoutSeconds": 5, "HealthyThresholdCount": 2,
			"UnhealthyThresholdCount": 2, "HealthCheckPath": "/health", "Matcher": object{"HttpCode": "200"}, "LoadBalancerArns": []any{elbARN + balancerPath}, "IpAddressType": "ipv4"}},
		"TargetGroupAttributes": object{elbARN + targetPath: tags("deregistration_delay.timeout_seconds", "300", "load_balancing.algorithm.type", "round_robin", "stickiness.enabled", "false",
			"target_group_health.unhealthy_state_routing.minimum_healthy_targets.count", "1", "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage", "off")},
		"TargetHealthDescriptions": object{elbARN + targetPath: health},
		"Tags":                     object{elbARN + balancerPath: stack("LoadBalancer"), elbARN + targetPath: stack("shop/storefront-storefront:80"), elbARN + listenerPath: stack("443"), rule: stack("443:1")},
	}
}

func (f *Fleet) eks() object {
	var private, groups []any
	for n, s := range f.subnets {
		private = append(private, s.id)
		groups = append(groups, object{"nodegroupName": groupName(n), "clusterName": cluster, "status": "ACTIVE", "capacityType": "ON_DEMAND", "instanceTypes": []any{instanceType},
			"scalingConfig": object{"minSize": 1, "maxSize": s.n + 10, "desiredSize": s.n}, "subnets": []any{s.id}, "nodeRole": "arn:aws:iam::" + account + ":role/" + cluster + "-node",
			"resources": object{"autoScalingGroups": []any{object{"name": "eks-" + groupName(n)}}}, "health": object{"issues": []any{}}, "labels": object{}, "tags": object{}})
	}
	schema := `{"$schema":"http://json-schema.org/draft-06/schema#","type":"object","additionalProperties":false,"properties":{"env":{"type":"object","additionalProperties":false,"properties":{"WARM_ENI_TARGET":{"type":"string","format":"integer"},"WARM_IP_TARGET":{"type":"string","format":"integer"},"MINIMUM_IP_TARGET":{"type":"string","format":"integer"},"ENABLE_PREFIX_DELEGATION":{"type":"string","format":"boolean"}}}}}`
	return object{
		"Clusters": []any{object{"name": cluster, "arn": "arn:aws:eks:" + region + ":" + account + ":cluster/" + cluster, "version": "1.34", "status": "ACTIVE",
			"resourcesVpcConfig":      object{"subnetIds": private[:min(3, len(private))], "securityGroupIds": []any{}, "clusterSecurityGroupId": clusterGroup, "vpcId": vpcID},
			"kubernetesNetworkConfig": object{"serviceIpv4Cidr": "172.20.0.0/16", "ipFamily": "ipv4"}, "health": object{"issues": []any{}}, "tags": object{}}},
		"Addons": []any{object{"addonName": "vpc-cni", "clusterName": cluster, "status": "ACTIVE", "addonVersion": "v1.20.4-eksbuild.1", "health": object{"issues": []any{}},
			"addonArn": "arn:aws:eks:" + region + ":" + account + ":addon/" + cluster + "/vpc-cni/f1ee7", "configurationValues": "{}", "serviceAccountRoleArn": "arn:aws:iam::" + account + ":role/" + cluster + "-vpc-cni", "tags": object{}}},
		"AddonConfigurations": []any{object{"addonName": "vpc-cni", "addonVersion": "v1.20.4-eksbuild.1", "configurationSchema": schema}},
		"Nodegroups":          groups, "FargateProfiles": []any{},
	}
}

// requests is the traffic of the load balancer within the last quarter of an hour.
func (f *Fleet) requests() object {
	var stamps, numbers []any
	start := f.now.Truncate(time.Minute)
	for m := 15; m > 0; m-- {
		stamps = append(stamps, start.Add(-time.Duration(m)*time.Minute).Format(time.RFC3339))
		numbers = append(numbers, 6000.0)
	}
	return object{"Namespace": "AWS/ApplicationELB", "MetricName": "RequestCount", "Period": 60, "Statistic": "Sum", "Timestamps": stamps, "Values": numbers,
		"Dimensions": []any{object{"Name": "LoadBalancer", "Value": balancerPath[len("loadbalancer/"):]}}}
}
