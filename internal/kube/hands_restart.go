package kube

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netdiag/netdiag/internal/remedy"
)

// restartPods deletes pods of the DaemonSet of the CNI, of each node one; the DaemonSet makes them anew there. It is in
// effect once these pods are gone and a ready one stands in the place of each.
type restartPods struct{ *remedy.RestartPods }

func (v restartPods) apply(ctx context.Context, h *Hands, _ remedy.Mark, dryRun bool) (remedy.Receipt, error) {
	d, err := v.daemonSet(ctx, h)
	if err != nil {
		return remedy.Receipt{}, err
	}
	pods := make([]*corev1.Pod, len(v.Pods))
	on := map[string]string{}
	for i, p := range v.Pods {
		if other := on[p.Node]; other != "" {
			return remedy.Receipt{}, fmt.Errorf("%w: %s and %s are both on node %s, which is left without a CNI if both go", remedy.ErrRefused, other, p.Name, p.Node)
		}
		on[p.Node] = p.Name
		if pods[i], err = h.pod(ctx, v.Namespace, p.Name, p.UID, restartGrant()); err != nil {
			return remedy.Receipt{}, err
		}
		if err := v.fits(d, p, pods[i]); err != nil {
			return remedy.Receipt{}, err
		}
	}
	r := remedy.Receipt{Owned: true}
	for i, p := range pods {
		said := "is gone"
		if p != nil && p.DeletionTimestamp == nil {
			if err := h.removeStill(ctx, p, dryRun, restartGrant(), func(now *corev1.Pod) (*corev1.Pod, error) { return now, v.fits(d, v.Pods[i], now) }); err != nil {
				if len(r.Did) > 0 && !dryRun { // no refusal any more, after which nothing is changed
					err = fmt.Errorf("restart %s: %v", v.DaemonSet, err) //nolint:errorlint // not to be taken for remedy.ErrRefused
				}
				return r, err
			}
			said = "deleted"
		}
		r.Did = append(r.Did, fmt.Sprintf("pod %s/%s %s", v.Namespace, v.Pods[i].Name, said))
	}
	return r, nil
}

func (v restartPods) daemonSet(ctx context.Context, h *Hands) (*appsv1.DaemonSet, error) {
	d, err := send(ctx, h, func(ctx context.Context) (*appsv1.DaemonSet, error) {
		return h.client.typed.AppsV1().DaemonSets(v.Namespace).Get(ctx, v.DaemonSet, metav1.GetOptions{})
	})
	return d, h.refusal(ctx, request{"get", appsv1.Resource("daemonsets"), v.Namespace, v.DaemonSet, restartGrant()}, err)
}

// fits reports a pod that isn't the one that the plan found. One that is gone fits.
func (v restartPods) fits(d *appsv1.DaemonSet, planned remedy.Pod, p *corev1.Pod) error {
	switch {
	case p == nil:
		return nil
	case !metav1.IsControlledBy(p, d):
		return &Changed{What: "the controller of pod " + v.Namespace + "/" + p.Name, Want: "DaemonSet " + v.DaemonSet, Got: "another"}
	case p.Spec.NodeName != planned.Node:
		return &Changed{What: "the node of pod " + v.Namespace + "/" + p.Name, Want: planned.Node, Got: p.Spec.NodeName}
	}
	return nil
}

func (v restartPods) look(ctx context.Context, h *Hands, _ remedy.Mark) (bool, remedy.Receipt, error) {
	d, err := v.daemonSet(ctx, h)
	if err != nil {
		return false, remedy.Receipt{}, err
	}
	list, err := send(ctx, h, func(ctx context.Context) (*corev1.PodList, error) {
		return h.client.typed.CoreV1().Pods(v.Namespace).List(ctx, metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(d.Spec.Selector)})
	})
	if err != nil {
		return false, remedy.Receipt{}, h.refusal(ctx, podRequest("list", v.Namespace, "", restartGrant()), err)
	}
	there, next := map[string]bool{}, map[string]*corev1.Pod{} // by UID; by node
	for i := range list.Items {
		p := &list.Items[i]
		there[string(p.UID)] = p.DeletionTimestamp == nil
		if metav1.IsControlledBy(p, d) && p.DeletionTimestamp == nil {
			next[p.Spec.NodeName] = p
		}
	}
	done, r := true, remedy.Receipt{Owned: true}
	for _, p := range v.Pods {
		alive, listed := there[p.UID]
		if alive {
			done = false
			continue
		}
		said := fmt.Sprintf("pod %s/%s deleted", v.Namespace, p.Name)
		switch n := next[p.Node]; {
		case listed:
			said, done = said+", and not gone yet", false
		case n == nil:
			said, done = said+", and not made again yet", false
		case !podReady(n):
			said, done = said+fmt.Sprintf("; %s, made in its place, is not ready yet", n.Name), false
		default:
			said += fmt.Sprintf("; %s, made in its place, is ready", n.Name)
		}
		r.Did = append(r.Did, said)
	}
	if len(r.Did) == 0 {
		return false, remedy.Receipt{}, nil
	}
	return done, r, nil
}

func podReady(p *corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}
