package pending

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
)

// fixes proposes what would help, for the most damaging cause first; of the ways to one end the cheapest that can be taken
// back comes first. A way that would not help is refused with the number that refuses it.
func (a *analysis) fixes() {
	for _, f := range a.ranked() {
		switch strings.TrimPrefix(f.ID, "pending/") {
		case "subnet-exhausted", "eni-all-or-nothing":
			a.fixSubnet(f)
		case "node-launch-no-ip":
			a.fixLaunch(f)
		case "no-free-prefix":
			a.fixPrefixes(f)
		case "warm-target-cap":
			a.fixCap(f)
		case "cni-misconfigured":
			a.fixSettings(f)
		case "api-throttled":
			a.fixThrottling(f)
		case "max-pods":
			a.fixMaxPods(f)
		case "eni-slots-full":
			a.fixSlots(f)
		case "cni-iam":
			a.fixPermission(f)
		default:
			a.fixPlainly(f)
		}
	}
	a.observe()
}

// ranked lists the findings that may be root causes, the most damaging first.
func (a *analysis) ranked() []*diagnostics.Finding {
	var out []*diagnostics.Finding
	for _, f := range a.findings {
		if !diagnostics.CauseByID(f.ID).Contributing && len(f.Because) == 0 {
			out = append(out, f)
		}
	}
	slices.SortStableFunc(out, func(x, y *diagnostics.Finding) int {
		switch {
		case x.Latent != y.Latent && x.Latent:
			return 1
		case x.Latent != y.Latent:
			return -1
		case x.Weight != y.Weight:
			return y.Weight - x.Weight
		}
		return strings.Compare(x.ID+" "+x.Subject, y.ID+" "+y.Subject)
	})
	return out
}

// offer adds a fix; one that is there already resolves more.
func (a *analysis) offer(id string, f diagnostics.Fix, of *diagnostics.Finding) {
	f.ID = "pending/" + id
	f.Risk = diagnostics.FixByID(f.ID).Risk
	if f.Owner == "" {
		f.Owner = "none"
	}
	for n := range a.res.Fixes {
		if a.res.Fixes[n].ID == f.ID && a.res.Fixes[n].Title == f.Title {
			a.res.Fixes[n].Resolves = append(a.res.Fixes[n].Resolves, of.Key())
			return
		}
	}
	f.Resolves = append(f.Resolves, of.Key())
	a.res.Fixes = append(a.res.Fixes, f)
}

func (a *analysis) refuse(id, why string, args ...any) {
	r := diagnostics.Refused{ID: "pending/" + id, Why: fmt.Sprintf(why, args...)}
	if !slices.Contains(a.res.Refused, r) {
		a.res.Refused = append(a.res.Refused, r)
	}
}

// fixSubnet is for a subnet without free addresses: give back what is leaked, then what is kept ready, then go where there is room.
func (a *analysis) fixSubnet(f *diagnostics.Finding) {
	s := a.s.subnet(f.Subject)
	if here := a.affected(f); len(here) > 0 && a.onAutoMode(here[0].node) {
		a.fixAutoMode(f)
		a.refuse("enable-prefix-delegation", "EKS Auto Mode sets up its own CNI, and subnet %s has %d free addresses: no prefix of 16 fits", s.ID, s.Available)
		return
	}
	reserved := a.fixReserved(f)
	a.fixLeaked(f)
	a.fixWarmPool(f)
	a.fixMove(f)
	a.rebalance(f)
	a.furtherSubnet(f)
	a.fixNewNodes(f)
	a.reduceDemand(f)
	a.lasting(f)
	if !reserved {
		a.refusePrefixes(f.Subject)
	}
}

// refusePrefixes says why prefix delegation makes no addresses.
func (a *analysis) refusePrefixes(subnet string) {
	s := a.s.subnet(subnet)
	if s == nil {
		return
	}
	blocks, ok := a.prefixesOf(s)
	back := 0
	for n := range a.s.Nodes {
		if p := a.pools[a.s.Nodes[n].Name]; p.known && p.footprint(subnet) > 0 {
			back += p.free()
		}
	}
	many := fmt.Sprintf("at most %d free /28 blocks", s.Available/16)
	if ok {
		many = fmt.Sprintf("%d free /28 blocks", blocks.Free+blocks.Reserved)
	}
	why := fmt.Sprintf("prefix delegation makes no addresses: subnet %s has %d free addresses and %s, so that it would fail with InsufficientCidrBlocks", subnet, s.Available, many)
	if ok && !blocks.None() {
		why = fmt.Sprintf("prefix delegation makes no addresses: subnet %s has %d free addresses and %s for all its nodes", subnet, s.Available, many)
	}
	if back > 0 {
		why += fmt.Sprintf(" and hand back the %d addresses that nodes keep ready there", back)
	}
	a.refuse("enable-prefix-delegation", "%s", why)
}

// fixPrefixes is for a subnet without a whole /28.
func (a *analysis) fixPrefixes(f *diagnostics.Finding) {
	off := a.withoutPrefixes(f)
	if off.early {
		a.offer("disable-prefix-delegation", off.fix, f)
	}
	a.fixMove(f)
	a.furtherSubnet(f)
	a.reserveNew(f)
	if !off.early && off.helps {
		a.offer("disable-prefix-delegation", off.fix, f)
	}
	a.fixNewNodes(f)
	s := a.s.subnet(f.Subject)
	a.refuse("reserve-prefix-range", "a reservation in subnet %s moves no address that is in use: none of its blocks of 16 is free, although %d addresses are", f.Subject, s.Available)
	a.refuse("tune-warm-pool", "prefixes come and go by 16: targets free none of the blocks that are missing (subnet %s has %d free addresses and 0 free /28)", f.Subject, s.Available)
}
