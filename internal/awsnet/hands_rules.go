package awsnet

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/netdiag/netdiag/internal/remedy"
	"github.com/netdiag/netdiag/internal/vpc"
)

// allowHand adds one inbound rule.
type allowHand struct {
	c *Client
	w writer
	a remedy.AllowIngress
}

func (h allowHand) what() string {
	return fmt.Sprintf("allow tcp %d from %s into %s", h.a.Port, h.a.Source, h.a.Group)
}

func (h allowHand) request(m remedy.Mark, dry bool) *ec2.AuthorizeSecurityGroupIngressInput {
	return &ec2.AuthorizeSecurityGroupIngressInput{
		DryRun: aws.Bool(dry), GroupId: aws.String(h.a.Group),
		IpPermissions: []types.IpPermission{{
			IpProtocol: aws.String("tcp"), FromPort: aws.Int32(int32(h.a.Port)), ToPort: aws.Int32(int32(h.a.Port)),
			UserIdGroupPairs: []types.UserIdGroupPair{{GroupId: aws.String(h.a.Source), Description: aws.String(ruleDescription(m, h.a.Description))}},
		}},
		TagSpecifications: []types.TagSpecification{{
			ResourceType: types.ResourceTypeSecurityGroupRule,
			Tags:         ruleTags(m),
		}},
	}
}

// ruleTags marks a rule as netdiag's own.
func ruleTags(m remedy.Mark) []types.Tag {
	var out []types.Tag
	for _, t := range marks(m) {
		out = append(out, types.Tag{Key: aws.String(t.key), Value: aws.String(t.value)})
	}
	return out
}

var (
	notInDescription = regexp.MustCompile(`[^a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]+`)
	notInTag         = regexp.MustCompile(`[^\pL\pN +\-=._:/@]+`)
)

// ruleDescription begins with the remediation and holds only what EC2 takes: 255 characters of a small set.
func ruleDescription(m remedy.Mark, text string) string {
	d := notInDescription.ReplaceAllString("netdiag:"+m.Remediation+" "+text, "-")
	return strings.TrimSpace(d[:min(len(d), 255)])
}

// tagValue is at most 256 characters of those that every service takes in tags.
func tagValue(v string) string {
	r := []rune(notInTag.ReplaceAllString(v, " "))
	return string(r[:min(len(r), 256)])
}

func (h allowHand) dryRun(ctx context.Context, m remedy.Mark) error {
	_, err := h.w.ec2.AuthorizeSecurityGroupIngress(ctx, h.request(m, true))
	if c := classify(err); err == nil || c == wouldSucceed || c == duplicate { // one that is there already does no harm
		return nil
	}
	return unchanged(h.what(), "ec2:AuthorizeSecurityGroupIngress", h.a.Group, err)
}

func (h allowHand) look(ctx context.Context, m remedy.Mark) (bool, remedy.Receipt, error) {
	rules, err := h.c.securityGroupRules(ctx, "describe security group rules of "+h.a.Group, where("group-id", h.a.Group))
	if err != nil {
		return false, remedy.Receipt{}, err
	}
	i := slices.IndexFunc(rules, func(r vpc.SecurityGroupRule) bool { return lets(r, h.a.Group, h.a.Source, h.a.Port) })
	if i < 0 {
		return false, remedy.Receipt{}, nil
	}
	r := rules[i]
	ours := m.Remediation != "" && (r.Tags[tagRemediation] == tagValue(m.Remediation) || strings.HasPrefix(r.Description+" ", ruleDescription(m, "")+" "))
	if !ours {
		return true, remedy.Receipt{ID: r.ID}, nil
	}
	return true, h.receipt(r.ID), nil
}

// lets reports whether a rule lets in exactly this.
func lets(r vpc.SecurityGroupRule, group, source string, port int) bool {
	return r.Group == group && !r.Egress && (r.Protocol == "tcp" || r.Protocol == "6") && r.From == port && r.To == port && r.Source == source
}

func (h allowHand) receipt(rule string) remedy.Receipt {
	return remedy.Receipt{ID: rule, Owned: true, Undo: &remedy.Action{
		RevokeIngress: &remedy.RevokeIngress{Group: h.a.Group, Rule: rule, Source: h.a.Source, Port: h.a.Port},
	}}
}

