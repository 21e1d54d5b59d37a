package pending

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/awsnode"
	"github.com/netdiag/netdiag/internal/vpc"
)

// passed lists what was looked at and is in order. Silence never means healthy.
func (a *analysis) passed() {
	add := func(id, format string, args ...any) {
		if id != "" && len(a.of(id)) > 0 {
			return
		}
		p := diagnostics.Passed{Summary: fmt.Sprintf(format, args...)}
		if id != "" {
			p.ID = "pending/" + id
		}
		a.res.Passed = append(a.res.Passed, p)
	}
	if _, missed := a.unread("list pods"); !missed && len(a.stuck()) == 0 {
		add("", "%d of %s of %s are ready", a.s.Ready, plural(a.s.Live, "pod"), a.scope())
	}
	for _, p := range a.s.Settled[:min(len(a.s.Settled), tableRows)] {
		add("", "pod %s %s", p.Name, p.says())
	}
	for _, k := range []struct {
		s    stage
		id   string
		what string
	}{{placeholder, "", "of negative priority, which hold room by design: no finding"},
		{starting, "", "younger than a minute and without a warning: starting"}, {terminating, "terminating", "being deleted: left aside"}} {
		if n := len(a.at(k.s)); n > 0 {
			add(k.id, "%s %s", plural(n, "pod"), k.what)
		}
	}
	if n := len(a.s.Suspended); n > 0 {
		add("", "%s suspended on purpose, which make no pods until they are resumed: %s", verb(n, "Job is", "Jobs are"), strings.Join(a.s.Suspended[:min(n, 3)], ", "))
	}
	touched := a.touched()
	least := -1
	for _, s := range touched {
		if least < 0 || s.Available < touched[least].Available {
			least = slices.IndexFunc(touched, func(o vpc.Subnet) bool { return o.ID == s.ID })
		}
	}
	if least >= 0 {
		s := touched[least]
		if s.Available > 0 {
			add("subnet-exhausted", "every subnet of the nodes has free addresses; the fewest has %s (%s): %d of %d", s.ID, s.Zone, s.Available, vpc.Usable(s.CIDR))
		} else if len(a.stuck()) == 0 {
			add("", "subnet %s (%s) has no free address, but no pod waits for one: nodes still hold spare ones", s.ID, s.Zone)
		} else {
			add("subnet-exhausted", "subnet %s (%s) has no free address, but that is not what these pods wait for", s.ID, s.Zone)
		}
	}
	_, blind := a.unread("list events")
	metrics := 0
	for n := range a.s.Nodes {
		if a.s.Nodes[n].Metrics != nil {
			metrics++
		}
	}
	if !blind && a.s.Driver != nil {
		add("cni-iam", "no event tells of a missing permission of the CNI")
	}
	if metrics > 0 {
		throttled := a.throttledNodes()
		if throttled == 0 {
			add("api-throttled", "no throttled call for addresses on %s", plural(metrics, "node"))
		}
	}
	if a.s.Driver != nil && len(a.of("cni-misconfigured")) == 0 {
		add("cni-misconfigured", "the settings of aws-node %s are ones that it accepts", a.s.Driver.Version)
	}
	ready := 0
	for n := range a.s.Nodes {
		if a.s.Nodes[n].Ready == "True" {
			ready++
		}
	}
	if len(a.s.Nodes) > 0 && ready == len(a.s.Nodes) {
		add("node-not-ready", "all %s are ready", plural(ready, "node"))
	}
}

// touched lists the subnets of nodes and their interfaces that were looked at.
func (a *analysis) touched() []vpc.Subnet {
	ids := map[string]bool{}
	for n := range a.s.Nodes {
		node := &a.s.Nodes[n]
		if s := a.s.subnetAt(node.Address); s != nil && !node.Fargate {
			ids[s.ID] = true
		}
		for _, m := range a.pools[node.Name].members {
			ids[m.eni.Subnet] = true
		}
	}
	for _, f := range a.findings {
		ids[f.Subject] = true
	}
	var out []vpc.Subnet
	for _, s := range a.s.Subnets {
		if ids[s.ID] {
			out = append(out, s)
		}
	}
	return out
}

const tableRows = 12

func (a *analysis) tables() {
	ready, plan := a.readyIn()
	subnets := diagnostics.Table{Title: "Subnets", Columns: []string{"Subnet", "Zone", "Block", "Available", "Usable", "Unaccounted", "Free /28", "Ready on nodes"}}
	if plan != nil {
		subnets.Columns = append(subnets.Columns, fmt.Sprintf("Back with WARM %d, MINIMUM %d", plan.Warm, plan.Minimum))
	}
	for _, s := range a.touched() {
		row := []string{s.ID, s.Zone, s.CIDR.String(), fmt.Sprint(s.Available), fmt.Sprint(vpc.Usable(s.CIDR)), "not read", "", ""}
		if l, ok := a.ledgers[s.ID]; ok {
			row[5] = fmt.Sprint(l.Unaccounted)
			row[6] = blocksText(vpc.FreePrefixes(l, a.s.Interfaces, a.s.Reservations))
		}
		k, known := ready[s.ID]
		if known {
			row[7] = fmt.Sprint(k.ready)
		}
		if plan != nil {
			row = append(row, "")
			if known {
				row[8] = fmt.Sprint(k.back)
			}
		}
		subnets.Rows = append(subnets.Rows, row)
	}
	for _, t := range []diagnostics.Table{subnets, a.holdersTable(), a.nodesTable(), a.outlookTable()} {
		if len(t.Rows) == 0 {
			continue
		}
		if t.Title == holdersTitle {
			a.res.Tables = append(a.res.Tables, t) // its rows add up: none may be left out
			continue
		}
		if more := len(t.Rows) - tableRows; more > 0 {
			t.Rows, t.Omitted = t.Rows[:tableRows], more
		}
		a.res.Tables = append(a.res.Tables, t)
	}
}

