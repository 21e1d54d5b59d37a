package pending

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
)

// pluginType is the CNI plugin that a sandbox failed in: plugin type="aws-cni" name="aws-cni" failed (add).
func pluginType(text string) string { return quoted(text, `plugin type="`) }

// chainName is the network that the plugin belongs to; plugins that are chained share it.
func chainName(text string) string {
	_, rest, _ := strings.Cut(text, `plugin type="`)
	return quoted(rest, `name="`)
}

func quoted(text, after string) string {
	_, rest, ok := strings.Cut(text, after)
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, `"`)
	return name
}

func afterFailed(text string) string {
	if _, rest, ok := strings.Cut(text, "failed (add): "); ok {
		return shorten(rest)
	}
	return shorten(text)
}

// foreign reports a plugin that is neither part of the Amazon VPC CNI nor one of the plain helpers that are chained to any CNI.
func foreign(plugin string) bool {
	return plugin != "" && !slices.Contains([]string{"aws-cni", "egress-cni", "egress-v4-cni", "egress-v6-cni", "loopback", "portmap", "bandwidth", "tuning", "sbr", "firewall"}, plugin)
}

// otherCNI says that the network of a pod is made by another CNI: then nothing of subnets and warm pools is to the point.
func (a *analysis) otherCNI(plugin, text string, f *diagnostics.Finding) {
	f.ID, f.Subject = "other-cni", plugin
	f.Summary = fmt.Sprintf("the network of the pods is made by %s, not by the Amazon VPC CNI: %s", plugin, afterFailed(text))
	switch {
	case chainName(text) == "aws-cni":
		f.Summary = fmt.Sprintf("the pods got their address, then the plugin %s that is chained after the Amazon VPC CNI failed: %s", plugin, afterFailed(text))
	case a.s.Driver == nil || a.s.Driver.Desired == 0:
		if _, missed := a.unread("list daemonsets.apps"); !missed {
			f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "nodes that run aws-node", Value: "0", Source: "list daemonsets.apps",
				Repeat: "kubectl get daemonset aws-node -n kube-system"})
		}
	}
}

// policyAgent says that the address was had, and the network policy agent failed after it.
func (a *analysis) policyAgent(node *Node, f *diagnostics.Finding) {
	f.ID = "network-policy-agent"
	f.Summary = "the pod got its address, then the network policy agent of node " + node.Name + " did not answer"
	if node.Agent == nil {
		return
	}
	if node.Agent.PolicyAgent != "" {
		f.Summary += ": it is " + node.Agent.PolicyAgent
		f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "container aws-eks-nodeagent of " + node.Agent.Name, Value: node.Agent.PolicyAgent, Source: "list pods",
			Repeat: "kubectl get pod -n kube-system " + node.Agent.Name + " -o yaml"})
	}
}
