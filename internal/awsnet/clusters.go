package awsnet

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	awseks "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/eks"
	"github.com/netdiag/netdiag/internal/recall"
)

// Cluster implements diagnostics.Clusters. One that doesn't exist is a ReadError with reason absent.
func (r *Reader) Cluster(ctx context.Context, name string) (*eks.Cluster, error) {
	return recall.Once(ctx, &r.memory, key("cluster", name), func(ctx context.Context) (*eks.Cluster, error) {
		return r.c.cluster(ctx, name)
	})
}

func (c *Client) cluster(ctx context.Context, name string) (*eks.Cluster, error) {
	out, err := c.eks.DescribeCluster(ctx, &awseks.DescribeClusterInput{Name: aws.String(name)})
	if err != nil {
		return nil, unreadable("eks:DescribeCluster", "describe cluster "+name, err)
	}
	return cluster(out.Cluster), nil
}

// NoSuchCluster tells the error of Cluster for one that isn't there from one that can't be read.
func NoSuchCluster(err error) bool {
	var none *types.ResourceNotFoundException
	return errors.As(err, &none)
}

// Clusters lists the names of the clusters of the region ("eks:ListClusters", which no diagnosis needs).
func (c *Client) Clusters(ctx context.Context) ([]string, error) {
	var out []string
	err := pages(ctx, awseks.NewListClustersPaginator(c.eks, &awseks.ListClustersInput{}), func(page *awseks.ListClustersOutput) {
		out = append(out, page.Clusters...)
	})
	return out, unreadable("eks:ListClusters", "list clusters", err)
}

func cluster(c *types.Cluster) *eks.Cluster {
	out := &eks.Cluster{
		Name: aws.ToString(c.Name), ARN: aws.ToString(c.Arn), Version: aws.ToString(c.Version), Status: string(c.Status), Tags: c.Tags,
		AutoMode: c.ComputeConfig != nil && aws.ToBool(c.ComputeConfig.Enabled),
	}
	if v := c.ResourcesVpcConfig; v != nil {
		out.VPC, out.Subnets, out.SecurityGroup = aws.ToString(v.VpcId), v.SubnetIds, aws.ToString(v.ClusterSecurityGroupId)
	}
	if n := c.KubernetesNetworkConfig; n != nil {
		out.IPFamily = string(n.IpFamily)
	}
	if c.Health != nil {
		for _, i := range c.Health.Issues {
			out.Issues = append(out.Issues, eks.Issue{Code: string(i.Code), Message: aws.ToString(i.Message), Resources: i.ResourceIds})
		}
	}
	return out
}

// Addon implements diagnostics.Clusters.
func (r *Reader) Addon(ctx context.Context, cluster, name string) (*eks.Addon, error) {
	return recall.Once(ctx, &r.memory, key("addon", cluster, name), func(ctx context.Context) (*eks.Addon, error) { return r.c.addon(ctx, cluster, name, r.Cluster) })
}

// addon reads an add-on. EKS says in the same way that an add-on and that a cluster isn't there: describe tells them apart.
func (c *Client) addon(ctx context.Context, cluster, name string, describe func(context.Context, string) (*eks.Cluster, error)) (*eks.Addon, error) {
	out, err := c.eks.DescribeAddon(ctx, &awseks.DescribeAddonInput{ClusterName: aws.String(cluster), AddonName: aws.String(name)})
	if none, ok := errors.AsType[*types.ResourceNotFoundException](err); ok {
		_, missing := describe(ctx, cluster)
		if missing == nil || none.AddonName != nil && !isAbsent(missing) {
			return nil, nil
		}
	}
	if err != nil {
		return nil, unreadable("eks:DescribeAddon", "describe add-on "+name+" of "+cluster, err)
	}
	a := out.Addon
	got := &eks.Addon{
		Cluster: aws.ToString(a.ClusterName), Name: aws.ToString(a.AddonName), ARN: aws.ToString(a.AddonArn), Version: aws.ToString(a.AddonVersion),
		Status: string(a.Status), Configuration: aws.ToString(a.ConfigurationValues), RoleARN: aws.ToString(a.ServiceAccountRoleArn),
		PodIdentities: a.PodIdentityAssociations, Modified: aws.ToTime(a.ModifiedAt), Tags: a.Tags,
	}
	if a.Health != nil {
		for _, i := range a.Health.Issues {
			got.Issues = append(got.Issues, eks.Issue{Code: string(i.Code), Message: aws.ToString(i.Message), Resources: i.ResourceIds})
		}
	}
	return got, nil
}

func isAbsent(err error) bool {
	re, ok := errors.AsType[*diagnostics.ReadError](err)
	return ok && re.Reason == diagnostics.Absent
}

// AddonSchema implements diagnostics.Clusters.
func (r *Reader) AddonSchema(ctx context.Context, name, version string) (string, error) {
	return recall.Once(ctx, &r.memory, key("schema", name, version), func(ctx context.Context) (string, error) { return addonSchema(ctx, r.c.eks, name, version) })
}

// schemas is where the schema of an add-on is read.
type schemas interface {
	DescribeAddonConfiguration(context.Context, *awseks.DescribeAddonConfigurationInput, ...func(*awseks.Options)) (*awseks.DescribeAddonConfigurationOutput, error)
}

func addonSchema(ctx context.Context, api schemas, name, version string) (string, error) {
	out, err := api.DescribeAddonConfiguration(ctx, &awseks.DescribeAddonConfigurationInput{AddonName: aws.String(name), AddonVersion: aws.String(version)})
	if err != nil {
		return "", unreadable("eks:DescribeAddonConfiguration", "describe the configuration of add-on "+name+" "+version, err)
	}
	return aws.ToString(out.ConfigurationSchema), nil
}
