package nature

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/netdiag/netdiag/internal/awsnet"
	"github.com/netdiag/netdiag/internal/elb"
)

// learn keeps in mind the health checks of all bindings. One that can't be read is never put back.
func (k *controller) learn(ctx context.Context) {
	k.checks = map[string]elb.HealthCheck{}
	r := k.c.reads.Reader()
	for _, b := range listed[*unstructured.Unstructured](k.c.bindings) {
		if err := k.keep(ctx, r, textAt(b, "spec", "targetGroupARN")); err != nil {
			k.n.say("load balancer controller: %v", err)
		}
	}
}

// keep keeps in mind the health check of a target group as it is.
func (k *controller) keep(ctx context.Context, r *awsnet.Reader, arn string) error {
	groups, err := r.TargetGroups(ctx, arn)
	if err != nil || len(groups) == 0 {
		return err
	}
	k.checks[arn] = groups[0].Check
	return nil
}

// putBack sets the health check of a target group as the controller left it, where somebody else has changed it since
// (isSDKTargetGroupHealthCheckDrifted in the controller).
func (k *controller) putBack(ctx context.Context, r *awsnet.Reader, arn string) error {
	kept, known := k.checks[arn]
	groups, err := r.TargetGroups(ctx, arn)
	if err != nil || len(groups) == 0 || !known || groups[0].Check == kept {
		return err
	}
	in := &elbv2.ModifyTargetGroupInput{
		TargetGroupArn: aws.String(arn), HealthCheckEnabled: aws.Bool(kept.Enabled), HealthCheckProtocol: types.ProtocolEnum(kept.Protocol),
		HealthCheckPort: aws.String(kept.Port), HealthCheckIntervalSeconds: seconds(kept.Interval), HealthCheckTimeoutSeconds: seconds(kept.Timeout),
		HealthyThresholdCount: aws.Int32(int32(kept.Healthy)), UnhealthyThresholdCount: aws.Int32(int32(kept.Unhealthy)),
	}
	if kept.Path != "" {
		in.HealthCheckPath = aws.String(kept.Path)
	}
	if kept.Codes != "" {
		in.Matcher = &types.Matcher{HttpCode: aws.String(kept.Codes)}
		if groups[0].ProtocolVersion == "GRPC" {
			in.Matcher = &types.Matcher{GrpcCode: aws.String(kept.Codes)}
		}
	}
	if _, err := k.c.elb.ModifyTargetGroup(ctx, in); err != nil {
		return fmt.Errorf("modify target group %s: %w", groups[0].Name, err)
	}
	k.n.say("load balancer controller: health check of %s is put back", groups[0].Name)
	return nil
}

func seconds(d time.Duration) *int32 { return aws.Int32(int32(d / time.Second)) }
