package kube

import (
	"encoding/base64"
	"encoding/json"
	"iter"
	"net/http"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
)

// Crowd has objects that are too many to keep: it makes them when they are asked for. All objects of its resources are
// its own. They can be read, but not watched or changed.
type Crowd interface {
	// Has tells its resources, such as "pods".
	Has(resource string) bool
	// Get makes one object; nil where there is none of that name.
	Get(resource, namespace, name string) Object
	// List makes the objects that are selected, in the order of namespace and name.
	List(resource string, q Query) iter.Seq[Object]
}

// Object is an object of a built-in kind.
type Object interface {
	runtime.Object
	metav1.Object
}

// Query selects objects of a Crowd.
type Query struct {
	Namespace string // empty means all
	Labels    labels.Selector
	Fields    fields.Selector
	After     string // only those whose Key is greater
}

// Key is what objects are ordered by.
func Key(namespace, name string) string { return key(namespace, name) }

// crowded reports whether the objects of a resource come from the crowd.
func (s *Server) crowded(r *resource) bool {
	return s.options.Crowd != nil && s.options.Crowd.Has(r.gr().String())
}

// find gives an object, wherever it comes from; nil where there is none.
func (s *Server) find(r *resource, namespace, name string) *unstructured.Unstructured {
	if !s.crowded(r) {
		return s.store.get(r.storage, namespace, name)
	}
	o := s.options.Crowd.Get(r.gr().String(), namespace, name)
	if o == nil {
		return nil
	}
	return loose(r, o)
}

// loose gives an object of the crowd as those of the store are.
func loose(r *resource, o Object) *unstructured.Unstructured {
	m, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		panic(err) // objects of built-in kinds always convert
	}
	u := &unstructured.Unstructured{Object: m}
	u.SetGroupVersionKind(r.GroupVersionKind)
	return u
}

// serveCrowd answers a list of the crowd's, page by page like any other.
func (s *Server) serveCrowd(w http.ResponseWriter, r *http.Request, q *request, sel selection, from page, limit int) error {
	ask := Query{Namespace: q.listNamespace(), Labels: sel.labels, Fields: sel.fields, After: from.After}
	var chosen []Object
	meta := metav1.ListMeta{ResourceVersion: strconv.FormatUint(s.store.version(), 10)}
	for o := range s.options.Crowd.List(q.gr().String(), ask) {
		if limit > 0 && len(chosen) == limit {
			last := chosen[limit-1]
			b, err := json.Marshal(page{s.store.version(), key(last.GetNamespace(), last.GetName())})
			if err != nil {
				return err
			}
			meta.Continue = base64.RawURLEncoding.EncodeToString(b)
			break
		}
		chosen = append(chosen, o)
	}
	if want := wanted(r, q.resource); want != (wish{protobuf: true}) {
		objects := make([]*unstructured.Unstructured, len(chosen))
		for i, o := range chosen {
			objects[i] = loose(q.resource, o)
		}
		reply(w, r, http.StatusOK, s.shapeList(r, q.resource, objects, meta))
		return nil
	}
	return sendTyped(w, q.resource, chosen, meta)
}

// sendTyped answers with objects of a built-in kind in protobuf, without a detour through JSON: there may be many.
func sendTyped(w http.ResponseWriter, r *resource, chosen []Object, about metav1.ListMeta) error {
	l, err := scheme.Scheme.New(r.GroupVersion().WithKind(r.listKind()))
	if err != nil {
		return err
	}
	items := make([]runtime.Object, len(chosen))
	for i, o := range chosen {
		items[i] = o
	}
	if err := meta.SetList(l, items); err != nil {
		return err
	}
	if list, ok := l.(metav1.ListInterface); ok {
		list.SetResourceVersion(about.ResourceVersion)
		list.SetContinue(about.Continue)
	}
	l.GetObjectKind().SetGroupVersionKind(r.GroupVersion().WithKind(r.listKind()))
	b, err := encoded(l)
	if err != nil {
		return err
	}
	send(w, http.StatusOK, runtime.ContentTypeProtobuf, b)
	return nil
}

// settled refuses what can't be done with a crowd.
func (s *Server) settled(q *request) error {
	if !s.crowded(q.resource) || q.verb == "get" || q.verb == "list" {
		return nil
	}
	return apierrors.NewMethodNotSupported(q.gr(), strings.ToUpper(q.verb))
}
