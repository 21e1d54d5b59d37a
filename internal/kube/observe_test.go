package kube_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/netdiag/netdiag/internal/kube"
)

// A call is named by its verb and resource as RBAC spells them, never by what it is about.
func TestObserved(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	defer s.Close()
	var got []kube.Call
	h := &http.Client{Transport: kube.Observed(func(c kube.Call) { got = append(got, c) })(http.DefaultTransport)}
	ask := func(ctx context.Context, method, path string) error {
		r, err := http.NewRequestWithContext(ctx, method, s.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := h.Do(r)
		if err == nil {
			err = resp.Body.Close()
		}
		return err
	}
	var want []kube.Call
	for _, c := range []struct{ method, path, verb, resource, code string }{
		{"GET", "/api/v1/namespaces/shop/pods", "list", "pods", "200"},
		{"GET", "/api/v1/namespaces/shop/pods/cart-0", "get", "pods", "200"},
		{"GET", "/api/v1/namespaces/kube-system/pods/aws-node-x:8080/proxy/metrics", "get", "pods/proxy", "200"},
		{"GET", "/api/v1/namespaces", "list", "namespaces", "200"},
		{"GET", "/api/v1/namespaces/shop", "get", "namespaces", "200"},
		{"GET", "/api/v1/nodes?watch=true", "watch", "nodes", "200"},
		{"GET", "/k8s/clusters/c-1/apis/networking.k8s.io/v1/namespaces/shop/ingresses/web", "get", "ingresses.networking.k8s.io", "200"},
		{"PUT", "/apis/netdiag.io/v1alpha1/namespaces/netdiag/remediations/r-1/status", "update", "remediations.netdiag.io/status", "200"},
		{"POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "create", "selfsubjectaccessreviews.authorization.k8s.io", "200"},
		{"PATCH", "/api/v1/nodes/ip-10-0-0-1", "patch", "nodes", "200"},
		{"DELETE", "/api/v1/namespaces/shop/pods/cart-0", "delete", "pods", "403"},
		{"GET", "/apis/elbv2.k8s.aws/v1beta1", "get", "discovery", "200"},
		{"GET", "/version", "get", "version", "200"},
		{"GET", "/cart-0", "get", "other", "200"},
	} {
		if err := ask(t.Context(), c.method, c.path); err != nil {
			t.Fatal(err)
		}
		want = append(want, kube.Call{Verb: c.verb, Resource: c.resource, Code: c.code})
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := ask(gone, "GET", "/api/v1/pods"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	s.Close()
	if err := ask(t.Context(), "GET", "/api/v1/pods"); err == nil {
		t.Error("an answer of nobody")
	}
	want = append(want, kube.Call{Verb: "list", Resource: "pods", Code: "cancelled"}, kube.Call{Verb: "list", Resource: "pods", Code: "error"})
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(kube.Call{}, "Took")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
