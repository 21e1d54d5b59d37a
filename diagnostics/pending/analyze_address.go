package pending

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/vpc"
)

// The causes that the ledgers of node and subnet tell apart.
var (
	byLedger  = []string{"subnet-exhausted", "eni-all-or-nothing", "no-free-prefix", "eni-slots-full", "warm-target-cap"}
	byCounter = []string{"api-throttled", "nau-limit", "eni-quota", "attachment-limit", "insufficiency-backoff", "cni-iam", "ipamd-leak", "ip-cooldown", "imds-lag"}
)

// address explains pods of a node that get no address. It goes from what stops ipamd before it asks EC2 to what EC2 answers;
// each step is decided by arithmetic, and the answers of EC2 that ipamd counts bear witness. latent marks pods that wait
// for something else first: then only what the arithmetic proves counts.
func (a *analysis) address(node *Node, pods []waiting, latent bool) {
	p := a.pools[node.Name]
	f := diagnostics.Finding{Subject: node.Name, Confidence: diagnostics.Confirmed, Latent: latent}
	if !latent {
		f.Evidence = append(f.Evidence, podEvidence(pods[0]))
	}
	if !slices.ContainsFunc(pods, func(w waiting) bool { return !mayMount(w) }) {
		f.Confidence = diagnostics.Likely
	}
	switch {
	case node.Labels["kubernetes.io/os"] == "windows", a.s.Cluster != nil && a.s.Cluster.IPFamily == "ipv6":
		if !latent {
			a.unsolve(pods, "node "+node.Name+" gives pods addresses otherwise than by secondary IPv4 addresses (Windows, or IPv6)")
		}
		return
	case a.onAutoMode(node):
		if !latent {
			a.autoMode(p, f, pods)
		}
		return
	case !p.configured:
		if _, missed := a.unread("list daemonsets.apps"); !missed {
			if !latent {
				a.unsolve(pods, "there is no DaemonSet aws-node: another CNI serves the pods of node "+node.Name)
			}
			return
		}
	}
	if !latent && a.missingPermission(node, p, f, pods) {
		a.roomNext(p, pods)
		return
	}
	if !p.known {
		switch {
		case !node.Read && a.s.Skipped > 0:
			a.skipped = append(a.skipped, pods...)
		case !latent:
			a.unreadable(node, f, pods)
		}
		return
	}
	f.Evidence = append(f.Evidence, poolEvidence(p))
	if p.free() > 0 {
		if !latent && !a.tooFew(p, f, pods) {
			a.freeButUnused(node, p, f, pods)
		}
		return
	}
	if !p.configured {
		a.unconfigured(node, p, f, pods)
		return
	}
	switch limit, capped := p.settings.HardCap(); {
	case p.full():
		a.slotsFull(p, f, pods)
	case capped && p.attached >= limit:
		f.ID = "warm-target-cap"
		f.Summary = fmt.Sprintf("MINIMUM_IP_TARGET=%d without WARM_IP_TARGET stops node %s at %d addresses: ipamd never asks for another",
			p.settings.MinimumIP, node.Name, limit)
		f.Evidence = append(f.Evidence, settingsEvidence("MINIMUM_IP_TARGET", p), settingsEvidence("WARM_IP_TARGET", p))
		for _, s := range a.places(p) {
			f.Evidence = append(f.Evidence, subnetEvidence(s.subnet))
		}
		a.find(f, pods)
		a.roomNext(p, pods)
	case p.idle():
		a.cordoned(p, f, pods)
	default:
		a.subnetOrWitness(node, p, f, pods)
	}
}

// roomNext finds what the pods would wait for once the CNI asks for addresses again: a subnet without any.
func (a *analysis) roomNext(p *pool, pods []waiting) {
	if !p.known || !p.configured || p.free() > 0 || p.full() {
		return
	}
	ways := a.places(p)
	if len(ways) == 0 || slices.ContainsFunc(ways, func(w way) bool { return !a.shortOf(p, w) }) {
		return
	}
	a.noRoom(p, ways, diagnostics.Finding{Confidence: diagnostics.Confirmed, Latent: true, Evidence: []diagnostics.Evidence{poolEvidence(p)}}, pods)
}

