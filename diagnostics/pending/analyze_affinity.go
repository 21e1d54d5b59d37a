package pending

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

// affinity shows what the pods ask of their nodes or of other pods. A selector can be reckoned again; what is said about
// other pods is the scheduler's word.
func (a *analysis) affinity(f diagnostics.Finding, r rule, of string) {
	w := r.pods[0]
	f.Subject = owner(w)
	f.Summary = fmt.Sprintf("%s: %s", of, r.reason)
	asks := asksOfPods(w.pod, r.reason)
	if bySelector(r.reason) {
		asks = asksOfNodes(w.pod)
		fitting := 0
		for n := range a.s.Nodes {
			if selects(w.pod, &a.s.Nodes[n]) {
				fitting++
			}
		}
		if asks != "" && len(a.s.Nodes) > 0 {
			f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "nodes with " + asks, Value: fmt.Sprintf("%d of %d", fitting, len(a.s.Nodes)), Source: "list nodes",
				Repeat: "kubectl get nodes --show-labels"})
		}
	}
	if asks != "" {
		f.Summary += " (" + asks + ")"
		f.Evidence = append(f.Evidence, requestEvidence(w, asks))
	}
	a.find(f, r.pods)
}

// asksOfNodes spells the node selector and the required node affinity of a pod.
func asksOfNodes(p *corev1.Pod) string {
	var parts []string
	for _, key := range sortedKeys(p.Spec.NodeSelector) {
		parts = append(parts, key+"="+p.Spec.NodeSelector[key])
	}
	if required := requiredNodes(p); required != nil {
		var terms []string
		for _, t := range required.NodeSelectorTerms {
			var exprs []string
			for _, e := range append(append([]corev1.NodeSelectorRequirement{}, t.MatchExpressions...), t.MatchFields...) {
				exprs = append(exprs, strings.TrimSpace(fmt.Sprintf("%s %s %s", e.Key, e.Operator, strings.Join(e.Values, "|"))))
			}
			terms = append(terms, strings.Join(exprs, " and "))
		}
		parts = append(parts, strings.Join(terms, ", or "))
	}
	return strings.Join(parts, ", ")
}

// asksOfPods spells the required affinity or the spread that a clause is about.
func asksOfPods(p *corev1.Pod, reason string) string {
	var parts []string
	add := func(what, key string, selector *metav1.LabelSelector) {
		parts = append(parts, fmt.Sprintf("%s %s of pods with %s", what, key, metav1.FormatLabelSelector(selector)))
	}
	switch {
	case strings.Contains(reason, "topology spread"):
		for _, t := range p.Spec.TopologySpreadConstraints {
			if t.WhenUnsatisfiable == corev1.DoNotSchedule {
				add(fmt.Sprintf("at most %d more on one", t.MaxSkew), t.TopologyKey, t.LabelSelector)
			}
		}
	case p.Spec.Affinity == nil:
	case strings.Contains(reason, "anti-affinity"):
		if anti := p.Spec.Affinity.PodAntiAffinity; anti != nil {
			for _, t := range anti.RequiredDuringSchedulingIgnoredDuringExecution {
				add("never on the", t.TopologyKey, t.LabelSelector)
			}
		}
	default:
		if with := p.Spec.Affinity.PodAffinity; with != nil {
			for _, t := range with.RequiredDuringSchedulingIgnoredDuringExecution {
				add("on the", t.TopologyKey, t.LabelSelector)
			}
		}
	}
	return strings.Join(parts, ", ")
}
