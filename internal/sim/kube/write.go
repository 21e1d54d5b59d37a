package kube

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// operation is how a change is meant.
type operation struct {
	manager string // who changes, for managedFields
	dryRun  bool
	strict  bool // fieldValidation=Strict
	put     bool // a PUT, which states the whole object
}

// operationOf reads the options that all changes have in their query.
func operationOf(r *http.Request, q *request) (operation, error) {
	query := r.URL.Query()
	op := operation{manager: query.Get("fieldManager"), strict: query.Get("fieldValidation") == "Strict", put: q.verb == "update"}
	if op.manager == "" {
		op.manager, _, _ = strings.Cut(r.UserAgent(), "/")
	}
	var err error
	op.dryRun, err = dryRun(query["dryRun"])
	return op, err
}

func dryRun(values []string) (bool, error) {
	for _, v := range values {
		if v != metav1.DryRunAll {
			return false, invalid("", "", "", field.NotSupported(field.NewPath("dryRun"), v, []string{metav1.DryRunAll}))
		}
	}
	return len(values) > 0, nil
}

// change runs one change of an object through the store: update gets the object as the resource serves it (nil where
// there is none) and returns what shall be.
func (s *Server) change(q *request, name string, op operation, update func(old *unstructured.Unstructured) (*unstructured.Unstructured, error)) (*unstructured.Unstructured, error) {
	namespace := q.listNamespace()
	var tried *unstructured.Unstructured
	out, err := s.store.put(q.storage, namespace, name, func(old *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		var face *unstructured.Unstructured
		if old != nil {
			face = s.external(q.resource, old)
		}
		now, err := update(face)
		if err != nil {
			return nil, err
		}
		tried = now
		switch {
		case op.dryRun || now == face:
			return old, nil
		case now != nil && q.Group == "events.k8s.io":
			return toCoreEvent(now), nil
		}
		return now, nil
	})
	if err != nil {
		return nil, err
	}
	if op.dryRun {
		return tried, nil
	}
	return out, nil
}

func (s *Server) serveCreate(w http.ResponseWriter, r *http.Request, q *request) error {
	if q.name != "" {
		return apierrors.NewMethodNotSupported(q.gr(), "create")
	}
	op, err := operationOf(r, q)
	if err != nil {
		return err
	}
	o, err := body(r)
	if err != nil {
		return err
	}
	if o.GetName() == "" && o.GetGenerateName() != "" {
		o.SetName(o.GetGenerateName() + suffix())
	}
	out, err := s.change(q, o.GetName(), op, func(old *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		if old != nil {
			return nil, apierrors.NewAlreadyExists(q.gr(), o.GetName())
		}
		return s.born(q, o, op, nil)
	})
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusCreated, s.shape(r, q.resource, out))
	return nil
}

// suffix is what generateName ends in: five characters that form no words.
func suffix() string {
	const letters = "bcdfghjklmnpqrstvwxz2456789"
	var b strings.Builder
	for range 5 {
		b.WriteByte(letters[rand.IntN(len(letters))])
	}
	return b.String()
}

func (s *Server) serveUpdate(w http.ResponseWriter, r *http.Request, q *request) error {
	op, err := operationOf(r, q)
	if err != nil {
		return err
	}
	o, err := body(r)
	if err != nil {
		return err
	}
	if o.GetName() != "" && o.GetName() != q.name {
		return apierrors.NewBadRequest(fmt.Sprintf("the name of the object (%s) does not match the name on the URL (%s)", o.GetName(), q.name))
	}
	out, err := s.change(q, q.name, op, func(old *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		if old == nil {
			return nil, apierrors.NewNotFound(q.gr(), q.name)
		}
		return s.grown(q, old, o, op, nil)
	})
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, s.shape(r, q.resource, out))
	return nil
}

func (s *Server) serveDelete(w http.ResponseWriter, r *http.Request, q *request) error {
	o, err := deleteOptions(r)
	if err != nil {
		return err
	}
	var uid string
	var gone bool
	out, err := s.change(q, q.name, operation{dryRun: len(o.DryRun) > 0}, func(old *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		if old == nil {
			return nil, apierrors.NewNotFound(q.gr(), q.name)
		}
		uid = string(old.GetUID())
		now, err := s.ending(q, old, o)
		gone = now == nil
		return now, err
	})
	if err != nil {
		return err
	}
	if !gone {
		writeJSON(w, http.StatusOK, s.shape(r, q.resource, out))
		return nil
	}
	writeJSON(w, http.StatusOK, metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusSuccess,
		Details: &metav1.StatusDetails{Name: q.name, Group: q.Group, Kind: q.resource.name, UID: typedUID(uid)},
	})
	return nil
}

