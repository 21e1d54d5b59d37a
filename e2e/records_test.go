package e2e

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/store/crd"
	"github.com/netdiag/netdiag/internal/store/storetest"
)

var records = schema.GroupVersion{Group: crd.Group, Version: crd.Version}

// TestContract holds the store against a real API server, each part in a namespace of its own.
func TestContract(t *testing.T) {
	p := need(t)
	storetest.Run(t, func(t *testing.T) casebook.Store {
		s, err := crd.New(p.admin, crd.Options{Namespace: p.namespace(t)})
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}
