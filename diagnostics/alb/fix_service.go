package alb

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/elb"
)

// fixService offers the text of a change to the Service, its workload or its ingress, with the difference shown.
func (a *analysis) fixService(f diagnostics.Finding) {
	g := a.groupFor(f)
	x := diagnostics.Fix{ID: "edit-service", Title: "Correct the Service", Undo: "put the old value back", SettlesIn: "1m0s", Owner: ownerNone, Risk: "everybody who uses the Service in the cluster gets the same change"}
	if g != nil && g.svc != nil {
		x.Owner = objectOwner(g.svc)
		x.Title = fmt.Sprintf("Correct Service %s/%s", g.namespace, g.service)
	}
	switch strings.TrimPrefix(f.ID, "alb/") {
	case "ep.selector":
		a.mendSelector(&x, g)
	case "ep.port-name":
		a.mendPort(&x, g)
	case "app.not-listening":
		a.retarget(g, &x)
	case "svc.missing":
		a.mendBackend(&x, f)
	case "ep.none-ready":
		a.mendScale(&x, g)
	case "nodes.excluded":
		a.mendNodes(&x, g)
	case "rule.weight-zero":
		a.mendWeights(&x, f)
	case "rule.fixed-response":
		x.Blast, x.Risk = "the requests of rule "+f.Subject, "low: nothing serves these requests today"
		x.Title = "Add the action annotation that the ingress names"
		x.Changes = []string{fmt.Sprintf("annotation %s with the wanted action", annotation("actions."+nonempty(a.lostAction(), "<name>")))}
		if a.s.Ingress != nil {
			x.Owner = objectOwner(a.s.Ingress)
			x.Commands = []string{fmt.Sprintf("kubectl edit ingress %s -n %s", a.s.Ingress.Name, a.s.Ingress.Namespace)}
		}
	case "port.traffic-differs":
		x.Changes, x.Proof = a.portText(g)
		x.Commands = []string{fmt.Sprintf("kubectl edit service %s -n %s", g.service, g.namespace)}
	case "nodeport.reject-no-endpoints":
		if f.Reason == "no-pods" && g.svc != nil {
			a.mendSelector(&x, g)
			break
		}
		x.Changes = []string{fmt.Sprintf("Service %s/%s: a selector and targetPort that lead to ready pods", g.namespace, g.service)}
	}
	if x.Blast == "" && g != nil && g.svc != nil {
		x.Blast = fmt.Sprintf("whoever uses Service %s/%s", g.namespace, g.service) + drift(x.Owner)
	}
	a.offer(f, x)
}

