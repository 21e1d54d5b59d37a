package alb

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/remedy"
	"github.com/netdiag/netdiag/internal/vpc"
)

// maxGroups is how many security groups a load balancer takes by default.
const maxGroups = 5

func (a *analysis) blockOf(f diagnostics.Finding) *block {
	for _, b := range a.blocks {
		if b.key() == f.Key() {
			return b
		}
	}
	return nil
}

// fixGroup offers what gives a target's security group the rule that it lacks: what its owner can do by itself goes before a rule of our own.
func (a *analysis) fixGroup(f diagnostics.Finding) {
	b := a.blockOf(f)
	g := b.pairs[0].t.group
	switch b.why.reason {
	case "tag-ambiguous":
		a.fixTags(f, b)
		if len(a.tagged(b.pairs[0].hop.Groups)) == 1 {
			return
		}
		a.refuse("reconcile-kick", "it would fail again: %d of the %d groups on %s carry the cluster tag, and the controller needs exactly 1", len(a.tagged(b.pairs[0].hop.Groups)), len(b.pairs[0].hop.Groups), b.pairs[0].t.eni.ID)
		a.refuse("allow-pod-port", "which of the %d groups on %s gets the rules is what must be settled first; a rule of our own would stand beside those of the controller", len(b.pairs[0].hop.Groups), b.pairs[0].t.eni.ID)
		return
	case "quota":
		a.fixRuleQuota(f, b.subject)
		return
	case "iam-denied", "automode-policy", "pod-eni-unresolved":
		a.repairController(f)
		a.refuse("reconcile-kick", "the controller would meet the same refusal: 0 of its attempts got through")
	case "drift-removed":
		a.kick(f, b)
	case "tgb-no-networking", "tgb-empty-ports":
		a.bind(f, b)
	case "hc-port-not-covered":
		if a.deadPort(f, b) {
			return
		}
		a.own(f, b)
	case "traffic-port-not-covered", "custom-sg-unmanaged", "stale-cidr", "wrong-sg", "unmanaged":
		a.own(f, b)
	}
	a.allow(f, b)
	if b.why.reason == "hc-port-not-covered" {
		a.checkTrafficPort(f, g)
	}
}

// own offers what makes the controller look after the rule.
func (a *analysis) own(f diagnostics.Finding, b *block) {
	if b.pairs[0].t.group.binding.Networking == nil {
		a.manage(f, b)
	} else {
		a.bind(f, b)
	}
}

// deadPort recognises a health check port that is closed and on which nothing listens: to open it would turn silence into
// a refusal. It offers to ask on the port of the traffic.
func (a *analysis) deadPort(f diagnostics.Finding, b *block) bool {
	t := b.pairs[0].t
	pod, _, hcPort := t.behind()
	if !undeclared(pod, hcPort) || probesTCP(pod, hcPort) {
		return false
	}
	if pr := probeOf(pod, hcPort); pr != nil && pr.port == hcPort {
		return false
	}
	n := len(a.out.Fixes)
	a.checkTrafficPort(f, t.group)
	if len(a.out.Fixes) == n {
		return false
	}
	a.refuse("allow-pod-port", "no container of %s listens on the health check port %d (they declare %s): opened, it would refuse %d of %d targets' checks", t.group.subject(), hcPort, portEvidence(pod).Value, len(b.targets()), len(t.group.registered()))
	return true
}

