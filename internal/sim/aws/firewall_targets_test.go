package aws_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	simaws "github.com/netdiag/netdiag/internal/sim/aws"
)

// TestFirewall adds, describes and revokes rules with the faults that EC2 knows.
func TestFirewall(t *testing.T) {
	ctx := context.Background()
	w := load(t, "alb-c01-health-path-404")
	group := list(t, w, "ec2", "SecurityGroups")[0]["GroupId"].(string)
	a := open(t, w, simaws.Options{})
	permission := func(port int32, cidr, description string) []types.IpPermission {
		return []types.IpPermission{{IpProtocol: sdk.String("tcp"), FromPort: &port, ToPort: &port, IpRanges: []types.IpRange{{CidrIp: &cidr, Description: &description}}}}
	}
	add := func(dry bool, p []types.IpPermission) (*ec2.AuthorizeSecurityGroupIngressOutput, error) {
		return a.ec2.AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{GroupId: &group, IpPermissions: p, DryRun: &dry})
	}
	if _, err := add(true, permission(8443, "10.9.0.0/16", "x")); code(err) != "DryRunOperation" {
		t.Errorf("dry run: %v", err)
	}
	out, err := add(false, permission(8443, "10.9.0.0/16", "x"))
	if err != nil || len(out.SecurityGroupRules) != 1 {
		t.Fatalf("%+v, %v", out, err)
	}
	rule := *out.SecurityGroupRules[0].SecurityGroupRuleId
	for want, p := range map[string][]types.IpPermission{
		"InvalidPermission.Duplicate": permission(8443, "10.9.0.0/16", "y"),
		"InvalidParameterValue":       permission(8444, "10.9.0.0/16", "a → b"),
		"InvalidGroup.NotFound":       {{IpProtocol: sdk.String("-1"), UserIdGroupPairs: []types.UserIdGroupPair{{GroupId: sdk.String("sg-0none")}}}},
	} {
		if _, err := add(false, p); code(err) != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	if _, err := a.ec2.CreateTags(ctx, &ec2.CreateTagsInput{Resources: []string{rule}, Tags: []types.Tag{{Key: sdk.String("k"), Value: sdk.String("v")}}}); err != nil {
		t.Error(err)
	}
	tagged, err := a.ec2.DescribeSecurityGroupRules(ctx, &ec2.DescribeSecurityGroupRulesInput{Filters: []types.Filter{{Name: sdk.String("tag:k"), Values: []string{"?"}}}})
	if err != nil || len(tagged.SecurityGroupRules) != 1 || *tagged.SecurityGroupRules[0].SecurityGroupRuleId != rule {
		t.Errorf("by tag: %+v, %v", tagged, err)
	}
	if _, err := a.ec2.DeleteTags(ctx, &ec2.DeleteTagsInput{Resources: []string{rule}, Tags: []types.Tag{{Key: sdk.String("k")}}}); err != nil {
		t.Error(err)
	}
	described, err := a.ec2.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{Filters: []types.Filter{{Name: sdk.String("ip-permission.cidr"), Values: []string{"10.9.0.0/16"}}}})
	if err != nil || len(described.SecurityGroups) != 1 || *described.SecurityGroups[0].GroupId != group {
		t.Errorf("by permission: %+v, %v", described, err)
	}
	for _, want := range []string{"", "InvalidSecurityGroupRuleId.NotFound"} {
		_, err = a.ec2.RevokeSecurityGroupIngress(ctx, &ec2.RevokeSecurityGroupIngressInput{GroupId: &group, SecurityGroupRuleIds: []string{rule}})
		if code(err) != want {
			t.Errorf("revoke: %v, want %q", err, want)
		}
	}
}

