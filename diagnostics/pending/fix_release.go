package pending

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/awsnode"
	"github.com/netdiag/netdiag/internal/remedy"
	"github.com/netdiag/netdiag/internal/vpc"
)

// withoutPrefixes works out whether single addresses would serve the waiting pods.
type prefixesOff struct {
	fix          diagnostics.Fix
	helps, early bool
}

func (a *analysis) withoutPrefixes(f *diagnostics.Finding) (out prefixesOff) {
	s := a.s.subnet(f.Subject)
	if s == nil || a.s.Driver == nil {
		return out
	}
	needs, growth, prefixes := 0, 0, 0
	for n := range a.s.Nodes {
		p := a.pools[a.s.Nodes[n].Name]
		if !p.known || p.footprint(f.Subject) == 0 {
			continue
		}
		for _, m := range p.members {
			prefixes += len(m.eni.Prefixes)
		}
		needs += p.needing
		if p.needing > 0 {
			growth += p.needing
			if p.room() < p.needing {
				growth++ // a further interface
			}
		}
	}
	out.helps = needs > 0 && s.Available >= growth
	// Where no node holds a prefix yet, nothing has to be given up.
	out.early = out.helps && prefixes == 0
	proof := fmt.Sprintf("subnet %s has %d free addresses, %s: single addresses serve them, prefixes of 16 don't", s.ID, s.Available, awsnode.AreMissing(needs)+" missing")
	if prefixes == 0 {
		proof += "; no node holds a prefix yet, so that none has to be given up"
	} else {
		proof += fmt.Sprintf("; the %d prefixes in use stay until their pods are gone", prefixes)
	}
	set := []awsnode.Setting{{Name: "ENABLE_PREFIX_DELEGATION", Value: "false"}}
	if s.Available < 2*growth+len(a.s.Nodes)*8 {
		// Whole warm interfaces would take more than there is.
		set = append(set, awsnode.Setting{Name: "WARM_IP_TARGET", Value: "2"}, awsnode.Setting{Name: "MINIMUM_IP_TARGET", Value: "4"})
	}
	out.fix = a.s.setup().Change(diagnostics.Fix{Title: "Switch prefix delegation off again", Frees: s.Available, Needs: needs, Proof: proof}, true, set...)
	return out
}

// fixLeaked deletes interfaces that are proved to be leaked.
func (a *analysis) fixLeaked(f *diagnostics.Finding) {
	l, ok := a.ledgers[f.Subject]
	if !ok {
		return
	}
	h, doubtful := l.Of(vpc.Leaked), l.Of(vpc.Unattached)
	if h.Addresses == 0 {
		if doubtful.Addresses > 0 {
			a.refuse("delete-leaked-enis", "%s with %s in subnet %s: none is proved to be leaked, being young, or made for an instance that may still need it", plural(doubtful.Interfaces, "unattached interface"), plural(doubtful.Addresses, "address"), f.Subject)
		}
		return
	}
	needs := len(f.Affects)
	chosen := h.IDs[:min(len(h.IDs), remedy.MaxInterfaces)]
	frees, title := h.Addresses, fmt.Sprintf("Delete %s of instances that are gone", plural(h.Interfaces, "leaked interface"))
	fix := diagnostics.Fix{Needs: needs,
		Proof: fmt.Sprintf("%s hold %d addresses in subnet %s, and %s missing there; each is unattached, made by this cluster's CNI over an hour ago, for an instance that is gone", plural(h.Interfaces, "interface"), h.Addresses, f.Subject, awsnode.AreMissing(needs)),
		Blast: "only these interfaces; a wrong one is an outage for whoever attaches it later", Undo: "none: a deleted interface can't be brought back", SettlesIn: "5m"}
	if more := len(h.IDs) - len(chosen); more > 0 {
		frees, title = a.heldBy(chosen), fmt.Sprintf("Delete %d of %d leaked interfaces of instances that are gone", len(chosen), len(h.IDs))
		fix.Proof += fmt.Sprintf("; these %d free %d, and the other %d can go afterwards", len(chosen), frees, more)
	}
	fix.Title, fix.Frees = title, frees
	for n := 0; n < len(chosen); n += 5 {
		fix.Changes = append(fix.Changes, "delete "+strings.Join(chosen[n:min(n+5, len(chosen))], ", "))
	}
	fix.Commands = []string{fmt.Sprintf("for eni in %s; do aws ec2 delete-network-interface --network-interface-id $eni; done", strings.Join(chosen, " "))}
	if why, e := a.noCleanup(); why != "" {
		fix.Changes = append(fix.Changes, fmt.Sprintf("afterwards, so that the CNI cleans up itself, since %s: %s is %s", why, e.What, e.Value))
	}
	fix.Action = &remedy.Action{DeleteInterfaces: &remedy.DeleteInterfaces{Cluster: a.s.Target.Cluster, Interfaces: chosen}}
	a.offer("delete-leaked-enis", a.executable(fix), f)
}

// heldBy counts the addresses that these interfaces hold.
func (a *analysis) heldBy(ids []string) (n int) {
	for _, i := range a.s.Interfaces {
		if slices.Contains(ids, i.ID) {
			n += i.Held()
		}
	}
	return n
}

// executable marks a fix that has an action which can be carried out; one whose names aren't those of AWS stays a text.
func (a *analysis) executable(f diagnostics.Fix) diagnostics.Fix {
	if f.Action != nil && f.Action.Validate() != nil {
		f.Action = nil
	}
	f.Executable = f.Action != nil
	return f
}

// reserveNew keeps a subnet that is to be made for prefixes to them alone: while it is empty a reservation holds whole blocks.
func (a *analysis) reserveNew(f *diagnostics.Finding) {
	made := slices.ContainsFunc(a.res.Fixes, func(o diagnostics.Fix) bool {
		return o.ID == "pending/add-pod-subnet" && slices.Contains(o.Resolves, f.Key())
	})
	if !made {
		return
	}
	block, _ := a.freeBlock()
	a.offer("reserve-prefix-range", diagnostics.Fix{Title: "Reserve the new subnet for prefixes, while it is empty", Frees: 16 * vpc.CleanPrefixes(block), Needs: len(f.Affects),
		Proof: fmt.Sprintf("%s has %d whole /28 blocks while nothing is in it; a reservation of type prefix keeps single addresses out of them", block, vpc.CleanPrefixes(block)),
		Blast: "single addresses of the subnet can't be had any more: load balancers and nodes need another one", Changes: []string{"a reservation of type prefix for " + block.String() + " in the new subnet"},
		Undo: "aws ec2 delete-subnet-cidr-reservation", SettlesIn: "1m",
		Commands: []string{fmt.Sprintf("aws ec2 create-subnet-cidr-reservation --subnet-id <new subnet> --cidr %s --reservation-type prefix", block)}}, f)
}
