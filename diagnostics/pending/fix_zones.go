package pending

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/awsnode"
	"github.com/netdiag/netdiag/internal/vpc"
)

// zoneRoom is how many further pods the nodes of a zone can give an address: what they have ready, and what they could still
// attach as far as their subnets have it.
type zoneRoom struct {
	zone        string
	pods, nodes int
	free        int // addresses available in the subnets of these nodes
}

// otherZones lists the zones other than those of the given pools that have nodes with room, the roomiest first.
func (a *analysis) otherZones(here []*pool) []zoneRoom {
	short := map[string]bool{}
	for _, p := range here {
		short[p.node.Zone] = true
	}
	by, left := map[string]*zoneRoom{}, map[string]int{}
	for n := range a.s.Nodes {
		p := a.pools[a.s.Nodes[n].Name]
		zone := p.node.Zone
		if short[zone] || zone == "" || !p.known || p.node.Ready != "True" || p.node.Cordoned || p.node.Fargate || repels(p.node) || p.needing > 0 {
			continue
		}
		z := by[zone]
		if z == nil {
			z = &zoneRoom{zone: zone}
			by[zone] = z
		}
		growth := 0
		for _, w := range a.places(p) {
			id := w.subnet.ID
			if _, seen := left[id]; !seen {
				left[id] = w.subnet.Available
				z.free += w.subnet.Available
			}
			if left[id] >= w.need {
				growth = max(growth, left[id])
			}
		}
		slots := max(p.place().Slots(p.settings)-p.attached, 0)
		room := min(max(p.free(), 0)+min(growth, slots), p.node.MaxPods-len(p.node.Pods))
		if room <= 0 {
			continue
		}
		for _, id := range p.subnets() {
			left[id] -= min(left[id], room)
		}
		z.pods += room
		z.nodes++
	}
	var out []zoneRoom
	for _, zone := range sortedKeys(by) {
		if by[zone].pods > 0 {
			out = append(out, *by[zone])
		}
	}
	slices.SortStableFunc(out, func(x, y zoneRoom) int { return y.pods - x.pods })
	return out
}

// rebalance sends pods to zones whose nodes have room, where nothing ties them to this one.
func (a *analysis) rebalance(f *diagnostics.Finding) {
	here := a.affected(f)
	if len(here) == 0 {
		return
	}
	zones, needs := a.otherZones(here), len(f.Affects)
	room := 0
	var names, parts []string
	for _, z := range zones {
		room += z.pods
		names = append(names, z.zone)
		parts = append(parts, fmt.Sprintf("%s has room for %s on %s, with %d addresses free in its subnets", z.zone, plural(z.pods, "pod"), plural(z.nodes, "node"), z.free))
	}
	for _, w := range a.pods {
		if !slices.Contains(f.Affects, w.ref()) {
			continue
		}
		if why := pinned(w.pod); why != "" && room > 0 {
			a.refuse("rebalance-zones", "other zones have room for %s, and 0 of these %d can go there: %s", plural(room, "pod"), needs, why)
			return
		}
	}
	switch {
	case room == 0:
		return
	case room < needs:
		a.refuse("rebalance-zones", "the nodes of other zones have room for %s, and %d wait", plural(room, "pod"), needs)
		return
	}
	zone := here[0].node.Zone
	a.offer("rebalance-zones", diagnostics.Fix{Title: "Let the pods spread to " + strings.Join(names, " and "), Frees: room, Needs: needs, Owner: "workload",
		Proof:   fmt.Sprintf("%s; the addresses that %s lacks are not lacking there", strings.Join(parts, "; "), zone),
		Blast:   "pods of the workload are made again, a few at a time; more traffic crosses zones",
		Changes: []string{"topologySpreadConstraints of the workload: maxSkew 1 over topology.kubernetes.io/zone, whenUnsatisfiable ScheduleAnyway", "desired size of the node groups: less in " + zone + ", more in " + strings.Join(names, ", ")},
		Undo:    "the constraints and sizes before", SettlesIn: "5m",
		Commands: []string{fmt.Sprintf("kubectl patch %s -n %s --type merge -p '{\"spec\":{\"template\":{\"spec\":{\"topologySpreadConstraints\":[{\"maxSkew\":1,\"topologyKey\":\"topology.kubernetes.io/zone\",\"whenUnsatisfiable\":\"ScheduleAnyway\",\"labelSelector\":{\"matchLabels\":<labels of the pods>}}]}}}}'", a.workload(f), a.s.Target.Namespace)}}, f)
}

// workload names what makes the pods of a finding, for a command: a ReplicaSet belongs to the Deployment whose name it begins with.
func (a *analysis) workload(f *diagnostics.Finding) string {
	for _, w := range a.pods {
		if !slices.Contains(f.Affects, w.ref()) {
			continue
		}
		kind, name, _ := strings.Cut(owner(w), "/")
		if kind == "ReplicaSet" {
			if at := strings.LastIndexByte(name, '-'); at > 0 {
				return "deployment/" + name[:at]
			}
		}
		return strings.ToLower(kind) + "/" + name
	}
	return "<workload>"
}

