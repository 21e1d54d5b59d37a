package nature

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/cni"
	"github.com/netdiag/netdiag/internal/vpc"
)

// The timers of ipamd (amazon-vpc-cni-k8s, pkg/ipamd).
const (
	poolLoop     = 5 * time.Second   // between two looks at the pool
	decreaseLoop = 30 * time.Second  // between two releases
	backOff      = 120 * time.Second // after EC2 had no address
)

// agents is the CNI of all nodes, and their kubelets as far as they wait for it.
type agents struct {
	n *Nature
	c *clients

	env    map[string]string        // of the DaemonSet when Run began: what pods run with that say nothing themselves
	nodes  map[string]*agent        // of when Run began
	leased map[types.UID]netip.Addr // to pods whose status isn't seen yet
	asked  map[types.UID]int        // turns in which a pod that was made since got none
	types  map[string]cni.Limits
}

func newAgents(n *Nature, c *clients) *agents {
	return &agents{n: n, c: c, leased: map[types.UID]netip.Addr{}, asked: map[types.UID]int{}, types: map[string]cni.Limits{}}
}

// scene is what a turn of one node looks at.
type scene struct {
	agent   *agent
	waiting []*corev1.Pod
	used    map[netip.Addr]bool
	pool    *pool
	frozen  bool // the node is cordoned: its pool stays as it is
}

func (a *agents) round(ctx context.Context) error {
	d := a.c.agent()
	if d == nil {
		return nil // another CNI serves the pods
	}
	first := a.nodes == nil
	if first {
		a.env = environment(d.Spec.Template.Spec)
		seen, err := a.begin(ctx)
		if err != nil {
			return err
		}
		a.nodes = seen
	}
	scenes := a.scenes()
	if len(scenes) == 0 {
		return nil
	}
	available, err := a.look(ctx, scenes)
	if err != nil {
		if first {
			a.nodes = nil
		}
		return err
	}
	var trouble error
	for _, s := range scenes {
		if first {
			a.hold(s, available)
		} else if err := cmp.Or(a.serve(ctx, s, available), a.complain(ctx, s)); err != nil && trouble == nil {
			trouble = fmt.Errorf("node %s: %w", s.agent.name, err)
		}
	}
	return trouble
}

// complain says by an event of each pod that was made since Run began that there is no address for it, once that was so
// for a second turn.
func (a *agents) complain(ctx context.Context, s *scene) error {
	for _, p := range s.waiting {
		if _, leased := a.leased[p.UID]; leased || !a.c.births.born(p) {
			continue
		}
		if a.asked[p.UID]++; a.asked[p.UID] != 2 {
			continue
		}
		message := fmt.Sprintf(`Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "%s": plugin type="aws-cni" name="aws-cni" failed (add): add cmd: %s`, digest(string(p.UID)), noAddress)
		if err := a.c.warn(ctx, p, "kubelet", "FailedCreatePodSandBox", message, a.n.o.Now()); err != nil {
			return err
		}
	}
	return nil
}

// begin looks at all nodes for the first time.
func (a *agents) begin(ctx context.Context) (map[string]*agent, error) {
	events, pods, out := listed[*corev1.Event](a.c.events), a.podsByNode(), map[string]*agent{}
	for _, node := range listed[*corev1.Node](a.c.nodes) {
		limits, err := a.limits(ctx, node.Labels[corev1.LabelInstanceTypeStable])
		if err != nil {
			return nil, err
		}
		if ag := newAgent(node, limits, agentPod(pods[node.Name]), a.env, events); ag != nil {
			out[node.Name] = ag
		}
	}
	return out, nil
}

// hold decides whether something unseen holds the pods that wait on a node.
func (a *agents) hold(s *scene, available map[string]int) {
	free := 0
	for _, m := range s.pool.members {
		free += len(m.free)
	}
	if s.agent.held = free > 0 || !s.frozen && s.pool.grow(available) != nil; s.agent.held {
		a.n.say("ipamd %s: %d pods wait although an address could be had: something else holds them", s.agent.name, len(s.waiting))
	}
}

func (a *agents) podsByNode() map[string][]*corev1.Pod {
	out := map[string][]*corev1.Pod{}
	for _, p := range listed[*corev1.Pod](a.c.pods) {
		out[p.Spec.NodeName] = append(out[p.Spec.NodeName], p)
	}
	return out
}

