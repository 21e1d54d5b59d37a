package vpc_test

import (
	"net/netip"
	"testing"

	"github.com/netdiag/netdiag/internal/vpc"
)

func TestDetour(t *testing.T) {
	route := func(cidr, target string) vpc.Route {
		return vpc.Route{Destination: netip.MustParsePrefix(cidr), Target: target, State: "active"}
	}
	local := []vpc.Route{route("10.0.0.0/16", "local"), route("0.0.0.0/0", "nat-1")}
	tables := []vpc.RouteTable{
		{ID: "rtb-main", Main: true, Routes: local},
		{ID: "rtb-fw", Subnets: []string{"subnet-fw"}, Routes: append([]vpc.Route{route("10.0.1.0/24", "vpce-1"), route("10.0.2.0/24", "local")}, local...)},
	}
	blocks := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16"), netip.MustParsePrefix("100.64.0.0/16")}
	for name, c := range map[string]struct {
		subnet, to, by string // by is empty where the local route carries the packets
	}{
		"smaller block through an endpoint": {"subnet-fw", "10.0.1.7", "vpce-1"},
		"smaller block, but local":          {"subnet-fw", "10.0.2.7", ""},
		"another block":                     {"subnet-fw", "10.0.3.7", ""},
		"second block of the VPC":           {"subnet-fw", "100.64.0.7", ""},
		"main table":                        {"subnet-x", "10.0.1.7", ""},
		"outside the VPC":                   {"subnet-fw", "192.168.0.7", ""},
	} {
		hop, ok := vpc.Detour(tables, blocks, c.subnet, netip.MustParseAddr(c.to))
		if ok != (c.by != "") || hop.By != c.by || (ok && hop.Verdict != vpc.Unknown) {
			t.Errorf("%s: %+v %t, want %q", name, hop, ok, c.by)
		}
	}
	if _, ok := vpc.Detour(nil, blocks, "subnet-fw", netip.MustParseAddr("10.0.1.7")); ok {
		t.Error("a detour without any route table read")
	}
}

func TestWithEntry(t *testing.T) {
	all := netip.MustParsePrefix("0.0.0.0/0")
	f := vpc.Firewall{
		Rules: map[string][]vpc.SecurityGroupRule{"sg": {{Group: "sg", Egress: true, Protocol: "-1", CIDR: all}, {Group: "sg", Protocol: "-1", CIDR: all}}},
		ACLs: map[string][]vpc.ACLEntry{
			"subnet-1": {{Number: 100, Protocol: "-1", CIDR: all, Allow: true}, {Number: 100, Egress: true, Protocol: "-1", CIDR: all, Allow: true}},
			"subnet-2": {{Number: 90, Protocol: "6", CIDR: all, From: 0, To: 65535}, {Number: 100, Protocol: "-1", CIDR: all, Allow: true}, {Number: 100, Egress: true, Protocol: "-1", CIDR: all, Allow: true}},
		},
		ACLIDs: map[string]string{"subnet-1": "acl-1", "subnet-2": "acl-2"},
	}
	from := vpc.NetworkInterface{ID: "a", Subnet: "subnet-1", Primary: netip.MustParseAddr("10.0.1.1"), Groups: []string{"sg"}}
	to := vpc.NetworkInterface{ID: "b", Subnet: "subnet-2", Primary: netip.MustParseAddr("10.0.2.1"), Groups: []string{"sg"}}
	entry := vpc.ACLEntry{Number: 80, Protocol: "6", CIDR: netip.MustParsePrefix("10.0.1.0/24"), From: 8080, To: 8080, Allow: true}
	for acl, want := range map[string]vpc.Verdict{"acl-1": vpc.Denied, "acl-2": vpc.Allowed} {
		if got := f.WithEntry(acl, entry).Path(from, to, to.Primary, 8080).Verdict; got != want {
			t.Errorf("with the entry in %s the path is %s, want %s", acl, got, want)
		}
	}
	if got := f.Path(from, to, to.Primary, 8080).Verdict; got != vpc.Denied {
		t.Errorf("the firewall itself was changed: %s", got)
	}
}
