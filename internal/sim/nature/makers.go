package nature

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

const makerLoop = time.Second

// makers are the controllers of ReplicaSets, StatefulSets, DaemonSets and Jobs: where a pod of theirs is deleted they
// make another. They don't scale, because not every pod of a workload has to be in a world.
type makers struct {
	n    *Nature
	c    *clients
	pods map[types.UID]*made
}

// made is a pod that a controller has made.
type made struct {
	pod   *corev1.Pod // as it was when it was last alive
	left  bool        // its deletion was counted
	again bool        // nothing is to be made for it any more
}

func newMakers(n *Nature, c *clients) *makers { return &makers{n: n, c: c} }

func (m *makers) round(ctx context.Context) error {
	first := m.pods == nil
	if first {
		m.pods = map[types.UID]*made{}
	}
	now := map[types.UID]*corev1.Pod{}
	for _, p := range listed[*corev1.Pod](m.c.pods) {
		if metav1.GetControllerOf(p) == nil {
			continue
		}
		now[p.UID] = p
		x := m.pods[p.UID]
		switch {
		case x == nil:
			m.pods[p.UID] = &made{pod: p, left: p.DeletionTimestamp != nil && first, again: p.DeletionTimestamp != nil && first}
		case p.DeletionTimestamp == nil:
			x.pod = p
		}
	}
	var all error
	for _, uid := range slices.Sorted(maps.Keys(m.pods)) {
		p := now[uid]
		if p != nil && p.DeletionTimestamp == nil {
			continue
		}
		done, err := m.gone(ctx, m.pods[uid], p == nil)
		all = errors.Join(all, err)
		if p == nil && done {
			delete(m.pods, uid)
		}
	}
	return all
}

// gone is called for a pod that is being deleted, or is no more; done is false where something is left to do for it.
func (m *makers) gone(ctx context.Context, x *made, entirely bool) (done bool, err error) {
	if !x.left && isReady(x.pod) && m.c.births.counts(x.pod) {
		if err := m.c.counted(ctx, x.pod, -1, m.n.o.Now()); err != nil {
			return false, err
		}
	}
	x.left = true
	if x.again || m.c.births.isReplaced(x.pod) || x.pod.Status.Phase == corev1.PodSucceeded || x.pod.Status.Phase == corev1.PodFailed {
		return true, nil
	}
	// A ReplicaSet and a Job make the next pod while the old one ends; the others wait for its name or its place.
	if kind := metav1.GetControllerOf(x.pod).Kind; !entirely && kind != "ReplicaSet" && kind != "Job" {
		return false, nil
	}
	name, err := m.make(ctx, x.pod)
	if err != nil {
		return false, fmt.Errorf("make pod %s/%s again: %w", x.pod.Namespace, x.pod.Name, err)
	}
	if x.again = true; name != "" {
		m.n.say("controllers: pod %s/%s is made again as %s", x.pod.Namespace, x.pod.Name, name)
	}
	return true, nil
}

// make makes the next pod of what made old; name is empty where it makes none.
func (m *makers) make(ctx context.Context, old *corev1.Pod) (name string, err error) {
	next, err := m.next(ctx, old)
	if apierrors.IsNotFound(err) { // the controller went with its pods
		return "", nil
	}
	if err != nil || next == nil {
		return "", err
	}
	p, err := m.c.kube.CoreV1().Pods(old.Namespace).Create(ctx, next, metav1.CreateOptions{})
	switch {
	case apierrors.IsAlreadyExists(err): // by another controller of a real cluster, or by hand
		return "", nil
	case err != nil:
		return "", err
	}
	return p.Name, nil
}

// next is the pod that comes after old; nil where its controller wants none.
func (m *makers) next(ctx context.Context, old *corev1.Pod) (*corev1.Pod, error) {
	owner, apps := metav1.GetControllerOf(old), m.c.kube.AppsV1()
	var by metav1.Object
	wanted := int32(-1) // any number
	switch owner.Kind {
	case "ReplicaSet":
		r, err := apps.ReplicaSets(old.Namespace).Get(ctx, owner.Name, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		by, wanted = r, number(r.Spec.Replicas)
	case "StatefulSet":
		r, err := apps.StatefulSets(old.Namespace).Get(ctx, owner.Name, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		by, wanted = r, number(r.Spec.Replicas)
	case "Job":
		j, err := m.c.kube.BatchV1().Jobs(old.Namespace).Get(ctx, owner.Name, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		if by = j; j.Status.CompletionTime != nil || j.Spec.Suspend != nil && *j.Spec.Suspend {
			return nil, nil
		}
	case "DaemonSet":
		d, err := apps.DaemonSets(old.Namespace).Get(ctx, owner.Name, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		if by = d; got[*corev1.Node](m.c.nodes, "", old.Spec.NodeName) != nil && d.DeletionTimestamp == nil {
			return podOf(d, old.Spec.NodeName), nil
		}
		return nil, nil
	default:
		return nil, nil
	}
	if by.GetUID() != owner.UID || by.GetDeletionTimestamp() != nil || wanted >= 0 && m.active(owner.UID) >= wanted {
		return nil, nil
	}
	return again(old), nil
}

func number(n *int32) int32 {
	if n == nil {
		return 1
	}
	return *n
}

// active counts the pods of a controller that aren't over or about to be.
func (m *makers) active(owner types.UID) (n int32) {
	for _, p := range listed[*corev1.Pod](m.c.pods) {
		if o := metav1.GetControllerOf(p); o != nil && o.UID == owner && p.DeletionTimestamp == nil && p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed {
			n++
		}
	}
	return n
}

// again is a pod like another one: what its template and the admission made of it stands in the pod itself.
func again(old *corev1.Pod) *corev1.Pod {
	owner := metav1.GetControllerOf(old)
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: owner.Name + "-", Labels: maps.Clone(old.Labels), Annotations: map[string]string{}, OwnerReferences: old.OwnerReferences},
		Spec:       *old.Spec.DeepCopy(),
	}
	for key, v := range old.Annotations {
		if !strings.HasPrefix(key, "vpc.amazonaws.com/") { // what is written about the one pod
			p.Annotations[key] = v
		}
	}
	if owner.Kind == "StatefulSet" {
		p.Name, p.GenerateName = old.Name, ""
	}
	p.Spec.NodeName = ""
	return p
}

// podOf is a new pod of a DaemonSet for a node.
func podOf(d *appsv1.DaemonSet, node string) *corev1.Pod {
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
	p.Spec.NodeName = node
	return p
}
