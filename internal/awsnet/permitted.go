package awsnet

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/netdiag/netdiag/internal/eks"
)

// permitted asks IAM whether the add-on may be updated with its role: eks:UpdateAddon has no dry run. Only a plain no
// refuses the change; where IAM may not be asked, or can't tell, the update itself shows it.
func (h addonHand) permitted(ctx context.Context, addon *eks.Addon) error {
	who := h.w.role
	if who == "" {
		who = h.c.self(ctx)
	}
	if who == "" {
		return nil
	}
	if h.c.forbidden(ctx, who, "eks:UpdateAddon", addon.ARN, nil) {
		return refuse(h.what(), missing("eks:UpdateAddon", h.resource(), nil))
	}
	if h.a.RoleARN != "" && h.c.forbidden(ctx, who, "iam:PassRole", h.a.RoleARN, map[string][]string{"iam:PassedToService": {"eks.amazonaws.com"}}) {
		return refuse(h.what(), missing("iam:PassRole", h.a.RoleARN, nil))
	}
	return nil
}

// self is the ARN of the role or user that the client is, as IAM takes it; empty where it isn't known.
func (c *Client) self(ctx context.Context) string {
	out, err := c.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return ""
	}
	arn := aws.ToString(out.Arn)
	before, session, ok := strings.Cut(arn, ":assumed-role/") // arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION
	if !ok {
		return arn
	}
	name, _, _ := strings.Cut(session, "/")
	return strings.Replace(before, ":sts:", ":iam:", 1) + ":role/" + name
}

// forbidden reports a plain no of IAM. One that rests on a value which only the real call has is none.
func (c *Client) forbidden(ctx context.Context, who, action, resource string, values map[string][]string) bool {
	ok, err := c.allowed(ctx, who, action, resource, values)
	return err == nil && !ok
}

func entry(key string, values ...string) types.ContextEntry {
	kind := types.ContextKeyTypeEnumString
	if key == "aws:TagKeys" {
		kind = types.ContextKeyTypeEnumStringList
	}
	return types.ContextEntry{ContextKeyName: aws.String(key), ContextKeyType: kind, ContextKeyValues: values}
}
