package alb

import (
	"fmt"
	"maps"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

// eligible lists the nodes that the controller registers in an instance target group, and says of the others why not.
func (g *group) eligible() (nodes []*corev1.Node, why []string) {
	wanted := g.nodeLabels()
	var unknown []*corev1.Node
	for i := range g.m.s.Nodes {
		n := &g.m.s.Nodes[i]
		switch reason := leftOut(n, wanted); {
		case reason != "":
			why = append(why, n.Name+": "+reason)
		case nodeReady(n) == corev1.ConditionTrue:
			nodes = append(nodes, n)
		case nodeReady(n) == corev1.ConditionUnknown:
			unknown = append(unknown, n)
		default:
			why = append(why, n.Name+": not Ready")
		}
	}
	if len(nodes) == 0 { // nobody is known to be well: then the controller takes those of which nothing is known
		return unknown, why
	}
	return nodes, why
}

// nodeLabels are the labels that nodes must have to be targets of the group: those of its binding, or else of the
// annotation target-node-labels.
func (g *group) nodeLabels() map[string]string {
	wanted := map[string]string{}
	if g.binding != nil {
		maps.Copy(wanted, g.binding.NodeLabels)
	}
	if len(wanted) > 0 {
		return wanted
	}
	var text string
	if g.m.s.Ingress != nil {
		text = g.m.s.Ingress.Annotations[annotation("target-node-labels")]
	}
	if g.svc != nil {
		if v, ok := g.svc.Annotations[annotation("target-node-labels")]; ok {
			text = v
		}
	}
	for pair := range strings.SplitSeq(text, ",") {
		if k, v, ok := strings.Cut(strings.TrimSpace(pair), "="); ok {
			wanted[k] = v
		}
	}
	return wanted
}

// leftOut says why the controller never registers a node, whether it is well or not; empty where it does.
func leftOut(n *corev1.Node, wanted map[string]string) string {
	for _, l := range excludingLabels {
		if _, ok := n.Labels[l]; ok {
			return "label " + l
		}
	}
	for _, t := range n.Spec.Taints {
		if effect, ok := excludingTaints[t.Key]; ok && (effect == "" || effect == t.Effect) {
			return "taint " + t.Key
		}
	}
	switch {
	case n.Labels["eks.amazonaws.com/compute-type"] == "fargate":
		return "Fargate"
	case !matches(wanted, n.Labels):
		return "not among target-node-labels " + labels(wanted)
	}
	return ""
}

// excluded reports that no node may be a target.
func (a *analysis) excluded(g *group) {
	if a.s.missed("list nodes") || len(a.s.Nodes) == 0 {
		return
	}
	nodes, why := g.eligible()
	if len(nodes) > 0 {
		return
	}
	a.report(diagnostics.Finding{
		ID: "nodes.excluded", Subject: g.Name, Confidence: diagnostics.Confirmed, Weight: 100,
		Summary: fmt.Sprintf("%s of the cluster is left out of load balancers, so target group %s is empty and clients get 503", everyNode(len(why)), g.Name),
		Evidence: []diagnostics.Evidence{g.evidence(nil), {What: "nodes that may not be targets", Value: strings.Join(why[:min(len(why), 5)], "; "), Source: "list nodes",
			Repeat: "kubectl get nodes --show-labels"}},
	})
}

func everyNode(n int) string {
	if n == 1 {
		return "the only node"
	}
	return fmt.Sprintf("every one of %d nodes", n)
}

// Labels and taints by which the controller leaves nodes out of instance target groups; the taints with the effect that
// they must have, empty for any.
var (
	excludingLabels = []string{"node-role.kubernetes.io/master", "node.kubernetes.io/exclude-from-external-load-balancers", "alpha.service-controller.kubernetes.io/exclude-balancer"}
	excludingTaints = map[string]corev1.TaintEffect{"ToBeDeletedByClusterAutoscaler": "", "karpenter.sh/disrupted": corev1.TaintEffectNoSchedule}
)
