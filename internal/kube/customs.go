package kube

import (
	"context"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/recall"
)

// Customs lists custom resources; namespace empty means all. A cluster that doesn't serve them is a
// *diagnostics.ReadError with reason absent. Where it serves another version of the group than the one asked for, that
// one is read: its objects say so in their apiVersion.
func (r *Reader) Customs(ctx context.Context, group, version, plural, namespace string) ([]unstructured.Unstructured, error) {
	gvr := schema.GroupVersionResource{Group: group, Version: version, Resource: plural}
	permission := "list " + gvr.GroupResource().String()
	l, err := r.customs(ctx, gvr, namespace)
	reason := reasonOf(err)
	if reason != diagnostics.Absent && reason != diagnostics.Denied {
		return l, err
	}
	// RBAC is asked before the path is looked up, so that a refusal says nothing about whether there is such a resource.
	served, derr := r.served(ctx, group, plural)
	var refused diagnostics.Refusal
	switch {
	case errors.As(derr, &refused):
		return nil, derr
	case derr != nil && reasonOf(derr) != diagnostics.Absent:
		return l, err
	case len(served) == 0:
		return nil, &diagnostics.ReadError{Permission: permission, Reason: diagnostics.Absent, Err: fmt.Errorf("the cluster doesn't serve %s: %w", gvr.GroupResource(), err)}
	case reason == diagnostics.Absent && served[0] != version:
		return r.customs(ctx, gvr.GroupResource().WithVersion(served[0]), namespace)
	}
	return l, err
}

func (r *Reader) customs(ctx context.Context, gvr schema.GroupVersionResource, namespace string) ([]unstructured.Unstructured, error) {
	permission := "list " + gvr.GroupResource().String()
	key := fmt.Sprintf("%s\x00%s\x00%s", permission, gvr.Version, namespace)
	return recall.List(ctx, &r.memory, key, func(ctx context.Context) ([]unstructured.Unstructured, error) {
		return pages(ctx, r.client, permission, metav1.ListOptions{}, r.client.dynamic.Resource(gvr).Namespace(namespace).List, func(l *unstructured.UnstructuredList) []unstructured.Unstructured { return l.Items })
	})
}

// served lists the versions in which the cluster serves a resource, the preferred one first. Discovery is open to
// everybody who is authenticated.
func (r *Reader) served(ctx context.Context, group, plural string) ([]string, error) {
	return recall.Once(ctx, &r.memory, "discover\x00"+group+"\x00"+plural, func(ctx context.Context) ([]string, error) {
		const permission = "get /apis"
		d := r.client.typed.Discovery()
		g, err := once(ctx, r.client, permission, func(ctx context.Context) (*metav1.APIGroup, error) {
			out := &metav1.APIGroup{}
			return out, d.RESTClient().Get().AbsPath("/apis/" + group).Do(ctx).Into(out)
		})
		if err != nil {
			return nil, err
		}
		versions := []string{g.PreferredVersion.Version}
		for _, v := range g.Versions {
			if v.Version != g.PreferredVersion.Version {
				versions = append(versions, v.Version)
			}
		}
		var out []string
		for _, v := range versions {
			l, err := once(ctx, r.client, permission, func(ctx context.Context) (*metav1.APIResourceList, error) {
				out := &metav1.APIResourceList{}
				return out, d.RESTClient().Get().AbsPath("/apis/" + group + "/" + v).Do(ctx).Into(out)
			})
			if err != nil {
				return nil, err
			}
			for _, res := range l.APIResources {
				if res.Name == plural {
					out = append(out, v)
				}
			}
		}
		return out, nil
	})
}

func reasonOf(err error) string {
	if re, ok := errors.AsType[*diagnostics.ReadError](err); ok {
		return re.Reason
	}
	return ""
}
