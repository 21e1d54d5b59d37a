package awsnet

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/netdiag/netdiag/internal/remedy"
)

// clusterTagPrefix begins the tag of what belongs to a cluster; its name follows.
const clusterTagPrefix = "kubernetes.io/cluster/"

// tagHand sets or removes one tag of a subnet or a security group.
type tagHand struct {
	c *Client
	w writer
	a remedy.Tag
}

func (h tagHand) what() string {
	if h.a.Value == nil {
		return fmt.Sprintf("remove tag %s of %s", h.a.Key, h.a.Resource)
	}
	return fmt.Sprintf("set tag %s of %s to %s", h.a.Key, h.a.Resource, *h.a.Value)
}

// already reads the tag: true where it is as it has to become. One that is neither that nor as planned is refused.
func (h tagHand) already(ctx context.Context) (bool, error) {
	tags, err := h.tags(ctx)
	if err != nil {
		return false, err
	}
	is, set := tags[h.a.Key]
	switch {
	case equals(h.a.Value, is, set):
		return true, nil
	case equals(h.a.Was, is, set):
		return false, nil
	}
	return false, refuse(h.what(), &Drifted{Target: "tag " + h.a.Key + " of " + h.a.Resource, Was: shownTag(h.a.Was), Is: is})
}

// equals compares a tag that should be there, or not, with what is.
func equals(want *string, is string, set bool) bool {
	if want == nil {
		return !set
	}
	return set && is == *want
}

func shownTag(v *string) string {
	if v == nil {
		return ""
	}
	return *v
}

func (h tagHand) tags(ctx context.Context) (map[string]string, error) {
	r, gone := h.c.Reader(), refuse(h.what(), fmt.Errorf("%s is not there", h.a.Resource))
	if strings.HasPrefix(h.a.Resource, "subnet-") {
		subnets, err := r.Subnets(ctx, h.a.Resource)
		if err != nil {
			return nil, err
		}
		if len(subnets) == 0 {
			return nil, gone
		}
		return subnets[0].Tags, nil
	}
	groups, err := r.SecurityGroups(ctx, h.a.Resource)
	if err != nil {
		return nil, err
	}
	if len(groups) == 0 {
		return nil, gone
	}
	if strings.HasPrefix(groups[0].Name, "eks-cluster-sg-") || h.ofEKS(ctx) {
		return nil, refuse(h.what(), fmt.Errorf("it is the cluster security group: EKS puts its tag back"))
	}
	return groups[0].Tags, nil
}

// ofEKS reports whether the cluster that the tag names has this group from EKS. Where that can't be read, the name of the
// group tells: EKS names it eks-cluster-sg-<cluster>-<number>.
func (h tagHand) ofEKS(ctx context.Context) bool {
	c, err := h.c.cluster(ctx, strings.TrimPrefix(h.a.Key, clusterTagPrefix))
	return err == nil && c.SecurityGroup == h.a.Resource
}

// call sets or removes the tag. It is removed only while it has the value that it had.
func (h tagHand) call(ctx context.Context, dry bool) error {
	tag := types.Tag{Key: aws.String(h.a.Key), Value: h.a.Value}
	action, err := "ec2:CreateTags", error(nil)
	if h.a.Value != nil {
		_, err = h.w.ec2.CreateTags(ctx, &ec2.CreateTagsInput{DryRun: aws.Bool(dry), Resources: []string{h.a.Resource}, Tags: []types.Tag{tag}})
	} else {
		action, tag.Value = "ec2:DeleteTags", h.a.Was
		_, err = h.w.ec2.DeleteTags(ctx, &ec2.DeleteTagsInput{DryRun: aws.Bool(dry), Resources: []string{h.a.Resource}, Tags: []types.Tag{tag}})
	}
	if err == nil || dry && classify(err) == wouldSucceed {
		return nil
	}
	return unchanged(h.what(), action, h.a.Resource, err)
}

func (h tagHand) dryRun(ctx context.Context, _ remedy.Mark) error {
	already, err := h.already(ctx)
	if err != nil || already {
		return err
	}
	return h.call(ctx, true)
}

// look takes a tag that is exactly as planned for ours: a tag keeps no mark of who set it.
func (h tagHand) look(ctx context.Context, _ remedy.Mark) (bool, remedy.Receipt, error) {
	already, err := h.already(ctx)
	if err != nil || !already {
		return false, remedy.Receipt{}, err
	}
	return true, h.receipt(), nil
}

func (h tagHand) apply(ctx context.Context, _ remedy.Mark) (remedy.Receipt, error) {
	already, err := h.already(ctx)
	if err != nil {
		return remedy.Receipt{}, err
	}
	if !already {
		if err := h.call(ctx, false); err != nil {
			return remedy.Receipt{}, err
		}
	}
	return h.receipt(), nil
}

func (h tagHand) receipt() remedy.Receipt {
	back := h.a
	back.Value, back.Was = h.a.Was, h.a.Value
	return remedy.Receipt{Owned: true, Undo: &remedy.Action{Tag: &back}}
}
