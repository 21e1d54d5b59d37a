package remedy_test

import (
	"strings"
	"testing"

	"github.com/netdiag/netdiag/internal/remedy"
)

const (
	eni    = "eni-0123456789abcdef0"
	subnet = "subnet-0123456789abcdef0"
	group  = "sg-01234567"
)

// sound has one sound action of each newer kind.
func sound() map[string]remedy.Action {
	return map[string]remedy.Action{
		"interfaces":   {DeleteInterfaces: &remedy.DeleteInterfaces{Cluster: "prod_1", Interfaces: []string{"eni-01234567", eni}}},
		"subnet tag":   {Tag: &remedy.Tag{Resource: subnet, Key: "kubernetes.io/role/cni", Value: new("1")}},
		"group tag":    {Tag: &remedy.Tag{Resource: group, Key: "kubernetes.io/cluster/prod_1", Was: new("owned")}},
		"restart pods": {RestartPods: &remedy.RestartPods{Namespace: "kube-system", DaemonSet: "aws-node", Pods: []remedy.Pod{{Name: "aws-node-a", UID: "1-a", Node: "ip-10-0-0-1.ec2.internal"}, {Name: "aws-node-b", UID: "1-b", Node: "n"}}}},
		"move pods":    {MovePods: &remedy.MovePods{Node: "ip-10-0-0-1.ec2.internal", Pods: []remedy.NamespacedPod{{Namespace: "a", Name: "web-2", UID: "2"}, {Namespace: "b", Name: "web-1", UID: "1"}}}},
		"cordon":       {Cordon: &remedy.Cordon{Node: "n", Was: true}},
	}
}

func TestTargets(t *testing.T) {
	want := map[string]string{
		"interfaces": "interfaces/prod_1", "subnet tag": "subnet/" + subnet, "group tag": "security-group/" + group,
		"restart pods": "daemonset/kube-system/aws-node", "move pods": "node/ip-10-0-0-1.ec2.internal", "cordon": "node/n",
	}
	for name, a := range sound() {
		if err := a.Validate(); err != nil || a.Target() != want[name] || a.Kind() == "" {
			t.Errorf("%s: %v; %s of %q, want %q", name, err, a.Kind(), a.Target(), want[name])
		}
	}
}

func TestValidateRefuses(t *testing.T) {
	many := make([]string, 26)
	for i := range many {
		many[i] = "eni-" + strings.Repeat("0", 5) + string(rune('0'+i/100)) + string(rune('0'+i/10%10)) + string(rune('0'+i%10))
	}
	for name, c := range map[string]struct {
		of     string
		change func(remedy.Action)
	}{
		"no cluster":             {"interfaces", func(a remedy.Action) { a.DeleteInterfaces.Cluster = "" }},
		"cluster is a path":      {"interfaces", func(a remedy.Action) { a.DeleteInterfaces.Cluster = "a/b" }},
		"no interface":           {"interfaces", func(a remedy.Action) { a.DeleteInterfaces.Interfaces = nil }},
		"no such interface":      {"interfaces", func(a remedy.Action) { a.DeleteInterfaces.Interfaces = []string{"eni-0123"} }},
		"interface with tail":    {"interfaces", func(a remedy.Action) { a.DeleteInterfaces.Interfaces = []string{eni + "\n"} }},
		"interface twice":        {"interfaces", func(a remedy.Action) { a.DeleteInterfaces.Interfaces = []string{eni, eni} }},
		"interfaces unsorted":    {"interfaces", func(a remedy.Action) { a.DeleteInterfaces.Interfaces = []string{eni, "eni-01234567"} }},
		"too many interfaces":    {"interfaces", func(a remedy.Action) { a.DeleteInterfaces.Interfaces = many }},
		"other key":              {"subnet tag", func(a remedy.Action) { a.Tag.Key = "Name" }},
		"our opt-in":             {"group tag", func(a remedy.Action) { a.Tag.Key = "netdiag.io/allow-remediation" }},
		"group key on subnet":    {"subnet tag", func(a remedy.Action) { a.Tag.Key = "kubernetes.io/cluster/prod_1" }},
		"subnet key on group":    {"group tag", func(a remedy.Action) { a.Tag.Key = "kubernetes.io/role/cni" }},
		"cluster of nothing":     {"group tag", func(a remedy.Action) { a.Tag.Key = "kubernetes.io/cluster/" }},
		"tag of an instance":     {"subnet tag", func(a remedy.Action) { a.Tag.Resource = "i-01234567" }},
		"value of the subnet":    {"subnet tag", func(a remedy.Action) { a.Tag.Value = new("yes") }},
		"value of the group":     {"group tag", func(a remedy.Action) { a.Tag.Value = new("1") }},
		"value before":           {"group tag", func(a remedy.Action) { a.Tag.Was = new("mine") }},
		"tag stays":              {"group tag", func(a remedy.Action) { a.Tag.Value = new("owned") }},
		"tag stays away":         {"group tag", func(a remedy.Action) { a.Tag.Was = nil }},
		"other daemonset":        {"restart pods", func(a remedy.Action) { a.RestartPods.DaemonSet = "kube-proxy" }},
		"other namespace":        {"restart pods", func(a remedy.Action) { a.RestartPods.Namespace = "default" }},
		"no pod":                 {"restart pods", func(a remedy.Action) { a.RestartPods.Pods = nil }},
		"pod without UID":        {"restart pods", func(a remedy.Action) { a.RestartPods.Pods[0].UID = "" }},
		"pod without node":       {"restart pods", func(a remedy.Action) { a.RestartPods.Pods[0].Node = "" }},
		"pod twice":              {"restart pods", func(a remedy.Action) { a.RestartPods.Pods[1].Name = "aws-node-a" }},
		"too many pods":          {"restart pods", func(a remedy.Action) { a.RestartPods.Pods = make([]remedy.Pod, 101) }},
		"no node":                {"move pods", func(a remedy.Action) { a.MovePods.Node = "" }},
		"nothing to move":        {"move pods", func(a remedy.Action) { a.MovePods.Pods = nil }},
		"moved without UID":      {"move pods", func(a remedy.Action) { a.MovePods.Pods[0].UID = "" }},
		"namespace is a path":    {"move pods", func(a remedy.Action) { a.MovePods.Pods[0].Namespace = "a/b" }},
		"pods unsorted":          {"move pods", func(a remedy.Action) { a.MovePods.Pods[0].Namespace = "c" }},
		"too many to move":       {"move pods", func(a remedy.Action) { a.MovePods.Pods = make([]remedy.NamespacedPod, 101) }},
		"cordon of no node":      {"cordon", func(a remedy.Action) { a.Cordon.Node = "N/" }},
		"cordon changes nothing": {"cordon", func(a remedy.Action) { a.Cordon.On = true }},
	} {
		a := sound()[c.of]
		c.change(a)
		if err := a.Validate(); err == nil {
			t.Errorf("%s: %+v is taken", name, a)
		}
	}
}
