package ip

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/cni"
	"github.com/netdiag/netdiag/internal/vpc"
)

const (
	// Low is the share of a subnet's addresses, in percent, below which it is short.
	Low = 20
	// surge is how many further nodes a subnet should have room for: an update of a managed node group starts up to twice as many as
	// there are zones, two in each (docs.aws.amazon.com/eks/latest/userguide/managed-node-update-behavior.html).
	surge = 2
	// lately is how long ago a complaint of the CNI still counts.
	lately = 15 * time.Minute
	// tableRows is how many rows a table has at most.
	tableRows = 40
	// mostAffected is how many nodes a finding lists.
	mostAffected = 20
)

// analysis is a snapshot being judged.
type analysis struct {
	s        *Snapshot
	settings cni.Settings
	rooms    []room // that are asked about
	all      []room
	res      diagnostics.Result
}

// room is what a subnet has left.
type room struct {
	*Subnet
	usable   int
	free     int // addresses that pods can have: with prefix delegation those inside prefix reservations too
	prefixes bool
	blocks   int // whole /28 that are free at most, where prefixes are delegated
	need     cni.Growth
	// beside lists subnets of the zone in which the CNI may make further interfaces of the nodes here; more and moreBlocks are what
	// these have free, addresses and whole /28.
	beside           []string
	more, moreBlocks int
	trend            vpc.Trend
	known            bool // the trend is
}

func analyze(s Snapshot) diagnostics.Result {
	a := &analysis{s: &s}
	if s.Driver != nil {
		a.settings, _ = cni.ParseSettings(s.Driver.Env)
	}
	a.reckon()
	for _, r := range a.rooms {
		a.low(r)
		a.surge(r)
		a.prefixes(r)
	}
	a.slots()
	a.agent()
	a.fixes()
	a.gaps()
	a.passed()
	a.summarize()
	a.tables()
	a.steps()
	return a.res
}

// reckon works out what is left of each subnet that is asked about.
func (a *analysis) reckon() {
	for n := range a.s.Subnets {
		s := &a.s.Subnets[n]
		r := room{Subnet: s, usable: vpc.Usable(s.CIDR), free: s.Available, prefixes: a.settings.PrefixDelegation && !s.Hosts}
		if r.prefixes {
			r.free += s.Reserved
			r.blocks = s.Blocks.Free + s.Blocks.Reserved
		}
		r.need = cni.Growth{Nodes: surge, Addresses: surge * s.Typical.Addresses, Prefixes: surge * s.Typical.Prefixes}
		r.trend, r.known = vpc.NewTrend(append(slices.Clone(s.Past), vpc.Sample{At: a.s.At, Available: s.Available}), a.s.At)
		a.all = append(a.all, r)
	}
	a.besides()
	for _, r := range a.all {
		if t := a.s.Target.Name; t == "" || t == r.ID || t == r.Zone {
			a.rooms = append(a.rooms, r)
		}
	}
	slices.SortStableFunc(a.rooms, func(x, y room) int { return cmp.Compare(x.share(), y.share()) })
}

// share is what is free of the subnet, in percent, rounded down.
func (r room) share() int {
	if r.usable == 0 {
		return 100
	}
	return 100 * r.free / r.usable
}

func (r room) name() string { return "subnet " + r.ID + " in " + r.Zone }

// besides adds to each subnet those of its zone that a tag gives to pods: the first interface of a node stays where it is, and the
// CNI makes the others where there is room.
func (a *analysis) besides() {
	setup := a.s.setup()
	if a.s.Driver == nil || a.settings.CustomNetworking || !a.settings.SubnetDiscovery || !setup.Since(18, 3) {
		return
	}
	for n := range a.all {
		r := &a.all[n]
		for _, o := range a.all {
			if o.ID != r.ID && o.Zone == r.Zone && o.free > 0 && setup.Discovered(o.Subnet.Subnet) {
				r.beside = append(r.beside, o.ID)
				r.more, r.moreBlocks = r.more+o.free, r.moreBlocks+o.blocks
			}
		}
	}
}

