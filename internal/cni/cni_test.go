package cni

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func limits(t *testing.T, name string) Limits {
	t.Helper()
	l, ok := LimitsOf(name)
	if !ok {
		t.Fatalf("no limits of %s", name)
	}
	return l
}

func defaults() Settings { s, _ := ParseSettings(nil); return s }

func TestMaxPods(t *testing.T) {
	for _, c := range []struct {
		name                      string
		plain, custom, delegation int
	}{
		{"t3.micro", 4, 3, 34}, {"t3.small", 11, 8, 110}, {"t3.medium", 17, 12, 110}, {"t2.medium", 17, 12, 17},
		{"t3.large", 35, 24, 110}, {"m5.large", 29, 20, 110}, {"m5.xlarge", 58, 44, 110}, {"m5.4xlarge", 234, 205, 110},
		{"m5.12xlarge", 234, 205, 250}, {"m5.24xlarge", 737, 688, 250}, {"m4.large", 20, 11, 20}, {"p5.48xlarge", 100, 51, 250},
		{"m6g.medium", 8, 5, 98}, {"i4i.large", 29, 20, 110},
	} {
		l := limits(t, c.name)
		if got := MaxPods(l, defaults()); got != c.plain {
			t.Errorf("%s: max-pods %d, want %d", c.name, got, c.plain)
		}
		if got := MaxPods(l, Settings{CustomNetworking: true}); got != c.custom {
			t.Errorf("%s with custom networking: max-pods %d, want %d", c.name, got, c.custom)
		}
		if got := MaxPods(l, Settings{PrefixDelegation: true}); got != c.delegation {
			t.Errorf("%s with prefix delegation: max-pods %d, want %d", c.name, got, c.delegation)
		}
	}
	if _, ok := LimitsOf("x9.imaginary"); ok {
		t.Error("limits of an unknown type")
	}
}

// The tables of docs/eni-and-ip-target.md and docs/prefix-and-ip-target.md.
func TestAttached(t *testing.T) {
	prefix := defaults()
	prefix.PrefixDelegation = true
	for _, c := range []struct {
		name, kind string
		s          Settings
		maxPods    int
		pods       int
		want       Pool
	}{
		{"whole interfaces", "t3.medium", defaults(), 0, 0, Pool{5, 0, 1}},
		{"whole interfaces", "t3.medium", defaults(), 0, 3, Pool{10, 0, 2}},
		{"whole interfaces", "t3.medium", defaults(), 0, 6, Pool{15, 0, 3}},
		{"whole interfaces", "t3.medium", defaults(), 0, 15, Pool{15, 0, 3}},
		{"whole interfaces", "m5.large", defaults(), 0, 8, Pool{18, 0, 2}},
		{"whole interfaces", "m5.xlarge", defaults(), 0, 6, Pool{28, 0, 2}},
		{"whole interfaces", "m5.xlarge", defaults(), 0, 20, Pool{42, 0, 3}},
		{"whole interfaces", "m5.4xlarge", defaults(), 0, 6, Pool{58, 0, 2}},
		{"whole interfaces", "m5.4xlarge", defaults(), 0, 28, Pool{58, 0, 2}},
		{"no more than max-pods asks for", "m5.4xlarge", defaults(), 20, 6, Pool{29, 0, 1}},
		{"targets", "m5.large", defaults().With(2, 10), 0, 8, Pool{10, 0, 2}},
		{"targets, capped by the slots", "t3.medium", defaults().With(5, 0), 30, 14, Pool{15, 0, 3}},
		{"minimum", "m5.xlarge", defaults().With(1, 13), 0, 6, Pool{13, 0, 1}},
		{"minimum", "m5.xlarge", defaults().With(1, 8), 0, 6, Pool{8, 0, 1}},
		{"minimum alone is a hard cap", "m5.xlarge", defaults().With(0, 8), 0, 20, Pool{8, 0, 1}},
		{"prefixes", "m5.large", prefix, 0, 8, Pool{32, 2, 1}},
		{"prefixes", "m5.xlarge", prefix, 0, 20, Pool{48, 3, 1}},
		{"prefixes", "m5.4xlarge", prefix, 0, 6, Pool{32, 2, 1}},
		{"prefixes", "m5.4xlarge", prefix, 0, 28, Pool{48, 3, 1}},
		{"prefixes with targets", "m5.large", prefix.With(2, 10), 0, 8, Pool{16, 1, 1}},
		{"prefixes, minimum alone is a hard cap", "m5.xlarge", prefix.With(0, 22), 110, 50, Pool{32, 2, 1}},
		{"prefix delegation falls back on xen", "t2.medium", prefix, 0, 3, Pool{10, 0, 2}},
		{"custom networking", "m5.large", Settings{WarmENI: 1, CustomNetworking: true}, 29, 18, Pool{18, 0, 3}},
	} {
		got := Node{Limits: limits(t, c.kind), MaxPods: c.maxPods}.Attached(c.s, c.pods)
		if got != c.want {
			t.Errorf("%s, %s with %d pods: %+v, want %+v", c.name, c.kind, c.pods, got, c.want)
		}
	}
}