// tooFew is a node that has fewer free addresses than pods wait for there, in subnets that have none left: whatever it does
// with those it has, some pods get none.
func (a *analysis) tooFew(p *pool, f diagnostics.Finding, pods []waiting) bool {
	ways := a.places(p)
	if p.free() >= p.needing || len(ways) == 0 || p.node.Metrics != nil && p.node.Metrics.Assigned > p.assigned+p.aside {
		return false
	}
	for _, w := range ways {
		if w.subnet.Available > 0 {
			return false
		}
	}
	f.Confidence = diagnostics.Likely
	a.exhausted(ways[0].subnet, f, pods)
	return true
}

// slotsFull is a node whose interfaces and addresses are used up below what its kubelet would run.
func (a *analysis) slotsFull(p *pool, f diagnostics.Finding, pods []waiting) {
	f.ID = "eni-slots-full"
	slots := p.place().Slots(p.settings)
	f.Summary = fmt.Sprintf("node %s (%s) can hold %d pod addresses and all are in use, but it may run %d pods (max-pods)", p.node.Name, p.node.Type, slots, p.node.MaxPods)
	if p.attached < slots { // addresses of the other kind take places, and serve no new pods
		f.Summary = fmt.Sprintf("node %s (%s) has no place left for a further address: its interfaces hold %d that new pods can have, all in use, and %s", p.node.Name, p.node.Type, p.attached, p.otherKind())
	}
	how := fmt.Sprintf("%d interfaces × %d addresses", p.interfaces(), p.limits.Addresses-1)
	if p.settings.CustomNetworking {
		how = fmt.Sprintf("(%d − 1) interfaces × %d addresses: with custom networking the first interface serves no pods", p.interfaces(), p.limits.Addresses-1)
	}
	f.Evidence = append(f.Evidence,
		diagnostics.Evidence{What: "pod addresses that " + p.node.Type + " can hold", Value: fmt.Sprintf("%d: %s", slots, how), Source: "ec2:DescribeInstanceTypes",
			Repeat: "aws ec2 describe-instance-types --instance-types " + p.node.Type},
		diagnostics.Evidence{What: "allocatable pods of node " + p.node.Name, Value: fmt.Sprint(p.node.MaxPods), Source: "list nodes", Repeat: nodeCommand(p.node)})
	for _, id := range p.subnets() {
		if s := a.s.subnet(id); s != nil {
			f.Evidence = append(f.Evidence, subnetEvidence(s))
		}
	}
	a.find(f, pods)
}

// missingPermission goes by what the CNI itself says: an event on its pod names the action. It decides without EC2.
func (a *analysis) missingPermission(node *Node, p *pool, f diagnostics.Finding, pods []waiting) bool {
	e := a.permissionEvent(node)
	if e == nil || p.known && p.free() > 0 {
		return false
	}
	a.lacks(node, p, e, f, pods)
	return true
}

// permissionEvent finds the latest event by which the aws-node pod of a node tells of a missing permission that gets addresses.
func (a *analysis) permissionEvent(node *Node) *corev1.Event {
	if node.Agent == nil {
		return nil
	}
	var found *corev1.Event
	for n := range a.s.Events {
		e := &a.s.Events[n]
		if e.Reason == "MissingIAMPermissions" && e.InvolvedObject.Name == node.Agent.Name && a.s.At.Sub(diagnostics.LastSeen(e)) <= fresh && getsAddresses(e.Message) {
			found = e
		}
	}
	return found
}

