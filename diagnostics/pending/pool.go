package pending

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics/awsnode"
	"github.com/netdiag/netdiag/internal/cni"
	"github.com/netdiag/netdiag/internal/vpc"
)

// pool is the ledger of a node: what its interfaces hold for pods, and what pods use of it.
type pool struct {
	node     *Node
	settings cni.Settings
	problems []string // why the CNI refuses these settings
	limits   cni.Limits
	// configured means that the settings were read; otherwise they are the defaults, and prove nothing.
	configured bool
	// known means that the limits, the interfaces and the pods of the node could all be read.
	known bool
	// members are the interfaces that the CNI manages, the primary one first.
	members []member
	// taken counts interfaces that the CNI can't use: trunk, EFA only, marked no_manage.
	taken int
	// excluded counts members that give no address to new pods.
	excluded int
	attached int // addresses that new pods could have: secondary ones, or 16 for each prefix where prefixes are delegated
	assigned int // of them in use
	aside    int // in use of the other kind, which serves the pods that have them and no new ones
	needing  int // pods on the node that need an address and have none
}

// member is one interface of a pool.
type member struct {
	eni     *vpc.NetworkInterface
	primary bool
	// excluded marks an interface that gives no address to new pods: the first one with custom networking, or one in a subnet
	// that a tag takes away from pods. Pods that have an address of it keep it.
	excluded bool
	slots    int // used of the type's addresses per interface: one for a secondary address or a prefix
	room     int // slots that are left
	cni      cni.Interface
}

func (p *pool) free() int { return p.attached - p.assigned }

// prefixes reports that pods get their addresses from delegated prefixes only.
func (p *pool) prefixes() bool { return p.settings.PrefixDelegation && p.limits.Nitro }

// interfaces is how many interfaces the CNI may have on this node.
func (p *pool) interfaces() int {
	most := p.limits.Interfaces
	if p.settings.MaxENI > 0 {
		most = min(most, p.settings.MaxENI)
	}
	return max(most-p.taken, 0)
}

// canAttach reports that one more interface fits.
func (p *pool) canAttach() bool { return len(p.members) < p.interfaces() }

// room counts the slots left on interfaces that are there and can serve pods.
func (p *pool) room() int {
	n := 0
	for _, m := range p.members {
		if !m.excluded {
			n += m.room
		}
	}
	return n
}

// full reports that interfaces and addresses are used up, whatever the subnets have.
func (p *pool) full() bool { return p.known && p.room() == 0 && !p.canAttach() }

func (p *pool) forecastable() []cni.Interface {
	out := make([]cni.Interface, len(p.members))
	for n, m := range p.members {
		out[n] = m.cni
	}
	return out
}

// place is the node as internal/cni sees it.
func (p *pool) place() cni.Node {
	taken := p.taken + p.excluded
	if p.settings.CustomNetworking {
		taken = p.taken // the first interface is accounted for by the settings
	}
	return cni.Node{Limits: p.limits, MaxPods: p.node.MaxPods, Taken: taken}
}

// footprint counts the addresses that the node holds in a subnet.
func (p *pool) footprint(subnet string) int {
	n := 0
	for _, m := range p.members {
		if m.eni.Subnet == subnet {
			n += m.eni.Held()
		}
	}
	return n
}

// subnets lists those of the interfaces that serve pods, sorted.
func (p *pool) subnets() []string {
	set := map[string]bool{}
	for _, m := range p.members {
		if !m.excluded {
			set[m.eni.Subnet] = true
		}
	}
	return sorted(set)
}

// newPool draws up the ledger of a node.
func (s *Snapshot) newPool(n *Node) *pool {
	p := &pool{node: n}
	env := map[string]string{}
	if s.Driver != nil {
		env, p.configured = s.Driver.Env, true
	}
	if n.Agent != nil && hasTargets(n.Agent.Env) {
		env, p.configured = n.Agent.Env, true // what runs, where the rollout of the DaemonSet has not come by yet
	}
	p.settings, p.problems = cni.ParseSettings(env)
	limits, ok := awsnode.LimitsOf(s.Types, n.Type)
	p.limits = limits
	if ok && !limits.Nitro {
		p.settings.PrefixDelegation = false // the CNI falls back to single addresses
	}
	setup := s.setup()
	for i := range s.Interfaces {
		e := &s.Interfaces[i]
		if n.Instance == "" || e.Instance != n.Instance {
			continue
		}
		serves, taken := awsnode.Serves(e)
		if taken {
			p.taken++
		}
		if !serves {
			continue
		}
		m := member{eni: e, primary: e.Device == 0, excluded: setup.Excluded(p.settings, e, s.subnet(e.Subnet))}
		if m.excluded {
			p.excluded++
		}
		p.members = append(p.members, m)
	}
	slices.SortFunc(p.members, func(a, b member) int {
		if d := a.eni.Device - b.eni.Device; d != 0 {
			return d
		}
		return strings.Compare(a.eni.ID, b.eni.ID)
	})
	p.known = ok && n.Read && len(p.members) > 0
	p.count()
	return p
}

func hasTargets(env map[string]string) bool {
	for key := range env {
		if strings.HasPrefix(key, "WARM_") || strings.HasPrefix(key, "ENABLE_PREFIX") {
			return true
		}
	}
	return false
}

func (p *pool) count() {
	used := map[netip.Addr]bool{}
	for _, pod := range p.node.Pods {
		switch a, err := netip.ParseAddr(pod.IP); {
		case pod.Host:
		case err == nil:
			used[a] = true
		default:
			p.needing++
		}
	}
	for n := range p.members {
		m := &p.members[n]
		l := awsnode.Count(m.eni, used, p.prefixes(), m.excluded)
		m.cni, m.slots = l.Interface, l.Slots
		m.room = max(p.limits.Addresses-1-m.slots, 0)
		p.aside += l.Aside
		p.attached += m.cni.Addresses
		p.assigned += m.cni.Assigned
	}
}

// holds counts every address of the node that could be a pod's, those included of the kind that new pods don't get.
func (p *pool) holds() int {
	n := 0
	for _, m := range p.members {
		if !m.excluded {
			n += m.eni.Held() - 1
		}
	}
	return n
}
