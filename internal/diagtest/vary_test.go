package diagtest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/netdiag/netdiag/internal/world"
)

// renaming gives every identifier of a world another one of the same form: resource ids, the account, the cluster, and the
// names of namespaces, workloads and pods outside kube-system. The texts of the world are changed as a whole, so that what belonged
// together still does.
type renaming struct{ to, back map[string]string }

var resourceID = regexp.MustCompile(`\b(?:subnet|eni|eni-attach|i|sg|sgr|vpc|acl|rtb|nat|igw|vpce|pl|lt|eipalloc|aclassoc|rtbassoc)-[0-9a-f]{8,17}\b`)

// word is what a name can be made of: a name is only replaced where it is not a part of a longer word.
var word = regexp.MustCompile(`[A-Za-z0-9]+(?:[-.][A-Za-z0-9]+)*`)

func digest(s string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s))
	return h.Sum64()
}

// another gives a hexadecimal id of the same length.
func another(id string) string {
	cut := strings.LastIndex(id, "-") + 1
	hex := fmt.Sprintf("%016x%016x", digest(id), digest(id+"+"))
	return id[:cut] + hex[:len(id)-cut]
}

// namesOf collects what is renamed: names that people give.
func namesOf(w *world.World) []string {
	names := map[string]bool{}
	for _, o := range w.Objects {
		ns := o.GetNamespace()
		switch o.GetKind() {
		case "Namespace":
			ns = o.GetName()
		case "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Pod", "Ingress", "Service", "TargetGroupBinding", "Job":
		default:
			continue
		}
		if strings.HasPrefix(ns, "kube-") || ns == "default" || ns == "" {
			continue
		}
		names[o.GetName()] = true
		names[ns] = true
	}
	// A name that is also a word of an API, of a label or of a message can't be told from it in a text.
	for _, o := range w.Objects {
		for k := range o.GetLabels() {
			delete(names, k)
		}
	}
	for _, plain := range []string{"default", "http", "https", "web", "app", "monitoring", "nginx", "controller", "data", "api"} {
		delete(names, plain)
	}
	return slices.Sorted(maps.Keys(names))
}

func rename(t *testing.T, w *world.World) renaming {
	t.Helper()
	r := renaming{map[string]string{}, map[string]string{}}
	for _, n := range append(namesOf(w), w.Meta.Cluster) {
		// The same words, each another one: what is made of names, and a StatefulSet's ordinal, keep their form.
		parts := strings.Split(n, "-")
		for i, p := range parts {
			if _, err := strconv.Atoi(p); err != nil {
				parts[i] = "q" + strconv.FormatUint(digest(p)%0xffffff, 36) + "z"
				r.back[parts[i]] = p
			}
		}
		r.to[n] = strings.Join(parts, "-")
	}
	if w.Meta.Account != "" {
		r.to[w.Meta.Account], r.back["998877665544"] = "998877665544", w.Meta.Account
	}
	change := func(text string) string {
		text = resourceID.ReplaceAllStringFunc(text, func(id string) string {
			to := another(id)
			r.back[to] = id
			return to
		})
		return word.ReplaceAllStringFunc(text, r.word)
	}
	for _, o := range w.Objects {
		values(o.Object, change)
	}
	for _, lists := range w.AWS {
		for k, raw := range lists {
			dec := json.NewDecoder(bytes.NewReader(raw))
			dec.UseNumber()
			var v any
			if err := dec.Decode(&v); err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(values(v, change))
			if err != nil {
				t.Fatal(err)
			}
			lists[k] = text
		}
	}
	for _, texts := range []map[string]string{w.Logs, w.Metrics} {
		for k, text := range maps.Clone(texts) {
			delete(texts, k)
			texts[change(k)] = change(text)
		}
	}
	w.Meta.Ask, w.Meta.Cluster, w.Meta.Account = change(w.Meta.Ask), change(w.Meta.Cluster), change(w.Meta.Account)
	return r
}

// values changes every text within v, and keys where they are ARNs; other keys are words of an API.
func values(v any, change func(string) string) any {
	switch v := v.(type) {
	case string:
		return change(v)
	case []any:
		for i, e := range v {
			v[i] = values(e, change)
		}
	case map[string]any:
		for _, k := range slices.Collect(maps.Keys(v)) {
			e := values(v[k], change)
			if strings.HasPrefix(k, "arn:") {
				delete(v, k)
				k = change(k)
			}
			v[k] = e
		}
	}
	return v
}

