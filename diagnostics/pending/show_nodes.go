package pending

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/cni"
)

// nodesTable is the ledger of each node that was read: what its interfaces hold for pods, in use, resting and free, and how
// much they could hold.
func (a *analysis) nodesTable() diagnostics.Table {
	t := diagnostics.Table{Title: "Nodes", Columns: []string{"Node", "Type", "Zone", "Pods", "Max pods", "Attached", "In use", "Resting", "Free", "Could hold", "Interfaces", "Waiting"}}
	var read []*pool
	for n := range a.s.Nodes {
		if p := a.pools[a.s.Nodes[n].Name]; p.node.Read {
			read = append(read, p)
		}
	}
	slices.SortStableFunc(read, func(x, y *pool) int { return y.needing - x.needing })
	for _, p := range read {
		row := []string{p.node.Name, p.node.Type, p.node.Zone, fmt.Sprint(len(p.node.Pods)), fmt.Sprint(p.node.MaxPods), "not read", "", "", "", "", "", fmt.Sprint(p.needing)}
		if p.known {
			resting := min(a.coolingOn(p.node, p).addresses, max(p.free(), 0))
			row[5], row[6], row[7], row[8] = fmt.Sprint(p.attached), fmt.Sprint(p.assigned), fmt.Sprint(resting), fmt.Sprint(max(p.free()-resting, 0))
			row[9] = fmt.Sprint(p.place().Slots(p.settings))
			row[10] = fmt.Sprintf("%d of %d", len(p.members), p.interfaces())
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// typesTable compares what kubelets allow with what the modes of the CNI would give, by instance type.
func (a *analysis) typesTable() diagnostics.Table {
	t := diagnostics.Table{Title: "Max pods by instance type", Columns: []string{"Type", "Interfaces × addresses", "Set on nodes", "Single addresses", "Custom networking", "Prefixes", "Both"}}
	set := map[string]map[int]bool{}
	for n := range a.s.Nodes {
		node := &a.s.Nodes[n]
		if !node.Read || node.Fargate || node.Type == "" || node.Labels["kubernetes.io/os"] == "windows" {
			continue
		}
		if set[node.Type] == nil {
			set[node.Type] = map[int]bool{}
		}
		set[node.Type][node.MaxPods] = true
	}
	for _, name := range sortedKeys(set) {
		l, ok := a.s.limits(name)
		if !ok {
			continue
		}
		var limits []int
		for n := range set[name] {
			limits = append(limits, n)
		}
		slices.Sort(limits)
		with := func(prefixes, custom bool) string {
			if prefixes && !l.Nitro {
				return "not on this type"
			}
			return fmt.Sprint(cni.MaxPods(l, cni.Settings{PrefixDelegation: prefixes, CustomNetworking: custom}))
		}
		t.Rows = append(t.Rows, []string{name, fmt.Sprintf("%d × %d", l.Interfaces, l.Addresses), strings.Trim(fmt.Sprint(limits), "[]"),
			with(false, false), with(false, true), with(true, false), with(true, true)})
	}
	return t
}

// warmTable shows what nodes keep ready in each subnet, and what would come back to it under the targets that would serve the
// subnet that is short. Addresses come back to the subnet that they are of, and to no other.
func (a *analysis) warmTable() diagnostics.Table {
	t := diagnostics.Table{Title: "What nodes keep ready"}
	var plan *warmPlan
	for _, f := range a.of("subnet-exhausted", "eni-all-or-nothing", "node-launch-no-ip") {
		if plan = a.warmPlan(f.Subject); plan != nil {
			break
		}
	}
	if plan == nil {
		return t
	}
	t.Columns = []string{"Subnet", "Zone", "Nodes", "Attached", "In use", "Ready", fmt.Sprintf("Back with WARM %d, MINIMUM %d", plan.warm, plan.minimum), "Waiting"}
	for _, s := range a.touched() {
		var here []*pool
		attached, assigned, waiting := 0, 0, 0
		for n := range a.s.Nodes {
			p := a.pools[a.s.Nodes[n].Name]
			if !p.known || p.prefixes() || !slices.Contains(p.subnets(), s.ID) {
				continue
			}
			here = append(here, p)
			waiting += p.needing
			for _, m := range p.members {
				if m.eni.Subnet == s.ID {
					attached += m.cni.Addresses
					assigned += m.cni.Assigned
				}
			}
		}
		if len(here) > 0 {
			back := a.forecast(s.ID, here, plan.warm, plan.minimum)
			t.Rows = append(t.Rows, []string{s.ID, s.Zone, fmt.Sprint(len(here)), fmt.Sprint(attached), fmt.Sprint(assigned), fmt.Sprint(attached - assigned), fmt.Sprint(back.gain), fmt.Sprint(waiting)})
		}
	}
	return t
}

func joined(parts []string) string { return strings.Join(parts, "; ") }
