package awsnet

import (
	"fmt"
	"maps"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
)

// Grant is where a permission of a change is granted: a policy of deploy/iam and its statements.
type Grant struct {
	Policy     string
	Statements []string
	Where      string // the condition that people meet, with %s for the resource; empty where there is none
}

const optedIn = "where %s carries the tag netdiag.io/allow-remediation with the name of the cluster"

// grants lists, by action and kind of resource, what the changes need.
var grants = map[string]Grant{
	"ec2:AuthorizeSecurityGroupIngress sg": {"fix-security-group-rules.json", []string{"AddRule", "MarkRule", "TagRule"}, optedIn},
	"ec2:RevokeSecurityGroupIngress sg":    {"fix-security-group-rules.json", []string{"RevokeRule"}, optedIn},
	"ec2:DeleteNetworkInterface eni":       {"fix-interfaces.json", []string{"DeleteInterface"}, "where %s carries the tag cluster.k8s.amazonaws.com/name with the name of the cluster"},
	"ec2:CreateTags subnet":                {"fix-subnet-tag.json", []string{"SetTag"}, optedIn},
	"ec2:DeleteTags subnet":                {"fix-subnet-tag.json", []string{"RemoveTag"}, optedIn},
	"ec2:CreateTags sg":                    {"fix-security-group-tag.json", []string{"SetTag"}, optedIn},
	"ec2:DeleteTags sg":                    {"fix-security-group-tag.json", []string{"RemoveTag"}, optedIn},
	"eks:UpdateAddon addon":                {"fix-addon.json", []string{"ConfigureAddon", "KeepRole"}, ""},
	"iam:PassRole role":                    {"fix-addon.json", []string{"KeepRole"}, ""},
	"sts:AssumeRole role":                  {"executor.json", []string{"AssumeFixRole"}, "and the trust policy of the role has to let it (deploy/iam/trust-fix-role.json)"},
}

// Grants lists where what the changes to AWS need is granted, by action and kind of resource: "ec2:CreateTags subnet".
func Grants() map[string]Grant { return maps.Clone(grants) }

// Missing is a permission that a change needs and that whoever makes it hasn't got.
type Missing struct {
	Action   string // such as ec2:DeleteNetworkInterface
	Resource string // id or ARN
	Policy   string // file of deploy/iam that grants it
	err      error
}

// Error names the permission, and the statement that grants it.
func (m *Missing) Error() string {
	g, text := grants[m.Action+" "+kindOf(m.Resource)], fmt.Sprintf("may not call %s on %s", m.Action, m.Resource)
	if m.Policy == "" {
		return text
	}
	noun, verb := "statement ", " grants it"
	if len(g.Statements) > 1 {
		noun, verb = "statements ", " grant it"
	}
	text += ": " + noun + diagnostics.Series(g.Statements) + " of deploy/iam/" + m.Policy + verb
	if g.Where != "" {
		text += ", " + strings.ReplaceAll(g.Where, "%s", m.Resource)
	}
	return text
}

// Unwrap gives the answer of AWS.
func (m *Missing) Unwrap() error { return m.err }

func missing(action, resource string, err error) error {
	return &Missing{Action: action, Resource: resource, Policy: grants[action+" "+kindOf(resource)].Policy, err: err}
}

// kindOf is the kind of a resource by its id: sg of sg-…, addon of addon/…, role of any ARN.
func kindOf(resource string) string {
	if strings.HasPrefix(resource, "arn:") {
		return "role"
	}
	return resource[:max(strings.IndexAny(resource, "-/"), 0)]
}
