package pending

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/awsnode"
	"github.com/netdiag/netdiag/internal/cni"
	"github.com/netdiag/netdiag/internal/vpc"
)

// fixENIConfig gives the node an ENIConfig with a subnet of its own zone.
func (a *analysis) fixENIConfig(f *diagnostics.Finding) {
	p := a.pools[f.Subject]
	if p == nil {
		return
	}
	name, zone := p.eniConfigName(), p.node.Zone
	s := a.podSubnet(zone, len(f.Affects))
	subnet, room := "<subnet of "+zone+">", fmt.Sprintf("no subnet of %s that is meant for pods has room for %s: it has to be made", zone, plural(len(f.Affects), "pod"))
	if s != nil {
		subnet, room = s.ID, fmt.Sprintf("subnet %s of %s has %d free addresses for %s", s.ID, zone, s.Available, plural(len(f.Affects), "pod"))
	}
	verb := "Create"
	if _, there := a.s.ENIConfigs[name]; there {
		verb = "Correct"
	}
	title := fmt.Sprintf("%s ENIConfig %q with a subnet of %s", verb, name, zone)
	blast := "only nodes that go by this ENIConfig; interfaces that are there stay as they are"
	if name == "default" && len(a.zones()) > 1 {
		// One ENIConfig for all can't serve several zones.
		blast += fmt.Sprintf("; the nodes are in %d zones, so that each needs an ENIConfig by the name of its zone and ENI_CONFIG_LABEL_DEF=topology.kubernetes.io/zone", len(a.zones()))
	}
	a.offer("custom-networking", diagnostics.Fix{Title: title, Needs: len(f.Affects), Frees: available(s), Proof: f.Summary + "; " + room, Blast: blast, Owner: "none",
		Changes: []string{fmt.Sprintf("ENIConfig %s: subnet %s → %s", name, orNone(a.s.ENIConfigs[name]), subnet)},
		Undo:    fmt.Sprintf("set ENIConfig %s back to subnet %s, or delete it where it was new", name, orNone(a.s.ENIConfigs[name])), SettlesIn: "3m",
		Commands: []string{fmt.Sprintf("kubectl apply -f - <<EOF\napiVersion: crd.k8s.amazonaws.com/v1alpha1\nkind: ENIConfig\nmetadata: {name: %s}\nspec: {subnet: %s, securityGroups: [<security group of the pods>]}\nEOF", name, subnet)}}, f)
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func available(s *vpc.Subnet) int {
	if s == nil {
		return 0
	}
	return s.Available
}

func (a *analysis) zones() []string {
	zones := map[string]bool{}
	for n := range a.s.Nodes {
		if z := a.s.Nodes[n].Zone; z != "" {
			zones[z] = true
		}
	}
	return sorted(zones)
}

// podSubnet finds a subnet of the zone that is meant for pods and has room: one that another ENIConfig names, that carries the
// tag of the CNI, or in which no node is; the one with the most free addresses.
func (a *analysis) podSubnet(zone string, need int) *vpc.Subnet {
	var named []string
	for _, id := range a.s.ENIConfigs {
		named = append(named, id)
	}
	nodes := map[string]bool{}
	for n := range a.s.Nodes {
		if s := a.s.subnetAt(a.s.Nodes[n].Address); s != nil {
			nodes[s.ID] = true
		}
	}
	var best *vpc.Subnet
	for n := range a.s.Subnets {
		s := &a.s.Subnets[n]
		public := s.Tags["kubernetes.io/role/elb"] != ""
		if s.Zone != zone || s.Available < need || public || !slices.Contains(named, s.ID) && !a.s.setup().Discovered(*s) && nodes[s.ID] {
			continue
		}
		if best == nil || s.Available > best.Available {
			best = s
		}
	}
	return best
}

// fixDiscovery opens the CNI a subnet that it may use, or updates one that doesn't find it.
func (a *analysis) fixDiscovery(f *diagnostics.Finding) {
	s := a.s.subnet(f.Subject)
	if s == nil || !a.s.setup().Untagged(s) {
		o := a.s.setup().Owned()
		a.offer("fix-workload", diagnostics.Fix{Title: "Update vpc-cni to v1.18.3 or later", Needs: len(f.Affects), Owner: o.Owner, Proof: f.Summary, Undo: "the version before", SettlesIn: awsnode.Rollout(a.s.Driver.Desired),
			Commands: []string{fmt.Sprintf("aws eks update-addon --cluster-name %s --addon-name vpc-cni --addon-version <v1.18.3 or later>", a.s.Target.Cluster)}}, f)
		a.refuse("add-pod-subnet", "a subnet with free addresses is there already, and vpc-cni %s does not use it: %s", a.s.Driver.Version, f.Summary)
		return
	}
	if o := a.podSubnet(s.Zone, len(f.Affects)); o != nil && o.ID != s.ID {
		fix := diagnostics.Fix{Title: "Let the CNI use subnet " + o.ID + " for pods", Frees: o.Available, Needs: len(f.Affects),
			Proof:   fmt.Sprintf("subnet %s of %s has %d free addresses for %s; %s keeps the CNI out of the node's own subnet %s", o.ID, o.Zone, o.Available, plural(len(f.Affects), "pod"), awsnode.TagCNI+"=0", s.ID),
			Blast:   awsnode.ForPods,
			Changes: []string{"subnet " + o.ID + ": tag " + awsnode.TagCNI + " → 1"}, SettlesIn: "3m"}
		a.offer("add-pod-subnet", a.ground(cni.Settings{}).Tag(fix, o, s, new("1")), f)
	} else {
		a.fixAddSubnet(f)
	}
	if s.Available >= len(f.Affects) {
		fix := diagnostics.Fix{Title: "Let the CNI use subnet " + s.ID + " again", Frees: s.Available, Needs: len(f.Affects),
			Proof: fmt.Sprintf("subnet %s has %d free addresses; only the tag %s=0 keeps the CNI out of it", s.ID, s.Available, awsnode.TagCNI), Blast: "pods and nodes share the subnet again",
			Changes: []string{"subnet " + s.ID + ": tag " + awsnode.TagCNI + "=0 taken away"}, SettlesIn: "3m"}
		a.offer("add-pod-subnet", a.ground(cni.Settings{}).Tag(fix, s, s, nil), f)
	}
}

// customNetworking moves pods of new nodes to subnets of their own: a matter of design, not of today.
func (a *analysis) customNetworking(f *diagnostics.Finding) {
	s := a.s.subnet(f.Subject)
	if s == nil || a.s.Driver == nil {
		return
	}
	here := a.affected(f)
	if len(here) == 0 || !here[0].known || here[0].settings.CustomNetworking || here[0].settings.IPv6 {
		return
	}
	p := here[0]
	custom := p.settings
	custom.CustomNetworking = true
	block, unused := a.freeBlock()
	before, after := cni.MaxPods(p.limits, p.settings), cni.MaxPods(p.limits, custom)
	fix := diagnostics.Fix{Title: "For the long run: custom networking, pods in subnets of their own", Frees: vpc.Usable(block), Needs: len(f.Affects),
		Proof: fmt.Sprintf("%s gives %d addresses for pods in %s; it helps nothing today, since only new nodes use it, and each carries one interface less: max-pods of %s falls from %d to %d", block, vpc.Usable(block), s.Zone, p.node.Type, before, after),
		Blast: "all new nodes; one without an ENIConfig for its zone never gets ready", Undo: "AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG=false, and new nodes again", SettlesIn: "1h",
	}
	if !unused {
		fix.Commands = append(fix.Commands, fmt.Sprintf("aws ec2 associate-vpc-cidr-block --vpc-id %s --cidr-block 100.64.0.0/16", s.VPC))
	}
	fix.Commands = append(fix.Commands, fmt.Sprintf("aws ec2 create-subnet --vpc-id %s --availability-zone %s --cidr-block %s", s.VPC, s.Zone, block))
	for _, zone := range a.zones() {
		fix.Changes = append(fix.Changes, fmt.Sprintf("a new ENIConfig %s with a subnet for pods of that zone", zone))
	}
	fix = a.s.setup().Change(fix, true, awsnode.Setting{Name: "AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG", Value: "true"}, awsnode.Setting{Name: "ENI_CONFIG_LABEL_DEF", Value: "topology.kubernetes.io/zone"})
	fix.Action, fix.Executable = nil, false
	fix.SettlesIn = "1h"
	fix.Commands = append(fix.Commands, "# then replace the nodes, with max-pods "+fmt.Sprint(after)+": "+strings.Join(a.zones(), ", "))
	a.offer("custom-networking", fix, f)
}