// kick offers to have the controller look again: it skips bindings whose checkpoint says that nothing changed.
func (a *analysis) kick(f diagnostics.Finding, b *block) {
	g := b.pairs[0].t.group
	binding := g.binding
	if binding.Networking == nil || a.s.missed("list events") {
		return
	}
	if c := a.s.Controller; c != nil && c.Ready == 0 {
		a.refuse("reconcile-kick", "the controller has 0 of %d replicas ready: nobody would look", c.Desired)
		return
	}
	if c := a.s.Controller; c != nil && older(c.Version, 2, 9) {
		a.refuse("reconcile-kick", "the controller is %s, and 2.9 is the first that keeps such a checkpoint", c.Version)
		return
	}
	was := binding.Annotations["elbv2.k8s.aws/checkpoint"]
	if was == "" {
		return // it isn't skipping anything
	}
	empty := ""
	a.offer(f, diagnostics.Fix{
		ID: "reconcile-kick", Title: "Have the controller put its rule back", Owner: ownerController, Frees: len(b.targets()), Needs: len(b.targets()),
		Proof:   fmt.Sprintf("TargetGroupBinding %s asks for tcp %s and no warning stands against it; the controller only believes that the rule is there%s%s", binding.Name, portList(b.ports()), a.ruleIn(b, b.subject), a.behindToo(b)),
		Changes: []string{fmt.Sprintf("TargetGroupBinding %s/%s: annotation elbv2.k8s.aws/checkpoint emptied, so that the controller reconciles it", binding.Namespace, binding.Name)},
		Blast:   "one binding is reconciled again; the controller recomputes its own rules in the cluster's security groups" + a.remover(b),
		Undo:    "none needed: the controller writes the annotation itself", SettlesIn: "12m0s",
		Commands: []string{fmt.Sprintf("kubectl annotate targetgroupbinding %s -n %s elbv2.k8s.aws/checkpoint= --overwrite", binding.Name, binding.Namespace)},
		Action:   &remedy.Action{Annotate: &remedy.Annotate{APIVersion: cmp.Or(binding.APIVersion, "elbv2.k8s.aws/v1beta1"), Resource: "targetgroupbindings", Namespace: binding.Namespace, Name: binding.Name, Key: "elbv2.k8s.aws/checkpoint", Value: &empty, Was: &was}},
	})
}

// manage offers to let the controller own the rules of an ingress that brings its own security groups.
func (a *analysis) manage(f diagnostics.Finding, b *block) {
	ing, g := a.s.Ingress, b.pairs[0].t.group
	const key = "manage-backend-security-group-rules"
	if ing == nil || ing.Annotations[annotation("security-groups")] == "" || ing.Annotations[annotation(key)] == "true" || !a.managedByIngress(g.binding) {
		return
	}
	if n := len(a.s.Balancer.Groups); n >= maxGroups {
		a.refuse("manage-rules", "the load balancer already carries %d security groups of %d, and the controller would add its own", n, maxGroups)
		return
	}
	if groups := b.pairs[0].hop.Groups; len(groups) > 1 && len(a.tagged(groups)) != 1 {
		a.refuse("manage-rules", "the controller would refuse to choose between the %d groups on %s: %d carry the cluster tag", len(groups), b.pairs[0].t.eni.ID, len(a.tagged(groups)))
		return
	}
	if c := a.s.Controller; c != nil {
		if slices.Contains(c.Args, "--enable-backend-security-group=false") {
			a.refuse("manage-rules", "the controller runs with --enable-backend-security-group=false: 0 backend groups to use")
			return
		}
		if c.Ready == 0 {
			a.refuse("manage-rules", "the controller has 0 of %d replicas ready: nobody would apply it", c.Desired)
			return
		}
	}
	if e, ok := a.standing("Ingress", ing.Namespace, ing.Name); ok {
		a.refuse("manage-rules", "the controller can't apply the ingress as it is (%d times %s): nothing would change", max(count(e), 1), e.Reason)
		return
	}
	const added = "the shared backend group"
	fw := a.s.Firewall
	for _, port := range b.ports() {
		fw = fw.With(vpc.SecurityGroupRule{ID: "new rule", Group: b.subject, Protocol: "tcp", From: port, To: port, Source: added})
	}
	// The controller makes its backend group without inbound rules; outbound it lets everything pass.
	rules := map[string][]vpc.SecurityGroupRule{added: {
		{ID: "new egress", Group: added, Egress: true, Protocol: "-1", From: -1, To: -1, CIDR: netip.MustParsePrefix("0.0.0.0/0")},
		{ID: "new egress", Group: added, Egress: true, Protocol: "-1", From: -1, To: -1, CIDR: netip.MustParsePrefix("::/0")},
	}}
	maps.Copy(rules, fw.Rules)
	fw.Rules = rules
	opened, all := 0, 0
	for _, port := range b.ports() {
		o, n, still := a.prove(b, port, fw, []string{added})
		opened, all = opened+o, all+n
		if o < n {
			a.refuse("manage-rules", "%d of %d paths would stay blocked: %s", n-o, n, still)
			return
		}
	}
	owner := objectOwner(ing)
	value := "true"
	var was *string
	if v, ok := ing.Annotations[annotation(key)]; ok {
		was = &v
	}
	x := diagnostics.Fix{
		ID: "manage-rules", Title: "Let the controller manage the rules of the targets", Owner: owner, Frees: len(b.targets()), Needs: len(b.targets()),
		Proof:   fmt.Sprintf("the controller then adds its backend group to the load balancer and a rule for tcp %s to %s, which opens %d of %d blocked paths%s", portList(b.ports()), b.subject, opened, all, a.behindToo(b)),
		Changes: []string{fmt.Sprintf("Ingress %s/%s: annotation %s unset → \"true\"", ing.Namespace, ing.Name, annotation(key))},
		Blast:   fmt.Sprintf("load balancer %s gets one more security group (%d of %d in use) and %s a rule; the whole ingress is reconciled, with every change that waits in it", a.balancerName(), len(a.s.Balancer.Groups), maxGroups, b.subject) + drift(owner),
		Undo:    "remove the annotation: the controller takes its group and rule back", SettlesIn: a.settles(g),
		Commands: []string{fmt.Sprintf("kubectl annotate ingress %s -n %s %s=true", ing.Name, ing.Namespace, annotation(key))},
		Action:   &remedy.Action{Annotate: &remedy.Annotate{APIVersion: "networking.k8s.io/v1", Resource: "ingresses", Namespace: ing.Namespace, Name: ing.Name, Key: annotation(key), Value: &value, Was: was}},
	}
	for _, m := range a.s.Members { // all members of a group must say the same
		if m.Annotations[annotation(key)] == "true" {
			continue
		}
		x.Action = nil
		x.Commands = append(x.Commands, fmt.Sprintf("kubectl annotate ingress %s -n %s %s=true", m.Name, m.Namespace, annotation(key)))
		x.Changes = append(x.Changes, fmt.Sprintf("Ingress %s/%s of the same group: the same annotation, or the group conflicts", m.Namespace, m.Name))
	}
	a.offer(f, x)
}

