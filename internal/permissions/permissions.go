// Package permissions lists every permission that netdiag uses, out of what the code declares: the chart's roles, the read
// policy of IAM and docs/permissions.md are written from it.
package permissions

//go:generate go run ./write

import (
	"slices"

	"github.com/netdiag/netdiag/diagnostics/all"
	"github.com/netdiag/netdiag/internal/kube"
)

// Release is the namespace that the chart is installed in.
const Release = "{{ .Release.Namespace }}"

// The service accounts of the chart.
const (
	Front    = "netdiag"          // bot serve
	Executor = "netdiag-executor" // bot execute; there with fixes.enabled only
	Tidy     = "netdiag-tidy"     // bot tidy
)

// Role is a role of the chart.
type Role struct {
	Name      string
	Namespace string   // Release, another one, or empty for a ClusterRole
	For       []string // service accounts
	When      string   // value of the chart that makes it, besides fixes.enabled where only the executor has it; empty: always
	Why       string   // what it is for, a sentence or two
	Needs     []kube.Need
}

// Cluster is a role that is bound in the whole cluster.
func (r Role) Cluster() bool { return r.Namespace == "" }

// Roles lists the roles of the chart.
func Roles() []Role {
	wide, narrow := Reads()
	both := []string{Front, Executor}
	out := []Role{
		{Name: "netdiag-read", For: both, Why: "What diagnoses read.", Needs: wide},
		{Name: "netdiag-read-cni", Namespace: CNI, For: both, Why: "Metrics and logs of aws-node, and the settings of the VPC resource controller: optional witnesses.", Needs: narrow},
		{Name: "netdiag-records", Namespace: Release, For: []string{Front}, Why: "What was asked, proposed and decided, and the audit as Events on it.", Needs: records("create")},
		{Name: "netdiag-halt", Namespace: Release, For: []string{Front}, When: "fixes.enabled",
			Why:   "/netdiag stop and resume. RBAC can't limit create by name: with this bot serve could make other ConfigMaps in its own namespace too, but read and change none of them.",
			Needs: []kube.Need{{Permission: "create configmaps"}, {Permission: "get configmaps", Name: "netdiag-halt"}, {Permission: "update configmaps", Name: "netdiag-halt"}}},
		{Name: "netdiag-watch", Namespace: Release, For: []string{Front},
			Why:   "The early warning: the Lease of the one replica that looks, and what it has seen and who silenced it, in ConfigMaps of its own. RBAC can't limit create by name.",
			Needs: watch()},
		{Name: "netdiag-read-halt", Namespace: Release, For: []string{Executor}, Why: "Whether changes are stopped.", Needs: []kube.Need{{Permission: "get configmaps", Name: "netdiag-halt"}}},
		{Name: "netdiag-executor-records", Namespace: Release, For: []string{Executor},
			Why: "The executor takes up what was proposed and approved; which fields it may write is for the policies to say.", Needs: records("")},
		{Name: "netdiag-tidy", Namespace: Release, For: []string{Tidy}, Why: "Deletes old records.", Needs: []kube.Need{
			{Permission: "list investigations.netdiag.io"}, {Permission: "delete investigations.netdiag.io"},
			{Permission: "list remediations.netdiag.io"}, {Permission: "delete remediations.netdiag.io"},
		}},
	}
	for _, g := range kube.Grants() {
		out = append(out, Role{Name: g.Role, Namespace: g.Namespace, For: []string{Executor}, When: g.Switch, Why: changes[g.Switch], Needs: g.Needs})
	}
	return out
}

// records are the rights to the records, and with create to make them too.
func records(create string) (out []kube.Need) {
	for _, kind := range []string{"investigations.netdiag.io", "remediations.netdiag.io"} {
		for _, verb := range []string{"get", "list", "watch", create} {
			if verb != "" {
				out = append(out, kube.Need{Permission: verb + " " + kind})
			}
		}
		if create != "" || kind == "remediations.netdiag.io" {
			out = append(out, kube.Need{Permission: "update " + kind + "/status"})
		}
	}
	return append(out, kube.Need{Permission: "create events.events.k8s.io"})
}

// watch are the rights of the early warning.
func watch() []kube.Need {
	out := []kube.Need{{Permission: "create configmaps"}}
	for _, name := range []string{"netdiag-watch", "netdiag-snooze"} {
		out = append(out, kube.Need{Permission: "get configmaps", Name: name}, kube.Need{Permission: "update configmaps", Name: name})
	}
	return append(out, kube.Need{Permission: "create leases.coordination.k8s.io"},
		kube.Need{Permission: "get leases.coordination.k8s.io", Name: "netdiag-watch"}, kube.Need{Permission: "update leases.coordination.k8s.io", Name: "netdiag-watch"})
}

// CNI is the namespace of the VPC CNI: what is delicate, logs and metrics, is read there alone.
const CNI = "kube-system"

// Narrow is the namespace and the name that a read is granted for; empty is all.
func Narrow(permission string) (namespace, name string) {
	switch permission {
	case "get pods/proxy", "get pods/log":
		return CNI, ""
	case "get configmaps":
		return CNI, "amazon-vpc-cni"
	}
	return "", ""
}

// Reads splits what diagnoses read of Kubernetes into what is granted everywhere and what in kube-system alone.
func Reads() (wide, narrow []kube.Need) {
	_, reads := all.Reads()
	for _, p := range reads {
		namespace, name := Narrow(p)
		if namespace == "" {
			wide = append(wide, kube.Need{Permission: p})
		} else {
			narrow = append(narrow, kube.Need{Permission: p, Name: name})
		}
	}
	return wide, narrow
}

// AskedBy names the diagnoses that use a permission.
func AskedBy(permission string) (out []string) {
	for _, d := range all.Diagnoses() {
		if slices.Contains(d.Reads, permission) {
			out = append(out, d.Name)
		}
	}
	return out
}

// Files is what is written from the tables, by its path in the repository.
func Files() (map[string]string, error) {
	policy, err := ReadPolicy()
	return map[string]string{
		"deploy/helm/netdiag/templates/rbac.yaml": Chart(),
		"deploy/iam/read.json":                    policy,
		"docs/permissions.md":                     Docs(),
	}, err
}
