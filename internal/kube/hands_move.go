package kube

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netdiag/netdiag/internal/remedy"
)

// movePods cordons a node, then deletes the pods of the plan that still never ran on it. What has happened to one of
// them meanwhile is said in Receipt.Did, and is no reason to leave the others.
type movePods struct{ *remedy.MovePods }

// place is how a pod stands to the plan.
type place struct {
	pod *corev1.Pod // to be deleted; nil where nothing is to be done
	// said is what became of one that needs nothing: "is gone", "has started meanwhile and is left alone".
	said string
}

func (v movePods) cordon() cordon {
	return cordon{&remedy.Cordon{Node: v.Node, On: true}}
}

// places judges each pod anew.
func (v movePods) places(ctx context.Context, h *Hands) ([]place, error) {
	out := make([]place, len(v.Pods))
	for i, p := range v.Pods {
		now, err := h.pod(ctx, p.Namespace, p.Name, p.UID, moveGrant())
		if err != nil {
			return nil, err
		}
		out[i] = v.judge(now)
	}
	return out, nil
}

func (v movePods) judge(p *corev1.Pod) place {
	switch {
	case p == nil:
		return place{said: "is gone"}
	case p.DeletionTimestamp != nil:
		return place{said: "is being deleted"}
	case p.Spec.NodeName != v.Node:
		return place{said: "is on another node and is left alone"}
	case everRan(p):
		return place{said: "has started meanwhile and is left alone"}
	}
	switch o := metav1.GetControllerOf(p); {
	case o == nil:
		return place{said: "has no controller that would make it again and is left alone"}
	case o.Kind == "DaemonSet":
		return place{said: "belongs to a DaemonSet, which would make it again on this node, and is left alone"}
	}
	return place{pod: p}
}

// everRan reports whether any container of a pod has run.
func everRan(p *corev1.Pod) bool {
	if p.Status.Phase != corev1.PodPending {
		return true
	}
	for _, list := range [][]corev1.ContainerStatus{p.Status.InitContainerStatuses, p.Status.ContainerStatuses, p.Status.EphemeralContainerStatuses} {
		for _, c := range list {
			if c.State.Running != nil || c.State.Terminated != nil || c.LastTerminationState.Terminated != nil || c.RestartCount > 0 {
				return true
			}
		}
	}
	return false
}

// ours reads whether the node is cordoned by this Remediation, and by nobody else. A *Changed says that somebody else has.
func (v movePods) ours(ctx context.Context, h *Hands, m remedy.Mark) (bool, error) {
	c := v.cordon()
	o, err := h.get(ctx, c)
	if err != nil {
		return false, err
	}
	s, err := c.state(o)
	switch {
	case err != nil || s.changed == nil:
		return false, err
	case receipt(c, o, m).Owned:
		return true, nil
	}
	return false, s.changed
}

func (v movePods) apply(ctx context.Context, h *Hands, m remedy.Mark, dryRun bool) (remedy.Receipt, error) {
	ours, err := v.ours(ctx, h, m)
	if err != nil {
		return remedy.Receipt{}, err
	}
	places, err := v.places(ctx, h)
	if err != nil {
		return remedy.Receipt{}, err
	}
	if !ours {
		if waiting(places) == 0 {
			return remedy.Receipt{}, &Changed{What: fmt.Sprintf("the number of the %d pods that still wait on node %s", len(places), v.Node), Want: fmt.Sprint(len(places)), Got: "0"}
		}
		switch r, err := (single{v.cordon()}).apply(ctx, h, m, dryRun); {
		case err != nil:
			return remedy.Receipt{}, err
		case !r.Owned: // somebody else has, in between
			return remedy.Receipt{}, &Changed{What: "node " + v.Node, Want: cordoned(false), Got: cordoned(true)}
		}
	}
	for i := range places {
		if places[i], err = v.delete(ctx, h, places[i], dryRun); err == nil {
			continue
		}
		if dryRun {
			return remedy.Receipt{}, err
		}
		// The node is cordoned: this is no refusal any more, after which nothing is changed.
		return v.receipt(places), fmt.Errorf("move pods off node %s, which is cordoned: %v", v.Node, err) //nolint:errorlint // not to be taken for remedy.ErrRefused
	}
	return v.receipt(places), nil
}

// delete deletes a pod, judged anew where it has changed in between.
func (v movePods) delete(ctx context.Context, h *Hands, p place, dryRun bool) (place, error) {
	err := h.removeStill(ctx, p.pod, dryRun, moveGrant(), func(now *corev1.Pod) (*corev1.Pod, error) {
		p = v.judge(now)
		return p.pod, nil
	})
	if err == nil && p.pod != nil {
		return place{said: "deleted"}, nil
	}
	return p, err
}

// look finds the change done where this Remediation has cordoned the node and no pod of the plan is left to delete.
func (v movePods) look(ctx context.Context, h *Hands, m remedy.Mark) (bool, remedy.Receipt, error) {
	ours, err := v.ours(ctx, h, m)
	if _, changed := errors.AsType[*Changed](err); changed {
		return false, remedy.Receipt{}, nil
	}
	if err != nil || !ours {
		return false, remedy.Receipt{}, err
	}
	places, err := v.places(ctx, h)
	if err != nil {
		return false, remedy.Receipt{}, err
	}
	return waiting(places) == 0, v.receipt(places), nil
}

func waiting(places []place) (n int) {
	for _, p := range places {
		if p.pod != nil {
			n++
		}
	}
	return n
}

// receipt is what is left of a change that was begun: the way back is to let pods on the node again.
func (v movePods) receipt(places []place) remedy.Receipt {
	undo := v.cordon().undo()
	r := remedy.Receipt{Undo: &undo, Owned: true, Did: []string{"node " + v.Node + " cordoned"}}
	for i, p := range places {
		if p.pod == nil {
			r.Did = append(r.Did, fmt.Sprintf("pod %s/%s %s", v.Pods[i].Namespace, v.Pods[i].Name, p.said))
		}
	}
	return r
}
