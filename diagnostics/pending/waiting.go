package pending

import (
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

// fresh is how old the last occurrence of an event may be to count as current: after 25 repeats the kubelet tells of the
// same trouble only every five minutes.
const fresh = 10 * time.Minute

// young is the age below which a pod without a warning counts as starting.
const young = time.Minute

// stage is how far a pod has come.
type stage int

const (
	started     stage = iota // nothing to explain
	finished                 // succeeded, or failed for its own reasons
	terminating              // being deleted
	gated                    // held back by scheduling gates
	placeholder              // of negative priority: it waits by design
	starting                 // young, and nothing has gone wrong
	onFargate                // waits for a Fargate microVM
	unscheduled              // has no node
	unmounted                // has a node; a volume, secret or config map is in the way of its sandbox
	unconnected              // has a node, but no sandbox network yet
	connected                // has its network; image, configuration or init container are in the way
	rejected                 // refused by the kubelet
)

// waiting is a pod with what is known of its trouble.
type waiting struct {
	pod   *corev1.Pod
	stage stage
	text  string        // the message that tells most: of the condition, the container or the last event
	event *corev1.Event // the event that text comes from, nil otherwise
}

func (w waiting) ref() string { return "pod/" + w.pod.Namespace + "/" + w.pod.Name }

// judge tells how far a pod has come. events are those about the pod, oldest first.
func judge(p *corev1.Pod, events []*corev1.Event, now time.Time) waiting {
	w := waiting{pod: p}
	switch {
	case p.DeletionTimestamp != nil:
		w.stage = terminating
	case p.Status.Phase == corev1.PodFailed:
		w.stage = finished
		if refusedByKubelet(p.Status.Reason) {
			w.stage, w.text = rejected, p.Status.Message
		}
	case p.Status.Phase != corev1.PodPending:
		w.stage = finished
		if p.Status.Phase == corev1.PodRunning || p.Status.Phase == corev1.PodUnknown {
			w.stage = started
		}
	case len(p.Spec.SchedulingGates) > 0 && p.Spec.NodeName == "":
		w.stage = gated
	case p.Spec.Priority != nil && *p.Spec.Priority < 0 && p.Spec.NodeName == "":
		w.stage = placeholder
	case now.Sub(p.CreationTimestamp.Time) < young && !warned(events):
		w.stage = starting
	case p.Spec.NodeName == "" && (p.Labels["eks.amazonaws.com/fargate-profile"] != "" || p.Spec.SchedulerName == "fargate-scheduler"):
		w.stage = onFargate
		w.take(last(events, now, fresh, "FailedScheduling", "FailedCreatePodSandBox"))
	case p.Spec.NodeName == "":
		w.stage = unscheduled
		if c := condition(p, corev1.PodScheduled); c != nil && c.Status == corev1.ConditionFalse {
			w.text = c.Message
		}
		if w.text == "" {
			w.take(last(slices.DeleteFunc(slices.Clone(events), fromAutoscaler), now, fresh, "FailedScheduling"))
		}
	case networked(p):
		w.stage = connected
	default:
		w.bound(events, now)
	}
	return w
}

// mountReasons are the reasons of events about volumes that can't be attached or mounted.
var mountReasons = []string{"FailedMount", "FailedAttachVolume", "FailedMapVolume"}

// bound judges a pod that has a node but no network: the kubelet mounts volumes before it makes the sandbox, so that the
// later of the two failures tells which step it has come to.
func (w *waiting) bound(events []*corev1.Event, now time.Time) {
	w.stage = unconnected
	sandbox := last(events, now, fresh, "FailedCreatePodSandBox", "NetworkNotReady")
	mount := last(events, now, fresh, mountReasons...)
	switch {
	case mount != nil && (sandbox == nil || diagnostics.LastSeen(mount).After(diagnostics.LastSeen(sandbox))):
		w.stage = unmounted
		w.take(mount)
	case sandbox != nil:
		w.take(sandbox)
		// A pod with its own security groups fails until its branch interface is there, some seconds later.
		if made := last(events, now, fresh, "ResourceAllocated"); made != nil && diagnostics.LastSeen(made).After(diagnostics.LastSeen(sandbox)) {
			w.stage = starting
		}
	}
}

// mayMount reports that a pod of which nothing is said could as well wait for a volume that is not the kubelet's own.
func mayMount(w waiting) bool {
	return w.text == "" && slices.ContainsFunc(w.pod.Spec.Volumes, func(v corev1.Volume) bool {
		return v.Secret != nil || v.ConfigMap != nil || v.PersistentVolumeClaim != nil || v.CSI != nil || v.NFS != nil || v.Ephemeral != nil
	})
}

func (w *waiting) take(e *corev1.Event) {
	if e != nil {
		w.event, w.text = e, e.Message
	}
}

// networked reports that the network of the pod's sandbox is done: then nothing about addresses is in its way.
func networked(p *corev1.Pod) bool {
	if c := condition(p, "PodReadyToStartContainers"); c != nil && c.Status == corev1.ConditionTrue {
		return true
	}
	if !p.Spec.HostNetwork && p.Status.PodIP != "" {
		return true
	}
	// Only a pod whose sandbox is up gets past ContainerCreating and PodInitializing.
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		if s.State.Running != nil || s.State.Terminated != nil {
			return true
		}
		if r := s.State.Waiting; r != nil && r.Reason != "" && r.Reason != "ContainerCreating" && r.Reason != "PodInitializing" {
			return true
		}
	}
	return false
}

