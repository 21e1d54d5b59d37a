package awsnode

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/remedy"
)

// Setting is one environment variable of aws-node; an empty value unsets it.
type Setting struct{ Name, Value string }

// Change fills in how a fix changes settings of aws-node, through whoever owns them. rolledOut asks that no rollout be under way.
func (u Setup) Change(f diagnostics.Fix, rolledOut bool, set ...Setting) diagnostics.Fix {
	o := u.Owned()
	f.Owner = o.Owner
	d := u.Driver
	if d == nil {
		d = &Driver{} // it could not be read; the add-on may still be known
	}
	values := map[string]string{}
	var was []string
	target := "DaemonSet kube-system/aws-node"
	if o.Owner == "eks-addon" {
		target = "EKS add-on vpc-cni of " + u.Cluster
	}
	for _, s := range set {
		values[s.Name] = s.Value
		f.Changes = append(f.Changes, fmt.Sprintf("%s: %s %s → %s", target, s.Name, Shown(d.Env, s.Name), s.Value))
		was = append(was, s.Name+" "+Shown(d.Env, s.Name))
	}
	f.Undo = "set back by the same way: " + strings.Join(was, ", ")
	f.Blast = fmt.Sprintf("aws-node restarts on all %s, a tenth of them at a time; on each, no new pod gets an address for 5 to 20 seconds, and running pods keep theirs", nodes(d.Desired))
	settled := u.Driver != nil && d.Updated == d.Desired && (d.Ready == d.Desired || !rolledOut)
	if rolledOut && !settled {
		f.Blast += fmt.Sprintf("; a rollout is under way already (%d of %d updated, %d ready): let it end first", d.Updated, d.Desired, d.Ready)
	}
	f.SettlesIn = Rollout(d.Desired)
	switch o.Owner {
	case "eks-addon":
		u.throughAddon(&f, values, settled || !rolledOut)
	case "none", "kubectl":
		action := &remedy.DaemonSetEnv{Namespace: "kube-system", Name: "aws-node", Container: "aws-node", Set: values, Was: map[string]*string{}}
		var args strings.Builder
		for _, s := range set {
			args.WriteString(" " + s.Name + "=" + s.Value)
			action.Was[s.Name] = nil
			if v, ok := d.Env[s.Name]; ok {
				action.Was[s.Name] = &v
			}
		}
		f.Commands = append(f.Commands, "kubectl set env daemonset/aws-node -n kube-system -c aws-node"+args.String())
		if o.Owner == "kubectl" {
			f.Blast += "; change the manifest too that was applied by hand, or the next kubectl apply of it may take this back"
		}
		if settled || !rolledOut {
			f.Action, f.Executable = &remedy.Action{DaemonSetEnv: action}, true
		}
	default:
		f.Commands = append(f.Commands, u.snippet(o, &f, values)...)
	}
	return f
}

// merged is the configuration of the add-on with values added to its env. UpdateAddon replaces the configuration, so that all
// of it is sent; whoever changed the DaemonSet by hand keeps that. It is empty where the present one can't be read.
func (u Setup) merged(f *diagnostics.Fix, values map[string]string) string {
	env, readable := u.DeclaredEnv()
	if !readable {
		return ""
	}
	for _, x := range u.Drifts() {
		if _, own := values[x.Name]; !own {
			values[x.Name] = x.Live
			f.Changes = append(f.Changes, fmt.Sprintf("EKS add-on vpc-cni of %s: %s=%s, set by hand on the DaemonSet, is adopted", u.Cluster, x.Name, x.Live))
		}
	}
	slices.Sort(f.Changes[min(1, len(f.Changes)):])
	config := map[string]any{}
	if u.Addon.Configuration != "" {
		_ = json.Unmarshal([]byte(u.Addon.Configuration), &config) // DeclaredEnv has read it
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
func (u Setup) throughAddon(f *diagnostics.Fix, values map[string]string, settled bool) {
	add, cluster := u.Addon, u.Cluster
	if add == nil { // it may not be read: the values of its configuration that are there must not be lost
		f.Commands = append(f.Commands, fmt.Sprintf("aws eks describe-addon --cluster-name %s --addon-name vpc-cni   # version, role and configuration to keep", cluster),
			fmt.Sprintf("aws eks update-addon --cluster-name %s --addon-name vpc-cni --addon-version <present version> --service-account-role-arn <present role> --configuration-values '%s' --resolve-conflicts OVERWRITE", cluster, presentValues))
		return
	}
	config := u.merged(f, values)
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

// Shown is the value of a variable for people: unset where there is none.
func Shown(env map[string]string, name string) string {
	if v, ok := env[name]; ok && v != "" {
		return v
	}
	return "unset"
}

// Rollout is how long to wait before a change of settings is judged: up to ten waves of half a minute, and two minutes in
// which ipamd may still wait after a refusal.
func Rollout(nodes int) string {
	return fmt.Sprintf("%dm", 2+(min(max(nodes, 1), 10)+1)/2)
}

func nodes(n int) string {
	if n == 1 {
		return "1 node"
	}
	return fmt.Sprintf("%d nodes", n)
}
