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

// reads lists the permissions that the diagnoses declare, AWS and Kubernetes apart.
func reads() (aws, kubernetes []string) {
	for _, d := range all.Diagnoses() {
		for _, p := range d.Reads {
			if strings.Contains(p, ":") {
				aws = append(aws, p)
			} else {
				kubernetes = append(kubernetes, p)
			}
		}
	}
	slices.Sort(aws)
	slices.Sort(kubernetes)
	return slices.Compact(aws), slices.Compact(kubernetes)
}

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
	want, _ := reads()
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
	_, declared := reads()
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
