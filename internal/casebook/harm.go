package casebook

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
)

// What is worse than before a change has to stay for so long, and be seen so often, until the change is taken back:
// aws-node restarts node by node, and targets are checked anew, without anything being wrong.
const (
	harmFor   = 2 * time.Minute
	harmTimes = 3
)

// hurt are the causes that a change of the CNI's settings can make, and that warrant taking it back: aws-node isn't
// ready, or EC2 throttles it.
var hurt = [...]string{"pending/ipamd-down", "pending/cni-not-initialized", "pending/cni-misconfigured", "pending/api-throttled"}

// harm is what has been worse than before the change, and since when.
type harm map[string]*sighted

type sighted struct {
	since time.Time
	times int
}

// see takes in one diagnosis. stays lists, for people, what has been worse for too long; worse is true where something
// is worse at all.
func (h harm) see(before, now diagnostics.Report, at time.Time) (stays []string, worse bool) {
	seen := worseThan(before, now)
	for what := range h {
		if !slices.Contains(seen, what) {
			delete(h, what)
		}
	}
	for _, what := range seen {
		if h[what] == nil {
			h[what] = &sighted{since: at}
		}
		if h[what].times++; h[what].times >= harmTimes && at.Sub(h[what].since) >= harmFor {
			stays = append(stays, what)
		}
	}
	return stays, len(seen) > 0
}

// worseThan lists what is worse than before, for people: only what warrants taking a change back.
func worseThan(before, now diagnostics.Report) (out []string) {
	for _, f := range now.Causes {
		if _, known := before.Finding(f.Key()); !known && slices.Contains(hurt[:], f.ID) && f.Confidence != diagnostics.Possible {
			out = append(out, f.Key())
		}
	}
	was, is := figuresOf(before), figuresOf(now)
	for _, node := range slices.Sorted(maps.Keys(is.waiting)) {
		if n, known := was.waiting[node]; known && n == 0 && is.waiting[node] > 0 {
			out = append(out, "pods wait for an address on node "+node+", where none did before")
		}
	}
	fell, well, still := 0, 0, 0
	for target, state := range was.states {
		if state == "healthy" {
			well++
			if is.states[target] == "unhealthy" {
				fell++
			}
		}
	}
	for _, state := range is.states {
		if state == "healthy" {
			still++
		}
	}
	if fell > 0 && still < well {
		out = append(out, fmt.Sprintf("of the targets that were healthy some are not any more: %d before", well))
	}
	return out
}
