package nature

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/netdiag/netdiag/internal/awsnet"
	"github.com/netdiag/netdiag/internal/elb"
)

// The tags of the security group that all load balancers of a cluster share towards their targets.
const (
	tagCluster  = "elbv2.k8s.aws/cluster"
	tagResource = "elbv2.k8s.aws/resource"
	sharedGroup = "backend-sg"
)

// manage makes the controller own the rules of a binding: the load balancer gets the shared backend group, and the
// binding asks for what comes from it.
func (k *controller) manage(ctx context.Context, r *awsnet.Reader, lb *elb.LoadBalancer, b *unstructured.Unstructured) error {
	group, err := k.backendGroup(ctx, lb)
	if err != nil {
		return err
	}
	if !slices.Contains(lb.Groups, group) {
		if err := k.setGroups(ctx, lb, append(slices.Clone(lb.Groups), group)); err != nil {
			return err
		}
	}
	ports, err := portsOf(ctx, r, b)
	if err != nil {
		return err
	}
	var list []any
	for _, p := range ports {
		list = append(list, map[string]any{"protocol": "TCP", "port": int64(p)})
	}
	from := []any{map[string]any{"securityGroup": map[string]any{"groupID": group}}}
	networking := map[string]any{"ingress": []any{map[string]any{"from": from, "ports": list}}}
	return k.patch(ctx, b, map[string]any{"spec": map[string]any{"networking": networking}})
}

// unmanage takes back what manage did. The rules go first, because they name the group.
func (k *controller) unmanage(ctx context.Context, r *awsnet.Reader, lb *elb.LoadBalancer, b *unstructured.Unstructured) error {
	if err := k.gone(ctx, r, b); err != nil {
		return err
	}
	if err := k.patch(ctx, b, map[string]any{"spec": map[string]any{"networking": nil}}); err != nil {
		return err
	}
	shared, err := k.findBackendGroup(ctx, lb)
	if err != nil || shared == "" || len(lb.Groups) < 2 || !slices.Contains(lb.Groups, shared) {
		return err
	}
	return k.setGroups(ctx, lb, slices.DeleteFunc(slices.Clone(lb.Groups), func(g string) bool { return g == shared }))
}

func (k *controller) setGroups(ctx context.Context, lb *elb.LoadBalancer, groups []string) error {
	if _, err := k.c.elb.SetSecurityGroups(ctx, &elbv2.SetSecurityGroupsInput{LoadBalancerArn: aws.String(lb.ARN), SecurityGroups: groups}); err != nil {
		return fmt.Errorf("set security groups of %s to %v: %w", lb.Name, groups, err)
	}
	k.n.say("load balancer controller: %s carries %v", lb.Name, groups)
	lb.Groups = groups
	return nil
}

// backendGroup finds the shared group of the cluster, or makes it. Where the account can't make one, as the simulated one
// may not, the load balancer's own first group serves.
func (k *controller) backendGroup(ctx context.Context, lb *elb.LoadBalancer) (string, error) {
	id, err := k.findBackendGroup(ctx, lb)
	if err != nil || id != "" {
		return id, err
	}
	out, err := k.c.ec2.CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{
		GroupName: aws.String(groupName(k.n.o.Cluster)), VpcId: aws.String(lb.VPC), Description: aws.String("[k8s] Shared Backend SecurityGroup for LoadBalancer"),
		TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypeSecurityGroup, Tags: []types.Tag{
			{Key: aws.String(tagCluster), Value: aws.String(k.n.o.Cluster)}, {Key: aws.String(tagResource), Value: aws.String(sharedGroup)},
		}}},
	})
	switch c := code(err); {
	case err == nil:
		return aws.ToString(out.GroupId), nil
	case (c == "InvalidAction" || c == "UnsupportedOperation") && len(lb.Groups) > 0:
		return lb.Groups[0], nil
	}
	return "", fmt.Errorf("create security group %s: %w", groupName(k.n.o.Cluster), err)
}

func (k *controller) findBackendGroup(ctx context.Context, lb *elb.LoadBalancer) (string, error) {
	filter := func(name, value string) types.Filter {
		return types.Filter{Name: aws.String(name), Values: []string{value}}
	}
	out, err := k.c.ec2.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{Filters: []types.Filter{
		filter("vpc-id", lb.VPC), filter("tag:"+tagCluster, k.n.o.Cluster), filter("tag:"+tagResource, sharedGroup),
	}})
	if err != nil {
		return "", fmt.Errorf("describe security groups of cluster %s: %w", k.n.o.Cluster, err)
	}
	for _, g := range out.SecurityGroups {
		return aws.ToString(g.GroupId), nil
	}
	return "", nil
}

var notInName = regexp.MustCompile(`[^a-zA-Z0-9]`)

// groupName is how the controller calls the shared group of a cluster.
func groupName(cluster string) string {
	sum := sha256.Sum256([]byte(cluster))
	name := notInName.ReplaceAllString(cluster, "")
	return fmt.Sprintf("k8s-traffic-%s-%s", name[:min(len(name), 232)], hex.EncodeToString(sum[:])[:10])
}
