package cni

import "testing"

// What a node takes out of its subnet, by type, pods and mode.
func TestTakes(t *testing.T) {
	prefix, custom := defaults(), defaults()
	prefix.PrefixDelegation, custom.CustomNetworking = true, true
	for _, c := range []struct {
		kind string
		s    Settings
		pods int
		want int // addresses, 16 for each prefix
	}{
		{"t3.medium", defaults(), 0, 6}, {"t3.medium", defaults(), 3, 12}, {"t3.medium", defaults(), 6, 18},
		{"m5.large", defaults(), 8, 20}, {"m5.large", prefix, 8, 33},
		{"m5.xlarge", defaults(), 20, 45}, {"m5.xlarge", prefix, 20, 49},
		{"m5.4xlarge", defaults(), 6, 60}, {"m5.4xlarge", defaults(), 28, 60},
		{"m5.xlarge", defaults(), 6, 30}, {"m5.xlarge", defaults().With(1, 13), 6, 14}, {"m5.xlarge", defaults().With(1, 8), 6, 9},
		{"m5.large", custom, 8, 20}, // two interfaces for 18 pod addresses; the node's own is elsewhere
	} {
		if got := (Node{Limits: limits(t, c.kind)}).Takes(c.s, c.pods).Total(); got != c.want {
			t.Errorf("%s with %d pods (%+v): %d addresses, want %d", c.kind, c.pods, c.s, got, c.want)
		}
	}
}

// A node for each pod, six pods that need an address on each, m5.xlarge: how many nodes a /24 of 251 usable addresses has room for.
func TestNodePerPod(t *testing.T) {
	const usable = 251
	n := Node{Limits: limits(t, "m5.xlarge")}
	for _, c := range []struct {
		minimum, nodes, need int
		fits                 bool
	}{
		{13, 17, 238, true}, {13, 18, 252, false}, {8, 27, 243, true}, {8, 28, 252, false},
		{8, 18, 162, true}, // 54 nodes in three zones, which fail with 13
	} {
		g := n.NodePerPod(defaults().With(1, c.minimum), c.nodes, 6)
		if g.Total() != c.need || g.Nodes != c.nodes || g.Total() <= usable != c.fits {
			t.Errorf("%d nodes with MINIMUM_IP_TARGET=%d: %+v, want %d addresses, fits %t", c.nodes, c.minimum, g, c.need, c.fits)
		}
	}
	for minimum, want := range map[int]int{13: 51, 8: 81} {
		if got := 3 * (usable / n.Takes(defaults().With(1, minimum), 6).Total()); got != want {
			t.Errorf("three /24 have room for %d nodes with MINIMUM_IP_TARGET=%d, want %d", got, minimum, want)
		}
	}
}

func TestFill(t *testing.T) {
	n := Node{Limits: limits(t, "m5.large"), MaxPods: 29}
	load := func(pods, attached, interfaces int) Load {
		return Load{Node: n, Pods: pods, Most: 27, Now: Growth{1, attached + interfaces, 0}}
	}
	for _, c := range []struct {
		name    string
		s       Settings
		loads   []Load
		further int
		want    Growth
	}{
		{"what is kept ready comes first", defaults().With(2, 0), []Load{load(4, 9, 1)}, 3, Growth{}},
		{"then the pool grows", defaults().With(2, 0), []Load{load(4, 6, 1)}, 3, Growth{0, 3, 0}},
		{"over an interface", defaults().With(2, 0), []Load{load(7, 9, 1)}, 3, Growth{0, 4, 0}},
		{"a whole one without targets", defaults(), []Load{load(8, 18, 2)}, 2, Growth{0, 10, 0}},
		{"evenly", defaults().With(1, 0), []Load{load(2, 3, 1), load(5, 6, 1)}, 5, Growth{0, 5, 0}},
		{"what nodes can't take goes to others", defaults().With(2, 0), []Load{load(25, 27, 3)}, 12, Growth{1, 14, 0}},
		{"without nodes, 20 pods on one and 10 on another", defaults().With(2, 10), nil, 30, Growth{2, 22 + 3 + 12 + 2, 0}},
	} {
		if got := n.Fill(c.s, c.loads, c.further, 20); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestTimes(t *testing.T) {
	n := Node{Limits: limits(t, "m5.xlarge")}
	s := defaults().With(1, 13)
	for _, c := range []struct {
		k    float64
		want Growth
	}{{1, Growth{0, 0, 0}}, {2, Growth{6, 84, 0}}, {3, Growth{12, 168, 0}}, {5, Growth{24, 336, 0}}, {1.5, Growth{3, 42, 0}}} {
		if got := n.Times(s, c.k, 6, 6, Growth{6, 84, 0}); got != c.want {
			t.Errorf("%g times: %+v, want %+v", c.k, got, c.want)
		}
	}
	prefix := defaults()
	prefix.PrefixDelegation = true
	if got := (Node{Limits: limits(t, "m5.large")}).Times(prefix, 3, 2, 8, Growth{2, 2, 4}); got != (Growth{4, 4, 8}) {
		t.Errorf("prefixes: %+v", got)
	}
}

func TestReserve(t *testing.T) {
	for usable, want := range map[int]int{59: 16, 251: 16, 507: 26, 4091: 205} {
		if got := Reserve(usable); got != want {
			t.Errorf("of %d usable addresses %d are kept, want %d", usable, got, want)
		}
	}
}