func blocksText(p vpc.Prefixes) string {
	text := fmt.Sprint(p.Free)
	if p.AtLeast != p.Free {
		text = fmt.Sprintf("%d to %d", p.AtLeast, p.Free)
	}
	if p.Reserved > 0 {
		text += fmt.Sprintf(" + %d reserved", p.Reserved)
	}
	return text
}

// steps tells the way in the order in which a person would go it.
func (a *analysis) steps() {
	ns, stuck := a.s.Target.Namespace, a.stuck()
	list := "kubectl get pods -n " + ns + " --field-selector=status.phase=Pending -o wide"
	if len(a.s.Pods)+len(a.s.Settled) == 1 && a.s.Target.Name != "" {
		list = "kubectl get pod -n " + ns + " " + a.s.Target.Name + " -o wide"
	}
	add := func(title, read, finding, repeat string) {
		a.res.Steps = append(a.res.Steps, diagnostics.Step{Title: title, Read: read, Finding: finding, Repeat: repeat})
	}
	homeless, bound := len(a.at(unscheduled)), len(a.at(unconnected, unmounted))
	add("Identify the problem", fmt.Sprintf("%s of %s, %d of them not started", plural(a.s.Live, "pod"), a.scope(), len(stuck)),
		fmt.Sprintf("%d have no node (a matter of scheduling), %d have a node and no network, %d have their address already", homeless, bound, len(a.at(connected))),
		list)
	if len(stuck) > 0 {
		add("Read what Kubernetes says of them", shorten(firstText(stuck)), sayWhatItProves(stuck), "kubectl get events -n "+ns+" --sort-by=.lastTimestamp")
	}
	if touched := a.touched(); len(touched) > 0 {
		var parts, names []string
		for _, s := range touched[:min(len(touched), 6)] {
			parts = append(parts, fmt.Sprintf("%s %s: %d of %d", s.ID, s.Zone, s.Available, vpc.Usable(s.CIDR)))
			names = append(names, s.ID)
		}
		full := 0
		for _, s := range touched {
			if s.Available == 0 {
				full++
			}
		}
		add("Check the subnets of the nodes", strings.Join(parts, "; "), fmt.Sprintf("%d of %s have no free address", full, plural(len(touched), "subnet")),
			"aws ec2 describe-subnets --subnet-ids "+strings.Join(names, " "))
	}
	a.tellHolders(add)
	spare, used, known, waits := 0, 0, 0, 0
	for n := range a.s.Nodes {
		if p := a.pools[a.s.Nodes[n].Name]; p.known {
			known++
			spare += max(p.free(), 0)
			used += p.assigned
			waits += p.needing
		}
	}
	if known > 0 {
		read := fmt.Sprintf("%s: %d addresses of pods in use, %d ready and unused", plural(known, "node"), used, spare)
		if a.s.Uncounted > 0 {
			read += fmt.Sprintf("; of %d more in these subnets the pods were not counted", a.s.Uncounted)
		}
		add("Check what nodes hold", read,
			joined(append([]string{fmt.Sprintf("%s on them wait for an address", plural(waits, "pod"))}, a.limitsByType()...)), "aws ec2 describe-network-interfaces --filters Name=attachment.instance-id,Values=<instance>")
	}
	a.tellOutlook(add)
	if d := a.s.Driver; d != nil {
		var parts []string
		for _, key := range []string{"WARM_ENI_TARGET", "WARM_IP_TARGET", "MINIMUM_IP_TARGET", "WARM_PREFIX_TARGET", "ENABLE_PREFIX_DELEGATION"} {
			parts = append(parts, key+" "+awsnode.Shown(d.Env, key))
		}
		o := a.s.setup().Owned()
		add("Check the settings of the CNI", fmt.Sprintf("aws-node %s: %s", d.Version, strings.Join(parts, ", ")), fmt.Sprintf("owner: %s (%s)", o.Owner, o.Why),
			"kubectl get daemonset aws-node -n kube-system -o yaml --show-managed-fields")
	}
}

func firstText(stuck []waiting) string {
	for _, w := range stuck {
		if w.text != "" {
			return w.text
		}
	}
	return "nothing: no condition and no recent event tells more"
}

func sayWhatItProves(stuck []waiting) string {
	text := firstText(stuck)
	switch {
	case strings.Contains(text, "failed to assign an IP address to container"):
		return "the CNI had no address to give; that alone does not tell why"
	case strings.Contains(text, "nodes are available"):
		return "the scheduler finds no node; subnets are not asked at this point"
	}
	return "see the causes"
}
