package kube_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/netdiag/netdiag/internal/kube"
)

func TestClusterOf(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config")
	text := `{apiVersion: v1, kind: Config, current-context: prod, contexts: [
		{name: prod, context: {cluster: "arn:aws:eks:us-west-2:111122223333:cluster/prod-cluster", user: u}},
		{name: kind, context: {cluster: kind-local, user: u}}]}`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for context, want := range map[string]string{"": "prod-cluster", "prod": "prod-cluster", "kind": "", "none": ""} {
		if got := kube.ClusterOf(file, context); got != want {
			t.Errorf("ClusterOf(%q) = %q, want %q", context, got, want)
		}
	}
}
