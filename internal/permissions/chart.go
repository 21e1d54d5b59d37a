package permissions

import (
	"fmt"
	"slices"
	"strings"
)

// rule is one of RBAC: verbs on resources of one group.
type rule struct {
	group, name      string
	resources, verbs []string
}

// rules groups permissions: those of one resource first, then the resources of a group that have the same verbs.
func (r Role) rules() (out []rule) {
	var single []rule
	for _, n := range r.Needs {
		verb, resource, _ := strings.Cut(n.Permission, " ")
		group, plural := groupOf(resource)
		at := slices.IndexFunc(single, func(s rule) bool { return s.group == group && s.resources[0] == plural && s.name == n.Name })
		if at < 0 {
			single, at = append(single, rule{group: group, name: n.Name, resources: []string{plural}}), len(single)
		}
		single[at].verbs = append(single[at].verbs, verb)
	}
	for _, s := range single {
		at := slices.IndexFunc(out, func(o rule) bool { return o.group == s.group && o.name == s.name && slices.Equal(o.verbs, s.verbs) })
		if at < 0 {
			out = append(out, s)
		} else {
			out[at].resources = append(out[at].resources, s.resources...)
		}
	}
	slices.SortStableFunc(out, func(a, b rule) int { return strings.Compare(a.group, b.group) })
	return out
}

// groupOf splits "remediations.netdiag.io/status" into netdiag.io and remediations/status.
func groupOf(resource string) (group, plural string) {
	plural, group, _ = strings.Cut(resource, ".")
	group, sub, _ := strings.Cut(group, "/")
	if sub != "" {
		plural += "/" + sub
	}
	return group, plural
}

// Chart is the template of the chart with all its roles.
func Chart() string {
	var b strings.Builder
	b.WriteString("# Written by go generate ./internal/permissions from what the code declares; don't edit it.\n")
	for _, r := range Roles() {
		conditions := r.conditions()
		for _, c := range conditions {
			fmt.Fprintf(&b, "{{- if .Values.%s }}\n", c)
		}
		fmt.Fprintf(&b, "---\n# %s\n%s", r.Why, r.head("Role"))
		b.WriteString("rules:\n")
		for _, rule := range r.rules() {
			fmt.Fprintf(&b, "- apiGroups: [%s]\n  resources: [%s]\n", quotedIfEmpty(rule.group), strings.Join(rule.resources, ", "))
			if rule.name != "" {
				fmt.Fprintf(&b, "  resourceNames: [%s]\n", rule.name)
			}
			fmt.Fprintf(&b, "  verbs: [%s]\n", strings.Join(rule.verbs, ", "))
		}
		fmt.Fprintf(&b, "---\n%s", r.head("RoleBinding"))
		fmt.Fprintf(&b, "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: %s, name: %s}\nsubjects:\n", r.kind("Role"), r.Name)
		for _, account := range r.For {
			if optional := account == Executor && len(r.For) > 1; optional {
				fmt.Fprintf(&b, "{{- if .Values.fixes.enabled }}\n- {kind: ServiceAccount, name: %s, namespace: %s}\n{{- end }}\n", account, Release)
			} else {
				fmt.Fprintf(&b, "- {kind: ServiceAccount, name: %s, namespace: %s}\n", account, Release)
			}
		}
		for range conditions {
			b.WriteString("{{- end }}\n")
		}
	}
	return b.String()
}

// conditions are the values that make the role, the wider first.
func (r Role) conditions() (out []string) {
	if len(r.For) == 1 && r.For[0] == Executor {
		out = append(out, "fixes.enabled")
	}
	if r.When != "" {
		out = append(out, r.When)
	}
	return out
}

func (r Role) kind(of string) string {
	if r.Cluster() {
		return "Cluster" + of
	}
	return of
}

func (r Role) head(kind string) string {
	text := fmt.Sprintf("apiVersion: rbac.authorization.k8s.io/v1\nkind: %s\nmetadata:\n  name: %s\n", r.kind(kind), r.Name)
	if !r.Cluster() {
		text += "  namespace: " + r.Namespace + "\n"
	}
	return text
}

func quotedIfEmpty(s string) string {
	if s == "" {
		return `""`
	}
	return s
}
