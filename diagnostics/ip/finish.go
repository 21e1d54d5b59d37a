package ip

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
)

// gaps names what could not be read, and what stays open for want of it.
func (a *analysis) gaps() {
	about := map[string]struct {
		what string
		caps []string
	}{
		"ec2:DescribeSubnets":                   {"subnets: how full they are is not known", []string{"subnet-low", "surge-short", "prefixes-low"}},
		"eks:DescribeCluster":                   {"the cluster: its VPC is not known", []string{"subnet-low", "surge-short", "prefixes-low"}},
		"ec2:DescribeNetworkInterfaces":         {"network interfaces: what nodes hold is not known", []string{"surge-short", "prefixes-low", "slots-full"}},
		"list nodes":                            {"nodes: in which subnets pods are is not known", []string{"surge-short", "slots-full"}},
		"list daemonsets.apps":                  {"DaemonSets: whether prefixes are delegated is not known", []string{"prefixes-low"}},
		"list pods":                             {"pods: how many use the addresses of nodes is not known", []string{"slots-full"}},
		"list eniconfigs.crd.k8s.amazonaws.com": {"ENIConfigs: in which subnets pods are is not known", []string{"subnet-low", "surge-short"}},
		"list events":                           {"events: whether the CNI complains is not known", []string{"agent-errors"}},
		"ec2:GetSubnetCidrReservations":         {"subnet reservations: the count of free /28 may be off", nil},
		"ec2:DescribeInstanceTypes":             {"instance types: limits are from a table", nil},
		"ec2:DescribeVpcs":                      {"the VPC: unused blocks are not known", nil},
		"ec2:DescribeRouteTables":               {"route tables: whether subnets have the same way out is not known", nil},
		"eks:DescribeAddon":                     {"add-ons: the owner of the CNI's settings is not known", nil},
	}
	how := map[string]string{diagnostics.Denied: "may not be read", diagnostics.Throttled: "was throttled", diagnostics.Timeout: "did not answer in time", diagnostics.Absent: "is not there"}
	for _, u := range a.s.Unread {
		k := about[u.Permission]
		g := diagnostics.Gap{Permission: u.Permission, Reason: u.Reason, Summary: fmt.Sprintf("%s %s (%s)", u.Permission, how[u.Reason], k.what)}
		if u.What != "" {
			g.Summary += " of " + u.What
		}
		for _, id := range k.caps {
			if a.count(id) == 0 && (u.Permission != "list pods" || a.s.Uncounted > 0) { // else no pod of a full node was missed
				g.Caps = append(g.Caps, "ip/"+id)
			}
		}
		a.res.Gaps = append(a.res.Gaps, g)
	}
}

func (a *analysis) missed(permission string) bool {
	return slices.ContainsFunc(a.s.Unread, func(u diagnostics.Unread) bool { return u.Permission == permission })
}

// passed lists what was looked at and is in order. Silence never means healthy.
func (a *analysis) passed() {
	add := func(id, format string, args ...any) {
		if a.count(id) == 0 {
			a.res.Passed = append(a.res.Passed, diagnostics.Passed{ID: "ip/" + id, Summary: fmt.Sprintf(format, args...)})
		}
	}
	if len(a.rooms) == 0 {
		return
	}
	read := !slices.ContainsFunc(a.rooms, func(r room) bool { return !r.Read })
	add("subnet-low", "%s looked at, each with %d %% of its addresses free or more", plural(len(a.rooms), "subnet"), Low)
	if read && a.settings.PrefixDelegation {
		add("prefixes-low", "every subnet has whole /28 left for %d further nodes", surge)
	} else if read && a.s.Driver != nil {
		add("surge-short", "every subnet has room for %d further nodes like those there", surge)
	}
	if read && a.s.Nodes > 0 && (a.s.Uncounted == 0 || !a.missed("list pods")) {
		text := fmt.Sprintf("none of %s is without an address for a further pod for want of places", plural(a.s.Nodes-a.s.Uncounted-a.s.Unknown, "node"))
		if left := a.s.Uncounted + a.s.Unknown; left > 0 {
			text += fmt.Sprintf("; of %d more that was not counted", left)
		}
		add("slots-full", "%s", text)
	}
	if !a.missed("list events") && !a.missed("list nodes") {
		add("agent-errors", "no complaint of the CNI in the last 15 minutes")
	}
	if d := a.s.Driver; d != nil {
		a.res.Passed = append(a.res.Passed, diagnostics.Passed{Summary: fmt.Sprintf("aws-node is ready on %d of %s", d.Ready, plural(d.Desired, "node"))})
	}
}

