package pending

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/awsnode"
	"github.com/netdiag/netdiag/internal/vpc"
)

// lasting proposes what ends the trouble for good: a design for pods, and for the control plane. Nothing of it helps today.
func (a *analysis) lasting(f *diagnostics.Finding) {
	if f.Latent {
		return
	}
	a.designPods(f)
	a.clusterSubnets(f)
}

// designPods is custom networking or IPv6, where the VPC has no room left, or the CNI can't use further subnets otherwise.
func (a *analysis) designPods(f *diagnostics.Finding) {
	here, s := a.affected(f), a.s.subnet(f.Subject)
	if len(here) == 0 || s == nil || a.s.Driver == nil || !here[0].known || here[0].settings.IPv6 {
		return
	}
	settings := here[0].settings
	_, unused := a.freeBlock()
	switch {
	case settings.CustomNetworking:
	case !unused || !settings.SubnetDiscovery || !a.s.setup().Since(18, 3):
		a.customNetworking(f)
	default:
		a.refuse("custom-networking", "it gives 0 of the %s an address: nodes that are there don't change, and each new one carries an interface less", plural(len(f.Affects), "pod"))
	}
	if v := a.s.VPC; v != nil && !unused {
		total := 0
		for _, block := range v.CIDRs {
			if block.Addr().Is4() {
				total += 1 << (32 - block.Bits())
			}
		}
		a.offer("ipv6", diagnostics.Fix{Title: "For the long run: a cluster whose pods have IPv6 addresses", Needs: len(f.Affects),
			Proof:   fmt.Sprintf("the blocks of VPC %s have %d addresses, and no /26 of them is unused; IPv6 pods take none of them; the IP family of a cluster can't be changed, so that it is a new one, and nothing is gained now", v.ID, total),
			Blast:   "all workloads move to another cluster",
			Changes: []string{"an IPv6 block for VPC " + v.ID + " and its subnets", "a new cluster with ipFamily ipv6"}, Undo: "keep the present cluster until the new one serves", SettlesIn: "720h",
			Commands: []string{fmt.Sprintf("aws ec2 associate-vpc-cidr-block --vpc-id %s --amazon-provided-ipv6-cidr-block", v.ID), "aws eks create-cluster --name <new cluster> --kubernetes-network-config ipFamily=ipv6 …"}}, f)
	}
}

// furtherSubnet takes new interfaces to another subnet: by an ENIConfig where those say, or else by a tag.
func (a *analysis) furtherSubnet(f *diagnostics.Finding) {
	here, s := a.affected(f), a.s.subnet(f.Subject)
	if s != nil && len(here) > 0 && here[0].known && here[0].settings.CustomNetworking {
		a.largerENIConfig(f, here[0], s)
		return
	}
	a.fixAddSubnet(f)
}

// largerENIConfig points the ENIConfig of the nodes at a subnet with room: interfaces that are made from now on are in it.
func (a *analysis) largerENIConfig(f *diagnostics.Finding, p *pool, full *vpc.Subnet) {
	o := a.podSubnet(full.Zone, len(f.Affects)+p.limits.Addresses)
	able := 0
	for _, q := range a.affected(f) {
		if q.known && q.canAttach() {
			able++
		}
	}
	if able == 0 {
		a.refuse("custom-networking", "0 of %s have a place left for an interface in another subnet than %s", plural(len(a.affected(f)), "affected node"), full.ID)
		return
	}
	name := p.eniConfigName()
	to, frees, proof := "<new subnet>", 0, fmt.Sprintf("no subnet of %s that is meant for pods has room: it has to be made", full.Zone)
	if o != nil && o.ID != full.ID {
		to, frees, proof = o.ID, o.Available, fmt.Sprintf("subnet %s of %s has %d free addresses, and %s missing", o.ID, o.Zone, o.Available, awsnode.AreMissing(len(f.Affects)))
	}
	a.offer("custom-networking", diagnostics.Fix{Title: fmt.Sprintf("Point ENIConfig %q at a subnet with room", name), Frees: frees, Needs: len(f.Affects),
		Proof:   fmt.Sprintf("%s; %d of %s have a place for an interface there", proof, able, plural(len(a.affected(f)), "affected node")),
		Blast:   "interfaces that are there stay in " + full.ID + "; firewalls and security groups that name blocks must know the new one",
		Changes: []string{fmt.Sprintf("ENIConfig %s: subnet %s → %s", name, full.ID, to)}, Undo: fmt.Sprintf("set it back to %s", full.ID), SettlesIn: "5m",
		Commands: []string{fmt.Sprintf("kubectl patch eniconfig %s --type merge -p '{\"spec\":{\"subnet\":\"%s\"}}'", name, to)}}, f)
}

// observe makes the CNI tell more, where all that could be read does not tell what stops it. It changes nothing for the pods
// that wait now.
func (a *analysis) observe() {
	d := a.s.Driver
	if d == nil {
		return
	}
	dark := map[string]bool{} // nodes whose ledgers are known, and do not explain their pods
	note := func(name string) {
		if p := a.pools[name]; p != nil && p.known && p.node.Labels["kubernetes.io/os"] != "windows" {
			dark[name] = true
		}
	}
	for _, u := range a.unsolved {
		for _, w := range u.pods {
			if unanswered := w.text == "" || strings.Contains(w.text, "failed to assign an IP address"); w.stage == unconnected && unanswered && !w.pod.Spec.HostNetwork && !ownInterface(w.pod) {
				note(w.pod.Spec.NodeName)
			}
		}
	}
	for _, f := range a.findings {
		if f.Confidence == diagnostics.Possible && !f.Latent {
			note(f.Subject)
		}
	}
	if len(dark) == 0 || d.Env["AWS_VPC_K8S_CNI_LOG_FILE"] == "stdout" && d.Env["AWS_VPC_K8S_CNI_LOGLEVEL"] == "DEBUG" {
		return
	}
	metrics := 0
	for name := range dark {
		if a.s.node(name).Metrics != nil {
			metrics++
		}
	}
	fix := diagnostics.Fix{Title: "Let ipamd write its log where it can be read, and keep its counters",
		Proof: fmt.Sprintf("on %s all ledgers were read and don't tell what stops the CNI; %d of %d showed its counters, and its log stays on the node while AWS_VPC_K8S_CNI_LOG_FILE is %s; no pod starts by it", plural(len(dark), "node"), metrics, len(dark), awsnode.Shown(d.Env, "AWS_VPC_K8S_CNI_LOG_FILE"))}
	fix = a.s.setup().Change(fix, true, awsnode.Setting{Name: "AWS_VPC_K8S_CNI_LOG_FILE", Value: "stdout"}, awsnode.Setting{Name: "AWS_VPC_K8S_CNI_LOGLEVEL", Value: "DEBUG"})
	fix.Action, fix.Executable = nil, false
	fix.Commands = append(fix.Commands,
		fmt.Sprintf("aws eks create-addon --cluster-name %s --addon-name eks-node-monitoring-agent", a.s.Target.Cluster),
		"# scrape port 61678 of the pods k8s-app=aws-node, and alert on awscni_aws_api_error_count, and on subnets with less than a tenth of their addresses available")
	a.advise("observe-ipam", fix)
}

// advise adds a fix that resolves nothing by itself.
func (a *analysis) advise(id string, f diagnostics.Fix) {
	f.ID = "pending/" + id
	f.Risk = diagnostics.FixByID(f.ID).Risk
	if !slices.ContainsFunc(a.res.Fixes, func(o diagnostics.Fix) bool { return o.ID == f.ID }) {
		a.res.Fixes = append(a.res.Fixes, f)
	}
}
