package nature

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/internal/cni"
	"github.com/netdiag/netdiag/internal/vpc"
)

// m5Large is three interfaces of ten addresses.
func m5Large(t *testing.T) cni.Limits {
	t.Helper()
	l, ok := cni.LimitsOf("m5.large")
	if !ok {
		t.Fatal("no limits of m5.large")
	}
	return l
}

// eni is an interface with n secondary addresses 10.0.<device>.<1…n>, and prefixes from 10.1.<device>.0 on.
func eni(device, n, prefixes int) vpc.NetworkInterface {
	e := vpc.NetworkInterface{ID: fmt.Sprintf("eni-%d", device), Subnet: "subnet-1", Device: device, Primary: netip.MustParseAddr(fmt.Sprintf("10.0.%d.100", device))}
	e.Addresses = []netip.Addr{e.Primary}
	for i := range n {
		e.Addresses = append(e.Addresses, netip.MustParseAddr(fmt.Sprintf("10.0.%d.%d", device, i+1)))
	}
	for i := range prefixes {
		e.Prefixes = append(e.Prefixes, netip.MustParsePrefix(fmt.Sprintf("10.1.%d.%d/28", device, 16*i)))
	}
	return e
}

func uses(addresses ...string) map[netip.Addr]bool {
	used := map[netip.Addr]bool{}
	for _, a := range addresses {
		used[netip.MustParseAddr(a)] = true
	}
	return used
}

func parsed(env map[string]string) cni.Settings {
	s, _ := cni.ParseSettings(env)
	return s
}

var (
	targets  = map[string]string{"WARM_IP_TARGET": "2", "MINIMUM_IP_TARGET": "4"}
	prefixes = map[string]string{"ENABLE_PREFIX_DELEGATION": "true", "WARM_IP_TARGET": "2", "MINIMUM_IP_TARGET": "4"}
)

func TestReleasesSpareWhatPodsUse(t *testing.T) {
	for _, c := range []struct {
		name string
		env  map[string]string
		enis []vpc.NetworkInterface
		used map[netip.Addr]bool
		want []string
	}{
		{"the highest free ones go", targets, []vpc.NetworkInterface{eni(0, 9, 0)}, uses("10.0.0.9", "10.0.0.2"), []string{"eni-0 [10.0.0.8 10.0.0.7 10.0.0.6 10.0.0.5 10.0.0.4] [] false"}},
		{"an empty interface goes whole", targets, []vpc.NetworkInterface{eni(0, 4, 0), eni(1, 5, 0)}, uses("10.0.0.1"), []string{"eni-1 [10.0.1.5 10.0.1.4 10.0.1.3 10.0.1.2 10.0.1.1] [] true"}},
		{"one that a pod is on stays", targets, []vpc.NetworkInterface{eni(0, 4, 0), eni(1, 5, 0)}, uses("10.0.1.5"), []string{"eni-1 [10.0.1.4 10.0.1.3 10.0.1.2 10.0.1.1] [] false", "eni-0 [10.0.0.4] [] false"}},
		{"free prefixes go whole", prefixes, []vpc.NetworkInterface{eni(0, 0, 3)}, uses("10.1.0.20"), []string{"eni-0 [] [10.1.0.0/28 10.1.0.32/28] false"}},
		{"empty prefixes go when they are switched off, one in use stays", targets, []vpc.NetworkInterface{eni(0, 4, 2)}, uses("10.0.0.1", "10.0.0.2", "10.1.0.20"), []string{"eni-0 [] [10.1.0.0/28] false"}},
		{"nothing above the targets", targets, []vpc.NetworkInterface{eni(0, 4, 0)}, uses("10.0.0.1", "10.0.0.2"), nil},
	} {
		var got []string
		for _, r := range newPool(parsed(c.env), m5Large(t), 0, c.enis, c.used).releases() {
			got = append(got, fmt.Sprint(r.eni.ID, " ", r.addresses, " ", r.prefixes, " ", r.deleted))
			for _, a := range r.addresses {
				if c.used[a] {
					t.Errorf("%s: %s is in use", c.name, a)
				}
			}
		}
		want := map[string]bool{}
		for _, w := range c.want {
			want[w] = true
		}
		have := map[string]bool{}
		for _, g := range got {
			have[g] = true
		}
		if d := cmp.Diff(want, have); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
	}
}

