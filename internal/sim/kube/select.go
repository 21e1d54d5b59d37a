package kube

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
)

// selectable lists the field selectors of built-in resources beyond metadata.name and metadata.namespace, as the
// conversion functions of kube-apiserver register them.
func selectable(r *resource) []string {
	switch r.gr().String() {
	case "pods":
		return []string{
			"spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork",
			"status.phase", "status.podIP", "status.podIPs", "status.nominatedNodeName",
		}
	case "events":
		return []string{
			"involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid", "involvedObject.apiVersion",
			"involvedObject.resourceVersion", "involvedObject.fieldPath", "reason", "reportingComponent", "source", "type",
		}
	case "events.events.k8s.io":
		return []string{
			"regarding.kind", "regarding.namespace", "regarding.name", "regarding.uid", "regarding.apiVersion",
			"regarding.resourceVersion", "regarding.fieldPath", "reason", "reportingController", "type",
		}
	case "nodes":
		return []string{"spec.unschedulable"}
	case "namespaces":
		return []string{"status.phase"}
	case "secrets":
		return []string{"type"}
	case "services":
		return []string{"spec.clusterIP", "spec.type"}
	case "replicasets.apps", "replicationcontrollers":
		return []string{"status.replicas"}
	case "jobs.batch":
		return []string{"status.successful"}
	}
	return nil
}

// selection is a label and a field selector.
type selection struct {
	labels labels.Selector
	fields fields.Selector
	name   string // of the one object that a watch of a single object asks for
}

func (s selection) everything() bool { return s.labels.Empty() && s.fields.Empty() && s.name == "" }

// selectors reads the selectors of a query; an unknown field is a bad request, as the real server has it.
func selectors(r *resource, q url.Values) (selection, error) {
	l, err := labels.Parse(q.Get("labelSelector"))
	if err != nil {
		return selection{}, apierrors.NewBadRequest(err.Error())
	}
	f, err := fields.ParseSelector(q.Get("fieldSelector"))
	if err != nil {
		return selection{}, apierrors.NewBadRequest(err.Error())
	}
	known := selectable(r)
	for _, req := range f.Requirements() {
		switch {
		case req.Field == "metadata.name", req.Field == "metadata.namespace" && r.namespaced, slices.Contains(known, req.Field):
		case known != nil:
			return selection{}, apierrors.NewBadRequest("field label not supported: " + req.Field)
		case r.custom:
			return selection{}, apierrors.NewBadRequest("field label not supported: " + req.Field)
		default:
			return selection{}, apierrors.NewBadRequest(fmt.Sprintf("%q is not a known field selector: only \"metadata.name\", \"metadata.namespace\"", req.Field))
		}
	}
	return selection{labels: l, fields: f}, nil
}

// matches reports whether an object as it is stored is selected.
func (s selection) matches(o *unstructured.Unstructured) bool {
	if s.name != "" && o.GetName() != s.name {
		return false
	}
	return s.labels.Matches(labels.Set(o.GetLabels())) && (s.fields.Empty() || s.fields.Matches(fieldsOf{o}))
}

// fieldsOf gives the values that field selectors compare; a field that isn't set is the empty string.
type fieldsOf struct{ *unstructured.Unstructured }

func (f fieldsOf) Has(string) bool { return true }

func (f fieldsOf) Get(field string) string {
	switch field {
	case "metadata.name":
		return f.GetName()
	case "metadata.namespace":
		return f.GetNamespace()
	case "source":
		v := text(f.Object, "source", "component")
		if v == "" {
			v = text(f.Object, "reportingComponent")
		}
		return v
	case "reportingController":
		return text(f.Object, "reportingComponent")
	case "status.podIPs":
		return text(f.Object, "status", "podIP")
	case "status.successful":
		return text(f.Object, "status", "succeeded")
	}
	path := splitField(field)
	if path[0] == "regarding" {
		path[0] = "involvedObject"
	}
	v := text(f.Object, path...)
	if v == "" && (field == "spec.unschedulable" || field == "spec.hostNetwork") {
		return "false"
	}
	return v
}

func splitField(field string) []string {
	var out []string
	start := 0
	for i := range field {
		if field[i] == '.' {
			out = append(out, field[start:i])
			start = i + 1
		}
	}
	return append(out, field[start:])
}

// text reads a scalar as a string; "" where there is none.
func text(m map[string]any, path ...string) string {
	v, ok, err := unstructured.NestedFieldNoCopy(m, path...)
	if !ok || err != nil {
		return ""
	}
	switch v := v.(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}
