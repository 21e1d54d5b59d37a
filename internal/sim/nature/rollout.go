package nature

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/util/retry"

	"github.com/netdiag/netdiag/internal/cni"
)

const (
	rolloutLoop = time.Second
	// agentStart is how long a new aws-node pod takes until it is ready: its init container, then ipamd's own start.
	agentStart = 20 * time.Second
)

// rollout replaces the pods of the CNI, a few at a time, when its DaemonSet changes: the DaemonSet controller and the
// kubelets together.
type rollout struct {
	n *Nature
	c *clients

	generation int64         // that is being rolled out; 0 while none is
	old        []*corev1.Pod // still to be replaced
	starting   map[string]time.Duration
	updated    int32
	ready      int32 // of all pods, old ones included
	refused    bool  // ipamd doesn't start with the new settings
}

func newRollout(n *Nature, c *clients) *rollout { return &rollout{n: n, c: c} }

func (r *rollout) round(ctx context.Context) error {
	d := r.c.agent()
	switch {
	case d == nil || d.Spec.UpdateStrategy.Type == appsv1.OnDeleteDaemonSetStrategyType:
		return nil
	case d.Generation > r.generation && (r.generation > 0 || d.Generation > d.Status.ObservedGeneration):
		if err := r.begin(ctx, d); err != nil {
			return err
		}
	case r.generation == 0:
		return nil
	}
	if err := r.advance(ctx, d); err != nil {
		return err
	}
	if err := r.status(ctx); err != nil {
		return err
	}
	if len(r.old)+len(r.starting) == 0 {
		r.n.say("daemonset: %s is rolled out to %d nodes", agentName, r.updated)
		r.generation = 0
	}
	return nil
}

// begin looks at what there is to replace. A rollout that is under way is begun anew.
func (r *rollout) begin(ctx context.Context, d *appsv1.DaemonSet) error {
	selector, err := metav1.LabelSelectorAsSelector(d.Spec.Selector)
	if err != nil {
		return fmt.Errorf("selector of daemonset %s: %w", d.Name, err)
	}
	l, err := r.c.kube.CoreV1().Pods(d.Namespace).List(ctx, metav1.ListOptions{LabelSelector: selector.String()})
	if err != nil {
		return fmt.Errorf("list pods of daemonset %s: %w", d.Name, err)
	}
	r.old, r.starting, r.updated, r.ready = nil, map[string]time.Duration{}, 0, 0
	revision := revisionOf(d)
	for i := range l.Items {
		p := &l.Items[i]
		switch {
		case !metav1.IsControlledBy(p, d) || p.Spec.NodeName == "":
			continue
		case p.Labels[appsv1.ControllerRevisionHashLabelKey] == revision:
			r.updated++
			if !isReady(p) {
				r.starting[p.Name] = 0
			}
		default:
			r.old = append(r.old, p)
		}
		if isReady(p) {
			r.ready++
		}
	}
	// As the controller does: pods that don't work are replaced first.
	slices.SortStableFunc(r.old, func(a, b *corev1.Pod) int {
		switch ra, rb := isReady(a), isReady(b); {
		case ra == rb:
			return strings.Compare(a.Name, b.Name)
		case rb:
			return -1
		}
		return 1
	})
	_, problems := cni.ParseSettings(environment(d.Spec.Template.Spec))
	r.refused = len(problems) > 0
	r.generation = d.Generation
	r.n.say("daemonset: %s generation %d: %d pods to replace", d.Name, d.Generation, len(r.old))
	return nil
}

// advance lets new pods become ready and replaces as many old ones as may be down.
func (r *rollout) advance(ctx context.Context, d *appsv1.DaemonSet) error {
	for _, name := range slices.Sorted(maps.Keys(r.starting)) {
		if r.starting[name] += rolloutLoop; r.starting[name] < agentStart || r.refused {
			continue
		}
		if err := r.c.started(ctx, d.Namespace, name, "", r.n.o.Now()); err != nil {
			return err
		}
		delete(r.starting, name)
		r.ready++
	}
	for len(r.old) > 0 {
		next := r.old[0]
		if isReady(next) && len(r.starting) >= maxUnavailable(d) {
			break
		}
		name, err := r.replace(ctx, d, next)
		if err != nil {
			return err
		}
		if isReady(next) {
			r.ready--
		}
		r.old, r.starting[name] = r.old[1:], 0
		r.updated++
	}
	return nil
}

