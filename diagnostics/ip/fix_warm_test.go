package ip

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/awsnode"
	"github.com/netdiag/netdiag/internal/cni"
	"github.com/netdiag/netdiag/internal/eks"
	"github.com/netdiag/netdiag/internal/vpc"
)

// nodes are m5.large nodes whose interfaces hold {addresses, in use} each, all in the one subnet.
func nodes(n, waiting int, interfaces ...[2]int) Holding {
	h := Holding{Nodes: n, Limits: cni.Limits{Interfaces: 3, Addresses: 10, VCPUs: 2, Nitro: true}, MaxPods: 29, Waiting: waiting}
	for k, i := range interfaces {
		h.Interfaces = append(h.Interfaces, Place{Here: true, Primary: k == 0, Addresses: i[0], Assigned: i[1]})
		h.Here += 1 + i[0]
	}
	return h
}

// uncounted are nodes with so many addresses for pods attached, of which it isn't known how many are in use.
func uncounted(n, attached int) Holding {
	return Holding{Nodes: n, Unread: true, Attached: attached, Here: attached + 2}
}

// subnet is a /24 of a zone with what its nodes hold. Nothing is known of them where none are given.
func subnet(zone string, available int, kept ...Holding) Subnet {
	s := Subnet{Subnet: vpc.Subnet{ID: "subnet-" + zone, Zone: zone, CIDR: netip.MustParsePrefix("10.0.0.0/24"), Available: available}, Read: true, Counted: len(kept) > 0, Kept: kept}
	var each []int
	for _, h := range kept {
		s.Nodes += h.Nodes
		if h.Unread {
			s.Uncounted += h.Nodes
		}
		for range h.Nodes {
			each = append(each, h.Here)
		}
	}
	if slices.Sort(each); len(each) > 0 {
		s.Typical = cni.Growth{Nodes: 1, Addresses: each[len(each)/2]}
	}
	return s
}

// cluster is one with an EKS add-on that is rolled out.
func cluster(env map[string]string, subnets ...Subnet) Snapshot {
	return Snapshot{Target: diagnostics.Target{Cluster: "prod"}, Nodes: 9, Subnets: subnets,
		Driver: &awsnode.Driver{Version: "v1.20.4", Env: env, Desired: 9, Ready: 9, Updated: 9},
		Addon:  &eks.Addon{Name: "vpc-cni", Version: "v1.20.4-eksbuild.1", Status: "ACTIVE"}}
}

