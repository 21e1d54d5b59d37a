package alb

import (
	"fmt"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/netdiag/netdiag/diagnostics"
)

// stopSleep is how many seconds a pod should go on serving after it was told to stop: until then every node of the load
// balancer has learned that it goes. 15 to 30 are enough.
const stopSleep = 25

// fixDrain offers what pods lack to go with care: a readiness gate holds a rollout until the new targets are healthy, a preStop
// sleep keeps the old pods serving until the load balancer has let go of them.
func (a *analysis) fixDrain(f diagnostics.Finding) {
	g := a.groupFor(f)
	d := a.deployment(g)
	x := diagnostics.Fix{
		ID: "graceful-drain", Title: "Let pods go only when the load balancer has let go of them", Owner: a.workloadOwner(g), SettlesIn: "5m0s",
		Undo: "take the label and the preStop hook out again", Blast: "every pod of the namespace that is made from now on gets the gate; the pods of " + g.subject() + " are rolled out once more, for the last time without care",
		Risk: fmt.Sprintf("rollouts take %d s longer a pod, and stand still where the controller is down", stopSleep),
	}
	total := a.total(elb502, elb504)
	inBursts := 0.0
	bursts := a.counts(elb502, elb504).Bursts()
	for _, b := range bursts {
		inBursts += b.Sum
	}
	x.Proof = fmt.Sprintf("%.0f of %.0f errors came in %s, when pods were taken away; between them there were none to speak of", inBursts, total, plural(len(bursts), "burst"))
	pods := g.selected()
	if g.TargetType == "ip" && (len(pods) == 0 || !gated(pods[0])) {
		key := "elbv2.k8s.aws/pod-readiness-gate-inject"
		if a.s.Class == autoController {
			key = "eks.amazonaws.com/pod-readiness-gate-inject"
		}
		x.Changes = append(x.Changes, fmt.Sprintf("Namespace %s: label %s=enabled, for pods that are made from then on", g.namespace, key))
		x.Commands = append(x.Commands, fmt.Sprintf("kubectl label namespace %s %s=enabled", g.namespace, key))
	}
	if d != nil {
		a.stopLater(&x, d)
	} else if len(pods) > 0 {
		x.Changes = append(x.Changes, fmt.Sprintf("workload of pod %s: preStop sleep of %d s, terminationGracePeriodSeconds %d", pods[0].Name, stopSleep, max(60, graceOf(&pods[0].Spec)+stopSleep)))
	}
	if len(x.Changes) > 0 {
		a.offer(f, x)
	} else {
		a.refuse("graceful-drain", "%s already go with care, with readiness gate and a preStop sleep: it was the ones before them that didn't, and the next rollout will show", plural(len(pods), "pod"))
	}
	a.refuse("rollback-deployment", "%.0f of %.0f errors came while pods were taken away, and going back takes them away once more", inBursts, total)
}

// stopLater adds the changes to a Deployment that let its pods stop with care.
func (a *analysis) stopLater(x *diagnostics.Fix, d *appsv1.Deployment) {
	spec := &d.Spec.Template.Spec
	stops, seconds := stopOf(spec)
	if c := containers(&corev1.Pod{Spec: *spec}); len(c) > 0 && (!stops || seconds >= 0 && seconds < shortStop || seconds >= graceOf(spec)) {
		sleep := max(stopSleep, seconds)
		grace := max(60, graceOf(spec)+sleep)
		x.Changes = append(x.Changes, fmt.Sprintf("Deployment %s/%s: container %s preStop sleep of %d s, terminationGracePeriodSeconds %d → %d", d.Namespace, d.Name, c[0].Name, sleep, graceOf(spec), grace))
		x.Commands = append(x.Commands, fmt.Sprintf(`kubectl patch deployment %s -n %s -p '{"spec":{"template":{"spec":{"terminationGracePeriodSeconds":%d,"containers":[{"name":"%s","lifecycle":{"preStop":{"sleep":{"seconds":%d}}}}]}}}}'`,
			d.Name, d.Namespace, grace, c[0].Name, sleep))
	}
	if r := d.Spec.Strategy.RollingUpdate; r != nil && r.MaxUnavailable != nil && *r.MaxUnavailable != intstr.FromInt32(0) && *r.MaxUnavailable != intstr.FromString("0%") {
		x.Changes = append(x.Changes, fmt.Sprintf("Deployment %s/%s: strategy.rollingUpdate.maxUnavailable %s → 0", d.Namespace, d.Name, r.MaxUnavailable.String()))
		x.Commands = append(x.Commands, fmt.Sprintf(`kubectl patch deployment %s -n %s -p '{"spec":{"strategy":{"rollingUpdate":{"maxUnavailable":0,"maxSurge":1}}}}'`, d.Name, d.Namespace))
	}
}

