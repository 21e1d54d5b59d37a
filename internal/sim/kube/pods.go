package kube

import (
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// serveBinding puts a pod on a node: what a scheduler posts to pods/<name>/binding.
func (s *Server) serveBinding(w http.ResponseWriter, r *http.Request, q *request) error {
	op, err := operationOf(r, q)
	if err != nil {
		return err
	}
	b, err := body(r)
	if err != nil {
		return err
	}
	_, err = s.change(q, q.name, op, func(old *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		if old == nil {
			return nil, apierrors.NewNotFound(q.gr(), q.name)
		}
		if node := text(old.Object, "spec", "nodeName"); node != "" {
			return nil, conflict(q, "pod "+q.name+" is already assigned to node \""+node+"\"")
		}
		now := old.DeepCopy()
		if err := unstructured.SetNestedField(now.Object, text(b.Object, "target", "name"), "spec", "nodeName"); err != nil {
			return nil, err
		}
		scheduled := map[string]any{"type": "PodScheduled", "status": "True", "lastProbeTime": nil, "lastTransitionTime": s.now().Format("2006-01-02T15:04:05Z")}
		conditions := []any{scheduled}
		for _, c := range maps(now, "status", "conditions") {
			if text(c, "type") != "PodScheduled" {
				conditions = append(conditions, c)
			}
		}
		return now, unstructured.SetNestedSlice(now.Object, conditions, "status", "conditions")
	})
	if err != nil {
		return err
	}
	reply(w, r, http.StatusCreated, success())
	return nil
}

// serveEviction deletes a pod as "kubectl drain" asks for it. No disruption budget stands in its way.
func (s *Server) serveEviction(w http.ResponseWriter, r *http.Request, q *request) error {
	e, err := body(r)
	if err != nil {
		return err
	}
	var o metav1.DeleteOptions
	if m, ok := e.Object["deleteOptions"].(map[string]any); ok {
		typed, err := toTyped[metav1.DeleteOptions](m)
		if err != nil {
			return apierrors.NewBadRequest(err.Error())
		}
		o = *typed
	}
	_, err = s.change(q, q.name, operation{dryRun: len(o.DryRun) > 0}, func(old *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		if old == nil {
			return nil, apierrors.NewNotFound(q.gr(), q.name)
		}
		return s.ending(q, old, o)
	})
	if err != nil {
		return err
	}
	reply(w, r, http.StatusCreated, success())
	return nil
}

func success() metav1.Status {
	return metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusSuccess, Code: http.StatusCreated}
}