func (h allowHand) apply(ctx context.Context, m remedy.Mark) (remedy.Receipt, error) {
	out, err := h.w.ec2.AuthorizeSecurityGroupIngress(ctx, h.request(m, false))
	if err == nil {
		for _, r := range out.SecurityGroupRules {
			return h.receipt(aws.ToString(r.SecurityGroupRuleId)), nil
		}
		return remedy.Receipt{}, fmt.Errorf("%s: EC2 answered without the rule", h.what())
	}
	if classify(err) == duplicate { // by somebody else, or by an earlier try whose answer was lost
		there, receipt, lookErr := h.look(ctx, m)
		if lookErr == nil && there {
			return receipt, nil
		}
		return remedy.Receipt{}, fmt.Errorf("%s: there already, but not to be seen: %w", h.what(), err)
	}
	return remedy.Receipt{}, unchanged(h.what(), "ec2:AuthorizeSecurityGroupIngress", h.a.Group, err)
}

// revokeHand takes back a rule that allowHand made.
type revokeHand struct {
	c *Client
	w writer
	a remedy.RevokeIngress
}

func (h revokeHand) what() string { return fmt.Sprintf("revoke rule %s of %s", h.a.Rule, h.a.Group) }

// rule reads the rule; nil where it is gone. One that is another rule now, or wasn't made by netdiag, is refused.
func (h revokeHand) rule(ctx context.Context, m remedy.Mark) (*vpc.SecurityGroupRule, error) {
	rules, err := h.c.securityGroupRules(ctx, "describe security group rule "+h.a.Rule, where("security-group-rule-id", h.a.Rule))
	if err != nil || len(rules) == 0 {
		return nil, err
	}
	r := rules[0]
	if !lets(r, h.a.Group, h.a.Source, h.a.Port) {
		return nil, refuse(h.what(), &Drifted{
			Target: "rule " + h.a.Rule, Was: fmt.Sprintf("tcp %d from %s into %s", h.a.Port, h.a.Source, h.a.Group),
			Is: fmt.Sprintf("%s %d-%d from %s%s%s into %s", r.Protocol, r.From, r.To, r.Source, r.PrefixList, cidrText(r), r.Group),
		})
	}
	if r.Tags[tagRemediation] == "" || r.Tags[tagCluster] != tagValue(m.Cluster) {
		return nil, refuse(h.what(), fmt.Errorf("its tags %s and %s don't say that netdiag made it for cluster %s", tagRemediation, tagCluster, m.Cluster))
	}
	return &r, nil
}

func cidrText(r vpc.SecurityGroupRule) string {
	if r.CIDR.IsValid() {
		return r.CIDR.String()
	}
	return ""
}

func (h revokeHand) request(dry bool) *ec2.RevokeSecurityGroupIngressInput {
	return &ec2.RevokeSecurityGroupIngressInput{DryRun: aws.Bool(dry), GroupId: aws.String(h.a.Group), SecurityGroupRuleIds: []string{h.a.Rule}}
}

func (h revokeHand) dryRun(ctx context.Context, m remedy.Mark) error {
	r, err := h.rule(ctx, m)
	if err != nil || r == nil {
		return err
	}
	_, err = h.w.ec2.RevokeSecurityGroupIngress(ctx, h.request(true))
	if c := classify(err); err == nil || c == wouldSucceed || c == absent {
		return nil
	}
	return unchanged(h.what(), "ec2:RevokeSecurityGroupIngress", h.a.Group, err)
}

func (h revokeHand) look(ctx context.Context, m remedy.Mark) (bool, remedy.Receipt, error) {
	r, err := h.rule(ctx, m)
	if err != nil || r != nil {
		return false, remedy.Receipt{}, err
	}
	return true, remedy.Receipt{ID: h.a.Rule, Owned: true}, nil
}

func (h revokeHand) apply(ctx context.Context, m remedy.Mark) (remedy.Receipt, error) {
	r, err := h.rule(ctx, m)
	if err != nil {
		return remedy.Receipt{}, err
	}
	done := remedy.Receipt{ID: h.a.Rule, Owned: true}
	if r == nil {
		return done, nil
	}
	if _, err := h.w.ec2.RevokeSecurityGroupIngress(ctx, h.request(false)); err != nil && classify(err) != absent {
		return remedy.Receipt{}, unchanged(h.what(), "ec2:RevokeSecurityGroupIngress", h.a.Group, err)
	}
	return done, nil
}
