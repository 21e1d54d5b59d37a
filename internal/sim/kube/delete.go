package kube

import (
	"fmt"
	"net/http"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

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
		reply(w, r, http.StatusOK, s.shape(r, q.resource, out))
		return nil
	}
	reply(w, r, http.StatusOK, metav1.Status{
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
	// A second deletion may hurry a pod up, never give it more time.
	if old.GetDeletionTimestamp() != nil && grace > 0 && (old.GetDeletionGracePeriodSeconds() == nil || grace >= *old.GetDeletionGracePeriodSeconds()) {
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
	reply(w, r, http.StatusOK, l)
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
