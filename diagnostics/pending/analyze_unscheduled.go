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
		pods := groups[text]
		nodes, clauses := parseClauses(text)
		if text == "" {
			a.unsolve(pods, "the scheduler says nothing about it (condition PodScheduled has no message): is there a scheduler named "+pods[0].pod.Spec.SchedulerName+"?")
			continue
		}
		known := false
		for _, c := range clauses {
			if c.cause == "" {
				continue
			}
			known = true
			a.clause(c, nodes, clauses, pods)
		}
		if !known {
			a.unsolve(pods, "the scheduler says: "+shorten(text))
		}
	}
}

// secondary are causes that only narrow down the nodes: with another in the same message they contribute.
var secondary = []string{"taint", "affinity"}

func (a *analysis) clause(c clause, nodes int, all []clause, pods []waiting) {
	f := diagnostics.Finding{ID: c.cause, Confidence: diagnostics.Confirmed, Evidence: []diagnostics.Evidence{podEvidence(pods[0])}}
	f.Latent = slices.Contains(secondary, c.cause) && slices.ContainsFunc(all, func(o clause) bool {
		return o.cause != "" && !slices.Contains(secondary, o.cause)
	})
	of := fmt.Sprintf("%d of %s", c.count, plural(nodes, "node"))
	switch c.cause {
	case "max-pods":
		a.maxPods(f, c, nodes, pods)
		return
	case "branch-eni-capacity":
		a.branchCapacity(f, pods)
		return
	case "taint":
		a.taint(f, c, of, pods)
		return
	case "insufficient-resources":
		f.Subject = c.detail
		f.Summary = fmt.Sprintf("%s lack %s for %s", of, c.detail, plural(len(pods), "pod"))
		if c.count == nodes {
			f.Summary = fmt.Sprintf("none of %s has enough %s left for %s", plural(nodes, "node"), c.detail, plural(len(pods), "pod"))
		}
		if cpu, memory := requests(pods[0].pod); c.detail == "cpu" && cpu > 0 {
			f.Evidence = append(f.Evidence, requestEvidence(pods[0], fmt.Sprintf("%dm CPU", cpu)))
		} else if c.detail == "memory" && memory > 0 {
			f.Evidence = append(f.Evidence, requestEvidence(pods[0], fmt.Sprintf("%d MiB of memory", memory>>20)))
		}
		f.Evidence = append(f.Evidence, a.resourceEvidence(c.detail)...)
	case "volume-binding":
		a.volume(f, c, of, pods)
		return
	case "affinity":
		f.Subject = owner(pods[0])
		f.Summary = fmt.Sprintf("%s: %s", of, c.reason)
	case "host-port":
		f.Subject = owner(pods[0])
		f.Summary = fmt.Sprintf("%s have no free host port for the pod", of)
	case "windows-ip-resource":
		f.Subject = "vpc.amazonaws.com/PrivateIPv4Address"
		f.Summary = fmt.Sprintf("%s have no Windows pod address to give (vpc.amazonaws.com/PrivateIPv4Address)", of)
	}
	a.find(f, pods)
}

func requestEvidence(w waiting, value string) diagnostics.Evidence {
	return diagnostics.Evidence{What: "requests of pod " + w.pod.Name, Value: value, Source: "list pods",
		Repeat: fmt.Sprintf("kubectl get pod -n %s %s -o yaml", w.pod.Namespace, w.pod.Name)}
}

// resourceEvidence shows what the nodes that were read have left.
func (a *analysis) resourceEvidence(resource string) []diagnostics.Evidence {
	var out []diagnostics.Evidence
	for n := range a.s.Nodes {
		node := &a.s.Nodes[n]
		if !node.Read || len(out) == 3 {
			continue
		}
		var used, has int64
		for _, p := range node.Pods {
			if resource == "memory" {
				used += p.Memory
			} else {
				used += p.CPU
			}
		}
		value := ""
		switch resource {
		case "cpu":
			has = node.CPU
			value = fmt.Sprintf("%dm of %dm requested", used, has)
		case "memory":
			has = node.Memory
			value = fmt.Sprintf("%d of %d MiB requested", used>>20, has>>20)
		default:
			return nil
		}
		out = append(out, diagnostics.Evidence{What: resource + " of node " + node.Name, Value: value, Source: "list pods, list nodes",
			Repeat: "kubectl describe node " + node.Name})
	}
	return out
}

