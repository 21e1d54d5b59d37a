package kube_test

import (
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/netdiag/netdiag/internal/sim/kube"
)

func TestZZServe(t *testing.T) {
	name := os.Getenv("B_WORLD")
	if name == "" {
		t.Skip()
	}
	w := load(t, name)
	w.Shift(time.Since(w.Meta.Now))
	s := kube.New(w, kube.Options{})
	os.WriteFile("/tmp/bk/kc", kube.Kubeconfig("http://127.0.0.1:18080", "me"), 0o600)
	t.Log(http.ListenAndServe("127.0.0.1:18080", s))
}
