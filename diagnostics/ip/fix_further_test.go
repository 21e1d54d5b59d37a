package ip

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/cni"
	"github.com/netdiag/netdiag/internal/vpc"
)

// beside is a subnet that is short, in a VPC with another one of its zone in which nothing is.
func beside(available, nodes, holds int) Snapshot {
	const home, other = "subnet-0000000a", "subnet-0000000b"
	at := func(id, cidr string, available int) vpc.Subnet {
		return vpc.Subnet{ID: id, VPC: "vpc-1", Zone: "us-west-2a", CIDR: netip.MustParsePrefix(cidr), Available: available}
	}
	short := Subnet{Subnet: at(home, "10.0.0.0/24", available), Read: true, Nodes: nodes, Typical: cni.Growth{Nodes: 1, Addresses: holds}, Able: 1, Places: 3}
	s := cluster(map[string]string{}, short)
	s.Every = []vpc.Subnet{short.Subnet, at(other, "10.0.1.0/24", 251)}
	s.VPC = &vpc.VPC{ID: "vpc-1", CIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16")}}
	s.Tables = []vpc.RouteTable{{ID: "rtb-1", VPC: "vpc-1", Main: true}}
	return s
}

// A further subnet of the zone is proposed, and left to people where it doesn't end what is found; where none would be used it is
// refused with the number.
func TestFurtherSubnet(t *testing.T) {
	prefixes := func() Snapshot {
		s := beside(120, 4, 0)
		s.Driver.Env["ENABLE_PREFIX_DELEGATION"] = "true"
		s.Subnets[0].Typical = cni.Growth{Nodes: 1, Addresses: 1, Prefixes: 1}
		return s
	}
	for _, c := range []struct {
		name       string
		s          Snapshot
		edit       func(*Snapshot)
		resolves   []string
		executable bool
		needs      int
		says       string // in proof or commands
		refused    string
	}{
		{name: "two further nodes lack addresses", s: beside(60, 3, 40), resolves: []string{"ip/surge-short subnet-0000000a"}, executable: true, needs: 20,
			says: "nothing is in subnet subnet-0000000b (10.0.1.0/24): it gives 251 addresses in us-west-2a; 2 of 2 further nodes have a place"},
		{name: "and the subnet is low", s: beside(30, 3, 20), resolves: []string{"ip/surge-short subnet-0000000a"}, executable: true, needs: 21, says: "stays below 20 %, and nodes still start in it"},
		{name: "it is low alone", s: beside(30, 3, 10), needs: 21, says: "1 of 3 nodes have a place"},
		{name: "no address for the nodes themselves", s: beside(1, 3, 20), needs: 50, says: "stays below 20 %"},
		{name: "there is none", s: beside(60, 3, 40), edit: func(s *Snapshot) { s.Every = s.Every[:1] }, resolves: []string{"ip/surge-short subnet-0000000a"}, needs: 20, says: "10.0.16.0/20 is unused in the VPC and gives 4091 addresses"},
		{name: "other routes", s: beside(60, 3, 40), edit: func(s *Snapshot) {
			s.Tables = append(s.Tables, vpc.RouteTable{ID: "rtb-2", Subnets: []string{"subnet-0000000b"}})
		}, resolves: []string{"ip/surge-short subnet-0000000a"}, needs: 20, says: "aws ec2 create-tags --resources subnet-0000000b"},
		{name: "another cluster is there", s: beside(60, 3, 40), edit: func(s *Snapshot) { s.Tenant = "cluster legacy" }, resolves: []string{"ip/surge-short subnet-0000000a"}, needs: 20, says: "cni.networking.k8s.aws/cluster/prod"},
		{name: "whole blocks", s: prefixes(), resolves: []string{"ip/prefixes-low subnet-0000000a"}, executable: true, needs: 48, says: "further nodes", refused: "0 of its blocks of 16 are free, although 120 addresses are"},
		{name: "too few whole blocks", s: prefixes(), edit: func(s *Snapshot) {
			s.Every[1].CIDR, s.Every[1].Available = netip.MustParsePrefix("10.0.1.0/26"), 59
		}, needs: 48, says: "nothing is in subnet subnet-0000000b", refused: "0 of its blocks"},
		{name: "an older CNI", s: beside(60, 3, 40), edit: func(s *Snapshot) { s.Driver.Version = "v1.17.1" }, refused: "v1.18.3 is the first"},
		{name: "discovery is off", s: beside(60, 3, 40), edit: func(s *Snapshot) { s.Driver.Env["ENABLE_SUBNET_DISCOVERY"] = "false" }, refused: "the CNI uses 0"},
		{name: "the CNI may not look", s: beside(60, 3, 40), edit: func(s *Snapshot) {
			s.Events = []Event{{Reason: "MissingIAMPermissions", Message: "Unauthorized operation: failed to call ec2:DescribeSubnets"}}
		}, refused: "it finds 0"},
		{name: "no place on any node", s: beside(30, 3, 10), edit: func(s *Snapshot) { s.Subnets[0].Able = 0 }, refused: "0 of 3 nodes have a place left"},
		{name: "one interface at most", s: beside(60, 3, 40), edit: func(s *Snapshot) { s.Subnets[0].Places = 1 }, refused: "0 of 2 further nodes have a place left"},
		{name: "ENIConfigs", s: beside(60, 3, 40), edit: func(s *Snapshot) { s.Driver.Env["AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG"] = "true" }},
		{name: "the VPC could not be read", s: beside(60, 3, 40), edit: func(s *Snapshot) { s.Every = nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.edit != nil {
				c.edit(&c.s)
			}
			r := analyze(c.s)
			refused := slices.ContainsFunc(r.Refused, func(x diagnostics.Refused) bool { return strings.Contains(x.Why, c.refused) })
			if (len(r.Refused) > 0) != (c.refused != "") || c.refused != "" && !refused {
				t.Errorf("refused %q, want %q", r.Refused, c.refused)
			}
			if c.says == "" {
				if len(r.Fixes) > 0 {
					t.Errorf("proposed: %+v", r.Fixes)
				}
				return
			}
			if len(r.Fixes) != 1 {
				t.Fatalf("%d fixes", len(r.Fixes))
			}
			f := r.Fixes[0]
			if f.ID != "pending/add-pod-subnet" || !slices.Equal(f.Resolves, c.resolves) || f.Executable != c.executable || (f.Action != nil) != c.executable || f.Needs != c.needs || f.Frees < f.Needs {
				t.Errorf("%s resolves %q, executable %t, gives %d where %d are missing", f.ID, f.Resolves, f.Executable, f.Frees, f.Needs)
			}
			if !strings.Contains(f.Proof+strings.Join(f.Commands, "\n"), c.says) {
				t.Errorf("%q of %q lacks %q", f.Proof, f.Commands, c.says)
			}
		})
	}
}

// Subnets that have to be made get blocks that don't overlap.
func TestFurtherSubnetsOfTheirOwn(t *testing.T) {
	s := beside(60, 3, 40)
	s.Every = s.Every[:1]
	second := s.Subnets[0]
	second.ID, second.Zone, second.CIDR = "subnet-0000000c", "us-west-2b", netip.MustParsePrefix("10.0.2.0/24")
	s.Subnets, s.Every = append(s.Subnets, second), append(s.Every, second.Subnet)
	r := analyze(s)
	if len(r.Fixes) != 2 || !strings.Contains(r.Fixes[0].Title, "10.0.16.0/20") || !strings.Contains(r.Fixes[1].Title, "10.0.32.0/20") {
		t.Errorf("%+v", r.Fixes)
	}
}

// What a tagged subnet of the zone has free counts for a surge, once the nodes themselves have their addresses.
func TestASurgeFindsAddressesBeside(t *testing.T) {
	for _, c := range []struct {
		free, beside int
		zone         string
		short        bool
	}{
		{60, 20, "us-west-2a", false}, {60, 19, "us-west-2a", true}, {60, 200, "us-west-2b", true}, {1, 200, "us-west-2a", true}, {2, 200, "us-west-2a", false},
	} {
		s := beside(c.free, 3, 40)
		o := Subnet{Subnet: s.Every[1], Read: true}
		o.Tags, o.Available, o.Zone = map[string]string{"kubernetes.io/role/cni": "1"}, c.beside, c.zone
		s.Subnets, s.Every[1] = append(s.Subnets, o), o.Subnet
		_, short := find(analyze(s), "ip/surge-short subnet-0000000a")
		if short != c.short {
			t.Errorf("%d free, %d beside in %s: short %t, want %t", c.free, c.beside, c.zone, short, c.short)
		}
	}
}

func find(r diagnostics.Result, key string) (diagnostics.Finding, bool) {
	for _, f := range r.Findings {
		if f.Key() == key {
			return f, true
		}
	}
	return diagnostics.Finding{}, false
}
