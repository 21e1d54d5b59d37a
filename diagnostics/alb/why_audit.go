package alb

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/trail"
)

// revocation finds the last call that took rules away from the group, or replaced them, without error.
func (a *analysis) revocation(b *block) *trail.Event {
	var found *trail.Event
	for i, e := range a.s.Audit {
		switch e.Name {
		case "RevokeSecurityGroupIngress", "ModifySecurityGroupRules":
			if e.Error == "" && touches(e, b.subject) {
				found = &a.s.Audit[i]
			}
		}
	}
	return found
}

// refusal finds the last call to add a rule to the group that was refused for want of a permission.
func (a *analysis) refusal(group string) *trail.Event {
	var found *trail.Event
	for i, e := range a.s.Audit {
		if e.Name == "AuthorizeSecurityGroupIngress" && e.Error != "" && touches(e, group) && (strings.Contains(e.Error, "Unauthorized") || strings.Contains(e.Error, "AccessDenied")) {
			found = &a.s.Audit[i]
		}
	}
	return found
}

// principal is who made a call: the role, where one was assumed, because every session has a name of its own.
func principal(e trail.Event) string {
	var record struct {
		UserIdentity struct {
			ARN            string `json:"arn"`
			SessionContext struct {
				SessionIssuer struct {
					ARN      string `json:"arn"`
					UserName string `json:"userName"`
				} `json:"sessionIssuer"`
			} `json:"sessionContext"`
		} `json:"userIdentity"`
	}
	if json.Unmarshal([]byte(e.Detail), &record) != nil {
		return e.User
	}
	issuer := record.UserIdentity.SessionContext.SessionIssuer
	return cmp.Or(issuer.UserName, issuer.ARN[strings.LastIndexByte(issuer.ARN, '/')+1:], roleIn(record.UserIdentity.ARN), e.User)
}

// caller is the principal of a call, with the name of its session where that says more.
func caller(e trail.Event) string {
	who := principal(e)
	if e.User != "" && e.User != who {
		return who + " (" + e.User + ")"
	}
	return who
}

// roleIn takes the role out of arn:aws:sts::<account>:assumed-role/<role>/<session>, and the last name out of others.
func roleIn(arn string) string {
	parts := strings.Split(arn, "/")
	if strings.HasSuffix(parts[0], ":assumed-role") && len(parts) == 3 {
		return parts[1]
	}
	return parts[len(parts)-1]
}

func touches(e trail.Event, resource string) bool {
	return slices.Contains(e.Resources, resource) || strings.Contains(e.Detail, `"`+resource+`"`)
}

func auditEvidence(e trail.Event, resource string) diagnostics.Evidence {
	value := fmt.Sprintf("%s by %s at %s", e.Name, caller(e), e.At.UTC().Format(time.RFC3339))
	if e.Error != "" {
		value += ": " + e.Error
	}
	return diagnostics.Evidence{What: "CloudTrail about " + resource, Value: value, Source: "cloudtrail:LookupEvents",
		Repeat: "aws cloudtrail lookup-events --lookup-attributes AttributeKey=ResourceName,AttributeValue=" + resource}
}
