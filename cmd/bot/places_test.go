package main

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/netdiag/netdiag/handlers"
	"github.com/netdiag/netdiag/internal/kube"
	simkube "github.com/netdiag/netdiag/internal/sim/kube"
	"github.com/netdiag/netdiag/internal/world"
)

// Forms get what the cluster holds now, and the host names that tell an ingress in an alert.
func TestPlaces(t *testing.T) {
	w, err := world.Load(worlds + "/seeds/seed-alb-502")
	if err != nil {
		t.Fatal(err)
	}
	s := simkube.New(w, simkube.Options{Now: func() time.Time { return w.Meta.Now }})
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	t.Cleanup(s.Close)
	k, err := kube.New(&rest.Config{Host: h.URL, BearerToken: simkube.Token("netdiag")})
	if err != nil {
		t.Fatal(err)
	}
	p := places{k}
	namespaces, err := p.Namespaces(t.Context())
	if err != nil || !slices.Contains(namespaces, "kube-system") {
		t.Errorf("namespaces: %q, %v", namespaces, err)
	}
	ingresses, err := p.Ingresses(t.Context())
	found := slices.IndexFunc(ingresses, func(i handlers.Ingress) bool { return i.Name == "api-ingress" })
	if err != nil || found < 0 {
		t.Fatalf("ingresses: %v, %v", ingresses, err)
	}
	if i := ingresses[found]; i.Namespace == "" || len(i.Hosts) != 1 || !strings.HasSuffix(i.Hosts[0], ".elb.amazonaws.com") {
		t.Errorf("api-ingress: %+v", i)
	}
	h.Close()
	if got, err := p.Namespaces(t.Context()); err == nil {
		t.Errorf("a cluster that is gone has namespaces %q", got)
	}
}
