package ip

import (
	"cmp"
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/awsnode"
	"github.com/netdiag/netdiag/internal/cni"
	"github.com/netdiag/netdiag/internal/vpc"
)

// holding is what one node holds.
type holding struct {
	in       map[string]cni.Growth // by subnet
	members  int                   // interfaces that the CNI manages
	taken    int                   // interfaces that it can't use: trunk, EFA only, marked no_manage
	attached int                   // addresses for new pods
	slots    []int                 // by interface that serves pods: places in use, a secondary address or a prefix each
	// interfaces are those that the CNI manages.
	interfaces []*vpc.NetworkInterface
}

// second reads what holds the addresses of the subnets, and gives the nodes that can hold no more.
func (c *collector) second(outer context.Context) (full []node, err error) {
	var ids []string
	for _, s := range c.s.Subnets {
		ids = append(ids, s.ID)
	}
	if len(ids) == 0 {
		return nil, nil
	}
	in := c.in
	g, ctx := c.reads.Group(outer)
	var interfaces []vpc.NetworkInterface
	read := false
	g.Read("", func() error {
		found, err := in.Interfaces.Interfaces(ctx, diagnostics.InterfaceQuery{Subnets: ids})
		interfaces, read = found, err == nil
		return err
	})
	if names := c.typeNames(); len(names) > 0 {
		g.Read("", func() (err error) { c.types, err = in.Instances.InstanceTypes(ctx, names...); return err })
	}
	reservations := make([][]vpc.Reservation, len(c.s.Subnets))
	if c.settings.PrefixDelegation {
		for _, n := range c.tightest() {
			g.Read(c.s.Subnets[n].ID, func() (err error) {
				reservations[n], err = in.Routing.Reservations(ctx, c.s.Subnets[n].ID)
				return err
			})
		}
	}
	if in.Past != nil {
		g.Read("", func() error { c.remembered(ctx, ids); return nil })
	}
	if err := g.Wait(); err != nil || !read {
		return nil, err
	}
	c.hold(interfaces)
	c.s.Tenant = c.s.setup().OtherCluster(c.subnets, interfaces)
	for n := range c.s.Subnets {
		c.sum(&c.s.Subnets[n], interfaces, reservations[n])
	}
	return c.full(), nil
}

// remembered adds what earlier looks saw of the subnets.
func (c *collector) remembered(ctx context.Context, ids []string) {
	past := c.in.Past.Available(ctx, c.s.Target.Cluster, ids...)
	for n := range c.s.Subnets {
		c.s.Subnets[n].Past = past[c.s.Subnets[n].ID]
	}
}

