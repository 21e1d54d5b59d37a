package alb

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/vpc"
)

// judge makes a finding of a block.
func (a *analysis) judge(b *block) {
	if b.cause == "sg.target-ingress" {
		b.why = a.reason(b)
	}
	f := diagnostics.Finding{
		ID: b.cause, Subject: b.subject, Confidence: diagnostics.Confirmed, Reason: b.why.reason, Latent: b.latent,
		Affects: affected(b.targets(felt, quiet, early)),
	}
	g := b.pairs[0].t.group
	switch {
	case b.has(felt):
		if b.has(contrary) {
			f.Confidence = diagnostics.Likely
			a.contradict("%s denies %s as well, and that target is healthy: the model misses something", b.subject, joined(names(b.targets(contrary))))
		}
		if !a.measured() && !b.dropped() {
			f.Confidence = diagnostics.Likely // the closed port carries traffic, which only the metrics could show
		}
	case b.has(contrary):
		f.Affects = affected(b.targets())
		if !a.surprising(b, &f) {
			return
		}
	case b.has(quiet) && a.total(elb504)+a.total(connectErrors) > 0:
		f.Confidence = diagnostics.Likely
	default: // nothing is felt of it yet
		f.Latent, f.Confidence = true, diagnostics.Likely
	}
	if b.why.cap != "" && f.Confidence == diagnostics.Confirmed {
		f.Confidence = b.why.cap
	}
	f.Weight = g.weight(b.targets(felt))
	f.Summary = a.blockSummary(b)
	f.Evidence = append([]diagnostics.Evidence{g.evidence(b.targets()), a.hopEvidence(b)}, b.why.evidence...)
	a.report(f)
}

// dropped reports whether a target of the block answers no health check.
func (b *block) dropped() bool {
	return slices.ContainsFunc(b.pairs, func(p pair) bool { return p.symptom == felt && p.t.class == drop })
}

// surprising decides about a block whose targets are all healthy: two facts disagree. A rule that was taken away a moment
// ago explains both, because connections that stand outlive their rule and a failing check takes its time to show.
func (a *analysis) surprising(b *block, f *diagnostics.Finding) bool {
	ts := b.targets(contrary)
	t := ts[0]
	a.contradict("%s healthy although no path to port %d is open (%s): either a rule went a moment ago, or something that was not read lets the load balancer in",
		some(len(ts), len(t.group.registered()), "target")+" of "+t.group.Name+" are", b.ports()[0], first(t.to(b.ports()[0])).Reason)
	if b.why.removed {
		f.Confidence = diagnostics.Likely
		return true
	}
	f.Confidence = diagnostics.Possible
	return b.why.reason == "drift-removed"
}

func names(ts []*target) []string {
	var out []string
	for _, t := range ts {
		out = append(out, t.name())
	}
	return out
}

func (a *analysis) blockSummary(b *block) string {
	ts := b.targets(felt)
	partly := slices.ContainsFunc(b.pairs, func(p pair) bool { return p.hop.Verdict == vpc.Partial })
	if len(ts) == 0 || partly { // what is lost in part hits healthy targets too
		ts = b.targets()
	}
	groups := map[string]int{} // one security group may stand before the targets of several target groups
	all := 0
	for _, t := range ts {
		if groups[t.group.Name] == 0 {
			groups[t.group.Name] = len(t.group.registered())
			all += groups[t.group.Name]
		}
	}
	which := joined(sortedKeys(groups))
	reached := some(len(ts), all, "target") + " of " + which
	ports := portList(b.ports())
	zones := a.zonesOf(b)
	switch b.cause {
	case "sg.target-ingress":
		text := fmt.Sprintf("security group %s has no rule that admits the load balancer on tcp %s, so it can't reach %s", b.subject, ports, anyOf(len(ts), all)+" of "+which)
		if b.why.text != "" {
			text += ": " + b.why.text
		}
		return text
	case "sg.alb-egress":
		return fmt.Sprintf("security group %s of the load balancer lets nothing out to tcp %s of %s", b.subject, ports, reached)
	case "nacl.forward":
		return fmt.Sprintf("network ACL %s drops what the load balancer%s sends to tcp %s of %s", b.subject, zones, ports, reached)
	}
	how := "drops"
	if partly {
		how = "drops some of"
	}
	return fmt.Sprintf("network ACL %s %s the answers of %s to the load balancer%s, which come back on ports 1024-65535", b.subject, how, reached, zones)
}

// zonesOf names the zones of the load balancer's nodes whose paths are blocked, where others are open.
func (a *analysis) zonesOf(b *block) string {
	var zones []string
	for _, p := range b.pairs {
		zones = append(zones, a.s.network(p.path.from).Zone)
	}
	zones = sorted(zones)
	if len(zones) == 0 || len(zones) == len(a.s.Front) {
		return ""
	}
	return " in " + joined(zones)
}

func portList(ports []int) string {
	var out []string
	for _, p := range ports {
		out = append(out, fmt.Sprint(p))
	}
	return strings.Join(out, " and ")
}

func (a *analysis) hopEvidence(b *block) diagnostics.Evidence {
	p := b.pairs[0]
	blocked := map[string]bool{}
	for _, x := range b.pairs {
		blocked[x.path.from] = true
	}
	e := diagnostics.Evidence{
		What:  fmt.Sprintf("paths from the %s of the load balancer to %s", plural(len(a.s.Front), "interface"), p.t.name()),
		Value: fmt.Sprintf("%d blocked at %s: %s", len(blocked), p.hop.Kind, p.hop.Reason),
	}
	if len(p.hop.Groups) > 0 {
		e.Source = "ec2:DescribeSecurityGroupRules"
		e.Repeat = "aws ec2 describe-security-group-rules --filters Name=group-id,Values=" + strings.Join(p.hop.Groups, ",")
		return e
	}
	e.Source = "ec2:DescribeNetworkAcls"
	e.Repeat = "aws ec2 describe-network-acls --network-acl-ids " + p.hop.By
	return e
}

// cleared says what the model ruled out: paths that are proven open.
func (a *analysis) cleared() {
	open, all := 0, 0
	for _, t := range a.targets() {
		for _, port := range t.ports() {
			if t.class == unused || t.class == draining {
				continue
			}
			all++
			if t.verdict(port) == vpc.Allowed {
				open++
			}
		}
	}
	if all == 0 || open != all {
		return
	}
	a.pass("sg.target-ingress", "the security groups of the targets admit the load balancer on every health check and traffic port (%s)", plural(all, "path"))
	a.pass("sg.alb-egress", "the security groups of the load balancer let it reach every target")
	a.pass("nacl.forward", "network ACLs let requests through in both directions")
}
