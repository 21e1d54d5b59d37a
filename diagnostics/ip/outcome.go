package ip

import (
	"fmt"
	"slices"

	"github.com/netdiag/netdiag/diagnostics/awsnode"
	"github.com/netdiag/netdiag/internal/cni"
)

// outcome is what targets make of a subnet that is short.
type outcome struct {
	room
	plan        *cni.WarmPlan
	then        int  // free addresses
	surge       int  // what two further nodes take then
	others      int  // that nodes which were not counted take at most
	stays, runs bool // too few addresses then, by share, or for a surge
}

// outcome reckons targets in a subnet. A node of which it isn't known what its pods use gives nothing back for certain.
func (r room) outcome(plan *cni.WarmPlan, now cni.Settings) outcome {
	o := outcome{room: r, plan: plan, then: r.free + plan.Gain - plan.Takes - plan.Needs - plan.Interfaces}
	var each []int
	at := 0
	for _, h := range r.Kept {
		takes := mayTake(h.Attached, plan, now)
		for range h.Nodes {
			if h.Unread {
				each = append(each, h.Here+takes)
				o.then, o.others = o.then-takes, o.others+takes
				continue
			}
			each = append(each, h.Here-plan.Gives[at]+h.Waiting)
			at++
		}
	}
	slices.Sort(each)
	o.surge = surge * each[len(each)/2]
	have := o.then
	if o.then >= surge {
		have += r.more
	}
	o.stays, o.runs = 100*o.then < Low*r.usable, have < o.surge
	return o
}

// ends lists the findings that are over then.
func (o outcome) ends() []string {
	var out []string
	if o.low() && !o.stays {
		out = append(out, "ip/subnet-low "+o.ID)
	}
	if o.surges() && !o.runs {
		out = append(out, "ip/surge-short "+o.ID)
	}
	return out
}

// over reports that nothing that was found is left.
func (o outcome) over() bool { return !(o.low() && o.stays) && !(o.surges() && o.runs) }

// missing is how many addresses would end what is found: all of it, or what is over then.
func (o outcome) missing(all bool) int {
	n := 0
	if o.low() && (all || !o.stays) {
		n = max(n, (Low*o.usable+99)/100-o.free)
	}
	if o.surges() && (all || !o.runs) {
		n = max(n, o.surge-o.free-o.more, surge-o.free)
	}
	return max(n, 1)
}

// nodes are the nodes of a subnet that is short.
func (r room) nodes(s cni.Settings) []cni.Held {
	var out []cni.Held
	for _, h := range r.Kept {
		for range h.Nodes {
			if h.Unread {
				break
			}
			out = append(out, h.held(s))
		}
	}
	return out
}

// outcomes is what the targets of a plan make of every subnet that is short.
func outcomes(short []room, s cni.Settings, plan *cni.WarmPlan) []outcome {
	var out []outcome
	for _, r := range short {
		out = append(out, r.outcome(cni.Forecast(r.nodes(s), plan.Warm, plan.Minimum), s))
	}
	return out
}

// count counts the findings that are over.
func count(all []outcome) int {
	n := 0
	for _, o := range all {
		n += len(o.ends())
	}
	return n
}

// proof says what comes back to the subnet, and what that makes of it.
func (o outcome) proof() string {
	p := o.plan
	text := fmt.Sprintf("frees %s in subnet %s (%s) on %s", plural(p.Gain, "address"), o.ID, o.Zone, plural(p.Givers(), "node"))
	if n := o.Uncounted; n > 0 {
		text += fmt.Sprintf(", %d of its %d not counted", n, o.Subnet.Nodes)
	}
	if n := p.Takes + o.others; n > 0 {
		text += fmt.Sprintf(", of which up to %d go to nodes that hold fewer than the targets ask", n)
	}
	if n := p.Needs + p.Interfaces; n > 0 {
		text += fmt.Sprintf(", of which %d go to %s", n, waiting(p))
	}
	text += fmt.Sprintf(", and %s missing: %d of %d are free then, %d %%", awsnode.AreMissing(o.missing(false)), o.then, o.usable, 100*o.then/o.usable)
	switch want, _ := o.want(); {
	case o.runs:
		text += fmt.Sprintf("; two further nodes take %d then, which it still lacks", o.surge)
	case o.surge != want:
		text += fmt.Sprintf("; two further nodes take %d then instead of %d", o.surge, want)
	}
	if o.low() && o.stays {
		text += fmt.Sprintf("; it stays below %d %%", Low)
	}
	if p.Primaries > 0 {
		text += fmt.Sprintf("; up to %d more come back where an interface is emptied and deleted", p.Primaries)
	}
	return text
}

// mayTake is how many addresses more a node takes at most that has so many attached: those that the targets ask, and an interface.
func mayTake(attached int, plan *cni.WarmPlan, now cni.Settings) int {
	more := 0
	if now.WarmIP > 0 {
		more = max(plan.Warm-now.WarmIP, 0)
	}
	if n := max(plan.Minimum-attached, more); n > 0 {
		return n + 1
	}
	return 0
}

// waiting names what pods that wait take: an interface that is made for them has an address of its own.
func waiting(p *cni.WarmPlan) string {
	if p.Interfaces > 0 {
		return "pods that wait there and new interfaces for them"
	}
	return "pods that wait there"
}
