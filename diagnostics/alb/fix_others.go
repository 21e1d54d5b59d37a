package alb

import (
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

// isOwner matches the owner reference of a Deployment.
func isOwner(d *appsv1.Deployment) func(metav1.OwnerReference) bool {
	return func(r metav1.OwnerReference) bool { return r.Kind == "Deployment" && r.Name == d.Name }
}

// fixEgress offers the text of an outbound rule of the load balancer's own group.
func (a *analysis) fixEgress(f diagnostics.Finding) {
	b := a.blockOf(f)
	owner := groupOwner(a.s.group(b.subject))
	to := a.chosen(sorted(slices.Clone(b.pairs[0].t.eni.Groups)))
	var changes, commands []string
	for _, port := range b.ports() {
		changes = append(changes, fmt.Sprintf("security group %s: outbound tcp %d to %s", b.subject, port, to))
		commands = append(commands, fmt.Sprintf("aws ec2 authorize-security-group-egress --group-id %s --ip-permissions 'IpProtocol=tcp,FromPort=%d,ToPort=%d,UserIdGroupPairs=[{GroupId=%s}]'", b.subject, port, port, to))
	}
	a.offer(f, diagnostics.Fix{
		ID: "allow-alb-egress", Title: "Let the load balancer out to its targets", Owner: owner, Frees: len(b.targets()), Needs: len(b.targets()),
		Proof: fmt.Sprintf("%d paths are blocked at the outbound rules of %s", len(b.pairs), b.subject), Changes: changes, Commands: commands,
		Blast: "every load balancer that carries " + b.subject + drift(owner), Undo: "revoke the rule by its id", Risk: "changes a group of the network team",
	})
	a.refuse("allow-pod-port", "%d of %d paths are blocked before they reach the targets, at the outbound rules of %s: an inbound rule there would open none", len(b.pairs), len(b.pairs), b.subject)
}

// fixACL offers the text for the network team: an ACL concerns a whole subnet, so the bot keeps out of it.
func (a *analysis) fixACL(f diagnostics.Finding) {
	b := a.blockOf(f)
	back := b.cause == "nacl.return"
	var changes []string
	for _, p := range b.pairs {
		egress, span := "inbound", portList([]int{p.path.port})
		if p.hop.Kind == "source-acl-out" || p.hop.Kind == "target-acl-return-out" {
			egress = "outbound"
		}
		peer := a.subnetOf(a.s.network(p.path.from).Subnet)
		if back {
			span = "1024-65535"
		}
		if p.hop.Kind == "source-acl-out" || p.hop.Kind == "source-acl-return-in" {
			peer = a.subnetOf(p.t.eni.Subnet)
		}
		changes = append(changes, fmt.Sprintf("network ACL %s: %s, allow tcp %s for %s, with a number below the entry that denies", b.subject, egress, span, peer))
	}
	a.offer(f, diagnostics.Fix{
		ID: "edit-nacl", Title: "Let the load balancer's traffic through " + b.subject, Frees: len(b.targets(felt)), Needs: len(b.targets(felt)),
		Proof: fmt.Sprintf("%d paths are blocked there, and nowhere before", len(b.pairs)), Changes: sorted(changes),
		Blast: "every address of the subnets that " + b.subject + " guards; an ACL keeps no state, so both directions count", Undo: "delete the entry by its number", Risk: "whole subnets",
		Commands: []string{"aws ec2 describe-network-acls --network-acl-ids " + b.subject},
	})
	a.refuse("allow-pod-port", "the security groups admit the load balancer; %d paths are blocked at network ACL %s", len(b.pairs), b.subject)
}

// subnetOf is the block of a subnet, or its id where that was not read.
func (a *analysis) subnetOf(id string) string {
	for _, s := range a.s.Subnets {
		if s.ID == id {
			return s.CIDR.String()
		}
	}
	return id
}

// fixPolicy offers the text of a policy that lets the load balancer's subnets in; its addresses change, its subnets don't.
func (a *analysis) fixPolicy(f diagnostics.Finding) {
	g := a.groupFor(f)
	var blocks []string
	for _, id := range a.s.Front {
		blocks = append(blocks, a.subnetOf(a.s.network(id).Subnet))
	}
	blocks = sorted(blocks)
	var ports []int
	for _, t := range g.registered() {
		ports = append(ports, t.ports()...)
	}
	slices.Sort(ports)
	ports = slices.Compact(ports)
	a.offer(f, diagnostics.Fix{
		ID: "allow-network-policy", Title: "Let the subnets of the load balancer in by a NetworkPolicy", Owner: ownerNone, Frees: len(g.bad()), Needs: len(g.bad()),
		Proof:   fmt.Sprintf("no policy that selects the pods has an ipBlock with the %d addresses of the load balancer", len(a.front())),
		Changes: []string{fmt.Sprintf("one more NetworkPolicy in %s for the pods of %s: ingress from ipBlock %s on tcp %s", g.namespace, g.subject(), joined(blocks), portList(ports))},
		Blast:   "the selected pods only", Undo: "delete the policy", Risk: "opens the pods to these subnets",
		Commands: []string{fmt.Sprintf("kubectl get networkpolicies -n %s -o yaml", g.namespace)},
	})
	a.refuse("allow-pod-port", "the security groups admit the load balancer on %d of %d targets already; the NetworkPolicy stops it behind them", len(g.registered()), len(g.registered()))
}

// fixNodes offers the text of a rule between nodes.
func (a *analysis) fixNodes(f diagnostics.Finding) {
	g := a.groupFor(f)
	port := g.Port
	if r := g.ready(); len(r) > 0 {
		port = r[0].port
	}
	owner := groupOwner(a.s.group(f.Subject))
	a.offer(f, diagnostics.Fix{
		ID: "allow-pod-port", Title: fmt.Sprintf("Let nodes reach pods of other nodes on tcp %d", port), Owner: owner, Frees: len(f.Affects), Needs: len(f.Affects),
		Changes: []string{fmt.Sprintf("security group %s: inbound tcp %d from %s", f.Subject, port, f.Subject), "or target-type ip, which leaves out the second hop"},
		Blast:   "all nodes with " + f.Subject + drift(owner), Undo: "revoke the rule by its id",
		Commands: []string{fmt.Sprintf("aws ec2 authorize-security-group-ingress --group-id %s --protocol tcp --port %d --source-group %s", f.Subject, port, f.Subject)},
	})
}

// repairController offers what the platform team has to do about the controller.
func (a *analysis) repairController(f diagnostics.Finding) {
	x := diagnostics.Fix{ID: "repair-controller", Title: "Repair the load balancer controller", Owner: ownerNone, Undo: "none needed", SettlesIn: "10m0s", Risk: "the controller serves the whole cluster"}
	name := "deployment/aws-load-balancer-controller -n kube-system"
	if c := a.s.Controller; c != nil {
		name = fmt.Sprintf("deployment/%s -n %s", c.Name, c.Namespace)
	}
	switch strings.TrimPrefix(f.ID, "alb/") {
	case "lbc.webhook":
		x.Title = "Let the API server reach the webhook of the controller"
		x.Changes = []string{"security group of the nodes: inbound tcp 9443 from the cluster security group, and ready pods of the controller"}
	case "lbc.down", "target.reused-ip", "target.stale-ip":
		x.Changes = []string{"get a replica of the controller ready; it then registers and deregisters what is due"}
	default:
		x.Changes = []string{"IAM policy of the controller as of its version (docs/install/iam_policy.json), and the trust of its role in the service account"}
		if a.autoMode() {
			x.Changes = []string{"cluster role: allow ec2:AuthorizeSecurityGroupIngress and ec2:RevokeSecurityGroupIngress on the security group of the nodes"}
		}
	}
	x.Commands = []string{"kubectl logs " + name + " --tail 100", "kubectl get " + strings.Replace(name, " -n", " -o wide -n", 1)}
	a.offer(f, x)
}

// propose offers the fixes that are a text and nothing more.
func (a *analysis) propose(f diagnostics.Finding) {
	x := diagnostics.Fix{Owner: ownerNone, Undo: "undo the change"}
	ingress := ""
	if a.s.Ingress != nil {
		ingress = fmt.Sprintf("ingress %s -n %s", a.s.Ingress.Name, a.s.Ingress.Namespace)
		x.Owner = objectOwner(a.s.Ingress)
	}
	switch strings.TrimPrefix(f.ID, "alb/") {
	case "lbc.iam", "lbc.webhook", "lbc.down", "target.reused-ip", "target.stale-ip":
		a.repairController(f)
		return
	case "ingress.not-reconciled":
		a.fixIngress(f)
		return
	case "rule.shadowed":
		a.fixOrder(f)
		return
	case "ingress.group-conflict":
		x.ID, x.Title = "fix-ingress-group", "Make the ingresses of the group agree"
		x.Changes = []string{f.Summary}
		x.Commands = []string{"kubectl get ingresses -A -o yaml", "kubectl edit " + ingress}
	case "az.not-enabled":
		x.ID, x.Title = "enable-zone", "Enable the zone for the load balancer"
		x.Changes = []string{"a subnet of that zone in annotation " + annotation("subnets") + ", or the tag kubernetes.io/role/elb on it (8 free addresses needed)"}
		x.Commands = []string{"aws ec2 describe-subnets --filters Name=tag-key,Values=kubernetes.io/role/elb"}
	case "tg.detached":
		x.ID, x.Title = "bind-target-group", "Attach the target group to a rule, or remove its binding"
		x.Changes = []string{"a listener rule that forwards to " + f.Subject}
		x.Commands = []string{"kubectl get targetgroupbindings -A"}
	case "tg.two-owners":
		x.ID, x.Title = "multi-cluster-target-group", "Let both owners share the target group"
		x.Changes = []string{"spec.multiClusterTargetGroup: true on every TargetGroupBinding of " + f.Subject + ", in all clusters"}
		x.Commands = []string{"kubectl get targetgroupbindings -A"}
	case "tls.mismatch", "tls.plain-to-tls", "proto.version":
		a.fixProtocol(f, x)
		return
	default:
		return
	}
	a.offer(f, x)
}

// fixProtocol offers the protocol that the pods speak; it makes a new target group, so it is no button.
func (a *analysis) fixProtocol(f diagnostics.Finding, x diagnostics.Fix) {
	key, value := "backend-protocol", "HTTP"
	switch strings.TrimPrefix(f.ID, "alb/") {
	case "tls.plain-to-tls":
		value = "HTTPS"
	case "proto.version":
		key, value = "backend-protocol-version", "HTTP1"
	}
	x.ID, x.Title = "set-protocol", fmt.Sprintf("Speak %s to the targets", value)
	x.Changes = []string{fmt.Sprintf("annotation %s: %s", annotation(key), value)}
	x.Blast = "the controller makes a new target group, during which clients may get 503 for a moment: do it in a quiet hour, or with a second ingress and weights"
	x.Risk = "a short outage"
	if a.s.Ingress != nil {
		x.Commands = []string{fmt.Sprintf("kubectl annotate ingress %s -n %s %s=%s --overwrite", a.s.Ingress.Name, a.s.Ingress.Namespace, annotation(key), value)}
	}
	a.offer(f, x)
}

// fixIngress offers what the controller's message asks for.
func (a *analysis) fixIngress(f diagnostics.Finding) {
	x := diagnostics.Fix{Owner: objectOwner(a.s.Ingress), Undo: "undo the change"}
	msg := f.Summary
	switch {
	case f.Reason == "balancer-missing" || f.Reason == "no-address" || f.Reason == "no-rule":
		a.repairController(f)
		return
	case strings.Contains(msg, "service type must be either") || strings.Contains(msg, "unable to find port") || strings.Contains(msg, "not found"):
		x.ID, x.Title = "edit-service", "Correct the Service that the ingress names"
		x.Changes = []string{msg}
		x.Commands = []string{fmt.Sprintf("kubectl get services -n %s", a.s.Ingress.Namespace)}
	case strings.Contains(msg, "subnet"):
		x.ID, x.Title = "enable-zone", "Give the load balancer subnets in two zones"
		x.Changes = []string{"subnets with the tag kubernetes.io/role/elb (internal: kubernetes.io/role/internal-elb) and 8 free addresses each, or annotation " + annotation("subnets")}
		x.Commands = []string{"aws ec2 describe-subnets --filters Name=tag-key,Values=kubernetes.io/role/elb"}
	default:
		x.ID, x.Title = "fix-ingress-group", "Correct the ingress as the controller's message says"
		x.Changes = []string{msg}
		x.Commands = []string{fmt.Sprintf("kubectl edit ingress %s -n %s", a.s.Ingress.Name, a.s.Ingress.Namespace)}
	}
	a.offer(f, x)
}
