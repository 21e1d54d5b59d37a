package config

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
)

// Setting is one setting as the reference describes it.
type Setting struct {
	Path    string // such as policy.approvers[].users
	Type    string // text, whole number, time, true or false, or list of text
	Default string // as it would be written; empty where there is none
	Values  string // what it can be; empty where the type says all
	About   string // what it is for
}

// Reference lists the settings of bot serve, in the order of their declaration.
func Reference() []Setting {
	return reference(reflect.TypeFor[Config](), reflect.ValueOf(Default()), abouts())
}

// ExecutorReference lists the settings of bot execute.
func ExecutorReference() []Setting {
	return reference(reflect.TypeFor[Executor](), reflect.ValueOf(DefaultExecutor()), abouts())
}

// about is what no type says of a setting.
type about struct{ values, text string }

const (
	idsOfUsers  = "ids such as `U0123ABCD`"
	dnsLabel    = "lower-case letters, digits and `-`, at most 63"
	clusterName = "letters, digits, `-` and `_`, at most 100"
)

// abouts describes every setting, by its path: one that is missing here, or is none, fails a test.
func abouts() map[string]about {
	var ids []string
	for _, f := range diagnostics.Fixes() {
		if f.Executable {
			ids = append(ids, "`"+f.ID+"`")
		}
	}
	fixes := strings.Join(ids, ", ")
	return map[string]about{
		"cluster":   {clusterName, "Name of the EKS cluster that questions are about and fixes are made in. Without it that of the kubeconfig context, where its name tells."},
		"region":    {"", "AWS region. Without it that of the AWS configuration, such as `AWS_REGION`."},
		"namespace": {dnsLabel, "Where the Investigations and Remediations are."},
		"state":     {"`kubernetes`, `memory`", "What questions and fixes are kept in. `memory` is for a first look without the custom resources: it is lost at the next start, and fixes are commands only."},
		"fixes":     {"", "Offer fixes with buttons. They need `bot execute`, and `state: kubernetes`."},

		"slack.apiURL":      {"a URL", "Where the Web API is, for a simulated Slack. Without it Slack's own."},
		"slack.connections": {"1 to 4", "Socket Mode connections of each process. Slack allows an app 10, those of all replicas together, one more replica while they are rolled out."},

		"policy.team":                     {"an id such as `T0123ABCD`", "The one Slack workspace whose people are answered. Required."},
		"policy.askers[]":                 {idsOfUsers + ", or `*`", "Who may ask. `*` is every full member of the workspace, never a guest. Empty: nobody."},
		"policy.approvers[].users[]":      {idsOfUsers, "Who may approve what this entry covers."},
		"policy.approvers[].groups[]":     {"ids such as `S0123ABCD`", "User groups whose members may. Whoever may edit the group in Slack decides who approves."},
		"policy.approvers[].risks[]":      {"`low`, `medium`, `high`", "Only fixes of these risks. Empty: all."},
		"policy.approvers[].fixes[]":      {fixes, "Only these fixes. Empty: all."},
		"policy.approvers[].namespaces[]": {"", "Only questions about these namespaces. Empty: all, and those about the whole cluster, such as ip."},

		"channels.*.namespace": {dnsLabel, "By channel id, such as `C0123ABCD`: the namespace that is meant there where a question names none."},
		"channels.*.cluster":   {"`cluster`, or one of `clusters[].name`", "By channel id: the cluster that is meant there where a question names none."},

		"clusters[].name":       {clusterName + ", each once", "A further cluster that questions may be about (`--cluster`). It is only read: fixes for it appear as commands."},
		"clusters[].region":     {"", "Its region. Without it that of the first cluster."},
		"clusters[].kubeconfig": {"a file", "How to reach it. Without it the usual kubeconfig."},
		"clusters[].context":    {"", "Context of the kubeconfig. Without it the current one."},

		"limits.workers":   {"1 to 64", "Diagnoses at a time, of each process."},
		"limits.queue":     {"1 to 1000", "Questions that wait for a worker. Who asks beyond that is told to try again."},
		"limits.diagnosis": {"1s to 5m", "How long a diagnosis may take. What was not read by then stands in the report as not looked at."},

		"watch.channel":            {"id such as `C0123ABCD`", "The channel that is warned early, see early-warning.md. Without it netdiag looks at nothing by itself."},
		"watch.ingresses[]":        {"`<namespace>/<name>`, or `all` alone", "Ingresses that are watched."},
		"watch.interval":           {"1m to 1h", "Time between two looks."},
		"watch.thresholds.free":    {"1 to 90", "Percent of a subnet's addresses below which it is low."},
		"watch.thresholds.looks":   {"1 to 100", "Looks in a row that have to find something before it is warned of."},
		"watch.thresholds.healthy": {"1 to 100", "Looks in a row that must not find it before the warning is closed."},

		"health":      {"an address such as `:8080`, or `none`", "Where `/healthz`, `/readyz` and `/metrics` are. `none` switches them off."},
		"logLevel":    {"`debug`, `info`, `warn`, `error`", "What the log tells at least. SIGUSR1 makes it `debug` while the program runs, SIGUSR2 again this."},
		"debug.pprof": {"an address of this machine, such as `127.0.0.1:6060`", "Where profiles (`/debug/pprof/`) and the level of the log (`/log/level`) are. Off without it, and never to be reached from elsewhere."},

		"approvers[].users[]":      {idsOfUsers, "Whose approvals count for `bot execute`, whatever `bot serve` records. With a file but without entries: nobody's."},
		"approvers[].groups[]":     {"none", "Refused: `bot execute` holds no Slack token, so it can't know who is in a group."},
		"approvers[].risks[]":      {"`low`, `medium`, `high`", "Only fixes of these risks. Empty: all."},
		"approvers[].fixes[]":      {fixes, "Only these fixes. Empty: all."},
		"approvers[].namespaces[]": {"", "Only questions about these namespaces. Empty: all, and those about the whole cluster, such as ip."},
	}
}

