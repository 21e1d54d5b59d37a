package alb

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
)

// mendScale fills in what gives a Service without pods some.
func (a *analysis) mendScale(x *diagnostics.Fix, g *group) {
	list := a.workloads(g)
	if len(list) == 0 {
		x.Changes = []string{fmt.Sprintf("Service %s/%s: a selector that matches pods, or EndpointSlices written for it", g.namespace, g.service)}
		x.Proof = fmt.Sprintf("the Service has no selector and %d endpoints", len(g.endpoints))
		x.Commands = []string{fmt.Sprintf("kubectl get endpointslices -n %s -l kubernetes.io/service-name=%s", g.namespace, g.service)}
		return
	}
	w := list[0]
	x.Title, x.Owner = fmt.Sprintf("Scale %s/%s up, or take it out of the rule", w.namespace, w.name), objectOwner(w.object)
	x.Changes = []string{fmt.Sprintf("%s: replicas 0 → at least 1, or weight 0 in the action annotation", w)}
	x.Commands = []string{fmt.Sprintf("kubectl scale %s %s -n %s --replicas 1", strings.ToLower(w.kind), w.name, w.namespace)}
	x.Undo, x.SettlesIn = fmt.Sprintf("kubectl scale %s %s -n %s --replicas 0", strings.ToLower(w.kind), w.name, w.namespace), "3m0s"
	x.Proof = fmt.Sprintf("the selector matches the pods of %s, of which %d are wanted and %d there", w, w.wanted, w.there)
	x.Blast, x.Risk = "the workload alone"+drift(x.Owner), "it was scaled to 0 for a reason: ask first"
	x.Frees, x.Needs = 1, 1
	if who, _ := scaler(w.object); strings.Contains(strings.ToLower(who), "keda") {
		x.Changes[0] = fmt.Sprintf("ScaledObject of %s: minReplicaCount 0 → 1: KEDA scales it to 0 again otherwise", w)
		x.Commands = []string{fmt.Sprintf("kubectl get scaledobjects -n %s", w.namespace)}
		x.Undo = "set minReplicaCount to 0 again"
	}
	if own, all := g.weights(); all > own {
		for _, other := range a.groups {
			if other != g && slices.Contains(forwards(g.heaviest()), other.ARN) && len(other.of(healthy)) > 0 {
				x.Changes = append(x.Changes, fmt.Sprintf("with weight 0 all of its %d parts of %d go to %s, which has %s healthy", own, all, other.Name, fraction(len(other.of(healthy)), len(other.registered()))))
			}
		}
	}
}

// mendNodes fills in what lets nodes be targets again, by what keeps each of them out.
func (a *analysis) mendNodes(x *diagnostics.Fix, g *group) {
	x.Title = "Let nodes be targets, or register pods instead"
	x.Risk = "target-type ip makes a new target group: clients may get 503 for a moment"
	x.Blast = "every instance target group of the cluster"
	x.SettlesIn = "2m0s"
	wanted := g.nodeLabels()
	by := map[string][]string{} // names of nodes by what keeps them out
	for i := range a.s.Nodes {
		n := &a.s.Nodes[i]
		reason := leftOut(n, wanted)
		if reason == "" {
			reason = "not Ready"
		}
		by[reason] = append(by[reason], n.Name)
	}
	ip := fmt.Sprintf("annotation %s: ip", annotation("target-type"))
	for _, reason := range sortedKeys(by) {
		names := by[reason]
		kind, what, _ := strings.Cut(reason, " ")
		switch {
		case kind == "label":
			x.Changes = append(x.Changes, fmt.Sprintf("%s: label %s removed", plural(len(names), "node"), what))
			x.Commands = append(x.Commands, fmt.Sprintf("kubectl label node %s %s-", strings.Join(names, " "), what))
			x.Undo = fmt.Sprintf("kubectl label node %s %s=true", strings.Join(names, " "), what)
		case kind == "taint":
			x.Changes = append(x.Changes, fmt.Sprintf("%s: being taken away by the autoscaler (taint %s); wait for the new ones, or see why none comes", plural(len(names), "node"), what))
			x.Commands = append(x.Commands, "kubectl get nodes -o wide")
		case reason == "Fargate":
			x.Changes = append(x.Changes, fmt.Sprintf("%s of Fargate can never be instance targets: %s", plural(len(names), "node"), ip))
		case kind == "not" && what == "Ready":
			x.Changes = append(x.Changes, fmt.Sprintf("%s not Ready: see why", plural(len(names), "node")))
			x.Commands = append(x.Commands, "kubectl describe node "+names[0])
		default:
			a.mendNodeLabels(x, wanted, len(names))
		}
	}
	if !slices.ContainsFunc(x.Changes, func(s string) bool { return strings.Contains(s, ip) }) {
		x.Changes = append(x.Changes, "or "+ip)
	}
	x.Proof = fmt.Sprintf("%d of %d nodes are left out, and 0 are registered", len(a.s.Nodes), len(a.s.Nodes))
	x.Frees, x.Needs = len(a.s.Nodes), len(a.s.Nodes)
	if a.s.Ingress != nil {
		x.Commands = append(x.Commands, fmt.Sprintf("kubectl annotate ingress %s -n %s %s=ip --overwrite", a.s.Ingress.Name, a.s.Ingress.Namespace, annotation("target-type")))
	}
	a.refuse("allow-pod-port", "%s has 0 registered targets because %d of %d nodes are left out: no security group rule registers any", g.Name, len(a.s.Nodes), len(a.s.Nodes))
}

// mendNodeLabels fills in the labels that nodes have instead of those that target-node-labels wants.
func (a *analysis) mendNodeLabels(x *diagnostics.Fix, wanted map[string]string, n int) {
	have := map[string]string{}
	for k := range wanted {
		count := map[string]int{}
		for _, node := range a.s.Nodes {
			if v, ok := node.Labels[k]; ok {
				count[v]++
			}
		}
		for _, v := range sortedKeys(count) {
			if have[k] == "" || count[v] > count[have[k]] {
				have[k] = v
			}
		}
	}
	key := annotation("target-node-labels")
	if len(have) < len(wanted) || a.s.Ingress == nil {
		x.Changes = append(x.Changes, fmt.Sprintf("%s without the labels %s: label those that should be targets, or correct %s", plural(n, "node"), labels(wanted), key))
		x.Commands = append(x.Commands, fmt.Sprintf("kubectl label node <node> %s", strings.ReplaceAll(labels(wanted), ",", " ")))
		return
	}
	x.Changes = append(x.Changes, fmt.Sprintf("annotation %s %s → %s, which nodes have", key, labels(wanted), labels(have)))
	x.Commands = append(x.Commands, fmt.Sprintf("kubectl annotate ingress %s -n %s %s --overwrite", a.s.Ingress.Name, a.s.Ingress.Namespace, quote(key+"="+labels(have))))
	x.Undo = fmt.Sprintf("kubectl annotate ingress %s -n %s %s --overwrite", a.s.Ingress.Name, a.s.Ingress.Namespace, quote(key+"="+labels(wanted)))
}
