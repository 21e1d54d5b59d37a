package pending

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/remedy"
)

// ownership is who declares the settings of aws-node: a change must go through them, or the next sync takes it back.
type ownership struct {
	owner string // eks-addon, helm, argocd, flux, terraform, cloudformation, eksctl, none, or unknown
	why   string // what tells so
}

// owned finds the owner of aws-node. The label app.kubernetes.io/managed-by says Helm on the EKS add-on too, so that it proves nothing.
func (a *analysis) owned() ownership {
	if add := a.s.Addon; add != nil {
		for _, mark := range []struct{ tag, owner string }{{"aws:cloudformation:stack-name", "cloudformation"}, {"alpha.eksctl.io/cluster-name", "eksctl"}, {"terraform", "terraform"}} {
			for _, key := range sortedKeys(add.Tags) {
				if strings.EqualFold(key, mark.tag) || strings.EqualFold(add.Tags[key], mark.tag) {
					return ownership{mark.owner, "tag " + key + " of add-on vpc-cni"}
				}
			}
		}
		return ownership{"eks-addon", "add-on vpc-cni " + add.Version}
	}
	if _, missed := a.unread("eks:DescribeAddon"); missed || a.s.Driver == nil {
		return ownership{"unknown", "the add-ons of the cluster could not be read"}
	}
	d := a.s.Driver
	marks := []struct{ key, owner string }{
		{"argocd.argoproj.io/", "argocd"}, {"kustomize.toolkit.fluxcd.io/", "flux"}, {"helm.toolkit.fluxcd.io/", "flux"}, {"meta.helm.sh/release-name", "helm"},
	}
	for _, m := range marks {
		for _, set := range []map[string]string{d.Labels, d.Annotations} {
			for _, key := range sortedKeys(set) {
				if strings.HasPrefix(key, m.key) {
					return ownership{m.owner, key + "=" + set[key] + " on DaemonSet aws-node"}
				}
			}
		}
	}
	for _, m := range d.Managers {
		low := strings.ToLower(m.Name)
		for _, o := range []struct{ part, owner string }{{"argocd", "argocd"}, {"kustomize-controller", "flux"}, {"helm-controller", "flux"}, {"helm", "helm"}, {"terraform", "terraform"}, {"pulumi", "pulumi"}} {
			if strings.Contains(low, o.part) {
				return ownership{o.owner, "field manager " + m.Name + " of DaemonSet aws-node"}
			}
		}
	}
	return ownership{"none", "no add-on, and no mark of another tool on DaemonSet aws-node"}
}

// setting is one environment variable of aws-node; empty unsets it.
type setting struct{ name, value string }

// setEnv fills in how a fix changes settings of aws-node, through whoever owns them. rolledOut asks that no rollout be under way.
func (a *analysis) setEnv(f diagnostics.Fix, rolledOut bool, set ...setting) diagnostics.Fix {
	o := a.owned()
	f.Owner = o.owner
	d := a.s.Driver
	if d == nil {
		d = &Driver{} // it could not be read; the add-on may still be known
	}
	values := map[string]string{}
	var was []string
	target := "DaemonSet kube-system/aws-node"
	if o.owner == "eks-addon" {
		target = "EKS add-on vpc-cni of " + a.s.Target.Cluster
	}
	for _, s := range set {
		values[s.name] = s.value
		f.Changes = append(f.Changes, fmt.Sprintf("%s: %s %s → %s", target, s.name, shown(d.Env, s.name), s.value))
		was = append(was, s.name+" "+shown(d.Env, s.name))
	}
	f.Undo = "set back by the same way: " + strings.Join(was, ", ")
	f.Blast = fmt.Sprintf("aws-node restarts on all %s, a tenth of them at a time; on each, no new pod gets an address for 5 to 20 seconds, and running pods keep theirs", plural(d.Desired, "node"))
	settled := a.s.Driver != nil && d.Updated == d.Desired && (d.Ready == d.Desired || !rolledOut)
	if rolledOut && !settled {
		f.Blast += fmt.Sprintf("; a rollout is under way already (%d of %d updated, %d ready): let it end first", d.Updated, d.Desired, d.Ready)
	}
	f.SettlesIn = rollout(d.Desired)
	switch o.owner {
	case "eks-addon":
		a.throughAddon(&f, values, settled || !rolledOut)
	case "none":
		action := &remedy.DaemonSetEnv{Namespace: "kube-system", Name: "aws-node", Container: "aws-node", Set: values, Was: map[string]*string{}}
		var args strings.Builder
		for _, s := range set {
			args.WriteString(" " + s.name + "=" + s.value)
			action.Was[s.name] = nil
			if v, ok := d.Env[s.name]; ok {
				action.Was[s.name] = &v
			}
		}
		f.Commands = append(f.Commands, "kubectl set env daemonset/aws-node -n kube-system -c aws-node"+args.String())
		if settled || !rolledOut {
			f.Action, f.Executable = &remedy.Action{DaemonSetEnv: action}, true
		}
	default:
		f.Commands = append(f.Commands, a.snippet(o, set)...)
	}
	return f
}

