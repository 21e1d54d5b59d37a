package diagtest_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/all"
	"github.com/netdiag/netdiag/internal/ask"
	"github.com/netdiag/netdiag/internal/diagtest"
	"github.com/netdiag/netdiag/internal/world"
)

// permissions are those that diagnoses have used.
type permissions struct {
	mu sync.Mutex
	of map[string]bool
}

// everybody may do these: they are granted by no policy.
var everybody = []string{"sts:GetCallerIdentity"}

// rare asks for what no world makes a diagnosis ask: in a cluster with other kinds of network policy, with rules that name
// prefix lists, and where nodes can't be listed.
func (p *permissions) rare(t *testing.T, dirs []string) {
	t.Helper()
	if diagtest.Race {
		return
	}
	for _, dir := range dirs {
		m, err := world.LoadMeta(dir)
		if err != nil {
			t.Fatal(err)
		}
		fenced := slices.Contains(m.Want.Causes, "alb/netpol.deny")
		if seed := filepath.Base(dir); !fenced && seed != "seed-alb-502" && seed != "seed-ip-exhaustion" {
			continue
		}
		w := load(t, dir)
		switch {
		case fenced:
			for _, kind := range []string{
				"policy.networking.k8s.io v1alpha1 adminnetworkpolicies AdminNetworkPolicy", "policy.networking.k8s.io v1alpha1 baselineadminnetworkpolicies BaselineAdminNetworkPolicy",
				"cilium.io v2 ciliumnetworkpolicies CiliumNetworkPolicy", "cilium.io v2 ciliumclusterwidenetworkpolicies CiliumClusterwideNetworkPolicy",
				"crd.projectcalico.org v1 networkpolicies NetworkPolicy", "crd.projectcalico.org v1 globalnetworkpolicies GlobalNetworkPolicy",
			} {
				w.Objects = append(w.Objects, definition(strings.Fields(kind)))
			}
		case filepath.Base(dir) == "seed-alb-502":
			groups, rules := items(t, w, "SecurityGroups"), items(t, w, "SecurityGroupRules")
			for n, g := range groups {
				rules = append(rules, map[string]any{
					"SecurityGroupRuleId": fmt.Sprintf("sgr-0000000000000%04d", n), "GroupId": g["GroupId"], "GroupOwnerId": w.Meta.Account, "IsEgress": false,
					"IpProtocol": "tcp", "FromPort": 9, "ToPort": 9, "PrefixListId": "pl-00000000000000001",
				})
			}
			w.AWS["ec2"]["SecurityGroupRules"] = encoded(t, rules)
			w.AWS["ec2"]["ManagedPrefixLists"] = encoded(t, []any{map[string]any{"PrefixListId": "pl-00000000000000001", "Entries": []any{map[string]any{"Cidr": "192.0.2.0/24"}}}})
		default:
			w.Meta.Denied.Kubernetes = append(w.Meta.Denied.Kubernetes, "list nodes")
		}
		p.diagnose(t, w)
	}
}

// definition is a CustomResourceDefinition of a group, version, plural and kind.
func definition(of []string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": map[string]any{"name": of[2] + "." + of[0]},
		"spec": map[string]any{
			"group": of[0], "scope": "Namespaced", "names": map[string]any{"plural": of[2], "singular": strings.ToLower(of[3]), "kind": of[3]},
			"versions": []any{map[string]any{"name": of[1], "served": true, "storage": true}},
		},
	}}
}

func items(t *testing.T, w *world.World, list string) (out []map[string]any) {
	t.Helper()
	if err := json.Unmarshal(w.AWS["ec2"][list], &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func encoded(t *testing.T, v any) json.RawMessage {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// diagnose serves a world and answers what it asks. It reports calls that the diagnosis doesn't declare: nothing would grant them.
func (p *permissions) diagnose(t *testing.T, w *world.World) diagnostics.Report {
	t.Helper()
	s, err := diagtest.Serve(w, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	out, err := s.Diagnose(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	question, err := ask.Parse(w.Meta.Ask)
	if err != nil {
		t.Fatal(err)
	}
	d, _ := all.Find(question.Verb)
	seen := map[string]bool{}
	for _, r := range s.Kube.Requests() {
		seen[r.Permission] = true
	}
	for _, r := range s.AWS.Requests() {
		seen[r.Service+":"+r.Action] = true
	}
	delete(seen, "")
	p.mu.Lock()
	defer p.mu.Unlock()
	for permission := range seen {
		if !slices.Contains(d.Reads, permission) && !slices.Contains(everybody, permission) {
			t.Errorf("%s uses %s and doesn't declare it", d.Name, permission)
		}
		p.of[permission] = true
	}
	return out.Report
}

// complete reports what is declared, and so granted, and used in no world.
func (p *permissions) complete(t *testing.T) {
	t.Helper()
	if diagtest.Race || t.Failed() { // not every world was asked
		return
	}
	aws, kubernetes := all.Reads()
	var unused []string
	for _, permission := range slices.Concat(aws, kubernetes) {
		if !p.of[permission] {
			unused = append(unused, permission)
		}
	}
	if len(unused) > 0 {
		t.Errorf("declared, and so granted, and used in no world: %v", unused)
	}
}
