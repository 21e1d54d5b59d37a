package kube

import (
	"fmt"
	maps0 "maps"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/api/validation/path"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/client-go/kubernetes/scheme"
	sjson "sigs.k8s.io/json"
)

// born makes a new object of what a client sent: what the server alone decides is filled in or taken away. applied is
// the configuration where the object comes from a server-side apply, whose managed fields are made already.
func (s *Server) born(q *request, o *unstructured.Unstructured, op operation, applied *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	if err := s.fits(q, o, op); err != nil {
		return nil, err
	}
	if o.GetResourceVersion() != "" {
		return nil, apierrors.NewBadRequest("resourceVersion should not be set on objects to be created")
	}
	now := o.DeepCopy()
	if q.namespaced {
		now.SetNamespace(q.namespace)
	}
	if errs := validation.ValidateObjectMetaAccessor(now, q.namespaced, nameRule(q.resource), field.NewPath("metadata")); len(errs) > 0 {
		return nil, invalid(q.Group, q.Kind, o.GetName(), errs...)
	}
	now.SetUID(uuid.NewUUID())
	now.SetCreationTimestamp(metav1.NewTime(s.now()))
	now.SetDeletionTimestamp(nil)
	now.SetDeletionGracePeriodSeconds(nil)
	now.SetGeneration(0)
	if counted(q.resource) {
		now.SetGeneration(1)
	}
	if q.status {
		delete(now.Object, "status")
	}
	switch q.gr().String() {
	case "pods":
		now.Object["status"] = map[string]any{"phase": "Pending"}
	case "namespaces":
		now.Object["status"] = map[string]any{"phase": "Active"}
	}
	if applied == nil {
		s.track(q, nil, now, op.manager)
	}
	return now, nil
}

// grown makes the next state of an object of what a client sent. Where nothing changes it is old itself, and nil where
// the last finalizer of a deleted object goes.
func (s *Server) grown(q *request, old, sent *unstructured.Unstructured, op operation, applied *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	if err := s.fits(q, sent, op); err != nil {
		return nil, err
	}
	if sent.GetName() != "" && sent.GetName() != old.GetName() {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("the name of the object (%s) does not match the name on the URL (%s)", sent.GetName(), old.GetName()))
	}
	switch rv := sent.GetResourceVersion(); {
	case rv != "" && rv != old.GetResourceVersion():
		return nil, conflict(q, "the object has been modified; please apply your changes to the latest version and try again")
	case rv == "" && op.put && q.custom:
		return nil, invalid(q.Group, q.Kind, old.GetName(), field.Invalid(field.NewPath("metadata", "resourceVersion"), 0, "must be specified for an update"))
	}
	if uid := sent.GetUID(); uid != "" && uid != old.GetUID() {
		return nil, conflict(q, fmt.Sprintf("Precondition failed: UID in precondition: %v, UID in object meta: %v", uid, old.GetUID()))
	}
	now := sent.DeepCopy()
	if q.subresource == "status" {
		now = old.DeepCopy()
		now.SetManagedFields(sent.GetManagedFields())
		setOrDelete(now.Object, "status", sent.Object["status"])
	} else if q.status {
		setOrDelete(now.Object, "status", old.Object["status"])
	}
	keepMeta(now, old)
	if errs := validation.ValidateObjectMetaAccessorUpdate(now, old, field.NewPath("metadata")); len(errs) > 0 {
		return nil, invalid(q.Group, q.Kind, old.GetName(), errs...)
	}
	if unchanged(old, now) && applied == nil {
		return old, nil
	}
	if !sameSpec(old, now) {
		bump(q.resource, now)
	}
	if applied == nil {
		s.track(q, old, now, op.manager)
	}
	if now.GetDeletionTimestamp() != nil && len(now.GetFinalizers()) == 0 && (now.GetDeletionGracePeriodSeconds() == nil || *now.GetDeletionGracePeriodSeconds() == 0) {
		return nil, nil
	}
	return now, nil
}

// keepMeta puts back what only the server changes.
func keepMeta(now, old *unstructured.Unstructured) {
	now.SetName(old.GetName())
	now.SetNamespace(old.GetNamespace())
	now.SetUID(old.GetUID())
	now.SetResourceVersion(old.GetResourceVersion())
	now.SetGeneration(old.GetGeneration())
	was, _, _ := unstructured.NestedFieldNoCopy(old.Object, "metadata")
	is, _, _ := unstructured.NestedFieldNoCopy(now.Object, "metadata")
	if w, ok := was.(map[string]any); ok {
		if i, ok := is.(map[string]any); ok {
			for _, k := range []string{"creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"} {
				setOrDelete(i, k, w[k])
			}
		}
	}
}

