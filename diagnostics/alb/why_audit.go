package alb

import (
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

func touches(e trail.Event, resource string) bool {
	return slices.Contains(e.Resources, resource) || strings.Contains(e.Detail, `"`+resource+`"`)
}

func auditEvidence(e trail.Event, resource string) diagnostics.Evidence {
	value := fmt.Sprintf("%s by %s at %s", e.Name, e.User, e.At.UTC().Format(time.RFC3339))
	if e.Error != "" {
		value += ": " + e.Error
	}
	return diagnostics.Evidence{What: "CloudTrail about " + resource, Value: value, Source: "cloudtrail:LookupEvents",
		Repeat: "aws cloudtrail lookup-events --lookup-attributes AttributeKey=ResourceName,AttributeValue=" + resource}
}
