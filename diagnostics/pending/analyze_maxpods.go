package pending

import (
	"fmt"
	"slices"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/awsnode"
	"github.com/netdiag/netdiag/internal/cni"
)

// maxPods is proved by counting: a node takes no more pods than it says, whatever the subnets have.
func (a *analysis) maxPods(f diagnostics.Finding, r rule) {
	var full []*Node
	for _, p := range a.fullOfPods() {
		full = append(full, p.node)
	}
	// The same name before and after nodes come: it is what tells that the trouble is gone.
	f.Subject = "nodes"
	if group := groupOf(full); group != "" {
		f.Subject = "nodegroup/" + group
	}
	f.Summary = fmt.Sprintf("%d of %s run as many pods as they may: the scheduler finds no node for %s", r.count, plural(r.nodes, "node"), plural(len(r.pods), "pod"))
	if len(full) > 0 && sameLimit(full) {
		f.Summary = fmt.Sprintf("%d of %s run the %s that they may run (max-pods): the scheduler finds no node for %s", r.count,
			plural(r.nodes, "node"), plural(full[0].MaxPods, "pod"), plural(len(r.pods), "pod"))
	}
	for _, node := range full[:min(len(full), 3)] {
		value := fmt.Sprintf("%d of %d", len(node.Pods), node.MaxPods)
		if why := a.limitOf(a.pools[node.Name]); why != "" {
			value += ": " + why
		}
		f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "pods on node " + node.Name, Value: value, Source: "list pods, list nodes",
			Repeat: "kubectl get pods -A --field-selector spec.nodeName=" + node.Name})
	}
	a.find(f, r.pods)
}

// fullOfPods lists the nodes that run as many pods as they may.
func (a *analysis) fullOfPods() []*pool {
	var out []*pool
	for n := range a.s.Nodes {
		if node := &a.s.Nodes[n]; node.Read && !node.Fargate && node.MaxPods > 0 && len(node.Pods) >= node.MaxPods {
			out = append(out, a.pools[node.Name])
		}
	}
	return out
}

// limitOf says where the limit of a node comes from: the interfaces of its type, the cap of prefix delegation, or a setting.
func (a *analysis) limitOf(p *pool) string {
	l, ok := awsnode.LimitsOf(a.s.Types, p.node.Type)
	if !ok {
		return ""
	}
	most := p.node.MaxPods
	switch {
	case most == cni.MaxPods(l, cni.Settings{}):
		return fmt.Sprintf("the limit of %s without prefix delegation, %d interfaces × %d addresses + 2", p.node.Type, l.Interfaces, l.Addresses-1)
	case p.settings.CustomNetworking && most == cni.MaxPods(l, cni.Settings{CustomNetworking: true}):
		return fmt.Sprintf("the limit of %s with custom networking, %d interfaces × %d addresses + 2", p.node.Type, l.Interfaces-1, l.Addresses-1)
	case most == 110 || most == 250:
		return fmt.Sprintf("the cap of %d, which the interfaces of %s have nothing to do with", most, p.node.Type)
	}
	return fmt.Sprintf("set by hand: by its interfaces %s would run %d", p.node.Type, cni.MaxPods(l, p.settings))
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
