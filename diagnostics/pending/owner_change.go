package pending

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/remedy"
)

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
	case "none", "kubectl":
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
		if o.owner == "kubectl" {
			f.Blast += "; change the manifest too that was applied by hand, or the next kubectl apply of it may take this back"
		}
		if settled || !rolledOut {
			f.Action, f.Executable = &remedy.Action{DaemonSetEnv: action}, true
		}
	default:
		f.Commands = append(f.Commands, a.snippet(o, &f, values)...)
	}
	return f
}

// merged is the configuration of the add-on with values added to its env. UpdateAddon replaces the configuration, so that all
// of it is sent; whoever changed the DaemonSet by hand keeps that. It is empty where the present one can't be read.
func (a *analysis) merged(f *diagnostics.Fix, values map[string]string) string {
	env, readable := a.declaredEnv()
	if !readable {
		return ""
	}
	for _, x := range a.drifts() {
		if _, own := values[x.name]; !own {
			values[x.name] = x.live
			f.Changes = append(f.Changes, fmt.Sprintf("EKS add-on vpc-cni of %s: %s=%s, set by hand on the DaemonSet, is adopted", a.s.Target.Cluster, x.name, x.live))
		}
	}
	slices.Sort(f.Changes[min(1, len(f.Changes)):])
	config := map[string]any{}
	if a.s.Addon.Configuration != "" {
		_ = json.Unmarshal([]byte(a.s.Addon.Configuration), &config) // declaredEnv has read it
	}
	for key, value := range values {
		env[key] = value
	}
	config["env"] = env
	text, err := json.Marshal(config)
	if err != nil {
		return ""
	}
	return string(text)
}

const presentValues = "<the present values with the changes above under env>"

// throughAddon changes the configuration of the add-on; version and role stay, or EKS would fall back to the node's role.
func (a *analysis) throughAddon(f *diagnostics.Fix, values map[string]string, settled bool) {
	add, cluster := a.s.Addon, a.s.Target.Cluster
	if add == nil { // it may not be read: the values of its configuration that are there must not be lost
		f.Commands = append(f.Commands, fmt.Sprintf("aws eks describe-addon --cluster-name %s --addon-name vpc-cni   # version, role and configuration to keep", cluster),
			fmt.Sprintf("aws eks update-addon --cluster-name %s --addon-name vpc-cni --addon-version <present version> --service-account-role-arn <present role> --configuration-values '%s' --resolve-conflicts OVERWRITE", cluster, presentValues))
		return
	}
	config := a.merged(f, values)
	command := fmt.Sprintf("aws eks update-addon --cluster-name %s --addon-name vpc-cni --addon-version %s", cluster, add.Version)
	if add.RoleARN != "" {
		command += " --service-account-role-arn " + add.RoleARN
	}
	command += " --configuration-values '" + cmp.Or(config, presentValues) + "'"
	f.Commands = append(f.Commands, command+" --resolve-conflicts OVERWRITE", fmt.Sprintf("aws eks wait addon-active --cluster-name %s --addon-name vpc-cni", cluster))
	if config != "" && settled && (add.Status == "ACTIVE" || add.Status == "DEGRADED" || add.Status == "UPDATE_FAILED") {
		f.Action = &remedy.Action{AddonConfig: &remedy.AddonConfig{Cluster: cluster, Addon: "vpc-cni", Version: add.Version, RoleARN: add.RoleARN,
			Set: values, Was: add.Configuration}}
		f.Executable = true
	}
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
