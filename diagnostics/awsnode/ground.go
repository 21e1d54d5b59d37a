package awsnode

import (
	"fmt"
	"net/netip"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/cni"
	"github.com/netdiag/netdiag/internal/vpc"
)

// Ground is the network in which a further subnet may be given to pods.
type Ground struct {
	Setup
	Settings cni.Settings
	VPC      *vpc.VPC         // nil where it could not be read
	Subnets  []vpc.Subnet     // all of the VPC
	Tables   []vpc.RouteTable // those that could be read
	Others   string           // another cluster that has something in the VPC; empty where none is seen
	Blind    bool             // the CNI has told that it may not call ec2:DescribeSubnets
}

// Wanted is what a further subnet is for.
type Wanted struct {
	Needs  int    // addresses that are missing
	Nodes  int    // on which they are
	Node   string // what these are called: affected node
	Able   int    // of them, those that have a place for another interface
	Places int    // interfaces that one of them may have
}

func (w Wanted) nodes() string {
	if w.Nodes == 1 {
		return "1 " + w.Node
	}
	return fmt.Sprintf("%d %ss", w.Nodes, w.Node)
}

// ForPods is what giving a subnet to pods means for what runs.
const ForPods = "running pods stay as they are; new ones may get addresses of another block, which firewalls and security groups that name blocks must know"

// blast is what a further subnet means for the nodes that it is for.
func (w Wanted) blast() string {
	if w.Able < w.Nodes {
		return ForPods + fmt.Sprintf("; %d nodes have no place for a further interface and must be replaced", w.Nodes-w.Able)
	}
	return ForPods
}

// Further gives the CNI a further subnet in the zone of s. A node needs a free place for an interface to use it. why is what is against
// it, with a number; where there is neither, there is one already.
func (g Ground) Further(s *vpc.Subnet, ask Wanted) (f *diagnostics.Fix, why string) {
	switch {
	case !g.Since(18, 3):
		return nil, fmt.Sprintf("vpc-cni %s finds no further subnet by its tag: v1.18.3 is the first that does so in practice", g.Driver.Version)
	case !g.Settings.SubnetDiscovery:
		return nil, "ENABLE_SUBNET_DISCOVERY is false: of the tagged subnets the CNI uses 0"
	case g.Blind:
		return nil, "the CNI may not call ec2:DescribeSubnets: of the tagged subnets it finds 0"
	case ask.Able == 0:
		return nil, fmt.Sprintf("0 of %s have a place left for an interface in another subnet: all %d are taken in %s", ask.nodes(), ask.Places, s.ID)
	}
	for _, o := range g.Subnets {
		if o.ID != s.ID && o.Zone == s.Zone && g.Discovered(o) && o.Available > ask.Needs {
			return nil, "" // there is one
		}
	}
	if o := g.unused(s, ask.Needs+ask.Nodes); o != nil {
		fix := diagnostics.Fix{Title: fmt.Sprintf("Give subnet %s to pods: it is there, and lacks the tag %s", o.ID, TagCNI), Frees: o.Available, Needs: ask.Needs,
			Proof:   fmt.Sprintf("nothing is in subnet %s (%s): it gives %d addresses in %s; %d of %s have a place for an interface there", o.ID, o.CIDR, o.Available, o.Zone, ask.Able, ask.nodes()),
			Blast:   ask.blast(),
			Changes: []string{"subnet " + o.ID + ": tag " + TagCNI + " unset → 1"}, SettlesIn: "5m"}
		fix = g.Tag(fix, o, s, new("1"))
		return &fix, ""
	}
	block, ok := g.FreeBlock()
	gain := vpc.Usable(block)
	table, route := g.routes(s)
	fix := diagnostics.Fix{Title: fmt.Sprintf("Add a subnet for pods in %s: %s, tagged kubernetes.io/role/cni=1", s.Zone, block), Frees: gain, Needs: ask.Needs,
		Proof: fmt.Sprintf("%s is unused in the VPC and gives %d addresses in %s; %d of %s have a place for an interface there", block, gain, s.Zone, ask.Able, ask.nodes()),
		Blast: ask.blast(),
		Undo:  "take the tag away, drain the nodes, delete the subnet", SettlesIn: "5m",
		Changes: []string{fmt.Sprintf("a new subnet %s in %s, with the route table of %s", block, s.Zone, s.ID)},
		Commands: []string{
			fmt.Sprintf("aws ec2 create-subnet --vpc-id %s --availability-zone %s --cidr-block %s", s.VPC, s.Zone, block),
			"aws ec2 associate-route-table --subnet-id <new subnet> --route-table-id " + table,
			"aws ec2 create-tags --resources <new subnet> --tags Key=kubernetes.io/role/cni,Value=1",
		}}
	fix.Proof += route
	if !ok {
		fix.Commands = append([]string{fmt.Sprintf("aws ec2 associate-vpc-cidr-block --vpc-id %s --cidr-block %s", s.VPC, "100.64.0.0/16")}, fix.Commands...)
		fix.Proof = fmt.Sprintf("the VPC has no unused /26, so that it needs another block, which takes the control plane up to 5 hours to know; %d of %s have a place for an interface there%s", ask.Able, ask.nodes(), route)
	}
	if g.Settings.PrefixDelegation {
		fix.Proof += fmt.Sprintf("; it has %d whole /28 blocks", vpc.CleanPrefixes(block))
		fix.Commands = append(fix.Commands, fmt.Sprintf("aws ec2 create-subnet-cidr-reservation --subnet-id <new subnet> --cidr %s --reservation-type prefix", block))
	}
	return &fix, ""
}

// routes names the route table that a new subnet has to share with one that is there: without it, it gets the main one of the VPC.
func (g Ground) routes(s *vpc.Subnet) (table, why string) {
	table, out := vpc.WayOut(g.Tables, s.ID)
	main := ""
	for _, t := range g.Tables {
		if t.Main {
			main = t.ID
		}
	}
	switch {
	case table == "":
		return fmt.Sprintf("<the one of %s>", s.ID), ""
	case out && main != "" && main != table:
		if _, also := vpc.WayOut(g.Tables, "no subnet: the main table"); !also {
			return table, fmt.Sprintf("; it needs route table %s, since the main one of the VPC, %s, has 0 default routes", table, main)
		}
	}
	return table, ""
}

// FreeBlock finds room for a subnet in the VPC, or names one that would need a further block.
func (g Ground) FreeBlock() (block netip.Prefix, ok bool) {
	if g.VPC != nil {
		for _, bits := range []int{20, 22, 24, 26} {
			if b, ok := vpc.FreeBlock(*g.VPC, g.Subnets, bits); ok {
				return b, true
			}
		}
	}
	return netip.MustParsePrefix("100.64.0.0/20"), false // of the shared address space, which EKS pods may use
}
