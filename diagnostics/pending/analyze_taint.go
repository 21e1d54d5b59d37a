package pending

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
)

// unready are the taints by which Kubernetes keeps pods off a node that is in trouble: the trouble is the cause, not the taint.
var unready = []string{"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable", "node.kubernetes.io/network-unavailable", "node.eks.amazonaws.com/not-ready"}

// whose says who puts a taint on nodes, where it isn't people.
func whose(key string) string {
	for _, t := range []struct{ key, who string }{
		{"node.kubernetes.io/unschedulable", "the nodes are cordoned (kubectl cordon or drain, or a tool that replaces nodes)"},
		{"node.kubernetes.io/disk-pressure", "the kubelet puts it on a node whose disk is nearly full"},
		{"node.kubernetes.io/memory-pressure", "the kubelet puts it on a node that is short of memory"},
		{"node.kubernetes.io/pid-pressure", "the kubelet puts it on a node that is short of process ids"},
		{"node.kubernetes.io/out-of-service", "someone has declared the nodes out of service"},
		{"node.cloudprovider.kubernetes.io/uninitialized", "the nodes are new, and the cloud controller has not set them up yet"},
		{"karpenter.sh/disrupt", "Karpenter is about to replace the nodes"},
		{"karpenter.sh/unregistered", "the nodes are new, and Karpenter has not registered them yet"},
		{"eks.amazonaws.com/compute-type", "Fargate nodes take only the pods of a Fargate profile"},
		{"ebs.csi.aws.com/agent-not-ready", "the EBS driver is not up on the nodes yet"},
		{"efs.csi.aws.com/agent-not-ready", "the EFS driver is not up on the nodes yet"},
	} {
		if strings.HasPrefix(key, t.key) {
			return t.who
		}
	}
	return ""
}

// detailed fills in the taints of clauses that don't name any, as newer schedulers write them: a clause for each taint, with
// the number of nodes that keep the pods away by it.
func (a *analysis) detailed(clauses []clause, pods []waiting) []clause {
	var out []clause
	for _, c := range clauses {
		if c.cause != "taint" || c.detail != "" {
			out = append(out, c)
			continue
		}
		counts := map[string]int{}
		for n := range a.s.Nodes {
			for _, t := range a.s.Nodes[n].Taints {
				if keepsAway(t, pods[0].pod) {
					counts[strings.TrimSuffix(t.Key+": "+t.Value, ": ")]++
					break // the scheduler too stops at the first
				}
			}
		}
		if len(counts) == 0 {
			out = append(out, c)
		}
		for _, detail := range sortedKeys(counts) {
			out = append(out, clause{count: counts[detail], reason: c.reason, cause: "taint", detail: detail})
		}
	}
	return out
}

// taint looks behind the taints by which Kubernetes itself keeps pods off a node that is in trouble.
func (a *analysis) taint(f diagnostics.Finding, c clause, of string, pods []waiting) {
	key, _, _ := strings.Cut(c.detail, ":")
	key = strings.TrimSpace(key)
	if slices.Contains(unready, key) {
		if a.leaves("list nodes", "node-not-ready", "cni-not-initialized") {
			a.unsolve(pods, "nodes are not ready (taint "+key+"), and why could not be read")
			return
		}
		if a.behind(f, pods) {
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
	if who := whose(key); who != "" {
		f.Summary += ": " + who
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

// behind reports the nodes that are not ready as what keeps the pods waiting, and whether there are any. Those that are only
// just starting take the pods when they are up.
func (a *analysis) behind(f diagnostics.Finding, pods []waiting) bool {
	found, starting := false, ""
	for n := range a.s.Nodes {
		switch node := &a.s.Nodes[n]; {
		case node.Ready == "True":
		case a.settles(node):
			starting = node.Name
		default:
			found = true
			a.notReady(node, pods, f.Latent)
		}
	}
	if !found && starting != "" {
		a.healed(pods, "node "+starting+" is new and still starting: it takes them when it is ready")
	}
	return found || starting != ""
}
