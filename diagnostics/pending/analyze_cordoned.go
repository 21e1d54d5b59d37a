package pending

import (
	"fmt"

	"github.com/netdiag/netdiag/diagnostics"
)

// idle reports a node that may not be scheduled: the CNI attaches nothing to it any more, unless it is told to.
func (p *pool) idle() bool { return p.node.Cordoned && !p.settings.Cordoned }

// cordoned explains pods on such a node, which tolerate it: those of DaemonSets. What its subnets lack would show next.
func (a *analysis) cordoned(p *pool, f diagnostics.Finding, pods []waiting) {
	next := f
	f.ID = "node-cordoned"
	f.Summary = fmt.Sprintf("node %s is cordoned: the CNI attaches no further address to it, and all %d are in use", p.node.Name, p.attached)
	if free := p.free(); free > 0 {
		f.Confidence = diagnostics.Likely
		f.Summary = fmt.Sprintf("node %s is cordoned: the CNI attaches no further address to it, and its %d free ones are fewer than the %s that wait", p.node.Name, free, plural(p.needing, "pod"))
	}
	f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "spec.unschedulable of node " + p.node.Name, Value: "true", Source: "list nodes", Repeat: nodeCommand(p.node)},
		settingsEvidence("AWS_MANAGE_ENIS_NON_SCHEDULABLE", p))
	ways, short := a.places(p), []way{}
	for _, w := range ways {
		f.Evidence = append(f.Evidence, subnetEvidence(w.subnet))
		if a.shortOf(p, w) {
			short = append(short, w)
		}
	}
	a.witnessed(&f, p, "non schedulable node")
	a.find(f, pods)
	if len(ways) > 0 && len(short) == len(ways) {
		next.Latent = true
		a.noRoom(p, short, next, pods)
	}
}
