package all_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/diagnostics/all"
)

func TestReadPolicyGrantsWhatIsDeclared(t *testing.T) {
	text, err := os.ReadFile("../../deploy/iam/read.json")
	if err != nil {
		t.Fatal(err)
	}
	var policy struct{ Statement []struct{ Action []string } }
	if err := json.Unmarshal(text, &policy); err != nil {
		t.Fatal(err)
	}
	var granted []string
	for _, s := range policy.Statement {
		granted = append(granted, s.Action...)
	}
	slices.Sort(granted)
	want, _ := all.Reads()
	if diff := cmp.Diff(want, granted); diff != "" {
		t.Errorf("deploy/iam/read.json (-declared +granted):\n%s", diff)
	}
}

// The chart's role must name every resource and group; that it binds them is for a real API server to show.
func TestChartNamesWhatIsDeclared(t *testing.T) {
	text, err := os.ReadFile("../../deploy/helm/netdiag/templates/rbac.yaml")
	if err != nil {
		t.Fatal(err)
	}
	role := strings.FieldsFunc(string(text), func(r rune) bool { return strings.ContainsRune(" ,[]\n:", r) })
	_, declared := all.Reads()
	for _, p := range declared {
		verb, resource, _ := strings.Cut(p, " ")
		resource, group, _ := strings.Cut(resource, ".")
		for _, word := range []string{verb, resource, group} {
			if word != "" && !slices.Contains(role, word) {
				t.Errorf("%s is declared, and the chart's roles don't name %s", p, word)
			}
		}
	}
}
