package alb

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
)

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
	case "target.reused-ip", "target.stale-ip":
		x.Title = "Have the controller deregister the address"
		x.Changes = []string{"the controller deregisters " + f.Subject + " when it reconciles the binding: its log says what keeps it from that (permissions, a queue that stands still)"}
		if c := a.s.Controller; c != nil && c.Ready == 0 {
			x.Changes = []string{"get a replica of the controller ready; it then registers and deregisters what is due"}
		}
		a.refuse("allow-pod-port", "%s is not the address of a pod of the Service: a rule for it would open 0 paths to one", f.Subject)
	case "lbc.down":
		x.Changes = []string{"get a replica of the controller ready; it then registers and deregisters what is due"}
	case "hc.not-applied":
		x.Title = "See why the controller doesn't apply the health check"
		x.Changes = []string{"the controller compares every target group when it reconciles the ingress, and then sets the health check as annotated: its log says what keeps it from that"}
		if f.Reason == "changed-outside" {
			x.Title = "Have the controller set the health check back"
			x.Changes = []string{"the next reconciliation puts the annotated health check back (any new annotation of the ingress starts one); whoever changed the target group must change the annotations instead"}
		}
	default:
		x.Changes = []string{"IAM policy of the controller as of its version (docs/install/iam_policy.json), and the trust of its role in the service account"}
		if a.autoMode() {
			x.Changes = []string{"cluster role: allow ec2:AuthorizeSecurityGroupIngress and ec2:RevokeSecurityGroupIngress on the security group of the nodes"}
		}
	}
	x.Commands = []string{"kubectl logs " + name + " --tail 100", "kubectl get " + strings.Replace(name, " -n", " -o wide -n", 1)}
	if b := a.blockOf(f); b != nil {
		x.Proof = "the controller holds the rule as soon as it may" + a.ruleIn(b, b.subject)
	}
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
	case "hc.not-applied":
		a.fixApplied(f)
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

// fixApplied offers what gets a health check into place that the annotations ask for.
func (a *analysis) fixApplied(f diagnostics.Finding) {
	switch f.Reason {
	case "refused":
		a.fixRefused(f)
	case "applying":
		a.refuse("set-health-check", "the annotations are right since a moment and the controller takes about 1 minute to apply them: wait and look again")
	default:
		a.repairController(f)
		a.refuse("set-health-check", "the annotations ask for the right thing already, which %d of %d targets don't get: another value would not get there either", len(f.Affects), len(a.groupFor(f).registered()))
	}
}

// fixProtocol offers the protocol that the pods speak. For the target group itself that makes a new one, so it is no button;
// where only the health check speaks another one, its annotation will do.
func (a *analysis) fixProtocol(f diagnostics.Finding, x diagnostics.Fix) {
	g := a.groupFor(f)
	key, value := "backend-protocol", "HTTP"
	switch id := strings.TrimPrefix(f.ID, "alb/"); {
	case id == "tls.mismatch" && f.Reason == "no-common-cipher":
		a.fixApp(f)
		return
	case id == "tls.mismatch" && g != nil && g.Protocol == "HTTP":
		a.annotate(f, g, "set-health-check", fmt.Sprintf("requests go to %s in plain HTTP already, only the health check speaks HTTPS", g.subject()), newSetting{"healthcheck-protocol", "HTTP"})
		return
	case id == "tls.plain-to-tls" && g != nil && g.Protocol == "HTTPS":
		a.annotate(f, g, "set-health-check", fmt.Sprintf("requests go to %s over HTTPS already, only the health check speaks plain HTTP", g.subject()), newSetting{"healthcheck-protocol", "HTTPS"})
		return
	case id == "tls.plain-to-tls":
		value = "HTTPS"
	case f.Reason == "serves-grpc":
		key, value = "backend-protocol-version", "GRPC"
	case id == "proto.version":
		key, value = "backend-protocol-version", "HTTP1"
	}
	x.ID, x.Title = "set-protocol", fmt.Sprintf("Speak %s to the targets", value)
	x.Proof = a.spoken(g)
	x.Changes = []string{fmt.Sprintf("annotation %s: %s", annotation(key), value)}
	x.Blast = "the controller makes a new target group, during which clients may get 503 for a moment: do it in a quiet hour, or with a second ingress and weights"
	x.Risk = "a short outage"
	if a.s.Ingress != nil && g != nil {
		w := a.winner(g, key)
		x.Owner = w.owner
		x.Undo = "put the annotation back as it was, which makes a new target group again"
		x.Blast += drift(w.owner)
		x.Changes = []string{fmt.Sprintf("%s: annotation %s %s → %s", w.object(), annotation(key), w.now("unset"), value)}
		x.Commands = []string{w.command(key, value)}
	}
	a.offer(f, x)
}

