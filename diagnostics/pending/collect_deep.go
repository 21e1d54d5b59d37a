package pending

import (
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/trail"
	"github.com/netdiag/netdiag/internal/vpc"
)

const (
	custom       = 3  // calls that one list of custom resources may take: it may have to look for the version that is served
	late         = 2  // calls to AWS that come last: instances that are gone, and types of nodes that came in late
	mostTight    = 6  // subnets without room in which everything is read
	mostGroups   = 6  // node groups that are described, and asked why they don't grow
	mostProfiles = 10 // Fargate profiles, as many as a cluster may have
	// inShort sorts nodes that hold addresses where they are missing before all others.
	inShort = 1 << 20
)

// second reads the nodes in depth, and the network around them.
func (c *collector) second(outer context.Context, deep []*Node) error {
	in := c.in
	g, ctx := c.reads.Group(outer)
	var attached []vpc.NetworkInterface
	instances, types := ids(deep, func(n *Node) string { return n.Instance }), ids(deep, func(n *Node) string { return n.Type })
	if len(instances) > 0 {
		g.Read("", into(&attached, func() ([]vpc.NetworkInterface, error) {
			return in.Interfaces.Interfaces(ctx, diagnostics.InterfaceQuery{Instances: instances})
		}))
	}
	if len(types) > 0 {
		g.Read("", into(&c.s.Types, func() ([]vpc.InstanceType, error) { return in.Instances.InstanceTypes(ctx, types...) }))
	}
	for _, node := range deep {
		c.readPods(ctx, g, node)
	}
	c.aws -= 2
	if err := g.Wait(); err != nil {
		return err
	}
	c.s.Interfaces = attached
	g, ctx = c.reads.Group(outer)
	c.readAgents(ctx, g, deep)
	if c.customNetworking(deep) {
		c.kube -= custom
		g.Read("", func() error { return c.readENIConfigs(ctx) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if len(c.s.Subnets) == 0 && len(attached) > 0 {
		subnets, err := in.Network.SubnetsOf(outer, attached[0].VPC)
		c.s.Subnets = subnets
		if c.reads.Missed(err, "") {
			return c.reads.Fault()
		}
	}
	slices.SortFunc(c.s.Subnets, func(a, b vpc.Subnet) int { return strings.Compare(a.ID, b.ID) })
	slices.SortFunc(c.s.Types, func(a, b vpc.InstanceType) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

// third reads what only some troubles ask for: who else is in a subnet that is short, where its addresses could come from, and volumes.
func (c *collector) third(outer context.Context, deep []*Node) error {
	in, ns := c.in, c.s.Target.Namespace
	tight := c.tightSubnets(deep)
	g, ctx := c.reads.Group(outer)
	var interfaces []vpc.NetworkInterface
	tight = tight[:min(len(tight), mostTight)]
	reservations := make([][]vpc.Reservation, len(tight))
	if len(tight) > 0 {
		c.aws -= 2 + len(tight)
		whole := c.nodeSubnets(tight)
		g.Read("", func() error {
			found, err := in.Interfaces.Interfaces(ctx, diagnostics.InterfaceQuery{Subnets: whole})
			if err == nil {
				interfaces, c.s.Whole = found, whole
			}
			return err
		})
		for n, id := range tight {
			g.Read(id, into(&reservations[n], func() ([]vpc.Reservation, error) { return in.Routing.Reservations(ctx, id) }))
		}
		if id := c.vpcID(); id != "" {
			g.Read("", func() error {
				v, err := in.Network.VPC(ctx, id)
				if err == nil {
					c.s.VPC = &v
				}
				return err
			})
		}
	}
	if c.s.Cluster != nil && c.s.Cluster.AutoMode {
		c.kube -= custom
		g.Read("", func() error { return c.readNodeClass(ctx) })
	}
	if c.claimed() {
		c.kube -= 2
		g.Read("", into(&c.s.Claims, func() ([]corev1.PersistentVolumeClaim, error) { return in.Volumes.Claims(ctx, ns) }))
		g.Read("", into(&c.s.Volumes, func() ([]corev1.PersistentVolume, error) { return in.Volumes.PersistentVolumes(ctx) }))
	}
	if c.anyOn(onFargate) {
		c.aws -= 1 + mostProfiles + 1
		g.Read("", func() (err error) {
			c.s.Profiles, err = in.Nodegroups.FargateProfiles(ctx, c.s.Target.Cluster)
			return err
		})
	}
	if id := c.vpcID(); id != "" && (len(tight) > 0 || c.anyOn(onFargate) || c.pullsTimeOut()) {
		g.Read("", into(&c.s.RouteTables, func() ([]vpc.RouteTable, error) { return in.Routing.RouteTables(ctx, id) }))
	}
	if id := c.vpcID(); id != "" && c.anyOn(onFargate) {
		g.Read("", into(&c.s.Endpoints, func() ([]vpc.ServiceEndpoint, error) { return in.Routing.Endpoints(ctx, id) }))
	}
	if c.lacksNode() {
		c.kube -= 3 * custom
		if most := min((c.aws-late-1)/2, mostGroups); most > 0 {
			c.aws -= 1 + 2*most
			g.Read("", func() error { return c.readGroups(ctx, most) })
		}
		g.Read("", func() error { return c.readPools(ctx) })
	}
	if c.lacks(func(k clause, _ string, _ []*corev1.Event) bool {
		return k.cause == "windows-ip-resource" || k.cause == "branch-eni-capacity"
	}) {
		c.kube--
		g.Read("", into(&c.s.CNIConfig, func() (map[string]string, error) { return in.Configs.ConfigMap(ctx, "kube-system", "amazon-vpc-cni") }))
	}
	if c.lacks(func(k clause, _ string, _ []*corev1.Event) bool {
		return strings.Contains(k.reason, "exceed max volume count")
	}) {
		c.kube--
		g.Read("", func() error { return c.readAttachable(ctx) })
	}
	if c.overQuota() {
		c.kube--
		g.Read("", into(&c.s.Quotas, func() ([]corev1.ResourceQuota, error) { return in.Quotas.ResourceQuotas(ctx, ns) }))
	}
	refused := c.recovered(deep, c.aws-late)
	audits := make([][]trail.Event, len(refused))
	for n, id := range refused {
		g.Read("", into(&audits[n], func() ([]trail.Event, error) { return in.Audit.Audit(ctx, id, c.s.At.Add(-fresh), c.s.At) }))
	}
	if err := g.Wait(); err != nil {
		return err
	}
	c.s.Reservations, c.s.Audit = slices.Concat(reservations...), slices.Concat(audits...)
	c.join(interfaces)
	return c.fourth(outer)
}

// fourth counts the pods of the other nodes in the subnets that are short, and asks after instances that are no nodes: those
// for which unattached interfaces were made, and those of which it isn't known whose they are.
func (c *collector) fourth(outer context.Context) error {
	g, ctx := c.reads.Group(outer)
	held := map[string]int{} // addresses by instance; those in subnets that are short count before all others
	for _, i := range c.s.Interfaces {
		held[i.Instance] += i.Held()
		if s := c.s.subnet(i.Subnet); s != nil && tight(*s, c.s.Driver) {
			held[i.Instance] += inShort
		}
	}
	for _, node := range c.uncounted(held) {
		if c.kube <= 0 {
			c.s.Uncounted++
			continue
		}
		c.readPods(ctx, g, node)
	}
	if asked := c.strangers(); len(asked) > 0 {
		g.Read("", func() error { return c.readInstances(ctx, asked) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return c.missingTypes(outer)
}

// missingTypes reads the types of nodes that came in late.
func (c *collector) missingTypes(ctx context.Context) error {
	want := map[string]bool{}
	for _, n := range c.s.Nodes {
		if n.Read && n.Type != "" && !slices.ContainsFunc(c.s.Types, func(t vpc.InstanceType) bool { return t.Name == n.Type }) {
			want[n.Type] = true
		}
	}
	if len(want) == 0 {
		return nil
	}
	types, err := c.in.Instances.InstanceTypes(ctx, sorted(want)...)
	if c.reads.Missed(err, "") {
		return c.reads.Fault()
	}
	c.s.Types = append(c.s.Types, types...)
	slices.SortFunc(c.s.Types, func(a, b vpc.InstanceType) int { return strings.Compare(a.Name, b.Name) })
	return nil
}
