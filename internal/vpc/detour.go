package vpc

import (
	"fmt"
	"net/netip"
	"slices"
)

// Detour is the hop of packets that a route of a subnet sends through something else, though they stay in the VPC: what
// that does to them is not visible. There is none where the local route of the VPC carries them, as it does for every
// address of its blocks unless a route for a smaller block goes before it.
func Detour(tables []RouteTable, blocks []netip.Prefix, subnet string, to netip.Addr) (Hop, bool) {
	i := slices.IndexFunc(tables, func(t RouteTable) bool { return slices.Contains(t.Subnets, subnet) })
	if i < 0 {
		i = slices.IndexFunc(tables, func(t RouteTable) bool { return t.Main })
	}
	inside := slices.IndexFunc(blocks, func(b netip.Prefix) bool { return b.Contains(to) })
	if i < 0 || inside < 0 {
		return Hop{}, false
	}
	best := Route{Destination: blocks[inside], Target: "local"}
	for _, r := range tables[i].Routes {
		if r.Destination.IsValid() && r.Destination.Contains(to) && r.Destination.Bits() > best.Destination.Bits() {
			best = r
		}
	}
	if best.Target == "local" {
		return Hop{}, false
	}
	return Hop{Kind: DetourHop, Verdict: Unknown, By: best.Target,
		Reason: fmt.Sprintf("route %s of %s leads through %s (%s), which can't be judged from here", best.Destination, tables[i].ID, best.Target, best.State)}, true
}
