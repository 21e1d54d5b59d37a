package pending

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/awsnode"
	"github.com/netdiag/netdiag/internal/cni"
)

// nodesTable is the ledger of each node that was read: its pods of those that it may run, the addresses in use of those that are
// attached, the free and the resting ones, and how many its interfaces could hold.
func (a *analysis) nodesTable() diagnostics.Table {
	t := diagnostics.Table{Title: "Nodes", Columns: []string{"Node", "Type", "Zone", "Pods", "In use", "Free", "Could hold", "Interfaces", "Waiting"}}
	var read []*pool
	for n := range a.s.Nodes {
		if p := a.pools[a.s.Nodes[n].Name]; p.node.Read {
			read = append(read, p)
		}
	}
	slices.SortStableFunc(read, func(x, y *pool) int { return y.needing - x.needing })
	for _, p := range read {
		row := []string{p.node.Name, p.node.Type, p.node.Zone, fmt.Sprintf("%d of %d", len(p.node.Pods), p.node.MaxPods), "not read", "", "", "", fmt.Sprint(p.needing)}
		if p.known {
			resting := min(a.coolingOn(p.node, p).addresses, max(p.free(), 0))
			row[4], row[5] = fmt.Sprintf("%d of %d", p.assigned, p.attached), fmt.Sprint(max(p.free()-resting, 0))
			if resting > 0 {
				row[5] += fmt.Sprintf(", %d resting", resting)
			}
			row[6], row[7] = fmt.Sprint(p.place().Slots(p.settings)), fmt.Sprintf("%d of %d", len(p.members), p.interfaces())
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// limitsByType compares what kubelets allow with what the modes of the CNI would give, by instance type: a sentence for each of the
// types of the nodes that were read.
func (a *analysis) limitsByType() []string {
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
	var out []string
	for _, name := range sortedKeys(set) {
		l, ok := awsnode.LimitsOf(a.s.Types, name)
		if !ok {
			continue
		}
		limits := slices.Sorted(maps.Keys(set[name]))
		text := fmt.Sprintf("%s has %d interfaces × %d addresses and max-pods %s here; by the formula %d, with custom networking %d", name, l.Interfaces, l.Addresses,
			strings.ReplaceAll(strings.Trim(fmt.Sprint(limits), "[]"), " ", " or "), cni.MaxPods(l, cni.Settings{}), cni.MaxPods(l, cni.Settings{CustomNetworking: true}))
		if l.Nitro {
			text += fmt.Sprintf(", with prefixes %d", cni.MaxPods(l, cni.Settings{PrefixDelegation: true}))
		} else {
			text += ", and no prefixes on this type"
		}
		out = append(out, text)
	}
	return out
}

// keptReady is what nodes hold ready in a subnet, and what of it would come back to it under other targets.
type keptReady struct{ ready, back int }

// readyIn counts by subnet what nodes keep ready, and what would come back under the targets that would serve the subnet that is
// short, which plan names. Addresses come back to the subnet that they are of, and to no other.
func (a *analysis) readyIn() (in map[string]keptReady, plan *warmPlan) {
	for _, f := range a.of("subnet-exhausted", "eni-all-or-nothing", "node-launch-no-ip") {
		if plan = a.warmPlan(f.Subject); plan != nil {
			break
		}
	}
	in = map[string]keptReady{}
	for _, s := range a.touched() {
		var here []*pool
		k := keptReady{}
		for n := range a.s.Nodes {
			p := a.pools[a.s.Nodes[n].Name]
			if !p.known || !slices.Contains(p.subnets(), s.ID) {
				continue
			}
			here = append(here, p)
			for _, m := range p.members {
				if m.eni.Subnet == s.ID {
					k.ready += m.cni.Addresses - m.cni.Assigned
				}
			}
		}
		if len(here) == 0 {
			continue
		}
		if plan != nil {
			k.back = cni.Forecast(held(here, s.ID), plan.Warm, plan.Minimum).Gain
		}
		in[s.ID] = k
	}
	return in, plan
}

func joined(parts []string) string { return strings.Join(parts, "; ") }
