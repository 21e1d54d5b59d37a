package alb

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/elb"
	"github.com/netdiag/netdiag/internal/vpc"
)

// why says how it came that a security group doesn't admit the load balancer.
type why struct {
	reason   string // custom-sg-unmanaged, drift-removed, …; empty where it is not known
	text     string // half a sentence for the summary
	evidence []diagnostics.Evidence
	cap      diagnostics.Confidence // the most that may be claimed; empty for no cap
	removed  bool                   // CloudTrail shows that somebody took the rule away
	actor    string                 // who did
}

// inboundQuota is how many inbound rules a security group holds by default, IPv4 and IPv6 counted apart (Amazon VPC quotas).
const inboundQuota = 60

// reason finds out why the group has no rule: what the controller complains of, what it was told, and who took a rule away.
func (a *analysis) reason(b *block) why {
	p := b.pairs[0]
	binding := p.t.group.binding
	if binding == nil {
		return why{}
	}
	w := a.complaint(b, *binding)
	if w.reason == "" && binding.Networking == nil {
		w = a.unmanaged(b, *binding)
	}
	if w.reason == "" && binding.Networking != nil {
		w = a.managed(b, *binding)
	}
	w.evidence = append([]diagnostics.Evidence{bindingEvidence(binding)}, w.evidence...)
	return w
}

// complaint reads what the controller says about the binding.
func (a *analysis) complaint(b *block, binding elb.TargetGroupBinding) why {
	e, ok := a.standing("TargetGroupBinding", binding.Namespace, binding.Name)
	if !ok {
		return why{}
	}
	ev := []diagnostics.Evidence{eventEvidence(e)}
	switch msg := e.Message; {
	case strings.Contains(msg, "exactly one securityGroup tagged"), strings.Contains(msg, "expect exactly one securityGroup"):
		return why{reason: "tag-ambiguous", evidence: append(ev, a.tagEvidence(b)), text: a.tagText(b)}
	case strings.Contains(msg, "RulesPerSecurityGroupLimitExceeded"):
		return why{reason: "quota", evidence: append(ev, a.quotaEvidence(b.subject)),
			text: fmt.Sprintf("the group already holds %d inbound rules and the controller can't add one", a.inbound(b.subject))}
	case forbidden(msg):
		return why{reason: "iam-denied", evidence: ev, text: "the controller lacks the permission to add it"}
	case strings.Contains(msg, "cannot resolve pod ENI"):
		return why{reason: "pod-eni-unresolved", evidence: ev, text: "the controller can't find the interfaces of the pods"}
	}
	return why{}
}

// forbidden recognises how AWS and its SDKs say that a caller may not do something.
func forbidden(msg string) bool {
	for _, text := range []string{"UnauthorizedOperation", "AccessDenied", "not authorized to perform", "AssumeRoleWithWebIdentity", "failed to refresh cached credentials"} {
		if strings.Contains(msg, text) {
			return true
		}
	}
	return false
}

// unmanaged tells why a group that the controller doesn't look after lacks the rule.
func (a *analysis) unmanaged(b *block, binding elb.TargetGroupBinding) why {
	p := b.pairs[0]
	revoked := a.revocation(b)
	switch {
	case revoked != nil && !b.has(felt):
		return why{reason: "drift-removed", removed: true, actor: revoked.User, evidence: []diagnostics.Evidence{auditEvidence(*revoked, b.subject)},
			text: fmt.Sprintf("%s called %s at %s", revoked.User, revoked.Name, clock(revoked.At))}
	case a.openOnNode(b):
		return why{reason: "wrong-sg", text: fmt.Sprintf("the groups of the node would admit it, but %s has an interface of its own (%s) with other groups, so a rule in those of the node opens 0 of %d paths", p.t.name(), p.t.eni.ID, len(b.pairs))}
	case p.t.port != p.t.hcPort && slices.Equal(b.ports(), []int{p.t.hcPort}) && p.t.verdict(p.t.port) == vpc.Allowed:
		return why{reason: "hc-port-not-covered", text: fmt.Sprintf("it covers the traffic port %d but not the health check port", p.t.port)}
	case p.t.port != p.t.hcPort && slices.Equal(b.ports(), []int{p.t.port}) && p.t.verdict(p.t.hcPort) == vpc.Allowed:
		return why{reason: "traffic-port-not-covered", text: fmt.Sprintf("it covers the health check port %d, so all looks well, but not the port of the traffic", p.t.hcPort)}
	}
	if r := a.stale(b); r != nil {
		return why{reason: "stale-cidr", text: fmt.Sprintf("%s admits %s, in which no interface of the load balancer has its address now", r.ID, r.CIDR)}
	}
	if !ofController(binding) {
		return why{reason: "tgb-no-networking", text: "the TargetGroupBinding is written by hand without spec.networking, so nobody adds one"}
	}
	if a.s.Ingress != nil && a.s.Ingress.Annotations[annotation("security-groups")] != "" {
		return why{reason: "custom-sg-unmanaged", text: "the ingress brings its own security groups, so the controller adds no rule for the targets"}
	}
	return why{reason: "unmanaged", text: "the controller doesn't manage rules for this binding"}
}

