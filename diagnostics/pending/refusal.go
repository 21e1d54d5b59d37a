package pending

import (
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// The scheduler's message is from its last try. The rules that can be reckoned again are, with what was read of the nodes:
// a message that is no longer true is no cause.

// refusal is how the nodes stand to one pod by one rule of the scheduler.
type refusal struct {
	refuse, take []*Node
	// whole means that every node that the rule is asked about was read.
	whole bool
}

// over reports that no node refuses the pod by this rule any more.
func (r refusal) over() bool { return r.whole && len(r.refuse) == 0 && len(r.take) > 0 }

// proves reports that at least so many nodes refuse the pod as the scheduler said or, where only some were read, all of them.
func (r refusal) proves(count int) bool {
	return len(r.refuse) > 0 && (len(r.refuse) >= count || !r.whole && len(r.take) == 0)
}

// refused reckons a clause again for a pod. It reports false for rules that can't be: those about other pods, and volumes.
// The scheduler asks a node one rule after the other and stops at the first that refuses: taints, selectors, ports, capacity.
func (a *analysis) refused(c clause, nodes int, w waiting) (refusal, bool) {
	r := refusal{whole: len(a.s.Nodes) > 0 && len(a.s.Nodes) >= nodes}
	if _, missed := a.unread("list nodes"); missed {
		r.whole = false
	}
	d := demandOf(w.pod)
	refuses := map[string]func(*Node) bool{
		"taint":                  func(n *Node) bool { return hasTaint(n, w.pod, c.detail) },
		"affinity":               func(n *Node) bool { return !selects(w.pod, n) },
		"host-port":              func(n *Node) bool { return len(n.holding(d.ports)) > 0 },
		"max-pods":               func(n *Node) bool { return n.MaxPods > 0 && len(n.Pods) >= n.MaxPods },
		"insufficient-resources": func(n *Node) bool { return n.used(c.detail)+d.of(c.detail) > n.has(c.detail) },
		"branch-eni-capacity":    func(n *Node) bool { return n.used(branchDevice)+d.of(branchDevice) > n.has(branchDevice) },
		"windows-ip-resource":    func(n *Node) bool { return n.used(windowsDevice)+d.of(windowsDevice) > n.has(windowsDevice) },
	}[c.cause]
	if refuses == nil || c.cause == "affinity" && !bySelector(c.reason) {
		return refusal{}, false
	}
	static := c.cause == "taint" || c.cause == "affinity" // of the node alone, not of the pods on it
	for n := range a.s.Nodes {
		node := &a.s.Nodes[n]
		if !static && (tainted(node, w.pod) != "" || !selects(w.pod, node)) {
			continue
		}
		switch {
		case !static && !node.Read:
			r.whole = false
		case refuses(node):
			r.refuse = append(r.refuse, node)
		default:
			r.take = append(r.take, node)
		}
	}
	return r, true
}

// holding lists which of the ports pods on the node hold.
func (n *Node) holding(ports []string) []string {
	var out []string
	for _, p := range n.Pods {
		for _, port := range p.Ports {
			if slices.Contains(ports, port) && !slices.Contains(out, port) {
				out = append(out, port)
			}
		}
	}
	return out
}

// tainted gives the key of the first taint of a node that keeps a pod away; empty where none does.
func tainted(n *Node, p *corev1.Pod) string {
	for _, t := range n.Taints {
		if keepsAway(t, p) {
			return t.Key
		}
	}
	return ""
}

// hasTaint reports that a node keeps a pod away by a taint that a clause names as "key: value".
func hasTaint(n *Node, p *corev1.Pod, detail string) bool {
	key, value, _ := strings.Cut(detail, ":")
	return slices.ContainsFunc(n.Taints, func(t corev1.Taint) bool {
		return keepsAway(t, p) && (detail == "" || t.Key == key && t.Value == strings.TrimSpace(value))
	})
}

func keepsAway(t corev1.Taint, p *corev1.Pod) bool {
	return t.Effect != corev1.TaintEffectPreferNoSchedule && !slices.ContainsFunc(p.Spec.Tolerations, func(o corev1.Toleration) bool { return tolerates(o, t) })
}

func tolerates(o corev1.Toleration, t corev1.Taint) bool {
	if o.Effect != "" && o.Effect != t.Effect || o.Key != "" && o.Key != t.Key {
		return false
	}
	return o.Operator == corev1.TolerationOpExists || (o.Operator == "" || o.Operator == corev1.TolerationOpEqual) && o.Value == t.Value
}

// bySelector reports a clause about node selector and node affinity, not about other pods.
func bySelector(reason string) bool {
	return !strings.Contains(reason, "pod affinity") && !strings.Contains(reason, "anti-affinity") && !strings.Contains(reason, "topology spread")
}

// selects reports that the node selector and the required node affinity of a pod let it onto a node.
func selects(p *corev1.Pod, n *Node) bool {
	for key, value := range p.Spec.NodeSelector {
		if v, ok := n.Labels[key]; !ok || v != value {
			return false
		}
	}
	required := requiredNodes(p)
	if required == nil {
		return true
	}
	return slices.ContainsFunc(required.NodeSelectorTerms, func(t corev1.NodeSelectorTerm) bool { return termSelects(t, n) })
}

func requiredNodes(p *corev1.Pod) *corev1.NodeSelector {
	if p.Spec.Affinity == nil || p.Spec.Affinity.NodeAffinity == nil {
		return nil
	}
	return p.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
}

func termSelects(t corev1.NodeSelectorTerm, n *Node) bool {
	if len(t.MatchExpressions)+len(t.MatchFields) == 0 {
		return false // an empty term selects nothing
	}
	for _, e := range t.MatchExpressions {
		if v, there := n.Labels[e.Key]; !matches(e, v, there) {
			return false
		}
	}
	for _, e := range t.MatchFields { // metadata.name is the only field
		if !matches(e, n.Name, true) {
			return false
		}
	}
	return true
}

func matches(e corev1.NodeSelectorRequirement, value string, there bool) bool {
	switch e.Operator {
	case corev1.NodeSelectorOpIn:
		return there && slices.Contains(e.Values, value)
	case corev1.NodeSelectorOpNotIn:
		return !there || !slices.Contains(e.Values, value)
	case corev1.NodeSelectorOpExists:
		return there
	case corev1.NodeSelectorOpDoesNotExist:
		return !there
	case corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt:
		if len(e.Values) != 1 {
			return false
		}
		have, err := strconv.ParseInt(value, 10, 64)
		want, err2 := strconv.ParseInt(e.Values[0], 10, 64)
		if err != nil || err2 != nil {
			return false
		}
		return e.Operator == corev1.NodeSelectorOpGt && have > want || e.Operator == corev1.NodeSelectorOpLt && have < want
	}
	return false
}
