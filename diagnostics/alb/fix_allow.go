package alb

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/remedy"
	"github.com/netdiag/netdiag/internal/vpc"
)

// allow offers a rule of our own for each blocked port: one port, from one group, proved for every blocked path.
func (a *analysis) allow(f diagnostics.Finding, b *block) {
	source := a.source()
	if source == "" {
		a.refuse("allow-pod-port", "the %s of the load balancer have no security group in common that a rule could name", plural(len(a.s.Front), "interface"))
		return
	}
	if owner := groupOwner(a.s.group(b.subject)); owner == ownerController {
		a.refuse("allow-pod-port", "the load balancer controller made %s and takes out every rule there that isn't its own: of ours 0 would stay", b.subject)
		return
	}
	for _, port := range b.ports() {
		if n := a.inbound(b.subject); n >= inboundQuota {
			a.refuse("allow-pod-port", "%s already holds %d inbound rules of the %d that a group takes by default", b.subject, n, inboundQuota)
			return
		}
		rule := vpc.SecurityGroupRule{ID: "new rule", Group: b.subject, Protocol: "tcp", From: port, To: port, Source: source}
		opened, all, still := a.prove(b, port, a.s.Firewall.With(rule), nil)
		if opened < all {
			a.refuse("allow-pod-port", "with a rule for tcp %d in %s, %d of %d paths would stay blocked: %s", port, b.subject, all-opened, all, still)
			continue
		}
		g := b.pairs[0].t.group
		owner := groupOwner(a.s.group(b.subject))
		what := fmt.Sprintf("netdiag: ALB %s to %s", a.balancerName(), strings.TrimPrefix(g.subject(), "service/"))
		a.offer(f, diagnostics.Fix{
			ID: "allow-pod-port", Title: fmt.Sprintf("Let the load balancer reach tcp %d in %s", port, b.subject), Owner: owner,
			Frees: len(b.targets()), Needs: len(b.targets()),
			Proof:   fmt.Sprintf("with this rule %d of %d blocked paths to %s are open", opened, all, plural(len(b.targets()), "target")) + a.behindToo(b),
			Changes: []string{fmt.Sprintf("security group %s: inbound tcp %d from %s", b.subject, port, source)},
			Blast:   fmt.Sprintf("every interface that carries %s (%d seen here, often all nodes) can be reached on tcp %d by everything that carries %s", b.subject, a.carrying(b.subject), port, source) + drift(owner) + a.remover(b),
			Undo:    "revoke the rule by its id", SettlesIn: a.settles(g),
			Commands: []string{fmt.Sprintf("aws ec2 authorize-security-group-ingress --group-id %s --ip-permissions 'IpProtocol=tcp,FromPort=%d,ToPort=%d,UserIdGroupPairs=[{GroupId=%s,Description=\"%s\"}]'", b.subject, port, port, source, what)},
			Action:   &remedy.Action{AllowIngress: &remedy.AllowIngress{Group: b.subject, Source: source, Port: port, Description: what}},
		})
	}
}

// behindToo says what else stops the targets of a block once this is open.
func (a *analysis) behindToo(b *block) string {
	var also []string
	for _, f := range a.out.Findings {
		if f.Latent && f.Key() != b.key() && f.ID != "alb/etp.local-no-pod" && slices.ContainsFunc(b.targets(), func(t *target) bool { return slices.Contains(f.Affects, t.affects()) }) {
			also = append(also, f.Subject)
		}
	}
	if len(also) == 0 {
		return ""
	}
	return "; behind it " + joined(sorted(also)) + " " + verb(len(also), "stops", "stop") + " them too"
}

// remover warns of somebody who took the rule away before and may do so again.
func (a *analysis) remover(b *block) string {
	if b.why.actor == "" {
		return ""
	}
	return "; " + b.why.actor + " took the last such rule away and may do so again: settle it there"
}

// source is the group that may enter: the controller's shared backend group if every node of the load balancer carries it, else a frontend group that they have in common.
func (a *analysis) source() string {
	var common []string
	for i, id := range a.s.Front {
		groups := a.s.network(id).Groups
		if i == 0 {
			common = slices.Clone(groups)
			continue
		}
		common = slices.DeleteFunc(common, func(g string) bool { return !slices.Contains(groups, g) })
	}
	slices.Sort(common)
	for _, g := range common {
		if a.s.group(g).Tags["elbv2.k8s.aws/resource"] == "backend-sg" {
			return g
		}
	}
	if len(common) == 0 {
		return ""
	}
	return common[0]
}

// prove counts the blocked paths to a port that a changed firewall opens. extra are groups that the nodes of the load balancer would carry besides.
func (a *analysis) prove(b *block, port int, fw vpc.Firewall, extra []string) (opened, all int, still string) {
	for _, p := range b.pairs {
		if p.path.port != port {
			continue
		}
		all++
		from := *a.s.network(p.path.from)
		from.Groups = append(slices.Clone(from.Groups), extra...)
		r := fw.Path(from, *p.t.eni, p.t.addr, port)
		if r.Verdict == vpc.Allowed {
			opened++
		} else if still == "" {
			for _, h := range r.Hops {
				if h.Verdict == r.Verdict {
					still = h.Reason
				}
			}
		}
	}
	return opened, all, still
}

func (a *analysis) carrying(group string) int {
	n := 0
	for _, eni := range a.s.Interfaces {
		if slices.Contains(eni.Groups, group) {
			n++
		}
	}
	return n
}