// managed tells why a rule that the controller should hold isn't there.
func (a *analysis) managed(b *block, binding elb.TargetGroupBinding) why {
	p := b.pairs[0]
	for _, i := range binding.Networking.Ingress {
		if i.Ports != nil && len(i.Ports) == 0 {
			return why{reason: "tgb-empty-ports", text: "the TargetGroupBinding says ports: [], of which the controller makes no rule at all"}
		}
	}
	if !slices.ContainsFunc(b.ports(), func(port int) bool { return demands(binding, p.t, port) }) {
		return why{reason: "hc-port-not-covered", text: "spec.networking of the TargetGroupBinding doesn't name the port"}
	}
	if denied := a.refusal(b.subject); denied != nil {
		w := why{reason: "iam-denied", text: fmt.Sprintf("%s was refused %s", denied.User, denied.Name), evidence: []diagnostics.Evidence{auditEvidence(*denied, b.subject)}}
		if a.autoMode() {
			w.reason, w.cap = "automode-policy", diagnostics.Likely
		}
		return w
	}
	if groups := p.hop.Groups; len(groups) > 1 && !a.s.missed("ec2:DescribeSecurityGroups") && len(a.tagged(groups)) != 1 {
		return why{reason: "tag-ambiguous", text: a.tagText(b), evidence: []diagnostics.Evidence{a.tagEvidence(b)}}
	}
	if n := a.inbound(b.subject); n >= inboundQuota {
		return why{reason: "quota", text: fmt.Sprintf("the group already holds %d inbound rules", n), evidence: []diagnostics.Evidence{a.quotaEvidence(b.subject)}}
	}
	if a.autoMode() && !strings.HasPrefix(a.s.group(b.subject).Name, "eks-cluster-sg-") {
		return why{reason: "automode-policy", cap: diagnostics.Likely,
			text: fmt.Sprintf("EKS Auto Mode may by default change only groups named eks-cluster-sg-*, and this one is named %s", cmp.Or(a.s.group(b.subject).Name, "otherwise"))}
	}
	if r := a.revocation(b); r != nil {
		return why{reason: "drift-removed", removed: true, actor: r.User, evidence: []diagnostics.Evidence{auditEvidence(*r, b.subject)},
			text: fmt.Sprintf("%s called %s at %s, and the controller skips what it believes is in place", r.User, r.Name, clock(r.At))}
	}
	if binding.Annotations["elbv2.k8s.aws/checkpoint"] != "" {
		text := "the controller has it on its list but it is gone"
		if at, ok := checkpoint(binding); ok {
			text = fmt.Sprintf("the controller put everything in place at %s and has not looked since, but the rule is gone", at.UTC().Format("2006-01-02 15:04"))
		}
		return why{reason: "drift-removed", text: text}
	}
	return why{}
}

// demands reports whether the binding asks the controller for a rule for the port.
func demands(b elb.TargetGroupBinding, t *target, port int) bool {
	for _, i := range b.Networking.Ingress {
		if i.Ports == nil {
			return true
		}
		for _, p := range i.Ports {
			n, err := strconv.Atoi(p.Port)
			if p.Port == "" || (err == nil && n == port) || (err != nil && t.pod != nil && named(t, p.Port) == port) {
				return true
			}
		}
	}
	return false
}

