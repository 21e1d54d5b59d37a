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
			a.noBranch(node, w)
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
	case has("failed to setup network policy"):
		a.policyAgent(node, &f)
	case has("add command: failed to setup network"):
		a.unsolve([]waiting{w}, "it got its address, then the CNI of node "+node.Name+" could not set up its interface: "+afterFailed(text))
		return true
	case diskFull(text):
		f.ID, f.Confidence = "node-disk", diagnostics.Likely
		f.Summary = "the disk of node " + node.Name + " is full: no sandbox can be made there"
	case foreign(plugin) && !has("add cmd: failed to assign an IP address to container"): // that is the VPC CNI's word, whoever calls it
		a.otherCNI(plugin, text, &f)
	case has("failed to connect to backend server"), has("Error received from AddNetwork gRPC call") && (has("connection refused") || has("no such file")), has("wrong client version"):
		return a.agent(node, []waiting{w}, f)
	case has("cni plugin not initialized"): // and yet the node is ready
		if w.event != nil && !diagnostics.LastSeen(w.event).After(node.ReadySince) {
			a.healed([]waiting{w}, fmt.Sprintf("node %s is ready since %s, after the last failure: the kubelet tries again within seconds", node.Name, node.ReadySince.UTC().Format("15:04:05")))
			return true
		}
		return a.agent(node, []waiting{w}, f)
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

// notReady explains a node that isn't, and reports whether it did.
func (a *analysis) notReady(node *Node, pods []waiting, latent bool) bool {
	f := diagnostics.Finding{ID: "node-not-ready", Subject: node.Name, Confidence: diagnostics.Confirmed, Latent: latent,
		Summary: fmt.Sprintf("node %s is not ready (%s) since %s: %s", node.Name, node.Ready, node.ReadySince.UTC().Format("15:04"), node.ReadyMessage),
		Evidence: []diagnostics.Evidence{{What: "condition Ready of node " + node.Name, Value: node.Ready + ": " + node.ReadyMessage, Source: "list nodes",
			Repeat: nodeCommand(node)}}}
	if strings.Contains(node.ReadyMessage, "cni plugin not initialized") || strings.Contains(node.ReadyMessage, "NetworkPluginNotReady") {
		return a.notInitialized(node, f, pods)
	}
	a.find(f, pods)
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
