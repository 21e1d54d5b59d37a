package nature

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
)

const cordonLoop = time.Second

// cordons is the part of the node controller that keeps the taint of nodes which are cordoned.
type cordons struct {
	n     *Nature
	c     *clients
	began map[string]bool // by node, whether it was cordoned when it was last in order
}

func newCordons(n *Nature, c *clients) *cordons { return &cordons{n: n, c: c} }

func (k *cordons) round(ctx context.Context) error {
	first := k.began == nil
	if first {
		k.began = map[string]bool{}
	}
	var all error
	for _, node := range listed[*corev1.Node](k.c.nodes) {
		was, known := k.began[node.Name]
		if first || !known || was == node.Spec.Unschedulable {
			k.began[node.Name] = node.Spec.Unschedulable
			continue
		}
		if err := k.taint(ctx, node.Name); err != nil {
			all = errors.Join(all, err)
			continue
		}
		k.began[node.Name] = node.Spec.Unschedulable
	}
	return all
}

// taint gives a node the taint of cordoned ones, or takes it away, as the node is now.
func (k *cordons) taint(ctx context.Context, name string) error {
	nodes := k.c.kube.CoreV1().Nodes()
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		n, err := nodes.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		is := func(t corev1.Taint) bool { return t.Key == corev1.TaintNodeUnschedulable }
		if n.Spec.Unschedulable == slices.ContainsFunc(n.Spec.Taints, is) {
			return nil
		}
		if n.Spec.Unschedulable {
			at := metav1.NewTime(k.n.o.Now().UTC())
			n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule, TimeAdded: &at})
		} else {
			n.Spec.Taints = slices.DeleteFunc(n.Spec.Taints, is)
		}
		_, err = nodes.Update(ctx, n, metav1.UpdateOptions{})
		return err
	})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("update taints of node %s: %w", name, err)
	}
	return nil
}
