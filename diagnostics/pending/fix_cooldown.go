package pending

import (
	"fmt"
	"strconv"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/awsnode"
)

// fixCooldown is for addresses in quarantine: keep as many more ready as pods end within one, or where whole interfaces are kept
// or the subnet has no room for that, make the quarantine shorter.
func (a *analysis) fixCooldown(f *diagnostics.Finding) {
	const shorter = 15
	ends, warm, room, seconds := 0, 0, -1, 30
	for _, p := range a.affected(f) {
		ends = max(ends, a.coolingOn(p.node, p).ends)
		warm, seconds = p.settings.WarmIP, int(p.settings.Cooldown.Seconds())
		for _, w := range a.places(p) {
			if room < 0 || w.subnet.Available < room {
				room = w.subnet.Available
			}
			a.refuse("add-pod-subnet", "subnet %s has %d free addresses: ipamd asks for none, because it counts the ones in quarantine as free", w.subnet.ID, w.subnet.Available)
		}
	}
	nodes := len(a.s.Nodes)
	rests := fmt.Sprintf("%s a node in %d seconds, and as long its address rests", plural(ends, "pod")+" end on", seconds)
	switch extra := ends * nodes; {
	case warm > 0 && room > 2*extra:
		fix := diagnostics.Fix{Title: fmt.Sprintf("Keep %d spare addresses on a node instead of %d", warm+ends, warm), Needs: len(f.Affects),
			Proof: fmt.Sprintf("%s: with %d more kept ready new pods needn't wait for it; %s take at most %d addresses more, and their subnet has %d free", rests, ends, plural(nodes, "node"), extra, room)}
		a.tuneCooldown(f, fix, awsnode.Setting{Name: "WARM_IP_TARGET", Value: strconv.Itoa(warm + ends)})
	case seconds > shorter:
		fix := diagnostics.Fix{Title: fmt.Sprintf("Let addresses rest for %d seconds instead of %d", shorter, seconds), Needs: len(f.Affects),
			Proof: fmt.Sprintf("%s: with %d seconds fewer are out of use at a time, and the subnet, which has %d free, has to give none", rests, shorter, max(room, 0))}
		a.tuneCooldown(f, fix, awsnode.Setting{Name: "IP_COOLDOWN_PERIOD", Value: strconv.Itoa(shorter)})
	}
}

// tuneCooldown proposes it to people: whether new pods may meet connections of old ones is theirs to weigh.
func (a *analysis) tuneCooldown(f *diagnostics.Finding, fix diagnostics.Fix, s awsnode.Setting) {
	fix = a.s.setup().Change(fix, true, s)
	fix.Action, fix.Executable = nil, false
	if s.Name == "IP_COOLDOWN_PERIOD" {
		fix.Blast += "; an address may be given out again before kube-proxy and connection tracking have forgotten its last pod"
	}
	a.offer("tune-cooldown", fix, f)
}
