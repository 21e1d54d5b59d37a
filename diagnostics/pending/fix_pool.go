package pending

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/awsnode"
	"github.com/netdiag/netdiag/internal/cni"
)

// fixWarmPool lowers what nodes keep ready, where that frees enough in the very subnet that is short.
func (a *analysis) fixWarmPool(f *diagnostics.Finding) {
	plan := a.warmPlan(f.Subject)
	s := a.s.subnet(f.Subject)
	if plan == nil || s == nil {
		return
	}
	if !plan.helps() && f.ID == "pending/eni-all-or-nothing" && s.Available >= plan.Needs+plan.Interfaces+2*len(a.affected(f)) {
		fix := diagnostics.Fix{Title: "Ask for a few addresses at a time instead of a whole interface", Frees: s.Available, Needs: plan.Needs,
			Proof: fmt.Sprintf("with targets a new interface asks for what is short, not for all it could hold: the %d free addresses of subnet %s are enough for %s", s.Available, s.ID, plural(plan.Needs, "pod"))}
		a.offer("tune-warm-pool", a.s.setup().Change(fix, true, awsnode.Setting{Name: "WARM_IP_TARGET", Value: strconv.Itoa(plan.Warm)}, awsnode.Setting{Name: "MINIMUM_IP_TARGET", Value: strconv.Itoa(plan.Minimum)}), f)
		return
	}
	if !plan.helps() {
		elsewhere := 0
		for n := range a.s.Nodes {
			if p := a.pools[a.s.Nodes[n].Name]; p.known && p.footprint(f.Subject) == 0 {
				elsewhere += max(p.free(), 0)
			}
		}
		why := fmt.Sprintf("lower warm pool targets free %d addresses in subnet %s, and %s missing: its nodes keep %d ready in all", plan.Gain, f.Subject, awsnode.AreMissing(plan.Needs+plan.Interfaces), plan.Spare)
		if plan.Takes > 0 {
			why += fmt.Sprintf(", and nodes that hold fewer than the targets ask take up to %d", plan.Takes)
		}
		if elsewhere > 0 {
			why += fmt.Sprintf("; the %d spare ones of nodes elsewhere belong to other subnets", elsewhere)
		}
		a.refuse("tune-warm-pool", "%s", why)
		return
	}
	fix := diagnostics.Fix{
		Frees: plan.Gain, Needs: plan.Needs,
		Proof: fmt.Sprintf("frees %d addresses in subnet %s (%s) on %s, and %s missing there", plan.Gain, s.ID, s.Zone, plural(len(plan.givers), "node"), awsnode.AreMissing(plan.Needs)),
	}
	if plan.Interfaces > 0 {
		fix.Proof += fmt.Sprintf(", with %d more for new interfaces", plan.Interfaces)
	}
	if plan.Takes > 0 {
		fix.Proof += fmt.Sprintf(", and up to %d for nodes that hold fewer than the targets ask", plan.Takes)
	}
	fix.Proof += fmt.Sprintf("; %d are left over then", plan.Gain-plan.Needs-plan.Interfaces-plan.Takes)
	if plan.Primaries > 0 {
		fix.Proof += fmt.Sprintf("; up to %d more come back where an interface is emptied and deleted", plan.Primaries)
	}
	if short := a.surge(s, plan.Warm, plan.Minimum); short != "" {
		fix.Proof += "; " + short
	}
	if why := a.s.setup().MinimumAlone(plan.Minimum); why != "" {
		a.refuse("tune-warm-pool", "%s", why)
	}
	a.offer("tune-warm-pool", a.s.setup().Warm(fix, plan.Warm, plan.Minimum), f)
}

// fixCap lets the CNI ask for more than MINIMUM_IP_TARGET.
func (a *analysis) fixCap(f *diagnostics.Finding) {
	needs, pods := 0, 0
	for _, p := range a.affected(f) {
		needs += p.needing
		pods = max(pods, p.assigned+p.needing)
	}
	fix := diagnostics.Fix{Title: "Set WARM_IP_TARGET=2, so that the CNI asks for another address before the last one is used", Needs: needs,
		Proof: fmt.Sprintf("with it a node keeps 2 more than its pods use, up to the %d that its type holds; now it stops at the minimum", a.slots(f))}
	fix = a.s.setup().Change(fix, true, awsnode.Setting{Name: "WARM_IP_TARGET", Value: "2"})
	a.offer("tune-warm-pool", fix, f)
	a.refuse("tune-warm-pool", "a higher MINIMUM_IP_TARGET alone only moves the cap: with %d, %d pods get an address on a node and the next one waits again", pods, pods)
	for _, p := range a.affected(f) {
		for _, w := range a.places(p) {
			a.refuse("add-pod-subnet", "subnet %s has %d free addresses: room is not what is missing", w.subnet.ID, w.subnet.Available)
		}
	}
}

