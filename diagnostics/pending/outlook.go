package pending

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/cni"
	"github.com/netdiag/netdiag/internal/vpc"
)

// outlook is what a second copy of the pods in question, as in a blue/green rollout, and growth would take out of one subnet.
// Each subnet is reckoned for itself: what another zone has left serves no pod of this one.
type outlook struct {
	subnet *vpc.Subnet
	nodes  int  // of the cluster whose pods have their addresses here
	known  int  // of them, those whose pods and interfaces were read: the others are taken for like ones
	own    int  // pods in question on these nodes
	alone  bool // no two of them are on one node
	// typical is how many pods that need an address are on a node, by its median.
	typical  int
	prefixes bool
	blocks   int // whole /28 at least, where prefixes are delegated
	fill     cni.Growth
	perNode  cni.Growth
	times    []cni.Growth // see growths
	lasts    float64      // the growth at which the subnet has nothing left; 0 where that is not known
	hosts    bool         // with custom networking, the subnet of the nodes themselves: an address for each
}

// growths are the factors of growth that are reckoned.
func growths() []float64 { return []float64{3, 5} }

// outlooks reckons the subnets of the nodes that were read, the shortest first.
func (a *analysis) outlooks() []outlook {
	if a.s.Driver == nil {
		return nil
	}
	in := map[string][]*pool{}
	for n := range a.s.Nodes {
		p := a.pools[a.s.Nodes[n].Name]
		if !p.known || p.settings.IPv6 || len(p.problems) > 0 {
			continue
		}
		for _, id := range p.subnets() {
			in[id] = append(in[id], p)
		}
	}
	var out []outlook
	for _, id := range sortedKeys(in) {
		s := a.s.subnet(id)
		if s == nil {
			continue
		}
		o := a.outlookOf(s, in[id])
		out = append(out, o)
		if host := a.s.subnetAt(in[id][0].node.Address); in[id][0].settings.CustomNetworking && host != nil {
			out = append(out, o.forHosts(host))
		}
	}
	slices.SortStableFunc(out, func(x, y outlook) int { return x.subnet.Available - y.subnet.Available })
	return out
}

func (a *analysis) outlookOf(s *vpc.Subnet, here []*pool) outlook {
	o := outlook{subnet: s, known: len(here), nodes: max(a.nodesIn(s), len(here))}
	var pods []int
	var loads []cni.Load
	holds := cni.Growth{}
	for _, p := range here {
		pods = append(pods, p.assigned+p.needing)
		l := a.load(p, s.ID)
		loads = append(loads, l)
		holds.Addresses += l.Now.Addresses
		holds.Prefixes += l.Now.Prefixes
	}
	slices.Sort(pods)
	like := here[len(here)/2]
	o.typical, o.prefixes = max(pods[len(pods)/2], 1), like.prefixes()
	settings := uncapped(like.settings)
	o.own, o.alone = a.ownIn(s)
	place := like.place()
	o.fill = place.Fill(settings, loads, o.own, most(like))
	o.perNode = place.NodePerPod(settings, o.own, o.typical)
	all := func(part int) int { return (part*o.nodes + o.known - 1) / o.known }
	now := cni.Growth{Addresses: all(holds.Addresses), Prefixes: all(holds.Prefixes)}
	for _, k := range growths() {
		o.times = append(o.times, place.Times(settings, k, o.nodes, o.typical, now))
	}
	one := place.Takes(settings, o.typical)
	switch {
	case o.prefixes:
		o.blocks, _ = a.wholeBlocks(s)
		if one.Prefixes > 0 {
			o.lasts = float64(o.blocks+now.Prefixes) / float64(one.Prefixes*o.nodes)
		}
	case one.Addresses > 0:
		o.lasts = float64(s.Available+now.Addresses) / float64(one.Addresses*o.nodes)
	}
	return o
}

// uncapped are settings under which a node gets what its pods need: a minimum alone is a cap, and has to go anyway.
func uncapped(s cni.Settings) cni.Settings {
	if _, capped := s.HardCap(); capped {
		return s.With(1, s.MinimumIP)
	}
	return s
}