// Lower warm pool targets are proposed where they end what is found in the very subnet, and else refused with the number.
func TestLowerWarmPoolTargets(t *testing.T) {
	whole, minimum := map[string]string{}, map[string]string{"MINIMUM_IP_TARGET": "13"}
	roomy := nodes(3, 0, [2]int{9, 4}, [2]int{9, 0}) // 12 of each come back
	for _, c := range []struct {
		name     string
		s        Snapshot
		edit     func(*Snapshot)
		resolves []string
		needs    int
		proof    []string
		refused  []string // parts, one of each refusal
	}{
		{name: "enough for both", s: cluster(whole, subnet("a", 30, roomy)), resolves: []string{"ip/subnet-low subnet-a", "ip/surge-short subnet-a"}, needs: 21,
			proof: []string{"frees 36 addresses in subnet subnet-a (a) on 3 nodes, and 21 are missing: 66 of 251 are free then, 26 %", "two further nodes take 16 then instead of 40", "up to 3 more"}},
		{name: "enough for a surge only", s: cluster(whole, subnet("a", 10, roomy)), resolves: []string{"ip/surge-short subnet-a"}, needs: 6,
			proof:   []string{"46 of 251 are free then, 18 %", "it stays below 20 %"},
			refused: []string{"free 36 addresses in subnet subnet-a, and 41 are missing: its nodes keep 42 ready in all"}},
		{name: "one address short of the share", s: cluster(whole, subnet("a", 9, nodes(3, 0, [2]int{9, 4}, [2]int{9, 1}), nodes(1, 0, [2]int{9, 4}, [2]int{9, 4}))), resolves: []string{"ip/surge-short subnet-a"},
			needs: 9, proof: []string{"it stays"}, refused: []string{"42 are missing"}},
		{name: "just the share", s: cluster(whole, subnet("a", 10, nodes(3, 0, [2]int{9, 4}, [2]int{9, 1}), nodes(1, 0, [2]int{9, 4}, [2]int{9, 4}))),
			resolves: []string{"ip/subnet-low subnet-a", "ip/surge-short subnet-a"}, needs: 41, proof: []string{"51 of 251 are free then, 20 %"}},
		{name: "nothing is kept ready", s: cluster(whole, subnet("a", 30, nodes(12, 0, [2]int{9, 9}, [2]int{9, 8}))), refused: []string{"free 0 addresses in subnet subnet-a, and 21 are missing: its nodes keep 12 ready in all; nodes that hold fewer than the targets ask take up to 24"}},
		{name: "12 are ready and 31 are missing", s: cluster(whole, subnet("a", 20, nodes(4, 0, [2]int{9, 6}), nodes(10, 0, [2]int{9, 9}))), refused: []string{"and 31 are missing: its nodes keep 12 ready in all"}},
		{name: "pods wait and come first", s: cluster(whole, subnet("a", 0, nodes(6, 0, [2]int{9, 4}, [2]int{9, 0}), nodes(1, 4, [2]int{9, 9}))), resolves: []string{"ip/subnet-low subnet-a", "ip/surge-short subnet-a"}, needs: 51,
			proof: []string{"on 6 nodes, of which 5 go to pods that wait there", "67 of 251 are free then"}},
		{name: "a minimum alone is a cap", s: cluster(minimum, subnet("a", 45, nodes(4, 0, [2]int{13, 6}))), resolves: []string{"ip/subnet-low subnet-a"}, needs: 6, refused: []string{"a lower MINIMUM_IP_TARGET alone: with 8"}},
		{name: "one of two subnets", s: cluster(whole, subnet("a", 30, roomy), subnet("b", 5, nodes(10, 0, [2]int{9, 6}))), resolves: []string{"ip/subnet-low subnet-a", "ip/surge-short subnet-a"}, needs: 21,
			refused: []string{"in subnet subnet-b, and 46 are missing: its nodes keep 30 ready in all"}},
		{name: "another subnet would run short", s: cluster(whole, subnet("a", 30, nodes(3, 0, [2]int{9, 9}, [2]int{9, 2}, [2]int{9, 0})), subnet("b", 60)),
			edit:    func(s *Snapshot) { s.Subnets[1].Nodes, s.Subnets[1].Attached = 20, map[int]int{9: 20} },
			refused: []string{"have the nodes of subnet subnet-b take up to 100 addresses more, and it has 60"}},
		{name: "another one that is short would be shorter", s: cluster(whole, subnet("a", 30, nodes(3, 0, [2]int{9, 9}, [2]int{9, 2}, [2]int{9, 0})), subnet("b", 40, nodes(10, 0, [2]int{9, 6}))),
			refused: []string{"have the nodes of subnet subnet-b take up to 50 addresses more, and it has 40", "in subnet subnet-b, and 11 are missing"}},
		{name: "its own nodes with few are reckoned already", s: cluster(whole, subnet("a", 30, roomy, nodes(1, 0, [2]int{4, 1}))), edit: func(s *Snapshot) { s.Subnets[0].Attached = map[int]int{18: 3, 4: 1} },
			resolves: []string{"ip/subnet-low subnet-a", "ip/surge-short subnet-a"}, needs: 21, proof: []string{"of which up to 2 go to nodes"}},
		{name: "the higher minimum of two that serve as much", s: cluster(whole, subnet("a", 30, roomy), subnet("b", 31, nodes(3, 0, [2]int{9, 6}, [2]int{9, 0}))),
			resolves: []string{"ip/subnet-low subnet-a", "ip/surge-short subnet-a", "ip/subnet-low subnet-b", "ip/surge-short subnet-b"}, needs: 41, proof: []string{"frees 30 addresses in subnet subnet-a", "frees 30 addresses in subnet subnet-b"}},
		{name: "with what is beside it for a surge", s: cluster(whole, subnet("a", 20, nodes(4, 0, [2]int{9, 8}, [2]int{9, 6})), subnet("b", 10)),
			edit:     func(s *Snapshot) { s.Subnets[1].Zone, s.Subnets[1].Tags = "a", map[string]string{awsnode.TagCNI: "1"} },
			resolves: []string{"ip/surge-short subnet-a"}, needs: 6, refused: []string{"free 8 addresses in subnet subnet-a, and 31 are missing"}},
		{name: "another subnet has room for it", s: cluster(whole, subnet("a", 30, nodes(3, 0, [2]int{9, 9}, [2]int{9, 2}, [2]int{9, 0})), subnet("b", 200)),
			edit:     func(s *Snapshot) { s.Subnets[1].Nodes, s.Subnets[1].Attached = 20, map[int]int{9: 20} },
			resolves: []string{"ip/subnet-low subnet-a", "ip/surge-short subnet-a"}, needs: 21},
		{name: "none was counted", s: cluster(whole, subnet("a", 30, uncounted(3, 18))), refused: []string{"of the 3 nodes with addresses in subnet subnet-a, it is known of 0"}},
		{name: "those that were counted are enough", s: cluster(whole, subnet("a", 30, roomy, uncounted(2, 18))), resolves: []string{"ip/subnet-low subnet-a", "ip/surge-short subnet-a"}, needs: 21,
			proof: []string{"on 3 nodes, 2 of its 5 not counted, and 21 are missing: 66 of 251"}},
		{name: "those that were not counted may take more", s: cluster(whole, subnet("a", 20, roomy, uncounted(2, 2))), resolves: []string{"ip/surge-short subnet-a"}, needs: 1,
			proof:   []string{"2 of its 5 not counted, of which up to 10 go to nodes that hold fewer"},
			refused: []string{"take up to 10; 2 of the 5 nodes there were not counted, and may keep more"}},
		{name: "prefixes", s: cluster(map[string]string{"ENABLE_PREFIX_DELEGATION": "true"}, subnet("a", 30)), refused: nil},
		{name: "nobody's DaemonSet", s: cluster(whole, subnet("a", 30, roomy)), edit: func(s *Snapshot) { s.Driver = nil }},
		{name: "room enough", s: cluster(whole, subnet("a", 100, roomy))},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.edit != nil {
				c.edit(&c.s)
			}
			r := analyze(c.s)
			if len(r.Refused) != len(c.refused) {
				t.Errorf("refused %q, want %d", r.Refused, len(c.refused))
			}
			for n := range min(len(r.Refused), len(c.refused)) {
				if !strings.Contains(r.Refused[n].Why, c.refused[n]) || r.Refused[n].ID != "pending/tune-warm-pool" {
					t.Errorf("refused %q, want %q", r.Refused[n], c.refused[n])
				}
			}
			if len(c.resolves) == 0 {
				if len(r.Fixes) > 0 {
					t.Errorf("proposed: %+v", r.Fixes)
				}
				return
			}
			if len(r.Fixes) != 1 {
				t.Fatalf("%d fixes: %+v", len(r.Fixes), r.Fixes)
			}
			f := r.Fixes[0]
			if !slices.Equal(f.Resolves, c.resolves) || f.Needs != c.needs || f.Frees < f.Needs || !f.Executable || f.Action == nil || f.Owner != "eks-addon" || f.Risk != "medium" {
				t.Errorf("resolves %q, needs %d of %d; want %q and %d\n%+v", f.Resolves, f.Needs, f.Frees, c.resolves, c.needs, f)
			}
			for _, part := range c.proof {
				if !strings.Contains(f.Proof, part) {
					t.Errorf("proof %q lacks %q", f.Proof, part)
				}
			}
			if r.Resolution != f.Title {
				t.Errorf("resolution %q, want %q", r.Resolution, f.Title)
			}
		})
	}
}

