package awsnode

import (
	"net/netip"

	"github.com/netdiag/netdiag/internal/cni"
	"github.com/netdiag/netdiag/internal/vpc"
)

// Serves reports whether the CNI uses an interface of a node for pods. taken means that it takes the place of one that would.
func Serves(e *vpc.NetworkInterface) (member, taken bool) {
	switch {
	case e.Card != 0, e.Type == "branch":
		return false, false
	case e.Type == "trunk", e.Type == "efa-only", e.Tags["node.k8s.amazonaws.com/no_manage"] == "true":
		return false, true
	}
	return true, false
}

// Excluded reports an interface that gives no address to new pods: the first one with custom networking, or one in a subnet that a
// tag takes away from pods. Pods that have an address of it keep it.
func (u Setup) Excluded(s cni.Settings, e *vpc.NetworkInterface, in *vpc.Subnet) bool {
	if s.CustomNetworking {
		return e.Device == 0
	}
	return u.Untagged(in)
}

// Ledger is what one interface of a node holds for pods.
type Ledger struct {
	cni.Interface
	Slots int // used of the type's addresses per interface: one for a secondary address or a prefix
	Aside int // in use of the other kind, which serves the pods that have them and no new ones
}

// Count draws up the ledger of an interface; used are the addresses that the pods of its node have. ipamd gives new pods addresses
// of one kind only, and counts that kind only (pkg/ipamd/datastore: AssignPodIPv4Address, GetIPStats): those of prefixes, or single
// ones. Of an excluded interface only what is in use counts: nothing more is to be had of it, nor given back.
func Count(e *vpc.NetworkInterface, used map[netip.Addr]bool, prefixes, excluded bool) Ledger {
	l := Ledger{Interface: cni.Interface{ID: e.ID, Primary: e.Device == 0}}
	secondary, busy, inside := 0, 0, 0
	for _, a := range e.Addresses {
		if a == e.Primary {
			continue
		}
		secondary++
		if used[a] {
			busy++
		}
	}
	each := make([]int, len(e.Prefixes))
	for n, prefix := range e.Prefixes {
		for a := prefix.Masked().Addr(); prefix.Contains(a); a = a.Next() {
			if used[a] {
				each[n]++
			}
		}
		inside += each[n]
	}
	l.Slots = secondary + len(each)
	if prefixes {
		l.Prefixes, l.Addresses, l.Assigned, l.Kept, l.Aside = each, cni.PrefixSize*len(each), inside, busy > 0, busy
	} else {
		l.Addresses, l.Assigned, l.Kept, l.Aside = secondary, busy, inside > 0, inside
	}
	if excluded {
		l.Addresses, l.Prefixes = l.Assigned, nil
	}
	return l
}

// LimitsOf knows an instance type from EC2, or from the table where it couldn't be asked.
func LimitsOf(types []vpc.InstanceType, name string) (cni.Limits, bool) {
	for _, t := range types {
		if t.Name == name && t.Interfaces > 0 {
			return cni.Limits{Interfaces: t.Interfaces, Addresses: t.AddressesPerInterface, VCPUs: t.VCPUs, Nitro: t.Nitro}, true
		}
	}
	return cni.LimitsOf(name)
}