func setOrDelete(m map[string]any, key string, v any) {
	if v == nil {
		delete(m, key)
		return
	}
	m[key] = v
}

func unchanged(a, b *unstructured.Unstructured) bool {
	x, y := a.DeepCopy(), b.DeepCopy()
	x.SetManagedFields(nil)
	y.SetManagedFields(nil)
	return equality.Semantic.DeepEqual(x.Object, y.Object)
}

func sameSpec(a, b *unstructured.Unstructured) bool {
	x, y := map[string]any{}, map[string]any{}
	maps0.Copy(x, a.Object)
	maps0.Copy(y, b.Object)
	for _, m := range []map[string]any{x, y} {
		delete(m, "metadata")
		delete(m, "status")
	}
	return equality.Semantic.DeepEqual(x, y)
}

// bump counts a change of the desired state. Objects that were recorded without a generation count on from what their
// controller has observed.
func bump(r *resource, o *unstructured.Unstructured) {
	if counted(r) {
		o.SetGeneration(max(o.GetGeneration(), number(o, "status", "observedGeneration")) + 1)
	}
}

// counted reports whether objects of a resource have a generation.
func counted(r *resource) bool {
	switch r.gr().String() {
	case "pods", "ingresses.networking.k8s.io", "networkpolicies.networking.k8s.io", "poddisruptionbudgets.policy":
		return true
	}
	return r.custom || r.Group == "apps" || r.Group == "batch"
}

// fits refuses a body that is for another resource or namespace than the path, or whose fields have the wrong types.
func (s *Server) fits(q *request, o *unstructured.Unstructured, op operation) error {
	if gv := o.GetAPIVersion(); gv != q.GroupVersion().String() {
		return apierrors.NewBadRequest(fmt.Sprintf("the API version in the data (%s) does not match the expected API version (%s)", gv, q.GroupVersion()))
	}
	if o.GetKind() != q.Kind {
		return apierrors.NewBadRequest(fmt.Sprintf("the object provided is unrecognized (must be of type %s): got kind %q", q.Kind, o.GetKind()))
	}
	if ns := o.GetNamespace(); ns != "" && ns != q.listNamespace() {
		return apierrors.NewBadRequest(fmt.Sprintf("the namespace of the provided object does not match the namespace sent on the request (%s, %s)", ns, q.listNamespace()))
	}
	if q.custom {
		return nil
	}
	typed, err := scheme.Scheme.New(q.GroupVersionKind)
	if err != nil {
		return nil // nothing is known of its fields
	}
	raw, err := o.MarshalJSON()
	if err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	strict, err := sjson.UnmarshalStrict(raw, typed)
	switch {
	case err != nil:
		return apierrors.NewBadRequest(fmt.Sprintf("%s in version %q cannot be handled as a %s: %v", q.Kind, q.Version, q.Kind, err))
	case op.strict && len(strict) > 0:
		var texts []string
		for _, e := range strict {
			texts = append(texts, e.Error())
		}
		return apierrors.NewBadRequest(fmt.Sprintf("%s in version %q cannot be handled as a %s: strict decoding error: %s", q.Kind, q.Version, q.Kind, strings.Join(texts, ", ")))
	}
	return nil
}

// nameRule is what a name must look like: a DNS subdomain, save for RBAC, which takes any path segment.
func nameRule(r *resource) validation.ValidateNameFunc {
	if r.Group == "rbac.authorization.k8s.io" {
		return path.ValidatePathSegmentName
	}
	if r.gr().String() == "namespaces" {
		return validation.NameIsDNSLabel
	}
	return validation.NameIsDNSSubdomain
}

func (s *Server) now() time.Time { return s.options.Now().UTC().Truncate(time.Second) }

func seconds(n int64) time.Duration { return time.Duration(n) * time.Second }

func typedUID(s string) types.UID { return types.UID(s) }

func conflict(q *request, why string) error {
	return apierrors.NewConflict(q.gr(), q.name, fmt.Errorf("%s", why))
}

func invalid(group, kind, name string, errs ...*field.Error) error {
	return apierrors.NewInvalid(schema.GroupKind{Group: group, Kind: kind}, name, errs)
}
