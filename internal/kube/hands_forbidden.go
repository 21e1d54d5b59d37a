package kube

import (
	"context"
	"fmt"
	"net/http"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/netdiag/netdiag/internal/remedy"
)

// Forbidden refuses a change for want of a permission of Kubernetes.
type Forbidden struct {
	Verb      string // as RBAC spells it
	Resource  schema.GroupResource
	Namespace string // empty where the resource has none
	Name      string
	Role      string // of the chart, which grants it
	Switch    string // of the chart's values, which makes the role; empty where the role is always there
	Err       error  // the API server's answer
}

// Error names what is missing, the rule that gives it, and the role of the chart that has the rule.
func (e *Forbidden) Error() string {
	where := ""
	if e.Namespace != "" {
		where = " in namespace " + e.Namespace
	}
	with := e.Role
	if e.Switch != "" {
		with += " (" + e.Switch + ": true)"
	}
	return fmt.Sprintf("netdiag may not %s %s %s%s; missing is {apiGroups: [%q], resources: [%s], verbs: [%s]}, which the chart gives with %s",
		e.Verb, e.Resource, e.Name, where, e.Resource.Group, e.Resource.Resource, e.Verb, with)
}

// Unwrap is remedy.ErrRefused, since nothing was changed, and the API server's answer.
func (e *Forbidden) Unwrap() []error { return []error{remedy.ErrRefused, e.Err} }

// request is one request of a change.
type request struct {
	verb            string
	resource        schema.GroupResource
	namespace, name string
	grant           Grant
}

// object is how messages name the object of a request.
func (r request) object() string {
	if r.namespace == "" {
		return r.name
	}
	return r.namespace + "/" + r.name
}

// refusal names the operation in err, and marks what the API server refused: an answer of the 4xx kind changed nothing. One
// that asks to come back later (429) is left open, since trying again helps. Nil stays nil.
func (h *Hands) refusal(ctx context.Context, r request, err error) error {
	if err == nil {
		return nil
	}
	if apierrors.IsForbidden(err) && !h.authorized(ctx, r) {
		f := &Forbidden{Verb: r.verb, Resource: r.resource, Namespace: r.namespace, Name: r.name, Role: r.grant.String(), Switch: r.grant.Switch, Err: err}
		if !r.grant.gives(r.verb + " " + r.resource.String()) {
			f.Role, f.Switch = "ClusterRole netdiag-read", "" // what diagnoses read too
		}
		return f
	}
	if code := statusCode(err); code >= 400 && code < 500 && code != http.StatusTooManyRequests {
		return fmt.Errorf("%w: %s %s %s: %w", remedy.ErrRefused, r.verb, r.resource, r.object(), err)
	}
	return fmt.Errorf("%s %s %s: %w", r.verb, r.resource, r.object(), err)
}

// authorized asks whether the right to a request is there: then it was an admission that forbade it. Where that can't be
// learned, it was not.
func (h *Hands) authorized(ctx context.Context, r request) bool {
	allowed, err := send(ctx, h, func(ctx context.Context) (bool, error) {
		return h.client.review(ctx, authorizationv1.ResourceAttributes{
			Verb: r.verb, Group: r.resource.Group, Resource: r.resource.Resource, Namespace: r.namespace, Name: r.name,
		})
	})
	return err == nil && allowed
}