// lacks reports the permission that an event names.
func (a *analysis) lacks(node *Node, p *pool, e *corev1.Event, f diagnostics.Finding, pods []waiting) {
	f.ID, f.Subject = "cni-iam", a.role(node)
	f.Summary = fmt.Sprintf("the CNI may not call %s: node %s gets no further addresses", actionIn(e.Message), node.Name)
	f.Evidence = append(f.Evidence, eventEvidence(e))
	a.witnessed(&f, p, "UnauthorizedOperation")
	a.find(f, pods)
}

// getsAddresses reports that a message is about an action without which no address is had.
func getsAddresses(message string) bool {
	action := strings.TrimPrefix(actionIn(message), "ec2:")
	return slices.Contains([]string{"AssignPrivateIpAddresses", "CreateNetworkInterface", "AttachNetworkInterface", "ModifyNetworkInterfaceAttribute",
		"DescribeNetworkInterfaces", "DescribeSubnets", "DescribeInstanceTypes", "DescribeInstances", "CreateTags", "AssignIpv6Addresses"}, action)
}

func actionIn(message string) string {
	for word := range strings.FieldsSeq(message) {
		if strings.HasPrefix(word, "ec2:") {
			return strings.TrimRight(word, ".,;")
		}
	}
	return "EC2"
}

// role names the identity of the CNI on a node, as far as it is known: that of the add-on, or the one that its pods are given.
func (a *analysis) role(node *Node) string {
	switch {
	case a.s.Addon != nil && a.s.Addon.RoleARN != "":
		return a.s.Addon.RoleARN
	case node != nil && node.Agent != nil && node.Agent.Env["AWS_ROLE_ARN"] != "":
		return node.Agent.Env["AWS_ROLE_ARN"]
	}
	return "serviceaccount/kube-system/aws-node"
}

// witnessed adds what ipamd counts of EC2's answers, and what its log says.
func (a *analysis) witnessed(f *diagnostics.Finding, p *pool, codes ...string) {
	if e, ok := metricEvidence(p.node, codes...); ok {
		f.Evidence = append(f.Evidence, e)
	}
	if l, _, ok := p.node.logged(a.s.At, fresh, logParts(codes)...); ok {
		f.Evidence = append(f.Evidence, logEvidence(p.node, l))
	}
	if e := a.nodeEvent(p.node, fresh, "IPAMDNoIPs"); e != nil && slices.Contains(codes, "InsufficientFreeAddressesInSubnet") {
		f.Evidence = append(f.Evidence, eventEvidence(e))
	}
}

// freeButUnused is a node whose interfaces have addresses that no pod uses, and a pod gets none: ipamd thinks otherwise.
func (a *analysis) freeButUnused(node *Node, p *pool, f diagnostics.Finding, pods []waiting) {
	switch {
	case a.lostAddresses(p, f, pods):
	case p.configured && p.idle() && p.free() < p.needing:
		a.cordoned(p, f, pods)
	case a.onDisk(p, f, pods), a.metadataLag(p, f, pods):
	case a.cooldown(node, p, f, pods):
	default:
		a.leaves("get pods/proxy", "ipamd-leak", "ip-cooldown", "imds-lag")
		a.unsolve(pods, fmt.Sprintf("node %s has %s that no pod uses, and yet they get none", node.Name, plural(p.free(), "address")))
	}
}

// exhausted reports a subnet without a free address.
func (a *analysis) exhausted(s *vpc.Subnet, f diagnostics.Finding, pods []waiting) {
	f.ID, f.Subject = "subnet-exhausted", s.ID
	f.Summary = fmt.Sprintf("subnet %s (%s) has %d of %d addresses available", s.ID, s.Zone, s.Available, vpc.Usable(s.CIDR))
	if l, ok := a.ledgers[s.ID]; ok && l.Reserved > 0 {
		f.Summary += fmt.Sprintf("; %d more are reserved for prefixes", l.Reserved)
	}
	f.Evidence = append([]diagnostics.Evidence{subnetEvidence(s)}, f.Evidence...)
	a.find(f, pods)
}
