package world

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// redacted stands where something was taken out.
const redacted = "redacted"

// Redact takes out of a captured world what no diagnosis needs and nobody outside may see: Secrets, the values of
// environment variables other than the VPC CNI's, annotations that no network controller reads, most managedFields, the
// images on nodes, and in every text tokens, keys, passwords and mail addresses. Ids of AWS accounts are replaced, the same
// one by the same, within ARNs too. Names, labels, tags and addresses stay: they are what is diagnosed.
func (w *World) Redact() {
	var kept []*unstructured.Unstructured
	for _, u := range w.Objects {
		if redactObject(u) {
			kept = append(kept, u)
		}
	}
	w.Objects = kept
	lists := map[string]map[string]any{}
	for service, raws := range w.AWS {
		lists[service] = map[string]any{}
		for name, raw := range raws {
			lists[service][name] = redactList(service, name, decodeNumbers(raw))
		}
	}
	s := newScrubber(w.Meta.Account)
	s.learn(w.Meta.Account)
	for _, u := range w.Objects {
		walkTexts(u.Object, s.learn)
	}
	walkTexts(lists, s.learn)
	for _, texts := range []map[string]string{w.Logs, w.Metrics} {
		for _, text := range texts {
			s.learn(text)
		}
	}
	for _, u := range w.Objects {
		u.Object, _ = rewrite(u.Object, s.text).(map[string]any)
	}
	for service, byName := range lists {
		for name, v := range byName {
			b, err := json.MarshalIndent(rewrite(v, s.text), "    ", "  ")
			if err != nil {
				panic(err) // it was decoded from JSON
			}
			w.AWS[service][name] = b
		}
	}
	for _, texts := range []map[string]string{w.Logs, w.Metrics} {
		for key, text := range texts {
			texts[key] = s.text(text)
		}
	}
	w.Meta.Account = s.text(w.Meta.Account)
}

// redactObject takes out what an object holds beyond what is diagnosed; false where all of it has to go.
func redactObject(u *unstructured.Unstructured) bool {
	switch u.GetKind() {
	case "Secret":
		return false
	case "ConfigMap":
		if u.GetName() != "amazon-vpc-cni" {
			for _, field := range []string{"data", "binaryData"} {
				unstructured.RemoveNestedField(u.Object, field)
			}
		}
	case "Node":
		unstructured.RemoveNestedField(u.Object, "status", "images")
	}
	cni := isCNI(u)
	redactManagers(u, cni)
	redactTree(u.Object, cni)
	return true
}

// isCNI tells the aws-node DaemonSet and its pods.
func isCNI(u *unstructured.Unstructured) bool {
	return u.GetNamespace() == "kube-system" && (u.GetName() == "aws-node" || strings.HasPrefix(u.GetName(), "aws-node-"))
}

// bookkept are the kinds of which nobody asks who last changed them.
var bookkept = []string{"Pod", "ReplicaSet", "EndpointSlice", "Event", "Node", "Namespace", "Endpoints", "CSINode", "Lease"}

// redactManagers keeps who changed an object and when; of the CNI's DaemonSet also which fields, since they tell who owns a setting.
func redactManagers(u *unstructured.Unstructured, cni bool) {
	if slices.Contains(bookkept, u.GetKind()) {
		unstructured.RemoveNestedField(u.Object, "metadata", "managedFields")
		return
	}
	managers, _, _ := unstructured.NestedSlice(u.Object, "metadata", "managedFields")
	for _, m := range managers {
		if m, ok := m.(map[string]any); ok && !cni {
			delete(m, "fieldsV1")
			delete(m, "fieldsType")
		}
	}
	if len(managers) > 0 {
		_ = unstructured.SetNestedSlice(u.Object, managers, "metadata", "managedFields") // metadata is there: it held them
	}
}

// annotators are the domains whose annotations say something about networking, scheduling or ownership.
var annotators = []string{
	"kubernetes.io", "k8s.io", "k8s.aws", "amazonaws.com", "helm.sh", "argoproj.io", "fluxcd.io", "karpenter.sh", "eksctl.io", "istio.io", "linkerd.io", "cilium.io",
}

