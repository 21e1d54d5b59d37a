package nature

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/netdiag/netdiag/internal/awsnet"
)

// prune revokes the controller's own rules of these groups that no binding asks for, but for one that is on its way out,
// which may be nil. Rules of others it leaves; and where a port is asked for by name it can't tell, and leaves all.
func (k *controller) prune(ctx context.Context, r *awsnet.Reader, groups []string, out *unstructured.Unstructured) error {
	if len(groups) == 0 {
		return nil
	}
	var wanted []rule
	for _, b := range listed[*unstructured.Unstructured](k.c.bindings) {
		if out != nil && b.GetUID() == out.GetUID() || b.GetDeletionTimestamp() != nil {
			continue
		}
		rules, named := rulesOf(b)
		if named {
			return nil
		}
		wanted = append(wanted, rules...)
	}
	existing, err := r.SecurityGroupRules(ctx, groups...)
	if err != nil {
		return err
	}
	for _, e := range existing {
		if e.Egress || e.Description != ownRule || slices.ContainsFunc(wanted, func(w rule) bool { return w.same(e) }) {
			continue
		}
		_, err := k.c.ec2.RevokeSecurityGroupIngress(ctx, &ec2.RevokeSecurityGroupIngressInput{GroupId: aws.String(e.Group), SecurityGroupRuleIds: []string{e.ID}})
		if err != nil {
			return fmt.Errorf("revoke rule %s of %s: %w", e.ID, e.Group, err)
		}
		k.n.say("load balancer controller: rule %s of %s is revoked", e.ID, e.Group)
	}
	return nil
}

// bindingFinalizer keeps a deleted binding until the controller has cleaned up after it.
const bindingFinalizer = "elbv2.k8s.aws/resources"

// finalize lets a binding that is deleted go, once its rules are revoked.
func (k *controller) finalize(ctx context.Context, b *unstructured.Unstructured) error {
	if ok, err := k.ready(ctx); err != nil || !ok {
		return err
	}
	if err := k.gone(ctx, k.c.reads.Reader(), b); err != nil {
		return fmt.Errorf("targetgroupbinding %s/%s: %w", b.GetNamespace(), b.GetName(), err)
	}
	var rest []any
	for _, f := range b.GetFinalizers() {
		if f != bindingFinalizer {
			rest = append(rest, f)
		}
	}
	return k.patch(ctx, b, map[string]any{"metadata": map[string]any{"finalizers": rest}})
}

// gone takes back what was made for a binding that is deleted, or whose rules the controller no longer manages.
func (k *controller) gone(ctx context.Context, r *awsnet.Reader, b *unstructured.Unstructured) error {
	groups, problem, err := k.endpointGroups(ctx, r, b)
	if err != nil || problem != "" {
		return err
	}
	return k.prune(ctx, r, groups, b)
}
