package pending

import (
	"fmt"

	"github.com/netdiag/netdiag/diagnostics"
)

// waitAttached is what ipamd counts when an interface that it has made does not show in the instance's metadata in time
// (pkg/ipamd, awscni_ipamd_error_count). It then deletes the interface and tries again.
const waitAttached = "increaseIPPoolwaitENIAttachedFailed"

// metadataLag explains a node that makes interfaces and never sees them. Nothing else can be told of it: the trouble is on
// the side of AWS, and passes.
func (a *analysis) metadataLag(p *pool, f diagnostics.Finding, pods []waiting) bool {
	node, failures := p.node, 0
	if node.Metrics != nil {
		failures = node.Metrics.Failures[waitAttached]
	}
	log := a.logLine(node, "giving up trying to retrieve ENIs from metadata service")
	if failures == 0 && log == "" {
		return false
	}
	f.ID, f.Confidence = "imds-lag", diagnostics.Possible
	f.Summary = fmt.Sprintf("the metadata service of node %s does not show interfaces that EC2 has attached: ipamd gives up on them and makes others", node.Name)
	if failures > 0 {
		f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "awscni_ipamd_error_count of node " + node.Name, Value: fmt.Sprintf("%s: %d", waitAttached, failures),
			Source: "get pods/proxy", Repeat: metricsCommand(node)})
	}
	if node.Metrics != nil && node.Metrics.Total < p.attached {
		f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "addresses that ipamd of node " + node.Name + " knows", Value: fmt.Sprintf("%d of the %d on its interfaces", node.Metrics.Total, p.attached),
			Source: "get pods/proxy, ec2:DescribeNetworkInterfaces", Repeat: metricsCommand(node)})
	}
	if log != "" {
		f.Evidence = append(f.Evidence, logEvidence(node, log))
	}
	for _, w := range a.places(p) {
		f.Evidence = append(f.Evidence, subnetEvidence(w.subnet))
	}
	a.find(f, pods)
	return true
}
