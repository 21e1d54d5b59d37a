package permissions

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/all"
	"github.com/netdiag/netdiag/internal/awsnet"
)

// Docs is docs/permissions.md.
func Docs() string {
	var b strings.Builder
	aws, kubernetes := all.Reads()
	b.WriteString(`# Permissions

<!-- Written by go generate ./internal/permissions; don't edit it. -->

Every permission that netdiag uses, and what can't be told or done without it. A missing one costs that alone: the answer
names it, and ` + "`bot serve --check` and `bot execute --check`" + ` list what is missing. The chart's roles and
[deploy/iam/read.json](../deploy/iam/read.json) are written from the same tables as this page.

It asks for no Secret, no right to run anything in a pod, no impersonation, and for nothing by a wildcard.

## Reading AWS

`)
	fmt.Fprintf(&b, "%d actions, in the policy `deploy/iam/read.json`, of one region and, where EKS lets it, of one cluster. Further clusters (`settings.clusters`) need theirs added. `sts:GetCallerIdentity` needs no permission.\n\n", len(aws))
	b.WriteString("| action | resource | asked by | without it can't be told |\n| --- | --- | --- | --- |\n")
	for _, p := range aws {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", p, short(Fence(p)), strings.Join(AskedBy(p), ", "), lost[p])
	}
	fmt.Fprintf(&b, "\n## Reading the cluster\n\n%d permissions, in the ClusterRole `netdiag-read` and, where it says kube-system, in the Role `netdiag-read-cni` there.\n\n", len(kubernetes))
	b.WriteString("| permission | where | asked by | without it can't be told |\n| --- | --- | --- | --- |\n")
	for _, p := range kubernetes {
		where := "everywhere"
		if namespace, _ := Narrow(p); namespace != "" {
			where = namespace
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", p, where, strings.Join(AskedBy(p), ", "), lost[p])
	}
	b.WriteString("\n## Records, and changes in the cluster\n\n")
	b.WriteString("Roles in the namespace of the chart where no other is named. The executor and its roles are there with `fixes.enabled` only; each kind of change has a switch of its own.\n\n")
	b.WriteString("| role | of | permissions | for |\n| --- | --- | --- | --- |\n")
	for _, r := range Roles()[2:] {
		var needs []string
		for _, rule := range r.rules() {
			for _, resource := range rule.resources {
				if rule.group != "" {
					plural, sub, has := strings.Cut(resource, "/")
					if resource = plural + "." + rule.group; has {
						resource += "/" + sub
					}
				}
				if rule.name != "" {
					resource += " " + rule.name
				}
				needs = append(needs, fmt.Sprintf("%s `%s`", strings.Join(rule.verbs, ", "), resource))
			}
		}
		name := "`" + r.Name + "`"
		switch r.Namespace {
		case "":
			name += ", everywhere"
		case Release:
		default:
			name += " in " + r.Namespace
		}
		if r.When != "" {
			name += ", by `" + r.When + "`"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", name, strings.Join(r.For, ", "), strings.Join(needs, "; "), r.Why)
	}
	b.WriteString(`
What RBAC can't say, admission policies of the chart do: which fields of a record each process writes, which variables of
aws-node and which annotations may change, which pods may go. [architecture.md](architecture.md) has more.

## Changes to AWS

None by default. Each policy goes to the role that the executor assumes for a change (` + "`executor.fixRole`" + `), under
` + "`deploy/iam/fix-boundary.json`" + ` as its permissions boundary; [deploy/iam](../deploy/iam/README.md) has the trust policies.

| action | on | policy of deploy/iam | statements | only |
| --- | --- | --- | --- | --- |
`)
	grants := awsnet.Grants()
	for _, key := range slices.Sorted(maps.Keys(grants)) {
		action, kind, _ := strings.Cut(key, " ")
		g := grants[key]
		fmt.Fprintf(&b, "| `%s` | %s | `%s` | %s | %s |\n", action, kinds[kind], g.Policy, diagnostics.Series(g.Statements), strings.ReplaceAll(g.Where, "%s", "it"))
	}
	return b.String()
}

// kinds names the kinds of resource of awsnet.Grants.
var kinds = map[string]string{"sg": "security group", "eni": "network interface", "subnet": "subnet", "addon": "add-on vpc-cni", "role": "role"}

// short is a resource without what is the same everywhere.
func short(arn string) string {
	if arn == "*" {
		return "the region"
	}
	return "`" + strings.TrimPrefix(arn, eksARN) + "`"
}
