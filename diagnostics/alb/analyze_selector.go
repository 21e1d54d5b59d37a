package alb

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

// workload is something that makes pods which the selector of a Service matches.
type workload struct {
	kind, namespace, name string
	wanted, there         int
	object                metav1.Object
}

func (w workload) String() string { return w.kind + " " + w.namespace + "/" + w.name }

// workloads lists what makes pods for the Service of a group, by the labels of their templates. The ReplicaSets of other
// controllers than Deployments (rollouts of Argo, say) stand for those.
func (a *analysis) workloads(g *group) []workload {
	var out []workload
	if g.svc == nil || len(g.svc.Spec.Selector) == 0 {
		return nil
	}
	serves := func(namespace string, labels map[string]string) bool {
		return namespace == g.namespace && matches(g.svc.Spec.Selector, labels)
	}
	for i, d := range a.s.Deployments {
		if serves(d.Namespace, d.Spec.Template.Labels) {
			out = append(out, workload{"Deployment", d.Namespace, d.Name, replicas(d), int(d.Status.Replicas), &a.s.Deployments[i]})
		}
	}
	for i, st := range a.s.StatefulSets {
		if serves(st.Namespace, st.Spec.Template.Labels) {
			out = append(out, workload{"StatefulSet", st.Namespace, st.Name, wantedOf(st.Spec.Replicas), int(st.Status.Replicas), &a.s.StatefulSets[i]})
		}
	}
	if len(out) > 0 {
		return out
	}
	var newest *appsv1.ReplicaSet
	for i, rs := range a.s.ReplicaSets {
		owned := metav1.GetControllerOf(&rs)
		if serves(rs.Namespace, rs.Spec.Template.Labels) && (owned == nil || owned.Kind != "Deployment") && (newest == nil || newest.CreationTimestamp.Before(&rs.CreationTimestamp)) {
			newest = &a.s.ReplicaSets[i]
		}
	}
	if newest != nil {
		w := workload{"ReplicaSet", newest.Namespace, newest.Name, wantedOf(newest.Spec.Replicas), int(newest.Status.Replicas), newest}
		if o := metav1.GetControllerOf(newest); o != nil {
			w.kind, w.name = o.Kind, o.Name
		}
		out = append(out, w)
	}
	return out
}

func wantedOf(n *int32) int {
	if n == nil {
		return 1
	}
	return int(*n)
}

// scaler is who last changed the number of replicas, and when; empty where the object doesn't say.
func scaler(o metav1.Object) (who string, at time.Time) {
	for _, m := range o.GetManagedFields() {
		if m.Subresource == "scale" && m.Time != nil && m.Time.After(at) {
			who, at = m.Manager, m.Time.Time
		}
	}
	return who, at
}

// noPods tells a workload that is scaled to zero from a selector that matches nothing.
func (a *analysis) noPods(g *group, f diagnostics.Finding) {
	if len(g.svc.Spec.Selector) == 0 {
		f.ID, f.Reason = "ep.none-ready", "no-selector"
		f.Summary = fmt.Sprintf("Service %s/%s has no selector and no endpoints, so target group %s is empty%s", g.namespace, g.service, g.Name, a.share(g))
		a.report(f)
		return
	}
	if list := a.workloads(g); len(list) > 0 {
		a.withoutPods(g, list[0], f)
		return
	}
	for _, kind := range []string{"deployments", "statefulsets", "replicasets"} {
		if a.s.missedIn("list "+kind+".apps", g.namespace) {
			return // it may only be scaled to zero
		}
	}
	f.ID = "ep.selector"
	f.Summary = fmt.Sprintf("the selector of Service %s/%s (%s) matches no pod, so target group %s is empty%s", g.namespace, g.service, labels(g.svc.Spec.Selector), g.Name, a.share(g))
	if n, found := a.nearMiss(g); found {
		f.Summary += ": " + n.text
		f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "pods that nearly match", Value: fmt.Sprintf("%s; %s match %s", n.text, plural(len(n.pods), "pod"), labels(n.selector)), Source: "list pods", Repeat: fmt.Sprintf("kubectl get pods -n %s --show-labels", g.namespace)})
	} else {
		f.Summary += ", and neither does the template of any workload"
	}
	a.report(f)
}

