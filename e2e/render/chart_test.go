package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	network "k8s.io/api/networking/v1"
	rbac "k8s.io/api/rbac/v1"
)

const folder = "../../deploy/helm/netdiag"

func load(t *testing.T) *chart.Chart {
	t.Helper()
	c, err := loader.Load(folder)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// least are the values that everybody has to give, with others over them.
func least(over ...map[string]any) map[string]any {
	v := map[string]any{"cluster": "prod", "region": "us-west-2", "slack": map[string]any{"team": "T0TEAM"}}
	for _, o := range over {
		merge(v, o)
	}
	return v
}

func merge(into, from map[string]any) {
	for k, v := range from {
		below, ok := v.(map[string]any)
		if old, there := into[k].(map[string]any); ok && there {
			into[k] = maps.Clone(old)
			merge(into[k].(map[string]any), below)
			continue
		}
		into[k] = v
	}
}

// set is one value by its path: set("alerts.enabled", true).
func set(path string, value any) map[string]any {
	keys := strings.Split(path, ".")
	for _, k := range slices.Backward(keys) {
		value = map[string]any{k: value}
	}
	return value.(map[string]any)
}

// A choice is one dimension of the matrix, by the name of each side.
type choice map[string]map[string]any

func kinds() []string {
	return []string{"addonConfig", "daemonSetEnv", "securityGroupRules", "annotate", "deleteInterfaces", "tag", "restartPods", "movePods"}
}

// matrix is every combination of what the templates decide by.
func matrix() map[string]map[string]any {
	role := map[string]any{"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/netdiag"}
	fixes := choice{"read-only": {}, "all fixes": set("fixes.enabled", true), "no kind": set("fixes.enabled", true)}
	for _, k := range kinds() {
		fixes["all but "+k] = least(set("fixes.enabled", true), set("fixes.kinds."+k, false))
		fixes["no kind"] = least(fixes["no kind"], set("fixes.kinds."+k, false))
	}
	out := map[string]map[string]any{"": least()}
	for _, c := range []choice{
		fixes,
		{"no alerts": {}, "nothing listens": least(set("settings.health", "none"), set("executor.health", "none")), "PodMonitor": set("alerts.enabled", true), "ServiceMonitor": least(set("alerts.enabled", true), set("alerts.monitor", "ServiceMonitor"))},
		{"network policies": {}, "none": least(set("networkPolicy.enabled", false), set("podDisruptionBudget.enabled", false))},
		{
			"Pod Identity": {}, "IRSA": least(set("serviceAccount.annotations", role), set("executor.serviceAccount.annotations", role)),
			"accounts of others": least(set("serviceAccount.create", false), set("executor.serviceAccount.create", false)),
		},
		{"": {}, "everything": everything()},
	} {
		next := map[string]map[string]any{}
		for name, values := range out {
			for side, over := range c {
				next[strings.Trim(name+", "+side, ", ")] = least(values, over)
			}
		}
		out = next
	}
	return out
}

// everything sets what a platform team may set.
func everything() map[string]any {
	peer := []any{map[string]any{"ipBlock": map[string]any{"cidr": "10.0.0.0/8"}}}
	return least(
		set("podLabels", map[string]any{"team": "platform", "app.kubernetes.io/name": "mine"}), set("podAnnotations", map[string]any{"a": "b"}),
		set("priorityClassName", "system-cluster-critical"), set("nodeSelector", map[string]any{"kubernetes.io/arch": "arm64"}),
		set("tolerations", []any{map[string]any{"key": "dedicated", "operator": "Exists", "effect": "NoSchedule"}}),
		set("affinity", map[string]any{"podAntiAffinity": map[string]any{}}),
		set("topologySpreadConstraints", []any{map[string]any{"topologyKey": "topology.kubernetes.io/zone", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}}),
		set("image", map[string]any{"digest": "sha256:" + strings.Repeat("0f", 32), "pullSecrets": []any{"registry"}}),
		set("env", []any{map[string]any{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}}),
		set("executor", map[string]any{
			"replicas": 1, "debug": map[string]any{"pprof": "127.0.0.1:6060"}, "logLevel": "warn", "env": []any{map[string]any{"name": "NO_PROXY", "value": "10.0.0.1"}}, "approvers": []any{map[string]any{"users": []any{"U0123ABCD"}}},
			"fixRole": "arn:aws:iam::111122223333:role/netdiag-fix", "resources": map[string]any{"limits": map[string]any{"memory": "512Mi"}},
		}),
		set("networkPolicy", map[string]any{"apiServerPort": 6443, "httpsTo": peer, "metricsFrom": peer, "egress": []any{map[string]any{"to": peer}}}),
		set("slack.existingSecret", "tokens"), set("slack.approvers", []any{map[string]any{"groups": []any{"S0123ABCD"}, "risks": []any{"low"}}}),
		set("settings", map[string]any{"slack": map[string]any{"connections": 3}, "channels": map[string]any{"C0123ABCD": map[string]any{"namespace": "shop"}}}),
		watched(map[string]any{"ingresses": []any{"all"}, "thresholds": map[string]any{"free": 25}}), set("alerts.capacity", 10),
	)
}

// TestEveryRendering renders the chart with every combination of the values that it decides by. What comes out has to be
// what a strict API server takes, safe by the standard "restricted", and to fit together.
func TestEveryRendering(t *testing.T) {
	c, valid, read := load(t), schemas(t), newReader()
	all, told := matrix(), map[string]bool{}
	for name, values := range all {
		r, err := render(c, "netdiag", values)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		o := read.objects(r.manifests)
		for _, problem := range slices.Concat(valid.problems(r.manifests), o.problems(t)) {
			if !told[problem] { // most are the same in every combination
				t.Errorf("%s: %s", name, problem)
			}
			told[problem] = true
		}
	}
	if len(all) < 400 {
		t.Errorf("%d combinations", len(all))
	}
}

// TestLint: helm lint has nothing to say, also where nothing is set yet.
func TestLint(t *testing.T) {
	for name, values := range map[string]map[string]any{
		"as it comes": nil, "least": least(), "all": least(everything(), set("fixes.enabled", true), set("alerts.enabled", true)),
	} {
		for _, m := range lint.All(folder, values, "netdiag", true).Messages {
			if m.Severity > support.InfoSev {
				t.Errorf("%s: %s", name, m)
			}
		}
	}
}

// TestReadOnly: without fixes nothing is deployed that could change anything but what is netdiag's own.
func TestReadOnly(t *testing.T) {
	r, err := render(load(t), "netdiag", least())
	if err != nil {
		t.Fatal(err)
	}
	o := newReader().objects(r.manifests)
	for _, d := range o.deployments {
		if d.Name != "netdiag" {
			t.Errorf("Deployment %s is there", d.Name)
		}
	}
	for name, rules := range o.rules {
		for _, rule := range rules {
			for _, verb := range rule.Verbs {
				if !slices.Contains([]string{"get", "list", "watch"}, verb) && (o.at[name] != "netdiag" || !ours(rule, verb)) {
					t.Errorf("%s may %s %s", name, verb, rule.Resources)
				}
			}
		}
	}
}

// ours is what netdiag may write in its own namespace: its records, what is limited to its own by name, and to make what RBAC
// can't limit by name.
func ours(r rbac.PolicyRule, verb string) bool {
	named := len(r.ResourceNames) > 0 && !slices.ContainsFunc(r.ResourceNames, func(n string) bool { return !strings.HasPrefix(n, "netdiag-") })
	made := verb == "create" && (slices.Equal(r.Resources, []string{"events"}) || slices.Equal(r.Resources, []string{"configmaps"}) || slices.Equal(r.Resources, []string{"leases"}))
	return slices.Equal(r.APIGroups, []string{"netdiag.io"}) || named || made
}

// TestKindsOff: a kind of change that is off leaves no right, and the executor refuses it.
func TestKindsOff(t *testing.T) {
	c, read := load(t), newReader()
	role := map[string]string{"annotate": "netdiag-fix", "daemonSetEnv": "netdiag-fix-cni", "restartPods": "netdiag-fix-restart", "movePods": "netdiag-fix-move"}
	for _, kind := range kinds() {
		r, err := render(c, "netdiag", least(set("fixes.enabled", true), set("fixes.kinds."+kind, false)))
		if err != nil {
			t.Fatal(err)
		}
		o := read.objects(r.manifests)
		for k, name := range role {
			if there := len(o.rules[name]) > 0; there == (k == kind) {
				t.Errorf("without %s: role %s: %v", kind, name, there)
			}
		}
		argument := regexp.MustCompile(`--kinds=\S*`).FindString(fmt.Sprint(o.deployments["netdiag-executor"].Spec.Template.Spec.Containers[0].Args))
		if strings.Contains(strings.ToLower(argument), strings.ToLower(kind)) || strings.Contains(argument, "Ingress") == (kind == "securityGroupRules") {
			t.Errorf("without %s: %s", kind, argument)
		}
	}
}

// TestNotes: what is told next fits what was set.
func TestNotes(t *testing.T) {
	c := load(t)
	role := "arn:aws:iam::111122223333:role/netdiag"
	for _, x := range []struct {
		values map[string]any
		want   string
	}{
		{least(), "create secret generic netdiag-slack -n diagnosis"},
		{least(), "--namespace diagnosis --service-account netdiag --role-arn"},
		{least(set("serviceAccount.annotations", map[string]any{"eks.amazonaws.com/role-arn": role})), "has " + role + " (IRSA)"},
		{least(), "Fixes are off"},
		{least(set("fixes.enabled", true)), "nobody may approve them"},
		{least(set("fixes.enabled", true), everything()), "netdiag-executor carries out.\n"},
	} {
		r, err := render(c, "diagnosis", x.values)
		if err != nil || !strings.Contains(r.notes, x.want) {
			t.Errorf("%v: %q is not told: %s", err, x.want, r.notes)
		}
	}
}

// TestIdentities: nothing stands in the way of either way to a role of AWS. What EKS adds to a pod (a token, in a file that the
// group of the pod can read, and variables that say where) it adds only where the pod doesn't say otherwise.
func TestIdentities(t *testing.T) {
	const role = "eks.amazonaws.com/role-arn"
	c, read := load(t), newReader()
	arn := func(name string) map[string]any {
		return map[string]any{role: "arn:aws:iam::111122223333:role/" + name}
	}
	irsa := least(set("fixes.enabled", true), set("serviceAccount.annotations", arn("read")), set("executor.serviceAccount.annotations", arn("execute")))
	for name, values := range map[string]map[string]any{"IRSA": irsa, "Pod Identity": least(set("fixes.enabled", true))} {
		r, err := render(c, "netdiag", values)
		if err != nil {
			t.Fatal(err)
		}
		o := read.objects(r.manifests)
		for account, of := range map[string]string{"netdiag": "read", "netdiag-executor": "execute"} {
			want := ""
			if name == "IRSA" {
				want = "arn:aws:iam::111122223333:role/" + of
			}
			if got := o.accounts[account].Annotations[role]; got != want {
				t.Errorf("%s: %s has role %q, want %q", name, account, got, want)
			}
		}
		for id, pod := range o.pods {
			if fs := pod.Spec.SecurityContext.FSGroup; fs == nil || *fs != 65532 {
				t.Errorf("%s: %s can't read the token", name, id)
			}
			for _, v := range pod.Spec.Containers[0].Env {
				if strings.HasPrefix(v.Name, "AWS_") {
					t.Errorf("%s: %s sets %s itself", name, id, v.Name)
				}
			}
		}
		if !slices.ContainsFunc(o.networks, func(n *network.NetworkPolicy) bool {
			return slices.ContainsFunc(n.Spec.Egress, func(r network.NetworkPolicyEgressRule) bool {
				return len(r.To) == 2 && r.To[0].IPBlock.CIDR == "169.254.170.23/32" && r.Ports[0].Port.IntValue() == 80
			})
		}) {
			t.Errorf("%s: the agent of Pod Identity is not reached", name)
		}
	}
}
