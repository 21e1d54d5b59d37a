package pending

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

// mostPods is how many pods of the namespace are read. Of a larger one only those are that have something to explain.
const mostPods = 2000

// readNamespace reads the pods of the namespace: all of them, or of very many those that wait, those that were refused and those
// that are in the way of others; then what makes them tells how many there are.
func (c *collector) readNamespace(ctx context.Context, m makers) error {
	ns, name := c.s.Target.Namespace, c.s.Target.Name
	queries := []diagnostics.PodQuery{{Namespace: ns}}
	if have, _ := m.count(); have > mostPods {
		queries = []diagnostics.PodQuery{{Namespace: ns, Phase: string(corev1.PodPending)}, {Namespace: ns, Phase: string(corev1.PodFailed)}}
		if name != "" {
			queries = append(queries, diagnostics.PodQuery{Namespace: ns, Name: name})
		} else {
			c.counted, c.s.Unlisted = true, true
			c.s.Live, c.s.Ready = m.count()
		}
		queries = append(queries, m.selected(ns, name)...)
	}
	c.kube -= len(queries)
	g, ctx := c.reads.Group(ctx)
	found := make([][]corev1.Pod, len(queries))
	for n, q := range queries {
		g.Read("", into(&found[n], func() ([]corev1.Pod, error) { return c.in.Pods.Pods(ctx, q) }))
	}
	if err := g.Wait(); err != nil {
		return err
	}
	c.all = slices.Concat(found...)
	slices.SortFunc(c.all, byName)
	c.all = slices.CompactFunc(c.all, func(a, b corev1.Pod) bool { return a.Name == b.Name })
	return nil
}

// count is how many pods the controllers have, and how many of them are ready.
func (m makers) count() (have, ready int) {
	for n := range m.sets {
		have, ready = have+int(m.sets[n].Status.Replicas), ready+int(m.sets[n].Status.ReadyReplicas)
	}
	for n := range m.stateful {
		have, ready = have+int(m.stateful[n].Status.Replicas), ready+int(m.stateful[n].Status.ReadyReplicas)
	}
	for n := range m.jobs {
		have += int(m.jobs[n].Status.Active)
		if r := m.jobs[n].Status.Ready; r != nil {
			ready += int(*r)
		}
	}
	for n := range m.daemons {
		have, ready = have+int(m.daemons[n].Status.CurrentNumberScheduled), ready+int(m.daemons[n].Status.NumberReady)
	}
	return have, ready
}

// selected asks for the pods of a few controllers: those that have a name or are made by what has it or, where no name is
// asked for, StatefulSets that wait for one of their pods to go.
func (m makers) selected(ns, name string) []diagnostics.PodQuery {
	const most = 4
	var out []diagnostics.PodQuery
	add := func(s *metav1.LabelSelector) {
		if s != nil && len(out) < most {
			out = append(out, diagnostics.PodQuery{Namespace: ns, Labels: metav1.FormatLabelSelector(s)})
		}
	}
	for n := range m.stateful {
		if s := &m.stateful[n]; name == "" && int(s.Status.ReadyReplicas) < replicas(s.Spec.Replicas) {
			add(s.Spec.Selector)
		}
	}
	if name == "" {
		return out
	}
	named := func(o metav1.Object) bool { return o.GetName() == name || controllerName(o) == name }
	for n := range m.sets {
		if s := &m.sets[n]; named(s) && replicas(s.Spec.Replicas)+int(s.Status.Replicas) > 0 {
			add(s.Spec.Selector)
		}
	}
	for n := range m.stateful {
		if named(&m.stateful[n]) {
			add(m.stateful[n].Spec.Selector)
		}
	}
	for n := range m.jobs {
		if j := &m.jobs[n]; named(j) && j.Status.CompletionTime == nil {
			add(j.Spec.Selector)
		}
	}
	for n := range m.daemons {
		if named(&m.daemons[n]) {
			add(m.daemons[n].Spec.Selector)
		}
	}
	return out
}