func (a *analysis) slots(f *diagnostics.Finding) int {
	n := 0
	for _, p := range a.affected(f) {
		n = max(n, p.place().Slots(p.settings))
	}
	return n
}

// affected lists the pools of the nodes on which a finding's pods wait.
func (a *analysis) affected(f *diagnostics.Finding) []*pool {
	nodes := map[string]bool{}
	for _, w := range a.pods {
		if slices.Contains(f.Affects, w.ref()) && w.pod.Spec.NodeName != "" {
			nodes[w.pod.Spec.NodeName] = true
		}
	}
	var out []*pool
	for _, name := range sorted(nodes) {
		if p := a.pools[name]; p != nil {
			out = append(out, p)
		}
	}
	return out
}

// fixSettings repairs settings that the CNI refuses.
func (a *analysis) fixSettings(f *diagnostics.Finding) {
	if a.s.Driver == nil {
		return
	}
	s, problems := cni.ParseSettings(a.s.Driver.Env)
	switch {
	case len(problems) == 0:
		return
	case s.PrefixDelegation && s.WarmPrefix == 0 && s.WarmIP <= 0 && s.MinimumIP <= 0:
		fix := diagnostics.Fix{Title: "Set WARM_PREFIX_TARGET back to 1", Proof: problems[0]}
		fix = a.s.setup().Change(fix, false, awsnode.Setting{Name: "WARM_PREFIX_TARGET", Value: "1"})
		a.offer("tune-warm-pool", fix, f)
	default:
		fix := diagnostics.Fix{Title: "Correct the settings of aws-node: " + strings.Join(problems, "; "), Owner: a.s.setup().Owned().Owner,
			Undo: "set them back", SettlesIn: "5m", Commands: []string{"kubectl get daemonset aws-node -n kube-system -o yaml"}}
		a.offer("fix-workload", fix, f)
	}
	a.refuse("restart-ipamd", "aws-node has %d restarts already: with these settings it never starts", a.restarts(f))
}

func (a *analysis) restarts(f *diagnostics.Finding) int {
	n := 0
	for _, p := range a.affected(f) {
		if p.node.Agent != nil {
			n += p.node.Agent.Restarts
		}
	}
	return n
}

// fixThrottling keeps more addresses ready, so that not each pod is a call.
func (a *analysis) fixThrottling(f *diagnostics.Finding) {
	if a.s.Driver == nil {
		return
	}
	s, _ := cni.ParseSettings(a.s.Driver.Env)
	const more = 5
	nodes, room := len(a.s.Nodes), -1
	for _, p := range a.affected(f) {
		for _, w := range a.places(p) {
			if room < 0 || w.subnet.Available < room {
				room = w.subnet.Available
			}
		}
	}
	extra := (more - s.WarmIP) * nodes
	if s.WarmIP > 0 && s.WarmIP < more && room > 2*extra {
		fix := diagnostics.Fix{Title: fmt.Sprintf("Keep %d spare addresses on a node instead of %d", more, s.WarmIP),
			Proof: fmt.Sprintf("with %d spare, %d pods start on a node between two calls instead of %d; %d nodes take %d addresses more and their subnet has %d", more, more, s.WarmIP, nodes, extra, room)}
		fix = a.s.setup().Change(fix, true, awsnode.Setting{Name: "WARM_IP_TARGET", Value: strconv.Itoa(more)})
		a.offer("tune-warm-pool", fix, f)
	}
	a.offer("raise-quota", diagnostics.Fix{Title: "Ask AWS for a higher rate of AssignPrivateIpAddresses (bucket of 100, refilled with 5 a second)",
		Undo: "nothing to undo", SettlesIn: "48h", Commands: []string{"aws support create-case --service-code amazon-elastic-compute-cloud-linux --category-code api-throttling …"}}, f)
	a.refuse("add-pod-subnet", "the subnets have %d free addresses: the calls are throttled, not the addresses missing", max(room, 0))
	a.refuse("restart-ipamd", "a restart makes more calls on each of %d nodes, and calls are what is throttled", nodes)
}