// fixDelay offers to give requests under way the time that they need when their target goes: the load balancer's and the pod's.
func (a *analysis) fixDelay(f diagnostics.Finding) {
	g := a.groupFor(f)
	const key = "deregistration_delay.timeout_seconds"
	delay, err := strconv.Atoi(g.Attributes[key])
	if err != nil {
		return
	}
	to := min(2*delay, 3600)
	if s := a.longest(); s > delay {
		to = min((s/60+1)*60, 3600)
	}
	change, command, owner := a.attribute(g, "target-group-attributes", key, strconv.Itoa(delay), strconv.Itoa(to))
	x := diagnostics.Fix{
		ID: "graceful-drain", Title: fmt.Sprintf("Let requests under way go on for %d s when their pod goes", to), Owner: owner, SettlesIn: "5m0s",
		Proof:   fmt.Sprintf("the load balancer cuts what still runs %d s after a pod was taken away, and %.0f requests did; %d s leave them %d s more", delay, a.total(elb502), to, to-delay),
		Changes: []string{change}, Commands: []string{command}, Undo: fmt.Sprintf("set it back to %d", delay),
		Blast: "every target of " + g.Name + " stays in draining for longer" + drift(owner), Risk: "scale-downs and rollouts end later",
	}
	if d := a.deployment(g); d != nil && graceOf(&d.Spec.Template.Spec) < to {
		x.Changes = append(x.Changes, fmt.Sprintf("Deployment %s/%s: terminationGracePeriodSeconds %d → %d, or the pod ends before its requests", d.Namespace, d.Name, graceOf(&d.Spec.Template.Spec), to+stopSleep))
		x.Commands = append(x.Commands, fmt.Sprintf(`kubectl patch deployment %s -n %s -p '{"spec":{"template":{"spec":{"terminationGracePeriodSeconds":%d}}}}'`, d.Name, d.Namespace, to+stopSleep))
	}
	a.offer(f, x)
}

// fixTermination offers to register pods instead of nodes, whose going the controller sees in time, or to have nodes leave the load
// balancer before they go. A readiness gate doesn't help: there is none for nodes.
func (a *analysis) fixTermination(f diagnostics.Finding) {
	g := a.groupFor(f)
	x := diagnostics.Fix{
		ID: "graceful-drain", Title: "Register pods instead of nodes, so that a node's going is seen in time", Owner: ownerNone, SettlesIn: "5m0s", Undo: "put the annotation back: a new target group again",
		Proof: fmt.Sprintf("%d of %d targets are nodes; as pods they are deregistered when the node is drained, before it stops", len(g.registered()), len(g.registered())),
		Risk:  "a new target group, during which clients may get 503 for a moment", Blast: "the target group is made anew",
	}
	if a.annotatable(g) {
		w := a.winner(g, "target-type")
		x.Owner = w.owner
		x.Changes = append(x.Changes, fmt.Sprintf("%s: annotation %s %s → ip", w.object(), annotation("target-type"), w.now("instance")))
		x.Commands = append(x.Commands, w.command("target-type", "ip"))
		x.Blast += drift(x.Owner)
	}
	x.Changes = append(x.Changes, "or: nodes are cordoned and drained before they stop (Karpenter terminationGracePeriod, aws-node-termination-handler, a lifecycle hook of the Auto Scaling group)",
		fmt.Sprintf("preStop sleep of %d s in the pods, deregistration_delay.timeout_seconds of %s not below the longest request", stopSleep, g.Name))
	x.Commands = append(x.Commands, "kubectl get nodes -o wide", "kubectl get events -A --field-selector involvedObject.kind=Node")
	a.offer(f, x)
}
