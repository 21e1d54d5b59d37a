package awsnet

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/netdiag/netdiag/internal/elb"
	"github.com/netdiag/netdiag/internal/recall"
)

// TargetGroups implements diagnostics.TargetGroups.
func (r *Reader) TargetGroups(ctx context.Context, refs ...string) ([]elb.TargetGroup, error) {
	refs = set(refs)
	return recall.List(ctx, &r.memory, key(append([]string{"target-groups"}, refs...)...), func(ctx context.Context) ([]elb.TargetGroup, error) {
		isName := func(s string) bool { return !strings.HasPrefix(s, "arn:") }
		out, err := r.targetGroups(ctx, slices.DeleteFunc(slices.Clone(refs), isName), func(batch []string) *elbv2.DescribeTargetGroupsInput {
			return &elbv2.DescribeTargetGroupsInput{TargetGroupArns: batch}
		})
		if err != nil {
			return nil, err
		}
		named, err := r.targetGroups(ctx, slices.DeleteFunc(slices.Clone(refs), func(s string) bool { return !isName(s) }), func(batch []string) *elbv2.DescribeTargetGroupsInput {
			return &elbv2.DescribeTargetGroupsInput{Names: batch}
		})
		return append(out, named...), err
	})
}

// targetGroups asks for some target groups at a time; those that don't exist are left out.
func (r *Reader) targetGroups(ctx context.Context, refs []string, by func([]string) *elbv2.DescribeTargetGroupsInput) ([]elb.TargetGroup, error) {
	return known(refs, func(batch []string) ([]elb.TargetGroup, error) {
		var out []elb.TargetGroup
		err := pages(ctx, elbv2.NewDescribeTargetGroupsPaginator(r.c.elb, by(batch)), func(page *elbv2.DescribeTargetGroupsOutput) {
			for _, g := range page.TargetGroups {
				out = append(out, targetGroup(g))
			}
		})
		return out, unreadable("elasticloadbalancing:DescribeTargetGroups", fmt.Sprint("describe target groups ", batch), err)
	}, isTargetGroupNotFound)
}

func targetGroup(g types.TargetGroup) elb.TargetGroup {
	out := elb.TargetGroup{
		ARN: aws.ToString(g.TargetGroupArn), Name: aws.ToString(g.TargetGroupName), Protocol: string(g.Protocol),
		ProtocolVersion: aws.ToString(g.ProtocolVersion), Port: int(aws.ToInt32(g.Port)), VPC: aws.ToString(g.VpcId), TargetType: string(g.TargetType),
		LoadBalancers: g.LoadBalancerArns, ControlPort: int(aws.ToInt32(g.TargetControlPort)),
		Check: elb.HealthCheck{
			Enabled: aws.ToBool(g.HealthCheckEnabled), Protocol: string(g.HealthCheckProtocol), Port: aws.ToString(g.HealthCheckPort),
			Path: aws.ToString(g.HealthCheckPath), Interval: time.Duration(aws.ToInt32(g.HealthCheckIntervalSeconds)) * time.Second,
			Timeout: time.Duration(aws.ToInt32(g.HealthCheckTimeoutSeconds)) * time.Second,
			Healthy: int(aws.ToInt32(g.HealthyThresholdCount)), Unhealthy: int(aws.ToInt32(g.UnhealthyThresholdCount)),
		},
	}
	if m := g.Matcher; m != nil {
		out.Check.Codes = aws.ToString(m.HttpCode)
		if m.GrpcCode != nil {
			out.Check.Codes = *m.GrpcCode
		}
	}
	return out
}

