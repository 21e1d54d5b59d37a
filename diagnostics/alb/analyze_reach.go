package alb

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/vpc"
)

// block is a place that stops packets between load balancer and targets.
type block struct {
	cause   string
	subject string
	pairs   []pair
	latent  bool // it would only show once an earlier place lets the packets through
	why     why
}

// pair is one blocked path.
type pair struct {
	t       *target
	path    path
	hop     vpc.Hop
	symptom symptom
}

// symptom says how what is seen of a path agrees with the model that calls it blocked.
type symptom int

// A path is felt where the target doesn't answer on it; quiet where other nodes of the load balancer get through and so
// hide it; early where the target is too new to tell; contrary where the target is called healthy all the same.
const (
	felt symptom = iota
	quiet
	early
	contrary
)

// reachability asks for every target, every node of the load balancer and both ports whether packets get there and back.
func (a *analysis) reachability() {
	for _, g := range a.groups {
		for _, t := range g.registered() {
			if t.class == unused || g.byDesign(t) {
				continue
			}
			for _, port := range t.ports() {
				a.reach(t, port)
			}
		}
	}
	slices.SortStableFunc(a.blocks, func(x, y *block) int {
		return cmp.Or(strings.Compare(x.cause, y.cause), strings.Compare(x.subject, y.subject))
	})
	for _, b := range a.blocks {
		a.judge(b)
	}
	if len(a.blocks) == 0 && len(a.s.Front) > 0 {
		a.cleared()
	}
}

// reach files the blocked paths to one port of a target.
func (a *analysis) reach(t *target, port int) {
	whole := t.verdict(port)
	if whole != vpc.Denied && whole != vpc.Partial {
		return
	}
	sym := felt
	switch {
	case port == t.hcPort && (t.class == code || t.class == refuse):
		if whole == vpc.Denied {
			a.contradict("%s: the model says that port %d can't be reached (%s), but %s: the port is reachable, and something that was not read lets the load balancer in",
				t.name(), port, first(t.to(port)).Reason, answer(t))
		}
		return
	case port == t.hcPort && t.class == initial:
		sym = early
	case port == t.hcPort && t.class == healthy && whole == vpc.Partial:
		sym = quiet
	case port == t.hcPort && t.class == healthy:
		sym = contrary
	case port == t.hcPort && t.class != drop:
		return
	case port != t.hcPort && a.measured() && a.total(elb504)+a.total(connectErrors) == 0 && a.total(requests) > 0 && t.class == healthy:
		sym = contrary
	}
	for _, p := range t.to(port) {
		for i, h := range p.reach.Blocking() {
			cause, subject := a.place(t, h)
			if cause == "" {
				continue
			}
			b := a.block(cause, subject)
			if i == 0 { // the first place in packet order is the one that shows
				b.latent = false
			}
			b.pairs = append(b.pairs, pair{t, p, h, sym})
		}
	}
}

// place names the cause that a hop stands for, and the resource in trouble.
func (a *analysis) place(t *target, h vpc.Hop) (cause, subject string) {
	switch h.Kind {
	case vpc.TargetIngress:
		return "sg.target-ingress", a.chosen(h.Groups)
	case vpc.SourceEgress:
		return "sg.alb-egress", a.frontend(h.Groups)
	case vpc.SourceACLOut, vpc.TargetACLIn:
		return "nacl.forward", h.By
	case vpc.SourceACLIn, vpc.TargetACLOut:
		return "nacl.return", h.By
	}
	return "", ""
}

// chosen is the group of an interface to which the controller writes its rules: the only one, or the only one tagged with
// the cluster. Where it can't choose, the first by name stands for all.
func (a *analysis) chosen(groups []string) string {
	if tagged := a.tagged(groups); len(groups) > 1 && len(tagged) == 1 {
		return tagged[0]
	}
	return groups[0]
}

// tagged lists the groups with the tag kubernetes.io/cluster/<cluster> (owned or shared).
func (a *analysis) tagged(groups []string) []string {
	var out []string
	for _, g := range groups {
		if _, ok := a.s.group(g).Tags["kubernetes.io/cluster/"+a.s.Cluster]; ok {
			out = append(out, g)
		}
	}
	return out
}

// frontend is the group of the load balancer that isn't the controller's shared backend group.
func (a *analysis) frontend(groups []string) string {
	for _, g := range groups {
		if a.s.group(g).Tags["elbv2.k8s.aws/resource"] != "backend-sg" {
			return g
		}
	}
	return groups[0]
}

func (a *analysis) block(cause, subject string) *block {
	for _, b := range a.blocks {
		if b.cause == cause && b.subject == subject {
			return b
		}
	}
	b := &block{cause: cause, subject: subject, latent: true}
	a.blocks = append(a.blocks, b)
	return b
}

func first(paths []path) vpc.Hop {
	for _, p := range paths {
		if b := p.reach.Blocking(); len(b) > 0 {
			return b[0]
		}
	}
	return vpc.Hop{}
}

// answer says what came back from a target.
func answer(t *target) string {
	switch t.class {
	case code:
		return fmt.Sprintf("the target answered %q", t.Description)
	case refuse:
		return "the connection was answered with a reset"
	}
	return "the target is healthy"
}

func (b *block) has(s symptom) bool {
	return slices.ContainsFunc(b.pairs, func(p pair) bool { return p.symptom == s })
}

// targets lists the targets of the block with one of the symptoms (all where none is given), each once.
func (b *block) targets(of ...symptom) []*target {
	var out []*target
	for _, p := range b.pairs {
		if (len(of) == 0 || slices.Contains(of, p.symptom)) && !slices.Contains(out, p.t) {
			out = append(out, p.t)
		}
	}
	return out
}

// ports lists the blocked ports.
func (b *block) ports() []int {
	var out []int
	for _, p := range b.pairs {
		out = append(out, p.path.port)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (b *block) key() string { return "alb/" + b.cause + " " + b.subject }

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
	if len(ts) == 0 {
		ts = b.targets()
	}
	g := ts[0].group
	reached := fmt.Sprintf("%s of %s", some(len(ts), len(g.registered()), "target"), g.Name)
	ports := portList(b.ports())
	zones := a.zonesOf(b)
	switch b.cause {
	case "sg.target-ingress":
		text := fmt.Sprintf("security group %s has no rule that admits the load balancer on tcp %s, so it can't reach %s", b.subject, ports, reached)
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
	if slices.ContainsFunc(b.pairs, func(p pair) bool { return p.hop.Verdict == vpc.Partial }) {
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
