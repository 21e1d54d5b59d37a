package pending

import (
	"fmt"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
)

// onDisk explains pods that get no address although the node has some, by trouble with its disk: ipamd writes down each
// address that it gives, and gives none that it can't write down.
func (a *analysis) onDisk(p *pool, f diagnostics.Finding, pods []waiting) bool {
	node := p.node
	log := a.logLine(node, "no space left on device", "/var/run/aws-node", "read-only file system")
	if !node.DiskPressure && log == "" {
		return false
	}
	f.ID, f.Confidence = "node-disk", diagnostics.Likely
	if p.free() <= 0 {
		f.Confidence = diagnostics.Possible // nothing else explains it, but the pool is used up as well
	}
	f.Summary = fmt.Sprintf("node %s is short of disk: ipamd has %s free and can't write down to whom it gives them", node.Name, plural(max(p.free(), 0), "address"))
	if node.DiskPressure {
		f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "condition DiskPressure of node " + node.Name, Value: "True", Source: "list nodes", Repeat: nodeCommand(node)})
	}
	if log != "" {
		f.Evidence = append(f.Evidence, logEvidence(node, log))
	}
	a.find(f, pods)
	return true
}

// diskFull recognizes a sandbox that fails because the node's disk is full: the pod's own event says so.
func diskFull(text string) bool { return strings.Contains(text, "no space left on device") }

// logLine finds the latest line of a node's CNI log that has one of the texts; empty where there is none of late.
func (a *analysis) logLine(n *Node, texts ...string) string {
	line, _, _ := n.logged(a.s.At, fresh, texts...)
	return line
}

func logEvidence(n *Node, line string) diagnostics.Evidence {
	return diagnostics.Evidence{What: "log of " + n.Agent.Name, Value: line, Source: "get pods/log",
		Repeat: "kubectl logs -n kube-system " + n.Agent.Name + " -c aws-node --tail 100"}
}
