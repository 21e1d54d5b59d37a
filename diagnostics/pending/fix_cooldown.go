package pending

import (
	"fmt"
	"strconv"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
)

// fixCooldown keeps more addresses ready than pods end while one rests, or lets them rest for less long.
func (a *analysis) fixCooldown(f *diagnostics.Finding) {
	if a.s.Driver == nil {
		return
	}
	const short = 15 * time.Second
	for _, p := range a.affected(f) {
		rest := p.settings.Cooldown
		// Pods that end while an address rests, by those of the last minute.
		ending := max((a.deletedLately(p.node)*int(rest/time.Second)+59)/60, p.needing)
		room := 0
		for _, w := range a.places(p) {
			room = max(room, w.subnet.Available)
		}
		nodes := len(a.s.Nodes)
		warm := p.settings.WarmIP + ending
		switch {
		case p.settings.WarmIP > 0 && room >= 2*ending*nodes:
			fix := diagnostics.Fix{Title: fmt.Sprintf("Keep %d spare addresses on a node instead of %d", warm, p.settings.WarmIP), Needs: p.needing,
				Proof: fmt.Sprintf("about %d pods end on node %s while an address rests for %s, and %d addresses are kept spare; %s take %d more, and their subnet has %d", ending, p.node.Name, rest, p.settings.WarmIP, plural(nodes, "node"), ending*nodes, room)}
			a.propose(f, fix, setting{"WARM_IP_TARGET", strconv.Itoa(warm)})
		case rest > short:
			fix := diagnostics.Fix{Title: fmt.Sprintf("Let a freed address rest for %s instead of %s", short, rest), Needs: p.needing,
				Proof: fmt.Sprintf("about %d pods end on node %s while an address rests for %s; at %s half as many addresses are out of use, and no subnet has to give one", ending, p.node.Name, rest, short)}
			a.propose(f, fix, setting{"IP_COOLDOWN_PERIOD", strconv.Itoa(int(short / time.Second))})
		}
	}
	a.refuseRoom(f)
}

func (a *analysis) propose(f *diagnostics.Finding, fix diagnostics.Fix, s setting) {
	fix = a.setEnv(fix, true, s)
	fix.Action, fix.Executable = nil, false
	if s.name == "IP_COOLDOWN_PERIOD" {
		fix.Blast += "; a short rest may give an address to a new pod before every node has forgotten the old one"
	}
	a.offer("tune-cooldown", fix, f)
}
