package awsnet

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/netdiag/netdiag/internal/remedy"
)

// probe is a change as IAM judges it: one statement of a policy of deploy/iam, with what a call that it is for brings along.
type probe struct {
	kind     string // of remedy.Action
	action   string
	policy   string // of deploy/iam
	sid      string
	resource string // with the blanks of deploy/iam
	values   map[string][]string
}

const arnOf = "arn:${PARTITION}:ec2:${REGION}:${ACCOUNT}:"

// probes lists, for every kind of change to AWS, the calls that it makes, on things that are as the policies want them.
func probes() []probe {
	tagged := func(more map[string][]string) map[string][]string {
		v := map[string][]string{"aws:ResourceTag/netdiag.io/allow-remediation": {"${CLUSTER}"}, "ec2:Vpc": {arnOf + "vpc/${VPC_ID}"}}
		maps.Copy(v, more)
		return v
	}
	setting := func(key, value string) map[string][]string {
		return tagged(map[string][]string{"aws:TagKeys": {key}, "aws:RequestTag/" + key: {value}})
	}
	unsetting := func(key string) map[string][]string { return tagged(map[string][]string{"aws:TagKeys": {key}}) }
	marked := map[string][]string{
		"aws:RequestTag/" + tagRemediation: {"rem-check"}, "aws:RequestTag/" + tagCluster: {"${CLUSTER}"}, "aws:TagKeys": {tagRemediation, tagCluster},
	}
	made := maps.Clone(marked)
	made["ec2:CreateAction"] = []string{"AuthorizeSecurityGroupIngress"}
	const (
		group, rule  = arnOf + "security-group/sg-00000000000000000", arnOf + "security-group-rule/sgr-00000000000000000"
		subnet       = arnOf + "subnet/subnet-00000000000000000"
		role, member = "kubernetes.io/role/cni", "kubernetes.io/cluster/${CLUSTER}"
	)
	const addon = "arn:${PARTITION}:eks:${REGION}:${ACCOUNT}:addon/${CLUSTER}/vpc-cni/00000000"
	return []probe{
		{"AddonConfig", "eks:UpdateAddon", "fix-addon.json", "ConfigureAddon", addon, nil},
		{"AddonConfig", "eks:DescribeUpdate", "fix-addon.json", "FollowAddon", addon, nil},
		{"AddonConfig", "eks:DescribeAddonConfiguration", "fix-addon.json", "ReadSchema", "*", nil},
		{"AddonConfig", "iam:PassRole", "fix-addon.json", "KeepRole", "${VPC_CNI_ROLE_ARN}", map[string][]string{"iam:PassedToService": {"eks.amazonaws.com"}}},
		{"AllowIngress", "ec2:AuthorizeSecurityGroupIngress", "fix-security-group-rules.json", "AddRule", group, tagged(nil)},
		{"AllowIngress", "ec2:AuthorizeSecurityGroupIngress", "fix-security-group-rules.json", "MarkRule", rule, marked},
		{"AllowIngress", "ec2:CreateTags", "fix-security-group-rules.json", "TagRule", rule, made},
		{"RevokeIngress", "ec2:RevokeSecurityGroupIngress", "fix-security-group-rules.json", "RevokeRule", group, tagged(nil)},
		{"DeleteInterfaces", "ec2:DeleteNetworkInterface", "fix-interfaces.json", "DeleteInterface", arnOf + "network-interface/eni-00000000000000000",
			map[string][]string{"aws:ResourceTag/cluster.k8s.amazonaws.com/name": {"${CLUSTER}"}, "ec2:Vpc": {arnOf + "vpc/${VPC_ID}"}}},
		{"Tag", "ec2:CreateTags", "fix-subnet-tag.json", "SetTag", subnet, setting(role, "1")},
		{"Tag", "ec2:DeleteTags", "fix-subnet-tag.json", "RemoveTag", subnet, unsetting(role)},
		{"Tag", "ec2:CreateTags", "fix-security-group-tag.json", "SetTag", group, setting(member, "owned")},
		{"Tag", "ec2:DeleteTags", "fix-security-group-tag.json", "RemoveTag", group, unsetting(member)},
	}
}

// Right is one call of a change, and whether it would be allowed.
type Right struct {
	Action    string // such as ec2:CreateTags
	Policy    string // of deploy/iam that grants it
	Statement string
	Granted   bool
	Err       error // where it can't be told
}

// Rights asks IAM whether a role, or the client itself where it is empty, may make the changes of these kinds. IAM judges by
// policies and permissions boundary, not by those of the organisation; nothing is changed. blanks are those of deploy/iam.
func (c *Client) Rights(ctx context.Context, role string, kinds []string, blanks func(string) string) []Right {
	if role == "" {
		role = c.self(ctx)
	}
	var out []Right
	for _, p := range probes() {
		if !slices.Contains(kinds, p.kind) {
			continue
		}
		if blanks("${VPC_CNI_ROLE_ARN}") == "${VPC_CNI_ROLE_ARN}" && p.action == "iam:PassRole" {
			continue // the add-on has no role to keep
		}
		r := Right{Action: p.action, Policy: p.policy, Statement: p.sid}
		values := map[string][]string{}
		for k, vs := range p.values {
			for _, v := range vs {
				values[blanks(k)] = append(values[blanks(k)], blanks(v))
			}
		}
		r.Granted, r.Err = c.allowed(ctx, role, p.action, blanks(p.resource), values)
		out = append(out, r)
	}
	return out
}

// allowed is the verdict of IAM. It is an error where it rests on a value that only the real call has.
func (c *Client) allowed(ctx context.Context, who, action, resource string, values map[string][]string) (bool, error) {
	in := &iam.SimulatePrincipalPolicyInput{
		PolicySourceArn: aws.String(who), ActionNames: []string{action}, ResourceArns: []string{resource},
		ContextEntries: []types.ContextEntry{entry("aws:RequestedRegion", c.region)},
	}
	for _, k := range slices.Sorted(maps.Keys(values)) {
		in.ContextEntries = append(in.ContextEntries, entry(k, values[k]...))
	}
	out, err := c.iam.SimulatePrincipalPolicy(ctx, in)
	if err != nil {
		return false, unreadable("iam:SimulatePrincipalPolicy", "simulate "+action+" of "+who, err)
	}
	for _, r := range out.EvaluationResults {
		switch {
		case r.EvalDecision == types.PolicyEvaluationDecisionTypeAllowed:
		case len(r.MissingContextValues) > 0:
			return false, fmt.Errorf("simulate %s of %s: it rests on %s", action, who, strings.Join(r.MissingContextValues, ", "))
		default:
			return false, nil
		}
	}
	return true, nil
}

// Assumes tries to assume a role as for a change, which CloudTrail shows as remediation rem-check.
func (c *Client) Assumes(ctx context.Context, role, cluster string) error {
	w := c.HandsAs(role).writer(remedy.Mark{Remediation: "rem-check", Cluster: cluster})
	return w.assume(ctx)
}
