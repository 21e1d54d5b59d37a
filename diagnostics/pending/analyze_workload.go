package pending

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

// connected explains pods whose network is done: whatever keeps them is no matter of addresses.
func (a *analysis) connected() {
	events := byPod(a.s.Events)
	for _, w := range a.at(connected) {
		own := events[string(w.pod.UID)]
		if a.containers(w, own) {
			continue
		}
		why := "it has its address and waits for something else: " + containerState(w.pod)
		if pulling := last(own, a.s.At, 6*fresh, "Pulling", "Pulled"); pulling != nil && pulling.Reason == "Pulling" {
			why = fmt.Sprintf("it has its address, and its image is being pulled since %s: %s", clock(pulling), shorten(pulling.Message))
		}
		a.unsolve([]waiting{w}, why)
	}
}

// containers explains a pod by the first of its containers that is in the way: init containers run one after the other, before the rest.
func (a *analysis) containers(w waiting, events []*corev1.Event) bool {
	for _, s := range w.pod.Status.InitContainerStatuses {
		stays := slices.ContainsFunc(w.pod.Spec.InitContainers, func(c corev1.Container) bool { return c.Name == s.Name && sidecar(c) })
		switch {
		case stays && s.Started != nil && *s.Started:
		case s.State.Waiting != nil && s.State.Waiting.Reason != "CrashLoopBackOff":
			if a.waitingContainer(w, s, events) {
				return true
			}
		case s.State.Terminated != nil && s.State.Terminated.ExitCode == 0 && !stays:
		case s.State.Waiting != nil, s.State.Terminated != nil, s.State.Running != nil:
			a.init(w, s, stays)
			return true
		}
	}
	return slices.ContainsFunc(w.pod.Status.ContainerStatuses, func(s corev1.ContainerStatus) bool {
		return s.State.Waiting != nil && a.waitingContainer(w, s, events)
	})
}

// waitingContainer explains a container that is not started, by the reason that the kubelet gives.
func (a *analysis) waitingContainer(w waiting, s corev1.ContainerStatus, events []*corev1.Event) bool {
	r := s.State.Waiting
	f := diagnostics.Finding{Confidence: diagnostics.Confirmed, Evidence: []diagnostics.Evidence{{What: "container " + s.Name + " of pod " + w.pod.Name,
		Value: strings.TrimSuffix(r.Reason+": "+shorten(r.Message), ": "), Source: "list pods", Repeat: fmt.Sprintf("kubectl describe pod -n %s %s", w.pod.Namespace, w.pod.Name)}}}
	switch r.Reason {
	case "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError", "RegistryUnavailable", "SignatureValidationFailed":
		a.image(w, s, f, events)
	case "CreateContainerConfigError":
		object := missing(r.Message)
		if object == "" {
			return false
		}
		f.ID, f.Subject = "missing-config", object
		f.Summary = fmt.Sprintf("%s is missing in namespace %s, and containers take their environment from it", object, w.pod.Namespace)
		if strings.Contains(r.Message, "couldn't find key") {
			f.Summary = fmt.Sprintf("%s in namespace %s lacks a key, and containers take their environment from it: %s", object, w.pod.Namespace, shorten(r.Message))
		}
		a.find(f, []waiting{w})
	case "CreateContainerError", "RunContainerError":
		a.notStarted(w, s, f)
	default:
		return false
	}
	return true
}

// init explains an init container that runs, or fails.
func (a *analysis) init(w waiting, s corev1.ContainerStatus, stays bool) {
	f := diagnostics.Finding{ID: "init-container", Subject: owner(w), Confidence: diagnostics.Confirmed,
		Summary: fmt.Sprintf("init container %s is still running", s.Name),
		Evidence: []diagnostics.Evidence{{What: "init container " + s.Name + " of pod " + w.pod.Name, Value: fmt.Sprintf("%s, %s", state(s), plural(int(s.RestartCount), "restart")),
			Source: "list pods", Repeat: fmt.Sprintf("kubectl logs -n %s %s -c %s", w.pod.Namespace, w.pod.Name, s.Name)}}}
	if run := s.State.Running; run != nil && !run.StartedAt.IsZero() {
		f.Summary = fmt.Sprintf("init container %s has been running for %s and has not ended", s.Name, spell(a.s.At.Sub(run.StartedAt.Time)))
	}
	if stays {
		f.Summary = fmt.Sprintf("sidecar %s runs and is not started yet: its startup probe does not pass", s.Name)
	}
	if s.RestartCount > 0 || s.State.Terminated != nil {
		f.Summary = fmt.Sprintf("init container %s fails again and again", s.Name)
		ended := s.LastTerminationState.Terminated
		if s.State.Terminated != nil {
			ended = s.State.Terminated
		}
		if ended != nil {
			f.Summary += strings.TrimSuffix(fmt.Sprintf(": the last time it ended with %d (%s", ended.ExitCode, ended.Reason), " (")
			if ended.Reason != "" {
				f.Summary += ")"
			}
		}
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
		text := s.Name + " " + state(s)
		if r := s.State.Waiting; r != nil && r.Message != "" {
			text += " (" + shorten(r.Message) + ")"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}
