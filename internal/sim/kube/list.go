package kube

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// page is where a list goes on; it is what a continue token holds.
type page struct {
	Version uint64 `json:"rv"`
	After   string `json:"start"` // key of the last object that was given
}

// list is an answer of many objects.
type list struct {
	APIVersion string          `json:"apiVersion"`
	Kind       string          `json:"kind"`
	Metadata   metav1.ListMeta `json:"metadata"`
	Items      []any           `json:"items"`
}

// serveList answers a list. The pages of one list carry the version of the first; what changes in between shows in the
// later ones, and again in a watch from that version.
func (s *Server) serveList(w http.ResponseWriter, r *http.Request, q *request) error {
	query := r.URL.Query()
	sel, err := selectors(q.resource, query)
	if err != nil {
		return err
	}
	limit, err := strconv.Atoi(query.Get("limit"))
	if query.Get("limit") != "" && (err != nil || limit < 0) {
		return apierrors.NewBadRequest("limit: a number of at least 0 is needed")
	}
	if query.Get("resourceVersion") == "0" && query.Get("resourceVersionMatch") == "" {
		limit = 0 // such a list comes from the watch cache, which gives it whole
	}
	var from page
	if token := query.Get("continue"); token != "" {
		b, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil || json.Unmarshal(b, &from) != nil {
			return apierrors.NewBadRequest("continue key is not valid")
		}
		if s.store.forgot(from.Version) {
			return apierrors.NewResourceExpired("The provided continue parameter is too old to display a consistent list result. " +
				"You can start a new list without the continue parameter.")
		}
	}
	if s.crowded(q.resource) {
		return s.serveCrowd(w, r, q, sel, from, limit)
	}
	objects, rv := s.store.list(q.storage, q.listNamespace())
	if from.Version != 0 {
		rv = from.Version
	}
	var selected []*unstructured.Unstructured
	for _, o := range objects {
		if key(o.GetNamespace(), o.GetName()) > from.After && sel.matches(o) {
			selected = append(selected, o)
		}
	}
	meta := metav1.ListMeta{ResourceVersion: strconv.FormatUint(rv, 10)}
	if limit > 0 && len(selected) > limit {
		left := int64(len(selected) - limit)
		selected = selected[:limit]
		last := selected[limit-1]
		b, err := json.Marshal(page{rv, key(last.GetNamespace(), last.GetName())})
		if err != nil {
			return err
		}
		meta.Continue = base64.RawURLEncoding.EncodeToString(b)
		if sel.everything() {
			meta.RemainingItemCount = &left
		}
	}
	reply(w, r, http.StatusOK, s.shapeList(r, q.resource, selected, meta))
	return nil
}

// listNamespace is the namespace whose objects are listed. Namespaces themselves are in none.
func (q *request) listNamespace() string {
	if !q.namespaced {
		return ""
	}
	return q.namespace
}

func (s *Server) serveGet(w http.ResponseWriter, r *http.Request, q *request) error {
	o := s.find(q.resource, q.listNamespace(), q.name)
	if o == nil {
		return apierrors.NewNotFound(q.gr(), q.name)
	}
	reply(w, r, http.StatusOK, s.shape(r, q.resource, o))
	return nil
}

// shape gives one object in the shape that the client wants.
func (s *Server) shape(r *http.Request, res *resource, o *unstructured.Unstructured) any {
	switch wanted(r, res).form {
	case asTable:
		return s.table(res, []*unstructured.Unstructured{o}, metav1.ListMeta{ResourceVersion: o.GetResourceVersion()}, r.URL.Query().Get("includeObject"), true)
	case asPartial:
		return partial(o)
	}
	return s.external(res, o).Object
}

func (s *Server) shapeList(r *http.Request, res *resource, objects []*unstructured.Unstructured, meta metav1.ListMeta) any {
	l := list{APIVersion: res.GroupVersion().String(), Kind: res.listKind(), Metadata: meta, Items: make([]any, len(objects))}
	switch wanted(r, res).form {
	case asTable:
		return s.table(res, objects, meta, r.URL.Query().Get("includeObject"), true)
	case asPartial:
		l.APIVersion, l.Kind = "meta.k8s.io/v1", "PartialObjectMetadataList"
		for i, o := range objects {
			l.Items[i] = partial(o)
		}
	default:
		for i, o := range objects {
			l.Items[i] = s.external(res, o).Object
		}
	}
	return l
}

// external is an object as the resource serves it: only events have two faces.
func (s *Server) external(res *resource, o *unstructured.Unstructured) *unstructured.Unstructured {
	if res.Group == "events.k8s.io" {
		return fromCoreEvent(o)
	}
	return o
}

func partial(o *unstructured.Unstructured) map[string]any {
	return map[string]any{"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": o.Object["metadata"]}
}