// replace deletes a pod and makes a new one on its node.
func (r *rollout) replace(ctx context.Context, d *appsv1.DaemonSet, old *corev1.Pod) (name string, err error) {
	pods, now := r.c.kube.CoreV1().Pods(d.Namespace), int64(0)
	if err := pods.Delete(ctx, old.Name, metav1.DeleteOptions{GracePeriodSeconds: &now}); err != nil && !apierrors.IsNotFound(err) {
		return "", fmt.Errorf("delete pod %s: %w", old.Name, err)
	}
	labels := maps.Clone(d.Spec.Template.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[appsv1.ControllerRevisionHashLabelKey] = revisionOf(d)
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			GenerateName: d.Name + "-", Labels: labels, Annotations: d.Spec.Template.Annotations,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(d, appsv1.SchemeGroupVersion.WithKind("DaemonSet"))},
		},
		Spec: *d.Spec.Template.Spec.DeepCopy(),
	}
	p.Spec.NodeName = old.Spec.NodeName
	if p, err = pods.Create(ctx, p, metav1.CreateOptions{}); err != nil {
		return "", fmt.Errorf("create pod of daemonset %s on node %s: %w", d.Name, old.Spec.NodeName, err)
	}
	p.Status = r.initial(p, old)
	if _, err := pods.UpdateStatus(ctx, p, metav1.UpdateOptions{}); err != nil {
		return "", fmt.Errorf("update status of pod %s: %w", p.Name, err)
	}
	return p.Name, nil
}

// initial is the status of a pod that the kubelet has just taken up; its address is that of the node.
func (r *rollout) initial(p, old *corev1.Pod) corev1.PodStatus {
	now := metav1.NewTime(r.n.o.Now().UTC())
	s := corev1.PodStatus{
		Phase: corev1.PodPending, QOSClass: old.Status.QOSClass, StartTime: &now, HostIP: old.Status.HostIP, HostIPs: old.Status.HostIPs,
		PodIP: old.Status.PodIP, PodIPs: old.Status.PodIPs,
		Conditions: []corev1.PodCondition{
			{Type: corev1.PodInitialized, Status: corev1.ConditionTrue, LastTransitionTime: now},
			{Type: corev1.PodReady, Status: corev1.ConditionFalse, Reason: "ContainersNotReady", LastTransitionTime: now},
			{Type: corev1.ContainersReady, Status: corev1.ConditionFalse, Reason: "ContainersNotReady", LastTransitionTime: now},
			{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: now},
		},
	}
	for _, c := range p.Spec.Containers {
		state := corev1.ContainerStatus{Name: c.Name, Image: c.Image, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}}}
		if r.refused && c.Name == agentName {
			state.RestartCount = 1
			state.State.Waiting = &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off restarting failed container=" + agentName}
		}
		s.ContainerStatuses = append(s.ContainerStatuses, state)
	}
	return s
}

// status writes how far the rollout is.
func (r *rollout) status(ctx context.Context) error {
	sets := r.c.kube.AppsV1().DaemonSets(agentNamespace)
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		d, err := sets.Get(ctx, agentName, metav1.GetOptions{})
		if err != nil {
			return err
		}
		was := *d.Status.DeepCopy()
		s := &d.Status
		s.ObservedGeneration, s.UpdatedNumberScheduled = r.generation, r.updated
		s.NumberReady, s.NumberAvailable = r.ready, r.ready
		s.NumberUnavailable = max(s.DesiredNumberScheduled-r.ready, 0)
		if was.ObservedGeneration == s.ObservedGeneration && was.UpdatedNumberScheduled == s.UpdatedNumberScheduled && was.NumberReady == s.NumberReady && was.NumberAvailable == s.NumberAvailable {
			return nil
		}
		_, err = sets.UpdateStatus(ctx, d, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		return fmt.Errorf("update status of daemonset %s: %w", agentName, err)
	}
	return nil
}

// maxUnavailable is how many pods may be down at once; a share of the nodes is rounded up.
func maxUnavailable(d *appsv1.DaemonSet) int {
	if u := d.Spec.UpdateStrategy.RollingUpdate; u != nil && u.MaxUnavailable != nil {
		if n, err := intstr.GetScaledValueFromIntOrPercent(u.MaxUnavailable, int(d.Status.DesiredNumberScheduled), true); err == nil {
			return max(n, 1)
		}
	}
	return 1
}

// revisionOf tells pods of different templates apart.
func revisionOf(d *appsv1.DaemonSet) string {
	b, err := json.Marshal(d.Spec.Template)
	if err != nil {
		panic(err) // it came as JSON
	}
	h := fnv.New32a()
	_, _ = h.Write(b)
	return fmt.Sprintf("%08x", h.Sum32())
}

func isReady(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}
