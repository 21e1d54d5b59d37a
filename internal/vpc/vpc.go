// Package vpc holds the network of an AWS account as plain values: subnets, network interfaces, security
// groups, network ACLs and routes. It talks to nothing. Reach answers whether a packet gets through, Ledger who holds
// the addresses of a subnet, and FreePrefixes how many aligned /28 blocks are left.
package vpc

import (
	"net/netip"
	"time"
)

// VPC is a virtual private cloud with the IPv4 blocks that are associated with it.
type VPC struct {
	ID    string         `json:"id"`
	CIDRs []netip.Prefix `json:"cidrs"`
}

// Subnet is a subnet as ec2:DescribeSubnets reports it.
type Subnet struct {
	ID    string       `json:"id"`
	VPC   string       `json:"vpc"`
	Zone  string       `json:"zone"` // availability zone name, such as us-west-2a
	CIDR  netip.Prefix `json:"cidr"`
	Owner string       `json:"owner,omitempty"` // account id
	// Available is AvailableIpAddressCount: addresses of stopped instances and of prefix reservations don't count as available.
	Available int               `json:"available"`
	Tags      map[string]string `json:"tags,omitempty"`
}

// NetworkInterface is an elastic network interface (ENI).
type NetworkInterface struct {
	ID            string            `json:"id"`
	Subnet        string            `json:"subnet"`
	VPC           string            `json:"vpc"`
	Zone          string            `json:"zone,omitempty"`
	Owner         string            `json:"owner,omitempty"`
	Status        string            `json:"status"` // available, associated, attaching, in-use or detaching
	Type          string            `json:"type"`   // interface, trunk, branch, efa-only, nat_gateway, lambda, vpc_endpoint, network_load_balancer …
	Description   string            `json:"description,omitempty"`
	Requester     string            `json:"requester,omitempty"`
	Managed       bool              `json:"managed,omitempty"` // RequesterManaged
	Operator      string            `json:"operator,omitempty"`
	Primary       netip.Addr        `json:"primary"`
	Addresses     []netip.Addr      `json:"addresses"` // the primary one included
	Prefixes      []netip.Prefix    `json:"prefixes,omitempty"`
	IPv6          []netip.Addr      `json:"ipv6,omitempty"`
	IPv6Prefixes  []netip.Prefix    `json:"ipv6Prefixes,omitempty"` // /80 blocks
	Groups        []string          `json:"groups,omitempty"`       // security group ids
	Instance      string            `json:"instance,omitempty"`
	InstanceOwner string            `json:"instanceOwner,omitempty"`
	Device        int               `json:"device"` // DeviceIndex of the attachment; 0 is the primary interface of an instance
	Card          int               `json:"card"`   // NetworkCardIndex
	Attached      time.Time         `json:"attached,omitzero"`
	Tags          map[string]string `json:"tags,omitempty"`
}

// Instance is an EC2 instance.
type Instance struct {
	ID       string            `json:"id"`
	Type     string            `json:"type"`
	State    string            `json:"state"` // pending, running, shutting-down, terminated, stopping or stopped
	Subnet   string            `json:"subnet,omitempty"`
	Zone     string            `json:"zone,omitempty"`
	Address  netip.Addr        `json:"address"`
	Launched time.Time         `json:"launched,omitzero"`
	Groups   []string          `json:"groups,omitempty"`
	Volumes  int               `json:"volumes,omitempty"` // block device mappings
	Tags     map[string]string `json:"tags,omitempty"`
}

// InstanceType is what an instance type can carry. Interfaces counts those of the default network card only, the one
// that the VPC CNI uses.
type InstanceType struct {
	Name                  string `json:"name"`
	Interfaces            int    `json:"interfaces"`
	AddressesPerInterface int    `json:"addressesPerInterface"` // IPv4, the primary one included
	VCPUs                 int    `json:"vcpus"`
	Nitro                 bool   `json:"nitro"` // hypervisor nitro, or bare metal: prefix delegation works
}

// SecurityGroup is a security group without its rules.
type SecurityGroup struct {
	ID          string            `json:"id"`
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	VPC         string            `json:"vpc"`
	Tags        map[string]string `json:"tags,omitempty"`
}

// SecurityGroupRule has exactly one source (of an egress rule: destination): CIDR, PrefixList or Group.
type SecurityGroupRule struct {
	ID          string            `json:"id"`
	Group       string            `json:"group"` // the security group that the rule belongs to
	Egress      bool              `json:"egress,omitempty"`
	Protocol    string            `json:"protocol"` // tcp, udp, icmp, a number, or -1 for all
	From        int               `json:"from"`     // -1 to -1 with protocol -1
	To          int               `json:"to"`
	CIDR        netip.Prefix      `json:"cidr,omitzero"`
	PrefixList  string            `json:"prefixList,omitempty"`
	Source      string            `json:"source,omitempty"`  // referenced security group id
	Peering     string            `json:"peering,omitempty"` // PeeringStatus of a reference into a peered VPC; empty within the VPC
	Description string            `json:"description,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
}

// NetworkACL is a network ACL with the subnets that it guards.
type NetworkACL struct {
	ID      string     `json:"id"`
	VPC     string     `json:"vpc"`
	Subnets []string   `json:"subnets"`
	Entries []ACLEntry `json:"entries"`
}

// ACLEntry is one numbered entry; the lowest matching number decides.
type ACLEntry struct {
	Number   int          `json:"number"`
	Egress   bool         `json:"egress,omitempty"`
	Protocol string       `json:"protocol"` // IANA number as text, or -1 for all
	CIDR     netip.Prefix `json:"cidr"`
	From     int          `json:"from"` // 0 to 65535 where the API gives no range
	To       int          `json:"to"`
	Allow    bool         `json:"allow,omitempty"`
}

// RouteTable is a route table with the subnets associated with it; Main marks that of the VPC.
type RouteTable struct {
	ID      string   `json:"id"`
	VPC     string   `json:"vpc"`
	Main    bool     `json:"main,omitempty"`
	Subnets []string `json:"subnets,omitempty"`
	Routes  []Route  `json:"routes"`
}

// Route sends a destination to a target.
type Route struct {
	Destination netip.Prefix `json:"destination,omitzero"` // invalid for a prefix-list route
	PrefixList  string       `json:"prefixList,omitempty"`
	Target      string       `json:"target"` // local, igw-…, nat-…, tgw-…, eni-…, pcx-…
	State       string       `json:"state"`  // active or blackhole
}

// ServiceEndpoint is a VPC endpoint: a way to a service of AWS without the internet.
type ServiceEndpoint struct {
	ID      string `json:"id"`
	VPC     string `json:"vpc"`
	Service string `json:"service"` // com.amazonaws.<region>.<service>
	Kind    string `json:"kind"`    // Gateway, Interface, GatewayLoadBalancer …
	State   string `json:"state"`   // available, pending, failed …
	// RouteTables have the routes of a Gateway, Subnets the interfaces of an Interface.
	RouteTables []string `json:"routeTables,omitempty"`
	Subnets     []string `json:"subnets,omitempty"`
	PrivateDNS  bool     `json:"privateDNS,omitempty"` // the service's own name leads to the endpoint
}

// Reservation is a subnet CIDR reservation; Kind is prefix or explicit.
type Reservation struct {
	ID     string       `json:"id"`
	Subnet string       `json:"subnet"`
	CIDR   netip.Prefix `json:"cidr"`
	Kind   string       `json:"kind"`
}
