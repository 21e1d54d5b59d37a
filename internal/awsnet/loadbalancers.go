package awsnet

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/netdiag/netdiag/internal/elb"
	"github.com/netdiag/netdiag/internal/recall"
)

const (
	elbNames    = 20  // names, ARNs or resources in one call
	elbPageSize = 400 // the largest page of Elastic Load Balancing
)

// LoadBalancers implements diagnostics.LoadBalancers.
func (r *Reader) LoadBalancers(ctx context.Context, names ...string) ([]elb.LoadBalancer, error) {
	names = set(names)
	return recall.List(ctx, &r.memory, key(append([]string{"load-balancers"}, names...)...), func(ctx context.Context) ([]elb.LoadBalancer, error) {
		if len(names) == 0 {
			return r.loadBalancers(ctx, nil)
		}
		return known(names, func(batch []string) ([]elb.LoadBalancer, error) { return r.loadBalancers(ctx, batch) }, isLoadBalancerNotFound)
	})
}

// known asks for names in batches; where one that isn't there makes a batch fail, it asks for each alone and leaves that out.
func known[T any](names []string, ask func([]string) ([]T, error), notFound func(error) bool) ([]T, error) {
	return inBatches(names, elbNames, func(batch []string) ([]T, error) {
		out, err := ask(batch)
		if err == nil || !notFound(err) {
			return out, err
		}
		if len(batch) == 1 {
			return nil, nil
		}
		return inBatches(batch, 1, func(one []string) ([]T, error) {
			out, err := ask(one)
			if notFound(err) {
				return nil, nil
			}
			return out, err
		})
	})
}

func isLoadBalancerNotFound(err error) bool {
	var e *types.LoadBalancerNotFoundException
	return errors.As(err, &e)
}

func isTargetGroupNotFound(err error) bool {
	var e *types.TargetGroupNotFoundException
	return errors.As(err, &e)
}

func (r *Reader) loadBalancers(ctx context.Context, names []string) ([]elb.LoadBalancer, error) {
	in := &elbv2.DescribeLoadBalancersInput{Names: names}
	if len(names) == 0 {
		in.PageSize = aws.Int32(elbPageSize) // not allowed together with names
	}
	var out []elb.LoadBalancer
	err := pages(ctx, elbv2.NewDescribeLoadBalancersPaginator(r.c.elb, in), func(page *elbv2.DescribeLoadBalancersOutput) {
		for _, l := range page.LoadBalancers {
			out = append(out, loadBalancer(l))
		}
	})
	return out, unreadable("elasticloadbalancing:DescribeLoadBalancers", fmt.Sprint("describe load balancers ", names), err)
}

func loadBalancer(l types.LoadBalancer) elb.LoadBalancer {
	out := elb.LoadBalancer{
		ARN: aws.ToString(l.LoadBalancerArn), Name: aws.ToString(l.LoadBalancerName), DNSName: aws.ToString(l.DNSName), Type: string(l.Type),
		Scheme: string(l.Scheme), VPC: aws.ToString(l.VpcId), Created: aws.ToTime(l.CreatedTime), Groups: l.SecurityGroups, IPType: string(l.IpAddressType),
	}
	if l.State != nil {
		out.State, out.Reason = string(l.State.Code), aws.ToString(l.State.Reason)
	}
	for _, z := range l.AvailabilityZones {
		out.Zones = append(out.Zones, elb.Zone{Name: aws.ToString(z.ZoneName), Subnet: aws.ToString(z.SubnetId)})
	}
	return out
}