func TestGrowth(t *testing.T) {
	const plenty = 200
	trunk := eni(3, 0, 0)
	trunk.Type = "trunk"
	for _, c := range []struct {
		name      string
		env       map[string]string
		enis      []vpc.NetworkInterface
		used      map[netip.Addr]bool
		available int
		want      *growth
	}{
		{"up to the targets", targets, []vpc.NetworkInterface{eni(0, 2, 0)}, uses("10.0.0.1", "10.0.0.2"), plenty, &growth{"eni-0", "subnet-1", 2, 0}},
		{"no more than the subnet has", targets, []vpc.NetworkInterface{eni(0, 2, 0)}, uses("10.0.0.1", "10.0.0.2"), 1, &growth{"eni-0", "subnet-1", 1, 0}},
		{"nothing from an empty subnet", targets, []vpc.NetworkInterface{eni(0, 2, 0)}, uses("10.0.0.1", "10.0.0.2"), 0, nil},
		{"a further interface where the first is full", map[string]string{"WARM_IP_TARGET": "3"}, []vpc.NetworkInterface{eni(0, 9, 0)}, uses("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.7", "10.0.0.8", "10.0.0.9"), plenty, &growth{"", "subnet-1", 3, 0}},
		{"its own address has to fit too", map[string]string{"WARM_IP_TARGET": "12"}, []vpc.NetworkInterface{eni(0, 9, 0)}, nil, 1, nil},
		{"no slot is left beside a trunk", map[string]string{"WARM_IP_TARGET": "20"}, []vpc.NetworkInterface{eni(0, 9, 0), eni(1, 9, 0), trunk}, nil, plenty, nil},
		{"whole interfaces without targets", nil, []vpc.NetworkInterface{eni(0, 2, 0)}, uses("10.0.0.1"), plenty, &growth{"eni-0", "subnet-1", 7, 0}},
		{"quiet with a warm interface", nil, []vpc.NetworkInterface{eni(0, 9, 0)}, nil, plenty, nil},
		{"capped by a minimum alone", map[string]string{"MINIMUM_IP_TARGET": "2"}, []vpc.NetworkInterface{eni(0, 2, 0)}, uses("10.0.0.1", "10.0.0.2"), plenty, nil},
		{"whole prefixes", prefixes, []vpc.NetworkInterface{eni(0, 3, 0)}, uses("10.0.0.1"), plenty, &growth{"eni-0", "subnet-1", 0, 1}},
		{"no prefix from few addresses", prefixes, []vpc.NetworkInterface{eni(0, 3, 0)}, uses("10.0.0.1"), 15, nil},
		{"custom networking leaves the primary interface alone", map[string]string{"AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG": "true", "WARM_IP_TARGET": "2"}, []vpc.NetworkInterface{eni(0, 0, 0), eni(1, 9, 0)}, uses("10.0.1.1", "10.0.1.2", "10.0.1.3", "10.0.1.4", "10.0.1.5", "10.0.1.6", "10.0.1.7", "10.0.1.8"), plenty, &growth{"", "subnet-1", 1, 0}},
	} {
		got := newPool(parsed(c.env), m5Large(t), 0, c.enis, c.used).grow(map[string]int{"subnet-1": c.available})
		if d := cmp.Diff(c.want, got, cmp.AllowUnexported(growth{})); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
	}
}

// A further interface goes into a subnet that is tagged for pods where that of the node has no address.
func TestGrowthIntoATaggedSubnet(t *testing.T) {
	tags := func(v string) map[string]string { return map[string]string{"kubernetes.io/role/cni": v} }
	tagged := vpc.Subnet{ID: "subnet-2", Zone: "a", Tags: tags("1"), Available: 50}
	for _, c := range []struct {
		name string
		env  map[string]string
		edit func(*vpc.Subnet)
		want *growth
	}{
		{"tagged", nil, func(*vpc.Subnet) {}, &growth{"", "subnet-2", 9, 0}},
		{"not tagged", nil, func(s *vpc.Subnet) { s.Tags = nil }, nil},
		{"tagged 0", nil, func(s *vpc.Subnet) { s.Tags = tags("0") }, nil},
		{"in another zone", nil, func(s *vpc.Subnet) { s.Zone = "b" }, nil},
		{"in another VPC", nil, func(s *vpc.Subnet) { s.VPC = "vpc-2" }, nil},
		{"full", nil, func(s *vpc.Subnet) { s.Available = 1 }, nil},
		{"discovery is off", map[string]string{"ENABLE_SUBNET_DISCOVERY": "false"}, func(*vpc.Subnet) {}, nil},
	} {
		further := tagged
		c.edit(&further)
		p := newPool(parsed(c.env), m5Large(t), 0, []vpc.NetworkInterface{eni(0, 9, 0)}, uses("10.0.0.1", "10.0.0.2"))
		p.discover([]vpc.Subnet{further, {ID: "subnet-1", Zone: "a"}})
		got := p.grow(map[string]int{"subnet-1": 0, "subnet-2": further.Available})
		if d := cmp.Diff(c.want, got, cmp.AllowUnexported(growth{})); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
	}
}

func TestTake(t *testing.T) {
	p := newPool(parsed(prefixes), m5Large(t), 0, []vpc.NetworkInterface{eni(0, 3, 1)}, uses("10.1.0.0"))
	seen := map[netip.Addr]bool{}
	for range 15 {
		a, ok := p.take()
		if !ok || seen[a] || !netip.MustParsePrefix("10.1.0.0/28").Contains(a) || a == netip.MustParseAddr("10.1.0.0") {
			t.Fatalf("took %s %t", a, ok)
		}
		seen[a] = true
	}
	if a, ok := p.take(); ok {
		t.Errorf("took %s of a prefix that is used up; single addresses don't serve new pods", a)
	}
	if p.members[0].cni.Assigned != 16 || p.members[0].cni.Prefixes[0] != 16 {
		t.Errorf("counted %+v", p.members[0].cni)
	}
}
