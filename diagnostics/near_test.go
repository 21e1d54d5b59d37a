package diagnostics_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/diagnostics"
)

func TestNearest(t *testing.T) {
	names := []string{"backend", "frontend", "data", "kube-system", "backend-jobs"}
	for name, want := range map[string][]string{
		"bakcend": {"backend", "frontend"}, // a swap is one edit
		"back":    {"backend", "backend-jobs"},
		"Backend": {"backend", "backend-jobs"},
		"dta":     {"data", "backend"},
	} {
		if diff := cmp.Diff(want, diagnostics.Nearest(name, names, 2)); diff != "" {
			t.Errorf("nearest to %s (-want +got):\n%s", name, diff)
		}
	}
	if got := diagnostics.Nearest("x", nil, 2); len(got) != 0 {
		t.Errorf("nearest of nothing: %v", got)
	}
}

func TestSuggest(t *testing.T) {
	names := []string{"backend", "frontend", "backend-jobs"}
	for name, want := range map[string]string{
		"bakend": " Did you mean backend?",
		"back":   " Did you mean backend, backend-jobs?",
		"zzzzzz": " The nearest are: backend, frontend, backend-jobs.",
	} {
		if got := diagnostics.Suggest(name, names); got != want {
			t.Errorf("Suggest(%s): %q, want %q", name, got, want)
		}
	}
	if got := diagnostics.Suggest("x", nil); got != "" {
		t.Errorf("Suggest without names: %q", got)
	}
}
