package nature

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

const schedulerLoop = time.Second

// scheduler places the pods that were made since Run began: on a node that takes them, the one with most left. It knows
// cordons, taints, selectors, node affinity and requests; spreading, affinity between pods and volumes it leaves out.
type scheduler struct {
	n       *Nature
	c       *clients
	assumed map[types.UID]string // nodes of pods whose binding isn't seen yet
	told    map[types.UID]string // why a pod has none
}

func newScheduler(n *Nature, c *clients) *scheduler {
	return &scheduler{n, c, map[types.UID]string{}, map[types.UID]string{}}
}

func (s *scheduler) round(ctx context.Context) error {
	pods := listed[*corev1.Pod](s.c.pods)
	var waiting []*corev1.Pod
	for _, p := range pods {
		switch _, placed := s.assumed[p.UID]; {
		case p.Spec.NodeName != "":
			delete(s.assumed, p.UID)
		case !placed && p.DeletionTimestamp == nil && len(p.Spec.SchedulingGates) == 0 && s.c.births.born(p):
			waiting = append(waiting, p)
		}
	}
	if len(waiting) == 0 {
		return nil
	}
	var all error
	for _, p := range waiting {
		all = errors.Join(all, s.place(ctx, p, s.room(pods)))
	}
	return all
}

// seat is a node with what its pods leave.
type seat struct {
	node        *corev1.Node
	cpu, memory int64 // requested by its pods: millicores, bytes
	pods        int64
	load        float64 // share of the node that is asked for, pods that ask for nothing counted as if they did
}

func (s *scheduler) room(pods []*corev1.Pod) []*seat {
	of := map[string]*seat{}
	for _, n := range listed[*corev1.Node](s.c.nodes) {
		of[n.Name] = &seat{node: n}
	}
	for _, p := range pods {
		node := p.Spec.NodeName
		if node == "" {
			node = s.assumed[p.UID]
		}
		if st := of[node]; st != nil && p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed {
			st.add(p)
		}
	}
	out := make([]*seat, 0, len(of))
	for _, name := range slices.Sorted(maps.Keys(of)) {
		out = append(out, of[name])
	}
	return out
}

func (t *seat) add(p *corev1.Pod) {
	cpu, memory := requests(p)
	t.cpu, t.memory, t.pods = t.cpu+cpu, t.memory+memory, t.pods+1
	// The scheduler's own stand-ins for the score (non-zero requests).
	if cpu == 0 {
		cpu = 100
	}
	if memory == 0 {
		memory = 200 << 20
	}
	a := t.node.Status.Allocatable
	if c, m := a.Cpu().MilliValue(), a.Memory().Value(); c > 0 && m > 0 {
		t.load += (float64(cpu)/float64(c) + float64(memory)/float64(m)) / 2
	} else {
		t.load += 0.01
	}
}

// requests is what a pod asks for: the sum of its containers, or the most of one init container.
func requests(p *corev1.Pod) (cpu, memory int64) {
	for _, c := range p.Spec.Containers {
		cpu, memory = cpu+c.Resources.Requests.Cpu().MilliValue(), memory+c.Resources.Requests.Memory().Value()
	}
	for _, c := range p.Spec.InitContainers {
		cpu, memory = max(cpu, c.Resources.Requests.Cpu().MilliValue()), max(memory, c.Resources.Requests.Memory().Value())
	}
	return cpu, memory
}

func (s *scheduler) place(ctx context.Context, p *corev1.Pod, seats []*seat) error {
	var best *seat
	why := map[string]int{}
	for _, t := range seats {
		if reason := t.refuses(p); reason != "" {
			why[reason]++
		} else if best == nil || t.load < best.load {
			best = t
		}
	}
	if best == nil {
		return s.unschedulable(ctx, p, len(seats), why)
	}
	err := s.c.kube.CoreV1().Pods(p.Namespace).Bind(ctx, &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name, UID: p.UID}, Target: corev1.ObjectReference{Kind: "Node", Name: best.node.Name},
	}, metav1.CreateOptions{})
	switch {
	case apierrors.IsNotFound(err) || apierrors.IsConflict(err): // gone, or placed by somebody else
		return nil
	case err != nil:
		return fmt.Errorf("bind pod %s/%s to %s: %w", p.Namespace, p.Name, best.node.Name, err)
	}
	s.assumed[p.UID] = best.node.Name
	s.n.say("scheduler: pod %s/%s goes to %s", p.Namespace, p.Name, best.node.Name)
	return nil
}