func nonempty(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

// readyAmong counts the pods that are ready.
func readyAmong(pods []*corev1.Pod) int {
	n := 0
	for _, p := range pods {
		if isReady(p) {
			n++
		}
	}
	return n
}

// mendSelector fills in the selector that the pods have.
func (a *analysis) mendSelector(x *diagnostics.Fix, g *group) {
	n, ok := a.nearMiss(g)
	if !ok {
		x.Changes = []string{fmt.Sprintf("Service %s/%s: a spec.selector that matches its pods (now %s), or the workload that it was made for", g.namespace, g.service, labels(g.svc.Spec.Selector))}
		x.Proof = fmt.Sprintf("0 pods of namespace %s have these labels, or all of them but one", g.namespace)
		x.Commands = []string{fmt.Sprintf("kubectl get pods -n %s --show-labels", g.namespace), fmt.Sprintf("kubectl edit service %s -n %s", g.service, g.namespace)}
		return
	}
	patch := func(from, to map[string]string) string {
		m := map[string]any{}
		for k := range from {
			if _, kept := to[k]; !kept {
				m[k] = nil
			}
		}
		for k, v := range to {
			if from[k] != v {
				m[k] = v
			}
		}
		text, _ := json.Marshal(map[string]any{"spec": map[string]any{"selector": m}}) // maps of strings always encode
		return fmt.Sprintf("kubectl patch service %s -n %s --type merge -p '%s'", g.service, g.namespace, text)
	}
	ready := readyAmong(n.pods)
	x.Frees, x.Needs = ready, len(n.pods)
	x.Changes = []string{fmt.Sprintf("Service %s/%s: spec.selector %s → %s", g.namespace, g.service, labels(g.svc.Spec.Selector), labels(n.selector))}
	x.Proof = fmt.Sprintf("%s matches %s, %d of them Ready; %s matches 0", labels(n.selector), plural(len(n.pods), "pod"), ready, labels(g.svc.Spec.Selector))
	x.Commands = []string{patch(g.svc.Spec.Selector, n.selector)}
	x.Undo = patch(n.selector, g.svc.Spec.Selector)
}

// mendWeights fills in a weight for a target group that has targets.
func (a *analysis) mendWeights(x *diagnostics.Fix, f diagnostics.Finding) {
	x.Title = "Give a target group of the rule a weight"
	x.Changes = []string{"action annotation of the ingress: a weight above 0"}
	x.Blast, x.Risk = "the requests of rule "+f.Subject, "they go to whatever the group with the weight serves"
	if a.s.Ingress != nil {
		x.Owner = objectOwner(a.s.Ingress)
		x.Commands = []string{a.ingressCommand(), fmt.Sprintf("kubectl edit ingress %s -n %s", a.s.Ingress.Name, a.s.Ingress.Namespace)}
	}
	i := slices.IndexFunc(a.s.serving(), func(r elb.Rule) bool { return ruleName(r) == f.Subject })
	if i < 0 {
		return
	}
	var best *group
	for _, g := range a.groups {
		if slices.Contains(forwards(a.s.serving()[i]), g.ARN) && (best == nil || len(g.of(healthy)) > len(best.of(healthy))) {
			best = g
		}
	}
	name, weight := "", 0
	switch {
	case f.Reason == "empty-group":
		x.Title = "Take the weight from the empty target group, or put targets into it"
		x.Changes = []string{fmt.Sprintf("action annotation of the ingress: weight 0 for %s, or a TargetGroupBinding for it", joined(f.Affects))}
		for _, g := range a.groups {
			if slices.Contains(f.Affects, "targetgroup/"+g.Name) {
				name = g.ARN
			}
		}
	case best != nil && len(best.registered()) > 0:
		x.Changes = []string{fmt.Sprintf("action annotation of the ingress: weight of %s 0 → 100", strings.TrimPrefix(best.subject(), "service/"))}
		name, weight = nonempty(best.service, best.ARN), 100
	}
	if best != nil && len(best.registered()) > 0 {
		usable := len(best.of(healthy))
		x.Frees, x.Needs = usable, len(best.registered())
		x.Proof = fmt.Sprintf("%s (%s) has %s healthy and could serve", best.Name, best.subject(), fraction(usable, len(best.registered())))
	}
	if key, old, value := a.reweighed(name, weight); key != "" {
		set := func(v string) string {
			return fmt.Sprintf("kubectl annotate ingress %s -n %s %s --overwrite", a.s.Ingress.Name, a.s.Ingress.Namespace, quote(key+"="+v))
		}
		x.Changes = append(x.Changes, fmt.Sprintf("annotation %s: %s → %s", key, old, value))
		x.Commands, x.Undo = []string{set(value)}, set(old)
	}
	x.Blast += drift(x.Owner)
}

// reweighed is the action annotation that names a Service or target group, with another weight for it.
func (a *analysis) reweighed(name string, weight int) (key, old, value string) {
	if a.s.Ingress == nil || name == "" {
		return "", "", ""
	}
	for _, key := range sortedKeys(a.s.Ingress.Annotations) {
		old := a.s.Ingress.Annotations[key]
		var act map[string]any
		if !strings.HasPrefix(key, annotation("actions.")) || json.Unmarshal([]byte(old), &act) != nil {
			continue
		}
		list, _ := field(act, "forwardConfig", "targetGroups").([]any)
		for _, entry := range list {
			if g, ok := entry.(map[string]any); ok && (g["serviceName"] == name || g["targetGroupARN"] == name) {
				g["weight"] = weight
				text, _ := json.Marshal(act) // it was JSON before
				return key, old, string(text)
			}
		}
	}
	return "", "", ""
}
