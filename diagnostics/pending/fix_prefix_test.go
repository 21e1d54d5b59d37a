package pending

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/vpc"
)

// Prefix delegation is proposed where nodes are full, were made for it, and every subnet of theirs has the blocks; nowhere else.
func TestPrefixDelegation(t *testing.T) {
	full := func(c *scene, maxPods int) *Node {
		n := c.node("n1", "a", 27, 9, 9, 9)
		n.MaxPods = maxPods
		c.wait("n1", 2, assignFailed, nil)
		return n
	}
	for _, c := range []struct {
		name        string
		build       func() *scene
		first       bool
		offered     bool
		refuseWords string
	}{
		{"nodes that were made for it", func() *scene { c := newScene(221, 100); full(c, 110); return c }, true, true, ""},
		{"nodes that were not: after the right limit", func() *scene { c := newScene(221, 100); full(c, 40); return c }, false, true, ""},
		{"too few whole blocks", func() *scene {
			c := newScene(212, 100)
			full(c, 110)
			for k := range 14 { // one address in each block but the first two
				a := netip.AddrFrom4([4]byte{10, 0, 1, byte(32 + 16*k)})
				c.s.Interfaces = append(c.s.Interfaces, vpc.NetworkInterface{ID: "eni-x" + a.String(), Subnet: "subnet-a", Status: "in-use", Type: "lambda", Primary: a, Addresses: []netip.Addr{a}})
			}
			return c
		}, false, false, "0 free /28 blocks"},
		{"not on Xen", func() *scene {
			c := newScene(221, 100)
			full(c, 110)
			c.s.Types[0].Nitro = false
			return c
		}, false, false, "no Nitro type"},
		{"not with an old CNI", func() *scene {
			c := newScene(221, 100)
			full(c, 110)
			c.s.Driver.Version = "v1.8.0"
			return c
		}, false, false, "v1.9.0"},
		{"the interfaces of the subnet could not all be read, but most of it is free", func() *scene {
			c := newScene(247, 100)
			full(c, 110)
			c.s.Whole = nil
			return c
		}, true, true, ""},
		{"the interfaces of the subnet could not all be read, and half of it is free", func() *scene {
			c := newScene(120, 100)
			full(c, 110)
			c.s.Whole = nil
			return c
		}, false, false, ""},
		{"not for a full subnet", func() *scene {
			c := newScene(0, 100)
			c.node("n1", "a", 9, 9)
			c.wait("n1", 2, assignFailed, nil)
			return c
		}, false, false, "0 free addresses"},
	} {
		r := c.build().judged(t)
		at := slices.IndexFunc(r.Fixes, func(f diagnostics.Fix) bool { return f.ID == "pending/enable-prefix-delegation" })
		if (at == 0) != c.first || (at >= 0) != c.offered {
			t.Errorf("%s: fixes %v", c.name, fixIDs(r))
		}
		if at >= 0 && (r.Fixes[at].Executable || r.Fixes[at].Owner != "eks-addon" || !strings.Contains(r.Fixes[at].Proof, "/28")) {
			t.Errorf("%s: %+v", c.name, r.Fixes[at])
		}
		why := ""
		for _, f := range r.Refused {
			if f.ID == "pending/enable-prefix-delegation" {
				why += f.Why
			}
		}
		if !strings.Contains(why, c.refuseWords) || (why == "") != (c.refuseWords == "") {
			t.Errorf("%s: refused %q, want %q", c.name, why, c.refuseWords)
		}
	}
}

// Where a subnet is set aside for prefixes, or nodes hold unused ones, switching them on again serves the pods that wait.
func TestPrefixesThatAreThere(t *testing.T) {
	scene := func(inUse, reserved int) *scene {
		c := newScene(0, 100)
		n := c.node("n1", "a", 0, 0)
		prefix := netip.MustParsePrefix("10.0.1.128/28")
		c.s.Interfaces[0].Prefixes = []netip.Prefix{prefix}
		a := prefix.Addr()
		for range inUse {
			n.Pods = append(n.Pods, Placed{Namespace: "data", Name: a.String(), IP: a.String()})
			a = a.Next()
		}
		if reserved > 0 {
			c.s.Reservations = []vpc.Reservation{{ID: "scr-1", Subnet: "subnet-a", Kind: "prefix", CIDR: netip.PrefixFrom(prefix.Addr(), 28-reserved)}}
		}
		c.wait("n1", 3, assignFailed, nil)
		return c
	}
	for _, c := range []struct {
		name            string
		inUse, reserved int
		frees           int // 0: it is refused
	}{
		{"unused addresses of a prefix that is there", 12, 0, 4},
		{"too few of them", 14, 0, 0},
		{"too few of them, and a block reserved, where each node needs two", 14, 1, 0},
		{"too few of them, and three blocks reserved", 14, 2, 2 + 3*16},
		{"none, and three blocks reserved", 16, 2, 3 * 16},
	} {
		r := scene(c.inUse, c.reserved).judged(t)
		first := diagnostics.Fix{}
		if len(r.Fixes) > 0 {
			first = r.Fixes[0]
		}
		is := first.ID == "pending/enable-prefix-delegation"
		if is != (c.frees > 0) || is && (first.Frees != c.frees || !first.Executable) {
			t.Errorf("%s: first fix %s frees %d, executable %t; want %d", c.name, first.ID, first.Frees, first.Executable, c.frees)
		}
		if is == slices.Contains(refusedIDs(r), "enable-prefix-delegation") {
			t.Errorf("%s: offered %t and refused %v", c.name, is, r.Refused)
		}
	}
}

// New pods get addresses of one kind: the other takes places, and serves those that have them.
func TestTwoKindsOfAddresses(t *testing.T) {
	c := newScene(200, 100)
	n := c.node("n1", "a", 20, 9, 9, 9)
	c.s.Driver.Env["ENABLE_PREFIX_DELEGATION"] = "true"
	c.wait("n1", 2, assignFailed, nil)
	p := c.s.newPool(n)
	if p.attached != 0 || p.assigned != 0 || p.aside != 20 || !p.full() {
		t.Errorf("attached %d, assigned %d, aside %d, full %t", p.attached, p.assigned, p.aside, p.full())
	}
	r := c.judged(t)
	if len(r.Causes) != 1 || r.Causes[0].ID != "pending/eni-slots-full" || !strings.Contains(r.Causes[0].Summary, "27 single addresses are not used for new pods") {
		t.Errorf("%v %s", keys(r.Causes), r.Summary)
	}
	if slices.Contains(fixIDs(r), "enable-prefix-delegation") {
		t.Errorf("fixes %v: prefixes are on", fixIDs(r))
	}
	// A type without prefixes goes on with single addresses whatever the setting says.
	c.s.Types[0].Nitro = false
	if p := c.s.newPool(n); p.attached != 27 || p.settings.PrefixDelegation {
		t.Errorf("on Xen: attached %d", p.attached)
	}
}