// want is what one surge takes, and have what there is of it: whole /28 where prefixes are delegated, else addresses. Without an
// address here for each of its nodes, nothing beside helps.
func (r room) want() (want, have int) {
	switch {
	case r.prefixes:
		return r.need.Prefixes, r.blocks + r.moreBlocks
	case r.free < surge:
		return r.need.Total(), r.free
	}
	return r.need.Total(), r.free + r.more
}

// asideBlocks says what whole /28 subnets beside have; empty where there are none.
func (r room) asideBlocks() string {
	if len(r.beside) == 0 {
		return ""
	}
	return fmt.Sprintf(", and %s beside it %d", strings.Join(r.beside, ", "), r.moreBlocks)
}

// aside says what subnets beside have; empty where there are none.
func (r room) aside() string {
	if len(r.beside) == 0 {
		return ""
	}
	return fmt.Sprintf(", and %s beside it %d", strings.Join(r.beside, ", "), r.more)
}

func (a *analysis) find(id, subject string, weight int, affects []string, evidence []diagnostics.Evidence, summary string, args ...any) {
	a.res.Findings = append(a.res.Findings, diagnostics.Finding{
		ID: "ip/" + id, Subject: subject, Confidence: diagnostics.Confirmed, Weight: weight, Affects: affects, Evidence: evidence, Summary: fmt.Sprintf(summary, args...),
	})
}

// low reports less than Low percent of the addresses free.
func (r room) low() bool { return r.usable > 0 && 100*r.free < Low*r.usable }

// low finds a subnet with less than Low percent of its addresses free.
func (a *analysis) low(r room) {
	if !r.low() {
		return
	}
	a.find("subnet-low", r.ID, 100-r.share(), nil, []diagnostics.Evidence{r.evidence(), r.trendEvidence()},
		"%s has %d of %d addresses free, %d %%: less than %d %%", r.name(), r.free, r.usable, r.share(), Low)
}

// surges reports less room than two further nodes like those there would take.
func (r room) surges() bool {
	want, have := r.want()
	return !r.prefixes && r.Read && r.Subnet.Nodes > 0 && have < want
}

// surge finds a subnet with less room than two further nodes like those there would take.
func (a *analysis) surge(r room) {
	want, have := r.want()
	if !r.surges() {
		return
	}
	a.find("surge-short", r.ID, 60, nil, []diagnostics.Evidence{r.evidence(), r.typicalEvidence()},
		"%s has %d addresses free%s, and %d further nodes like %s take %d: %d are missing for one surge", r.name(), r.free, r.aside(), surge, r.those(), want, want-have)
}

// fewPrefixes reports that whole /28 run out while the CNI asks for nothing else.
func (r room) fewPrefixes() bool {
	clean := vpc.CleanPrefixes(r.CIDR)
	want, have := r.want()
	return r.prefixes && r.Read && r.Subnet.Nodes > 0 && clean > 0 && (have < want || 100*have < Low*clean)
}

// prefixes finds a subnet that runs out of whole /28 while the CNI asks for nothing else.
func (a *analysis) prefixes(r room) {
	clean := vpc.CleanPrefixes(r.CIDR)
	want, have := r.want()
	if !r.fewPrefixes() {
		return
	}
	why := fmt.Sprintf("%d further nodes like %s take %d", surge, r.those(), want)
	if have >= want {
		why = fmt.Sprintf("less than %d %% of the %d that it had when it was empty", Low, clean)
	}
	a.find("prefixes-low", r.ID, 70, nil, []diagnostics.Evidence{r.blockEvidence(), r.typicalEvidence()},
		"%s has at most %d whole /28 free, although %d addresses are%s: %s", r.name(), r.blocks, r.free, r.asideBlocks(), why)
}

