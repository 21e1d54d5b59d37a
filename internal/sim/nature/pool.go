package nature

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/netdiag/netdiag/internal/cni"
	"github.com/netdiag/netdiag/internal/vpc"
)

// pool is what the CNI of a node holds for its pods.
type pool struct {
	settings cni.Settings
	limits   cni.Limits
	maxPods  int
	members  []member // the interfaces that it manages, the primary one first
	taken    int      // interfaces that it can't use: trunk, EFA only, marked no_manage
	// reserved counts the free /28 of reservations by subnet; they serve prefixes only, and aren't available otherwise.
	reserved map[string]int
	further  []string // subnets that are tagged for pods, the one with most addresses first
}

// member is one interface.
type member struct {
	eni  vpc.NetworkInterface
	cni  cni.Interface
	busy []int        // addresses in use of each of its prefixes
	free []netip.Addr // that a pod can have at once, the lowest first
	room int          // slots that are left on it; a prefix takes one
}

// newPool draws up the pool of a node from its interfaces and from the addresses that pods use.
func newPool(s cni.Settings, l cni.Limits, maxPods int, enis []vpc.NetworkInterface, used map[netip.Addr]bool) *pool {
	p := &pool{settings: s, limits: l, maxPods: cmp.Or(maxPods, cni.MaxPods(l, s))}
	for _, e := range enis {
		switch {
		case e.Type == "branch" || e.Card != 0:
		case e.Type == "trunk" || e.Type == "efa-only" || e.Tags["node.k8s.amazonaws.com/no_manage"] == "true":
			p.taken++
		default:
			p.members = append(p.members, p.member(e, used))
		}
	}
	slices.SortFunc(p.members, func(a, b member) int { return cmp.Or(a.eni.Device-b.eni.Device, cmp.Compare(a.eni.ID, b.eni.ID)) })
	return p
}

// prefixes reports that pods get their addresses from delegated prefixes; a type that isn't Nitro falls back to single ones.
func (p *pool) prefixes() bool { return p.settings.PrefixDelegation && p.limits.Nitro }

func (p *pool) member(e vpc.NetworkInterface, used map[netip.Addr]bool) member {
	m := member{eni: e, cni: cni.Interface{ID: e.ID, Primary: e.Device == 0}}
	slots, serves := len(e.Prefixes), e.Device != 0 || !p.settings.CustomNetworking
	for _, prefix := range e.Prefixes {
		busy := 0
		for a := prefix.Masked().Addr(); prefix.Contains(a); a = a.Next() {
			if used[a] {
				busy++
			} else if serves && p.prefixes() {
				m.free = append(m.free, a)
			}
		}
		m.busy = append(m.busy, busy)
		if !p.prefixes() { // prefixes from before go on serving the pods that have them, and no new ones
			m.cni.Kept = m.cni.Kept || busy > 0
			continue
		}
		m.cni.Prefixes = append(m.cni.Prefixes, busy)
		m.cni.Addresses += cni.PrefixSize
		m.cni.Assigned += busy
	}
	for _, a := range e.Addresses {
		if a == e.Primary {
			continue
		}
		slots++
		if p.prefixes() { // single addresses from before go on serving the pods that have them, and no new ones
			m.cni.Kept = m.cni.Kept || used[a]
			continue
		}
		m.cni.Addresses++
		if used[a] {
			m.cni.Assigned++
		} else if serves {
			m.free = append(m.free, a)
		}
	}
	if serves {
		m.room = max(p.limits.Addresses-1-slots, 0)
	}
	slices.SortFunc(m.free, netip.Addr.Compare)
	return m
}

func (p *pool) totals() (total, assigned int) {
	for _, m := range p.members {
		total, assigned = total+m.cni.Addresses, assigned+m.cni.Assigned
	}
	return total, assigned
}

// interfaces is how many the CNI may have on this node.
func (p *pool) interfaces() int {
	most := p.limits.Interfaces
	if p.settings.MaxENI > 0 {
		most = min(most, p.settings.MaxENI)
	}
	return most - p.taken
}

// growth is one step by which a pool grows.
type growth struct {
	eni      string // the interface that gets more; empty for a new one
	subnet   string // where they come from
	count    int    // single addresses, besides the primary one of a new interface
	prefixes int
}

// footprint is how many addresses the step takes out of the subnet.
func (g growth) footprint() int {
	n := g.count + cni.PrefixSize*g.prefixes
	if g.eni == "" {
		n++
	}
	return n
}