// refuses is why a node doesn't take a pod, in the words of the scheduler; empty where it does.
func (t *seat) refuses(p *corev1.Pod) string {
	n, a := t.node, t.node.Status.Allocatable
	ready := slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
	cpu, memory := requests(p)
	switch {
	case n.Spec.Unschedulable:
		return "node(s) were unschedulable"
	case !ready || n.Labels["eks.amazonaws.com/compute-type"] == "fargate":
		return "node(s) had untolerated taint(s)" // not ready, or made for one pod
	case slices.ContainsFunc(n.Spec.Taints, func(x corev1.Taint) bool {
		return x.Effect != corev1.TaintEffectPreferNoSchedule && !slices.ContainsFunc(p.Spec.Tolerations, func(y corev1.Toleration) bool { return tolerates(y, x) })
	}):
		return "node(s) had untolerated taint(s)"
	case !selects(p, n):
		return "node(s) didn't match Pod's node affinity/selector"
	case !a.Pods().IsZero() && t.pods+1 > a.Pods().Value():
		return "Too many pods"
	case !a.Cpu().IsZero() && t.cpu+cpu > a.Cpu().MilliValue():
		return "Insufficient cpu"
	case !a.Memory().IsZero() && t.memory+memory > a.Memory().Value():
		return "Insufficient memory"
	}
	return ""
}

func tolerates(t corev1.Toleration, x corev1.Taint) bool {
	return (t.Effect == "" || t.Effect == x.Effect) && (t.Key == "" || t.Key == x.Key) &&
		(t.Operator == corev1.TolerationOpExists || t.Value == x.Value)
}

// unschedulable says on the pod, and by an event, that no node takes it; the same is said once.
func (s *scheduler) unschedulable(ctx context.Context, p *corev1.Pod, nodes int, why map[string]int) error {
	var parts []string
	for _, reason := range sortedKeys(why) {
		parts = append(parts, fmt.Sprintf("%d %s", why[reason], reason))
	}
	message := fmt.Sprintf("0/%d nodes are available: %s.", nodes, strings.Join(parts, ", "))
	if s.told[p.UID] == message {
		return nil
	}
	now := metav1.NewTime(s.n.o.Now().UTC())
	_, err := statusChanged(ctx, s.c.kube.CoreV1().Pods(p.Namespace), p.Name, func(p *corev1.Pod) {
		p.Status.Conditions = append(slices.DeleteFunc(p.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodScheduled }),
			corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: message, LastTransitionTime: now})
	})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("update status of pod %s/%s: %w", p.Namespace, p.Name, err)
	}
	s.told[p.UID] = message
	return s.c.warn(ctx, p, "default-scheduler", "FailedScheduling", message, s.n.o.Now())
}

// warn records a warning about a pod.
func (c *clients) warn(ctx context.Context, p *corev1.Pod, by, reason, message string, at time.Time) error {
	now := metav1.NewTime(at.UTC())
	_, err := c.kube.CoreV1().Events(p.Namespace).Create(ctx, &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Namespace: p.Namespace, Name: fmt.Sprintf("%s.%016x", p.Name, rand.Uint64())},
		InvolvedObject: corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: p.Namespace, Name: p.Name, UID: p.UID},
		Type:           corev1.EventTypeWarning, Reason: reason, Message: message, FirstTimestamp: now, LastTimestamp: now, Count: 1,
		Source: corev1.EventSource{Component: by}, ReportingController: by,
	}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("create event %s about pod %s/%s: %w", reason, p.Namespace, p.Name, err)
	}
	return nil
}
