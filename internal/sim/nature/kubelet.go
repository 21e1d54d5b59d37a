package nature

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
)

// noAddress is what the CNI says when it has no address to give, within a FailedCreatePodSandBox event of the pod.
const noAddress = "failed to assign an IP address to container"

// waits reports whether a pod is bound, wants an address of the node, and has got none yet.
func waits(p *corev1.Pod) bool {
	if p.Spec.NodeName == "" || p.Spec.HostNetwork || p.Status.PodIP != "" || p.Status.Phase != corev1.PodPending || p.DeletionTimestamp != nil {
		return false
	}
	for _, c := range p.Spec.Containers {
		if _, branch := c.Resources.Limits["vpc.amazonaws.com/pod-eni"]; branch { // its address comes from the control plane
			return false
		}
	}
	for _, s := range p.Status.ContainerStatuses {
		if s.State.Waiting == nil || s.State.Waiting.Reason != "ContainerCreating" && s.State.Waiting.Reason != "PodInitializing" {
			return false
		}
	}
	return true
}

// lastWarning is the last warning about a pod with one of these reasons; nil where there is none.
func lastWarning(p *corev1.Pod, events []*corev1.Event, reasons ...string) *corev1.Event {
	var last *corev1.Event
	for _, e := range events {
		if slices.Contains(reasons, e.Reason) && e.InvolvedObject.UID == p.UID && (last == nil || seen(e).After(seen(last))) {
			last = e
		}
	}
	return last
}

// short reports whether the last thing for which a pod's sandbox failed is the want of an address.
func short(p *corev1.Pod, events []*corev1.Event) bool {
	last := lastWarning(p, events, "FailedCreatePodSandBox")
	return last != nil && strings.Contains(last.Message, noAddress)
}

// cut reports whether the last thing that is known to keep a pod from starting is its network, or nothing is known.
func cut(p *corev1.Pod, events []*corev1.Event) bool {
	last := lastWarning(p, events, "FailedCreatePodSandBox", "NetworkNotReady", "FailedMount", "FailedAttachVolume", "FailedMapVolume")
	return last == nil || last.Reason == "NetworkNotReady" || last.Reason == "FailedCreatePodSandBox" && strings.Contains(last.Message, "network")
}

// seen is when an event happened last.
func seen(e *corev1.Event) time.Time {
	switch {
	case e.Series != nil:
		return e.Series.LastObservedTime.Time
	case !e.LastTimestamp.IsZero():
		return e.LastTimestamp.Time
	}
	return e.EventTime.Time
}

// started reports what a kubelet reports once all containers of a pod run and are ready; address is empty for a pod
// that has one.
func (c *clients) started(ctx context.Context, namespace, name, address string, at time.Time) error {
	pods, now := c.kube.CoreV1().Pods(namespace), metav1.NewTime(at.UTC())
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		p, err := pods.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		s := &p.Status
		if address != "" {
			s.PodIP, s.PodIPs = address, []corev1.PodIP{{IP: address}}
		}
		s.Phase, s.Reason, s.Message = corev1.PodRunning, "", ""
		for _, t := range []corev1.PodConditionType{corev1.PodReadyToStartContainers, corev1.PodInitialized, corev1.ContainersReady, corev1.PodReady} {
			setTrue(s, t, now)
		}
		s.InitContainerStatuses = ran(p, p.Spec.InitContainers, s.InitContainerStatuses, now)
		s.ContainerStatuses = running(p, p.Spec.Containers, s.ContainerStatuses, now)
		_, err = pods.UpdateStatus(ctx, p, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		return fmt.Errorf("update status of pod %s/%s: %w", namespace, name, err)
	}
	return nil
}

func setTrue(s *corev1.PodStatus, t corev1.PodConditionType, now metav1.Time) {
	is := corev1.PodCondition{Type: t, Status: corev1.ConditionTrue, LastTransitionTime: now}
	for i := range s.Conditions {
		if s.Conditions[i].Type != t {
			continue
		}
		if s.Conditions[i].Status != corev1.ConditionTrue {
			s.Conditions[i] = is
		}
		return
	}
	s.Conditions = append(s.Conditions, is)
}

func running(p *corev1.Pod, containers []corev1.Container, was []corev1.ContainerStatus, now metav1.Time) []corev1.ContainerStatus {
	var out []corev1.ContainerStatus
	for _, c := range containers {
		yes, s := true, statusOf(p, c, was)
		s.Ready, s.Started = true, &yes
		s.State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}}
		out = append(out, s)
	}
	return out
}

// ran is the status of init containers after they have ended; those that always restart stay and run beside the others.
func ran(p *corev1.Pod, containers []corev1.Container, was []corev1.ContainerStatus, now metav1.Time) []corev1.ContainerStatus {
	var out []corev1.ContainerStatus
	for _, c := range containers {
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			out = append(out, running(p, []corev1.Container{c}, was, now)...)
			continue
		}
		no, s := false, statusOf(p, c, was)
		s.Ready, s.Started = true, &no
		s.State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Completed", StartedAt: now, FinishedAt: now, ContainerID: s.ContainerID}}
		out = append(out, s)
	}
	return out
}

func statusOf(p *corev1.Pod, c corev1.Container, was []corev1.ContainerStatus) corev1.ContainerStatus {
	s := corev1.ContainerStatus{Name: c.Name, Image: c.Image}
	for _, w := range was {
		if w.Name == c.Name {
			s = w
		}
	}
	s.ContainerID = "containerd://" + digest(string(p.UID), c.Name)
	repository, _, _ := strings.Cut(c.Image, "@")
	s.ImageID = repository + "@sha256:" + digest(c.Image)
	return s
}

func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])
}
