package kube

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// pod reads a pod; nil where there is none of this UID any more.
func (h *Hands) pod(ctx context.Context, namespace, name, uid string, g Grant) (*corev1.Pod, error) {
	p, err := send(ctx, h, func(ctx context.Context) (*corev1.Pod, error) {
		return h.client.typed.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
	})
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, h.refusal(ctx, podRequest("get", namespace, name, g), err)
	case p.UID != types.UID(uid):
		return nil, nil
	}
	return p, nil
}

// remove deletes exactly the version of a pod that was read: where it has changed meanwhile, the API server answers with a
// conflict. The pod has its whole grace. One that is gone already is no error.
func (h *Hands) remove(ctx context.Context, p *corev1.Pod, dryRun bool, g Grant) error {
	o := metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &p.UID, ResourceVersion: &p.ResourceVersion}}
	if dryRun {
		o.DryRun = []string{metav1.DryRunAll}
	}
	_, err := send(ctx, h, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, h.client.typed.CoreV1().Pods(p.Namespace).Delete(ctx, p.Name, o)
	})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return h.refusal(ctx, podRequest("delete", p.Namespace, p.Name, g), err)
}

// removeStill deletes a pod, and judges it anew where it has changed in between, which its status does often while it fails.
// judge gives the pod if it is still to be deleted.
func (h *Hands) removeStill(ctx context.Context, p *corev1.Pod, dryRun bool, g Grant, judge func(now *corev1.Pod) (*corev1.Pod, error)) error {
	for try := 1; p != nil; try++ {
		err := h.remove(ctx, p, dryRun, g)
		if !apierrors.IsConflict(err) || try == attempts {
			return err
		}
		now, err := h.pod(ctx, p.Namespace, p.Name, string(p.UID), g)
		if err == nil {
			p, err = judge(now)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func podRequest(verb, namespace, name string, g Grant) request {
	return request{verb, schema.GroupResource{Resource: "pods"}, namespace, name, g}
}

// send makes one request within its time.
func send[T any](ctx context.Context, h *Hands, f func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, h.client.within)
	defer cancel()
	ctx, _ = countTries(ctx)
	return f(ctx)
}
