package pending

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

var poolName = regexp.MustCompile(`(?i)nodepool(?:s)?(?:"?[ =:]+\\?"?)([a-z0-9][-a-z0-9.]*[a-z0-9]|[a-z0-9])`)

// fromAutoscaler reports what Karpenter or the Cluster Autoscaler says of a pod; kube-scheduler uses the same reason as Karpenter.
func fromAutoscaler(e *corev1.Event) bool {
	if e.Reason == "NotTriggerScaleUp" || e.Reason == "TriggeredScaleUp" || e.Reason == "Nominated" {
		return true
	}
	return e.Reason == "FailedScheduling" && (e.Source.Component == "karpenter" || e.ReportingController == "karpenter" || strings.HasPrefix(e.Message, "Failed to schedule pod, "))
}

// limits explains pods for which an autoscaler may start no node: its pools or groups are at their limit, or none of them fits.
func (a *analysis) limits() {
	events := byPod(a.s.Events)
	byFinding := map[*diagnostics.Finding][]waiting{}
	for _, w := range a.at(unscheduled) {
		said := lastWord(events[string(w.pod.UID)], a)
		if said == nil || a.supplied[w.ref()] {
			continue
		}
		var f *diagnostics.Finding
		if said.Reason == "NotTriggerScaleUp" {
			f = a.groupLimit(w, said)
		} else {
			f = a.poolLimit(w, said)
		}
		if f != nil {
			f = a.find(*f, []waiting{w})
			byFinding[f] = append(byFinding[f], w)
		}
	}
	for _, f := range a.of("autoscaler-limits") {
		a.explain(f, byFinding[f])
	}
	for _, w := range a.at(unscheduled) {
		if strings.Contains(w.text, noNodesAtAll) && !a.supplied[w.ref()] {
			a.unsolve([]waiting{w}, "the cluster has no node at all, and nothing says why none is started")
		}
	}
}

// lastWord is the last that an autoscaler said of a pod, where that was a refusal.
func lastWord(events []*corev1.Event, a *analysis) *corev1.Event {
	var said *corev1.Event
	for _, e := range events {
		if fromAutoscaler(e) && a.s.At.Sub(diagnostics.LastSeen(e)) <= 2*fresh && (said == nil || !diagnostics.LastSeen(e).Before(diagnostics.LastSeen(said))) {
			said = e
		}
	}
	if said == nil || said.Reason == "TriggeredScaleUp" || said.Reason == "Nominated" {
		return nil
	}
	return said
}

// poolLimit judges what Karpenter says of a pod: a reason for each node pool, separated by semicolons.
func (a *analysis) poolLimit(w waiting, said *corev1.Event) *diagnostics.Finding {
	f := &diagnostics.Finding{ID: "autoscaler-limits", Subject: "nodepools", Confidence: diagnostics.Confirmed, Evidence: []diagnostics.Evidence{eventEvidence(said)}}
	var limited []string
	tooLarge, offering, other := false, false, 0
	for part := range strings.SplitSeq(said.Message, "; ") {
		switch {
		case strings.Contains(part, "exceed limits for") || strings.Contains(part, "limits have been exhausted"):
			if m := poolName.FindStringSubmatch(part); m != nil {
				limited = append(limited, m[1])
			} else {
				limited = append(limited, "")
			}
		case strings.Contains(part, "no instance type has enough resources"):
			tooLarge = true
		case strings.Contains(part, "no instance type"):
			tooLarge = tooLarge || !strings.Contains(part, "offering")
			offering = offering || strings.Contains(part, "offering")
		default:
			other++
		}
	}
	switch {
	case len(limited) > 0:
		return a.atLimit(f, w, limited)
	case tooLarge:
		d := demandOf(w.pod)
		f.Subject = owner(w)
		f.Summary = fmt.Sprintf("no node pool has an instance type that is large enough: the pod asks for %s CPU and %s of memory", amount("cpu", d.cpu), amount("memory", d.memory))
		if f.Summary == "" || d.cpu+d.memory == 0 {
			f.Summary = "no node pool has an instance type that the pod fits on"
		}
		return f
	case offering:
		f.Confidence = diagnostics.Likely
		f.Summary = "no node pool has an instance type that fits the pod and can be had in its zones now"
		return f
	case other > 0 && a.wantsNode(w):
		f.Summary = "no node pool would start a node for the pod: labels or taints don't fit"
		if slices.ContainsFunc(a.suppliers(), func(s supplier) bool { return s.pool != nil && s.takes(w.pod) }) || len(a.s.Pools) == 0 {
			f.Confidence = diagnostics.Likely
		}
		return f
	}
	return nil
}

