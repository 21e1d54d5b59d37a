package handlers

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestIngressOfABalancer(t *testing.T) {
	all := []Ingress{
		{Namespace: "backend", Name: "api", Hosts: []string{"k8s-backend-api-1a2b3c4d5e-1234567890.us-west-2.elb.amazonaws.com"}},
		{Namespace: "backend", Name: "api-v2", Hosts: []string{"other.example", "internal-K8S-backend-apiv2-99999.us-west-2.elb.amazonaws.com"}},
		{Namespace: "web", Name: "shop", Hosts: []string{"k8s-group-0123456789-11.us-west-2.elb.amazonaws.com"}},
		{Namespace: "web", Name: "cart", Hosts: []string{"k8s-group-0123456789-11.us-west-2.elb.amazonaws.com"}},
		{Namespace: "web", Name: "new"},
	}
	for balancer, want := range map[string]string{
		"k8s-backend-api-1a2b3c4d5e-1234567890": "backend/api",
		"k8s-backend-api-1a2b3c4d5e":            "backend/api",
		"k8s-backend-apiv2-99999":               "backend/api-v2",
		"k8s-backend-api-1a2b3c4d5":             "", // a part of a name is another name
		"k8s-group-0123456789-11":               "", // shared by two
		"elsewhere":                             "",
	} {
		i, ok := of(all, balancer)
		if got := i.String(); ok != (want != "") || ok && got != want {
			t.Errorf("of %s: %s, %v; want %q", balancer, got, ok, want)
		}
	}
}

func TestMatching(t *testing.T) {
	names := []string{"web/shop", "backend/api", "backend/web-api", "web/cart", "apis/x"}
	for typed, want := range map[string][]string{
		"":          {"apis/x", "backend/api", "backend/web-api", "web/cart", "web/shop"},
		"api":       {"apis/x", "backend/api", "backend/web-api"},
		" WEB":      {"backend/web-api", "web/cart", "web/shop"}, //nolint:gocritic // people type spaces
		"web/":      {"web/cart", "web/shop"},
		"web/shpo":  {"web/shop"},
		"zzzzzzzzz": {},
	} {
		if d := cmp.Diff(want, matching(names, typed)); d != "" {
			t.Errorf("%q: %s", typed, d)
		}
	}
}
