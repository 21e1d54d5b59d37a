package vpc

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Class says what kind of tenant holds addresses of a subnet.
type Class string

// The classes, in the order in which an interface is tested for them.
const (
	NodePrimary    Class = "nodes of this cluster"           // the first interface of a node, with its pod addresses
	NodeSecondary  Class = "further interfaces of its nodes" // made by the VPC CNI of this cluster
	TrunkBranch    Class = "trunk and branch interfaces"     // security groups for pods
	Leaked         Class = "leaked CNI interfaces"           // unattached, made by this cluster's CNI for an instance that is gone
	Unattached     Class = "unattached CNI interfaces"       // like leaked ones, but not proved: young, or their instance lives
	OtherCluster   Class = "other clusters"
	ControlPlane   Class = "EKS control planes"
	Fargate        Class = "Fargate pods"
	LoadBalancer   Class = "load balancers"
	NATGateway     Class = "NAT gateways"
	Lambda         Class = "Lambda functions"
	Endpoint       Class = "VPC endpoints"
	ManagedService Class = "databases, caches, file systems and other services" // RDS, Redshift, ElastiCache, EFS, transit gateways, directories …
	Stopped        Class = "stopped instances"                                  // their addresses count as used
	OtherInstance  Class = "other instances and interfaces"
)

// LeakAge is how long an unattached interface must exist before it counts as leaked. The CNI itself waits 5 minutes; an
// hour is far from any interface that is about to be attached.
const LeakAge = time.Hour

// Tenancy is what a Ledger needs to know to tell tenants apart.
type Tenancy struct {
	Cluster string          // EKS cluster name
	Nodes   map[string]bool // instance ids of the nodes of the cluster
	// States has the state of each instance that was asked for, and "gone" for those that don't exist. An instance that
	// isn't in it was not asked for, and nothing is leaked because of it.
	States map[string]string
	// Clusters has the EKS cluster that an instance's own tags name, of those that were asked for.
	Clusters map[string]string
	Now      time.Time
}

// Holder is a class of tenants with what it holds. Owner names the other cluster of OtherCluster.
type Holder struct {
	Class      Class
	Owner      string
	Interfaces int
	Addresses  int      // 16 for each delegated prefix, primary addresses included
	IDs        []string // interface ids, sorted
}

// Ledger tells who holds the addresses of a subnet. It adds up: Usable is Available, what the Holders have, Reserved and
// Unaccounted together.
type Ledger struct {
	Subnet    Subnet
	Usable    int // all addresses but the five that AWS keeps
	Available int // AvailableIpAddressCount
	Used      int // the sum of the Holders
	Reserved  int // free addresses inside prefix reservations, which don't count as available
	// Unaccounted is used by something that can't be seen: interfaces of other accounts in a shared subnet, hidden
	// managed ones, or a count that lags. Below zero, the count lags the other way.
	Unaccounted int
	Holders     []Holder // the greatest first
}

// NewLedger draws up the ledger of a subnet from all interfaces and reservations that are visible; those of other subnets are skipped.
func NewLedger(s Subnet, interfaces []NetworkInterface, reservations []Reservation, t Tenancy) Ledger {
	l := Ledger{Subnet: s, Usable: Usable(s.CIDR), Available: s.Available}
	type key struct {
		class Class
		owner string
	}
	at := map[key]int{}
	taken := map[netip.Addr]bool{}
	for _, i := range interfaces {
		if i.Subnet != s.ID {
			continue
		}
		class, owner := t.Classify(i)
		k := key{class, owner}
		n, ok := at[k]
		if !ok {
			n = len(l.Holders)
			at[k] = n
			l.Holders = append(l.Holders, Holder{Class: class, Owner: owner})
		}
		h := &l.Holders[n]
		h.Interfaces++
		h.Addresses += i.Held()
		h.IDs = append(h.IDs, i.ID)
		l.Used += i.Held()
		for a := range i.each() {
			taken[a] = true
		}
	}
	for _, r := range reservations {
		if r.Subnet != s.ID || r.Kind != "prefix" {
			continue
		}
		for a := r.CIDR.Masked().Addr(); r.CIDR.Contains(a); a = a.Next() {
			if !taken[a] && !s.keeps(a) {
				l.Reserved++
			}
		}
	}
	for n := range l.Holders {
		slices.Sort(l.Holders[n].IDs)
	}
	slices.SortFunc(l.Holders, func(a, b Holder) int {
		return cmp.Or(cmp.Compare(b.Addresses, a.Addresses), strings.Compare(string(a.Class), string(b.Class)), strings.Compare(a.Owner, b.Owner))
	})
	l.Unaccounted = l.Usable - l.Available - l.Used - l.Reserved
	return l
}

