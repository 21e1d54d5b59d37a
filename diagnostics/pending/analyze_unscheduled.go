package pending

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
)

// unscheduled explains pods that found no node, by what the scheduler says of it. Nodes may stand in several clauses:
// capacity is what binds, and clauses that only say where the pod doesn't want to be are causes when nothing else is.
func (a *analysis) unscheduled() {
	groups := map[string][]waiting{}
	for _, w := range a.at(unscheduled) {
		groups[w.text] = append(groups[w.text], w)
	}
	for _, text := range sortedKeys(groups) {
		if text == "" {
			a.unplanned(groups[text])
			continue
		}
		a.clauses(text, groups[text])
	}
}

// secondary are causes that only narrow down the nodes: with another in the same message they contribute.
var secondary = []string{"taint", "affinity"}

// rule is a clause with the pods of which it is true as things are now.
type rule struct {
	clause
	nodes  int // that the scheduler looked at
	pods   []waiting
	proved bool // what was read of the nodes bears it out for all of them
}

func (a *analysis) clauses(text string, pods []waiting) {
	nodes, clauses := parseClauses(text)
	var rules []rule
	known, told := false, map[string]bool{}
	for _, c := range a.detailed(clauses, pods) {
		if c.cause == "" {
			continue
		}
		known = true
		r := rule{clause: c, nodes: nodes, proved: true}
		for _, w := range pods {
			now, can := a.refused(c, nodes, w)
			if can && now.over() || c.cause == "volume-binding" && a.volumeOver(c, w) {
				continue
			}
			r.proved = r.proved && (!can || now.proves(c.count)) && (c.cause != "volume-binding" || a.volumeRead(c))
			r.pods = append(r.pods, w)
			told[w.ref()] = true
		}
		if len(r.pods) > 0 {
			rules = append(rules, r)
		}
	}
	for _, r := range rules {
		latent := slices.Contains(secondary, r.cause) && slices.ContainsFunc(rules, func(o rule) bool { return !slices.Contains(secondary, o.cause) })
		a.rule(r, latent)
	}
	rest := slices.DeleteFunc(slices.Clone(pods), func(w waiting) bool { return told[w.ref()] })
	switch {
	case strings.Contains(text, noNodesAtAll): // see limits
	case known:
		a.unsolve(rest, "the scheduler's last word on them is no longer true, by what was read of the nodes: it tries again within five minutes at most ("+shorten(text)+")")
	default:
		a.unsolve(rest, "the scheduler says: "+shorten(text))
	}
}

// rule reports what a rule of the scheduler keeps from its node.
func (a *analysis) rule(r rule, latent bool) {
	f := diagnostics.Finding{ID: r.cause, Confidence: diagnostics.Confirmed, Latent: latent, Evidence: []diagnostics.Evidence{podEvidence(r.pods[0])}}
	if !r.proved {
		f.Confidence = diagnostics.Likely
	}
	of := fmt.Sprintf("%d of %s", r.count, plural(r.nodes, "node"))
	switch r.cause {
	case "max-pods":
		a.maxPods(f, r)
	case "branch-eni-capacity":
		a.branchCapacity(f, r.pods)
	case "taint":
		a.taint(f, r.clause, of, r.pods)
	case "insufficient-resources":
		a.resources(f, r, of)
	case "volume-binding":
		a.volume(f, r.clause, of, r.pods)
	case "affinity":
		a.affinity(f, r, of)
	case "host-port":
		a.hostPort(f, r, of)
	case "windows-ip-resource":
		a.windows(f, r)
	}
}

// resources is proved by counting what pods ask for on each node.
func (a *analysis) resources(f diagnostics.Finding, r rule, of string) {
	f.Subject = r.detail
	f.Summary = fmt.Sprintf("%s lack %s for %s", of, r.detail, plural(len(r.pods), "pod"))
	if r.count == r.nodes {
		f.Summary = fmt.Sprintf("none of %s has enough %s left for %s", plural(r.nodes, "node"), r.detail, plural(len(r.pods), "pod"))
	}
	if asked := demandOf(r.pods[0].pod).of(r.detail); asked > 0 {
		f.Evidence = append(f.Evidence, requestEvidence(r.pods[0], amount(r.detail, asked)+" of "+r.detail))
	}
	shown := 0
	for n := range a.s.Nodes {
		node := &a.s.Nodes[n]
		if !node.Read || shown == 3 || tainted(node, r.pods[0].pod) != "" {
			continue
		}
		shown++
		f.Evidence = append(f.Evidence, diagnostics.Evidence{What: r.detail + " of node " + node.Name,
			Value: fmt.Sprintf("%s of %s requested", amount(r.detail, node.used(r.detail)), amount(r.detail, node.has(r.detail))), Source: "list pods, list nodes",
			Repeat: "kubectl describe node " + node.Name})
	}
	a.find(f, r.pods)
}

// hostPort is proved by the pods that hold the ports.
func (a *analysis) hostPort(f diagnostics.Finding, r rule, of string) {
	ports := demandOf(r.pods[0].pod).ports
	f.Subject = owner(r.pods[0])
	f.Summary = fmt.Sprintf("%s have no free host port for the pod", of)
	if len(ports) > 0 {
		f.Summary = fmt.Sprintf("%s have host port %s taken, which %s of %s ask for", of, strings.Join(ports, ", "), plural(len(r.pods), "pod"), f.Subject)
		f.Evidence = append(f.Evidence, requestEvidence(r.pods[0], "host port "+strings.Join(ports, ", ")))
	}
	for n := range a.s.Nodes {
		node := &a.s.Nodes[n]
		for _, p := range node.Pods {
			if len(f.Evidence) < 5 && slices.ContainsFunc(p.Ports, func(port string) bool { return slices.Contains(ports, port) }) {
				f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "pod " + p.Namespace + "/" + p.Name + " on node " + node.Name, Value: "holds host port " + strings.Join(p.Ports, ", "),
					Source: "list pods", Repeat: fmt.Sprintf("kubectl get pod -n %s %s -o yaml", p.Namespace, p.Name)})
			}
		}
	}
	a.find(f, r.pods)
}

func requestEvidence(w waiting, value string) diagnostics.Evidence {
	return diagnostics.Evidence{What: "requests of pod " + w.pod.Name, Value: value, Source: "list pods",
		Repeat: fmt.Sprintf("kubectl get pod -n %s %s -o yaml", w.pod.Namespace, w.pod.Name)}
}

// healed leaves pods aside whose trouble is over by now, or belongs to the normal course: they start when they are tried again.
func (a *analysis) healed(pods []waiting, why string) {
	if len(pods) > 0 {
		a.soon = append(a.soon, unsolved{pods, why})
	}
}

func (a *analysis) unsolve(pods []waiting, why string) {
	if len(pods) > 0 {
		a.unsolved = append(a.unsolved, unsolved{pods, why})
	}
}

func (s *Snapshot) node(name string) *Node {
	n, ok := slices.BinarySearchFunc(s.Nodes, name, func(n Node, name string) int { return strings.Compare(n.Name, name) })
	if !ok {
		return nil
	}
	return &s.Nodes[n]
}

// owner names the controller of a pod, or the pod itself.
func owner(w waiting) string {
	for _, o := range w.pod.OwnerReferences {
		if o.Controller != nil && *o.Controller {
			return o.Kind + "/" + o.Name
		}
	}
	return "Pod/" + w.pod.Name
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
