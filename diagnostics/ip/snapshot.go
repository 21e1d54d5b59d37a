package ip

import (
	"slices"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/awsnode"
	"github.com/netdiag/netdiag/internal/cni"
	"github.com/netdiag/netdiag/internal/eks"
	"github.com/netdiag/netdiag/internal/vpc"
)

// Snapshot is what Collect read. Of nodes and network interfaces it keeps sums: a cluster may have 5,000 of one and 15,000 of
// the other.
type Snapshot struct {
	Target  diagnostics.Target `json:"target"`
	At      time.Time          `json:"at"`
	Cluster *eks.Cluster       `json:"cluster,omitempty"`
	Driver  *awsnode.Driver    `json:"driver,omitempty"` // the DaemonSet aws-node; nil where there is none
	Addon   *eks.Addon         `json:"addon,omitempty"`  // vpc-cni, read where a subnet is short; nil where it isn't an EKS add-on
	Subnets []Subnet           `json:"subnets,omitempty"`
	Nodes   int                `json:"nodes"` // of the cluster, without those of Fargate
	// VPC, Every and Tables are read where a subnet is short: the blocks of the VPC, all its subnets and route tables. Tenant is another
	// cluster that has something in it; empty where none is seen.
	VPC    *vpc.VPC         `json:"vpc,omitempty"`
	Every  []vpc.Subnet     `json:"every,omitempty"`
	Tables []vpc.RouteTable `json:"tables,omitempty"`
	Tenant string           `json:"tenant,omitempty"`
	// Full are the nodes whose interfaces hold as many addresses as they can, sorted by name; Uncounted more are as full, and it
	// was not counted how many pods use them.
	Full      []Node  `json:"full,omitempty"`
	Uncounted int     `json:"uncounted,omitempty"`
	Unknown   int     `json:"unknown,omitempty"` // nodes of instance types whose limits are not known
	Ill       []Ill   `json:"ill,omitempty"`     // nodes whose networking is said to be broken, sorted by name
	Events    []Event `json:"events,omitempty"`  // in which the CNI complains, newest first

	Unread []diagnostics.Unread `json:"unread,omitempty"`
}

// Subnet is a subnet in which pods or nodes get their addresses.
type Subnet struct {
	vpc.Subnet
	Nodes int `json:"nodes"` // that hold addresses here
	// Hosts marks one that serves nodes only: with custom networking their pods have addresses elsewhere.
	Hosts bool `json:"hosts,omitempty"`
	// Read means that its interfaces were read: what follows is known.
	Read     bool         `json:"read,omitempty"`
	Typical  cni.Growth   `json:"typical"`            // what one node holds here, by the median of those that hold any
	Reserved int          `json:"reserved,omitempty"` // free addresses inside reservations of type prefix
	Blocks   vpc.Prefixes `json:"blocks"`             // whole /28 that are free
	Past     []vpc.Sample `json:"past,omitempty"`     // what earlier looks saw, oldest first
	// Kept is what nodes hold here for pods, read where the subnet is short and single addresses serve them: alike ones together.
	Kept      []Holding `json:"kept,omitempty"`
	Counted   bool      `json:"counted,omitempty"`   // it was read
	Uncounted int       `json:"uncounted,omitempty"` // nodes that hold addresses here of which it isn't known what pods use
	// Able is how many of the nodes with addresses here have a place for another interface, and Places how many interfaces one of them
	// may have at most; read where the subnet is short.
	Able   int `json:"able,omitempty"`
	Places int `json:"places,omitempty"`
	// Attached counts nodes whose pods may get addresses here by how many they have attached; read where any subnet is short.
	Attached map[int]int `json:"attached,omitempty"`
}

// Holding is what nodes that are alike hold for pods.
type Holding struct {
	Nodes      int        `json:"nodes"`
	Limits     cni.Limits `json:"limits"`
	MaxPods    int        `json:"maxPods"`
	Taken      int        `json:"taken,omitempty"`   // interfaces that the CNI can't use for pods
	Waiting    int        `json:"waiting,omitempty"` // pods on each that wait for an address
	Here       int        `json:"here"`              // addresses of the subnet that each holds, of all its interfaces
	Interfaces []Place    `json:"interfaces"`        // the first one of the instance before the others
	// Unread means that it isn't known what pods use: of such nodes only Here and Attached are, their addresses for pods.
	Unread   bool `json:"unread,omitempty"`
	Attached int  `json:"attached,omitempty"`
}

// Place is an interface of a Holding.
type Place struct {
	Here      bool `json:"here,omitempty"` // in the subnet
	Primary   bool `json:"primary,omitempty"`
	Kept      bool `json:"kept,omitempty"` // see cni.Interface
	Addresses int  `json:"addresses"`      // for pods
	Assigned  int  `json:"assigned"`       // of them, those that pods use
}

// Node is a node whose interfaces hold as many addresses as they can.
type Node struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Zone     string `json:"zone"`
	Attached int    `json:"attached"` // addresses for pods
	Used     int    `json:"used"`     // pods that have one, or wait for one
	Pods     int    `json:"pods"`     // all pods that are not finished
	MaxPods  int    `json:"maxPods"`
}

// setup is how aws-node is set up, as far as it was read.
func (s *Snapshot) setup() awsnode.Setup {
	missed := slices.ContainsFunc(s.Unread, func(u diagnostics.Unread) bool { return u.Permission == "eks:DescribeAddon" })
	return awsnode.Setup{Cluster: s.Target.Cluster, Driver: s.Driver, Addon: s.Addon, AddonUnread: missed}
}

// Ill is a node whose condition NetworkingReady is False, as the EKS node monitoring agent sets it.
type Ill struct {
	Node   string `json:"node"`
	Zone   string `json:"zone"`
	Reason string `json:"reason"` // such as IPAMDNotRunning
}

// Event is a complaint of the CNI.
type Event struct {
	Reason    string    `json:"reason"`
	Object    string    `json:"object"` // <kind>/<name>
	Namespace string    `json:"namespace"`
	Message   string    `json:"message"`
	At        time.Time `json:"at"`
}
