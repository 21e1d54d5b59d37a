package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/netdiag/netdiag/internal/remedy"
)

const (
	// owner is netdiag's name in managedFields.
	owner = "netdiag"
	// marked is the annotation that says which Remediation changed an object last.
	marked = "netdiag.io/remediation"
	// attempts is how often a change is tried that meets another writer's: the status of a DaemonSet changes often while
	// its pods restart, which is no reason to refuse.
	attempts = 5
)

// Hands is the Kubernetes half of remedy.Hands: it carries out DaemonSetEnv, Annotate, Cordon, MovePods and RestartPods.
// Each change reads the object, refuses with a *Changed where it isn't as the plan found it, and patches or deletes
// exactly the version that it read. What the cluster doesn't permit is refused with a *Forbidden.
//
// An error that wraps remedy.ErrRefused means that nothing was changed; after any other, Look decides.
type Hands struct{ client *Client }

var _ remedy.Hands = (*Hands)(nil)

// Hands gives the writer of a cluster. The cluster's own access control decides what it may change.
func (c *Client) Hands() *Hands { return &Hands{client: c} }

// Changed refuses a change because its object isn't as the plan found it.
type Changed struct {
	What string // "env WARM_IP_TARGET of container aws-node of daemonset kube-system/aws-node"
	Want string // as the plan found it, quoted, or "unset"
	Got  string // as it is now
}

// Error says what was planned on and what is there now.
func (e *Changed) Error() string {
	return fmt.Sprintf("%s is %s now, not %s as when the fix was proposed", e.What, e.Got, e.Want)
}

// Unwrap is remedy.ErrRefused: nothing was changed.
func (e *Changed) Unwrap() error { return remedy.ErrRefused }

// change is an action as it is carried out here.
type change interface {
	// apply makes the change; what of it is made already is taken as it is.
	apply(ctx context.Context, h *Hands, m remedy.Mark, dryRun bool) (remedy.Receipt, error)
	look(ctx context.Context, h *Hands, m remedy.Mark) (done bool, r remedy.Receipt, err error)
}

// DryRun lets the API server go through the change, admission included, without storing it.
func (h *Hands) DryRun(ctx context.Context, a remedy.Action, m remedy.Mark) error {
	c, err := changeOf(a)
	if err != nil {
		return err
	}
	_, err = c.apply(ctx, h, m, true)
	return err
}

// Apply makes the change. Where somebody else made it already, the receipt isn't owned and has no undo.
func (h *Hands) Apply(ctx context.Context, a remedy.Action, m remedy.Mark) (remedy.Receipt, error) {
	c, err := changeOf(a)
	if err != nil {
		return remedy.Receipt{}, err
	}
	return c.apply(ctx, h, m, false)
}

// Look reads whether the change is in effect, and by the mark on the object whether it was this Remediation's.
func (h *Hands) Look(ctx context.Context, a remedy.Action, m remedy.Mark) (bool, remedy.Receipt, error) {
	c, err := changeOf(a)
	if err != nil {
		return false, remedy.Receipt{}, err
	}
	return c.look(ctx, h, m)
}

func changeOf(a remedy.Action) (change, error) {
	if err := a.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", remedy.ErrRefused, err)
	}
	switch {
	case a.DaemonSetEnv != nil:
		return single{daemonSetEnv{a.DaemonSetEnv}}, nil
	case a.Annotate != nil:
		e, err := newAnnotate(a.Annotate)
		return single{e}, err
	case a.Cordon != nil:
		return single{cordon{a.Cordon}}, nil
	case a.MovePods != nil:
		return movePods{a.MovePods}, nil
	case a.RestartPods != nil:
		return restartPods{a.RestartPods}, nil
	}
	return nil, fmt.Errorf("%w: %s of %s is no change to Kubernetes", remedy.ErrRefused, a.Kind(), a.Target())
}

// edit is an action on one object of one kind.
type edit interface {
	object() (gvr schema.GroupVersionResource, namespace, name string)
	// state compares the object with the plan.
	state(o *unstructured.Unstructured) (state, error)
	// patch is the change, for exactly this version of the object.
	patch(o *unstructured.Unstructured, m remedy.Mark) (types.PatchType, any, error)
	undo() remedy.Action
	grant() Grant
}

// state is how an object stands to a plan.
type state struct {
	done    bool     // it is as the plan wants it
	changed *Changed // it isn't as the plan found it; nil where it is
}

// single is a change that is one edit.
type single struct{ edit }

func (e single) look(ctx context.Context, h *Hands, m remedy.Mark) (bool, remedy.Receipt, error) {
	o, err := h.get(ctx, e)
	if err != nil {
		return false, remedy.Receipt{}, err
	}
	state, err := e.state(o)
	if err != nil || !state.done {
		return false, remedy.Receipt{}, err
	}
	return true, receipt(e, o, m), nil
}

func (e single) apply(ctx context.Context, h *Hands, m remedy.Mark, dryRun bool) (remedy.Receipt, error) {
	for try := 1; ; try++ {
		o, err := h.get(ctx, e)
		if err != nil {
			return remedy.Receipt{}, err
		}
		s, err := e.state(o)
		switch {
		case err != nil:
			return remedy.Receipt{}, err
		case s.done:
			return receipt(e, o, m), nil
		case s.changed != nil:
			return remedy.Receipt{}, s.changed
		}
		err = h.patch(ctx, e, o, m, dryRun)
		switch {
		case err == nil:
			undo := e.undo()
			return remedy.Receipt{Undo: &undo, Owned: true}, nil
		case !overtaken(err) || try == attempts:
			return remedy.Receipt{}, err
		}
	}
}

func (h *Hands) get(ctx context.Context, e edit) (*unstructured.Unstructured, error) {
	gvr, namespace, name := e.object()
	o, err := send(ctx, h, func(ctx context.Context) (*unstructured.Unstructured, error) {
		return h.client.dynamic.Resource(gvr).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	})
	return o, h.refusal(ctx, request{"get", gvr.GroupResource(), namespace, name, e.grant()}, err)
}

func (h *Hands) patch(ctx context.Context, e edit, o *unstructured.Unstructured, m remedy.Mark, dryRun bool) error {
	gvr, namespace, name := e.object()
	kind, doc, err := e.patch(o, m)
	if err != nil {
		return err
	}
	body, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	opts := metav1.PatchOptions{FieldManager: owner}
	if dryRun {
		opts.DryRun = []string{metav1.DryRunAll}
	}
	_, err = send(ctx, h, func(ctx context.Context) (*unstructured.Unstructured, error) {
		return h.client.dynamic.Resource(gvr).Namespace(namespace).Patch(ctx, name, kind, body, opts)
	})
	return h.refusal(ctx, request{"patch", gvr.GroupResource(), namespace, name, e.grant()}, err)
}

// overtaken tells that another writer came in between: a conflict, or the failed test of a JSON patch.
func overtaken(err error) bool {
	return apierrors.IsConflict(err) || statusCode(err) == http.StatusUnprocessableEntity
}

// receipt is what is left of a change that is in effect.
func receipt(e edit, o *unstructured.Unstructured, m remedy.Mark) remedy.Receipt {
	if m.Remediation == "" || o.GetAnnotations()[marked] != m.Remediation {
		return remedy.Receipt{}
	}
	undo := e.undo()
	return remedy.Receipt{Undo: &undo, Owned: true}
}

func quoted(v *string) string {
	if v == nil {
		return "unset"
	}
	return fmt.Sprintf("%q", *v)
}

func same(a, b *string) bool {
	return (a == nil) == (b == nil) && (a == nil || *a == *b)
}
