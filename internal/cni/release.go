package cni

import "slices"

// Interface is one network interface of a node that the CNI manages.
type Interface struct {
	ID      string
	Primary bool // the first interface of the instance: never deleted
	// Addresses counts its addresses for pods, the interface's own primary address excluded; 16 for each prefix.
	Addresses int
	Assigned  int // of them in use by pods
	// Prefixes has the number of addresses in use of each delegated prefix; nil without prefix delegation.
	Prefixes []int
	// Kept marks an interface that is not deleted even where Assigned is 0: trunk, EFA, unmanaged, or pods are on addresses of it
	// that aren't counted here, because new pods don't get such.
	Kept bool
}

// Release is what one interface gives back to its subnet.
type Release struct {
	Addresses int  // secondary addresses, or 16 for each prefix
	Deleted   bool // the interface itself goes, and with it one more address, its primary one
}

// Releases forecasts what a node gives back in the end when its ipamd runs with these settings: an entry for each
// interface, in the order of the pool. The sum of Addresses is certain; ipamd takes them from its interfaces in no
// particular order, so that which of them is emptied, and so Deleted, is the best case.
// Addresses in cooldown come back only after it, which is why they count as free here.
func Releases(l Limits, s Settings, pool []Interface) []Release {
	out := make([]Release, len(pool))
	total, assigned := 0, 0
	for _, i := range pool {
		total += i.Addresses
		assigned += i.Assigned
	}
	order := releaseOrder(pool)
	if !s.targets() {
		return releaseWhole(l, s, pool, order, total, assigned, out)
	}
	_, over := s.Target(l, total, assigned)
	for _, n := range order {
		i := pool[n]
		switch {
		case i.Prefixes != nil:
			for _, used := range i.Prefixes {
				if used == 0 && over >= PrefixSize {
					out[n].Addresses += PrefixSize
					over -= PrefixSize
				}
			}
		default:
			free := min(i.Addresses-i.Assigned, over)
			out[n].Addresses = free
			over -= free
		}
		out[n].Deleted = deletable(i) && out[n].Addresses == i.Addresses
	}
	return out
}

// releaseWhole is the mode without address targets: only empty interfaces beyond the warm ones go, whole.
func releaseWhole(l Limits, s Settings, pool []Interface, order []int, total, assigned int, out []Release) []Release {
	unit, warm := l.Addresses-1, s.WarmENI
	if s.PrefixDelegation && l.Nitro {
		unit, warm = PrefixSize, s.WarmPrefix
	}
	for _, n := range order {
		i := pool[n]
		if s.PrefixDelegation {
			for _, used := range i.Prefixes {
				if used == 0 && total-assigned-PrefixSize >= unit*max(warm, 1) {
					out[n].Addresses += PrefixSize
					total -= PrefixSize
				}
			}
			out[n].Deleted = deletable(i) && i.Addresses > 0 && out[n].Addresses == i.Addresses
			continue
		}
		if deletable(i) && total-assigned >= unit*(warm+1) && total-assigned-i.Addresses >= unit*warm {
			out[n] = Release{Addresses: i.Addresses, Deleted: true}
			total -= i.Addresses
		}
	}
	return out
}

func deletable(i Interface) bool { return !i.Primary && !i.Kept && i.Assigned == 0 }

// releaseOrder is the order of the best case: interfaces without pods first, the last attached of them first.
func releaseOrder(pool []Interface) []int {
	order := make([]int, len(pool))
	for n := range order {
		order[n] = n
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch da, db := deletable(pool[a]), deletable(pool[b]); {
		case da && !db:
			return -1
		case db && !da:
			return 1
		}
		return b - a
	})
	return order
}