// reduceDemand runs fewer pods where addresses are short. On the same node an address that a pod gives up goes to one that
// waits; the subnet gets it back only as far as the targets allow.
func (a *analysis) reduceDemand(f *diagnostics.Finding) {
	here := a.affected(f)
	s := a.s.subnet(f.Subject)
	if len(here) == 0 || s == nil || !here[0].known {
		return
	}
	targets := here[0].settings.WarmIP > 0 || here[0].settings.MinimumIP > 0
	using, nodes, by := 0, 0, map[string]int{}
	for n := range a.s.Nodes {
		p := a.pools[a.s.Nodes[n].Name]
		if !p.known || p.footprint(s.ID) == 0 || !targets && !slices.Contains(here, p) {
			continue
		}
		nodes++
		using += p.assigned
		for _, pod := range p.node.Pods {
			if !pod.Host && pod.IP != "" {
				by[pod.Namespace]++
			}
		}
	}
	needs := len(f.Affects)
	if using < needs {
		a.refuse("reduce-demand", "pods that could give way use %d addresses of subnet %s, and %s missing", using, s.ID, awsnode.AreMissing(needs))
		return
	}
	var parts []string
	for _, ns := range sortedKeys(by) {
		parts = append(parts, fmt.Sprintf("%s %d", ns, by[ns]))
	}
	where, how := "on the nodes where they wait", "an address that a pod gives up is free for another on its node after 30 seconds; to the subnet only whole interfaces come back, when they are empty"
	if targets {
		where, how = "in "+s.Zone, "with address targets each address that is given up beyond them comes back to the subnet"
	}
	a.offer("reduce-demand", diagnostics.Fix{Title: fmt.Sprintf("Run %s fewer %s", plural(needs, "pod"), where), Frees: needs, Needs: needs, Owner: "workload",
		Proof:   fmt.Sprintf("%s on %s use addresses of subnet %s (by namespace: %s), and %s missing; %s", plural(using, "pod"), plural(nodes, "node"), s.ID, strings.Join(parts[:min(len(parts), 6)], ", "), awsnode.AreMissing(needs), how),
		Blast:   "as great as what is scaled down",
		Changes: []string{"replicas of a workload that can do with fewer, a job that is done, or an old version that a rollout has left behind"},
		Undo:    "scale up again", SettlesIn: "2m",
		Commands: []string{"kubectl get pods -A -o wide --field-selector spec.nodeName=" + here[0].node.Name, "kubectl scale deployment -n <namespace> <name> --replicas <fewer>"}}, f)
}

// clusterSubnets is for the subnets of the control plane: EKS asks for at least six free addresses in each, and recommends
// sixteen. It helps no pod.
func (a *analysis) clusterSubnets(f *diagnostics.Finding) {
	const least, better = 6, 16
	if a.s.Cluster == nil {
		return
	}
	var short []*vpc.Subnet
	zones := map[string]bool{}
	for _, id := range a.s.Cluster.Subnets {
		if s := a.s.subnet(id); s != nil {
			zones[s.Zone] = true
			if s.Available < least {
				short = append(short, s)
			}
		}
	}
	issue := ""
	for _, i := range a.s.Cluster.Issues {
		if i.Code == "InsufficientFreeAddresses" || i.Code == "IP_NOT_AVAILABLE" {
			issue = "; the health of the cluster says so: " + shorten(i.Code+": "+i.Message)
		}
	}
	if len(short) == 0 {
		return
	}
	keep := map[string]bool{}
	for _, id := range a.s.Cluster.Subnets {
		if s := a.s.subnet(id); s != nil && s.Available >= least {
			keep[id] = true
		}
	}
	var parts []string
	for _, s := range short {
		with := "a new subnet"
		for n := range a.s.Subnets {
			if o := &a.s.Subnets[n]; o.Zone == s.Zone && o.Available >= better && !keep[o.ID] && with == "a new subnet" {
				with = o.ID
			}
		}
		if with == "a new subnet" {
			keep["<new subnet in "+s.Zone+">"] = true
		} else {
			keep[with] = true
		}
		parts = append(parts, fmt.Sprintf("%s (%s) has %d", s.ID, s.Zone, s.Available))
	}
	a.offer("cluster-subnets", diagnostics.Fix{Title: "Give the control plane subnets with room before the next upgrade",
		Proof:   fmt.Sprintf("EKS needs %d free addresses in each subnet of a cluster for an upgrade, better %d; %s%s; no pod gets an address by it", least, better, strings.Join(parts, ", "), issue),
		Blast:   "EKS moves its interfaces; the API server stays reachable; the zones must stay the same and at least two",
		Changes: []string{"subnets of cluster " + a.s.Cluster.Name + " → " + strings.Join(sorted(keep), ", ")}, Undo: "the subnets before", SettlesIn: "3h",
		Commands: []string{fmt.Sprintf("aws eks update-cluster-config --name %s --resources-vpc-config subnetIds=%s", a.s.Cluster.Name, strings.Join(sorted(keep), ","))}}, f)
}
