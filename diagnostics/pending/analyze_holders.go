package pending

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/cni"
	"github.com/netdiag/netdiag/internal/vpc"
)

// contributing tells who holds the addresses of the subnets that are short.
func (a *analysis) contributing() {
	for _, f := range a.of("subnet-exhausted", "eni-all-or-nothing", "no-free-prefix", "node-launch-no-ip") {
		l, ok := a.ledgers[f.Subject]
		if !ok {
			continue
		}
		if e, ok := unseenEvidence(l); ok {
			f.Evidence = append(f.Evidence, e)
		}
		a.leaked(l)
		a.tenants(l, f)
		if plan := a.warmPlan(f.Subject); f.ID != "pending/no-free-prefix" && plan != nil && plan.helps() {
			a.overheld(l, plan)
		}
	}
}

func (a *analysis) leaked(l vpc.Ledger) {
	h := l.Of(vpc.Leaked)
	if h.Addresses == 0 {
		return
	}
	f := diagnostics.Finding{ID: "leaked-enis", Subject: l.Subnet.ID, Confidence: diagnostics.Confirmed, Weight: h.Addresses,
		Summary: fmt.Sprintf("%s of instances that are gone hold %s of subnet %s", plural(h.Interfaces, "interface"), plural(h.Addresses, "address"), l.Subnet.ID),
		Evidence: []diagnostics.Evidence{
			{What: "unattached interfaces of this cluster's CNI whose instance is gone", Value: fmt.Sprintf("%d, with %d addresses", h.Interfaces, h.Addresses),
				Source: "ec2:DescribeNetworkInterfaces", Repeat: fmt.Sprintf("aws ec2 describe-network-interfaces --filters Name=subnet-id,Values=%s Name=status,Values=available Name=tag:cluster.k8s.amazonaws.com/name,Values=%s", l.Subnet.ID, a.s.Target.Cluster)},
		}}
	gone, oldest := map[string]bool{}, ""
	for _, i := range a.s.Interfaces {
		if slices.Contains(h.IDs, i.ID) {
			gone[i.CNIInstance()] = true
			if made := i.Tags["node.k8s.amazonaws.com/createdAt"]; oldest == "" || made < oldest {
				oldest = made
			}
		}
	}
	f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "instances that they were made for", Value: fmt.Sprintf("%d, none exists any more; the oldest interface is of %s", len(gone), oldest),
		Source: "ec2:DescribeInstances", Repeat: "aws ec2 describe-instances --filters Name=instance-id,Values=" + strings.Join(sorted(gone)[:min(len(gone), 3)], ",")})
	if why, e := a.noCleanup(); why != "" {
		f.Summary += "; " + why
		f.Evidence = append(f.Evidence, e)
	}
	a.find(f, nil)
}

// noCleanup says why the CNI, which looks for leaked interfaces every hour, leaves them; empty where nothing tells.
func (a *analysis) noCleanup() (why string, e diagnostics.Evidence) {
	for _, name := range []string{"DISABLE_LEAKED_ENI_CLEANUP", "ENABLE_IMDS_ONLY_MODE"} {
		if a.s.Driver != nil && a.s.Driver.Env[name] == "true" {
			return "the CNI's clean-up of leaked interfaces is switched off", diagnostics.Evidence{What: name + " of aws-node", Value: "true", Source: "list daemonsets.apps",
				Repeat: "kubectl get daemonset aws-node -n kube-system -o yaml"}
		}
	}
	if a.mayNot("ec2:DeleteNetworkInterface") {
		return "the CNI may not delete interfaces", diagnostics.Evidence{What: "MissingIAMPermissions of aws-node", Value: "ec2:DeleteNetworkInterface", Source: "list events",
			Repeat: "kubectl get events -n kube-system --field-selector reason=MissingIAMPermissions"}
	}
	return "", e
}

// tenants names others where they hold a good part of the subnet.
func (a *analysis) tenants(l vpc.Ledger, because *diagnostics.Finding) {
	others := l.Others()
	if others*4 < l.Usable || others < len(because.Affects) {
		return
	}
	f := diagnostics.Finding{ID: "other-tenants", Subject: l.Subnet.ID, Confidence: diagnostics.Confirmed, Weight: others,
		Summary: fmt.Sprintf("others hold %d of %d addresses of subnet %s: %s", others, l.Usable, l.Subnet.ID, holders(l, true, 3))}
	for _, h := range l.Holders {
		if own(h.Class) || len(f.Evidence) == 5 {
			continue
		}
		f.Evidence = append(f.Evidence, diagnostics.Evidence{What: name(h), Value: fmt.Sprintf("%s on %s", plural(h.Addresses, "address"), plural(h.Interfaces, "interface")),
			Source: "ec2:DescribeNetworkInterfaces", Repeat: "aws ec2 describe-network-interfaces --filters Name=subnet-id,Values=" + l.Subnet.ID})
	}
	a.find(f, nil)
}