// withoutPods reports a workload that matches and has no pods: because none are wanted, or because none could be made.
func (a *analysis) withoutPods(g *group, w workload, f diagnostics.Finding) {
	f.ID, f.Reason = "ep.none-ready", "scaled-to-zero"
	f.Affects = append(f.Affects, strings.ToLower(w.kind)+"/"+w.namespace+"/"+w.name)
	value := fmt.Sprintf("%d replicas wanted, %d there", w.wanted, w.there)
	f.Summary = fmt.Sprintf("%s behind Service %s is scaled to 0, so target group %s is empty%s", w, g.service, g.Name, a.share(g))
	if w.wanted > 0 {
		f.Reason = "no-pods"
		f.Summary = fmt.Sprintf("%s wants %d pods and has none, so target group %s is empty%s", w, w.wanted, g.Name, a.share(g))
	} else if who, at := scaler(w.object); who != "" {
		value += fmt.Sprintf(", scaled by %s at %s", who, at.UTC().Format(time.RFC3339))
		f.Summary = fmt.Sprintf("%s behind Service %s was scaled to 0 by %s, so target group %s is empty%s", w, g.service, who, g.Name, a.share(g))
	}
	f.Evidence = append(f.Evidence, diagnostics.Evidence{What: w.String(), Value: value, Source: "list " + strings.ToLower(w.kind) + "s.apps",
		Repeat: fmt.Sprintf("kubectl get %s %s -n %s", strings.ToLower(w.kind), w.name, w.namespace)})
	for _, e := range a.s.Events { // what keeps pods from being made is told to their ReplicaSet or StatefulSet
		o := e.InvolvedObject
		if e.Reason == "FailedCreate" && o.Namespace == w.namespace && strings.HasPrefix(o.Name, w.name) {
			f.Evidence = append(f.Evidence, eventEvidence(e))
		}
	}
	a.report(f)
}

// nearby is the selector that a Service probably means.
type nearby struct {
	text     string
	selector map[string]string
	pods     []*corev1.Pod // that it matches
	cost     int
	taken    bool // by another Service
}

// nearMiss finds the running pods whose labels differ from the selector in one entry: those that no Service selects go
// before others, then the most similar and the most numerous. Pods that another Service has must at least look alike.
func (a *analysis) nearMiss(g *group) (nearby, bool) {
	var found []nearby
	for i := range a.s.Pods {
		p := &a.s.Pods[i]
		if p.Namespace != g.namespace || p.DeletionTimestamp != nil || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
			continue
		}
		taken := a.selectedBy(p)
		if !near(g.svc.Spec.Selector, p.Labels) && (taken || !misses(g.svc.Spec.Selector, p.Labels)) {
			continue
		}
		if n, ok := mend(g.svc.Spec.Selector, p); ok && !slices.ContainsFunc(found, func(o nearby) bool { return maps.Equal(o.selector, n.selector) }) {
			n.pods, n.taken = a.running(g.namespace, n.selector), taken
			found = append(found, n)
		}
	}
	slices.SortStableFunc(found, func(x, y nearby) int {
		if x.taken != y.taken {
			return map[bool]int{true: 1, false: -1}[x.taken]
		}
		if x.cost != y.cost {
			return x.cost - y.cost
		}
		return len(y.pods) - len(x.pods)
	})
	if len(found) == 0 {
		return nearby{}, false
	}
	return found[0], true
}

// misses reports whether the labels have all keys of the selector and differ in one value only.
func misses(selector, labels map[string]string) bool {
	wrong := 0
	for k, v := range selector {
		have, ok := labels[k]
		if !ok {
			return false
		}
		if have != v {
			wrong++
		}
	}
	return wrong == 1
}

// selectedBy reports whether a Service selects the pod.
func (a *analysis) selectedBy(p *corev1.Pod) bool {
	return slices.ContainsFunc(a.s.Services, func(svc corev1.Service) bool {
		return svc.Namespace == p.Namespace && len(svc.Spec.Selector) > 0 && matches(svc.Spec.Selector, p.Labels)
	})
}

// mend changes the one entry of a selector that a pod doesn't have: to the pod's value, or to its label of the same value.
func mend(selector map[string]string, p *corev1.Pod) (nearby, bool) {
	for _, k := range sortedKeys(selector) {
		v := selector[k]
		have, ok := p.Labels[k]
		if ok && have == v {
			continue
		}
		out := nearby{selector: maps.Clone(selector)}
		if ok {
			out.selector[k] = have
			out.text, out.cost = fmt.Sprintf("pod %s has %s=%s, the selector wants %s=%s", p.Name, k, have, k, v), diagnostics.Distance(have, v)
			return out, true
		}
		delete(out.selector, k)
		for _, other := range sortedKeys(p.Labels) {
			if p.Labels[other] == v {
				out.selector[other] = v
				out.text, out.cost = fmt.Sprintf("pod %s has %s=%s, the selector wants %s=%s", p.Name, other, v, k, v), 1
				return out, true
			}
		}
		out.text, out.cost = fmt.Sprintf("pod %s has no label %s, the selector wants %s=%s", p.Name, k, k, v), 10
		return out, len(out.selector) > 0
	}
	return nearby{}, false
}

// running lists the pods of a namespace that a selector matches and that have not ended.
func (m *model) running(namespace string, selector map[string]string) []*corev1.Pod {
	var out []*corev1.Pod
	for i := range m.s.Pods {
		p := &m.s.Pods[i]
		if p.Namespace == namespace && matches(selector, p.Labels) && p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed {
			out = append(out, p)
		}
	}
	return out
}
