package pending

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
)

// agent explains an aws-node pod that does not answer: a permission or settings without which it doesn't start, or why it
// ended. f has what told so.
func (a *analysis) agent(node *Node, pods []waiting, f diagnostics.Finding) bool {
	p, agent := a.pools[node.Name], node.Agent
	if agent == nil {
		if a.leaves("list pods", "ipamd-down", "cni-not-initialized") {
			a.unsolve(pods, "the aws-node pods could not be read")
			return true
		}
		f.ID = "ipamd-down"
		f.Summary = "no aws-node pod runs on node " + node.Name
		if f.Confidence = diagnostics.Likely; a.s.Driver != nil {
			f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "pods of DaemonSet aws-node", Value: fmt.Sprintf("%d of %d ready, none on %s", a.s.Driver.Ready, a.s.Driver.Desired, node.Name),
				Source: "list daemonsets.apps, list pods", Repeat: "kubectl get pods -n kube-system -l k8s-app=aws-node -o wide --field-selector spec.nodeName=" + node.Name})
		}
		a.find(f, pods)
		return true
	}
	f.Evidence = append(f.Evidence, agentEvidence(node))
	for _, l := range agent.Log[max(len(agent.Log)-3, 0):] {
		f.Evidence = append(f.Evidence, logEvidence(node, l))
	}
	if agent.Ready {
		return a.answersAgain(node, pods, f)
	}
	if a.neverStarts(node, p, pods, f) {
		return true
	}
	f.ID, f.Reason = "ipamd-down", whyDown(agent)
	f.Summary = "ipamd of node " + node.Name + " does not answer" + downText(agent)
	a.nodeSays(&f, node, "IPAMDNotRunning", "IPAMDNotReady", "IPAMDRepeatedlyRestart")
	a.find(f, pods)
	return true
}

// neverStarts explains an aws-node that can't start on a node, whatever it is that waits for it: a permission is missing, or it
// refuses its settings.
func (a *analysis) neverStarts(node *Node, p *pool, pods []waiting, f diagnostics.Finding) bool {
	if e := a.permissionEvent(node); e != nil {
		a.lacks(node, p, e, f, pods)
		return true
	}
	why := strings.Join(p.problems, "; ")
	if why == "" {
		line, _, refused := node.logged(a.s.At, 6*fresh, refusesSettings()...)
		if !refused {
			return false
		}
		if why = "it refuses its settings"; strings.Contains(line, "WARM_PREFIX_TARGET = 0") {
			why = "it refuses WARM_PREFIX_TARGET=0 while neither WARM_IP_TARGET nor MINIMUM_IP_TARGET is set"
		}
	}
	f.ID, f.Subject = "cni-misconfigured", "daemonset/kube-system/aws-node"
	f.Summary = "aws-node does not start on " + node.Name + ": " + why
	for _, name := range []string{"ENABLE_PREFIX_DELEGATION", "WARM_PREFIX_TARGET", "IP_COOLDOWN_PERIOD", "ENABLE_IPv4", "ENABLE_IPv6"} {
		if strings.Contains(why, name) || name == "ENABLE_PREFIX_DELEGATION" && strings.Contains(why, "WARM_PREFIX_TARGET") {
			f.Evidence = append(f.Evidence, settingsEvidence(name, p))
		}
	}
	a.find(f, pods)
	return true
}

// refusesSettings are the parts of what the entrypoint of aws-node writes when it ends because of its settings (cmd/aws-vpc-cni/main.go).
func refusesSettings() []string {
	return []string{"is not supported while", "IP_COOLDOWN_PERIOD", "Environment variable validation"}
}

// answersAgain is an aws-node that is ready while pods fail because it did not answer them: where it was started after the last
// failure, they only have to try again.
func (a *analysis) answersAgain(node *Node, pods []waiting, f diagnostics.Finding) bool {
	agent := node.Agent
	if started := agent.Started; !started.IsZero() && !slices.ContainsFunc(pods, func(w waiting) bool { return w.event == nil || diagnostics.LastSeen(w.event).After(started) }) {
		a.healed(pods, fmt.Sprintf("ipamd of node %s is up again since %s, after the last failure: the kubelet tries again within seconds", node.Name, started.UTC().Format("15:04:05")))
		return true
	}
	f.ID, f.Confidence = "ipamd-down", diagnostics.Likely
	f.Summary = "ipamd of node " + node.Name + " does not answer, although its pod is ready now"
	if agent.Ended != nil && agent.Restarts > 0 {
		f.Summary += fmt.Sprintf("; it was restarted %s", plural(agent.Restarts, "time"))
	}
	a.nodeSays(&f, node, "IPAMDNotRunning", "IPAMDNotReady", "IPAMDRepeatedlyRestart")
	a.find(f, pods)
	return true
}

// Reasons why an aws-node pod is down.
const (
	noImage   = "image"
	noMemory  = "memory"
	crashing  = "crash"
	unhealthy = "not-ready"
)

func whyDown(g *Agent) string {
	switch {
	case strings.Contains(g.Waiting, "ImagePull") || g.Waiting == "InvalidImageName" || g.Waiting == "ErrImageNeverPull":
		return noImage
	case g.Ended != nil && g.Ended.Reason == "OOMKilled":
		return noMemory
	case g.Waiting == "CrashLoopBackOff" || g.Ended != nil:
		return crashing
	}
	return unhealthy
}

// downText tells why, as far as the pod shows it.
func downText(g *Agent) string {
	ended := ""
	if g.Ended != nil {
		ended = fmt.Sprintf(" (%s, exit code %d at %s)", strings.TrimSpace(g.Ended.Reason), g.Ended.Code, g.Ended.At.UTC().Format("15:04:05"))
	}
	switch whyDown(g) {
	case noImage:
		return ": the image of its pod " + g.Name + " can't be pulled"
	case noMemory:
		return fmt.Sprintf(": it was killed for want of memory%s, %s so far", ended, plural(g.Restarts, "restart"))
	case crashing:
		return fmt.Sprintf(": it ends again and again%s, %s so far", ended, plural(g.Restarts, "restart"))
	}
	return ": its pod " + g.Name + " is not ready"
}

func agentEvidence(node *Node) diagnostics.Evidence {
	g := node.Agent
	value := strings.TrimSpace(fmt.Sprintf("ready %t, %s %s", g.Ready, plural(g.Restarts, "restart"), g.Waiting))
	if g.Message != "" {
		value += ": " + shorten(g.Message)
	}
	if g.Ended != nil {
		value += fmt.Sprintf("; ended last at %s: %s, exit code %d", g.Ended.At.UTC().Format(time.TimeOnly), g.Ended.Reason, g.Ended.Code)
	}
	return diagnostics.Evidence{What: "pod " + g.Name + " on node " + node.Name, Value: value, Source: "list pods", Repeat: "kubectl describe pod -n kube-system " + g.Name}
}

// nodeSays adds what the EKS node monitoring agent says of a node, where it runs and names one of the reasons.
func (a *analysis) nodeSays(f *diagnostics.Finding, node *Node, reasons ...string) {
	if slices.ContainsFunc(reasons, func(r string) bool { return strings.HasPrefix(node.Networking, r) }) {
		f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "condition NetworkingReady of node " + node.Name, Value: "False: " + node.Networking, Source: "list nodes", Repeat: nodeCommand(node)})
	}
	if e := a.nodeEvent(node, fresh, reasons...); e != nil {
		f.Evidence = append(f.Evidence, eventEvidence(e))
	}
}