// TestTargets registers and drains targets, and moves a load balancer to other groups.
func TestTargets(t *testing.T) {
	ctx := context.Background()
	w := load(t, "alb-c01-health-path-404")
	arn := list(t, w, "elbv2", "TargetGroups")[0]["TargetGroupArn"].(string)
	a := open(t, w, simaws.Options{})
	health := func(id string) string {
		out, err := a.elb.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: &arn})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range out.TargetHealthDescriptions {
			if *d.Target.Id == id {
				return string(d.TargetHealth.State) + " " + string(d.TargetHealth.Reason)
			}
		}
		return "gone"
	}
	target := []elbtypes.TargetDescription{{Id: sdk.String("10.0.1.77"), Port: sdk.Int32(8080)}}
	if _, err := a.elb.RegisterTargets(ctx, &elb.RegisterTargetsInput{TargetGroupArn: &arn, Targets: target}); err != nil {
		t.Fatal(err)
	}
	steps := []string{health("10.0.1.77")}
	a.sim.SetTargetHealth(arn, "10.0.1.77", 8080, "healthy", "", "")
	steps = append(steps, health("10.0.1.77"))
	if _, err := a.elb.DeregisterTargets(ctx, &elb.DeregisterTargetsInput{TargetGroupArn: &arn, Targets: target}); err != nil {
		t.Fatal(err)
	}
	steps = append(steps, health("10.0.1.77"))
	a.sim.SetTargetHealth(arn, "10.0.1.77", 8080, "", "", "")
	steps = append(steps, health("10.0.1.77"))
	equal(t, "health", []string{"initial Elb.RegistrationInProgress", "healthy ", "draining Target.DeregistrationInProgress", "gone"}, steps)

	if _, err := a.elb.ModifyTargetGroup(ctx, &elb.ModifyTargetGroupInput{TargetGroupArn: &arn, HealthCheckPath: sdk.String("/ready"), HealthCheckPort: sdk.String("9000"), Matcher: &elbtypes.Matcher{HttpCode: sdk.String("204")}}); err != nil {
		t.Fatal(err)
	}
	groups, err := a.elb.DescribeTargetGroups(ctx, &elb.DescribeTargetGroupsInput{TargetGroupArns: []string{arn}})
	if err != nil || *groups.TargetGroups[0].HealthCheckPath != "/ready" || *groups.TargetGroups[0].HealthCheckPort != "9000" || *groups.TargetGroups[0].Matcher.HttpCode != "204" {
		t.Errorf("modified: %+v, %v", groups, err)
	}

	balancer := list(t, w, "elbv2", "LoadBalancers")[0]["LoadBalancerArn"].(string)
	other := list(t, w, "ec2", "SecurityGroups")[1]["GroupId"].(string)
	if _, err := a.elb.SetSecurityGroups(ctx, &elb.SetSecurityGroupsInput{LoadBalancerArn: &balancer, SecurityGroups: []string{other}}); err != nil {
		t.Fatal(err)
	}
	name := balancer[strings.Index(balancer, "loadbalancer/")+len("loadbalancer/"):]
	out, err := a.ec2.DescribeNetworkInterfaces(ctx, &ec2.DescribeNetworkInterfacesInput{Filters: []types.Filter{{Name: sdk.String("description"), Values: []string{"ELB " + name}}}})
	if err != nil || len(out.NetworkInterfaces) == 0 {
		t.Fatalf("interfaces of the load balancer: %v", err)
	}
	for _, n := range out.NetworkInterfaces {
		if len(n.Groups) != 1 || *n.Groups[0].GroupId != other {
			t.Errorf("interface %s has groups %v, want %s", *n.NetworkInterfaceId, n.Groups, other)
		}
	}
}

// TestRulesShowLate: a new rule works at once and shows later.
func TestRulesShowLate(t *testing.T) {
	ctx := context.Background()
	w := load(t, "alb-c01-health-path-404")
	now := w.Meta.Now
	a := open(t, w, simaws.Options{Now: func() time.Time { return now }})
	a.sim.SetLag(time.Minute)
	group := list(t, w, "ec2", "SecurityGroups")[0]["GroupId"].(string)
	in := &ec2.AuthorizeSecurityGroupIngressInput{GroupId: &group, IpPermissions: []types.IpPermission{{
		IpProtocol: sdk.String("tcp"), FromPort: sdk.Int32(9), ToPort: sdk.Int32(9), IpRanges: []types.IpRange{{CidrIp: sdk.String("192.0.2.0/24")}},
	}}}
	made, err := a.ec2.AuthorizeSecurityGroupIngress(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.ec2.AuthorizeSecurityGroupIngress(ctx, in); err == nil {
		t.Error("it was made twice")
	}
	for _, shows := range []bool{false, true} {
		out, err := a.ec2.DescribeSecurityGroupRules(ctx, &ec2.DescribeSecurityGroupRulesInput{Filters: []types.Filter{{Name: sdk.String("group-id"), Values: []string{group}}}})
		if err != nil {
			t.Fatal(err)
		}
		there := slices.ContainsFunc(out.SecurityGroupRules, func(r types.SecurityGroupRule) bool {
			return *r.SecurityGroupRuleId == *made.SecurityGroupRules[0].SecurityGroupRuleId
		})
		if there != shows {
			t.Errorf("at %s it shows: %t", now, there)
		}
		now = now.Add(time.Minute)
	}
}
