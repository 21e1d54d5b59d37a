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
)

const (
	rolloutLoop = time.Second
	lostAfter   = 10 * time.Second // until a new pod that isn't there any more is looked for
)

// rollout is the DaemonSet controller as far as it replaces the pods of the CNI, a few at a time, when its DaemonSet
// changes. The kubelets start the new ones.
type rollout struct {
	n *Nature
	c *clients

	generation int64         // that is being rolled out; 0 while none is
	old        []*corev1.Pod // still to be replaced
	starting   map[string]time.Duration
	updated    int32
	ready      int32 // of all pods, old ones included
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
		r.c.births.setRolling(false)
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
	r.generation = d.Generation
	r.c.births.setRolling(true)
	r.n.say("daemonset: %s generation %d: %d pods to replace", d.Name, d.Generation, len(r.old))
	return nil
}

// advance counts the new pods that have become ready and replaces as many old ones as may be down.
func (r *rollout) advance(ctx context.Context, d *appsv1.DaemonSet) error {
	for _, name := range slices.Sorted(maps.Keys(r.starting)) {
		p := got[*corev1.Pod](r.c.pods, d.Namespace, name)
		switch r.starting[name] += rolloutLoop; {
		case p == nil && r.starting[name] >= lostAfter: // somebody has deleted it
			return r.begin(ctx, d)
		case p != nil && isReady(p):
			delete(r.starting, name)
			r.ready++
		}
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
	r.c.births.replace(old)
	if err := pods.Delete(ctx, old.Name, metav1.DeleteOptions{GracePeriodSeconds: &now}); err != nil && !apierrors.IsNotFound(err) {
		return "", fmt.Errorf("delete pod %s: %w", old.Name, err)
	}
	p, err := pods.Create(ctx, podOf(d, old.Spec.NodeName), metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("create pod of daemonset %s on node %s: %w", d.Name, old.Spec.NodeName, err)
	}
	return p.Name, nil
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
