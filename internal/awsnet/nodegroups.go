package awsnet

import (
	"cmp"
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	awseks "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"golang.org/x/sync/errgroup"

	"github.com/netdiag/netdiag/internal/eks"
	"github.com/netdiag/netdiag/internal/recall"
	"github.com/netdiag/netdiag/internal/trail"
)

// describing is how many node groups or Fargate profiles are described at once; EKS has no call for several.
const describing = 4

// Nodegroups implements diagnostics.Nodegroups.
func (r *Reader) Nodegroups(ctx context.Context, cluster string, most int) (groups []eks.Nodegroup, more int, err error) {
	names, err := recall.List(ctx, &r.memory, key("nodegroup-names", cluster), func(ctx context.Context) ([]string, error) {
		var names []string
		p := awseks.NewListNodegroupsPaginator(r.c.eks, &awseks.ListNodegroupsInput{ClusterName: aws.String(cluster)})
		err := pages(ctx, p, func(page *awseks.ListNodegroupsOutput) { names = append(names, page.Nodegroups...) })
		slices.Sort(names)
		return names, unreadable("eks:ListNodegroups", "list node groups of "+cluster, err)
	})
	if err != nil {
		return nil, 0, err
	}
	more = max(len(names)-most, 0)
	names = names[:len(names)-more]
	groups, err = recall.List(ctx, &r.memory, key(append([]string{"nodegroups", cluster}, names...)...), func(ctx context.Context) ([]eks.Nodegroup, error) {
		return each(ctx, names, func(ctx context.Context, name string) (eks.Nodegroup, error) {
			out, err := r.c.eks.DescribeNodegroup(ctx, &awseks.DescribeNodegroupInput{ClusterName: aws.String(cluster), NodegroupName: aws.String(name)})
			if err != nil {
				return eks.Nodegroup{}, unreadable("eks:DescribeNodegroup", "describe node group "+name+" of "+cluster, err)
			}
			return nodegroup(out.Nodegroup), nil
		})
	})
	return groups, more, err
}

// each asks about every name, a few at a time, and answers in the order of the names.
func each[T any](ctx context.Context, names []string, ask func(context.Context, string) (T, error)) ([]T, error) {
	out := make([]T, len(names))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(describing)
	for i, name := range names {
		g.Go(func() (err error) {
			out[i], err = ask(ctx, name)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return out, nil
}

func nodegroup(n *types.Nodegroup) eks.Nodegroup {
	out := eks.Nodegroup{
		Name: aws.ToString(n.NodegroupName), Status: string(n.Status), Subnets: n.Subnets, InstanceTypes: n.InstanceTypes, Role: aws.ToString(n.NodeRole), Labels: n.Labels,
	}
	effects := map[types.TaintEffect]string{types.TaintEffectNoSchedule: "NoSchedule", types.TaintEffectNoExecute: "NoExecute", types.TaintEffectPreferNoSchedule: "PreferNoSchedule"}
	for _, t := range n.Taints {
		out.Taints = append(out.Taints, eks.Taint{Key: aws.ToString(t.Key), Value: aws.ToString(t.Value), Effect: effects[t.Effect]})
	}
	if s := n.ScalingConfig; s != nil {
		out.Min, out.Max, out.Desired = int(aws.ToInt32(s.MinSize)), int(aws.ToInt32(s.MaxSize)), int(aws.ToInt32(s.DesiredSize))
	}
	if n.Resources != nil {
		for _, g := range n.Resources.AutoScalingGroups {
			out.AutoScaling = append(out.AutoScaling, aws.ToString(g.Name))
		}
	}
	if l := n.LaunchTemplate; l != nil {
		out.LaunchTemplate = cmp.Or(aws.ToString(l.Id), aws.ToString(l.Name))
	}
	if n.Health != nil {
		for _, i := range n.Health.Issues {
			out.Issues = append(out.Issues, eks.Issue{Code: string(i.Code), Message: aws.ToString(i.Message), Resources: i.ResourceIds})
		}
	}
	return out
}

// FargateProfiles implements diagnostics.Nodegroups.
func (r *Reader) FargateProfiles(ctx context.Context, cluster string) ([]eks.FargateProfile, error) {
	return recall.List(ctx, &r.memory, key("fargate", cluster), func(ctx context.Context) ([]eks.FargateProfile, error) {
		var names []string
		p := awseks.NewListFargateProfilesPaginator(r.c.eks, &awseks.ListFargateProfilesInput{ClusterName: aws.String(cluster)})
		err := pages(ctx, p, func(page *awseks.ListFargateProfilesOutput) { names = append(names, page.FargateProfileNames...) })
		if err != nil {
			return nil, unreadable("eks:ListFargateProfiles", "list Fargate profiles of "+cluster, err)
		}
		return each(ctx, names, func(ctx context.Context, name string) (eks.FargateProfile, error) {
			out, err := r.c.eks.DescribeFargateProfile(ctx, &awseks.DescribeFargateProfileInput{ClusterName: aws.String(cluster), FargateProfileName: aws.String(name)})
			if err != nil {
				return eks.FargateProfile{}, unreadable("eks:DescribeFargateProfile", "describe Fargate profile "+name+" of "+cluster, err)
			}
			f := out.FargateProfile
			got := eks.FargateProfile{Name: aws.ToString(f.FargateProfileName), Status: string(f.Status), Subnets: f.Subnets}
			for _, s := range f.Selectors {
				got.Namespaces = append(got.Namespaces, aws.ToString(s.Namespace))
			}
			return got, nil
		})
	})
}

// Activities implements diagnostics.Nodegroups: the newest hundred of an Auto Scaling group, newest first.
func (r *Reader) Activities(ctx context.Context, group string) ([]trail.Activity, error) {
	return recall.List(ctx, &r.memory, key("activities", group), func(ctx context.Context) ([]trail.Activity, error) {
		out, err := r.c.autoscaling.DescribeScalingActivities(ctx, &autoscaling.DescribeScalingActivitiesInput{AutoScalingGroupName: aws.String(group)})
		if err != nil {
			return nil, unreadable("autoscaling:DescribeScalingActivities", "describe scaling activities of "+group, err)
		}
		var all []trail.Activity
		for _, a := range out.Activities {
			all = append(all, trail.Activity{
				Group: aws.ToString(a.AutoScalingGroupName), At: aws.ToTime(a.StartTime), Status: string(a.StatusCode), Message: aws.ToString(a.StatusMessage),
			})
		}
		slices.SortStableFunc(all, func(a, b trail.Activity) int { return b.At.Compare(a.At) }) // AWS puts those that run first
		return all, nil
	})
}
