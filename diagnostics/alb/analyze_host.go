package alb

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

// oneNode sees targets that don't answer on a node from which nothing answers, while targets of other nodes with the same
// security groups are healthy. What the node itself does to packets can't be read, so it stays a possibility, and needs a
// sign: a node or an agent of its network that isn't ready; or, with a healthy target in the very subnet, a pod that gives
// the kubelet of the node the answer that the load balancer waits for.
func (a *analysis) oneNode(g *group, ts []*target) []*target {
	byNode := map[string][]*target{}
	for _, t := range ts {
		if t.node != nil && a.lateProbe(t) == nil {
			byNode[t.node.Name] = append(byNode[t.node.Name], t)
		}
	}
	var told []*target
	for _, name := range sortedKeys(byNode) {
		mine := byNode[name]
		others := a.othersAnswer(g, mine)
		if len(others) == 0 {
			continue
		}
		ev, sign := a.nodeSigns(mine[0].node)
		reached := slices.IndexFunc(mine, func(t *target) bool {
			pod, _, hcPort := t.behind()
			pr := probeOf(pod, hcPort)
			return pod != nil && pod.Spec.NodeName == name && isReady(pod) && sameProbe(g, hcPort, pr)
		})
		sameSubnet := slices.ContainsFunc(others, func(t *target) bool { return t.eni.Subnet == mine[0].eni.Subnet })
		if sign == "" && reached >= 0 && len(byNode) == 1 && sameSubnet {
			pod, _, hcPort := mine[reached].behind()
			sign = fmt.Sprintf("the kubelet of the node gets the answer of %s to GET %s on port %d, and the load balancer doesn't", pod.Name, g.Check.Path, hcPort)
			ev = append(ev, a.probed(g, pod, probeOf(pod, hcPort)))
		}
		if sign == "" {
			continue
		}
		a.report(diagnostics.Finding{
			ID: "host.firewall-or-proxy", Subject: "node/" + name, Confidence: diagnostics.Possible, Affects: affected(mine), Weight: g.weight(mine),
			Summary: fmt.Sprintf("only node %s loses the load balancer's packets (%s of %s), while targets of other nodes with the same security groups answer: %s. A firewall, kube-proxy or the network plugin on this node may be the cause; to drain and replace it settles it",
				name, some(len(mine), len(g.registered()), "target"), g.Name, sign),
			Evidence: append([]diagnostics.Evidence{g.evidence(mine)}, ev...),
		})
		told = append(told, mine...)
	}
	return slices.DeleteFunc(ts, func(t *target) bool { return slices.Contains(told, t) })
}

// othersAnswer lists the healthy targets of other nodes with the same security groups; none where something on the node of
// these targets answers.
func (a *analysis) othersAnswer(g *group, mine []*target) []*target {
	var out []*target
	for _, t := range a.targets() {
		if t.node == nil || t.eni == nil || (t.class != healthy && t.class != code && t.class != refuse) {
			continue
		}
		if t.node.Name == mine[0].node.Name {
			return nil
		}
		if t.class == healthy && t.group == g && mine[0].eni != nil && slices.Equal(sorted(slices.Clone(t.eni.Groups)), sorted(slices.Clone(mine[0].eni.Groups))) {
			out = append(out, t)
		}
	}
	return out
}

// nodeSigns looks for what is wrong with a node: its conditions, and the agents of its network.
func (a *analysis) nodeSigns(n *corev1.Node) (ev []diagnostics.Evidence, sign string) {
	var signs []string
	for _, c := range n.Status.Conditions {
		bad := c.Status != corev1.ConditionTrue
		if c.Type != corev1.NodeReady {
			bad = c.Type == corev1.NodeNetworkUnavailable && c.Status == corev1.ConditionTrue
		}
		if bad {
			signs = append(signs, fmt.Sprintf("its condition %s is %s", c.Type, c.Status))
			ev = append(ev, diagnostics.Evidence{What: fmt.Sprintf("condition %s of node %s", c.Type, n.Name), Value: strings.TrimSpace(fmt.Sprintf("%s %s %s since %s", c.Status, c.Reason, c.Message, clock(c.LastTransitionTime.Time))), Source: "list nodes",
				Repeat: "kubectl describe node " + n.Name})
		}
	}
	for i := range a.s.Agents {
		p := &a.s.Agents[i]
		if p.Spec.NodeName != n.Name || isReady(p) {
			continue
		}
		signs = append(signs, p.Name+" is not ready there")
		e := podEvidence(p)
		for _, c := range p.Status.ContainerStatuses {
			if !c.Ready && c.State.Waiting != nil {
				e.Value += fmt.Sprintf(", container %s waits: %s", c.Name, c.State.Waiting.Reason)
			}
		}
		ev = append(ev, e)
	}
	return ev, joined(signs)
}

// lateProbe is the event of a probe of the target's pod that was answered too late; nil where there is none. A probe that
// can't even connect is something else.
func (a *analysis) lateProbe(t *target) *corev1.Event {
	pod, _, _ := t.behind()
	if pod == nil {
		return nil
	}
	for _, e := range a.events("Pod", pod.Namespace, pod.Name) {
		late := strings.Contains(e.Message, "context deadline exceeded") || strings.Contains(e.Message, "Client.Timeout") || strings.Contains(e.Message, "timed out")
		if e.Reason == "Unhealthy" && late && !strings.Contains(e.Message, "dial tcp") {
			return &e
		}
	}
	return nil
}