// atLimit checks the limits that Karpenter speaks of against what its pools have: limits that were raised since are no cause.
func (a *analysis) atLimit(f *diagnostics.Finding, w waiting, limited []string) *diagnostics.Finding {
	d := demandOf(w.pod)
	var tight []string
	proved, read := false, 0
	for n := range a.s.Pools {
		p := &a.s.Pools[n]
		if !slices.Contains(limited, p.Name) && !slices.Contains(limited, "") {
			continue
		}
		read++
		over := true
		for _, name := range sortedKeys(p.Limits) {
			left := p.Limits[name] - p.Used[name]
			least, most := a.sizes(p.Name, name)
			if left < max(d.of(name), least) {
				proved = true
			}
			// A new node counts with its capacity, which is somewhat above what it offers to pods.
			if most == 0 || left < max(most+most/4, d.of(name)) {
				over = false
				f.Evidence = append(f.Evidence, diagnostics.Evidence{What: fmt.Sprintf("%s of node pool %s", name, p.Name), Value: fmt.Sprintf("%s used of a limit of %s", amount(name, p.Used[name]), amount(name, p.Limits[name])),
					Source: "list nodepools.karpenter.sh", Repeat: "kubectl get nodepool " + p.Name + " -o yaml"})
			}
		}
		if len(p.Limits) > 0 && !over {
			tight = append(tight, p.Name)
		}
	}
	if read > 0 && len(tight) == 0 {
		return nil
	}
	if !proved {
		f.Confidence = diagnostics.Likely
	}
	names := slices.DeleteFunc(slices.Clone(limited), func(s string) bool { return s == "" })
	if len(names) == 0 {
		names = tight
	}
	f.Summary = "Karpenter may start no further node: a node pool is at its limits"
	if len(names) > 0 {
		slices.Sort(names)
		names = slices.Compact(names)
		f.Subject = "nodepool/" + strings.Join(names, ",")
		f.Summary = fmt.Sprintf("Karpenter may start no further node: node pool %s is at its limits", strings.Join(names, ", "))
	}
	return f
}

// sizes are the least and the most of a resource that the nodes of a pool offer; 0 where it has none.
func (a *analysis) sizes(pool, resource string) (least, most int64) {
	for n := range a.s.Nodes {
		if node := &a.s.Nodes[n]; node.Labels["karpenter.sh/nodepool"] == pool {
			has := node.has(resource)
			if least == 0 || has < least {
				least = has
			}
			most = max(most, has)
		}
	}
	return least, most
}

// groupLimit judges what the Cluster Autoscaler says of a pod. It counts groups at their maximum whether or not the pod
// would fit there, so that the groups that take the pod decide.
func (a *analysis) groupLimit(w waiting, said *corev1.Event) *diagnostics.Finding {
	f := &diagnostics.Finding{ID: "autoscaler-limits", Subject: "cluster-autoscaler", Confidence: diagnostics.Likely, Evidence: []diagnostics.Evidence{eventEvidence(said)}}
	total := strings.Contains(said.Message, "max cluster") && strings.Contains(said.Message, "limit reached")
	if total {
		f.Confidence = diagnostics.Confirmed
		f.Summary = "the Cluster Autoscaler may start no further node: the cluster is at the limit that it was given"
		return f
	}
	if !strings.Contains(said.Message, "max node group size reached") && !strings.Contains(said.Message, "max limit reached") {
		return nil
	}
	var at []string
	fitting := 0
	for _, s := range a.suppliers() {
		if s.group == nil || !s.takes(w.pod) {
			continue
		}
		fitting++
		if s.group.Desired >= s.group.Max {
			at = append(at, s.group.Name)
			f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "size of " + s.name, Value: fmt.Sprintf("desired %d, maximum %d", s.group.Desired, s.group.Max), Source: "eks:DescribeNodegroup",
				Repeat: fmt.Sprintf("aws eks describe-nodegroup --cluster-name %s --nodegroup-name %s --query nodegroup.scalingConfig", a.s.Target.Cluster, s.group.Name)})
		}
	}
	switch {
	case fitting > len(at): // one that would take the pod may grow
		return nil
	case len(at) > 0:
		slices.Sort(at)
		f.Confidence, f.Subject = diagnostics.Confirmed, "nodegroup/"+strings.Join(at, ",")
		f.Summary = fmt.Sprintf("the Cluster Autoscaler may start no further node: node group %s is at its maximum", strings.Join(at, ", "))
	default:
		f.Summary = "the Cluster Autoscaler may start no further node: a node group is at its maximum"
	}
	return f
}
