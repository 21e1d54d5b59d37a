package alb

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
)

// excluded reports that no node may be a target.
func (a *analysis) excluded(g *group) {
	if a.s.missed("list nodes") || len(a.s.Nodes) == 0 {
		return
	}
	wanted := map[string]string{}
	if v, _ := a.setting(g, "target-node-labels"); v != "" {
		for pair := range strings.SplitSeq(v, ",") {
			k, val, _ := strings.Cut(strings.TrimSpace(pair), "=")
			wanted[k] = val
		}
	}
	var why []string
	for _, n := range a.s.Nodes {
		reason := ""
		for _, l := range excludingLabels {
			if _, ok := n.Labels[l]; ok {
				reason = "label " + l
			}
		}
		for _, t := range n.Spec.Taints {
			if slices.Contains(excludingTaints, t.Key) {
				reason = "taint " + t.Key
			}
		}
		switch {
		case reason != "":
		case n.Labels["eks.amazonaws.com/compute-type"] == "fargate":
			reason = "Fargate"
		case !matches(wanted, n.Labels):
			reason = "not among target-node-labels " + labels(wanted)
		default:
			return // this one should be registered
		}
		why = append(why, n.Name+": "+reason)
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

// Labels and taints by which the controller leaves nodes out of instance target groups.
var (
	excludingLabels = []string{"node.kubernetes.io/exclude-from-external-load-balancers", "alpha.service-controller.kubernetes.io/exclude-balancer"}
	excludingTaints = []string{"ToBeDeletedByClusterAutoscaler", "karpenter.sh/disrupted", "karpenter.sh/disruption"}
)
