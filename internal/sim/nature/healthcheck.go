package nature

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/netdiag/netdiag/internal/awsnet"
	"github.com/netdiag/netdiag/internal/elb"
)

// checkDefaults are the annotations of the health check with what the controller takes where they are absent.
var checkDefaults = map[string]string{
	"healthcheck-path": "/", "healthcheck-port": "traffic-port", "healthcheck-protocol": "HTTP", "success-codes": "200",
	"healthcheck-interval-seconds": "15", "healthcheck-timeout-seconds": "5", "healthy-threshold-count": "2", "unhealthy-threshold-count": "2",
}

// healthCheck brings the health check of a target group in line with the annotations that have changed. Those of the
// Service go before those of the ingress. was and wasService are the annotations before; wasService is nil where the
// Service has not changed.
func (k *controller) healthCheck(ctx context.Context, r *awsnet.Reader, i *networkingv1.Ingress, b *unstructured.Unstructured, was, wasService map[string]string) error {
	service := got[*corev1.Service](k.c.services, b.GetNamespace(), serviceOf(b))
	if service == nil {
		return nil
	}
	now, nowService := annotations(i), annotations(service)
	if wasService == nil {
		wasService = nowService
	}
	set := map[string]string{}
	for _, name := range sortedKeys(checkDefaults) {
		before, after := either(name, wasService, was), either(name, nowService, now)
		if before != after {
			set[name] = after
		}
	}
	if len(set) == 0 {
		return nil
	}
	arn := textAt(b, "spec", "targetGroupARN")
	groups, err := r.TargetGroups(ctx, arn)
	if err != nil || len(groups) == 0 {
		return err
	}
	in, err := checkInput(groups[0], set, service, b)
	if err != nil {
		k.tell(ctx, i, corev1.EventTypeWarning, "FailedBuildModel", "Failed build model due to "+err.Error())
		return nil
	}
	if _, err := k.c.elb.ModifyTargetGroup(ctx, in); err != nil {
		return fmt.Errorf("modify target group %s: %w", groups[0].Name, err)
	}
	k.n.say("load balancer controller: health check of %s: %v", groups[0].Name, set)
	return k.keep(ctx, k.c.reads.Reader(), arn)
}

// either is an annotation of the Service, else of the ingress, else the default.
func either(name string, service, ingress map[string]string) string {
	if v, ok := service[name]; ok {
		return v
	}
	if v, ok := ingress[name]; ok {
		return v
	}
	return checkDefaults[name]
}

func checkInput(g elb.TargetGroup, set map[string]string, service *corev1.Service, b *unstructured.Unstructured) (*elbv2.ModifyTargetGroupInput, error) {
	in := &elbv2.ModifyTargetGroupInput{TargetGroupArn: aws.String(g.ARN)}
	for name, v := range set {
		switch name {
		case "healthcheck-path":
			in.HealthCheckPath = aws.String(v)
			continue
		case "healthcheck-protocol":
			in.HealthCheckProtocol = types.ProtocolEnum(v)
			continue
		case "success-codes":
			in.Matcher = &types.Matcher{HttpCode: aws.String(v)}
			if g.ProtocolVersion == "GRPC" {
				in.Matcher = &types.Matcher{GrpcCode: aws.String(v)}
			}
			continue
		case "healthcheck-port":
			port, err := checkPort(v, service, b)
			if err != nil {
				return nil, err
			}
			in.HealthCheckPort = aws.String(port)
			continue
		}
		n, err := strconv.ParseInt(v, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("failed to parse int32 annotation, %s%s: %s", annotationPrefix, name, v)
		}
		number := aws.Int32(int32(n))
		switch name {
		case "healthcheck-interval-seconds":
			in.HealthCheckIntervalSeconds = number
		case "healthcheck-timeout-seconds":
			in.HealthCheckTimeoutSeconds = number
		case "healthy-threshold-count":
			in.HealthyThresholdCount = number
		case "unhealthy-threshold-count":
			in.UnhealthyThresholdCount = number
		}
	}
	return in, nil
}

// checkPort is the port of a health check: a number, traffic-port, or that of a port of the Service by its name.
func checkPort(v string, service *corev1.Service, b *unstructured.Unstructured) (string, error) {
	if _, err := strconv.Atoi(v); err == nil || v == "traffic-port" {
		return v, nil
	}
	for _, p := range service.Spec.Ports {
		switch {
		case p.Name != v:
		case strings.EqualFold(textAt(b, "spec", "targetType"), "instance") && p.NodePort > 0:
			return strconv.Itoa(int(p.NodePort)), nil
		case p.TargetPort.IntValue() > 0:
			return strconv.Itoa(p.TargetPort.IntValue()), nil
		default:
			return "", fmt.Errorf("cannot use named healthCheckPort for IP TargetType when service's targetPort is a named port")
		}
	}
	return "", fmt.Errorf("failed to resolve healthCheckPort: %s", v)
}
