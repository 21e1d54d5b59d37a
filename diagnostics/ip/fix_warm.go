package ip

import (
	"fmt"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/awsnode"
	"github.com/netdiag/netdiag/internal/cni"
)

// atOnce is how many nodes may get other targets without a person at hand: each makes an EC2 call at least, of which an account has
// five a second (docs.aws.amazon.com/AWSEC2/latest/APIReference/throttling.html).
const atOnce = 500

// fixWarmPool lowers what nodes keep ready, where that ends what is found in the very subnet. There is one setting for all nodes:
// of those that would serve some subnet it is the one that serves most.
func (a *analysis) fixWarmPool() {
	short := a.counted()
	own, best, harms := a.targets(short)
	for n, o := range own {
		switch {
		case best != nil && best[n].over() || harms[o.ID]:
		case o.over(): // there is one setting for all nodes, and another one serves more
			a.refuseWarm(best[n])
		default:
			a.refuseWarm(o)
		}
	}
	if best != nil {
		a.offerWarm(best)
	}
}

// counted lists the subnets that are short and of which it is known what their nodes keep ready.
func (a *analysis) counted() []room {
	var out []room
	for _, r := range a.rooms {
		switch {
		case r.prefixes || !r.Counted || !r.low() && !r.surges():
		case len(r.nodes(a.settings)) > 0:
			out = append(out, r)
		case r.Uncounted > 0:
			a.refuse("tune-warm-pool", "of the %d nodes with addresses in subnet %s, it is known of 0 how many no pod uses: what lower targets free is not proved", r.Subnet.Nodes, r.ID)
		}
	}
	return out
}

// targets finds for each subnet what the targets that would serve it make of it, and what those that serve most make of all: nil where
// none end anything. harms are subnets whose targets would harm another.
func (a *analysis) targets(short []room) (own, best []outcome, harms map[string]bool) {
	harms = map[string]bool{}
	for n, r := range short {
		plan := cni.PlanWarm(r.nodes(a.settings), func(w *cni.WarmPlan) bool { return r.outcome(w, a.settings).over() })
		own = append(own, r.outcome(plan, a.settings))
		if len(own[n].ends()) == 0 {
			continue
		}
		all := outcomes(short, a.settings, plan)
		if harmed, takes := a.harmed(all); harmed != nil {
			harms[r.ID] = true
			a.refuse("tune-warm-pool", "targets that would serve subnet %s have the nodes of subnet %s take up to %d addresses more, and it has %d", r.ID, harmed.ID, takes, harmed.free)
			continue
		}
		if more, than := count(all), count(best); more > than || more == than && plan.Minimum > best[0].plan.Minimum {
			best = all
		}
	}
	return own, best, harms
}

// harmed finds a subnet that is short because of the targets of a plan, or more so: nodes with fewer addresses than these ask take
// more. all is what they make of the subnets of which it was counted what nodes keep ready.
func (a *analysis) harmed(all []outcome) (r *room, takes int) {
	for n := range all {
		if o := &all[n]; o.then < o.free && o.plan.Takes+o.others > o.plan.Gain && !o.over() {
			return &o.room, o.plan.Takes + o.others
		}
	}
	plan := all[0].plan
	for n := range a.all {
		r := &a.all[n]
		if r.Hosts || r.Counted {
			continue
		}
		takes := 0
		for attached, nodes := range r.Attached {
			takes += nodes * mayTake(attached, plan, a.settings)
		}
		then := *r
		then.free -= takes
		then.need.Addresses = max(then.need.Addresses, surge*(plan.Minimum+1))
		if takes > 0 && (then.low() || then.surges()) {
			return r, takes
		}
	}
	return nil, 0
}

// refuseWarm says by the numbers why lower targets don't end what is found.
func (a *analysis) refuseWarm(o outcome) {
	p := o.plan
	why := fmt.Sprintf("lower warm pool targets free %s in subnet %s, and %s missing: its nodes keep %d ready in all", plural(p.Gain, "address"), o.ID, awsnode.AreMissing(o.missing(true)), p.Spare)
	if n := p.Takes + o.others; n > 0 {
		why += fmt.Sprintf("; nodes that hold fewer than the targets ask take up to %d", n)
	}
	if n := o.Uncounted; n > 0 {
		why += fmt.Sprintf("; %d of the %d nodes there were not counted, and may keep more", n, o.Subnet.Nodes)
	}
	if n := p.Needs + p.Interfaces; n > 0 {
		why += fmt.Sprintf("; %s take %d", waiting(p), n)
	}
	a.refuse("tune-warm-pool", "%s", why)
}

// offerWarm proposes the targets, with what they make of each subnet in which they end what is found.
func (a *analysis) offerWarm(all []outcome) {
	var f diagnostics.Fix
	var proof []string
	for _, o := range all {
		ends := o.ends()
		if len(ends) == 0 {
			continue
		}
		f.Resolves = append(f.Resolves, ends...)
		f.Frees += o.plan.Gain
		f.Needs += o.missing(false)
		proof = append(proof, o.proof())
	}
	f.Proof = strings.Join(proof, "\n") // a subnet a line: an approval shows each whole, or can't be given
	p := all[0].plan
	if why := a.s.setup().MinimumAlone(p.Minimum); why != "" {
		a.refuse("tune-warm-pool", "%s", why)
	}
	f = a.s.setup().Warm(f, p.Warm, p.Minimum)
	if n := a.s.Driver.Desired; n > atOnce && f.Action != nil {
		f.Action, f.Executable = nil, false
		f.Blast += fmt.Sprintf("; %d nodes make an EC2 call each, at five a second for at least %s: do it in a quiet hour, and watch RequestLimitExceeded", n, plural((n/5+59)/60, "minute"))
	}
	a.offer("tune-warm-pool", f)
}
