package kube

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// toTyped decodes an object into its Go type.
func toTyped[T any](m map[string]any) (*T, error) {
	b, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	out := new(T)
	return out, json.Unmarshal(b, out)
}

// podLine is what kubectl shows of a pod.
type podLine struct {
	ready, status, restarts string
}

func (s *Server) podColumns(age column) []column {
	of := func(get func(podLine) string) func(*unstructured.Unstructured) any {
		return func(o *unstructured.Unstructured) any {
			p, err := toTyped[corev1.Pod](o.Object)
			if err != nil {
				return "<error>"
			}
			return get(s.podLine(p))
		}
	}
	none := func(name string, path ...string) column {
		return column{name: name, wide: true, cell: func(o *unstructured.Unstructured) any { return or(text(o.Object, path...), "<none>") }}
	}
	return []column{
		{name: "Ready", cell: of(func(l podLine) string { return l.ready })},
		{name: "Status", cell: of(func(l podLine) string { return l.status })},
		{name: "Restarts", cell: of(func(l podLine) string { return l.restarts })},
		age,
		none("IP", "status", "podIP"),
		none("Node", "spec", "nodeName"),
		none("Nominated Node", "status", "nominatedNodeName"),
		{name: "Readiness Gates", wide: true, cell: func(o *unstructured.Unstructured) any { return readinessGates(o) }},
	}
}

func readinessGates(o *unstructured.Unstructured) string {
	gates := maps(o, "spec", "readinessGates")
	if len(gates) == 0 {
		return "<none>"
	}
	ok := 0
	for _, g := range gates {
		for _, c := range maps(o, "status", "conditions") {
			if text(c, "type") == text(g, "conditionType") && text(c, "status") == "True" {
				ok++
			}
		}
	}
	return fmt.Sprintf("%d/%d", ok, len(gates))
}

// podLine sums a pod up: the first init container that isn't through decides, then the containers, then the phase.
func (s *Server) podLine(p *corev1.Pod) podLine {
	status := string(p.Status.Phase)
	if p.Status.Reason != "" {
		status = p.Status.Reason
	}
	if c := podCondition(p, corev1.PodScheduled); c != nil && c.Reason == corev1.PodReasonSchedulingGated {
		status = corev1.PodReasonSchedulingGated
	}
	sidecar := map[string]bool{}
	for _, c := range p.Spec.InitContainers {
		sidecar[c.Name] = c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
	}
	total, ready := len(p.Spec.Containers), 0
	var count tally
	for _, is := range sidecar {
		if is {
			total++
		}
	}
	pending := ""
	for i, c := range p.Status.InitContainerStatuses {
		count.add(c)
		if sidecar[c.Name] {
			if c.Ready {
				ready++
			}
			if c.Started != nil && *c.Started {
				continue
			}
		}
		if t := c.State.Terminated; t != nil && t.ExitCode == 0 {
			continue
		}
		pending = "Init:" + or(stateReason(c.State, "PodInitializing"), fmt.Sprintf("%d/%d", i, len(p.Spec.InitContainers)))
		break
	}
	if c := podCondition(p, corev1.PodInitialized); pending == "" || (c != nil && c.Status == corev1.ConditionTrue) {
		if pending != "" {
			status = pending
		}
		running := false
		count = tally{}
		for _, c := range p.Status.InitContainerStatuses {
			if sidecar[c.Name] {
				count.add(c)
			}
		}
		for _, c := range slices.Backward(p.Status.ContainerStatuses) {

			count.add(c)
			if reason := stateReason(c.State, ""); reason != "" {
				status = reason
			} else if c.Ready && c.State.Running != nil {
				running = true
				ready++
			}
		}
		if status == "Completed" && running {
			status = "NotReady"
			if c := podCondition(p, corev1.PodReady); c != nil && c.Status == corev1.ConditionTrue {
				status = "Running"
			}
		}
	} else {
		status = pending
	}
	switch done := p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed; {
	case p.DeletionTimestamp != nil && p.Status.Reason == "NodeLost":
		status = "Unknown"
	case p.DeletionTimestamp != nil && !done:
		status = "Terminating"
	}
	return podLine{ready: fmt.Sprintf("%d/%d", ready, total), status: status, restarts: count.text(s)}
}

// stateReason says why a container doesn't run; "" where it does, or where its reason is the uninteresting one.
func stateReason(st corev1.ContainerState, dull string) string {
	switch w, t := st.Waiting, st.Terminated; {
	case w != nil && w.Reason != dull:
		return w.Reason
	case t == nil:
		return ""
	case t.Reason != "":
		return t.Reason
	case t.Signal != 0:
		return fmt.Sprintf("Signal:%d", t.Signal)
	default:
		return fmt.Sprintf("ExitCode:%d", t.ExitCode)
	}
}

func podCondition(p *corev1.Pod, kind corev1.PodConditionType) *corev1.PodCondition {
	for i := range p.Status.Conditions {
		if p.Status.Conditions[i].Type == kind {
			return &p.Status.Conditions[i]
		}
	}
	return nil
}

// tally counts restarts and keeps the last of them.
type tally struct {
	restarts int
	last     time.Time
}

func (t *tally) add(c corev1.ContainerStatus) {
	t.restarts += int(c.RestartCount)
	if l := c.LastTerminationState.Terminated; l != nil && l.FinishedAt.After(t.last) {
		t.last = l.FinishedAt.Time
	}
}

func (t *tally) text(s *Server) string {
	if t.restarts == 0 || t.last.IsZero() {
		return strconv.Itoa(t.restarts)
	}
	return fmt.Sprintf("%d (%s ago)", t.restarts, s.age(t.last.Format(time.RFC3339)))
}
