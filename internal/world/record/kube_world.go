package record

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// cluster is what the API server answered.
type cluster struct {
	objects map[string]*unstructured.Unstructured
	logs    map[string]string // "<namespace>/<pod>/<container>"
	metrics map[string]string // "<namespace>/<pod>"
	// What became of each permission ("list pods") in each scope: a namespace, or "" for the whole cluster.
	allowed, refused map[string]map[string]bool
	failed           map[string]query // by URL: reads that got no answer, until they get one
	// served holds, for each group that was looked up, the resources that the cluster serves, by their plural.
	served  map[string]map[string]custom
	customs map[string]custom // custom resources whose lists were answered, by "<plural>.<group>"
}

// custom is a custom resource that the cluster serves.
type custom struct {
	group, version, plural, kind string
	empty                        bool // there is none of it
	cluster                      bool // it is in no namespace, as far as that is known
}

// definition is what makes the cluster serve it.
func (c custom) definition() *unstructured.Unstructured {
	scope := "Namespaced"
	if c.cluster {
		scope = "Cluster"
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": map[string]any{"name": c.plural + "." + c.group},
		"spec": map[string]any{
			"group": c.group, "scope": scope, "names": map[string]any{"kind": c.kind, "plural": c.plural},
			"versions": []any{map[string]any{"name": c.version, "served": true, "storage": true}},
		},
	}}
}

func newCluster() cluster {
	return cluster{
		objects: map[string]*unstructured.Unstructured{}, logs: map[string]string{}, metrics: map[string]string{},
		allowed: map[string]map[string]bool{}, refused: map[string]map[string]bool{}, failed: map[string]query{},
		served: map[string]map[string]custom{}, customs: map[string]custom{},
	}
}

// content lists the objects, sorted by group, kind, namespace and name. A custom resource that is served but of which
// there is none, or none that may be read, gets its definition: without it, nothing would tell that the cluster serves it.
func (k *cluster) content() []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for _, key := range slices.Sorted(maps.Keys(k.objects)) {
		out = append(out, k.objects[key])
	}
	bare := map[string]custom{}
	for name, c := range k.customs {
		if c.empty {
			bare[name] = c
		}
	}
	for p := range k.refused {
		_, name, _ := strings.Cut(p, " ")
		plural, group, _ := strings.Cut(name, ".")
		if c, served := k.served[group][plural]; served && k.customs[name] == (custom{}) {
			bare[name] = c
		}
	}
	for _, name := range slices.Sorted(maps.Keys(bare)) {
		out = append(out, bare[name].definition())
	}
	return out
}

// denied spells what may not be read, as a world does. Reads that got no answer stand there too, since a world has no other
// word for them. lost names permissions of such reads; those of failed requests are added to it.
func (k *cluster) denied(lost map[string]bool) []string {
	out := map[string]bool{}
	for p, scopes := range k.refused {
		for scope := range scopes {
			if k.exists(p) {
				out[k.scoped(p, scope)] = true
			}
		}
	}
	for _, q := range k.failed {
		lost[q.permission()] = true
		out[k.scoped(q.permission(), q.namespace)] = true
	}
	for p := range lost {
		ofAWS, file := strings.Contains(p, ":"), strings.Contains(p, "/")
		if !ofAWS && !(file && len(k.allowed[p]) > 0) && !slices.ContainsFunc(slices.Collect(maps.Keys(out)), func(d string) bool { return strings.HasPrefix(d+" ", p+" ") }) {
			out[p] = true
		}
	}
	return slices.Sorted(maps.Keys(out))
}

// scoped is a permission, with its scope where it is granted in another.
func (k *cluster) scoped(permission, scope string) string {
	switch {
	case len(k.allowed[permission]) == 0:
		return permission
	case scope == "":
		return permission + " in all namespaces"
	}
	return permission + " in " + scope
}

// exists tells a resource that isn't served from one that may not be read: the API server refuses both alike.
func (k *cluster) exists(permission string) bool {
	_, resource, _ := strings.Cut(permission, " ")
	plural, group, custom := strings.Cut(resource, ".")
	served, looked := k.served[group]
	_, there := served[plural]
	return !custom || !looked || there
}
