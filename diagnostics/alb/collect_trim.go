package alb

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

// trim puts the lists into an order of their own, and leaves out what says nothing about the ingress: pods and events of
// others, and the bookkeeping of the API server.
func (c *collector) trim() {
	s := c.s
	c.order()
	var selectors []map[string]string
	for _, svc := range s.Services {
		if len(svc.Spec.Selector) > 0 && s.serves(svc) {
			selectors = append(selectors, svc.Spec.Selector)
		}
	}
	targets := map[string]bool{}
	for _, g := range s.TargetGroups {
		for _, h := range g.Health {
			targets[h.ID] = true
		}
	}
	var pods []corev1.Pod
	for _, p := range s.Pods {
		if targets[p.Status.PodIP] || len(s.Pods) <= 200 || slices.ContainsFunc(selectors, func(sel map[string]string) bool { return near(sel, p.Labels) }) {
			pods = append(pods, p)
		}
	}
	s.Pods = pods
	s.Nodes = s.hosts()
	var events []corev1.Event
	for _, e := range s.Events {
		if s.concerns(e) {
			events = append(events, e)
		}
	}
	s.Events = events
	s.forget()
}

// hosts are the nodes that matter: all of them where nodes are targets, or where they are few; else those that run a pod or
// an endpoint that is kept.
func (s *Snapshot) hosts() []corev1.Node {
	const few = 200
	if len(s.Nodes) <= few || slices.ContainsFunc(s.TargetGroups, func(g TargetGroup) bool { return g.TargetType != "ip" }) {
		return s.Nodes
	}
	host := map[string]bool{}
	for i := range s.Pods {
		host[s.Pods[i].Spec.NodeName] = true
	}
	for _, l := range s.Slices {
		for _, e := range l.Endpoints {
			if e.NodeName != nil {
				host[*e.NodeName] = true
			}
		}
	}
	return slices.DeleteFunc(s.Nodes, func(n corev1.Node) bool { return !host[n.Name] })
}

// forget takes out of the snapshot what no question needs and nobody should find in it: environments, in which secrets may
// stand, the copies of them that kubectl keeps, and bookkeeping. Who manages the fields of an ingress, a Service or a
// Deployment stays, because it tells who owns them.
func (s *Snapshot) forget() {
	for i := range s.Pods {
		hush(&s.Pods[i].ObjectMeta)
		s.Pods[i].ManagedFields = nil
		bare(&s.Pods[i].Spec)
	}
	for i := range s.Deployments {
		hush(&s.Deployments[i].ObjectMeta)
		bare(&s.Deployments[i].Spec.Template.Spec)
	}
	for i := range s.ReplicaSets {
		hush(&s.ReplicaSets[i].ObjectMeta)
		s.ReplicaSets[i].ManagedFields = nil
		bare(&s.ReplicaSets[i].Spec.Template.Spec)
	}
	for i := range s.StatefulSets {
		hush(&s.StatefulSets[i].ObjectMeta)
		bare(&s.StatefulSets[i].Spec.Template.Spec)
	}
	for i := range s.Services {
		hush(&s.Services[i].ObjectMeta)
	}
	for i := range s.Slices {
		s.Slices[i].ManagedFields = nil
	}
	for i := range s.Events {
		s.Events[i].ManagedFields = nil
	}
	for i := range s.Nodes {
		s.Nodes[i].ManagedFields, s.Nodes[i].Status.Images = nil, nil
	}
}

// hush drops the copy of the whole object that kubectl apply keeps, and what each manager manages; only who and when stays.
func hush(m *metav1.ObjectMeta) {
	if _, ok := m.Annotations[corev1.LastAppliedConfigAnnotation]; ok {
		m.Annotations = maps.Clone(m.Annotations)
		delete(m.Annotations, corev1.LastAppliedConfigAnnotation)
	}
	m.ManagedFields = slices.Clone(m.ManagedFields)
	for i := range m.ManagedFields {
		m.ManagedFields[i].FieldsV1 = nil
	}
}

// bare drops the environments of containers. The objects belong to the reader, so they are copied first.
func bare(p *corev1.PodSpec) {
	p.Containers = slices.Clone(p.Containers)
	for i := range p.Containers {
		p.Containers[i].Env, p.Containers[i].EnvFrom = nil, nil
	}
	p.InitContainers = slices.Clone(p.InitContainers)
	for i := range p.InitContainers {
		p.InitContainers[i].Env, p.InitContainers[i].EnvFrom = nil, nil
	}
}

// near reports whether the labels match the selector, or miss it by one key.
func near(selector, labels map[string]string) bool {
	wrong := 0
	for k, v := range selector {
		if labels[k] != v {
			wrong++
		}
	}
	return wrong == 0 || (wrong == 1 && len(selector) > 1) || (wrong == 1 && looksLike(selector, labels))
}

// looksLike reports whether a value of the selector stands under another key, or its key has a similar value.
func looksLike(selector, labels map[string]string) bool {
	for k, v := range selector {
		if have, ok := labels[k]; ok && (diagnostics.Distance(have, v) <= 3 || strings.HasPrefix(have, v) || strings.HasPrefix(v, have)) {
			return true
		}
		for _, have := range labels {
			if have == v {
				return true
			}
		}
	}
	return false
}

// concerns reports whether an event is about the ingress, its group, its bindings, its workloads or a node.
func (s *Snapshot) concerns(e corev1.Event) bool {
	switch o := e.InvolvedObject; o.Kind {
	case "Ingress":
		if s.Ingress != nil && o.Namespace == s.Ingress.Namespace && o.Name == s.Ingress.Name {
			return true
		}
		for _, m := range s.Members {
			if o.Namespace == m.Namespace && o.Name == m.Name {
				return true
			}
		}
		return false
	case "TargetGroupBinding":
		for _, b := range s.Bindings {
			if o.Namespace == b.Namespace && o.Name == b.Name {
				return true
			}
		}
		return false
	case "Pod":
		return s.pod(o.Namespace, o.Name) != nil
	case "Node", "NodeClaim", "Deployment", "ReplicaSet", "StatefulSet", "Service":
		return true
	}
	return false
}
