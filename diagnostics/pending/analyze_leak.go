package pending

import (
	"fmt"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
)

// settled is how long a difference between ipamd's books and the pods must last before it is none of the normal course:
// a pod that ends gives its address back only when its sandbox is torn down, and the address rests for half a minute.
const settled = 2 * time.Minute

// lostAddresses explains pods that get no address although no pod uses those of the node: ipamd counts them as assigned.
func (a *analysis) lostAddresses(p *pool, f diagnostics.Finding, pods []waiting) bool {
	node, m := p.node, p.node.Metrics
	const outOfSync = "IPAMDInconsistentState"
	f.ID, f.Confidence = "ipamd-leak", diagnostics.Likely
	switch {
	case m != nil && m.Assigned >= m.Total && m.Assigned-p.assigned-p.aside >= max(p.free(), 1):
		f.Summary = fmt.Sprintf("ipamd of node %s counts %d of %d addresses as assigned, but only %s with an address run there", node.Name, m.Assigned, m.Total, plural(p.assigned, "pod"))
		f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "awscni_assigned_ip_addresses of node " + node.Name, Value: fmt.Sprintf("%d of %d", m.Assigned, m.Total),
			Source: "get pods/proxy", Repeat: metricsCommand(node)})
	case m == nil && (node.Networking == outOfSync || a.logLine(node, outOfSyncTexts()...) != ""):
		f.Summary = fmt.Sprintf("the books of ipamd of node %s do not fit its interfaces: it gives none of %s that no pod uses", node.Name, plural(p.free(), "address"))
	default:
		return false
	}
	if node.Networking == outOfSync {
		f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "condition NetworkingReady of node " + node.Name, Value: "False: " + outOfSync, Source: "list nodes", Repeat: nodeCommand(node)})
	}
	if a.failingFor(pods) < settled {
		f.Confidence = diagnostics.Possible
		f.Summary += "; it has lasted less than two minutes, and may pass"
	}
	a.witnessed(&f, p, append(outOfSyncTexts(), "PrivateIpAddressLimitExceeded")...)
	a.find(f, pods)
	return true
}

func outOfSyncTexts() []string {
	return []string{"data store is out of sync", "Instance metadata does not match data store"}
}

// failingFor is how long the pods have waited at least: since the first failure that is known, or since they have their node.
func (a *analysis) failingFor(pods []waiting) time.Duration {
	longest := time.Duration(0)
	for _, w := range pods {
		from := w.pod.CreationTimestamp.Time
		if w.event != nil {
			from = since(w.event)
		}
		longest = max(longest, a.s.At.Sub(from))
	}
	return longest
}