// TargetHealth implements diagnostics.TargetGroups.
func (r *Reader) TargetHealth(ctx context.Context, arn string) ([]elb.TargetHealth, error) {
	return recall.List(ctx, &r.memory, key("target-health", arn), func(ctx context.Context) ([]elb.TargetHealth, error) {
		out, err := r.c.elb.DescribeTargetHealth(ctx, &elbv2.DescribeTargetHealthInput{TargetGroupArn: aws.String(arn)})
		if err != nil {
			return nil, unreadable("elasticloadbalancing:DescribeTargetHealth", "describe target health of "+arn, err)
		}
		var health []elb.TargetHealth
		for _, d := range out.TargetHealthDescriptions {
			h := elb.TargetHealth{HealthCheckPort: aws.ToString(d.HealthCheckPort)}
			if t := d.Target; t != nil {
				h.ID, h.Port, h.Zone = aws.ToString(t.Id), int(aws.ToInt32(t.Port)), aws.ToString(t.AvailabilityZone)
			}
			if s := d.TargetHealth; s != nil {
				h.State, h.Reason, h.Description = string(s.State), string(s.Reason), aws.ToString(s.Description)
			}
			health = append(health, h)
		}
		return health, nil
	})
}

// Tags implements diagnostics.Tags: tags by ARN. What was asked together with others before is not asked again.
func (r *Reader) Tags(ctx context.Context, arns ...string) (map[string]map[string]string, error) {
	arns = set(arns)
	out := map[string]map[string]string{}
	unknown := r.tagged(arns, out)
	if len(unknown) == 0 {
		return out, nil
	}
	found, err := r.describeTags(ctx, unknown)
	if err != nil {
		return nil, err
	}
	maps.Copy(out, found)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tags == nil {
		r.tags = map[string]map[string]string{}
	}
	maps.Copy(r.tags, found)
	return out, nil
}

// tagged puts the tags that are known into out, and gives the ARNs of which they aren't.
func (r *Reader) tagged(arns []string, out map[string]map[string]string) (unknown []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, arn := range arns {
		if tags, ok := r.tags[arn]; ok {
			out[arn] = tags
		} else {
			unknown = append(unknown, arn)
		}
	}
	return unknown
}

func (r *Reader) describeTags(ctx context.Context, arns []string) (map[string]map[string]string, error) {
	return recall.Once(ctx, &r.memory, key(append([]string{"tags"}, arns...)...), func(ctx context.Context) (map[string]map[string]string, error) {
		all := map[string]map[string]string{}
		for _, batch := range batches(arns, elbNames) {
			out, err := r.c.elb.DescribeTags(ctx, &elbv2.DescribeTagsInput{ResourceArns: batch})
			if err != nil {
				return nil, unreadable("elasticloadbalancing:DescribeTags", fmt.Sprint("describe tags of ", batch), err)
			}
			for _, d := range out.TagDescriptions {
				tags := map[string]string{}
				for _, t := range d.Tags {
					tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
				}
				all[aws.ToString(d.ResourceArn)] = tags
			}
		}
		return all, nil
	})
}

// LoadBalancerAttributes implements diagnostics.Tags.
func (r *Reader) LoadBalancerAttributes(ctx context.Context, arn string) (map[string]string, error) {
	return recall.Once(ctx, &r.memory, key("lb-attributes", arn), func(ctx context.Context) (map[string]string, error) {
		out, err := r.c.elb.DescribeLoadBalancerAttributes(ctx, &elbv2.DescribeLoadBalancerAttributesInput{LoadBalancerArn: aws.String(arn)})
		if err != nil {
			return nil, unreadable("elasticloadbalancing:DescribeLoadBalancerAttributes", "describe attributes of "+arn, err)
		}
		attributes := map[string]string{}
		for _, a := range out.Attributes {
			attributes[aws.ToString(a.Key)] = aws.ToString(a.Value)
		}
		return attributes, nil
	})
}

// TargetGroupAttributes implements diagnostics.Tags.
func (r *Reader) TargetGroupAttributes(ctx context.Context, arn string) (map[string]string, error) {
	return recall.Once(ctx, &r.memory, key("tg-attributes", arn), func(ctx context.Context) (map[string]string, error) {
		out, err := r.c.elb.DescribeTargetGroupAttributes(ctx, &elbv2.DescribeTargetGroupAttributesInput{TargetGroupArn: aws.String(arn)})
		if err != nil {
			return nil, unreadable("elasticloadbalancing:DescribeTargetGroupAttributes", "describe attributes of "+arn, err)
		}
		attributes := map[string]string{}
		for _, a := range out.Attributes {
			attributes[aws.ToString(a.Key)] = aws.ToString(a.Value)
		}
		return attributes, nil
	})
}