func keepsAnnotation(key string) bool {
	domain, name, ok := strings.Cut(key, "/")
	return ok && name != "last-applied-configuration" && slices.ContainsFunc(annotators, func(a string) bool {
		return domain == a || strings.HasSuffix(domain, "."+a)
	})
}

// redactTree goes through an object, pod templates included.
func redactTree(v any, cni bool) {
	switch v := v.(type) {
	case map[string]any:
		if metadata, ok := v["metadata"].(map[string]any); ok {
			if all, ok := metadata["annotations"].(map[string]any); ok {
				maps.DeleteFunc(all, func(key string, _ any) bool { return !keepsAnnotation(key) })
			}
		}
		for key, e := range v {
			if key == "env" {
				redactEnv(e, cni)
				continue
			}
			redactTree(e, cni)
		}
	case []any:
		for _, e := range v {
			redactTree(e, cni)
		}
	}
}

// redactEnv takes the values out of a container's environment; those of the CNI are its settings.
func redactEnv(v any, cni bool) {
	list, _ := v.([]any)
	for _, e := range list {
		variable, ok := e.(map[string]any)
		name, _ := variable["name"].(string)
		if value, set := variable["value"].(string); ok && set && value != "" && !(cni && !secretName.MatchString(name)) {
			variable["value"] = redacted
		}
	}
}

// redactList takes out what a list of aws.json holds beyond what is diagnosed.
func redactList(service, name string, v any) any {
	items, _ := v.([]any)
	for _, item := range items {
		o, ok := item.(map[string]any)
		if !ok {
			continue
		}
		switch service + "." + name {
		case "eks.Clusters":
			delete(o, "certificateAuthority")
		case "eks.Addons":
			if o["addonName"] != "vpc-cni" && o["configurationValues"] != nil {
				o["configurationValues"] = redacted
			}
		case "cloudtrail.Events":
			delete(o, "AccessKeyId")
			if record, ok := o["CloudTrailEvent"].(string); ok {
				o["CloudTrailEvent"] = redactRecord(record)
			}
		}
	}
	return v
}

// told are the fields of a CloudTrail record that say what was changed, and whether it worked.
var told = []string{
	"eventVersion", "eventTime", "eventSource", "eventName", "eventID", "eventType", "awsRegion", "errorCode", "errorMessage",
	"requestParameters", "responseElements", "readOnly", "resources", "userIdentity",
}

// redactRecord leaves out of a CloudTrail record from where and with which keys it was called. The role that called stays:
// it tells the controller of one cluster from that of another.
func redactRecord(text string) string {
	var record map[string]any
	if json.Unmarshal([]byte(text), &record) != nil {
		return text // no record; the texts within are still scrubbed
	}
	only := func(v any, fields ...string) map[string]any {
		m, _ := v.(map[string]any)
		maps.DeleteFunc(m, func(key string, _ any) bool { return !slices.Contains(fields, key) })
		return m
	}
	only(record, told...)
	who := only(record["userIdentity"], "type", "arn", "sessionContext")
	session := only(who["sessionContext"], "sessionIssuer")
	only(session["sessionIssuer"], "type", "arn", "userName")
	b, err := json.Marshal(record)
	if err != nil {
		panic(err) // it was decoded from JSON
	}
	return string(b)
}

func decodeNumbers(raw json.RawMessage) any {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		panic(err) // Load or a recorder made it
	}
	return v
}

// walkTexts calls f with every text below v, keys included.
func walkTexts(v any, f func(string)) {
	rewrite(v, func(s string) string { f(s); return s })
}

// checkpointHash holds a hash of what the load balancer controller last registered: it looks like a key, and is none.
const checkpointHash = "elbv2.k8s.aws/checkpoint"

// rewrite replaces every text below v, keys included.
func rewrite(v any, f func(string) string) any {
	switch v := v.(type) {
	case map[string]map[string]any:
		for _, e := range v {
			rewrite(e, f)
		}
		return v
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, e := range v {
			if key == checkpointHash {
				out[key] = e
				continue
			}
			out[f(key)] = rewrite(e, f)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = rewrite(e, f)
		}
		return out
	case string:
		return f(v)
	}
	return v
}
