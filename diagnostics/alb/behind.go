package alb

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

// behind is the pod that answers for a target, and the ports of the pod that requests and health checks come to; a port
// is 0 where it isn't known. Behind a node stands a pod of its own first, because kube-proxy may choose any.
func (t *target) behind() (p *corev1.Pod, port, hcPort int) {
	if t.group.TargetType != "instance" {
		return t.pod, t.port, t.hcPort
	}
	ready := t.group.ready()
	i := slices.IndexFunc(ready, func(e endpoint) bool { return t.node != nil && e.node == t.node.Name })
	if i < 0 && (len(ready) == 0 || local(t.group.svc)) {
		return nil, 0, 0
	}
	e := ready[max(i, 0)]
	port = e.port
	if t.hcPort == t.port {
		hcPort = port
	}
	return t.group.m.s.pod(t.group.namespace, e.pod), port, hcPort
}

// reading is what one target says of itself: a cause, with the sentence that tells it of all targets that say the same.
type reading struct {
	diagnostics.Finding // id, confidence, subject where it isn't the Service, and evidence beside health and health check
	says                func(which string, ts []*target) string
}

// readings asks each target for itself, because faults are per target, and reports those that say the same as one.
func (a *analysis) readings(g *group, ts []*target, weight func([]*target) int, ask func(*group, *target) (reading, bool)) {
	var order []string
	said := map[string][]*target{}
	first := map[string]reading{}
	for _, t := range ts {
		r, ok := ask(g, t)
		if !ok {
			continue
		}
		if r.Subject == "" {
			r.Subject = g.subject()
		}
		key := r.ID + " " + r.Subject
		if said[key] == nil {
			order, first[key] = append(order, key), r
		}
		said[key] = append(said[key], t)
	}
	for _, key := range order {
		f, same := first[key].Finding, said[key]
		f.Affects, f.Weight = affected(same), weight(same)
		f.Summary = first[key].says(some(len(same), len(g.registered()), "target")+" of "+g.Name, same)
		f.Evidence = append([]diagnostics.Evidence{g.evidence(same), g.checkEvidence()}, f.Evidence...)
		a.report(f)
	}
}

// pods lists the pods behind the targets of a group, each once.
func (g *group) pods() []*corev1.Pod {
	var out []*corev1.Pod
	for _, t := range g.registered() {
		if p, _, _ := t.behind(); p != nil && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

// readyOf counts the pods behind a group that are ready.
func (g *group) readyOf() (ready, all int) {
	for _, p := range g.pods() {
		all++
		if isReady(p) {
			ready++
		}
	}
	return ready, all
}