// grow says what the CNI would do next for want of addresses, with what the subnets have available; nil for nothing.
func (p *pool) grow(available map[string]int) *growth {
	total, assigned := p.totals()
	short, _ := p.settings.Target(p.limits, total, assigned)
	if short == 0 || total >= p.maxPods || len(p.members) == 0 {
		return nil
	}
	for _, m := range p.members {
		if g := p.step(short, m.room, p.reach(m.eni.Subnet, available)); g != nil {
			g.eni, g.subnet = m.eni.ID, m.eni.Subnet
			return g
		}
	}
	from := p.model()
	if from == nil || len(p.members) >= p.interfaces() {
		return nil
	}
	for _, subnet := range append([]string{from.Subnet}, p.further...) {
		if g := p.step(short, p.limits.Addresses-1, available[subnet]-1); g != nil {
			g.subnet = subnet
			return g
		}
	}
	return nil
}

// reach is how many addresses a subnet has for an interface that is there.
func (p *pool) reach(subnet string, available map[string]int) int {
	if p.prefixes() {
		return available[subnet]/cni.PrefixSize*cni.PrefixSize + cni.PrefixSize*p.reserved[subnet]
	}
	return available[subnet]
}

// rests reports that the pool wants no more, or can't have more however much the subnets have.
func (p *pool) rests() bool {
	total, assigned := p.totals()
	if short, _ := p.settings.Target(p.limits, total, assigned); short == 0 || total >= p.maxPods {
		return true
	}
	full := !slices.ContainsFunc(p.members, func(m member) bool { return m.room > 0 })
	return full && (p.model() == nil || len(p.members) >= p.interfaces())
}

// model is the interface whose subnet and groups a further one gets: the primary one, or with custom networking one of
// the others, which have those of an ENIConfig. Nil where there is none.
func (p *pool) model() *vpc.NetworkInterface {
	for i := range p.members {
		if m := &p.members[i]; !p.settings.CustomNetworking || !m.cni.Primary {
			return &m.eni
		}
	}
	return nil
}

// step is how much of what is missing one interface with this room can take; nil for nothing.
func (p *pool) step(short, room, available int) *growth {
	if p.prefixes() {
		if n := min((short+cni.PrefixSize-1)/cni.PrefixSize, room, available/cni.PrefixSize); n > 0 {
			return &growth{prefixes: n}
		}
		return nil
	}
	n := min(room, available) // without targets, interfaces are filled whole
	if p.settings.WarmIP > 0 || p.settings.MinimumIP > 0 {
		n = min(n, short)
	}
	if n > 0 {
		return &growth{count: n}
	}
	return nil
}

// release is what one interface gives back.
type release struct {
	eni       vpc.NetworkInterface
	addresses []netip.Addr
	prefixes  []netip.Prefix
	deleted   bool // the whole interface goes
}

// releases says what the CNI gives back of what is above its targets: nothing that a pod uses.
func (p *pool) releases() []release {
	pool := make([]cni.Interface, len(p.members))
	for i, m := range p.members {
		pool[i] = m.cni
	}
	var out []release
	for i, forecast := range cni.Releases(p.limits, p.settings, pool) {
		m := p.members[i]
		r, left := release{eni: m.eni, deleted: forecast.Deleted}, forecast.Addresses
		for j, prefix := range m.eni.Prefixes {
			switch {
			case m.busy[j] > 0:
			case !p.prefixes(): // all that are empty go when prefixes are switched off
				r.prefixes = append(r.prefixes, prefix)
			case left >= cni.PrefixSize:
				r.prefixes = append(r.prefixes, prefix)
				left -= cni.PrefixSize
			}
		}
		for j := len(m.free) - 1; j >= 0 && left > 0; j-- { // the highest go first
			if !slices.ContainsFunc(m.eni.Prefixes, func(x netip.Prefix) bool { return x.Contains(m.free[j]) }) {
				r.addresses = append(r.addresses, m.free[j])
				left--
			}
		}
		if len(r.addresses)+len(r.prefixes) > 0 || r.deleted {
			out = append(out, r)
		}
	}
	return out
}

// take hands out a free address; ok is false where there is none.
func (p *pool) take() (a netip.Addr, ok bool) {
	for i := range p.members {
		m := &p.members[i]
		if len(m.free) == 0 {
			continue
		}
		a, m.free = m.free[0], m.free[1:]
		m.cni.Assigned++
		for j, prefix := range m.eni.Prefixes {
			if prefix.Contains(a) {
				m.busy[j]++
				m.cni.Prefixes[j]++
			}
		}
		return a, true
	}
	return netip.Addr{}, false
}
