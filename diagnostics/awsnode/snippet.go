package awsnode

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
)

// snippet is the change in the words of the owner's tool: what to write where it is declared, and how to have it applied.
func (u Setup) snippet(o Ownership, f *diagnostics.Fix, values map[string]string) []string {
	config := presentValues
	if u.Addon != nil {
		config = cmp.Or(u.merged(f, values), presentValues)
	}
	var yaml, pairs, blocks []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		yaml = append(yaml, fmt.Sprintf("  %s: %q", name, values[name]))
		pairs = append(pairs, fmt.Sprintf("--set-string env.%s=%s", name, values[name]))
		blocks = append(blocks, fmt.Sprintf("    %s = %q", name, values[name]))
	}
	env := "env:\n" + strings.Join(yaml, "\n")
	switch o.Owner {
	case "helm":
		return []string{fmt.Sprintf("helm upgrade %s eks/aws-vpc-cni -n %s --reuse-values %s", cmp.Or(o.Name, "<release of aws-vpc-cni>"), cmp.Or(o.Namespace, "kube-system"), strings.Join(pairs, " "))}
	case "argocd":
		name := cmp.Or(o.Name, "<application>")
		return []string{"# in Git, in what Argo CD application " + name + " applies: the values of the chart aws-vpc-cni\n" + env, "argocd app sync " + name}
	case "flux":
		kind, name, namespace := cmp.Or(o.Kind, "HelmRelease"), cmp.Or(o.Name, "<name>"), cmp.Or(o.Namespace, "flux-system")
		where := "the env of container aws-node of DaemonSet aws-node, or the values of the chart"
		if kind == "HelmRelease" {
			where = "spec.values"
		}
		return []string{fmt.Sprintf("# in Git, in what Flux %s %s/%s declares: %s\n%s", kind, namespace, name, where, env),
			fmt.Sprintf("flux reconcile %s %s -n %s --with-source", strings.ToLower(kind), name, namespace)}
	case "terraform":
		if u.Addon == nil {
			return []string{"# in the Terraform configuration, in the values of helm_release aws-vpc-cni\nvalues = [yamlencode({\n  env = {\n" + strings.Join(blocks, "\n") + "\n  }\n})]", "terraform apply"}
		}
		return []string{fmt.Sprintf("# in the Terraform configuration, in aws_eks_addon vpc-cni: the whole configuration, since it replaces the present one\nconfiguration_values = jsonencode(%s)\nresolve_conflicts_on_update = \"OVERWRITE\"", config), "terraform apply"}
	case "cloudformation":
		return []string{fmt.Sprintf("# in the template of stack %s, in the AWS::EKS::Addon vpc-cni\nConfigurationValues: '%s'\nResolveConflicts: OVERWRITE", cmp.Or(o.Name, "<stack>"), config),
			fmt.Sprintf("aws cloudformation deploy --stack-name %s --template-file <template>", cmp.Or(o.Name, "<stack>"))}
	case "eksctl":
		if u.Addon == nil {
			return []string{"# eksctl declares no settings of a DaemonSet that is no add-on\nkubectl set env daemonset/aws-node -n kube-system -c aws-node " + assignments(values)}
		}
		return []string{fmt.Sprintf("# in the ClusterConfig of cluster %s\naddons:\n- name: vpc-cni\n  configurationValues: '%s'\n  resolveConflicts: overwrite", cmp.Or(o.Name, u.Cluster), config),
			"eksctl update addon -f <cluster config>"}
	case "pulumi":
		return []string{"# in the Pulumi program, in the configuration of the add-on vpc-cni\n" + config, "pulumi up"}
	}
	return []string{"# wherever aws-node is declared\n" + env}
}

func assignments(values map[string]string) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		out = append(out, name+"="+values[name])
	}
	return strings.Join(out, " ")
}