// forHosts is the same for the subnet of the nodes themselves, where custom networking takes their pods elsewhere.
func (o outlook) forHosts(s *vpc.Subnet) outlook {
	nodes := func(g cni.Growth) cni.Growth { return cni.Growth{Nodes: g.Nodes, Addresses: g.Nodes} }
	o.subnet, o.hosts, o.prefixes = s, true, false
	o.fill, o.perNode, o.times = nodes(o.fill), nodes(o.perNode), slices.Clone(o.times)
	for n := range o.times {
		o.times[n] = nodes(o.times[n])
	}
	o.lasts = float64(s.Available+o.nodes) / float64(o.nodes)
	return o
}

// ownIn counts the pods in question whose addresses are of a subnet. alone reports that there are several, each on a node of its
// own: then a second copy needs as many nodes again.
func (a *analysis) ownIn(s *vpc.Subnet) (own int, alone bool) {
	most := 0
	for n := range a.s.Nodes {
		if node := &a.s.Nodes[n]; a.servedBy(node, s) {
			own += node.Own
			most = max(most, node.Own)
		}
	}
	return own, own > 1 && most == 1
}

// servedBy reports a node whose pods get their addresses in a subnet.
func (a *analysis) servedBy(node *Node, s *vpc.Subnet) bool {
	p := a.pools[node.Name]
	if p.known {
		return slices.Contains(p.subnets(), s.ID)
	}
	return !node.Fargate && slices.Contains(a.podSubnets(p), s.ID) || len(p.members) == 0 && !p.settings.CustomNetworking && a.s.subnetAt(node.Address) == s
}

// load is a node as internal/cni reckons with it.
func (a *analysis) load(p *pool, subnet string) cni.Load {
	l := cni.Load{Node: p.place(), Pods: p.assigned + p.needing, Most: most(p)}
	l.Now.Nodes = 1
	for _, m := range p.members {
		if m.eni.Subnet == subnet && !m.excluded {
			l.Now.Addresses += len(m.eni.Addresses)
			l.Now.Prefixes += len(m.eni.Prefixes)
		}
	}
	return l
}

// most is how many pods that need an address a node can take: by max-pods and by its places for addresses.
func most(p *pool) int {
	host := 0
	for _, pod := range p.node.Pods {
		if pod.Host {
			host++
		}
	}
	n := p.place().Slots(p.settings)
	if p.node.MaxPods > 0 {
		n = min(n, p.node.MaxPods-host)
	}
	return max(n, 0)
}

// after is what is left of the subnet after a growth, in addresses or, where prefixes are delegated, in whole /28.
func (o outlook) after(g cni.Growth) int {
	if o.prefixes {
		return o.blocks - g.Prefixes
	}
	return o.subnet.Available - g.Total()
}

// keep is what should be left: for load balancers, upgrades and the rotation of nodes.
func (o outlook) keep() int {
	if o.prefixes {
		return prefixNeed
	}
	return cni.Reserve(vpc.Usable(o.subnet.CIDR))
}

// verdict says what a growth takes, and whether the subnet has it.
func (o outlook) verdict(g cni.Growth) string {
	need := fmt.Sprint(g.Total())
	if o.prefixes {
		need = fmt.Sprintf("%d /28", g.Prefixes)
	}
	switch left := o.after(g); {
	case left < 0:
		return fmt.Sprintf("%s: %d short", need, -left)
	case left < o.keep():
		return fmt.Sprintf("%s: only %d left", need, left)
	}
	return need + ": fits"
}

const outlookTitle = "Room for a second copy of the pods, and for growth"