// Listeners implements diagnostics.LoadBalancers.
func (r *Reader) Listeners(ctx context.Context, loadBalancer string) ([]elb.Listener, error) {
	return recall.List(ctx, &r.memory, key("listeners", loadBalancer), func(ctx context.Context) ([]elb.Listener, error) {
		var out []elb.Listener
		p := elbv2.NewDescribeListenersPaginator(r.c.elb, &elbv2.DescribeListenersInput{LoadBalancerArn: aws.String(loadBalancer), PageSize: aws.Int32(elbPageSize)})
		err := pages(ctx, p, func(page *elbv2.DescribeListenersOutput) {
			for _, l := range page.Listeners {
				out = append(out, elb.Listener{
					ARN: aws.ToString(l.ListenerArn), LoadBalancer: aws.ToString(l.LoadBalancerArn), Port: int(aws.ToInt32(l.Port)), Protocol: string(l.Protocol),
				})
			}
		})
		return out, unreadable("elasticloadbalancing:DescribeListeners", "describe listeners of "+loadBalancer, err)
	})
}

// Rules implements diagnostics.LoadBalancers.
func (r *Reader) Rules(ctx context.Context, listener string) ([]elb.Rule, error) {
	return recall.List(ctx, &r.memory, key("listener-rules", listener), func(ctx context.Context) ([]elb.Rule, error) {
		var out []elb.Rule
		p := elbv2.NewDescribeRulesPaginator(r.c.elb, &elbv2.DescribeRulesInput{ListenerArn: aws.String(listener), PageSize: aws.Int32(elbPageSize)})
		err := pages(ctx, p, func(page *elbv2.DescribeRulesOutput) {
			for _, e := range page.Rules {
				out = append(out, rule(listener, e))
			}
		})
		return out, unreadable("elasticloadbalancing:DescribeRules", "describe rules of "+listener, err)
	})
}

func rule(listener string, e types.Rule) elb.Rule {
	out := elb.Rule{ARN: aws.ToString(e.RuleArn), Listener: listener, Default: aws.ToBool(e.IsDefault)}
	if n, err := strconv.Atoi(aws.ToString(e.Priority)); err == nil { // "default" of the default rule
		out.Priority = n
	}
	for _, c := range e.Conditions {
		out.Conditions = append(out.Conditions, condition(c))
	}
	for _, a := range e.Actions {
		out.Actions = append(out.Actions, action(a))
	}
	return out
}

// condition gives header and query conditions as name=value.
func condition(c types.RuleCondition) elb.Condition {
	out := elb.Condition{Field: aws.ToString(c.Field), Values: c.Values}
	switch {
	case c.HostHeaderConfig != nil:
		out.Values = c.HostHeaderConfig.Values
	case c.PathPatternConfig != nil:
		out.Values = c.PathPatternConfig.Values
	case c.HttpRequestMethodConfig != nil:
		out.Values = c.HttpRequestMethodConfig.Values
	case c.SourceIpConfig != nil:
		out.Values = c.SourceIpConfig.Values
	case c.HttpHeaderConfig != nil:
		out.Values = nil
		for _, v := range c.HttpHeaderConfig.Values {
			out.Values = append(out.Values, aws.ToString(c.HttpHeaderConfig.HttpHeaderName)+"="+v)
		}
	case c.QueryStringConfig != nil:
		out.Values = nil
		for _, v := range c.QueryStringConfig.Values {
			out.Values = append(out.Values, aws.ToString(v.Key)+"="+aws.ToString(v.Value))
		}
	}
	return out
}

func action(a types.Action) elb.Action {
	out := elb.Action{Type: string(a.Type)}
	if f := a.ForwardConfig; f != nil {
		for _, g := range f.TargetGroups {
			weight := 1
			if g.Weight != nil {
				weight = int(*g.Weight)
			}
			out.Targets = append(out.Targets, elb.Weighted{TargetGroup: aws.ToString(g.TargetGroupArn), Weight: weight})
		}
	}
	if len(out.Targets) == 0 && a.TargetGroupArn != nil {
		out.Targets = []elb.Weighted{{TargetGroup: *a.TargetGroupArn, Weight: 1}}
	}
	switch {
	case a.FixedResponseConfig != nil:
		out.StatusCode, out.Body = aws.ToString(a.FixedResponseConfig.StatusCode), aws.ToString(a.FixedResponseConfig.MessageBody)
	case a.RedirectConfig != nil:
		out.StatusCode = string(a.RedirectConfig.StatusCode)
	}
	return out
}