// typeNames are the instance types of the nodes, sorted.
func (c *collector) typeNames() []string {
	set := map[string]bool{}
	for _, n := range c.nodes {
		set[n.Type] = true
	}
	delete(set, "")
	var out []string
	for name := range set {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// tightest are the subnets with the fewest free addresses, by their place in the list.
func (c *collector) tightest() []int {
	var out []int
	for n := range c.s.Subnets {
		out = append(out, n)
	}
	slices.SortStableFunc(out, func(a, b int) int { return cmp.Compare(c.s.Subnets[a].Available, c.s.Subnets[b].Available) })
	return out[:min(len(out), mostReserved)]
}

// hold sums what each instance that is a node holds.
func (c *collector) hold(interfaces []vpc.NetworkInterface) {
	setup, out := c.s.setup(), map[string]*holding{}
	for _, n := range c.nodes {
		if n.instance != "" {
			out[n.instance] = &holding{in: map[string]cni.Growth{}}
		}
	}
	for n := range interfaces {
		i := &interfaces[n]
		h := out[i.Instance]
		if h == nil {
			continue
		}
		g := h.in[i.Subnet]
		h.in[i.Subnet] = cni.Growth{Nodes: 1, Addresses: g.Addresses + len(i.Addresses), Prefixes: g.Prefixes + len(i.Prefixes)}
		serves, taken := awsnode.Serves(i)
		if taken {
			h.taken++
		}
		if !serves {
			continue
		}
		h.members++
		h.interfaces = append(h.interfaces, i)
		if setup.Excluded(c.settings, i, c.subnet(i.Subnet)) {
			continue // it gives pods no address
		}
		secondary := max(len(i.Addresses)-1, 0)
		h.slots = append(h.slots, secondary+len(i.Prefixes))
		if c.settings.PrefixDelegation {
			h.attached += cni.PrefixSize * len(i.Prefixes)
		} else {
			h.attached += secondary
		}
	}
	c.held = out
}

// sum draws up the figures of a subnet.
func (c *collector) sum(s *Subnet, interfaces []vpc.NetworkInterface, reservations []vpc.Reservation) {
	var each []cni.Growth
	for _, h := range c.held {
		if g, ok := h.in[s.ID]; ok {
			each = append(each, g)
		}
	}
	slices.SortFunc(each, func(a, b cni.Growth) int {
		return cmp.Or(cmp.Compare(a.Total(), b.Total()), cmp.Compare(a.Prefixes, b.Prefixes))
	})
	s.Read, s.Nodes = true, len(each)
	if len(each) > 0 {
		s.Typical = each[len(each)/2]
	}
	if c.settings.PrefixDelegation {
		l := vpc.NewLedger(s.Subnet, interfaces, reservations, vpc.Tenancy{Cluster: c.s.Target.Cluster, Now: c.s.At})
		s.Reserved, s.Blocks = l.Reserved, vpc.FreePrefixes(l, interfaces, reservations)
	}
}

// full lists the nodes to which no further address can be attached, whatever the subnets have.
func (c *collector) full() []node {
	var out []node
	for _, n := range c.nodes {
		h := c.held[n.instance]
		limits, ok := awsnode.LimitsOf(c.types, n.Type)
		if h == nil || h.members == 0 || !ok {
			c.s.Unknown++
			continue
		}
		most := limits.Interfaces
		if c.settings.MaxENI > 0 {
			most = min(most, c.settings.MaxENI)
		}
		room := h.members < most-h.taken
		for _, used := range h.slots {
			room = room || used < limits.Addresses-1
		}
		if !room {
			n.Attached = h.attached
			out = append(out, n)
		}
	}
	return out
}

// third counts the pods of the nodes that can hold no more.
func (c *collector) third(outer context.Context, full []node) error {
	if len(full) > mostCounted {
		c.s.Uncounted = len(full) - mostCounted
		full = full[:mostCounted]
	}
	g, ctx := c.reads.Group(outer)
	counted := make([]bool, len(full))
	for n := range full {
		g.Read("", func() error {
			pods, err := c.in.Pods.Pods(ctx, diagnostics.PodQuery{Node: full[n].Name})
			counted[n] = err == nil
			for p := range pods {
				if phase := pods[p].Status.Phase; phase == corev1.PodSucceeded || phase == corev1.PodFailed {
					continue
				}
				full[n].Pods++
				if !pods[p].Spec.HostNetwork {
					full[n].Used++
				}
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for n := range full {
		if counted[n] {
			c.s.Full = append(c.s.Full, full[n].Node)
		} else {
			c.s.Uncounted++
		}
	}
	return nil
}

// complaints are the reasons of events in which ipamd, the node monitoring agent or the VPC resource controller say that a
// node gets no addresses (cmd/aws-vpc-cni, eks-node-monitoring-agent monitors/networking, amazon-vpc-resource-controller-k8s pkg/utils/events.go).
var complaints = []string{
	"MissingIAMPermissions", "IPAMDNoIPs", "IPAMDNotReady", "IPAMDNotRunning", "IPAMDRepeatedlyRestart", "IPAMDInconsistentState",
	"InsufficientCidrBlocks", "TrunkENICreationFailed", "EniConfigNameNotFound",
}

// takeEvents keeps the complaints of the last quarter of an hour, the newest of each object and reason.
func (c *collector) takeEvents(events []corev1.Event) {
	newest := map[string]Event{}
	for n := range events {
		e := &events[n]
		at := diagnostics.LastSeen(e)
		if !slices.Contains(complaints, e.Reason) || c.s.At.Sub(at) > lately {
			continue
		}
		k := Event{Reason: e.Reason, Object: strings.ToLower(e.InvolvedObject.Kind) + "/" + e.InvolvedObject.Name, Namespace: e.Namespace, Message: e.Message, At: at}
		if old, ok := newest[k.Reason+" "+k.Object]; !ok || k.At.After(old.At) {
			newest[k.Reason+" "+k.Object] = k
		}
	}
	for _, e := range newest {
		c.s.Events = append(c.s.Events, e)
	}
	slices.SortFunc(c.s.Events, func(a, b Event) int {
		return cmp.Or(b.At.Compare(a.At), strings.Compare(a.Reason, b.Reason), strings.Compare(a.Object, b.Object))
	})
}
