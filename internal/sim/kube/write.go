package kube

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
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
	if _, err := s.managers.get(q); err != nil { // the first takes its time, which the readers of the store needn't wait for
		return nil, err
	}
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
	reply(w, r, http.StatusCreated, s.shape(r, q.resource, out))
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
	reply(w, r, http.StatusOK, s.shape(r, q.resource, out))
	return nil
}

// fieldManagerParam is required of an apply; q tells which value is missing.
func fieldManagerParam(q url.Values) (string, error) {
	if m := q.Get("fieldManager"); m != "" {
		return m, nil
	}
	return "", invalid("meta.k8s.io", "PatchOptions", "", field.Required(field.NewPath("fieldManager"), "is required for apply patch"))
}
