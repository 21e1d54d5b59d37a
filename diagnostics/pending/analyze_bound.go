package pending

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

// bound explains pods that have a node but no network, node by node. "failed to assign an IP address to container" is said
// for a dozen reasons and proves none of them.
func (a *analysis) bound() {
	byNode := map[string][]waiting{}
	for _, w := range a.at(unconnected, unmounted) {
		byNode[w.pod.Spec.NodeName] = append(byNode[w.pod.Spec.NodeName], w)
	}
	for _, name := range sortedKeys(byNode) {
		node := a.s.node(name)
		if node == nil {
			if !a.leaves("list nodes", "subnet-exhausted", "eni-all-or-nothing", "no-free-prefix", "eni-slots-full", "node-not-ready", "node-cordoned") {
				a.unsolve(byNode[name], "node "+name+" does not exist any more")
				continue
			}
			a.unsolve(byNode[name], "node "+name+" could not be read")
			continue
		}
		a.onNode(node, byNode[name])
	}
}

func (a *analysis) onNode(node *Node, pods []waiting) {
	if node.Ready != "True" && a.notReady(node, pods, false) {
		return
	}
	var addressing, mounting []waiting
	for _, w := range pods {
		switch {
		case w.stage == unmounted:
			a.mount(w)
			mounting = append(mounting, w)
		case a.network(node, w):
		case w.pod.Spec.HostNetwork:
			a.unsolve([]waiting{w}, "it uses the network of its node and needs no address; why its sandbox isn't up is not known: "+said(w))
		case ownInterface(w.pod):
			a.unsolve([]waiting{w}, "it has its own security groups, so that it needs a branch interface; nothing says why it has none")
		default:
			addressing = append(addressing, w)
		}
	}
	if len(addressing) > 0 {
		a.address(node, addressing, false)
		return
	}
	// Pods that wait for a volume need an address next.
	var next []waiting
	for _, w := range mounting {
		if !w.pod.Spec.HostNetwork {
			next = append(next, w)
		}
	}
	if len(next) > 0 {
		a.address(node, next, true)
	}
}

// said quotes what is known of a pod that nobody complains about.
func said(w waiting) string {
	if w.text == "" {
		return "no recent event about it"
	}
	return shorten(w.text)
}

// network recognizes what the runtime says before or after the address: other CNIs, the policy agent, ipamd not answering.
func (a *analysis) network(node *Node, w waiting) bool {
	text := w.text
	has := func(t string) bool { return strings.Contains(text, t) }
	f := diagnostics.Finding{Confidence: diagnostics.Confirmed, Subject: node.Name, Evidence: []diagnostics.Evidence{podEvidence(w)}}
	plugin := pluginType(text)
	switch {
	case has("add cmd: failed to assign an IP address to container"): // whoever calls the CNI, it is the one that fails
		return a.unanswered(node, w, f)
	case has("failed to setup network policy"):
		a.policyAgent(node, &f)
	case has("add command: failed to setup network"):
		a.unsolve([]waiting{w}, "it got its address, then the CNI of node "+node.Name+" could not set up its interface: "+afterFailed(text))
		return true
	case diskFull(text):
		f.ID, f.Confidence = "node-disk", diagnostics.Likely
		f.Summary = "the disk of node " + node.Name + " is full: no sandbox can be made there"
	case foreign(plugin):
		a.otherCNI(plugin, text, &f)
	case has("failed to connect to backend server"), has("Error received from AddNetwork gRPC call") && (has("connection refused") || has("no such file")), has("wrong client version"):
		return a.agent(node, []waiting{w}, f)
	case has("cni plugin not initialized"):
		return a.notReady(node, []waiting{w}, false)
	case has("No trunk ENI found"), has("failed to get Branch ENI resource"):
		return a.branch(node, w, f)
	case runtimeTrouble(text):
		return a.sandbox(node, w, f)
	case a.branchEvent(w) != nil:
		return a.branch(node, w, f)
	default:
		return a.unanswered(node, w, f)
	}
	a.find(f, []waiting{w})
	return true
}

// unanswered blames an aws-node pod that isn't ready for a pod that gets no address; otherwise the ledgers decide.
func (a *analysis) unanswered(node *Node, w waiting, f diagnostics.Finding) bool {
	if node.Agent != nil && !node.Agent.Ready && !w.pod.Spec.HostNetwork && wantsAgent(w.text) {
		return a.agent(node, []waiting{w}, f)
	}
	return false
}

// wantsAgent reports that a text, or none, fits a CNI that isn't there.
func wantsAgent(text string) bool { return text == "" || strings.Contains(text, "aws-cni") }