// Six pods a node on m5.xlarge, one more of each rollout colour: how many nodes fit into an empty /24 (251 usable).
func TestSurgeOfANodePerPod(t *testing.T) {
	for _, c := range []struct{ minimum, nodes, used int }{
		{13, 17, 238}, {13, 18, 252}, {8, 27, 243}, {8, 28, 252},
	} {
		p := Node{Limits: limits(t, "m5.xlarge")}.Attached(defaults().With(1, c.minimum), 6)
		if got := c.nodes * p.Footprint(); got != c.used {
			t.Errorf("%d nodes with MINIMUM_IP_TARGET=%d take %d addresses, want %d", c.nodes, c.minimum, got, c.used)
		}
	}
}

func TestReleases(t *testing.T) {
	l := limits(t, "m5.xlarge")
	for _, c := range []struct {
		name string
		s    Settings
		pool []Interface
		want []Release
	}{
		{"minimum kept at 13: nothing comes back, however few pods", defaults().With(1, 13),
			[]Interface{{Primary: true, Addresses: 13, Assigned: 6}}, []Release{{}}},
		{"13 to 8 with two spare", defaults().With(2, 8),
			[]Interface{{Primary: true, Addresses: 13, Assigned: 6}}, []Release{{Addresses: 5}}},
		{"13 to 8 with five spare", defaults().With(5, 8),
			[]Interface{{Primary: true, Addresses: 13, Assigned: 6}}, []Release{{Addresses: 2}}},
		{"whole interfaces to targets", defaults().With(2, 8),
			[]Interface{{Primary: true, Addresses: 29, Assigned: 6}, {Addresses: 29}},
			[]Release{{Addresses: 21}, {Addresses: 29, Deleted: true}}},
		{"spare addresses spread", defaults().With(2, 10),
			[]Interface{{Primary: true, Addresses: 9, Assigned: 8}, {Addresses: 9}}, []Release{{}, {Addresses: 8}}},
		{"the second interface is in use", defaults().With(1, 1),
			[]Interface{{Primary: true, Addresses: 9, Assigned: 1}, {Addresses: 9, Assigned: 1}},
			[]Release{{Addresses: 7}, {Addresses: 8}}},
		{"without targets an interface goes only whole", defaults(),
			[]Interface{{Primary: true, Addresses: 14, Assigned: 0}, {Addresses: 14, Assigned: 1}}, []Release{{}, {}}},
		{"without targets the third interface", defaults(),
			[]Interface{{Primary: true, Addresses: 14}, {Addresses: 14}, {Addresses: 14, Kept: true}},
			[]Release{{}, {Addresses: 14, Deleted: true}, {}}},
		{"13 to 8 gives back no prefix", Settings{PrefixDelegation: true, WarmIP: 2, MinimumIP: 8},
			[]Interface{{Primary: true, Addresses: 16, Assigned: 6, Prefixes: []int{6}}}, []Release{{}}},
		{"prefixes go whole", Settings{PrefixDelegation: true, WarmIP: 2, MinimumIP: 8},
			[]Interface{{Primary: true, Addresses: 48, Assigned: 6, Prefixes: []int{0, 6, 0}}}, []Release{{Addresses: 32}}},
	} {
		got := Releases(l, c.s, c.pool)
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
	}
}