func reference(t reflect.Type, defaults reflect.Value, all map[string]about) []Setting {
	var out []Setting
	leaves(t, defaults, "", func(path string, t reflect.Type, v reflect.Value) {
		a := all[path]
		s := Setting{Path: strings.TrimSuffix(path, "[]"), Type: typeName(t), Values: a.values, About: a.text}
		if strings.HasSuffix(path, "[]") {
			s.Type = "list of " + s.Type
		}
		if v.IsValid() && !v.IsZero() {
			s.Default = fmt.Sprint(v.Interface())
		} else if v.IsValid() && t.Kind() == reflect.Bool {
			s.Default = "false"
		}
		out = append(out, s)
	})
	return out
}

// leaves visits every setting that takes a value, with its default where there can be one.
func leaves(t reflect.Type, v reflect.Value, path string, visit func(string, reflect.Type, reflect.Value)) {
	switch t.Kind() {
	case reflect.Struct:
		for i := range t.NumField() {
			f, name, value := t.Field(i), path, reflect.Value{}
			if v.IsValid() {
				value = v.Field(i)
			}
			if !f.Anonymous {
				name = strings.TrimPrefix(path+"."+key(f), ".")
			}
			leaves(f.Type, value, name, visit)
		}
	case reflect.Slice:
		leaves(t.Elem(), reflect.Value{}, path+"[]", visit)
	case reflect.Map:
		leaves(t.Elem(), reflect.Value{}, path+".*", visit)
	default:
		visit(path, t, v)
	}
}

// key is what stands for a field in the file.
func key(f reflect.StructField) string {
	return cmp.Or(f.Tag.Get("yaml"), strings.ToLower(f.Name))
}

func typeName(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "time"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Int:
		return "whole number"
	}
	return "text"
}

// undescribed lists the settings that have no description, and the descriptions that have no setting.
func undescribed() []string {
	all, seen := abouts(), map[string]bool{}
	var out []string
	note := func(path string, _ reflect.Type, _ reflect.Value) {
		if seen[path] = true; all[path].text == "" {
			out = append(out, path+" has no description")
		}
	}
	leaves(reflect.TypeFor[Config](), reflect.Value{}, "", note)
	leaves(reflect.TypeFor[Executor](), reflect.Value{}, "", note)
	for path := range all {
		if !seen[path] {
			out = append(out, path+" is no setting")
		}
	}
	slices.Sort(out)
	return out
}