// agent explains an aws-node pod that does not answer: settings that it refuses, or a crash.
func (a *analysis) agent(node *Node, pods []waiting, f diagnostics.Finding) bool {
	p, agent := a.pools[node.Name], node.Agent
	if agent == nil {
		if _, missed := a.unread("list pods"); missed {
			a.leaves("list pods", "ipamd-down", "cni-not-initialized")
			a.unsolve(pods, "the aws-node pods could not be read")
			return true
		}
		f.ID, f.Confidence = "ipamd-down", diagnostics.Likely
		f.Summary = "no aws-node pod runs on node " + node.Name
		a.find(f, pods)
		return true
	}
	f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "pod " + agent.Name + " on node " + node.Name,
		Value: strings.TrimSpace(fmt.Sprintf("ready %t, %s %s", agent.Ready, plural(agent.Restarts, "restart"), agent.Waiting)), Source: "list pods",
		Repeat: "kubectl get pod -n kube-system " + agent.Name})
	for _, l := range agent.Log {
		f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "log of " + agent.Name, Value: l, Source: "get pods/log",
			Repeat: "kubectl logs -n kube-system " + agent.Name + " -c aws-node --tail 100"})
	}
	if !agent.Ready && len(p.problems) > 0 {
		f.ID, f.Subject = "cni-misconfigured", "daemonset/kube-system/aws-node"
		f.Summary = "aws-node does not start on " + node.Name + ": " + strings.Join(p.problems, "; ")
		a.find(f, pods)
		return true
	}
	if !agent.Ready {
		for _, l := range agent.Log {
			if strings.Contains(l, "is not supported while") {
				f.ID, f.Subject = "cni-misconfigured", "daemonset/kube-system/aws-node"
				f.Summary = "aws-node does not start on " + node.Name + ": it refuses its settings"
				a.find(f, pods)
				return true
			}
		}
	}
	f.ID = "ipamd-down"
	f.Summary = "ipamd of node " + node.Name + " does not answer"
	if agent.Ready {
		f.Confidence = diagnostics.Likely
		f.Summary += ", although its pod is ready now"
	}
	a.find(f, pods)
	return true
}

// notReady explains a node that isn't, and reports whether it did.
func (a *analysis) notReady(node *Node, pods []waiting, latent bool) bool {
	f := diagnostics.Finding{ID: "node-not-ready", Subject: node.Name, Confidence: diagnostics.Confirmed, Latent: latent,
		Summary: fmt.Sprintf("node %s is not ready (%s) since %s: %s", node.Name, node.Ready, node.ReadySince.UTC().Format("15:04"), node.ReadyMessage),
		Evidence: []diagnostics.Evidence{{What: "condition Ready of node " + node.Name, Value: node.Ready + ": " + node.ReadyMessage, Source: "list nodes",
			Repeat: nodeCommand(node)}}}
	if strings.Contains(node.ReadyMessage, "cni plugin not initialized") || strings.Contains(node.ReadyMessage, "NetworkPluginNotReady") {
		f.ID = "cni-not-initialized"
		f.Summary = "the CNI never came up on node " + node.Name + ": " + node.ReadyMessage
		if node.Agent != nil && !node.Agent.Ready && len(a.pools[node.Name].problems) > 0 {
			return a.agent(node, pods, f)
		}
		f.Because = a.whyNotInitialized(node, f, pods)
	}
	a.find(f, pods)
	return true
}

// whyNotInitialized finds what keeps a CNI from coming up, as far as it can be proved: a missing permission, or with custom
// networking no ENIConfig, or a subnet of it without room. It gives the keys of what it found.
func (a *analysis) whyNotInitialized(node *Node, f diagnostics.Finding, pods []waiting) []string {
	p, before := a.pools[node.Name], len(a.findings)
	cause := diagnostics.Finding{Confidence: diagnostics.Confirmed, Latent: f.Latent, Evidence: f.Evidence}
	switch {
	case a.missingPermission(node, p, cause, pods):
	case !p.settings.CustomNetworking || p.room() > 0 && len(p.members) > 1:
	case a.noENIConfig(p, cause, pods):
	default:
		if s := a.s.subnet(a.eniConfig(p)); s != nil && s.Available == 0 {
			a.exhausted(s, cause, pods)
		}
	}
	var keys []string
	for _, found := range a.findings[before:] {
		keys = append(keys, found.Key())
	}
	if len(keys) == 0 { // joined to one that was there
		for _, found := range a.of("cni-iam", "eniconfig", "subnet-exhausted") {
			if p.settings.CustomNetworking && found.Subject == a.eniConfig(p) {
				keys = append(keys, found.Key())
			}
		}
	}
	return keys
}

// branchEvent finds what the VPC resource controller says about a pod's branch interface.
func (a *analysis) branchEvent(w waiting) *corev1.Event {
	return last(byPod(a.s.Events)[string(w.pod.UID)], a.s.At, fresh, "BranchAllocationFailed", "BranchENIAnnotationFailed")
}

// branch explains a pod with its own security group that got no branch interface. The first failure before the interface is
// there belongs to the normal course.
func (a *analysis) branch(node *Node, w waiting, f diagnostics.Finding) bool {
	events := byPod(a.s.Events)[string(w.pod.UID)]
	if made := last(events, a.s.At, 6*fresh, "ResourceAllocated"); made != nil && w.event != nil && !when(w.event).After(when(made).Add(young)) {
		a.unsolve([]waiting{w}, "its branch interface was made after the last failure: it should start within seconds")
		return true
	}
	f.ID, f.Confidence = "branch-eni-failed", diagnostics.Likely
	f.Summary = "no branch interface could be made for a pod with its own security groups on node " + node.Name
	if e := a.branchEvent(w); e != nil {
		f.Confidence = diagnostics.Confirmed
		f.Evidence = append(f.Evidence, eventEvidence(e))
	}
	a.find(f, []waiting{w})
	return true
}

// ownInterface reports that a pod gets a branch interface of its own, and no address of its node's pool.
func ownInterface(p *corev1.Pod) bool {
	for _, c := range p.Spec.Containers {
		if q, ok := c.Resources.Limits["vpc.amazonaws.com/pod-eni"]; ok && !q.IsZero() {
			return true
		}
	}
	return false
}