// maxPods is proved by counting: a node takes no more pods than it says, whatever the subnets have.
func (a *analysis) maxPods(f diagnostics.Finding, c clause, nodes int, pods []waiting) {
	var full []*Node
	counted := 0
	for n := range a.s.Nodes {
		if node := &a.s.Nodes[n]; node.Read && !node.Fargate {
			counted++
			if node.MaxPods > 0 && len(node.Pods) >= node.MaxPods {
				full = append(full, node)
			}
		}
	}
	if counted >= nodes && len(full) < c.count || len(full) == 0 && counted > 0 {
		// The scheduler's word is from before: by now there is room.
		f.Confidence = diagnostics.Likely
	}
	// The same name before and after nodes come: it is what tells that the trouble is gone.
	f.Subject = "nodes"
	if group := groupOf(full); group != "" {
		f.Subject = "nodegroup/" + group
	}
	f.Summary = fmt.Sprintf("%d of %s run as many pods as they may: the scheduler finds no node for %s", c.count, plural(nodes, "node"), plural(len(pods), "pod"))
	if len(full) > 0 && sameLimit(full) {
		f.Summary = fmt.Sprintf("%d of %s run the %s that they may run (max-pods): the scheduler finds no node for %s", c.count,
			plural(nodes, "node"), plural(full[0].MaxPods, "pod"), plural(len(pods), "pod"))
	}
	for _, node := range full[:min(len(full), 3)] {
		value := fmt.Sprintf("%d of %d", len(node.Pods), node.MaxPods)
		if l, ok := a.s.limits(node.Type); ok {
			p := a.pools[node.Name]
			if plain := p.place(); node.MaxPods == (l.Interfaces*(l.Addresses-1) + 2) {
				value += fmt.Sprintf(": the limit of %s without prefix delegation, %d interfaces × %d addresses + 2", node.Type, plain.Limits.Interfaces, l.Addresses-1)
			}
		}
		f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "pods on node " + node.Name, Value: value, Source: "list pods, list nodes",
			Repeat: "kubectl get pods -A --field-selector spec.nodeName=" + node.Name})
	}
	a.find(f, pods)
}

// groupOf is the node group that all nodes belong to; empty where they belong to several or none.
func groupOf(nodes []*Node) string {
	if len(nodes) == 0 || slices.ContainsFunc(nodes, func(n *Node) bool { return n.Group != nodes[0].Group }) {
		return ""
	}
	return nodes[0].Group
}

func sameLimit(nodes []*Node) bool {
	return !slices.ContainsFunc(nodes, func(n *Node) bool { return n.MaxPods != nodes[0].MaxPods })
}

// taint looks behind the taints by which Kubernetes itself keeps pods off a node that is in trouble.
func (a *analysis) taint(f diagnostics.Finding, c clause, of string, pods []waiting) {
	key, _, _ := strings.Cut(c.detail, ":")
	key = strings.TrimSpace(key)
	switch key {
	case "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable", "node.eks.amazonaws.com/not-ready":
		for n := range a.s.Nodes {
			node := &a.s.Nodes[n]
			if node.Ready != "True" {
				before := len(a.findings)
				a.notReady(node, nil, f.Latent)
				if len(a.findings) > before {
					a.findings[len(a.findings)-1].Affects = refs(pods)
				}
			}
		}
		if len(a.of("node-not-ready", "cni-not-initialized")) > 0 {
			return
		}
	}
	f.Subject = key
	if key == "" {
		f.Subject = owner(pods[0])
	}
	f.Summary = fmt.Sprintf("%s have the taint %s, which %s don't tolerate", of, c.detail, plural(len(pods), "pod"))
	if c.detail == "" {
		f.Summary = fmt.Sprintf("%s have a taint that %s don't tolerate", of, plural(len(pods), "pod"))
	}
	for n := range a.s.Nodes {
		for _, t := range a.s.Nodes[n].Taints {
			if t.Key == key && len(f.Evidence) < 4 {
				f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "taint of node " + a.s.Nodes[n].Name,
					Value: fmt.Sprintf("%s=%s:%s", t.Key, t.Value, t.Effect), Source: "list nodes", Repeat: "kubectl get node " + a.s.Nodes[n].Name + " -o jsonpath={.spec.taints}"})
			}
		}
	}
	a.find(f, pods)
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

func refs(pods []waiting) []string {
	var out []string
	for _, w := range pods {
		out = append(out, w.ref())
	}
	slices.Sort(out)
	return out
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