func TestTarget(t *testing.T) {
	l := limits(t, "m5.large")
	for _, c := range []struct {
		name            string
		s               Settings
		total, assigned int
		short, over     int
	}{
		{"one interface, one pod", defaults(), 9, 1, 1, 0},
		{"two interfaces", defaults(), 18, 1, 0, 8},
		{"no warm interface, all in use", Settings{}, 9, 9, 9, 0},
		{"hard cap: never short", defaults().With(0, 8), 8, 8, 0, 0},
		{"short of warm addresses", defaults().With(2, 8), 8, 8, 2, 0},
		{"short of the minimum", defaults().With(1, 8), 5, 1, 3, 0},
		{"over", defaults().With(2, 8), 18, 4, 0, 10},
	} {
		short, over := c.s.Target(l, c.total, c.assigned)
		if short != c.short || over != c.over {
			t.Errorf("%s: short %d over %d, want %d and %d", c.name, short, over, c.short, c.over)
		}
	}
}

func TestSlots(t *testing.T) {
	l := limits(t, "m5.large")
	for _, c := range []struct {
		name string
		n    Node
		s    Settings
		want int
	}{
		{"all interfaces", Node{Limits: l}, defaults(), 27},
		{"custom networking", Node{Limits: l}, Settings{CustomNetworking: true}, 18},
		{"a trunk takes one", Node{Limits: l, Taken: 1}, defaults(), 18},
		{"MAX_ENI", Node{Limits: l}, Settings{MaxENI: 1}, 9},
		{"prefixes", Node{Limits: l}, Settings{PrefixDelegation: true}, 432},
	} {
		if got := c.n.Slots(c.s); got != c.want {
			t.Errorf("%s: %d slots, want %d", c.name, got, c.want)
		}
	}
}

func TestHardCap(t *testing.T) {
	for _, c := range []struct {
		s      Settings
		want   int
		capped bool
	}{
		{Settings{MinimumIP: 8}, 8, true},
		{Settings{MinimumIP: 22, PrefixDelegation: true}, 32, true},
		{Settings{MinimumIP: 8, WarmIP: 1}, 0, false},
		{Settings{WarmIP: 1}, 0, false},
		{Settings{}, 0, false},
	} {
		if got, capped := c.s.HardCap(); got != c.want || capped != c.capped {
			t.Errorf("%+v: %d %v, want %d %v", c.s, got, capped, c.want, c.capped)
		}
	}
}

func TestParseSettings(t *testing.T) {
	s, problems := ParseSettings(map[string]string{
		"WARM_IP_TARGET": "2", "MINIMUM_IP_TARGET": "10", "ENABLE_PREFIX_DELEGATION": "true", "WARM_PREFIX_TARGET": "0",
		"AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG": "true", "ENABLE_SUBNET_DISCOVERY": "false", "IP_COOLDOWN_PERIOD": "15",
		"WARM_ENI_TARGET": "nonsense",
	})
	s.Set = nil
	want := Settings{WarmENI: 1, WarmIP: 2, MinimumIP: 10, PrefixDelegation: true, CustomNetworking: true, Cooldown: 15 * time.Second, IPv4: true}
	if d := cmp.Diff(want, s); d != "" || len(problems) > 0 {
		t.Errorf("%v (-want +got):\n%s", problems, d)
	}
	for _, env := range []map[string]string{
		{"ENABLE_PREFIX_DELEGATION": "true", "WARM_PREFIX_TARGET": "0"},
		{"IP_COOLDOWN_PERIOD": "soon"},
		{"ENABLE_IPv6": "true"},
	} {
		if _, problems := ParseSettings(env); len(problems) != 1 {
			t.Errorf("%v: problems %q, want one", env, problems)
		}
	}
}
