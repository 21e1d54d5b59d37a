package cni

import "slices"

// Held is a node that holds addresses of a subnet.
type Held struct {
	Node
	Settings   Settings
	Interfaces []Interface
	Here       []bool // of each interface, that it is in the subnet
	Pods       int    // that have an address of these interfaces, or wait for one
	Waiting    int    // those of them that wait
}

// WarmPlan is the effect of warm pool targets in one subnet. Addresses freed in another subnet don't help here.
type WarmPlan struct {
	Warm, Minimum int   // the targets: WARM_IP_TARGET and MINIMUM_IP_TARGET
	Gain          int   // addresses that come back to this subnet for certain
	Takes         int   // that nodes which hold less than the targets ask take at most
	Gives         []int // by node: what comes back, or below zero what it takes
	Primaries     int   // further ones, where an interface that is emptied is deleted
	Spare         int   // addresses that nodes hold in this subnet and no pod uses
	Needs         int   // pods that wait in this subnet
	Interfaces    int   // that the waiting nodes must make for them, with an address each
}

// Givers counts the nodes that give something back.
func (w *WarmPlan) Givers() int {
	n := 0
	for _, gave := range w.Gives {
		if gave > 0 {
			n++
		}
	}
	return n
}

// PlanWarm finds targets under which the nodes of a subnet give back enough. It keeps two addresses ready on each node, and as many
// in all as nine of ten nodes need, or else every second one. Where neither is enough it is the latter; nil where there are no nodes.
func PlanWarm(nodes []Held, enough func(*WarmPlan) bool) *WarmPlan {
	if len(nodes) == 0 {
		return nil
	}
	var pods []int
	for _, n := range nodes {
		pods = append(pods, n.Pods)
	}
	slices.Sort(pods)
	const warm = 2
	var plan *WarmPlan
	for _, share := range []int{90, 50} {
		plan = Forecast(nodes, warm, pods[min((len(pods)*share+99)/100, len(pods))-1]+warm)
		if enough(plan) {
			break
		}
	}
	return plan
}

// Forecast says what the nodes of a subnet give back to it under targets. A node on which pods wait gives nothing.
func Forecast(nodes []Held, warm, minimum int) *WarmPlan {
	plan := &WarmPlan{Warm: warm, Minimum: minimum, Gives: make([]int, len(nodes))}
	for at, n := range nodes {
		next := n.Settings.With(warm, minimum)
		attached := n.Attached(next, n.Pods)
		if n.Waiting > 0 {
			plan.Needs += n.Waiting
			plan.Interfaces += max(attached.Interfaces-len(n.Interfaces), 0)
			continue
		}
		holds := 0
		for _, i := range n.Interfaces {
			holds += i.Addresses
		}
		if holds < attached.Addresses {
			takes := attached.Addresses - holds + max(attached.Interfaces-len(n.Interfaces), 0)
			plan.Gives[at], plan.Takes = -takes, plan.Takes+takes
		}
		for k, r := range Releases(n.Limits, next, n.Interfaces) {
			if !n.Here[k] {
				continue
			}
			plan.Spare += n.Interfaces[k].Addresses - n.Interfaces[k].Assigned
			plan.Gives[at] += r.Addresses
			plan.Gain += r.Addresses
			if r.Deleted {
				plan.Primaries++
			}
		}
	}
	return plan
}
