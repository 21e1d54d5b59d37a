package pending

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

var missingObject = regexp.MustCompile(`(?i)\b(secret|configmap)s? "([^"]+)" not found`)
var missingKey = regexp.MustCompile(`couldn't find key (\S+) in (Secret|ConfigMap) (\S+)`)

// missing names the Secret or ConfigMap that a message says isn't there; empty where it says something else.
func missing(message string) string {
	if m := missingObject.FindStringSubmatch(message); m != nil {
		return strings.ToLower(m[1]) + "/" + m[2]
	}
	if m := missingKey.FindStringSubmatch(message); m != nil {
		parts := strings.Split(m[3], "/")
		return strings.ToLower(m[2]) + "/" + parts[len(parts)-1]
	}
	if strings.Contains(message, "references non-existent secret key") || strings.Contains(message, "references non-existent config key") {
		return "volume with a key that its Secret or ConfigMap lacks"
	}
	return ""
}

// mount explains a pod whose volumes are in the way. The kubelet mounts them before it makes the sandbox.
func (a *analysis) mount(w waiting) {
	f := diagnostics.Finding{Confidence: diagnostics.Confirmed, Evidence: []diagnostics.Evidence{podEvidence(w)}}
	if object := missing(w.text); object != "" {
		f.ID, f.Subject = "missing-config", object
		f.Summary = fmt.Sprintf("%s does not exist in namespace %s, and pods mount it", object, w.pod.Namespace)
		a.find(f, []waiting{w})
		return
	}
	f.ID, f.Subject = "volume-mount", claimOf(w)
	f.Summary = "a volume can't be attached or mounted: " + shorten(w.text)
	for n := range a.s.Claims {
		if c := &a.s.Claims[n]; c.Name == f.Subject {
			f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "claim " + c.Name, Value: fmt.Sprintf("%s, volume %s", c.Status.Phase, c.Spec.VolumeName),
				Source: "list persistentvolumeclaims", Repeat: fmt.Sprintf("kubectl get pvc -n %s %s", c.Namespace, c.Name)})
		}
	}
	a.find(f, []waiting{w})
}

// connected explains pods whose network is done: whatever keeps them is no matter of addresses.
func (a *analysis) connected() {
	events := byPod(a.s.Events)
	for _, w := range a.at(connected) {
		if !a.container(w, events[string(w.pod.UID)]) {
			a.unsolve([]waiting{w}, "it has its address and waits for something else: "+containerState(w.pod))
		}
	}
}

func (a *analysis) container(w waiting, events []*corev1.Event) bool {
	states := map[bool][]corev1.ContainerStatus{true: w.pod.Status.InitContainerStatuses, false: w.pod.Status.ContainerStatuses}
	for _, init := range []bool{true, false} {
		for _, s := range states[init] {
			r := s.State.Waiting
			if r == nil {
				if init && s.State.Running != nil && !s.Ready && s.RestartCount == 0 || init && s.State.Terminated != nil && s.State.Terminated.ExitCode != 0 {
					a.init(w, s)
					return true
				}
				continue
			}
			f := diagnostics.Finding{Confidence: diagnostics.Confirmed, Evidence: []diagnostics.Evidence{{What: "container " + s.Name + " of pod " + w.pod.Name,
				Value: strings.TrimSuffix(r.Reason+": "+shorten(r.Message), ": "), Source: "list pods", Repeat: fmt.Sprintf("kubectl describe pod -n %s %s", w.pod.Namespace, w.pod.Name)}}}
			switch r.Reason {
			case "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError", "RegistryUnavailable", "SignatureValidationFailed":
				a.image(w, s, f, events)
				return true
			case "CreateContainerConfigError":
				object := missing(r.Message)
				if object == "" {
					return false
				}
				f.ID, f.Subject = "missing-config", object
				f.Summary = fmt.Sprintf("%s is missing in namespace %s, and containers take their environment from it", object, w.pod.Namespace)
				a.find(f, []waiting{w})
				return true
			case "CreateContainerError", "RunContainerError":
				f.ID, f.Subject, f.Confidence = "runtime", w.pod.Spec.NodeName, diagnostics.Likely
				f.Summary = "the container runtime could not start container " + s.Name + ": " + shorten(r.Message)
				a.find(f, []waiting{w})
				return true
			case "CrashLoopBackOff":
				if init {
					a.init(w, s)
					return true
				}
			}
		}
	}
	return false
}

func (a *analysis) init(w waiting, s corev1.ContainerStatus) {
	f := diagnostics.Finding{ID: "init-container", Subject: owner(w), Confidence: diagnostics.Confirmed,
		Summary: fmt.Sprintf("init container %s is still running", s.Name),
		Evidence: []diagnostics.Evidence{{What: "init container " + s.Name + " of pod " + w.pod.Name, Value: fmt.Sprintf("%s, %s", state(s), plural(int(s.RestartCount), "restart")),
			Source: "list pods", Repeat: fmt.Sprintf("kubectl logs -n %s %s -c %s", w.pod.Namespace, w.pod.Name, s.Name)}}}
	if s.RestartCount > 0 || s.State.Terminated != nil {
		f.Summary = fmt.Sprintf("init container %s fails again and again", s.Name)
	}
	a.find(f, []waiting{w})
}

func state(s corev1.ContainerStatus) string {
	switch {
	case s.State.Waiting != nil:
		return s.State.Waiting.Reason
	case s.State.Terminated != nil:
		return fmt.Sprintf("ended with %d", s.State.Terminated.ExitCode)
	case s.State.Running != nil:
		return "running since " + s.State.Running.StartedAt.UTC().Format("15:04:05")
	}
	return "not started"
}

func containerState(p *corev1.Pod) string {
	var parts []string
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		parts = append(parts, s.Name+" "+state(s))
	}
	return strings.Join(parts, ", ")
}

// image tells an image that isn't there, or may not be pulled, from a registry that can't be reached.
func (a *analysis) image(w waiting, s corev1.ContainerStatus, f diagnostics.Finding, events []*corev1.Event) {
	f.ID, f.Subject = "image-pull", s.Image
	why := s.State.Waiting.Message
	if e := last(events, a.s.At, 6*fresh, "Failed", "InspectFailed"); e != nil && strings.Contains(e.Message, "pull") {
		why = e.Message
		f.Evidence = append(f.Evidence, eventEvidence(e))
	}
	for _, c := range slices.Concat(w.pod.Spec.InitContainers, w.pod.Spec.Containers) {
		if c.Name == s.Name && c.Image != "" {
			f.Subject = c.Image
		}
	}
	f.Summary = "image " + f.Subject + " can't be pulled"
	switch {
	case strings.Contains(why, "i/o timeout") || strings.Contains(why, "context deadline exceeded") || strings.Contains(why, "no route to host") || strings.Contains(why, "network is unreachable"):
		f.ID, f.Confidence, f.Subject = "egress", diagnostics.Likely, w.pod.Spec.NodeName
		f.Summary = "node " + w.pod.Spec.NodeName + " does not reach the registry"
	case strings.Contains(why, "not found"):
		f.Summary += ": it does not exist"
	case strings.Contains(why, "denied") || strings.Contains(why, "unauthorized") || strings.Contains(why, "403") || strings.Contains(why, "no basic auth credentials"):
		f.Summary += ": the registry refuses the credentials"
	}
	a.find(f, []waiting{w})
}
