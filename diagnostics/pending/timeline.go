package pending

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
)

// timeline tells when things began.
func (a *analysis) timeline() {
	add := func(at time.Time, what, source string) {
		if !at.IsZero() {
			a.res.Timeline = append(a.res.Timeline, diagnostics.Moment{At: at.UTC(), What: what, Source: source})
		}
	}
	var first, firstEvent time.Time
	stuck := a.stuck()
	for _, w := range stuck {
		if t := w.pod.CreationTimestamp.Time; first.IsZero() || t.Before(first) {
			first = t
		}
		if w.event != nil {
			if t := since(w.event); firstEvent.IsZero() || t.Before(firstEvent) {
				firstEvent = t
			}
		}
	}
	add(first, fmt.Sprintf("the first of %s that do not start was made", plural(len(stuck), "pod")), "list pods")
	add(firstEvent, "the first failure was reported", "list events")
	for n := range a.s.Events {
		if e := &a.s.Events[n]; e.Reason == "MissingIAMPermissions" && len(a.of("cni-iam")) > 0 {
			add(since(e), "aws-node reports a missing permission: "+actionIn(e.Message), "list events")
			break
		}
	}
	for _, f := range a.of("node-not-ready", "cni-not-initialized") {
		if node := a.s.node(f.Subject); node != nil {
			add(node.ReadySince, "node "+node.Name+" is no longer ready", "list nodes")
		}
	}
	if d := a.s.Driver; d != nil && a.res.Layer == diagnostics.L3 {
		for _, m := range d.Managers {
			if m.Name != "eks" && len(m.Env) > 0 {
				add(m.At, fmt.Sprintf("%s set %s of aws-node", m.Name, strings.Join(m.Env, ", ")), "list daemonsets.apps")
			}
		}
	}
	if a.s.Addon != nil && a.res.Layer == diagnostics.L3 {
		add(a.s.Addon.Modified, "add-on vpc-cni was last changed", "eks:DescribeAddon")
	}
	for _, e := range a.s.Audit {
		if e.Error != "" {
			add(e.At, e.Name+" was refused: "+e.Error, "cloudtrail:LookupEvents")
		}
	}
	slices.SortStableFunc(a.res.Timeline, func(x, y diagnostics.Moment) int { return x.At.Compare(y.At) })
	a.res.Timeline = slices.Compact(a.res.Timeline)
}
