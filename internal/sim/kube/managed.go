package kube

import (
	"fmt"
	"reflect"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/kubernetes/scheme"
)

// managers keeps the machine that works out managedFields and server-side apply, the one of the API server itself, for
// each resource and subresource.
type managers struct {
	mu sync.Mutex
	of map[string]*managedfields.FieldManager
}

func newManagers() *managers { return &managers{of: map[string]*managedfields.FieldManager{}} }

// builtinTypes is the schemas of the built-in kinds: a constant that takes a fraction of a second to parse, which only
// those who write need to wait for, and only once.
var builtinTypes = sync.OnceValue(func() managedfields.TypeConverter { return applyconfigurations.NewTypeConverter(scheme.Scheme) })

func (m *managers) get(q *request) (*managedfields.FieldManager, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := q.GroupVersionKind.String() + "/" + q.subresource
	if fm := m.of[k]; fm != nil {
		return fm, nil
	}
	make, types := managedfields.NewDefaultFieldManager, builtinTypes
	if q.custom {
		make, types = managedfields.NewDefaultCRDFieldManager, managedfields.NewDeducedTypeConverter
	}
	fm, err := make(types(), oneVersion{}, oneVersion{}, oneVersion{}, q.GroupVersionKind, q.GroupVersion(), q.subresource, nil)
	if err != nil {
		return nil, err
	}
	m.of[k] = fm
	return fm, nil
}

// track notes in now's managedFields which fields the manager changed. Objects whose fields don't fit the schema keep
// the entries that they had.
func (s *Server) track(q *request, old, now *unstructured.Unstructured, manager string) {
	fm, err := s.managers.get(q)
	if err != nil {
		return
	}
	live := &unstructured.Unstructured{Object: map[string]any{}}
	var before []metav1.ManagedFieldsEntry
	if old != nil {
		live = old.DeepCopy()
		before = old.GetManagedFields()
		if len(before) == 0 {
			// Nothing is tracked of an object that was made before tracking began, which is told by its uid. Objects that
			// were recorded without managedFields are tracked from the first change on.
			live.SetUID("")
		}
	}
	live.SetGroupVersionKind(q.GroupVersionKind)
	out, err := fm.Update(live, now.DeepCopy(), manager)
	if err != nil {
		now.SetManagedFields(before)
		return
	}
	if u, ok := out.(*unstructured.Unstructured); ok {
		now.SetManagedFields(s.stamp(before, u.GetManagedFields()))
	}
}

// apply merges an apply configuration into old, which is nil where the object is new.
func (s *Server) apply(q *request, old, applied *unstructured.Unstructured, manager string, force bool) (*unstructured.Unstructured, error) {
	fm, err := s.managers.get(q)
	if err != nil {
		return nil, err
	}
	live := &unstructured.Unstructured{Object: map[string]any{}}
	var before []metav1.ManagedFieldsEntry
	if old != nil {
		live, before = old.DeepCopy(), old.GetManagedFields()
	}
	live.SetGroupVersionKind(q.GroupVersionKind)
	out, err := fm.Apply(live, applied.DeepCopy(), manager, force)
	if err != nil {
		return nil, err
	}
	u, ok := out.(*unstructured.Unstructured)
	if !ok {
		return nil, fmt.Errorf("apply %s: unexpected %T", q.name, out)
	}
	u.SetManagedFields(s.stamp(before, u.GetManagedFields()))
	return u, nil
}

// stamp gives the entry of the manager that made the change, the one with a new time, the time of the cluster's clock.
func (s *Server) stamp(before, after []metav1.ManagedFieldsEntry) []metav1.ManagedFieldsEntry {
	now := metav1.NewTime(s.now())
	for i, e := range after {
		fresh := true
		for _, b := range before {
			if b.Manager == e.Manager && b.Operation == e.Operation && b.Subresource == e.Subresource && b.APIVersion == e.APIVersion && b.Time.Equal(e.Time) {
				fresh = false
			}
		}
		if fresh {
			after[i].Time = &now
		}
	}
	return after
}

// oneVersion is what the field managers ask of a scheme, for resources that are served in one version only.
type oneVersion struct{}

// New makes an empty object.
func (oneVersion) New(kind schema.GroupVersionKind) (runtime.Object, error) {
	u := &unstructured.Unstructured{Object: map[string]any{}}
	u.SetGroupVersionKind(kind)
	return u, nil
}

// Default sets nothing.
func (oneVersion) Default(runtime.Object) {}

// Convert copies nothing: there is nothing to convert to.
func (oneVersion) Convert(in, _, _ any) error {
	return fmt.Errorf("convert %T: there is one version only", in)
}

// ConvertToVersion gives in itself in its own version; another one isn't registered.
func (oneVersion) ConvertToVersion(in runtime.Object, to runtime.GroupVersioner) (runtime.Object, error) {
	kind := in.GetObjectKind().GroupVersionKind()
	if target, ok := to.KindForGroupVersionKinds([]schema.GroupVersionKind{kind}); ok && target == kind {
		return in, nil
	}
	return nil, runtime.NewNotRegisteredErrForTarget("simulated", reflect.TypeOf(in), to)
}

// ConvertFieldLabel takes any field.
func (oneVersion) ConvertFieldLabel(_ schema.GroupVersionKind, label, value string) (string, string, error) {
	return label, value, nil
}
