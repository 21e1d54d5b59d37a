package vpc_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/netdiag/netdiag/internal/vpc"
)

var (
	albAddr = netip.MustParseAddr("10.0.0.10")
	podAddr = netip.MustParseAddr("10.0.1.45")
	world   = netip.MustParsePrefix("0.0.0.0/0")
)

func nic(id, subnet string, groups []string, addrs ...string) vpc.NetworkInterface {
	n := vpc.NetworkInterface{ID: id, Subnet: subnet, VPC: "vpc-1", Groups: groups}
	for _, a := range addrs {
		ip := netip.MustParseAddr(a)
		if ip.Is4() {
			n.Addresses = append(n.Addresses, ip)
		} else {
			n.IPv6 = append(n.IPv6, ip)
		}
	}
	if len(n.Addresses) > 0 {
		n.Primary = n.Addresses[0]
	}
	return n
}

func alb() vpc.NetworkInterface {
	return nic("eni-alb", "subnet-pub", []string{"sg-front", "sg-back"}, "10.0.0.10")
}
func pod() vpc.NetworkInterface {
	return nic("eni-node", "subnet-priv", []string{"sg-node"}, "10.0.1.45")
}

func openACL() []vpc.ACLEntry {
	return []vpc.ACLEntry{
		{Number: 100, Egress: true, Protocol: "-1", CIDR: world, To: 65535, Allow: true},
		{Number: 100, Protocol: "-1", CIDR: world, To: 65535, Allow: true},
	}
}

func tcp(id, group, source string, from, to int) vpc.SecurityGroupRule {
	return vpc.SecurityGroupRule{ID: id, Group: group, Protocol: "tcp", From: from, To: to, Source: source}
}

func cidr(id, group, prefix string, from, to int) vpc.SecurityGroupRule {
	return vpc.SecurityGroupRule{ID: id, Group: group, Protocol: "tcp", From: from, To: to, CIDR: netip.MustParsePrefix(prefix)}
}

func allOut(id, group string) vpc.SecurityGroupRule {
	return vpc.SecurityGroupRule{ID: id, Group: group, Egress: true, Protocol: "-1", From: -1, To: -1, CIDR: world}
}

// firewall lets the load balancer out, has open network ACLs, and gives the node group these rules.
func firewall(node ...vpc.SecurityGroupRule) vpc.Firewall {
	return vpc.Firewall{
		Rules: map[string][]vpc.SecurityGroupRule{
			"sg-front": {allOut("sgr-front-out", "sg-front")},
			"sg-back":  {},
			"sg-node":  node,
		},
		ACLs:        map[string][]vpc.ACLEntry{"subnet-pub": openACL(), "subnet-priv": openACL()},
		ACLIDs:      map[string]string{"subnet-pub": "acl-pub", "subnet-priv": "acl-priv"},
		PrefixLists: map[string][]netip.Prefix{},
	}
}

