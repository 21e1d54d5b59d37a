package nature_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	apitypes "k8s.io/apimachinery/pkg/types"

	"github.com/netdiag/netdiag/diagnostics"
)

const (
	nodeGroup = "sg-0de12345b6ef2d413"
	albGroup  = "sg-0a1b12345df119cb2"
	shared    = "elbv2.k8s.aws/targetGroupBinding=shared"
)

var (
	bindings  = schema.GroupVersionResource{Group: "elbv2.k8s.aws", Version: "v1beta1", Resource: "targetgroupbindings"}
	ingresses = schema.GroupVersionResource{Group: "networking.k8s.io", Version: "v1", Resource: "ingresses"}
)

// health wants every target of every target group in this state.
func (l *lab) health(ctx context.Context, want map[string]string) error {
	groups, err := l.elb.DescribeTargetGroups(ctx, &elbv2.DescribeTargetGroupsInput{})
	if err != nil {
		return err
	}
	got := map[string]string{}
	for _, g := range groups.TargetGroups {
		out, err := l.elb.DescribeTargetHealth(ctx, &elbv2.DescribeTargetHealthInput{TargetGroupArn: g.TargetGroupArn})
		if err != nil {
			return err
		}
		for _, d := range out.TargetHealthDescriptions {
			got[aws.ToString(d.Target.Id)] = strings.TrimSpace(string(d.TargetHealth.State) + " " + string(d.TargetHealth.Reason))
		}
	}
	for id, state := range want {
		if got[id] != state {
			return fmt.Errorf("targets are %v", got)
		}
	}
	return nil
}

func all(state string, ids ...string) map[string]string {
	out := map[string]string{}
	for _, id := range ids {
		out[id] = state
	}
	return out
}

func (l *lab) rules(t *testing.T, group string) []types.SecurityGroupRule {
	t.Helper()
	out, err := l.ec2.DescribeSecurityGroupRules(t.Context(), &ec2.DescribeSecurityGroupRulesInput{Filters: []types.Filter{{Name: aws.String("group-id"), Values: []string{group}}}})
	if err != nil {
		t.Fatal(err)
	}
	return out.SecurityGroupRules
}

