package pending

import (
	"fmt"
	"slices"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
)

// settling is how long a new node may take until its CNI is up: image, init container, ipamd's own start.
const settling = 2 * time.Minute

// settles reports a node that is so new that its CNI can't be expected to be up, and shows no trouble of it.
func (a *analysis) settles(node *Node) bool {
	g := node.Agent
	return !node.Created.IsZero() && a.s.At.Sub(node.Created) < settling && (g == nil || g.Restarts == 0 && (g.Waiting == "" || g.Waiting == "ContainerCreating")) &&
		a.permissionEvent(node) == nil
}

// notInitialized explains a node on which the CNI never came up: what keeps it from that, where it can be proved, is the root
// cause. f tells that the node isn't ready. In the default mode an exhausted subnet does not do it: there ipamd starts without addresses.
func (a *analysis) notInitialized(node *Node, f diagnostics.Finding, pods []waiting) bool {
	if a.settles(node) {
		a.healed(pods, fmt.Sprintf("node %s is %d seconds old: its CNI is starting", node.Name, int(a.s.At.Sub(node.Created).Seconds())))
		return true
	}
	g := node.Agent
	f.ID = "cni-not-initialized"
	f.Summary = "the CNI never came up on node " + node.Name
	switch {
	case g == nil && a.leaves("list pods", "cni-misconfigured", "cni-iam"):
	case g == nil:
		f.Summary += ": no aws-node pod runs there"
		f.Reason = "no-pod"
	case g.Ready:
		f.Evidence = append(f.Evidence, agentEvidence(node))
	default:
		f.Reason = whyDown(g)
		f.Summary += downText(g)
		f.Evidence = append(f.Evidence, agentEvidence(node))
		for _, l := range g.Log[max(len(g.Log)-3, 0):] {
			f.Evidence = append(f.Evidence, logEvidence(node, l))
		}
	}
	a.nodeSays(&f, node, "IPAMDNotReady", "IPAMDNotRunning", "IPAMDRepeatedlyRestart")
	f.Because = a.whyNotInitialized(node, f, pods)
	a.find(f, pods)
	return true
}

// whyNotInitialized finds what keeps a CNI from coming up, as far as it can be proved: a missing permission, settings that it
// refuses, or with custom networking no ENIConfig, or a subnet of it without room. It gives the keys of what it found.
func (a *analysis) whyNotInitialized(node *Node, f diagnostics.Finding, pods []waiting) []string {
	p, before := a.pools[node.Name], len(a.findings)
	cause := diagnostics.Finding{Confidence: diagnostics.Confirmed, Latent: f.Latent, Evidence: slices.Clone(f.Evidence)}
	switch {
	case node.Agent != nil && !node.Agent.Ready && a.neverStarts(node, p, pods, cause):
	case a.missingPermission(node, p, cause, pods):
	case !p.settings.CustomNetworking || p.room() > 0 && len(p.members) > 1:
	case a.noENIConfig(p, cause, pods):
	default:
		ways := a.places(p)
		if len(ways) > 0 && p.known && !slices.ContainsFunc(ways, func(w way) bool { return !a.shortOf(p, w) }) {
			a.noRoom(p, ways, cause, pods)
		} else if s := a.s.subnet(a.eniConfig(p)); s != nil && s.Available == 0 {
			a.exhausted(s, cause, pods)
		}
	}
	var keys []string
	for _, found := range a.findings[before:] {
		keys = append(keys, found.Key())
	}
	if len(keys) > 0 {
		return keys
	}
	for _, found := range a.of("cni-iam", "cni-misconfigured", "eniconfig", "subnet-exhausted", "eni-all-or-nothing", "no-free-prefix") { // joined to one that was there
		if slices.ContainsFunc(pods, func(w waiting) bool { return slices.Contains(found.Affects, w.ref()) }) ||
			p.settings.CustomNetworking && found.Subject == a.eniConfig(p) {
			keys = append(keys, found.Key())
		}
	}
	return keys
}