func TestPath(t *testing.T) {
	peered := tcp("sgr-1", "sg-node", "sg-front", 8080, 8080)
	peered.Peering = "deleted"
	udp := tcp("sgr-1", "sg-node", "sg-front", 8080, 8080)
	udp.Protocol = "udp"
	all := tcp("sgr-1", "sg-node", "sg-back", -1, -1)
	all.Protocol = "-1"
	list := vpc.SecurityGroupRule{ID: "sgr-1", Group: "sg-node", Protocol: "6", From: 8080, To: 8080, PrefixList: "pl-1"}

	for name, tc := range map[string]struct {
		from, to *vpc.NetworkInterface
		addr     string
		port     int
		change   func(*vpc.Firewall)
		rules    []vpc.SecurityGroupRule
		want     vpc.Verdict
		hop      vpc.HopKind // that blocks first
		by       string
	}{
		"group reference": {rules: []vpc.SecurityGroupRule{tcp("sgr-1", "sg-node", "sg-front", 8080, 8080)}, want: vpc.Allowed},
		"any of the peer's groups is enough": {
			rules: []vpc.SecurityGroupRule{tcp("sgr-1", "sg-node", "sg-back", 1, 65535)}, want: vpc.Allowed},
		"wrong port": {rules: []vpc.SecurityGroupRule{tcp("sgr-1", "sg-node", "sg-front", 443, 443)}, want: vpc.Denied, hop: vpc.TargetIngress, by: "sg-node"},
		"range 1025-65535 and port 80": {port: 80,
			rules: []vpc.SecurityGroupRule{tcp("sgr-1", "sg-node", "sg-front", 1025, 65535)}, want: vpc.Denied, hop: vpc.TargetIngress, by: "sg-node"},
		"group that the peer does not carry": {
			rules: []vpc.SecurityGroupRule{tcp("sgr-1", "sg-node", "sg-other", 8080, 8080)}, want: vpc.Denied, hop: vpc.TargetIngress, by: "sg-node"},
		"self reference": {from: new(nic("eni-x", "subnet-pub", []string{"sg-node"}, "10.0.0.9")),
			change: func(f *vpc.Firewall) { f.Rules["sg-node"] = append(f.Rules["sg-node"], allOut("sgr-out", "sg-node")) },
			rules:  []vpc.SecurityGroupRule{tcp("sgr-1", "sg-node", "sg-node", 0, 65535)}, want: vpc.Allowed},
		"peering gone":         {rules: []vpc.SecurityGroupRule{peered}, want: vpc.Denied, hop: vpc.TargetIngress, by: "sg-node"},
		"udp is not tcp":       {rules: []vpc.SecurityGroupRule{udp}, want: vpc.Denied, hop: vpc.TargetIngress, by: "sg-node"},
		"protocol -1":          {rules: []vpc.SecurityGroupRule{all}, want: vpc.Allowed},
		"CIDR with the source": {rules: []vpc.SecurityGroupRule{cidr("sgr-1", "sg-node", "10.0.0.0/24", 8080, 8080)}, want: vpc.Allowed},
		"CIDR without it":      {rules: []vpc.SecurityGroupRule{cidr("sgr-1", "sg-node", "10.9.0.0/24", 8080, 8080)}, want: vpc.Denied, hop: vpc.TargetIngress, by: "sg-node"},
		"prefix list": {rules: []vpc.SecurityGroupRule{list}, want: vpc.Allowed,
			change: func(f *vpc.Firewall) { f.PrefixLists["pl-1"] = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/28")} }},
		"prefix list without it": {rules: []vpc.SecurityGroupRule{list}, want: vpc.Denied, hop: vpc.TargetIngress, by: "sg-node",
			change: func(f *vpc.Firewall) { f.PrefixLists["pl-1"] = nil }},
		"prefix list not readable": {rules: []vpc.SecurityGroupRule{list}, want: vpc.Unknown},
		"unreadable list, other rule admits": {
			rules: []vpc.SecurityGroupRule{list, tcp("sgr-2", "sg-node", "sg-front", 8080, 8080)}, want: vpc.Allowed},
		"group not readable": {want: vpc.Unknown, change: func(f *vpc.Firewall) { delete(f.Rules, "sg-node") }},
		"no egress": {rules: []vpc.SecurityGroupRule{tcp("sgr-1", "sg-node", "sg-front", 8080, 8080)}, want: vpc.Denied, hop: vpc.SourceEgress, by: "sg-back sg-front",
			change: func(f *vpc.Firewall) { f.Rules["sg-front"] = nil }},
		"own interface of the pod has other groups": {to: new(nic("eni-branch", "subnet-priv", []string{"sg-pod"}, "10.0.1.45")),
			change: func(f *vpc.Firewall) { f.Rules["sg-pod"] = nil },
			rules:  []vpc.SecurityGroupRule{tcp("sgr-1", "sg-node", "sg-front", 8080, 8080)}, want: vpc.Denied, hop: vpc.TargetIngress, by: "sg-pod"},
		"0.0.0.0/0 is not IPv6": {from: new(nic("eni-alb", "subnet-pub", []string{"sg-front"}, "10.0.0.10", "fd00::10")),
			to: new(nic("eni-node", "subnet-pub", []string{"sg-node"}, "10.0.1.45", "fd00::45")), addr: "fd00::45",
			change: func(f *vpc.Firewall) {
				out := allOut("sgr-out6", "sg-front")
				out.CIDR = netip.MustParsePrefix("::/0")
				f.Rules["sg-front"] = append(f.Rules["sg-front"], out)
			},
			rules: []vpc.SecurityGroupRule{cidr("sgr-1", "sg-node", "0.0.0.0/0", 8080, 8080)}, want: vpc.Denied, hop: vpc.TargetIngress, by: "sg-node"},
		"no address of the family": {addr: "fd00::45", want: vpc.Denied, hop: vpc.NoFamily, by: "eni-alb"},
		"ACL entry with the lower number denies": {rules: []vpc.SecurityGroupRule{tcp("sgr-1", "sg-node", "sg-front", 8080, 8080)}, want: vpc.Denied, hop: vpc.TargetACLIn, by: "acl-priv",
			change: func(f *vpc.Firewall) {
				f.ACLs["subnet-priv"] = append(openACL(), vpc.ACLEntry{Number: 90, Protocol: "6", CIDR: netip.MustParsePrefix("10.0.0.0/24"), From: 0, To: 65535})
			}},
		"ACL order is by number, not by place": {rules: []vpc.SecurityGroupRule{tcp("sgr-1", "sg-node", "sg-front", 8080, 8080)}, want: vpc.Allowed,
			change: func(f *vpc.Firewall) {
				f.ACLs["subnet-priv"] = append([]vpc.ACLEntry{{Number: 200, Protocol: "-1", CIDR: world, To: 65535}}, openACL()...)
			}},
		"ACL of the source keeps it in": {rules: []vpc.SecurityGroupRule{tcp("sgr-1", "sg-node", "sg-front", 8080, 8080)}, want: vpc.Denied, hop: vpc.SourceACLOut, by: "acl-pub",
			change: func(f *vpc.Firewall) { f.ACLs["subnet-pub"] = openACL()[1:] }},
		"answers get back for part of the ports": {rules: []vpc.SecurityGroupRule{tcp("sgr-1", "sg-node", "sg-front", 8080, 8080)}, want: vpc.Partial, hop: vpc.TargetACLOut, by: "acl-priv",
			change: func(f *vpc.Firewall) {
				f.ACLs["subnet-priv"] = []vpc.ACLEntry{openACL()[1], {Number: 100, Egress: true, Protocol: "6", CIDR: world, From: 32768, To: 65535, Allow: true}}
			}},
		"answers never get back": {rules: []vpc.SecurityGroupRule{tcp("sgr-1", "sg-node", "sg-front", 8080, 8080)}, want: vpc.Denied, hop: vpc.SourceACLIn, by: "acl-pub",
			change: func(f *vpc.Firewall) { f.ACLs["subnet-pub"] = openACL()[:1] }},
		"UDP entries of an ACL do not count": {rules: []vpc.SecurityGroupRule{tcp("sgr-1", "sg-node", "sg-front", 8080, 8080)}, want: vpc.Allowed,
			change: func(f *vpc.Firewall) {
				f.ACLs["subnet-priv"] = append(openACL(), vpc.ACLEntry{Number: 1, Protocol: "17", CIDR: world, From: 0, To: 65535})
			}},
		"same subnet meets no ACL": {to: new(nic("eni-node", "subnet-pub", []string{"sg-node"}, "10.0.0.45")), addr: "10.0.0.45",
			rules:  []vpc.SecurityGroupRule{tcp("sgr-1", "sg-node", "sg-front", 8080, 8080)},
			change: func(f *vpc.Firewall) { f.ACLs = nil }, want: vpc.Allowed},
		"ACL not readable": {rules: []vpc.SecurityGroupRule{tcp("sgr-1", "sg-node", "sg-front", 8080, 8080)}, want: vpc.Unknown,
			change: func(f *vpc.Firewall) { delete(f.ACLs, "subnet-priv") }},
		"denied beats unknown": {want: vpc.Denied, hop: vpc.TargetIngress, by: "sg-node",
			change: func(f *vpc.Firewall) { delete(f.ACLs, "subnet-priv") }},
	} {
		t.Run(name, func(t *testing.T) {
			f := firewall(tc.rules...)
			if tc.change != nil {
				tc.change(&f)
			}
			from, to, addr, port := alb(), pod(), podAddr, 8080
			if tc.from != nil {
				from = *tc.from
			}
			if tc.to != nil {
				to = *tc.to
			}
			if tc.addr != "" {
				addr = netip.MustParseAddr(tc.addr)
			}
			if tc.port != 0 {
				port = tc.port
			}
			got := f.Path(from, to, addr, port)
			if got.Verdict != tc.want {
				t.Fatalf("verdict %v, want %v: %+v", got.Verdict, tc.want, got.Hops)
			}
			block := got.Blocking()
			if tc.hop == "" {
				if len(block) > 0 {
					t.Fatalf("blocked at %+v", block)
				}
				return
			}
			if len(block) == 0 || block[0].Kind != tc.hop || block[0].By != tc.by || block[0].Reason == "" {
				t.Fatalf("blocked at %+v, want %s by %s", block, tc.hop, tc.by)
			}
		})
	}
}

//go:fix inline

func TestWithProvesTheRightRuleOnly(t *testing.T) {
	f := firewall()
	rule := tcp("sgr-new", "sg-node", "sg-back", 8080, 8080)
	if got := f.With(rule).Path(alb(), pod(), podAddr, 8080); got.Verdict != vpc.Allowed {
		t.Errorf("rule on the node's group: %v", got)
	}
	// A pod with its own interface isn't reached through the group of its node.
	branch := nic("eni-branch", "subnet-priv", []string{"sg-pod"}, "10.0.1.45")
	f.Rules["sg-pod"] = nil
	if got := f.With(rule).Path(alb(), branch, podAddr, 8080); got.Verdict != vpc.Denied {
		t.Errorf("rule on the node's group, pod with its own: %v", got)
	}
	delete(f.Rules, "sg-node")
	if got := f.With(rule).Path(alb(), pod(), podAddr, 8080); got.Verdict != vpc.Unknown {
		t.Errorf("rule on an unreadable group: %v", got)
	}
	if _, ok := f.Rules["sg-node"]; ok {
		t.Error("With changed its receiver")
	}
}

// FuzzPath compares Path with a walk over every single packet: each source port is sent through each rule and entry.
func FuzzPath(f *testing.F) {
	for _, seed := range [][]byte{nil, []byte("abcdefghijklmnopqrstuvwxyz0123456789"), {0, 255, 7, 99, 3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4, 6, 2, 6, 4, 3, 3, 8, 3, 2, 7, 9, 5}} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		next := func(n int) int {
			if len(data) == 0 {
				return 0
			}
			b := data[0]
			data = data[1:]
			return int(b) % n
		}
		prefixes := []string{"0.0.0.0/0", "10.0.0.0/24", "10.0.1.0/24", "10.0.0.10/32", "::/0", "10.9.0.0/16"}
		ports := []int{0, 80, 1023, 1024, 8080, 8081, 32768, 65535}
		protocols := []string{"-1", "6", "17", "tcp", "udp"}
		groups := []string{"sg-front", "sg-back", "sg-node", "sg-other"}
		span := func() (int, int) {
			a, b := ports[next(len(ports))], ports[next(len(ports))]
			return min(a, b), max(a, b)
		}
		fw := vpc.Firewall{Rules: map[string][]vpc.SecurityGroupRule{"sg-front": nil, "sg-back": nil, "sg-node": nil}, ACLs: map[string][]vpc.ACLEntry{"subnet-pub": nil, "subnet-priv": nil}}
		for range next(6) {
			g := groups[next(3)]
			r := vpc.SecurityGroupRule{ID: "sgr", Group: g, Egress: next(2) == 1, Protocol: protocols[next(len(protocols))]}
			r.From, r.To = span()
			if next(2) == 1 {
				r.Source = groups[next(len(groups))]
			} else {
				r.CIDR = netip.MustParsePrefix(prefixes[next(len(prefixes))])
			}
			fw.Rules[g] = append(fw.Rules[g], r)
		}
		for range next(9) {
			s := []string{"subnet-pub", "subnet-priv"}[next(2)]
			e := vpc.ACLEntry{Number: next(200), Egress: next(2) == 1, Protocol: protocols[next(3)], CIDR: netip.MustParsePrefix(prefixes[next(len(prefixes))]), Allow: next(3) > 0}
			if slices.ContainsFunc(fw.ACLs[s], func(o vpc.ACLEntry) bool { return o.Number == e.Number && o.Egress == e.Egress }) {
				continue // numbers are unique in one direction
			}
			e.From, e.To = span()
			fw.ACLs[s] = append(fw.ACLs[s], e)
		}
		from, to := alb(), pod()
		if next(4) == 0 {
			to.Subnet = from.Subnet
		}
		port := ports[1+next(len(ports)-1)]
		if got, want := fw.Path(from, to, podAddr, port).Verdict, walk(fw, from, to, port); got != want {
			t.Errorf("Path = %v, every packet walked = %v\n%+v", got, want, fw)
		}
	})
}

