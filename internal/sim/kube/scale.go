package kube

import (
	"net/http"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// scalable reports whether a resource has the scale subresource, by which its replicas are set.
func scalable(r *resource) bool {
	switch r.gr().String() {
	case "deployments.apps", "replicasets.apps", "statefulsets.apps", "replicationcontrollers":
		return true
	}
	return false
}

// serveScale reads or sets the replicas of a workload as an autoscaling/v1 Scale, which is what "kubectl scale" does.
func (s *Server) serveScale(w http.ResponseWriter, r *http.Request, q *request) error {
	if q.verb == "get" {
		o := s.store.get(q.storage, q.namespace, q.name)
		if o == nil {
			return apierrors.NewNotFound(q.gr(), q.name)
		}
		reply(w, r, http.StatusOK, scaleOf(o))
		return nil
	}
	op, err := operationOf(r, q)
	if err != nil {
		return err
	}
	raw, err := read(r)
	if err != nil {
		return err
	}
	main := *q
	main.subresource = ""
	out, err := s.change(q, q.name, op, func(old *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		if old == nil {
			return nil, apierrors.NewNotFound(q.gr(), q.name)
		}
		sent, err := s.sentScale(r, q, old, raw)
		if err != nil {
			return nil, err
		}
		now := old.DeepCopy()
		now.SetResourceVersion(text(sent.Object, "metadata", "resourceVersion"))
		if err := unstructured.SetNestedField(now.Object, number(sent, "spec", "replicas"), "spec", "replicas"); err != nil {
			return nil, err
		}
		return s.grown(&main, old, now, op, nil)
	})
	if err != nil {
		return err
	}
	reply(w, r, http.StatusOK, scaleOf(out))
	return nil
}

// sentScale is the Scale that a PUT states or a PATCH makes of the present one.
func (s *Server) sentScale(r *http.Request, q *request, old *unstructured.Unstructured, raw []byte) (*unstructured.Unstructured, error) {
	if q.verb == "update" {
		return decode(raw, r.Header.Get("Content-Type"))
	}
	m, err := runtime.DefaultUnstructuredConverter.ToUnstructured(scaleOf(old))
	if err != nil {
		return nil, err
	}
	as := &request{resource: &resource{GroupVersionKind: schema.GroupVersionKind{Group: "autoscaling", Version: "v1", Kind: "Scale"}, name: q.resource.name}, name: q.name}
	return patched(as, &unstructured.Unstructured{Object: m}, types.PatchType(r.Header.Get("Content-Type")), raw)
}

func scaleOf(o *unstructured.Unstructured) *autoscalingv1.Scale {
	return &autoscalingv1.Scale{
		TypeMeta: metav1.TypeMeta{APIVersion: "autoscaling/v1", Kind: "Scale"},
		ObjectMeta: metav1.ObjectMeta{
			Name: o.GetName(), Namespace: o.GetNamespace(), UID: o.GetUID(), ResourceVersion: o.GetResourceVersion(), CreationTimestamp: o.GetCreationTimestamp(),
		},
		Spec:   autoscalingv1.ScaleSpec{Replicas: int32(number(o, "spec", "replicas"))},
		Status: autoscalingv1.ScaleStatus{Replicas: int32(number(o, "status", "replicas")), Selector: selectorText(o, "spec", "selector")},
	}
}
