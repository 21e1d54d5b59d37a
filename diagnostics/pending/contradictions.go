package pending

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/internal/vpc"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/awsnode"
)

// contradictions says what in the evidence does not fit together.
func (a *analysis) contradictions() {
	add := func(format string, args ...any) {
		a.res.Contradictions = append(a.res.Contradictions, fmt.Sprintf(format, args...))
	}
	events := byPod(a.s.Events)
	for _, w := range a.at(unconnected, unmounted) {
		if e := last(events[string(w.pod.UID)], a.s.At, 6*fresh, "FailedScheduling"); e != nil && placedBefore(w, diagnostics.LastSeen(e)) {
			add("pod %s has node %s, and yet the scheduler said at %s that it finds none: it can't be in both states at once", w.pod.Name, w.pod.Spec.NodeName, clock(e))
		}
	}
	for _, w := range a.at(unscheduled) {
		if e := last(events[string(w.pod.UID)], a.s.At, fresh, "FailedCreatePodSandBox"); e != nil {
			add("pod %s has no node, and yet a kubelet said at %s that it could not make its sandbox: it can't be in both states at once", w.pod.Name, clock(e))
		}
	}
	a.tooManyUsed(add)
	for _, u := range a.unsolved {
		if strings.Contains(u.why, "that no pod uses") {
			add("%s", u.why)
		}
	}
	if len(a.roots()) > 0 || len(a.unsolved) > 0 {
		a.res.Contradictions = append(a.res.Contradictions, append(a.unmade, a.notes...)...)
	}
	slices.Sort(a.res.Contradictions)
}

// placedBefore reports that the pod already had its node at that time.
func placedBefore(w waiting, at time.Time) bool {
	c := condition(w.pod, corev1.PodScheduled)
	return c != nil && c.Status == corev1.ConditionTrue && c.LastTransitionTime.Time.Before(at)
}

// tooManyUsed compares what subnets have in use with what this cluster's nodes in them can hold at most, and speaks up where
// that is less than half and nothing else in the report says who has the rest.
func (a *analysis) tooManyUsed(add func(string, ...any)) {
	used, most, nodes, subnets := 0, 0, 0, map[string]bool{}
	types := map[string]bool{}
	for n := range a.s.Nodes {
		node := &a.s.Nodes[n]
		s := a.s.subnetAt(node.Address)
		l, ok := awsnode.LimitsOf(a.s.Types, node.Type)
		if s == nil || !ok || node.Fargate {
			continue
		}
		if a.pools[node.Name].settings.PrefixDelegation || a.pools[node.Name].settings.CustomNetworking {
			return
		}
		subnets[s.ID] = true
		most += l.Interfaces * l.Addresses
		nodes++
		types[node.Type] = true
	}
	short := false
	for id := range subnets {
		s := a.s.subnet(id)
		used += vpc.Usable(s.CIDR) - s.Available
		short = short || tight(*s, a.s.Driver)
	}
	if nodes == 0 || !short || used <= 2*most || len(a.of("other-tenants", "leaked-enis")) > 0 || len(a.of("subnet-exhausted", "eni-all-or-nothing", "max-pods")) == 0 {
		return
	}
	kind := "node"
	if len(types) == 1 {
		kind = sortedKeys(types)[0] + " node"
	}
	add("%d addresses are in use in %s, but %s can hold at most %d: at least %d belong to something else than this cluster's nodes and pods",
		used, plural(len(subnets), "subnet"), plural(nodes, kind), most, used-most)
}