// ending decides what a deletion leaves: nothing, or an object that waits for its finalizers or its kubelet.
func (s *Server) ending(q *request, old *unstructured.Unstructured, o metav1.DeleteOptions) (*unstructured.Unstructured, error) {
	if p := o.Preconditions; p != nil {
		if p.UID != nil && *p.UID != old.GetUID() {
			return nil, conflict(q, fmt.Sprintf("Precondition failed: UID in precondition: %v, UID in object meta: %v", *p.UID, old.GetUID()))
		}
		if p.ResourceVersion != nil && *p.ResourceVersion != old.GetResourceVersion() {
			return nil, conflict(q, fmt.Sprintf("Precondition failed: ResourceVersion in precondition: %v, ResourceVersion in object meta: %v", *p.ResourceVersion, old.GetResourceVersion()))
		}
	}
	var grace int64
	if phase := text(old.Object, "status", "phase"); q.gr().String() == "pods" && text(old.Object, "spec", "nodeName") != "" && phase != "Succeeded" && phase != "Failed" {
		grace = 30
		if v := text(old.Object, "spec", "terminationGracePeriodSeconds"); v != "" {
			grace = number(old, "spec", "terminationGracePeriodSeconds")
		}
		if o.GracePeriodSeconds != nil {
			grace = *o.GracePeriodSeconds
		}
	}
	if grace == 0 && len(old.GetFinalizers()) == 0 {
		return nil, nil
	}
	if old.GetDeletionTimestamp() != nil && grace > 0 {
		return old, nil
	}
	now := old.DeepCopy()
	at := metav1.NewTime(s.now().Add(seconds(grace)))
	now.SetDeletionTimestamp(&at)
	now.SetDeletionGracePeriodSeconds(&grace)
	bump(q.resource, now)
	return now, nil
}

func (s *Server) serveDeleteCollection(w http.ResponseWriter, r *http.Request, q *request) error {
	sel, err := selectors(q.resource, r.URL.Query())
	if err != nil {
		return err
	}
	o, err := deleteOptions(r)
	if err != nil {
		return err
	}
	objects, rv := s.store.list(q.storage, q.listNamespace())
	l := list{APIVersion: q.GroupVersion().String(), Kind: q.listKind(), Metadata: metav1.ListMeta{ResourceVersion: strconv.FormatUint(rv, 10)}, Items: []any{}}
	for _, each := range objects {
		if !sel.matches(each) {
			continue
		}
		one := *q
		one.name, one.namespace = each.GetName(), each.GetNamespace()
		_, err := s.change(&one, one.name, operation{dryRun: len(o.DryRun) > 0}, func(old *unstructured.Unstructured) (*unstructured.Unstructured, error) {
			if old == nil {
				return nil, nil // somebody else was faster
			}
			return s.ending(&one, old, o)
		})
		if err != nil {
			return err
		}
		l.Items = append(l.Items, s.external(q.resource, each).Object)
	}
	writeJSON(w, http.StatusOK, l)
	return nil
}

// deleteOptions reads the options of a deletion from the body, and from the query where there is none.
func deleteOptions(r *http.Request) (metav1.DeleteOptions, error) {
	var o metav1.DeleteOptions
	raw, err := read(r)
	if err != nil {
		return o, err
	}
	query := r.URL.Query()
	o.DryRun = query["dryRun"]
	if n, err := strconv.ParseInt(query.Get("gracePeriodSeconds"), 10, 64); err == nil {
		o.GracePeriodSeconds = &n
	}
	if len(raw) > 0 {
		u, err := decode(raw, r.Header.Get("Content-Type"))
		if err != nil {
			return o, err
		}
		typed, err := toTyped[metav1.DeleteOptions](u.Object)
		if err != nil {
			return o, apierrors.NewBadRequest(err.Error())
		}
		typed.DryRun = append(typed.DryRun, o.DryRun...)
		if typed.GracePeriodSeconds == nil {
			typed.GracePeriodSeconds = o.GracePeriodSeconds
		}
		o = *typed
	}
	_, err = dryRun(o.DryRun)
	return o, err
}

// fieldManagerParam is required of an apply; q tells which value is missing.
func fieldManagerParam(q url.Values) (string, error) {
	if m := q.Get("fieldManager"); m != "" {
		return m, nil
	}
	return "", invalid("meta.k8s.io", "PatchOptions", "", field.Required(field.NewPath("fieldManager"), "is required for apply patch"))
}
