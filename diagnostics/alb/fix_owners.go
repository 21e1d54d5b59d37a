package alb

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/elb"
	"github.com/netdiag/netdiag/internal/vpc"
)

// fixOwners offers to share a target group: then each controller takes out only what it registered itself.
func (a *analysis) fixOwners(f diagnostics.Finding) {
	g := a.groupFor(f)
	if g == nil {
		return
	}
	bindings := a.rivals(g)
	if len(bindings) == 0 && g.binding != nil {
		bindings = []elb.TargetGroupBinding{*g.binding}
	}
	fight, _ := a.fight(g)
	x := diagnostics.Fix{
		ID: "multi-cluster-target-group", Title: "Let both owners share the target group", Owner: ownerNone, SettlesIn: "2m0s", Needs: len(g.registered()),
		Blast: fmt.Sprintf("every controller that fills %s keeps a ConfigMap aws-lbc-targets-<binding> with what it registered, and reconciles it more slowly", g.Name),
		Risk:  "targets that were registered before may stay behind: compare the targets with the endpoints of both Services afterwards, and again when it is ever switched off",
		Undo:  "set it to false again, on all of them", Proof: fmt.Sprintf("with multiClusterTargetGroup false (its default) a controller takes out whatever isn't an endpoint of its own: %d of %d registered targets here", len(a.strangersIn(g)), len(g.registered())),
	}
	if c := a.s.Controller; c != nil && older(c.Version, 2, 10) {
		a.refuse(x.ID, "the controller is %s, and it takes 2.10 to share a target group", c.Version)
		return
	}
	for _, b := range bindings {
		if b.MultiCluster {
			continue
		}
		x.Owner = bindingOwner(b.Labels, b.Annotations)
		if ofController(b) && a.s.Ingress != nil {
			x.Owner = objectOwner(a.s.Ingress)
			x.Changes = append(x.Changes, fmt.Sprintf("Ingress %s/%s: annotation %s unset → \"true\" (the controller sets it on its binding %s)", a.s.Ingress.Namespace, a.s.Ingress.Name, annotation("multi-cluster-target-group"), b.Name))
			x.Commands = append(x.Commands, fmt.Sprintf("kubectl annotate ingress %s -n %s %s=true --overwrite", a.s.Ingress.Name, a.s.Ingress.Namespace, annotation("multi-cluster-target-group")))
			continue
		}
		x.Changes = append(x.Changes, fmt.Sprintf("TargetGroupBinding %s/%s: spec.multiClusterTargetGroup false → true", b.Namespace, b.Name))
		x.Commands = append(x.Commands, fmt.Sprintf(`kubectl patch targetgroupbinding %s -n %s --type merge -p '{"spec":{"multiClusterTargetGroup":true}}'`, b.Name, b.Namespace))
	}
	if len(fight.parties) > 1 {
		x.Changes = append(x.Changes, fmt.Sprintf("the same on every other TargetGroupBinding of %s: that of %s (a tool that isn't a controller must leave the targets alone)", g.Name, nonempty(joined(fight.others), "the other cluster")))
		x.Commands = append(x.Commands, fmt.Sprintf("kubectl --context <other cluster> get targetgroupbindings -A -o json | jq '.items[] | select(.spec.targetGroupARN==\"%s\") | .metadata'", g.ARN))
		a.refuse("reconcile-kick", "the controller would register again what the other owner takes out: %d parties changed the group in the last 48 hours", len(fight.parties))
	}
	if len(bindings) > 1 {
		x.Changes = append(x.Changes, "or, if only one of the Services is meant: delete the other binding, and give its Service a target group of its own, with weights in the rule")
	}
	x.Blast += drift(x.Owner)
	a.offer(f, x)
	a.refuse("allow-pod-port", "%d owners change the targets of %s: no security group rule keeps them in", max(len(bindings), len(fight.parties)), g.Name)
}

// strangersIn lists the registered targets that aren't endpoints of the Service.
func (a *analysis) strangersIn(g *group) []*target {
	_, surplus := g.gap()
	return surplus
}

// older reports whether a version such as v2.8.1 is known and below major.minor.
func older(version string, major, minor int) bool {
	parts := strings.Split(strings.TrimPrefix(version, "v"), ".")
	if len(parts) < 2 {
		return false
	}
	x, err := strconv.Atoi(parts[0])
	y, err2 := strconv.Atoi(parts[1])
	return err == nil && err2 == nil && (x < major || (x == major && y < minor))
}

// fixDetached offers to put a target group into a rule that nothing forwards to.
func (a *analysis) fixDetached(f diagnostics.Finding) {
	g := a.groupFor(f)
	if g == nil {
		return
	}
	well := len(g.registered())
	x := diagnostics.Fix{
		ID: "bind-target-group", Title: "Forward to target group " + g.Name + " in a rule, or remove its binding", Owner: groupOwner(vpc.SecurityGroup{Tags: g.Tags}), Frees: well, Needs: well, SettlesIn: "2m0s",
		Proof: fmt.Sprintf("%d targets are registered and 0 load balancers use the group; health checks begin with the first rule", well),
		Blast: "the requests that match the new rule", Undo: "delete the rule again", Risk: "a rule with a smaller number takes requests away from those after it",
	}
	name := "<name>"
	if g.service != "" {
		name = g.service
	}
	action := fmt.Sprintf(`{"type":"forward","forwardConfig":{"targetGroups":[{"targetGroupARN":"%s","weight":1}]}}`, g.ARN)
	if a.s.Ingress != nil {
		x.Owner = objectOwner(a.s.Ingress)
		x.Changes = []string{fmt.Sprintf("Ingress %s/%s: annotation %s %s, and a path with backend %s and port name use-annotation", a.s.Ingress.Namespace, a.s.Ingress.Name, annotation("actions."+name), action, name)}
		x.Commands = []string{fmt.Sprintf("kubectl annotate ingress %s -n %s %s", a.s.Ingress.Name, a.s.Ingress.Namespace, quote(annotation("actions."+name)+"="+action))}
	} else {
		x.Changes = []string{"a listener rule that forwards to " + g.Name + ", by whoever made the load balancer", fmt.Sprintf("or, on a load balancer of the controller, in its ingress: annotation %s %s and a path with port name use-annotation", annotation("actions."+name), action)}
		x.Commands = []string{"aws elbv2 describe-listeners --load-balancer-arn <load balancer>",
			fmt.Sprintf("aws elbv2 create-rule --listener-arn <listener> --priority <free number> --conditions Field=path-pattern,Values='/<path>*' --actions Type=forward,TargetGroupArn=%s", g.ARN)}
	}
	x.Blast += drift(x.Owner)
	if b := g.binding; b != nil {
		x.Commands = append(x.Commands, fmt.Sprintf("kubectl get targetgroupbinding %s -n %s -o yaml", b.Name, cmp.Or(b.Namespace, "default")))
	}
	a.refuse("allow-pod-port", "0 load balancers use %s: nothing is sent to its %d targets, not even health checks", g.Name, well)
	a.offer(f, x)
}