// word renames one word: a name, or one that is made of names, as service.namespace.svc or ingress-service:port are.
func (r renaming) word(s string) string {
	labels := strings.Split(s, ".")
	for l, label := range labels {
		parts := strings.Split(label, "-")
		var out []string
		for i := 0; i < len(parts); {
			n := len(parts)
			for ; n > i; n-- {
				if to, ok := r.to[strings.Join(parts[i:n], "-")]; ok {
					out = append(out, to)
					break
				}
			}
			if n == i {
				out = append(out, parts[i])
				n = i + 1
			}
			i = n
		}
		labels[l] = strings.Join(out, "-")
	}
	return strings.Join(labels, ".")
}

var token = regexp.MustCompile(`[A-Za-z0-9]+`)

// undo gives a text its old names back.
func (r renaming) undo(text string) string {
	back := func(s string) string {
		if from, ok := r.back[s]; ok {
			return from
		}
		return s
	}
	return token.ReplaceAllStringFunc(resourceID.ReplaceAllStringFunc(text, back), back)
}

// shuffle puts objects and the items of every AWS list into another order.
func shuffle(t *testing.T, w *world.World, seed uint64) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // repeatable on purpose
	rnd.Shuffle(len(w.Objects), func(i, j int) { w.Objects[i], w.Objects[j] = w.Objects[j], w.Objects[i] })
	mix := func(raw json.RawMessage) (json.RawMessage, error) {
		var items []json.RawMessage
		if err := json.Unmarshal(raw, &items); err != nil {
			return nil, err
		}
		rnd.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
		return json.Marshal(items)
	}
	for _, service := range slices.Sorted(maps.Keys(w.AWS)) {
		for _, name := range slices.Sorted(maps.Keys(w.AWS[service])) {
			raw := w.AWS[service][name]
			mixed, err := mix(raw)
			if err != nil { // an object keyed by ARN
				var lists map[string]json.RawMessage
				if err := json.Unmarshal(raw, &lists); err != nil {
					t.Fatal(err)
				}
				for _, arn := range slices.Sorted(maps.Keys(lists)) {
					if lists[arn], err = mix(lists[arn]); err != nil {
						t.Fatal(err)
					}
				}
				if mixed, err = json.Marshal(lists); err != nil {
					t.Fatal(err)
				}
			}
			w.AWS[service][name] = mixed
		}
	}
}

// crowd adds 200 pods that have nothing to do with the question: finished ones everywhere, and ones that use their node's own
// address where a node may hold more pods than it does. (The last are less room for pods that could be moved: how much a move frees may change.)
func crowd(w *world.World) {
	type node struct {
		name string
		room int
	}
	var nodes []*node
	byName := map[string]*node{}
	for _, o := range w.Objects {
		if o.GetKind() != "Node" {
			continue
		}
		pods, _, _ := unstructured.NestedString(o.Object, "status", "allocatable", "pods")
		room, _ := strconv.Atoi(pods)
		n := &node{o.GetName(), room}
		nodes, byName[n.name] = append(nodes, n), n
	}
	for _, o := range w.Objects {
		if o.GetKind() == "Pod" {
			on, _, _ := unstructured.NestedString(o.Object, "spec", "nodeName")
			if n := byName[on]; n != nil {
				n.room--
			}
		}
	}
	for _, n := range nodes {
		n.room /= 2 // what can be moved there still can
	}
	namespaces := []string{"batch-of-others"}
	if namespace, ok := strings.CutPrefix(w.Meta.Ask, "pending "); ok {
		namespaces = append(namespaces, strings.Fields(namespace)[0])
	}
	for i := range 200 {
		spec := map[string]any{"containers": []any{map[string]any{"name": "main", "image": "registry.example/job:1"}}}
		status := map[string]any{"phase": "Succeeded", "podIP": fmt.Sprintf("198.18.0.%d", i+1), "conditions": []any{}}
		ns := namespaces[i%len(namespaces)]
		if len(nodes) > 0 {
			n := nodes[i%len(nodes)]
			spec["nodeName"] = n.name
			if i%2 == 0 && n.room > 0 {
				n.room--
				ns = namespaces[0]
				spec["hostNetwork"] = true
				ready := map[string]any{"type": "Ready", "status": "True"}
				status = map[string]any{"phase": "Running", "podIP": "10.0.0.1", "conditions": []any{ready}}
			}
		}
		w.Objects = append(w.Objects, &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "Pod",
			"metadata": map[string]any{"name": fmt.Sprintf("unrelated-%03d", i), "namespace": ns, "uid": fmt.Sprintf("00000000-0000-4000-8000-%012d", i), "creationTimestamp": w.Meta.Now.Add(-3600e9).UTC().Format("2006-01-02T15:04:05Z")},
			"spec":     spec, "status": status,
		}})
	}
	w.Objects = append(w.Objects, &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "batch-of-others"}}})
}