// walk is the oracle: one packet per ephemeral port, there and back.
func walk(f vpc.Firewall, from, to vpc.NetworkInterface, port int) vpc.Verdict {
	passGroups := func(own, peer vpc.NetworkInterface, peerAddr netip.Addr, egress bool) bool {
		for _, g := range own.Groups {
			for _, r := range f.Rules[g] {
				proto := r.Protocol == "-1" || ((r.Protocol == "6" || r.Protocol == "tcp") && r.From <= port && port <= r.To)
				source := r.Source != "" && slices.Contains(peer.Groups, r.Source) || r.Source == "" && r.CIDR.Contains(peerAddr)
				if r.Egress == egress && proto && source {
					return true
				}
			}
		}
		return false
	}
	passACL := func(subnet string, egress bool, peer netip.Addr, p int) bool {
		best, allow := 1<<30, false
		for _, e := range f.ACLs[subnet] {
			ports := e.Protocol == "-1" || e.From <= p && p <= e.To
			if e.Egress == egress && (e.Protocol == "-1" || e.Protocol == "6") && ports && e.CIDR.Contains(peer) && e.Number < best {
				best, allow = e.Number, e.Allow
			}
		}
		return allow
	}
	if !passGroups(from, to, podAddr, true) || !passGroups(to, from, albAddr, false) {
		return vpc.Denied
	}
	if from.Subnet == to.Subnet {
		return vpc.Allowed
	}
	if !passACL(from.Subnet, true, podAddr, port) || !passACL(to.Subnet, false, albAddr, port) {
		return vpc.Denied
	}
	leg := func(subnet string, egress bool, peer netip.Addr) vpc.Verdict {
		through := 0
		for p := 1024; p <= 65535; p++ {
			if passACL(subnet, egress, peer, p) {
				through++
			}
		}
		switch through {
		case 0:
			return vpc.Denied
		case 65535 - 1024 + 1:
			return vpc.Allowed
		}
		return vpc.Partial
	}
	return min(leg(to.Subnet, true, albAddr), leg(from.Subnet, false, podAddr))
}
