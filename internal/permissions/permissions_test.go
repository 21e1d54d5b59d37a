package permissions

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbac "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/netdiag/netdiag/diagnostics/all"
	"github.com/netdiag/netdiag/internal/awsnet"
)

// TestWritten: the chart, the read policy and the page are what the tables say.
func TestWritten(t *testing.T) {
	files, err := Files()
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range files {
		got, err := os.ReadFile("../../" + file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s is not as make generate writes it (-tables +file):\n%s", file, diff)
		}
	}
}

// TestRolesGrantTheNeeds reads the roles of the chart as an API server does: each grants what its table says, and nothing else.
func TestRolesGrantTheNeeds(t *testing.T) {
	plain := regexp.MustCompile(`(?m)^\{\{-.*\n`).ReplaceAllString(Chart(), "")
	granted := map[string][]string{}
	for doc := range strings.SplitSeq(plain, "\n---\n") {
		var role rbac.ClusterRole // a Role has the same fields
		if err := yaml.Unmarshal([]byte(strings.ReplaceAll(doc, Release, "netdiag")), &role); err != nil {
			t.Fatal(err)
		}
		for _, r := range role.Rules {
			for _, verb := range r.Verbs {
				for _, resource := range r.Resources {
					p := verb + " " + resource
					if r.APIGroups[0] != "" {
						plural, sub, has := strings.Cut(resource, "/")
						if p = verb + " " + plural + "." + r.APIGroups[0]; has {
							p += "/" + sub
						}
					}
					granted[role.Name] = append(granted[role.Name], strings.TrimSpace(p+" "+strings.Join(r.ResourceNames, " ")))
				}
			}
		}
	}
	for _, role := range Roles() {
		var want []string
		for _, n := range role.Needs {
			want = append(want, strings.TrimSpace(n.Permission+" "+n.Name))
		}
		slices.Sort(want)
		slices.Sort(granted[role.Name])
		if diff := cmp.Diff(want, granted[role.Name]); diff != "" {
			t.Errorf("%s (-needed +granted):\n%s", role.Name, diff)
		}
		delete(granted, role.Name)
	}
	if len(granted) > 0 {
		t.Errorf("roles that no table has: %v", slices.Sorted(maps.Keys(granted)))
	}
}

// TestEachIsExplained: the page says of each permission what is lost without it, and of none that nobody asks for.
func TestEachIsExplained(t *testing.T) {
	aws, kubernetes := all.Reads()
	asked := slices.Sorted(slices.Values(slices.Concat(aws, kubernetes)))
	if diff := cmp.Diff(asked, slices.Sorted(maps.Keys(lost))); diff != "" {
		t.Errorf("-asked +explained:\n%s", diff)
	}
	for _, r := range Roles() {
		if r.Why == "" {
			t.Errorf("what is %s for?", r.Name)
		}
	}
	for key := range awsnet.Grants() {
		if _, kind, _ := strings.Cut(key, " "); kinds[kind] == "" {
			t.Errorf("what kind is %s?", kind)
		}
	}
}
