package alb

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
)

// quota is a limit of AWS that stands in the way.
type quota struct {
	what    string // as Service Quotas names it, or nearly
	service string // vpc or elasticloadbalancing
	code    string // of Service Quotas; empty where it must be looked up
	used    int    // 0 where not known
	limit   int    // default
	instead string // how to do with less
}

// quotas are the limits that the controller meets, by the error code of AWS, with their defaults.
var quotas = map[string]quota{
	"TooManyLoadBalancers":                     {what: "Application Load Balancers per Region", limit: 50, instead: "one load balancer for several ingresses: annotation group.name"},
	"TooManyListeners":                         {what: "Listeners per Application Load Balancer", limit: 50, instead: "fewer ports in annotation listen-ports"},
	"TooManyRules":                             {what: "Rules per Application Load Balancer", limit: 100, instead: "fewer hosts and paths, or another group.name and so another load balancer for some of the ingresses"},
	"TooManyTargetGroups":                      {what: "Target Groups per Region", limit: 3000, instead: "delete target groups that no load balancer uses"},
	"TooManyUniqueTargetGroupsPerLoadBalancer": {what: "Target Groups per Application Load Balancer", limit: 100, instead: "another group.name and so another load balancer for some of the ingresses"},
	"TooManyTargets":                           {what: "Targets per Application Load Balancer", limit: 1000, instead: "target-type ip, or fewer nodes by target-node-labels: with instance targets every node counts once for every Service"},
	"TooManyCertificates":                      {what: "Certificates per Application Load Balancer", limit: 25, instead: "a certificate with several names, or with a wildcard"},
}

var tooMany = regexp.MustCompile(`TooMany[A-Za-z]+`)

// quotaOf finds the limit that a complaint of the controller names.
func (a *analysis) quotaOf(f diagnostics.Finding) quota {
	var text strings.Builder
	text.WriteString(f.Summary)
	for _, e := range f.Evidence {
		text.WriteString(" " + e.Value)
	}
	name := tooMany.FindString(text.String())
	q, ok := quotas[name]
	if !ok {
		q = quota{what: "the limit that the message names", instead: "fewer of what the message names"}
	}
	q.service = "elasticloadbalancing"
	switch name {
	case "TooManyRules":
		for _, r := range a.s.Rules {
			if !r.Default {
				q.used++
			}
		}
	case "TooManyListeners":
		q.used = len(a.s.Listeners)
	}
	return q
}

// fixQuota offers a higher limit, and how to do without.
func (a *analysis) fixQuota(f diagnostics.Finding, q quota) {
	x := diagnostics.Fix{
		ID: "raise-quota", Title: "Raise the quota: " + q.what, Owner: ownerNone, Needs: 1, Undo: "none needed: a quota costs nothing", SettlesIn: "24h0m0s",
		Blast: "the whole account in this region", Risk: "AWS decides about the request, in minutes or days",
		Changes: []string{fmt.Sprintf("Service Quotas, %s: %s", q.service, q.what), "or now: " + q.instead},
	}
	if q.limit > 0 {
		x.Proof = fmt.Sprintf("the default is %d, and AWS refuses one more", q.limit)
		x.Changes[0] += fmt.Sprintf(" %d → %d", q.limit, 2*q.limit)
	}
	if q.used >= q.limit && q.limit > 0 {
		x.Proof = fmt.Sprintf("%d of %d are in use, and AWS refuses one more", q.used, q.used)
	}
	switch {
	case q.code != "":
		x.Commands = []string{fmt.Sprintf("aws service-quotas request-service-quota-increase --service-code %s --quota-code %s --desired-value %d", q.service, q.code, 2*q.limit)}
	default:
		x.Commands = []string{fmt.Sprintf("aws service-quotas list-service-quotas --service-code %s --query \"Quotas[?QuotaName=='%s']\"", q.service, q.what), fmt.Sprintf("aws service-quotas request-service-quota-increase --service-code %s --quota-code <code from above> --desired-value %d", q.service, max(2*q.limit, 2))}
	}
	x.Commands = append(x.Commands, a.retry()...)
	a.refuse("repair-controller", "the controller works: AWS refused its call %d times because of the quota", a.complaints())
	a.offer(f, x)
}

// fixRuleQuota offers room in a security group that is full: a higher quota, or fewer of the rules that aren't the
// controller's. It joins its own into one for each source.
func (a *analysis) fixRuleQuota(f diagnostics.Finding, group string) {
	foreign := 0
	for _, r := range a.s.Firewall.Rules[group] {
		if !r.Egress && r.Description != "elbv2.k8s.aws/targetGroupBinding=shared" {
			foreign++
		}
	}
	n := a.inbound(group)
	limit := max(inboundQuota, n)
	owner := groupOwner(a.s.group(group))
	a.offer(f, diagnostics.Fix{
		ID: "raise-quota", Title: "Make room for one more rule in " + group, Needs: 1, Owner: owner, SettlesIn: "24h0m0s",
		Proof:   fmt.Sprintf("%s holds %d inbound rules of %d; the controller needs 1 more, and %d of them are not the controller's", group, n, limit, foreign),
		Changes: []string{fmt.Sprintf("Service Quotas, vpc: inbound rules per security group %d → 100", limit), fmt.Sprintf("or now: fewer of the %d foreign rules in %s, joined into ranges or a prefix list", foreign, group)},
		Blast:   "the quota: the whole account in this region; fewer rules: everything that carries " + group + drift(owner), Undo: "none needed for the quota; put the removed rules back",
		Risk: "the quota times the groups per interface may not exceed 1000; AWS decides about the request, in minutes or days",
		Commands: []string{"aws service-quotas request-service-quota-increase --service-code vpc --quota-code L-0EA8095F --desired-value 100",
			"aws ec2 describe-security-group-rules --filters Name=group-id,Values=" + group},
	})
	a.refuse("allow-pod-port", "%s already holds %d inbound rules of the %d that a group takes: the call would fail", group, n, limit)
	a.refuse("reconcile-kick", "it would fail again with RulesPerSecurityGroupLimitExceeded: %d of %d rules", n, limit)
}
