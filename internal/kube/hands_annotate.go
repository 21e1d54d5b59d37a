package kube

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/netdiag/netdiag/internal/remedy"
)

// annotate sets or removes one annotation.
type annotate struct {
	*remedy.Annotate
	gv schema.GroupVersion
}

func newAnnotate(a *remedy.Annotate) (edit, error) {
	gv, err := schema.ParseGroupVersion(a.APIVersion)
	if err != nil || gv.Version == "" || a.Resource == "" || a.Name == "" || a.Key == "" || a.Key == marked {
		return nil, fmt.Errorf("%w: annotate %+v: needs an apiVersion, a resource, a name and a key other than %s", remedy.ErrRefused, *a, marked)
	}
	return annotate{a, gv}, nil
}

func (a annotate) object() (schema.GroupVersionResource, string, string) {
	return a.gv.WithResource(a.Resource), a.Namespace, a.Name
}

func (a annotate) state(o *unstructured.Unstructured) (state, error) {
	var v *string
	if s, ok := o.GetAnnotations()[a.Key]; ok {
		v = &s
	}
	s := state{done: same(v, a.Value)}
	if !same(v, a.Was) {
		s.changed = &Changed{What: fmt.Sprintf("annotation %s of %s %s/%s", a.Key, a.Resource, a.Namespace, a.Name), Want: quoted(a.Was), Got: quoted(v)}
	}
	return s, nil
}

// patch is a merge patch with the version that was read: the API server answers with a conflict where it isn't the last.
func (a annotate) patch(o *unstructured.Unstructured, m remedy.Mark) (types.PatchType, any, error) {
	annotations := map[string]any{a.Key: a.Value}
	if m.Remediation != "" {
		annotations[marked] = m.Remediation
	}
	return types.MergePatchType, map[string]any{"metadata": map[string]any{"resourceVersion": o.GetResourceVersion(), "annotations": annotations}}, nil
}

func (a annotate) undo() remedy.Action {
	return remedy.Action{Annotate: &remedy.Annotate{
		APIVersion: a.APIVersion, Resource: a.Resource, Namespace: a.Namespace, Name: a.Name, Key: a.Key, Value: a.Was, Was: a.Value,
	}}
}

func (annotate) grant() Grant { return annotateGrant() }
