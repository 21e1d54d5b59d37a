package fleet

import (
	"cmp"
	"iter"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"

	simkube "github.com/netdiag/netdiag/internal/sim/kube"
)

var _ simkube.Crowd = (*Fleet)(nil)

// Has tells what the fleet makes of Kubernetes: pods and nodes.
func (f *Fleet) Has(resource string) bool { return resource == "pods" || resource == "nodes" }

// Get makes one pod or node.
func (f *Fleet) Get(resource, namespace, name string) simkube.Object {
	if resource == "pods" {
		if p, ok := f.find(namespace, name); ok {
			return f.podObject(p)
		}
		return nil
	}
	if n, ok := f.nodeOf(name); ok {
		return f.nodeObject(n)
	}
	return nil
}

// nodeOf finds a node by its name.
func (f *Fleet) nodeOf(name string) (int, bool) {
	at, ok := slices.BinarySearchFunc(f.byName, name, func(n int, name string) int { return strings.Compare(f.nodes[n].name, name) })
	if !ok {
		return 0, false
	}
	return f.byName[at], true
}

// List makes the pods or nodes that are selected.
func (f *Fleet) List(resource string, q simkube.Query) iter.Seq[simkube.Object] {
	if resource == "nodes" {
		return f.listNodes(q)
	}
	return func(yield func(simkube.Object) bool) {
		for p := range f.candidates(q) {
			i := f.identify(p)
			if q.Namespace != "" && i.namespace != q.Namespace || simkube.Key(i.namespace, i.name()) <= q.After {
				continue
			}
			if !q.Labels.Empty() && !q.Labels.Matches(labels.Set(i.labels())) || !q.Fields.Empty() && !q.Fields.Matches(f.fieldsOf(p, i)) {
				continue
			}
			if !yield(f.podObject(p)) {
				return
			}
		}
	}
}

// candidates gives pods among which are those that are selected, in order.
func (f *Fleet) candidates(q simkube.Query) iter.Seq[pod] {
	if name, ok := q.Fields.RequiresExactMatch("spec.nodeName"); ok {
		n, ok := f.nodeOf(name)
		if !ok {
			return func(func(pod) bool) {}
		}
		return slices.Values(slices.SortedFunc(f.on(n), func(a, b pod) int {
			x, y := f.identify(a), f.identify(b)
			return cmp.Or(strings.Compare(x.namespace, y.namespace), strings.Compare(x.name(), y.name()))
		}))
	}
	if q.Namespace != "" {
		return f.in(q.Namespace)
	}
	return func(yield func(pod) bool) {
		for _, ns := range f.namespaces() {
			if ns < strings.Split(q.After, "/")[0] {
				continue
			}
			for p := range f.in(ns) {
				if !yield(p) {
					return
				}
			}
		}
	}
}

// fieldsOf gives the fields of a pod by which it can be selected.
func (f *Fleet) fieldsOf(p pod, i identity) fields.Set {
	phase, address := "Running", ""
	if p.slot >= stuckSlot {
		phase = "Pending"
	} else {
		address = f.podAddress(p).String()
	}
	return fields.Set{
		"metadata.name": i.name(), "metadata.namespace": i.namespace, "spec.nodeName": f.nodes[p.node].name, "status.phase": phase, "status.podIP": address,
		"spec.restartPolicy": "Always", "spec.schedulerName": "default-scheduler", "spec.serviceAccountName": i.serviceAccount(),
	}
}

func (f *Fleet) listNodes(q simkube.Query) iter.Seq[simkube.Object] {
	return func(yield func(simkube.Object) bool) {
		for _, n := range f.byName {
			name := f.nodes[n].name
			if simkube.Key("", name) <= q.After || !q.Fields.Empty() && !q.Fields.Matches(fields.Set{"metadata.name": name, "spec.unschedulable": "false"}) {
				continue
			}
			o := f.nodeObject(n)
			if (q.Labels.Empty() || q.Labels.Matches(labels.Set(o.Labels))) && !yield(o) {
				return
			}
		}
	}
}