func (l *lab) annotate(t *testing.T, resource schema.GroupVersionResource, namespace, name, key, value string) {
	t.Helper()
	v := fmt.Sprintf("%q", value)
	if value == "" {
		v = "null"
	}
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:%s}}}`, key, v)
	if _, err := l.dynamic.Resource(resource).Namespace(namespace).Patch(t.Context(), name, apitypes.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}

func (l *lab) binding(ctx context.Context) (*unstructured.Unstructured, error) {
	list, err := l.dynamic.Resource(bindings).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	return &list.Items[0], nil
}

func (l *lab) cured(t *testing.T) {
	t.Helper()
	out, err := l.Diagnose(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Report.Causes) > 0 {
		t.Errorf("still diagnosed: %v", out.Report.Causes)
	}
}

func TestRuleOpensThePodPort(t *testing.T) {
	l := open(t, "seeds/seed-alb-502")
	l.live(t)
	l.lived(t, 3)
	if err := l.health(t.Context(), all("unhealthy Target.Timeout", "10.0.1.45", "10.0.2.78")); err != nil {
		t.Fatal(err)
	}
	out, err := l.ec2.AuthorizeSecurityGroupIngress(t.Context(), &ec2.AuthorizeSecurityGroupIngressInput{GroupId: aws.String(nodeGroup), IpPermissions: []types.IpPermission{{
		IpProtocol: aws.String("tcp"), FromPort: aws.Int32(8080), ToPort: aws.Int32(8080), UserIdGroupPairs: []types.UserIdGroupPair{{GroupId: aws.String(albGroup)}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	l.until(t, func(ctx context.Context) error {
		return l.health(ctx, all("healthy", "10.0.1.45", "10.0.2.78", "10.0.3.112"))
	})
	l.cured(t)

	if _, err := l.ec2.RevokeSecurityGroupIngress(t.Context(), &ec2.RevokeSecurityGroupIngressInput{GroupId: aws.String(nodeGroup), SecurityGroupRuleIds: []string{*out.SecurityGroupRules[0].SecurityGroupRuleId}}); err != nil {
		t.Fatal(err)
	}
	l.until(t, func(ctx context.Context) error {
		return l.health(ctx, all("unhealthy Target.Timeout", "10.0.1.45", "10.0.2.78"))
	})
	if err := l.health(t.Context(), all("healthy", "10.0.3.112")); err != nil {
		t.Error(err)
	}
}

func TestControllerManagesTheRules(t *testing.T) {
	const annotation = "alb.ingress.kubernetes.io/manage-backend-security-group-rules"
	l := open(t, "seeds/seed-alb-502")
	l.live(t)
	l.lived(t, 3)
	before := len(l.rules(t, nodeGroup))
	l.annotate(t, ingresses, "backend", "api-ingress", annotation, "true")
	l.until(t, func(ctx context.Context) error {
		return l.health(ctx, all("healthy", "10.0.1.45", "10.0.2.78", "10.0.3.112"))
	})

	rules := l.rules(t, nodeGroup)
	i := slices.IndexFunc(rules, func(r types.SecurityGroupRule) bool { return aws.ToString(r.Description) == shared })
	if i < 0 || len(rules) != before+1 {
		t.Fatalf("rules: %v", rules)
	}
	r := rules[i]
	if aws.ToString(r.IpProtocol) != "tcp" || aws.ToInt32(r.FromPort) != 8080 || aws.ToInt32(r.ToPort) != 8080 || aws.ToBool(r.IsEgress) {
		t.Errorf("rule: %+v", r)
	}
	source := aws.ToString(r.ReferencedGroupInfo.GroupId)
	lbs, err := l.elb.DescribeLoadBalancers(t.Context(), &elbv2.DescribeLoadBalancersInput{})
	if err != nil {
		t.Fatal(err)
	}
	if groups := lbs.LoadBalancers[0].SecurityGroups; !slices.Contains(groups, source) || !slices.Contains(groups, albGroup) {
		t.Errorf("load balancer carries %v, the rule admits %s", groups, source)
	}
	b, err := l.binding(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n, ok, _ := unstructured.NestedSlice(b.Object, "spec", "networking", "ingress"); !ok || len(n) != 1 {
		t.Errorf("binding asks for %v", n)
	}
	l.cured(t)

	// Taken back, the controller takes its rule, its group and its request back.
	l.annotate(t, ingresses, "backend", "api-ingress", annotation, "")
	l.until(t, func(ctx context.Context) error {
		return l.health(ctx, all("unhealthy Target.Timeout", "10.0.1.45", "10.0.2.78"))
	})
	if rules := l.rules(t, nodeGroup); len(rules) != before {
		t.Errorf("rules: %v", rules)
	}
	if b, err = l.binding(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, there, _ := unstructured.NestedMap(b.Object, "spec", "networking"); there {
		t.Error("binding still asks for rules")
	}
	if lbs, err = l.elb.DescribeLoadBalancers(t.Context(), &elbv2.DescribeLoadBalancersInput{}); err != nil {
		t.Fatal(err)
	}
	if groups := lbs.LoadBalancers[0].SecurityGroups; !slices.Equal(groups, []string{albGroup}) {
		t.Errorf("load balancer still carries %v", groups)
	}
}

func TestControllerLooksAgain(t *testing.T) {
	const checkpoint = "elbv2.k8s.aws/checkpoint"
	l := open(t, "public/alb-s07-drift-removed")
	l.live(t)
	l.lived(t, 3)
	b, err := l.binding(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	old := b.GetAnnotations()[checkpoint]
	l.annotate(t, bindings, b.GetNamespace(), b.GetName(), checkpoint, "")
	l.until(t, func(ctx context.Context) error {
		return l.health(ctx, all("healthy", "10.0.1.45", "10.0.2.78", "10.0.3.112"))
	})
	if b, err = l.binding(t.Context()); err != nil {
		t.Fatal(err)
	}
	if now := b.GetAnnotations()[checkpoint]; now == "" || now == old {
		t.Errorf("checkpoint %q, before %q", now, old)
	}
	l.cured(t)
}

func TestHealthCheckFollowsAnnotations(t *testing.T) {
	l := open(t, "public/alb-c01-health-path-404")
	l.live(t)
	l.lived(t, 3)
	out, err := l.Diagnose(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(out.Report.Fixes, func(f diagnostics.Fix) bool {
		return f.ID == "alb/set-health-check" && f.Action != nil && f.Action.Annotate != nil
	})
	if i < 0 {
		t.Fatalf("no fix sets the health check: %v", out.Report.Fixes)
	}
	a := out.Report.Fixes[i].Action.Annotate
	gv, err := schema.ParseGroupVersion(a.APIVersion)
	if err != nil {
		t.Fatal(err)
	}
	l.annotate(t, gv.WithResource(a.Resource), a.Namespace, a.Name, a.Key, *a.Value)
	l.until(t, func(ctx context.Context) error {
		groups, err := l.elb.DescribeTargetGroups(ctx, &elbv2.DescribeTargetGroupsInput{})
		if err != nil {
			return err
		}
		if got := aws.ToString(groups.TargetGroups[0].HealthCheckPath); got != *a.Value {
			return fmt.Errorf("path is %s", got)
		}
		health, err := l.elb.DescribeTargetHealth(ctx, &elbv2.DescribeTargetHealthInput{TargetGroupArn: groups.TargetGroups[0].TargetGroupArn})
		if err != nil {
			return err
		}
		for _, d := range health.TargetHealthDescriptions {
			if d.TargetHealth.State != "healthy" {
				return fmt.Errorf("target %s is %s", *d.Target.Id, d.TargetHealth.Reason)
			}
		}
		return nil
	})
	l.cured(t)
}