// refusedByKubelet reports that a pod failed before it started because its node would not take it: the reasons of
// pkg/kubelet/lifecycle and of the managers that admit pods, old ones included.
func refusedByKubelet(reason string) bool {
	return strings.HasPrefix(reason, "OutOf") || slices.Contains([]string{
		"NodeAffinity", "NodeName", "NodePorts", "TaintToleration", "HostPortConflict", "PodFitsHostPorts", "MatchNodeSelector", "UnexpectedAdmissionError", "TopologyAffinityError",
		"InvalidNodeInfo", "SMTAlignmentError", "PodOSSelectorNodeLabelDoesNotMatch", "PodOSNotSupported", "PodFeatureUnsupported", "SysctlForbidden", "AppArmor", "NodeShutdown",
	}, reason)
}

func condition(p *corev1.Pod, kind corev1.PodConditionType) *corev1.PodCondition {
	for n := range p.Status.Conditions {
		if p.Status.Conditions[n].Type == kind {
			return &p.Status.Conditions[n]
		}
	}
	return nil
}

func warned(events []*corev1.Event) bool {
	return slices.ContainsFunc(events, func(e *corev1.Event) bool { return e.Type == corev1.EventTypeWarning })
}

// last finds the latest event with one of the reasons that is not older than within.
func last(events []*corev1.Event, now time.Time, within time.Duration, reasons ...string) *corev1.Event {
	var found *corev1.Event
	for _, e := range events {
		if slices.Contains(reasons, e.Reason) && now.Sub(diagnostics.LastSeen(e)) <= within && (found == nil || !diagnostics.LastSeen(e).Before(diagnostics.LastSeen(found))) {
			found = e
		}
	}
	return found
}

// since is the time of the first occurrence of an event.
func since(e *corev1.Event) time.Time {
	for _, t := range []time.Time{e.FirstTimestamp.Time, e.EventTime.Time, e.CreationTimestamp.Time} {
		if !t.IsZero() {
			return t
		}
	}
	return diagnostics.LastSeen(e)
}

// times is how often an event occurred.
func times(e *corev1.Event) int {
	n := int(e.Count)
	if e.Series != nil {
		n = max(n, int(e.Series.Count))
	}
	return max(n, 1)
}

var sandboxID = regexp.MustCompile(`sandbox "[0-9a-f]{64}"`)

// shorten makes an event's message fit for a report: without the random id of the sandbox, and not too long.
func shorten(message string) string {
	message = strings.TrimPrefix(message, "(combined from similar events): ")
	message = sandboxID.ReplaceAllString(message, "sandbox …")
	if r := []rune(message); len(r) > 400 {
		message = string(r[:400]) + "…"
	}
	return message
}