func named(t *target, name string) int {
	for _, c := range t.pod.Spec.Containers {
		for _, p := range c.Ports {
			if p.Name == name {
				return int(p.ContainerPort)
			}
		}
	}
	return 0
}

// checkpoint is when the controller last found everything of the binding in place.
func checkpoint(b elb.TargetGroupBinding) (time.Time, bool) {
	n, err := strconv.ParseInt(b.Annotations["elbv2.k8s.aws/checkpoint-timestamp"], 10, 64)
	return time.Unix(n, 0), err == nil
}

func (a *analysis) autoMode() bool {
	return a.s.Class == autoController || (a.s.EKS != nil && a.s.EKS.AutoMode && a.s.Controller == nil)
}

// openOnNode reports whether the target would be reachable if its interface carried the groups of its node.
func (a *analysis) openOnNode(b *block) bool {
	t := b.pairs[0].t
	primary := a.s.network(a.s.Carriers[instanceOf(t.node)])
	if primary == nil || primary.ID == t.eni.ID || slices.Equal(sorted(slices.Clone(primary.Groups)), sorted(slices.Clone(t.eni.Groups))) {
		return false
	}
	as := *t.eni
	as.Groups = primary.Groups
	from := a.s.network(b.pairs[0].path.from)
	return a.s.Firewall.Path(*from, as, t.addr, b.pairs[0].path.port).Verdict == vpc.Allowed
}

// stale finds a rule for the port whose block holds no address of the load balancer any more.
func (a *analysis) stale(b *block) *vpc.SecurityGroupRule {
	for _, g := range b.pairs[0].hop.Groups {
		for _, r := range a.s.Firewall.Rules[g] {
			if r.Egress || !r.CIDR.IsValid() || r.Protocol == "-1" || r.From > b.ports()[0] || r.To < b.ports()[0] {
				continue
			}
			if in, _ := a.s.inVPC(r.CIDR.Addr()); in && !slices.ContainsFunc(a.front(), r.CIDR.Contains) {
				return &r
			}
		}
	}
	return nil
}

// front lists the addresses of the load balancer's nodes.
func (m *model) front() []netip.Addr {
	var out []netip.Addr
	for _, id := range m.s.Front {
		if eni := m.s.network(id); eni != nil {
			out = append(append(out, eni.Addresses...), eni.IPv6...)
		}
	}
	return out
}

// inbound counts the inbound rules of a group that the IPv4 quota counts.
func (a *analysis) inbound(group string) int {
	n := 0
	for _, r := range a.s.Firewall.Rules[group] {
		if !r.Egress && !(r.CIDR.IsValid() && r.CIDR.Addr().Is6()) {
			n++
		}
	}
	return n
}

func (a *analysis) quotaEvidence(group string) diagnostics.Evidence {
	return diagnostics.Evidence{What: "inbound rules of " + group, Value: fmt.Sprintf("%d of %d that a group holds by default", a.inbound(group), inboundQuota),
		Source: "ec2:DescribeSecurityGroupRules", Repeat: "aws ec2 describe-security-group-rules --filters Name=group-id,Values=" + group}
}

func (a *analysis) tagText(b *block) string {
	groups := b.pairs[0].hop.Groups
	if len(a.tagged(groups)) == 1 {
		return fmt.Sprintf("when the controller last tried, not exactly one of the %d groups of interface %s carried the tag kubernetes.io/cluster/%s; now one does, and it tries again within 10 minutes", len(groups), b.pairs[0].t.eni.ID, a.s.Cluster)
	}
	return fmt.Sprintf("interface %s has %d groups of which %d carry the tag kubernetes.io/cluster/%s, and the controller needs exactly one", b.pairs[0].t.eni.ID, len(groups), len(a.tagged(groups)), a.s.Cluster)
}

func (a *analysis) tagEvidence(b *block) diagnostics.Evidence {
	groups := b.pairs[0].hop.Groups
	return diagnostics.Evidence{
		What: "tag kubernetes.io/cluster/" + a.s.Cluster, Value: fmt.Sprintf("carried by %d of %s: %s", len(a.tagged(groups)), joined(groups), cmp.Or(joined(a.tagged(groups)), "none")),
		Source: "ec2:DescribeSecurityGroups", Repeat: "aws ec2 describe-security-groups --group-ids " + strings.Join(groups, " ")}
}
