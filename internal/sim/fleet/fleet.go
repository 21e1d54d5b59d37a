// Package fleet makes simulated clusters of any size: nodes that run thirty pods each, and two troubles. One subnet among
// several is full, so that pods of namespace checkout wait for an address while nodes beside them keep spare ones; and the
// load balancer of ingress shop/storefront can't reach the nodes of some groups. Pods, nodes and network interfaces are
// computed when somebody asks for them: a cluster of 150,000 pods takes no more memory than one of a hundred.
package fleet

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/netdiag/netdiag/internal/world"
)

// What is asked about a fleet.
const (
	Pending = "pending checkout"
	Ingress = "alb storefront -n shop"
)

const (
	cluster      = "prod"
	region       = "us-west-2"
	account      = "111122223333"
	vpcID        = "vpc-0f1ee700000000001"
	nodeGroup    = "sg-0f1ee700000000001" // security group of most nodes
	oldGroup     = "sg-0f1ee700000000002" // of nodes that the load balancer can't reach
	albGroup     = "sg-0f1ee700000000003"
	clusterGroup = "sg-0f1ee700000000004"

	instanceType = "m5.xlarge" // 4 interfaces with 15 addresses each
	perInterface = 15
	perNode      = 28 // pods with an address on each node, beside aws-node and kube-proxy
	maxPods      = 58
	perBlock     = 3 * perInterface // addresses of a node with an interface to spare
)

// Fleet is a cluster of computed size, and the account around it. It is the Crowd of both simulators.
type Fleet struct {
	now      time.Time
	stuck    int
	affected int // nodes with pods that wait
	targets  int // pods behind the load balancer
	carts    int // running pods of namespace checkout
	teams    int // further namespaces
	subnets  []subnet
	nodes    []node
	byName   []int // nodes in the order of their names
}

type subnet struct {
	id, zone  string
	cidr      netip.Prefix
	first, n  int // its nodes
	available int
	closed    bool // its nodes carry the old security group
}

type node struct {
	subnet, offset int // of its first address within the block
	interfaces     int
	name           string
}

// New makes a fleet of so many nodes, at least fifty, in which so many pods wait for an address; now is the present.
func New(nodes, stuck int, now time.Time) *Fleet {
	f := &Fleet{now: now.UTC().Truncate(time.Second), stuck: stuck, affected: min(20, nodes/8), targets: min(1000, 2*nodes), carts: 2 * nodes / 25, teams: 5 + nodes/20}
	bits := 19
	switch {
	case nodes < 100:
		bits = 23
	case nodes < 1000:
		bits = 21
	}
	f.lay(nodes, bits)
	for i := range f.nodes {
		f.nodes[i].name = "ip-" + strings.ReplaceAll(f.address(i, 0, 0).String(), ".", "-") + "." + region + ".compute.internal"
		f.byName = append(f.byName, i)
	}
	slices.SortFunc(f.byName, func(a, b int) int { return cmp.Compare(f.nodes[a].name, f.nodes[b].name) })
	return f
}

// lay puts nodes into one subnet of so many bits until it is full, and the others into larger ones that stay half empty.
func (f *Fleet) lay(nodes, bits int) {
	full := subnet{id: subnetID(0), zone: region + "a", cidr: netip.PrefixFrom(netip.MustParseAddr("10.0.0.0"), bits)}
	room, offset := usable(bits), 4
	put := func(at, interfaces int) {
		f.nodes = append(f.nodes, node{subnet: at, offset: offset, interfaces: interfaces})
		offset += interfaces * perInterface
		room -= interfaces * perInterface
	}
	for range f.affected { // two interfaces, all of whose addresses are in use
		put(0, 2)
	}
	for room >= perBlock && len(f.nodes) < nodes { // a third one, that is spare
		put(0, 3)
	}
	full.n = len(f.nodes)
	f.subnets = []subnet{full}
	var groups int
	for block := netip.MustParseAddr("100.64.0.0"); len(f.nodes) < nodes; groups++ {
		s := subnet{id: subnetID(groups + 1), zone: region + string(rune('a'+groups%3)), cidr: netip.PrefixFrom(block, bits-1), first: len(f.nodes), closed: groups%4 == 1}
		room, offset = usable(bits-1), 4
		for range min(full.n, nodes-len(f.nodes)) {
			put(groups+1, 3)
			s.n++
		}
		s.available = room
		f.subnets = append(f.subnets, s)
		block = plus(block, 1<<(32-bits+1))
	}
}

// Nodes counts the nodes.
func (f *Fleet) Nodes() int { return len(f.nodes) }

// Pods counts all pods, those that wait included.
func (f *Fleet) Pods() int { return len(f.nodes)*(perNode+2) + f.stuck }

// Stuck counts the pods that wait for an address.
func (f *Fleet) Stuck() int { return f.stuck }

// Full is the subnet that has no address left, and the number of nodes in it.
func (f *Fleet) Full() (id string, nodes int) { return f.subnets[0].id, f.subnets[0].n }

// Touched is what there is to look at for a question: what its trouble touches of the cluster.
func (f *Fleet) Touched(ask string) string {
	if ask == Ingress {
		bad := 0
		for n := range f.targets {
			if node, _ := f.spread(n, f.targets); f.subnets[f.nodes[node].subnet].closed {
				bad++
			}
		}
		return fmt.Sprintf("%d targets, %d unhealthy", f.targets, bad)
	}
	return fmt.Sprintf("%d waiting pods on %d nodes, %d nodes in their subnet", f.stuck, f.Affected(), f.subnets[0].n)
}

// Affected counts the nodes on which pods wait.
func (f *Fleet) Affected() int { return min(f.affected, f.stuck) }

// Want is what must be said about a question.
func (f *Fleet) Want(ask string) world.Want {
	if ask == Ingress {
		return world.Want{Causes: []string{"alb/sg.target-ingress"}, Subject: oldGroup, Fix: []string{"alb/manage-rules", "alb/allow-pod-port"}, Confidence: "confirmed"}
	}
	return world.Want{
		Causes: []string{"pending/subnet-exhausted"}, Contributing: []string{"pending/warm-pool-overheld"}, Subject: f.subnets[0].id,
		Fix: []string{"pending/tune-warm-pool", "pending/move-pods-off-node"}, Confidence: "confirmed",
		Refuse: []string{"pending/enable-prefix-delegation"}, Refused: []string{"pending/enable-prefix-delegation"},
	}
}

// address is the i-th address of an interface of a node; the first is its own.
func (f *Fleet) address(node, eni, i int) netip.Addr {
	n := f.nodes[node]
	return plus(f.subnets[n.subnet].cidr.Addr(), n.offset+eni*perInterface+i)
}

func plus(a netip.Addr, n int) netip.Addr {
	b := a.As4()
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, binary.BigEndian.Uint32(b[:])+uint32(n))))
}

// usable is how many addresses AWS leaves of a block.
func usable(bits int) int { return 1<<(32-bits) - 5 }

func subnetID(n int) string      { return fmt.Sprintf("subnet-0f1ee7%011x", n+1) }
func instanceID(node int) string { return fmt.Sprintf("i-0f1ee7%011x", node+1) }
func (f *Fleet) interfaceID(node, eni int) string {
	return fmt.Sprintf("eni-0f1ee7%011x", 4*node+eni+1)
}
func groupName(subnet int) string { return fmt.Sprintf("workers-%02d", subnet) }

// uid is the UID of the n-th thing of a kind.
func uid(kind, n int) string { return fmt.Sprintf("f1ee7000-%04x-4000-8000-%012x", kind, n) }