// Of sums what the given classes hold.
func (l Ledger) Of(classes ...Class) (sum Holder) {
	for _, h := range l.Holders {
		if slices.Contains(classes, h.Class) {
			sum.Interfaces += h.Interfaces
			sum.Addresses += h.Addresses
			sum.IDs = append(sum.IDs, h.IDs...)
			sum.Class = h.Class
		}
	}
	slices.Sort(sum.IDs)
	return sum
}

// Others counts the addresses that neither this cluster's nodes and pods hold nor its leaked interfaces.
func (l Ledger) Others() int {
	return l.Used - l.Of(NodePrimary, NodeSecondary, TrunkBranch, Leaked, Unattached).Addresses
}

// Usable is the number of addresses of an IPv4 block that can be given out: AWS keeps the first four and the last.
func Usable(cidr netip.Prefix) int {
	if !cidr.Addr().Is4() {
		return 0
	}
	return max(1<<(32-cidr.Bits())-5, 0)
}

// keeps reports one of the five addresses that AWS keeps.
func (s Subnet) keeps(a netip.Addr) bool {
	if !s.CIDR.Contains(a) || !a.Is4() {
		return false
	}
	at := number(a) - number(s.CIDR.Masked().Addr())
	return at < 4 || at == 1<<(32-s.CIDR.Bits())-1
}

// Held counts the IPv4 addresses that the interface takes out of its subnet; a delegated prefix counts 16.
func (i NetworkInterface) Held() int { return len(i.Addresses) + 16*len(i.Prefixes) }

// each yields every IPv4 address that the interface takes.
func (i NetworkInterface) each() func(func(netip.Addr) bool) {
	return func(yield func(netip.Addr) bool) {
		for _, a := range i.Addresses {
			if !yield(a) {
				return
			}
		}
		for _, p := range i.Prefixes {
			for a := p.Masked().Addr(); p.Contains(a); a = a.Next() {
				if !yield(a) {
					return
				}
			}
		}
	}
}

// Classify tells what holds an interface; owner is the name of another cluster, where it is one.
func (t Tenancy) Classify(i NetworkInterface) (class Class, owner string) {
	cluster, instance := i.Cluster(), i.cniInstance()
	if cluster == "" && i.Instance != "" {
		cluster = t.Clusters[i.Instance] // the interfaces of a node needn't carry the tags that it has
	}
	switch {
	case i.Type == "trunk" || i.Type == "branch" || i.Description == "aws-k8s-trunk-eni" || i.Description == "aws-k8s-branch-eni":
		if cluster != "" && cluster != t.Cluster {
			return OtherCluster, cluster
		}
		return TrunkBranch, ""
	case i.Instance != "" && t.Nodes[i.Instance] && i.Device == 0 && i.Card == 0:
		return NodePrimary, ""
	case i.Instance != "" && t.Nodes[i.Instance]:
		return NodeSecondary, ""
	case cluster != "" && cluster != t.Cluster:
		return OtherCluster, cluster
	case t.leaked(i):
		return Leaked, ""
	case i.Status == "available" && instance != "" && cluster == t.Cluster:
		return Unattached, ""
	}
	return t.classifyService(i), ""
}