func own(c vpc.Class) bool {
	return slices.Contains([]vpc.Class{vpc.NodePrimary, vpc.NodeSecondary, vpc.TrunkBranch, vpc.Leaked, vpc.Unattached}, c)
}

func name(h vpc.Holder) string {
	if h.Owner != "" {
		return "cluster " + h.Owner
	}
	return string(h.Class)
}

// holders lists the greatest tenants of a subnet: "cluster legacy 163, load balancers 6".
func holders(l vpc.Ledger, others bool, most int) string {
	var parts []string
	for _, h := range l.Holders {
		if others && own(h.Class) || len(parts) == most {
			continue
		}
		parts = append(parts, fmt.Sprintf("%s %d", name(h), h.Addresses))
	}
	return strings.Join(parts, ", ")
}

func (a *analysis) overheld(l vpc.Ledger, plan *warmPlan) {
	f := diagnostics.Finding{ID: "warm-pool-overheld", Subject: l.Subnet.ID, Confidence: diagnostics.Confirmed, Weight: plan.Gain,
		Summary: fmt.Sprintf("nodes keep %d addresses of subnet %s ready that no pod uses; %d of them would come back with WARM_IP_TARGET=%d and MINIMUM_IP_TARGET=%d", plan.Spare, l.Subnet.ID, plan.Gain, plan.Warm, plan.Minimum)}
	for _, p := range plan.givers[:min(len(plan.givers), 3)] {
		f.Evidence = append(f.Evidence, poolEvidence(p))
	}
	if len(plan.givers) > 0 {
		for _, key := range []string{"WARM_ENI_TARGET", "WARM_IP_TARGET", "MINIMUM_IP_TARGET"} {
			f.Evidence = append(f.Evidence, settingsEvidence(key, plan.givers[0]))
		}
	}
	a.find(f, nil)
}

// warmPlan is the effect of warm pool targets in one subnet.
type warmPlan struct {
	*cni.WarmPlan
	givers []*pool // nodes that give something
}

// helps reports that the plan frees what the waiting pods need, interfaces for them included, and what nodes take that hold less than
// the targets ask.
func (w *warmPlan) helps() bool { return w.Gain > 0 && w.Gain >= w.Needs+w.Interfaces+w.Takes }

// warmPlan finds targets under which the nodes give back enough; nil where targets mean nothing: no CNI to set, prefixes, IPv6.
func (a *analysis) warmPlan(subnet string) *warmPlan {
	var here []*pool
	for n := range a.s.Nodes {
		p := a.pools[a.s.Nodes[n].Name]
		if !p.known || p.footprint(subnet) == 0 {
			continue
		}
		if p.prefixes() || p.settings.IPv6 {
			return nil
		}
		here = append(here, p)
	}
	if a.s.Driver == nil || len(here) == 0 {
		return nil
	}
	plan := &warmPlan{}
	plan.WarmPlan = cni.PlanWarm(held(here, subnet), func(w *cni.WarmPlan) bool {
		plan.WarmPlan = w
		pods, nodes := a.skippedIn(subnet) // an interface for each such node, as far as is known
		w.Needs, w.Interfaces = w.Needs+pods, w.Interfaces+nodes
		if n := a.launching[subnet]; n > 0 { // a node that starts takes its own address, and keeps as many as the others then
			w.Needs += 1 + max(w.Minimum, n+w.Warm)
		}
		return plan.helps()
	})
	for n, gave := range plan.Gives {
		if gave > 0 {
			plan.givers = append(plan.givers, here[n])
		}
	}
	return plan
}

// held is what nodes hold of a subnet.
func held(nodes []*pool, subnet string) []cni.Held {
	var out []cni.Held
	for _, p := range nodes {
		h := cni.Held{Node: p.place(), Settings: p.settings, Interfaces: p.forecastable(), Pods: p.assigned + p.needing, Waiting: p.needing}
		for _, m := range p.members {
			h.Here = append(h.Here, m.eni.Subnet == subnet)
		}
		out = append(out, h)
	}
	return out
}

// skippedIn counts the pods that wait on nodes of a subnet that were not looked at, and these nodes.
func (a *analysis) skippedIn(subnet string) (pods, nodes int) {
	on := map[string]bool{}
	for _, w := range a.skipped {
		node := a.s.node(w.pod.Spec.NodeName)
		if node == nil {
			continue
		}
		if s := a.s.subnetAt(node.Address); s != nil && s.ID == subnet {
			pods++
			on[node.Name] = true
		}
	}
	return pods, len(on)
}