// slots finds nodes that have no address for a further pod and can get none, whatever the subnets have.
func (a *analysis) slots() {
	byZone := map[string][]Node{}
	for _, n := range a.s.Full {
		if t := a.s.Target.Name; n.Used < n.Attached || t != "" && t != n.Zone && !slices.ContainsFunc(a.rooms, func(r room) bool { return r.ID == t && r.Zone == n.Zone }) {
			continue
		}
		byZone[n.Zone] = append(byZone[n.Zone], n)
	}
	for zone, nodes := range byZone {
		var names []string
		var evidence []diagnostics.Evidence
		for _, n := range nodes {
			if len(names) < mostAffected {
				names = append(names, "node/"+n.Name)
			}
			if len(evidence) < 3 {
				evidence = append(evidence, diagnostics.Evidence{What: "pod addresses of node " + n.Name + " (" + n.Type + ")",
					Value:  n.inUse() + fmt.Sprintf(", and no place for more; %d of %d pods", n.Pods, n.MaxPods),
					Source: "ec2:DescribeNetworkInterfaces, list pods", Repeat: "kubectl get pods -A --field-selector spec.nodeName=" + n.Name})
			}
		}
		a.find("slots-full", "nodes in "+zone, 40, names, evidence,
			"in %s %s at the limit of interfaces and addresses: a further pod there gets none, whatever the subnets have", zone, areMany(len(nodes), "node"))
	}
}

// agent finds that the CNI itself complains.
func (a *analysis) agent() {
	var says []string
	var evidence []diagnostics.Evidence
	var affects []string
	for _, e := range a.s.Events {
		if !slices.Contains(says, e.Reason) {
			says = append(says, e.Reason)
		}
		if len(evidence) < 6 {
			evidence = append(evidence, diagnostics.Evidence{What: e.Reason + " of " + e.Object + " (last " + e.At.UTC().Format("15:04:05") + ")", Value: shorten(e.Message), Source: "list events",
				Repeat: "kubectl get events -n " + e.Namespace + " --field-selector reason=" + e.Reason})
		}
	}
	for _, n := range a.s.Ill {
		if !slices.Contains(says, n.Reason) {
			says = append(says, n.Reason)
		}
		if len(affects) < mostAffected {
			affects = append(affects, "node/"+n.Node)
		}
		if len(evidence) < 8 {
			evidence = append(evidence, diagnostics.Evidence{What: "condition NetworkingReady of node " + n.Node, Value: "False, " + n.Reason, Source: "list nodes", Repeat: "kubectl get node " + n.Node + " -o yaml"})
		}
	}
	if len(says) == 0 {
		return
	}
	slices.Sort(says)
	a.find("agent-errors", "daemonset/aws-node", 80, affects, evidence, "the CNI says that it cannot serve pods: %s", strings.Join(says, ", "))
}

// those names the nodes of a subnet.
func (r room) those() string {
	if r.Subnet.Nodes == 1 {
		return "the one there"
	}
	return fmt.Sprintf("the %d there", r.Subnet.Nodes)
}

// inUse says how many of its addresses a node has in use, and how many pods have none.
func (n Node) inUse() string {
	text := fmt.Sprintf("%d of %d in use", min(n.Used, n.Attached), n.Attached)
	if n.Used > n.Attached {
		text += fmt.Sprintf(", %s without", plural(n.Used-n.Attached, "pod"))
	}
	return text
}

func plural(n int, one string) string {
	switch {
	case n == 1:
		return "1 " + one
	case strings.HasSuffix(one, "s"):
		return fmt.Sprintf("%d %ses", n, one)
	}
	return fmt.Sprintf("%d %ss", n, one)
}

func areMany(n int, one string) string {
	if n == 1 {
		return "1 " + one + " is"
	}
	return fmt.Sprintf("%d %ss are", n, one)
}

// shorten cuts a text of the cluster to what a line bears.
func shorten(s string) string {
	const most = 300
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}