// throughAddon merges the values into what the add-on has. UpdateAddon replaces the configuration, so that all of it is
// sent, and whoever changed the DaemonSet by hand keeps that.
func (a *analysis) throughAddon(f *diagnostics.Fix, values map[string]string, settled bool) {
	add := a.s.Addon
	config := map[string]any{}
	readable := add.Configuration == "" || json.Unmarshal([]byte(add.Configuration), &config) == nil
	env, _ := config["env"].(map[string]any)
	if env == nil {
		env = map[string]any{}
	}
	for key, value := range a.drifted(env) {
		if _, own := values[key]; !own {
			values[key] = value
			f.Changes = append(f.Changes, fmt.Sprintf("EKS add-on vpc-cni of %s: %s=%s, set by hand on the DaemonSet, is adopted", a.s.Target.Cluster, key, value))
		}
	}
	slices.Sort(f.Changes[1:])
	for key, value := range values {
		env[key] = value
	}
	config["env"] = env
	merged, err := json.Marshal(config)
	command := fmt.Sprintf("aws eks update-addon --cluster-name %s --addon-name vpc-cni --addon-version %s", a.s.Target.Cluster, add.Version)
	if add.RoleARN != "" {
		command += " --service-account-role-arn " + add.RoleARN
	}
	if readable && err == nil {
		command += " --configuration-values '" + string(merged) + "'"
	} else {
		command += " --configuration-values '<the present values with the changes above under env>'"
	}
	f.Commands = append(f.Commands, command+" --resolve-conflicts OVERWRITE")
	if readable && settled && (add.Status == "ACTIVE" || add.Status == "DEGRADED" || add.Status == "UPDATE_FAILED") {
		f.Action = &remedy.Action{AddonConfig: &remedy.AddonConfig{Cluster: a.s.Target.Cluster, Addon: "vpc-cni", Version: add.Version, RoleARN: add.RoleARN,
			Set: values, Was: add.Configuration}}
		f.Executable = true
	}
}

// drifted lists variables that live otherwise than the add-on declares: OVERWRITE would set them back.
func (a *analysis) drifted(declared map[string]any) map[string]string {
	out := map[string]string{}
	if a.s.Driver == nil {
		return out
	}
	for _, m := range a.s.Driver.Managers {
		if m.Name == "eks" {
			continue
		}
		for _, key := range m.Env {
			if live, ok := a.s.Driver.Env[key]; ok && fmt.Sprint(declared[key]) != live {
				out[key] = live
			}
		}
	}
	return out
}

// snippet is the change in the words of the owner's tool.
func (a *analysis) snippet(o ownership, set []setting) []string {
	var yaml, pairs []string
	for _, s := range set {
		yaml = append(yaml, fmt.Sprintf("%s: %q", s.name, s.value))
		pairs = append(pairs, fmt.Sprintf("--set-string env.%s=%s", s.name, s.value))
	}
	values := map[string]string{}
	for _, s := range set {
		values[s.name] = s.value
	}
	env, _ := json.Marshal(map[string]any{"env": maps.Clone(values)})
	switch o.owner {
	case "helm":
		return []string{"helm upgrade <release of aws-vpc-cni> eks/aws-vpc-cni -n kube-system --reuse-values " + strings.Join(pairs, " ")}
	case "terraform":
		return []string{fmt.Sprintf("# in the Terraform configuration of the add-on vpc-cni\nconfiguration_values = jsonencode(%s)", env)}
	case "cloudformation", "eksctl":
		return []string{fmt.Sprintf("# in the declaration of the add-on vpc-cni (%s)\nconfigurationValues: '%s'", o.owner, env)}
	case "argocd", "flux":
		return []string{"# in Git, in the values of the chart aws-vpc-cni (" + o.why + ")\nenv:\n  " + strings.Join(yaml, "\n  ")}
	}
	return []string{"# wherever aws-node is declared\nenv:\n  " + strings.Join(yaml, "\n  ")}
}

func shown(env map[string]string, name string) string {
	if v, ok := env[name]; ok && v != "" {
		return v
	}
	return "unset"
}

// rollout is how long to wait before a change of settings is judged: up to ten waves of half a minute, and two minutes in
// which ipamd may still wait after a refusal.
func rollout(nodes int) string {
	return fmt.Sprintf("%dm", 2+(min(max(nodes, 1), 10)+1)/2)
}