// summarize says the most important thing in one sentence.
func (a *analysis) summarize() {
	r := &a.res
	r.Layer = diagnostics.L3
	fs := slices.Clone(r.Findings)
	slices.SortStableFunc(fs, func(x, y diagnostics.Finding) int {
		if x.Weight != y.Weight {
			return y.Weight - x.Weight
		}
		return strings.Compare(x.Key(), y.Key())
	})
	switch {
	case len(fs) > 0:
		r.Severity = "P3"
		r.Summary = fs[0].Summary
		if n := len(fs) - 1; n > 0 {
			r.Summary += fmt.Sprintf("; and %s", plural(n, "further finding"))
		}
		r.Impact = a.impact()
		a.advice()
	case len(a.rooms) == 0:
		r.Summary = "which subnets pods have their addresses in could not be read"
	default:
		fullest := a.rooms[0]
		r.Summary = fmt.Sprintf("%s have room: the fullest, %s in %s, has %d of %d addresses free, %d %%", plural(len(a.rooms), "subnet"), fullest.ID, fullest.Zone, fullest.free, fullest.usable, fullest.share())
		if len(a.rooms) == 1 {
			r.Summary = fmt.Sprintf("subnet %s in %s has room: %d of %d addresses are free, %d %%", fullest.ID, fullest.Zone, fullest.free, fullest.usable, fullest.share())
		}
		if left, ends := fullest.trend.Lasts(fullest.Available); fullest.known && ends {
			r.Summary += ", which last about " + about(left) + " at the present trend"
		}
	}
}

// impact says what would come of it.
func (a *analysis) impact() string {
	var parts []string
	if without := a.without(); without != "" {
		parts = append(parts, "pods there have no address now, which pending explains: "+without)
	}
	if a.count("subnet-low")+a.count("surge-short")+a.count("prefixes-low") > 0 {
		parts = append(parts, "a rollout or an update of nodes may leave pods without an address")
	}
	if a.count("slots-full") > 0 {
		parts = append(parts, "further pods on the full nodes wait for an address")
	}
	if a.count("agent-errors") > 0 {
		parts = append(parts, "new pods on the nodes concerned may not start")
	}
	return strings.Join(parts, "; ")
}

// without says how many pods have no address yet on the nodes of subnets that are short, as far as they were counted.
func (a *analysis) without() string {
	var parts []string
	for _, r := range a.rooms {
		n := 0
		for _, h := range r.Kept {
			n += h.Nodes * h.Waiting
		}
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d on nodes of %s", n, r.name()))
		}
	}
	return strings.Join(parts, ", ")
}

func (a *analysis) advice() {
	r := &a.res
	switch {
	case len(r.Fixes) > 0:
		r.Resolution = r.Fixes[0].Title
	case a.count("agent-errors") > 0:
		r.Resolution = "Ask pending about a namespace whose pods don't start: it tells what the CNI lacks"
	case a.count("subnet-low")+a.count("surge-short") > 0:
		r.Resolution = "Give pods a further subnet, or lower what nodes keep ready"
	case a.count("prefixes-low") > 0:
		r.Resolution = "Give pods a further subnet with a reservation of type prefix"
	default:
		r.Resolution = "Add nodes, or larger ones"
	}
	if a.count("subnet-low")+a.count("surge-short") > 0 {
		r.Prevention = append(r.Prevention, "Plan pod subnets for three to five times the pods expected, rollouts and node rotation included")
	}
	if a.count("prefixes-low") > 0 {
		r.Prevention = append(r.Prevention, "Keep prefixes in subnets of their own, with a reservation of type prefix made while they are empty")
	}
	if a.count("slots-full") > 0 {
		r.Prevention = append(r.Prevention, "Set max-pods by the formula of the networking mode, so that the scheduler sends no pod to a node without an address for it")
	}
}