// classifyService goes by the descriptions that AWS services give their interfaces.
func (t Tenancy) classifyService(i NetworkInterface) Class {
	d := i.Description
	begins := func(prefixes ...string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(d, p) })
	}
	switch {
	case begins("Amazon EKS "):
		return ControlPlane
	case i.Managed && strings.Contains(strings.ToLower(d), "fargate"):
		return Fargate
	case begins("ELB ") || i.Requester == "amazon-elb" || strings.HasSuffix(i.Type, "load_balancer"): // one load balancer has many, and more under load
		return LoadBalancer
	case i.Type == "nat_gateway" || i.Type == "natGateway" || begins("Interface for NAT Gateway"): // the SDK spells the type otherwise than the API
		return NATGateway
	case i.Type == "lambda" || begins("AWS Lambda VPC ENI"):
		return Lambda
	case i.Type == "vpc_endpoint" || i.Type == "gateway_load_balancer_endpoint" || begins("VPC Endpoint Interface"):
		return Endpoint
	case begins("RDSNetworkInterface", "RedshiftNetworkInterface", "ElastiCache", "EFS mount target",
		"Network Interface for Transit Gateway", "Directory Service", "Created By Amazon Workspaces") || i.Type == "transit_gateway":
		return ManagedService
	case i.Managed && i.Instance == "":
		return ManagedService
	case i.Instance != "" && t.States[i.Instance] == "stopped":
		return Stopped
	}
	return OtherInstance
}

// leaked proves that nobody needs an interface any more.
func (t Tenancy) leaked(i NetworkInterface) bool { return t.Needed(i) == "" }

// Needed says why an interface isn't proved to be leaked; empty where it is: the CNI of this cluster made it for an instance
// that is gone, at least LeakAge ago, and it is attached to nothing.
func (t Tenancy) Needed(i NetworkInterface) string {
	instance, cluster := i.Tags["node.k8s.amazonaws.com/instance_id"], i.Tags["cluster.k8s.amazonaws.com/name"]
	made, err := time.Parse(time.RFC3339, i.Tags["node.k8s.amazonaws.com/createdAt"])
	state, asked := t.States[instance]
	switch {
	case i.Status != "available":
		return "it is " + i.Status
	case i.Managed:
		return "AWS manages it"
	case instance == "":
		return "it has no tag node.k8s.amazonaws.com/instance_id"
	case cluster == "" || cluster != t.Cluster:
		return "its tag cluster.k8s.amazonaws.com/name is not " + t.Cluster
	case err != nil:
		return "its tag node.k8s.amazonaws.com/createdAt tells no time"
	case t.Now.Sub(made) < LeakAge:
		return "it was made less than an hour ago"
	case t.Nodes[instance]:
		return "its instance " + instance + " is a node"
	case !asked:
		return "its instance " + instance + " was not asked for"
	case state != "gone" && state != "terminated":
		return "its instance " + instance + " is " + state
	}
	return ""
}

// Cluster is the name of the EKS cluster that an interface says it belongs to; empty where it names none.
func (i NetworkInterface) Cluster() string { return ClusterTag(i.Tags) }

// ClusterTag is the name of the EKS cluster that tags of an interface or an instance name; empty where they name none.
func ClusterTag(tags map[string]string) string {
	if name := tags["cluster.k8s.amazonaws.com/name"]; name != "" {
		return name
	}
	var names []string
	for key := range tags {
		if name, ok := strings.CutPrefix(key, "kubernetes.io/cluster/"); ok {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return tags["eks:cluster-name"]
	}
	slices.Sort(names)
	return names[0]
}

// cniInstance is the instance for which a CNI made the interface.
func (i NetworkInterface) cniInstance() string {
	if id := i.Tags["node.k8s.amazonaws.com/instance_id"]; id != "" {
		return id
	}
	id, ok := strings.CutPrefix(i.Description, "aws-K8S-")
	if !ok {
		return ""
	}
	return id
}

// CNIInstance is the instance for which the VPC CNI made an interface that is attached to none; empty for any other.
func (i NetworkInterface) CNIInstance() string {
	if i.Status != "available" {
		return ""
	}
	return i.cniInstance()
}
