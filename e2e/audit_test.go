package e2e

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/netdiag/netdiag/internal/permissions"
)

// audit has the API server note what netdiag's accounts ask it for.
type audit struct{ log string }

const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: Metadata, userGroups: ["system:serviceaccounts:netdiag"]}
- {level: None}
`

// audited gives an audit with the flags of the API server for it.
func audited(t *testing.T) (audit, []string) {
	t.Helper()
	folder := t.TempDir()
	policy, log := filepath.Join(folder, "policy.yaml"), filepath.Join(folder, "audit.log")
	if err := os.WriteFile(policy, []byte(auditPolicy), 0o600); err != nil {
		t.Fatal(err)
	}
	return audit{log}, []string{"--audit-policy-file=" + policy, "--audit-log-path=" + log}
}

// requested is a line of the log.
type requested struct {
	Verb      string
	User      struct{ Username string }
	ObjectRef struct{ Resource, Subresource, APIGroup, Namespace, Name string }
	// Annotations say by authorization.k8s.io/decision what RBAC said.
	Annotations map[string]string
}

func (r requested) permission() string {
	p := r.Verb + " " + r.ObjectRef.Resource
	if r.ObjectRef.APIGroup != "" {
		p += "." + r.ObjectRef.APIGroup
	}
	if r.ObjectRef.Subresource != "" {
		p += "/" + r.ObjectRef.Subresource
	}
	return p
}

// check reports what was asked for and not granted; and, for a story that needs them all, what these roles of the chart grant
// and nobody asked for.
func (a audit) check(t *testing.T, roles ...string) {
	t.Helper()
	f, err := os.Open(a.log)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	used, refused, lines := map[string]bool{}, map[string]bool{}, bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r requested
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		account := strings.TrimPrefix(r.User.Username, "system:serviceaccount:netdiag:")
		if r.Annotations["authorization.k8s.io/decision"] == "forbid" {
			refused[account+" may not "+r.permission()+" in "+r.ObjectRef.Namespace] = true
			continue
		}
		used[account+" "+r.permission()] = true
		used[account+" "+r.permission()+" "+r.ObjectRef.Name] = true
	}
	for what := range refused {
		t.Error(what)
	}
	if err := lines.Err(); err != nil || len(used) == 0 {
		t.Fatalf("%d requests, error %v", len(used), err)
	}
	for _, role := range permissions.Roles() {
		for _, name := range roles {
			if name != role.Name {
				continue
			}
			for _, n := range role.Needs {
				if !used[strings.TrimSpace(role.For[0]+" "+n.Permission+" "+n.Name)] {
					t.Errorf("%s is granted %s %s by role %s, and doesn't use it", role.For[0], n.Permission, n.Name, name)
				}
			}
		}
	}
}