// bind offers the text for a hand-written binding.
func (a *analysis) bind(f diagnostics.Finding, b *block) {
	g := b.pairs[0].t.group
	source := a.source()
	var ports []string
	for _, p := range b.ports() {
		ports = append(ports, fmt.Sprintf(`{"port":%d,"protocol":"TCP"}`, p))
	}
	owner := ownerNone
	if declarativeTags(g.Tags) {
		owner = ownerTerraform
	}
	patch := fmt.Sprintf(`{"spec":{"networking":{"ingress":[{"from":[{"securityGroup":{"groupID":"%s"}}],"ports":[%s]}]}}}`, source, strings.Join(ports, ","))
	a.offer(f, diagnostics.Fix{
		ID: "bind-target-group", Title: fmt.Sprintf("Name the ports in TargetGroupBinding %s", g.binding.Name), Owner: owner, Frees: len(b.targets()), Needs: len(b.targets()),
		Proof:   fmt.Sprintf("with tcp %s named, the controller makes the rule that %d blocked paths lack%s", portList(b.ports()), len(b.pairs), a.ruleIn(b, b.subject)),
		Changes: []string{fmt.Sprintf("TargetGroupBinding %s/%s: spec.networking.ingress.ports → %s, from %s", g.binding.Namespace, g.binding.Name, portList(b.ports()), source)},
		Blast:   fmt.Sprintf("the controller adds one rule to %s", b.subject) + drift(owner), Undo: "put the old spec back",
		Commands: []string{fmt.Sprintf("kubectl patch targetgroupbinding %s -n %s --type merge -p '%s'", g.binding.Name, g.binding.Namespace, patch)},
	})
}

// declarativeTags reports whether tags say that Terraform or CloudFormation made the thing.
func declarativeTags(tags map[string]string) bool {
	return declarative(groupOwner(vpc.SecurityGroup{Tags: tags}))
}
