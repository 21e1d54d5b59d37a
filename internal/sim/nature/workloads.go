package nature

import (
	"context"
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
)

// counted tells the controllers above a pod that one more of theirs is ready, or, with -1 for more, one less: the
// ReplicaSet and its Deployment, the StatefulSet, or the DaemonSet. It adds to what was counted, because not every pod of
// a workload has to be in a world.
func (c *clients) counted(ctx context.Context, p *corev1.Pod, more int32, at time.Time) error {
	owner := metav1.GetControllerOf(p)
	if c.plane || owner == nil || !strings.HasPrefix(owner.APIVersion, appsv1.GroupName+"/") {
		return nil
	}
	apps := c.kube.AppsV1()
	var err error
	switch owner.Kind {
	case "ReplicaSet":
		var set *appsv1.ReplicaSet
		set, err = statusChanged(ctx, apps.ReplicaSets(p.Namespace), owner.Name, func(r *appsv1.ReplicaSet) {
			s := &r.Status
			s.ReadyReplicas, s.AvailableReplicas = within(s.ReadyReplicas+more, s.Replicas), within(s.AvailableReplicas+more, s.Replicas)
		})
		if err != nil {
			break
		}
		if above := metav1.GetControllerOf(set); above != nil && above.Kind == "Deployment" {
			_, err = statusChanged(ctx, apps.Deployments(p.Namespace), above.Name, func(d *appsv1.Deployment) { countedIn(d, more, at) })
		}
	case "StatefulSet":
		_, err = statusChanged(ctx, apps.StatefulSets(p.Namespace), owner.Name, func(r *appsv1.StatefulSet) {
			s := &r.Status
			s.ReadyReplicas, s.AvailableReplicas = within(s.ReadyReplicas+more, s.Replicas), within(s.AvailableReplicas+more, s.Replicas)
		})
	case "DaemonSet":
		_, err = statusChanged(ctx, apps.DaemonSets(p.Namespace), owner.Name, func(d *appsv1.DaemonSet) {
			s := &d.Status
			s.NumberReady, s.NumberAvailable = within(s.NumberReady+more, s.DesiredNumberScheduled), within(s.NumberAvailable+more, s.DesiredNumberScheduled)
			s.NumberUnavailable = s.DesiredNumberScheduled - s.NumberAvailable
		})
	}
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("update status of the workload of pod %s/%s: %w", p.Namespace, p.Name, err)
	}
	return nil
}

func within(n, most int32) int32 { return min(max(n, 0), most) }

func countedIn(d *appsv1.Deployment, more int32, at time.Time) {
	s := &d.Status
	s.ReadyReplicas, s.AvailableReplicas = within(s.ReadyReplicas+more, s.Replicas), within(s.AvailableReplicas+more, s.Replicas)
	s.UnavailableReplicas = s.Replicas - s.AvailableReplicas
	for i := range s.Conditions {
		if k := &s.Conditions[i]; k.Type == appsv1.DeploymentAvailable && k.Status != corev1.ConditionTrue && s.UnavailableReplicas == 0 {
			k.Status, k.Reason, k.Message = corev1.ConditionTrue, "MinimumReplicasAvailable", "Deployment has minimum availability."
			k.LastTransitionTime, k.LastUpdateTime = metav1.NewTime(at.UTC()), metav1.NewTime(at.UTC())
		}
	}
}

// statuses is the part of a typed client that changes the status of one kind.
type statuses[T any] interface {
	Get(ctx context.Context, name string, o metav1.GetOptions) (T, error)
	UpdateStatus(ctx context.Context, v T, o metav1.UpdateOptions) (T, error)
}

// statusChanged changes the status of an object, again where somebody else was faster.
func statusChanged[T any](ctx context.Context, in statuses[T], name string, change func(T)) (out T, err error) {
	err = retry.RetryOnConflict(retry.DefaultRetry, func() error {
		v, err := in.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		change(v)
		out, err = in.UpdateStatus(ctx, v, metav1.UpdateOptions{})
		return err
	})
	return out, err
}