// fixRefused offers to correct a health check that AWS or the controller doesn't take. A timeout that isn't below the interval
// is the usual one.
func (a *analysis) fixRefused(f diagnostics.Finding) {
	g := a.groupOr(f)
	x := diagnostics.Fix{ID: "fix-ingress-group", Title: "Correct the health check that the annotations ask for", Owner: objectOwner(a.s.Ingress), Undo: "put the annotation back as it was", SettlesIn: a.settlesCheck(g),
		Risk: "everything that waits in the ingress is applied with it", Changes: []string{f.Summary}, Commands: []string{fmt.Sprintf("kubectl edit ingress %s -n %s", a.s.Ingress.Name, a.s.Ingress.Namespace)}}
	number := func(key string, none int) int {
		v, _ := a.setting(g, key)
		if n, err := strconv.Atoi(v); err == nil {
			return n
		}
		return none
	}
	timeout, interval := number("healthcheck-timeout-seconds", 5), number("healthcheck-interval-seconds", 15)
	if timeout >= interval && interval > 2 {
		w := a.winner(g, "healthcheck-timeout-seconds")
		to := strconv.Itoa(interval - 1)
		x.Title, x.Owner = "Keep the timeout of the health check below its interval", w.owner
		x.Proof = fmt.Sprintf("a timeout of %d s is asked for with an interval of %d s, and it must be smaller", timeout, interval)
		x.Changes = []string{fmt.Sprintf("%s: annotation %s %s → %s at most, or a longer %s", w.object(), annotation("healthcheck-timeout-seconds"), w.now("unset"), to, annotation("healthcheck-interval-seconds"))}
		x.Commands = []string{w.command("healthcheck-timeout-seconds", to)}
	}
	a.offer(f, x)
}

// spoken says what the readiness probe speaks that passes; empty where there is none.
func (a *analysis) spoken(g *group) string {
	if g == nil {
		return ""
	}
	ready, all := g.readyOf()
	for _, t := range g.bad() {
		pod, port, hcPort := t.behind()
		switch pr := probeOf(pod, hcPort, port); {
		case probesGRPC(pod, hcPort):
			return fmt.Sprintf("the readiness probe speaks gRPC on port %d, and %d of %d pods pass it", hcPort, ready, all)
		case pr != nil:
			return fmt.Sprintf("the readiness probe speaks %s on port %d, and %d of %d pods pass it", pr.scheme, pr.port, ready, all)
		}
	}
	return ""
}

// fixIngress offers what the controller's message asks for.
func (a *analysis) fixIngress(f diagnostics.Finding) {
	x := diagnostics.Fix{Undo: "undo the change", Owner: ownerNone}
	if a.s.Ingress != nil {
		x.Owner = objectOwner(a.s.Ingress)
	}
	msg := f.Summary
	switch {
	case f.Reason == "target-group-missing":
		b := a.s.Asked
		x.ID, x.Title = "bind-target-group", "Bind an existing target group, or remove the binding"
		x.Changes = []string{fmt.Sprintf("TargetGroupBinding %s/%s: spec.targetGroupARN can't be changed, so a new binding with the ARN of a target group that exists; one of the controller it makes anew by itself once it is deleted", b.Namespace, b.Name)}
		x.Commands = []string{fmt.Sprintf("kubectl get targetgroupbinding %s -n %s -o yaml", b.Name, b.Namespace)}
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