// outlookTable shows it subnet by subnet.
func (a *analysis) outlookTable() diagnostics.Table {
	t := diagnostics.Table{Title: outlookTitle, Columns: []string{"Subnet", "Zone", "Available", "Pods", "Second copy", "A node per pod", "3 times", "5 times", "Lasts to"}}
	for _, o := range a.outlooks() {
		available := fmt.Sprint(o.subnet.Available)
		if o.prefixes {
			available = fmt.Sprintf("%d /28", o.blocks)
		}
		name := o.subnet.ID
		if o.hosts {
			name += " (nodes only)"
		}
		row := []string{name, o.subnet.Zone, available, fmt.Sprint(o.own), "none to copy", "none to copy"}
		switch {
		case a.s.Unlisted:
			row[3], row[4], row[5] = "not counted", "not reckoned", "not reckoned"
		case o.own > 0:
			row[4], row[5] = o.verdict(o.fill), fmt.Sprintf("%s, %s", plural(o.perNode.Nodes, "node"), o.verdict(o.perNode))
		}
		for _, g := range o.times {
			row = append(row, o.verdict(g))
		}
		lasts := "not known"
		if o.lasts > 0 {
			lasts = fmt.Sprintf("%.1f times", o.lasts)
		}
		t.Rows = append(t.Rows, append(row, lasts))
	}
	return t
}

// tellOutlook is the step in which it is reckoned.
func (a *analysis) tellOutlook(add func(title, read, finding, repeat string)) {
	all := a.outlooks()
	if len(all) == 0 {
		return
	}
	var reads, finds []string
	for _, o := range all[:min(len(all), 4)] {
		from := plural(o.nodes, "node")
		if o.known < o.nodes {
			from += fmt.Sprintf(" (%d read, the others taken for like ones)", o.known)
		}
		read := fmt.Sprintf("%s %s: %s with %d pods each", o.subnet.ID, o.subnet.Zone, from, o.typical)
		if !a.s.Unlisted {
			read += fmt.Sprintf(", %d of %s", o.own, a.scope())
		}
		reads = append(reads, read)
		text := o.subnet.ID + ":"
		switch {
		case o.alone:
			text += fmt.Sprintf(" a second copy, with a node for each pod as now, takes %s,", o.verdict(o.perNode))
		case o.own > 0:
			text += fmt.Sprintf(" a second copy takes %s, with a node for each pod %s,", o.verdict(o.fill), o.verdict(o.perNode))
		}
		if o.lasts > 0 {
			text += fmt.Sprintf(" it lasts to %.1f times the present pods", o.lasts)
		}
		finds = append(finds, strings.TrimSuffix(text, ","))
	}
	add("Reckon a second copy and growth, subnet by subnet", joined(reads), joined(finds), "aws ec2 describe-subnets --subnet-ids "+all[0].subnet.ID)
}

// surge says what a second copy of the pods would meet in a subnet once the nodes there run with other targets; empty where it fits.
func (a *analysis) surge(s *vpc.Subnet, warm, minimum int) string {
	var loads []cni.Load
	var pods []int
	var like *pool
	left := s.Available
	for n := range a.s.Nodes {
		p := a.pools[a.s.Nodes[n].Name]
		if !p.known || !slices.Contains(p.subnets(), s.ID) {
			continue
		}
		like = p
		l := a.load(p, s.ID)
		then := l.Takes(p.settings.With(warm, minimum), l.Pods)
		left += l.Now.Addresses - then.Addresses
		l.Now = then
		loads, pods = append(loads, l), append(pods, l.Pods)
	}
	own, alone := a.ownIn(s)
	if like == nil || own == 0 {
		return ""
	}
	slices.Sort(pods)
	settings, how := like.settings.With(warm, minimum), ""
	g := like.place().Fill(settings, loads, own, most(like))
	if alone {
		g, how = like.place().NodePerPod(settings, own, max(pods[len(pods)/2], 1)), ", with a node for each as now,"
	}
	left = max(left, 0)
	if g.Total() <= left {
		return ""
	}
	return fmt.Sprintf("a second copy of the %s of %s in %s, as a blue/green rollout needs%s takes %d more and would be %d short", plural(own, "pod"), a.scope(), s.Zone, how, g.Total(), g.Total()-left)
}
