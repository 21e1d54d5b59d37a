package ip

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/awsnode"
	"github.com/netdiag/netdiag/internal/cni"
	"github.com/netdiag/netdiag/internal/vpc"
)

// What one run reads at most, whatever the size of the cluster. A further page of an answer is no call of its own.
const (
	mostCounted  = 40 // full nodes whose pods are counted
	mostReserved = 12 // subnets whose reservations are read, those with the fewest free addresses first
)

// collector gathers a Snapshot.
type collector struct {
	in       diagnostics.Inputs
	s        Snapshot
	reads    diagnostics.Reads
	settings cni.Settings
	nodes    []node
	configs  map[string]bool // subnets that ENIConfigs name
	subnets  []vpc.Subnet    // all of the VPC
	types    []vpc.InstanceType
	held     map[string]*holding // by instance that is a node
}

// node is what matters of a node until its sums are drawn.
type node struct {
	Node
	instance, address string
	foreign           bool // aws-node doesn't serve it: of EKS Auto Mode, or Windows
}

func collect(ctx context.Context, in diagnostics.Inputs, t diagnostics.Target) (Snapshot, error) {
	c := &collector{in: in, s: Snapshot{Target: t, At: in.Now}, configs: map[string]bool{}}
	in.Say("reading nodes, subnets and events of the CNI")
	if err := c.first(ctx); err != nil {
		return Snapshot{}, err
	}
	if err := c.choose(); err != nil {
		return Snapshot{}, err
	}
	in.Say("reading the network interfaces of %d subnets", len(c.s.Subnets))
	full, err := c.second(ctx)
	if err != nil {
		return Snapshot{}, err
	}
	if err := c.third(ctx, full); err != nil {
		return Snapshot{}, err
	}
	if err := c.fourth(ctx); err != nil {
		return Snapshot{}, err
	}
	c.s.Unread = c.reads.Unread()
	return c.s, nil
}

// first reads what can be asked without knowing anything.
func (c *collector) first(outer context.Context) error {
	in := c.in
	g, ctx := c.reads.Group(outer)
	var system, cluster []corev1.Event
	g.Read("", func() error {
		nodes, err := in.Nodes.Nodes(ctx)
		c.takeNodes(nodes)
		return err
	})
	g.Read("", func() (err error) { system, err = in.Events.Events(ctx, "kube-system"); return err })
	g.Read("", func() (err error) { cluster, err = in.Events.Events(ctx, "default"); return err })
	g.Read("", func() error {
		sets, err := in.Daemons.DaemonSets(ctx, "kube-system")
		c.takeDriver(sets)
		return err
	})
	g.Read("", func() (err error) {
		if c.s.Cluster, err = in.Clusters.Cluster(ctx, c.s.Target.Cluster); err == nil && c.s.Cluster.VPC != "" {
			c.subnets, err = in.Network.SubnetsOf(ctx, c.s.Cluster.VPC)
		}
		return err
	})
	if err := g.Wait(); err != nil {
		return err
	}
	c.takeEvents(append(system, cluster...))
	if c.s.Driver != nil {
		c.settings, _ = cni.ParseSettings(c.s.Driver.Env)
	}
	if !c.settings.CustomNetworking {
		return nil
	}
	found, err := in.Customs.Customs(outer, "crd.k8s.amazonaws.com", "v1alpha1", "eniconfigs", "")
	if c.reads.Missed(err, "") {
		return c.reads.Fault()
	}
	for _, u := range found {
		if spec, ok := u.Object["spec"].(map[string]any); ok {
			if id, ok := spec["subnet"].(string); ok {
				c.configs[id] = true
			}
		}
	}
	return nil
}

// takeNodes keeps of nodes what can matter.
func (c *collector) takeNodes(nodes []corev1.Node) {
	for n := range nodes {
		k := &nodes[n]
		if k.Labels["eks.amazonaws.com/compute-type"] == "fargate" {
			continue
		}
		out := node{Node: Node{Name: k.Name, Type: k.Labels["node.kubernetes.io/instance-type"], Zone: k.Labels["topology.kubernetes.io/zone"],
			MaxPods: int(k.Status.Allocatable.Pods().Value())}}
		out.foreign = k.Labels["eks.amazonaws.com/compute-type"] == "auto" || k.Labels["kubernetes.io/os"] == "windows"
		if at := strings.LastIndexByte(k.Spec.ProviderID, '/'); at >= 0 {
			out.instance = k.Spec.ProviderID[at+1:]
		}
		for _, a := range k.Status.Addresses {
			if a.Type == corev1.NodeInternalIP && out.address == "" {
				out.address = a.Address
			}
		}
		for _, cond := range k.Status.Conditions {
			if cond.Type == "NetworkingReady" && cond.Status == corev1.ConditionFalse {
				c.s.Ill = append(c.s.Ill, Ill{Node: k.Name, Zone: out.Zone, Reason: cond.Reason})
			}
		}
		c.nodes = append(c.nodes, out)
	}
	c.s.Nodes = len(c.nodes)
	slices.SortFunc(c.nodes, func(a, b node) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(c.s.Ill, func(a, b Ill) int { return strings.Compare(a.Node, b.Node) })
}

func (c *collector) takeDriver(sets []appsv1.DaemonSet) {
	for n := range sets {
		if sets[n].Name == "aws-node" {
			c.s.Driver = awsnode.DriverOf(&sets[n])
		}
	}
}

// choose picks the subnets that serve nodes and pods, and refuses a target that is none of them.
func (c *collector) choose() error {
	home := map[string]int{} // nodes by the subnet of their own address
	for _, n := range c.nodes {
		a, err := netip.ParseAddr(n.address)
		if err != nil {
			continue
		}
		for _, s := range c.subnets {
			if s.CIDR.Contains(a) {
				home[s.ID]++
			}
		}
	}
	for _, s := range c.subnets {
		tagged := c.settings.SubnetDiscovery && !c.settings.CustomNetworking && s.Tags["kubernetes.io/role/cni"] == "1"
		control := len(c.nodes) == 0 && c.s.Cluster != nil && slices.Contains(c.s.Cluster.Subnets, s.ID) // no node tells where pods are
		if home[s.ID] > 0 || c.configs[s.ID] || tagged || control || s.ID == c.s.Target.Name {
			c.s.Subnets = append(c.s.Subnets, Subnet{Subnet: s, Nodes: home[s.ID], Hosts: c.settings.CustomNetworking && !c.configs[s.ID]})
		}
	}
	slices.SortFunc(c.s.Subnets, func(a, b Subnet) int { return strings.Compare(a.Zone+" "+a.ID, b.Zone+" "+b.ID) })
	name := c.s.Target.Name
	if name == "" || len(c.s.Subnets) == 0 && len(c.reads.Unread()) > 0 {
		return nil
	}
	var known []string
	for _, s := range c.s.Subnets {
		if s.ID == name || s.Zone == name {
			return nil
		}
		known = append(known, s.Zone, s.ID)
	}
	slices.Sort(known)
	return diagnostics.Refusal(fmt.Sprintf("%q is neither a subnet of the VPC nor a zone with subnets of pods.", name) + diagnostics.Suggest(name, slices.Compact(known)))
}
