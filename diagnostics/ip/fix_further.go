package ip

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/awsnode"
	"github.com/netdiag/netdiag/internal/cni"
	"github.com/netdiag/netdiag/internal/vpc"
)

// fixFurther gives pods a further subnet in the zone of each that is short, as pending does.
func (a *analysis) fixFurther() {
	if len(a.s.Every) == 0 || a.settings.CustomNetworking { // there an ENIConfig says where interfaces are made
		return
	}
	g := awsnode.Ground{Setup: a.s.setup(), Settings: a.settings, VPC: a.s.VPC, Subnets: a.s.Every, Tables: a.s.Tables, Others: a.s.Tenant, Blind: a.blind()}
	for _, r := range a.rooms {
		if r.Hosts || r.Subnet.Nodes == 0 || r.Places == 0 || !r.low() && !r.surges() && !r.fewPrefixes() {
			continue
		}
		block, _ := g.FreeBlock()
		if f := a.further(g, r); f != nil && slices.ContainsFunc(f.Commands, func(c string) bool { return strings.Contains(c, block.String()) }) {
			g.Subnets = append(slices.Clip(g.Subnets), vpc.Subnet{CIDR: block}) // the next one gets another block
		}
	}
}

// blind reports that the CNI says that it may not look for subnets.
func (a *analysis) blind() bool {
	return slices.ContainsFunc(a.s.Events, func(e Event) bool {
		return e.Reason == "MissingIAMPermissions" && strings.Contains(e.Message, "ec2:DescribeSubnets")
	})
}

// further proposes it for one subnet. What it doesn't end is no reason for netdiag to carry it out: nodes start where they did.
func (a *analysis) further(g awsnode.Ground, r room) *diagnostics.Fix {
	w := awsnode.Wanted{Needs: r.missing(), Nodes: r.Subnet.Nodes, Node: "node", Able: r.Able, Places: r.Places}
	if want, have := r.want(); have < want { // it is further nodes that lack addresses, and these have places for all but the first interface
		w.Nodes, w.Node, w.Able = surge, "further node", surge
		if r.Places < 2 {
			w.Able = 0
		}
	}
	f, why := g.Further(&r.Subnet.Subnet, w)
	if r.fewPrefixes() && r.blocks == 0 {
		a.refuse("reserve-prefix-range", "a reservation in subnet %s moves no address that is in use: 0 of its blocks of 16 are free, although %d addresses are", r.ID, r.free)
	}
	if f == nil {
		if why != "" {
			a.refuse("add-pod-subnet", "%s", why)
		}
		return nil
	}
	if r.surges() && r.free >= surge {
		f.Resolves = append(f.Resolves, "ip/surge-short "+r.ID)
	}
	if r.fewPrefixes() && a.blocksOf(*f) >= r.missingBlocks() {
		f.Resolves = append(f.Resolves, "ip/prefixes-low "+r.ID)
	}
	if r.low() {
		f.Proof += fmt.Sprintf("; subnet %s itself stays below %d %%, and nodes still start in it", r.ID, Low)
	}
	if len(f.Resolves) == 0 {
		f.Action, f.Executable = nil, false
	}
	a.offer("add-pod-subnet", *f)
	return f
}

// missing is how many addresses the subnet lacks for the greatest of what is found.
func (r room) missing() int {
	n := 1
	if r.low() {
		n = max(n, (Low*r.usable+99)/100-r.free)
	}
	want, have := r.want()
	if r.surges() {
		n = max(n, want-have)
	}
	return max(n, cni.PrefixSize*r.missingBlocks())
}

// missingBlocks is how many whole /28 the subnet lacks; 0 where prefixes don't run out.
func (r room) missingBlocks() int {
	if !r.fewPrefixes() {
		return 0
	}
	want, have := r.want()
	return max(want, (Low*vpc.CleanPrefixes(r.CIDR)+99)/100) - have
}

// blocksOf is how many whole /28 there are in the subnet that a fix tags; 0 where it tags none that is there.
func (a *analysis) blocksOf(f diagnostics.Fix) int {
	if f.Action == nil || f.Action.Tag == nil {
		return 0
	}
	for _, s := range a.s.Every {
		if s.ID == f.Action.Tag.Resource {
			return vpc.CleanPrefixes(s.CIDR)
		}
	}
	return 0
}
