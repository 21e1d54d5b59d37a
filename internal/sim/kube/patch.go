package kube

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/kubernetes/scheme"
	kyaml "sigs.k8s.io/yaml"
)

func (s *Server) servePatch(w http.ResponseWriter, r *http.Request, q *request) error {
	op, err := operationOf(r, q)
	if err != nil {
		return err
	}
	raw, err := read(r)
	if err != nil {
		return err
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	code := http.StatusOK
	var out *unstructured.Unstructured
	if kind := types.PatchType(media); kind == types.ApplyPatchType {
		out, err = s.applyPatch(r, q, op, raw, &code)
	} else {
		out, err = s.change(q, q.name, op, func(old *unstructured.Unstructured) (*unstructured.Unstructured, error) {
			if old == nil {
				return nil, apierrors.NewNotFound(q.gr(), q.name)
			}
			sent, err := patched(q, old, kind, raw)
			if err != nil {
				return nil, err
			}
			return s.grown(q, old, sent, op, nil)
		})
	}
	if err != nil {
		return err
	}
	reply(w, r, code, s.shape(r, q.resource, out))
	return nil
}

// patched applies a JSON, merge or strategic merge patch to an object.
func patched(q *request, old *unstructured.Unstructured, kind types.PatchType, raw []byte) (*unstructured.Unstructured, error) {
	doc, err := json.Marshal(old.Object)
	if err != nil {
		return nil, err
	}
	unprocessable := func(err error) error {
		return apierrors.NewGenericServerResponse(http.StatusUnprocessableEntity, "", noResource(), "", err.Error(), 0, false)
	}
	switch kind {
	case types.JSONPatchType:
		p, err := jsonpatch.DecodePatch(raw)
		if err != nil {
			return nil, apierrors.NewBadRequest(err.Error())
		}
		if doc, err = p.Apply(doc); err != nil {
			return nil, unprocessable(err)
		}
	case types.MergePatchType:
		var m map[string]any
		if err := json.Unmarshal(raw, &m); err != nil {
			return nil, apierrors.NewBadRequest(fmt.Sprintf("error decoding patch: %v", err))
		}
		if doc, err = jsonpatch.MergePatch(doc, raw); err != nil {
			return nil, unprocessable(err)
		}
	case types.StrategicMergePatchType:
		typed, serr := scheme.Scheme.New(q.GroupVersionKind)
		if q.custom || serr != nil {
			return nil, unsupportedPatch("application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml")
		}
		if doc, err = strategicpatch.StrategicMergePatch(doc, raw, typed); err != nil {
			return nil, apierrors.NewBadRequest(err.Error())
		}
	default:
		return nil, unsupportedPatch("application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml")
	}
	out := &unstructured.Unstructured{}
	if err := utiljson.Unmarshal(doc, &out.Object); err != nil {
		return nil, unprocessable(err)
	}
	return out, nil
}

func unsupportedPatch(accepted string) error {
	return apierrors.NewGenericServerResponse(http.StatusUnsupportedMediaType, "", noResource(), "",
		"the body of the request was in an unknown format - accepted media types include: "+accepted, 0, true)
}

// applyPatch is a server-side apply: it makes the object where there is none.
func (s *Server) applyPatch(r *http.Request, q *request, op operation, raw []byte, code *int) (*unstructured.Unstructured, error) {
	var err error
	if op.manager, err = fieldManagerParam(r.URL.Query()); err != nil {
		return nil, err
	}
	if raw, err = kyaml.YAMLToJSON(raw); err != nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("error decoding YAML: %v", err))
	}
	applied := &unstructured.Unstructured{}
	if err := utiljson.Unmarshal(raw, &applied.Object); err != nil || applied.Object == nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("error decoding YAML: %v", err))
	}
	if err := s.fits(q, applied, op); err != nil {
		return nil, err
	}
	force := r.URL.Query().Get("force") == "true"
	return s.change(q, q.name, op, func(old *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		if old == nil && q.subresource != "" {
			return nil, apierrors.NewNotFound(q.gr(), q.name)
		}
		if old != nil && applied.GetResourceVersion() != "" && applied.GetResourceVersion() != old.GetResourceVersion() {
			return nil, conflict(q, "the object has been modified; please apply your changes to the latest version and try again")
		}
		if old == nil && applied.GetUID() != "" {
			return nil, conflict(q, fmt.Sprintf("uid mismatch: the provided object specified uid %s, and no existing object was found", applied.GetUID()))
		}
		merged, err := s.apply(q, old, applied, op.manager, force)
		if err != nil {
			return nil, err
		}
		merged.SetName(q.name)
		if old == nil {
			*code = http.StatusCreated
			return s.born(q, merged, op, applied)
		}
		now, err := s.grown(q, old, merged, op, applied)
		if err == nil && now != nil && unchanged(old, now) && sameManagers(old, now) {
			return old, nil
		}
		return now, err
	})
}

// sameManagers reports whether two states have the same owners of the same fields, whenever that was written.
func sameManagers(a, b *unstructured.Unstructured) bool {
	x, y := a.GetManagedFields(), b.GetManagedFields()
	if len(x) != len(y) {
		return false
	}
	for i := range x {
		x[i].Time, y[i].Time = nil, nil
		if x[i].String() != y[i].String() {
			return false
		}
	}
	return true
}
