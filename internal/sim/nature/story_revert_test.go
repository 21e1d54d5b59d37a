package nature_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The groups of the nodes and of the load balancer in the world whose rule somebody removed.
const (
	driftNodes = "sg-0d437b71f6ef2d413"
	driftALB   = "sg-0ca8eb3612ef30139"
)

// admit lets the load balancer into the nodes on a port, in a rule with this description.
func (l *lab) admit(t *testing.T, port int32, description string) {
	t.Helper()
	_, err := l.ec2.AuthorizeSecurityGroupIngress(t.Context(), &ec2.AuthorizeSecurityGroupIngressInput{GroupId: aws.String(driftNodes), IpPermissions: []types.IpPermission{{
		IpProtocol: aws.String("tcp"), FromPort: aws.Int32(port), ToPort: aws.Int32(port),
		UserIdGroupPairs: []types.UserIdGroupPair{{GroupId: aws.String(driftALB), Description: aws.String(description)}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
}

// has wants exactly these of the ports to be open in rules of this description.
func (l *lab) has(t *testing.T, description string, ports ...int32) func(context.Context) error {
	return func(context.Context) error {
		var open []int32
		for _, r := range l.rules(t, driftNodes) {
			if !aws.ToBool(r.IsEgress) && aws.ToString(r.Description) == description {
				open = append(open, aws.ToInt32(r.FromPort))
			}
		}
		if slices.Sort(open); !slices.Equal(open, ports) {
			return fmt.Errorf("rules %q open %v, want %v", description, open, ports)
		}
		return nil
	}
}

func (l *lab) revoke(t *testing.T, description string) {
	t.Helper()
	for _, r := range l.rules(t, driftNodes) {
		if aws.ToString(r.Description) != description {
			continue
		}
		if _, err := l.ec2.RevokeSecurityGroupIngress(t.Context(), &ec2.RevokeSecurityGroupIngressInput{GroupId: aws.String(driftNodes), SecurityGroupRuleIds: []string{*r.SecurityGroupRuleId}}); err != nil {
			t.Fatal(err)
		}
	}
}

func (l *lab) kick(t *testing.T) {
	t.Helper()
	b, err := l.binding(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l.annotate(t, bindings, b.GetNamespace(), b.GetName(), "elbv2.k8s.aws/checkpoint", "")
}

// A kick makes the controller put back its rule that somebody revoked, and prune those of its own that no binding asks
// for; rules of others stay. Without a kick it skips what hasn't changed. A binding that is deleted takes its rules along.
func TestControllerPrunesItsRules(t *testing.T) {
	t.Parallel()
	l := open(t, "public/alb-s07-drift-removed")
	l.live(t)
	l.lived(t, 2)
	l.kick(t)
	l.until(t, l.has(t, shared, 8080))
	l.revoke(t, shared)
	l.admit(t, 9999, shared)
	l.admit(t, 9998, "made by hand")
	l.lived(t, 3)
	if err := l.has(t, shared, 9999)(t.Context()); err != nil {
		t.Errorf("without a kick: %v", err)
	}
	l.kick(t)
	l.until(t, l.has(t, shared, 8080))

	b, err := l.binding(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.dynamic.Resource(bindings).Namespace(b.GetNamespace()).Delete(t.Context(), b.GetName(), metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	l.until(t, l.has(t, shared))
	if err := l.has(t, "made by hand", 9998)(t.Context()); err != nil {
		t.Error(err)
	}
}

// After a while the controller looks again by itself.
func TestControllerResyncsItsRules(t *testing.T) {
	t.Parallel()
	l := open(t, "public/alb-s07-drift-removed")
	l.resync = 5 * time.Minute
	l.live(t)
	for range 2 {
		l.until(t, l.has(t, shared, 8080))
		l.revoke(t, shared)
		l.admit(t, 9999, shared)
	}
	l.until(t, l.has(t, shared, 8080))
}

func (l *lab) interval(ctx context.Context, want int32) error {
	out, err := l.elb.DescribeTargetGroups(ctx, &elbv2.DescribeTargetGroupsInput{})
	if err != nil {
		return err
	}
	if is := aws.ToInt32(out.TargetGroups[0].HealthCheckIntervalSeconds); is != want {
		return fmt.Errorf("the interval is %d s, want %d", is, want)
	}
	return nil
}

// Health checks that were changed past the controller are put back when it next reconciles the ingress: because an
// annotation has changed, or because it looks again by itself.
func TestControllerPutsHealthChecksBack(t *testing.T) {
	const other = 77
	for name, resync := range map[string]time.Duration{"by an annotation": 0, "by itself": 5 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := open(t, "public/alb-c01-health-path-404")
			l.resync = resync
			out, err := l.elb.DescribeTargetGroups(t.Context(), &elbv2.DescribeTargetGroupsInput{})
			if err != nil {
				t.Fatal(err)
			}
			g := out.TargetGroups[0]
			l.live(t)
			l.lived(t, 2)
			_, err = l.elb.ModifyTargetGroup(t.Context(), &elbv2.ModifyTargetGroupInput{TargetGroupArn: g.TargetGroupArn, HealthCheckIntervalSeconds: aws.Int32(other)})
			if err != nil {
				t.Fatal(err)
			}
			if resync == 0 {
				l.lived(t, 3)
				if err := l.interval(t.Context(), other); err != nil {
					t.Errorf("without a change of the ingress: %v", err)
				}
				b, err := l.binding(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				l.annotate(t, ingresses, b.GetNamespace(), b.GetLabels()["ingress.k8s.aws/stack-name"], "alb.ingress.kubernetes.io/healthcheck-path", "/other")
			}
			l.until(t, func(ctx context.Context) error { return l.interval(ctx, aws.ToInt32(g.HealthCheckIntervalSeconds)) })
			if resync != 0 {
				return
			}
			l.until(t, func(ctx context.Context) error {
				out, err := l.elb.DescribeTargetGroups(ctx, &elbv2.DescribeTargetGroupsInput{})
				if err == nil && aws.ToString(out.TargetGroups[0].HealthCheckPath) != "/other" {
					err = fmt.Errorf("path %s", aws.ToString(out.TargetGroups[0].HealthCheckPath))
				}
				return err
			})
		})
	}
}