// scenes lists the nodes on which something may be to do: pods wait and nothing unseen holds them, or the CNI runs with
// other settings than when Run began and hasn't come to rest yet.
func (a *agents) scenes() []*scene {
	events, pods := listed[*corev1.Event](a.c.events), a.podsByNode()
	var out []*scene
	for _, node := range listed[*corev1.Node](a.c.nodes) {
		ag := a.nodes[node.Name]
		if ag == nil {
			continue
		}
		ag.release, ag.wait = max(ag.release-poolLoop, 0), max(ag.wait-poolLoop, 0)
		here := pods[node.Name]
		if !ag.adopt(agentPod(here), a.env) {
			continue
		}
		s := &scene{agent: ag, used: a.used(here), frozen: node.Spec.Unschedulable && !ag.setting.Cordoned}
		for _, p := range here {
			if _, leased := a.leased[p.UID]; !leased && waits(p) && (a.c.births.born(p) || short(p, events) || ag.restarted && cut(p, events)) {
				s.waiting = append(s.waiting, p)
			}
		}
		changed := ag.setting.text != ag.began.text && !ag.settled && !ag.refused && !s.frozen
		if changed || len(s.waiting) > 0 && !ag.held && !ag.refused {
			out = append(out, s)
		}
	}
	return out
}

// used is the addresses of a node that pods have.
func (a *agents) used(pods []*corev1.Pod) map[netip.Addr]bool {
	used := map[netip.Addr]bool{}
	for _, p := range pods {
		if p.Spec.HostNetwork || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
			continue
		}
		if lease, ok := a.leased[p.UID]; ok {
			used[lease] = true
			if p.Status.PodIP != "" {
				delete(a.leased, p.UID)
			}
		}
		for _, ip := range append([]corev1.PodIP{{IP: p.Status.PodIP}}, p.Status.PodIPs...) {
			if addr, err := netip.ParseAddr(ip.IP); err == nil {
				used[addr] = true
			}
		}
	}
	return used
}

// look reads the interfaces of the nodes, and what their subnets have available.
func (a *agents) look(ctx context.Context, scenes []*scene) (map[string]int, error) {
	r := a.c.reads.Reader()
	var instances []string
	for _, s := range scenes {
		instances = append(instances, s.agent.instance)
	}
	found, err := r.Interfaces(ctx, diagnostics.InterfaceQuery{Instances: instances})
	if err != nil {
		return nil, err
	}
	of, vpcs, subnets := map[string][]vpc.NetworkInterface{}, map[string]bool{}, map[string]bool{}
	for _, e := range found {
		of[e.Instance] = append(of[e.Instance], e)
		vpcs[e.VPC], subnets[e.Subnet] = true, true
	}
	for _, s := range scenes {
		s.pool = newPool(s.agent.setting.Settings, s.agent.limits, s.agent.maxPods, of[s.agent.instance], s.used)
	}
	var list []vpc.Subnet
	for _, id := range sortedKeys(vpcs) {
		all, err := r.SubnetsOf(ctx, id)
		if err != nil {
			return nil, err
		}
		for _, s := range all {
			if subnets[s.ID] || forPods(s) {
				list = append(list, s)
			}
		}
	}
	slices.SortStableFunc(list, func(a, b vpc.Subnet) int { return b.Available - a.Available })
	available := map[string]int{}
	for _, s := range list {
		available[s.ID] = s.Available
	}
	for _, s := range scenes {
		s.pool.discover(list)
	}
	return available, a.reserve(ctx, scenes, list)
}

// reserve counts the free /28 of reservations, where prefixes are delegated.
func (a *agents) reserve(ctx context.Context, scenes []*scene, subnets []vpc.Subnet) error {
	if !slices.ContainsFunc(scenes, func(s *scene) bool { return s.pool.prefixes() }) {
		return nil
	}
	r, reserved := a.c.reads.Reader(), map[string]int{}
	for _, s := range subnets {
		found, err := r.Reservations(ctx, s.ID)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			continue
		}
		interfaces, err := r.Interfaces(ctx, diagnostics.InterfaceQuery{Subnets: []string{s.ID}})
		if err != nil {
			return err
		}
		reserved[s.ID] = vpc.FreePrefixes(vpc.NewLedger(s, interfaces, found, vpc.Tenancy{}), interfaces, found).Reserved
	}
	for _, s := range scenes {
		s.pool.reserved = reserved
	}
	return nil
}

// limits is what an instance type can carry; zero where it isn't known.
func (a *agents) limits(ctx context.Context, kind string) (cni.Limits, error) {
	if l, ok := a.types[kind]; ok || kind == "" {
		return l, nil
	}
	l, known := cni.LimitsOf(kind)
	found, err := a.c.reads.Reader().InstanceTypes(ctx, kind)
	if err != nil && !known {
		return l, err
	}
	for _, t := range found {
		if t.Interfaces > 0 {
			l = cni.Limits{Interfaces: t.Interfaces, Addresses: t.AddressesPerInterface, VCPUs: t.VCPUs, Nitro: t.Nitro}
		}
	}
	a.types[kind] = l
	return l, nil
}
