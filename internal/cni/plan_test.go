package cni

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// hold is a node of a type whose interfaces hold {addresses, in use} each, all of them in the subnet.
func hold(t *testing.T, kind string, s Settings, waiting int, interfaces ...[2]int) Held {
	t.Helper()
	h := Held{Node: Node{Limits: limits(t, kind)}, Settings: s, Pods: waiting, Waiting: waiting}
	for n, i := range interfaces {
		h.Interfaces = append(h.Interfaces, Interface{Primary: n == 0, Addresses: i[0], Assigned: i[1]})
		h.Here = append(h.Here, true)
		h.Pods += i[1]
	}
	return h
}

// What the nodes of a subnet give back to it under targets that nine of ten, or every second of them can do with.
func TestPlanWarm(t *testing.T) {
	whole, minimum, some := defaults(), defaults().With(1, 13), defaults().With(5, 0)
	elsewhere := hold(t, "m5.large", whole, 0, [2]int{9, 2}, [2]int{9, 0})
	elsewhere.Here[1] = false
	for _, c := range []struct {
		name   string
		nodes  []Held
		enough int // addresses
		want   *WarmPlan
	}{
		{"no node", nil, 1, nil},
		{"whole interfaces", []Held{hold(t, "m5.large", whole, 0, [2]int{9, 4}, [2]int{9, 0})}, 12,
			&WarmPlan{Warm: 2, Minimum: 6, Gain: 12, Gives: []int{12}, Primaries: 1, Spare: 14}},
		{"a minimum that is too high", []Held{hold(t, "m5.xlarge", minimum, 0, [2]int{13, 6}), hold(t, "m5.xlarge", minimum, 0, [2]int{13, 6})}, 10,
			&WarmPlan{Warm: 2, Minimum: 8, Gain: 10, Gives: []int{5, 5}, Spare: 14}},
		{"nothing is kept ready", []Held{hold(t, "m5.large", whole, 0, [2]int{9, 9}, [2]int{9, 9})}, 1,
			&WarmPlan{Warm: 2, Minimum: 20, Gives: []int{-3}, Takes: 3}},
		{"one busy node must not keep the others full", []Held{
			hold(t, "m5.large", whole, 0, [2]int{9, 1}, [2]int{9, 0}), hold(t, "m5.large", whole, 0, [2]int{9, 1}, [2]int{9, 0}), hold(t, "m5.large", whole, 0, [2]int{9, 8}, [2]int{9, 8})}, 25,
			&WarmPlan{Warm: 2, Minimum: 3, Gain: 30, Gives: []int{15, 15, 0}, Primaries: 2, Spare: 36}},
		{"nodes with little take more", []Held{hold(t, "m5.large", some, 0, [2]int{6, 1}), hold(t, "m5.large", some, 0, [2]int{9, 8}, [2]int{4, 0}), hold(t, "m5.large", some, 0, [2]int{9, 8}, [2]int{4, 0})}, 1,
			&WarmPlan{Warm: 2, Minimum: 10, Gain: 6, Gives: []int{-5, 3, 3}, Takes: 5, Spare: 15}},
		{"what comes back elsewhere doesn't count", []Held{elsewhere}, 1, &WarmPlan{Warm: 2, Minimum: 4, Gain: 5, Gives: []int{5}, Spare: 7}},
		{"where pods wait nothing comes back", []Held{hold(t, "m5.large", whole, 3, [2]int{9, 9})}, 1,
			&WarmPlan{Warm: 2, Minimum: 14, Gives: []int{0}, Needs: 3, Interfaces: 1}},
	} {
		got := PlanWarm(c.nodes, func(w *WarmPlan) bool { return w.Gain >= c.enough })
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
		if got != nil && (got.Givers() > 0) != (got.Gain > 0) {
			t.Errorf("%s: %d nodes give %d addresses", c.name, got.Givers(), got.Gain)
		}
	}
}
