package fleet

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"

	simkube "github.com/netdiag/netdiag/internal/sim/kube"
)

var now = time.Date(2026, 11, 22, 10, 30, 0, 0, time.UTC)

func list(f *Fleet, resource, namespace, label, field, after string) []string {
	l, err := labels.Parse(label)
	if err != nil {
		panic(err)
	}
	s, err := fields.ParseSelector(field)
	if err != nil {
		panic(err)
	}
	var out []string
	for o := range f.List(resource, simkube.Query{Namespace: namespace, Labels: l, Fields: s, After: after}) {
		out = append(out, simkube.Key(o.GetNamespace(), o.GetName()))
	}
	return out
}

// However its pods are asked for, a fleet has the same ones, in order.
func TestEveryWayToAskGivesTheSamePods(t *testing.T) {
	for _, nodes := range []int{50, 500} {
		f := New(nodes, 40, now)
		all := list(f, "pods", "", "", "", "")
		if len(all) != f.Pods() || !slices.IsSorted(all) || len(slices.Compact(slices.Clone(all))) != len(all) {
			t.Errorf("%d nodes: %d pods in order %t, want %d", nodes, len(all), slices.IsSorted(all), f.Pods())
		}
		var byNamespace, byNode []string
		for _, ns := range f.namespaces() {
			byNamespace = append(byNamespace, list(f, "pods", ns, "", "", "")...)
		}
		names := list(f, "nodes", "", "", "", "")
		for _, n := range names {
			on := list(f, "pods", "", "", "spec.nodeName="+n[1:], "")
			if !slices.IsSorted(on) {
				t.Errorf("pods of %s are out of order", n)
			}
			byNode = append(byNode, on...)
		}
		slices.Sort(byNode)
		if !slices.Equal(all, byNamespace) || !slices.Equal(all, byNode) {
			t.Errorf("%d nodes: %d pods by namespace, %d by node, %d in all", nodes, len(byNamespace), len(byNode), len(all))
		}
		if got := list(f, "pods", "", "", "", all[700]); !slices.Equal(got, all[701:]) {
			t.Errorf("%d pods after the 701st, want %d", len(got), len(all)-701)
		}
		if got := list(f, "pods", checkout, "", "status.phase=Pending", ""); len(got) != f.Stuck() {
			t.Errorf("%d pods wait, want %d", len(got), f.Stuck())
		}
		if got := list(f, "pods", system, "k8s-app=aws-node", "", ""); len(got) != nodes || len(names) != nodes || !slices.IsSorted(names) {
			t.Errorf("%d aws-node and %d nodes, want %d", len(got), len(names), nodes)
		}
		for _, ns := range []string{checkout, shop, system, team(1)} {
			for o := range f.List("pods", simkube.Query{Namespace: ns, Labels: labels.Everything(), Fields: fields.Everything()}) {
				if got := f.Get("pods", ns, o.GetName()); got == nil || got.GetUID() != o.GetUID() {
					t.Fatalf("%s/%s can't be had by its name", ns, o.GetName())
				}
			}
		}
	}
}

// Addresses add up: each is given once, lies in its subnet, and what is left is what the subnet says.
func TestAddressesAddUp(t *testing.T) {
	for _, nodes := range []int{50, 500, 5000} {
		f := New(nodes, 40, now)
		used, seen := map[string]int{}, map[string]bool{}
		for _, s := range f.subnets {
			items, _ := f.Items("NetworkInterfaces", map[string][]string{"subnet-id": {s.id}})
			for _, i := range items {
				if i["SubnetId"] != s.id {
					continue
				}
				for _, a := range i["PrivateIpAddresses"].([]any) {
					text := a.(object)["PrivateIpAddress"].(string)
					if seen[text] || !s.cidr.Contains(netip.MustParseAddr(text)) {
						t.Fatalf("%s is given twice, or outside of %s", text, s.cidr)
					}
					seen[text] = true
					used[s.id]++
				}
			}
			if got := usable(s.cidr.Bits()) - used[s.id]; got != s.available {
				t.Errorf("%d nodes: subnet %s has %d of %d left and says %d", nodes, s.id, got, usable(s.cidr.Bits()), s.available)
			}
		}
		if f.subnets[0].available != 0 {
			t.Errorf("the full subnet has %d left", f.subnets[0].available)
		}
		for _, n := range []int{0, f.affected, nodes - 1} {
			for slot := range perNode {
				a := f.podAddress(pod{n, slot})
				if got := f.holder(a); got != n || !seen[a.String()] {
					t.Errorf("%s of node %d is on node %d", a, n, got)
				}
			}
		}
	}
}

func TestSuffixesSort(t *testing.T) {
	last := ""
	for _, n := range []int{0, 1, 26, 27, 28, 728, 729, 139999} {
		s := suffix(n)
		if number(s) != n || s <= last {
			t.Errorf("suffix of %d is %s, which is %d; the one before is %s", n, s, number(s), last)
		}
		last = s
	}
}

// A fleet of any size keeps few objects.
func TestWorldIsSmall(t *testing.T) {
	kinds := map[string]int{}
	for _, o := range New(5000, 40, now).World().Objects {
		kinds[o.GetKind()]++
	}
	if n := kinds["Pod"] + kinds["Node"]; n > 0 || kinds["Event"] < 1000 {
		t.Errorf("%s", fmt.Sprint(slices.Collect(maps.Keys(kinds)), kinds))
	}
}