// Whoever declares the settings makes the change, and nothing is carried out while a rollout is under way or on very many nodes.
func TestWarmPoolTargetsGoThroughTheirOwner(t *testing.T) {
	for _, c := range []struct {
		name, owner string
		edit        func(*Snapshot)
		executable  bool
	}{
		{"add-on", "eks-addon", func(*Snapshot) {}, true},
		{"nobody", "none", func(s *Snapshot) { s.Addon = nil }, true},
		{"Helm", "helm", func(s *Snapshot) {
			s.Addon, s.Driver.Annotations = nil, map[string]string{"meta.helm.sh/release-name": "cni"}
		}, false},
		{"Terraform", "terraform", func(s *Snapshot) { s.Addon.Tags = map[string]string{"ManagedBy": "terraform"} }, false},
		{"the add-on may not be read", "unknown", func(s *Snapshot) {
			s.Addon, s.Unread = nil, []diagnostics.Unread{{Permission: "eks:DescribeAddon", Reason: diagnostics.Denied}}
		}, false},
		{"a rollout is under way", "eks-addon", func(s *Snapshot) { s.Driver.Updated = 4 }, false},
		{"very many nodes", "eks-addon", func(s *Snapshot) { s.Driver.Desired, s.Driver.Ready, s.Driver.Updated = 5000, 5000, 5000 }, false},
	} {
		s := cluster(map[string]string{}, subnet("a", 30, nodes(3, 0, [2]int{9, 4}, [2]int{9, 0})))
		c.edit(&s)
		r := analyze(s)
		if len(r.Fixes) != 1 {
			t.Errorf("%s: %d fixes", c.name, len(r.Fixes))
			continue
		}
		if f := r.Fixes[0]; f.Owner != c.owner || f.Executable != c.executable || (f.Action != nil) != c.executable || len(f.Commands) == 0 {
			t.Errorf("%s: of %s, executable %t, commands %q", c.name, f.Owner, f.Executable, f.Commands)
		}
	}
}
