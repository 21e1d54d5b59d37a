package pending

import (
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

var noRuntime = regexp.MustCompile(`no runtime for "([^"]+)" is configured`)

// runtimeTrouble reports that the container runtime itself could not make a sandbox, whatever the CNI says.
func runtimeTrouble(text string) bool {
	if strings.Contains(text, `plugin type="`) {
		return false
	}
	for _, t := range []string{"failed to reserve sandbox name", "no runtime for ", "failed to create containerd task", "failed to start sandbox", "OCI runtime create failed", "failed to get sandbox image",
		"context deadline exceeded", "DeadlineExceeded"} {
		if strings.Contains(text, t) {
			return true
		}
	}
	return false
}

// sandbox explains a sandbox that the container runtime could not make. That a name is reserved, or that time was up, says
// nothing of why: an earlier failure of the same pod may.
func (a *analysis) sandbox(node *Node, w waiting, f diagnostics.Finding) bool {
	f.ID, f.Subject, f.Confidence = "runtime", node.Name, diagnostics.Likely
	switch {
	case noRuntime.MatchString(w.text):
		class := noRuntime.FindStringSubmatch(w.text)[1]
		f.Subject, f.Confidence = "runtimeclass/"+class, diagnostics.Confirmed
		f.Summary = "the container runtime of node " + node.Name + " has no handler " + class + ", which the RuntimeClass of the pods asks for"
	case strings.Contains(w.text, "failed to reserve sandbox name"), strings.Contains(w.text, "eadline"):
		if earlier, ok := a.earlier(w); ok {
			if a.network(node, earlier) {
				return true
			}
			return false // a matter of addresses, see onNode
		}
		if node.Agent != nil && !node.Agent.Ready && !w.pod.Spec.HostNetwork {
			return a.agent(node, []waiting{w}, f)
		}
		f.Summary = "the container runtime of node " + node.Name + " still holds the name of an earlier sandbox: it is slow, or left one behind"
		if !strings.Contains(w.text, "failed to reserve sandbox name") {
			f.Confidence = diagnostics.Possible
			f.Summary = "the container runtime of node " + node.Name + " makes no sandbox in time: the node is overloaded, or its CNI is slow to answer"
		}
	default:
		f.Summary = "the container runtime of node " + node.Name + " could not make the sandbox: " + afterLast(w.text, "desc = ")
	}
	a.find(f, []waiting{w})
	return true
}

// earlier finds the last failure of the pod's sandbox within the hour that was not said for want of time.
func (a *analysis) earlier(w waiting) (waiting, bool) {
	var found *corev1.Event
	for _, e := range byPod(a.s.Events)[string(w.pod.UID)] {
		if e.Reason == "FailedCreatePodSandBox" && !runtimeTrouble(e.Message) && a.s.At.Sub(diagnostics.LastSeen(e)) <= 6*fresh && (found == nil || !diagnostics.LastSeen(e).Before(diagnostics.LastSeen(found))) {
			found = e
		}
	}
	if found == nil {
		return w, false
	}
	w.take(found)
	return w, true
}

// notStarted explains a container that the runtime, or the kubelet for it, could not start.
func (a *analysis) notStarted(w waiting, s corev1.ContainerStatus, f diagnostics.Finding) {
	message := s.State.Waiting.Message
	f.ID, f.Subject, f.Confidence = "runtime", w.pod.Spec.NodeName, diagnostics.Likely
	f.Summary = "the container runtime could not start container " + s.Name + ": " + shorten(message)
	for _, t := range []string{"executable file not found", "no such file or directory", "permission denied", "exec format error", "is not a directory"} {
		if strings.Contains(message, t) { // it is the image or the command, on whatever node
			f.Subject, f.Confidence = owner(w), diagnostics.Confirmed
		}
	}
	a.find(f, []waiting{w})
}

func afterLast(text, sep string) string {
	if _, after, found := cutLast(text, sep); found {
		return shorten(after)
	}
	return shorten(text)
}
