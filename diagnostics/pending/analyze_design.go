package pending

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
)

// overdue is how long after the end of its grace period a pod that is being deleted may still be there.
const overdue = time.Minute

// byDesign says which pods wait because somebody wants them to, with scheduling gates. It is the answer where nothing else
// keeps pods waiting, and stands beside the trouble where there is some.
func (a *analysis) byDesign() {
	groups := map[string][]waiting{}
	for _, w := range a.at(gated) {
		var gates []string
		for _, g := range w.pod.Spec.SchedulingGates {
			gates = append(gates, g.Name)
		}
		slices.Sort(gates)
		groups[strings.Join(gates, ", ")] = append(groups[strings.Join(gates, ", ")], w)
	}
	aside := len(a.roots()) > 0 || len(a.unsolved) > 0
	for _, gates := range sortedKeys(groups) {
		w := groups[gates][0]
		value := gates
		if w.text != "" {
			value += ": " + shorten(w.text)
		}
		a.find(diagnostics.Finding{ID: "gated", Subject: gates, Confidence: diagnostics.Confirmed, Latent: aside,
			Summary: fmt.Sprintf("%s held back on purpose by scheduling gate %s, until who set it takes it away: nothing is wrong with them", verb(len(groups[gates]), "pod is", "pods are"), gates),
			Evidence: []diagnostics.Evidence{{What: "schedulingGates of pod " + w.pod.Name, Value: value, Source: "list pods",
				Repeat: fmt.Sprintf("kubectl get pod -n %s %s -o jsonpath={.spec.schedulingGates}", w.pod.Namespace, w.pod.Name)}}}, groups[gates])
	}
}

// unplanned explains pods that no scheduler says anything about: one that is named in the pod may not be there at all.
func (a *analysis) unplanned(pods []waiting) {
	byName := map[string][]waiting{}
	for _, w := range pods {
		byName[w.pod.Spec.SchedulerName] = append(byName[w.pod.Spec.SchedulerName], w)
	}
	events := byPod(a.s.Events)
	for _, name := range sortedKeys(byName) {
		group := byName[name]
		heard := slices.ContainsFunc(group, func(w waiting) bool {
			return condition(w.pod, "PodScheduled") != nil || len(events[string(w.pod.UID)]) > 0
		})
		if name == "" || name == "default-scheduler" || heard {
			a.unsolve(group, "the scheduler says nothing about it (condition PodScheduled has no message): is there a scheduler named "+name+"?")
			continue
		}
		f := diagnostics.Finding{ID: "gated", Subject: "scheduler/" + name, Confidence: diagnostics.Likely,
			Summary: fmt.Sprintf("no scheduler named %s acts: %s asked for it, and nothing was ever said about them", name, plural(len(group), "pod")),
			Evidence: []diagnostics.Evidence{{What: "schedulerName of pod " + group[0].pod.Name, Value: name + ", no condition PodScheduled, no event", Source: "list pods, list events",
				Repeat: fmt.Sprintf("kubectl get pod -n %s %s -o yaml", group[0].pod.Namespace, group[0].pod.Name)}}}
		if a.leaves("list events") {
			f.Confidence = diagnostics.Possible
		}
		a.find(f, group)
	}
}

// terminating reports pods that should be gone by now. What keeps them is a node that does not answer, or a finalizer.
func (a *analysis) terminating() {
	for _, w := range a.at(terminating) {
		late := a.s.At.Sub(w.pod.DeletionTimestamp.Time)
		if late <= overdue {
			continue
		}
		f := diagnostics.Finding{ID: "terminating", Subject: owner(w), Confidence: diagnostics.Confirmed,
			Summary: fmt.Sprintf("pod %s should have been gone %s ago", w.pod.Name, spell(late)),
			Evidence: []diagnostics.Evidence{{What: "deletionTimestamp of pod " + w.pod.Name, Value: w.pod.DeletionTimestamp.UTC().Format("2006-01-02 15:04:05") + ", grace period included", Source: "list pods",
				Repeat: fmt.Sprintf("kubectl get pod -n %s %s -o yaml", w.pod.Namespace, w.pod.Name)}}}
		node := a.s.node(w.pod.Spec.NodeName)
		switch {
		case len(w.pod.Finalizers) > 0:
			f.Summary += ": a finalizer holds it (" + strings.Join(w.pod.Finalizers, ", ") + ")"
		case w.pod.Spec.NodeName != "" && node == nil && len(a.s.Nodes) > 0:
			f.Summary += ": its node " + w.pod.Spec.NodeName + " does not exist any more"
		case node != nil && node.Ready != "True":
			f.Summary += ": its node " + node.Name + " is not ready and can't end it"
			before := len(a.findings)
			a.notReady(node, nil, false)
			for _, why := range append(a.findings[before:], a.of("node-not-ready", "cni-not-initialized")...) {
				if why.Subject == node.Name && !slices.Contains(f.Because, why.Key()) {
					f.Because = append(f.Because, why.Key())
				}
			}
		}
		a.find(f, []waiting{w})
	}
}

// verb is "1 pod is" or "3 pods are".
func verb(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// spell is a time span in whole minutes or hours.
func spell(d time.Duration) string {
	if d < 2*time.Hour {
		return plural(int(d.Minutes()), "minute")
	}
	return plural(int(d.Hours()), "hour")
}
