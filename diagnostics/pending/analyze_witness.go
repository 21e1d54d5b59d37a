package pending

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/trail"
)

// answers are EC2's answers to ipamd that explain why a node with no free address gets none although its subnet has some.
type answer struct {
	cause      string
	codes      []string
	confidence diagnostics.Confidence
	summary    string
}

func answers() []answer {
	return []answer{
		{"nau-limit", []string{"NetworkAddressUsageLimitExceeded", "NetworkAddressUsagePeeredLimitExceeded"}, diagnostics.Confirmed,
			"the VPC has used up its network address units: EC2 refuses every further address"},
		{"eni-quota", []string{"NetworkInterfaceLimitExceeded"}, diagnostics.Likely,
			"the account has as many network interfaces as its quota allows: no further one can be made"},
		{"attachment-limit", []string{"AttachmentLimitExceeded"}, diagnostics.Likely,
			"the instance has no attachment left for another interface"},
		{"eniconfig", []string{"InvalidSubnetID.NotFound", "InvalidSubnet", "InvalidGroup.NotFound"}, diagnostics.Likely,
			"EC2 does not know the subnet or the security group that an ENIConfig names"},
		{"cni-iam", []string{"UnauthorizedOperation"}, diagnostics.Likely, "EC2 refuses the CNI's calls for want of a permission"},
		{"ipamd-leak", []string{"PrivateIpAddressLimitExceeded"}, diagnostics.Possible,
			"ipamd asks for more addresses than the interface can hold: its books don't fit"},
		{"api-throttled", []string{"RequestLimitExceeded"}, diagnostics.Confirmed, "EC2 throttles the calls by which the CNI gets addresses"},
		{"insufficiency-backoff", refusals(), diagnostics.Possible, ""},
	}
}

// backoff is how long ipamd waits after EC2 has refused an address for want of room.
const backoff = 2 * time.Minute

// counted goes by the answers that ipamd counts, the most frequent one first. Counters never go back: they bear witness only
// where the ledgers show nothing.
func (a *analysis) counted(node *Node, p *pool, f diagnostics.Finding, pods []waiting) bool {
	var best answer
	most := 0
	for _, candidate := range answers() {
		if candidate.cause == "insufficiency-backoff" && a.waitIsOver(node, p) {
			continue
		}
		if n := a.answered(node, candidate.codes...); n > most && candidate.fits(p) {
			best, most = candidate, n
		}
	}
	if most == 0 {
		return false
	}
	f.ID = best.cause
	f.Summary = best.summary
	if rank(best.confidence) > rank(f.Confidence) {
		f.Confidence = best.confidence
	}
	switch best.cause {
	case "cni-iam":
		f.Subject = a.role(node)
	case "nau-limit":
		f.Subject = a.vpcID()
		if a.answered(node, "NetworkAddressUsagePeeredLimitExceeded") > 0 {
			f.Summary = "the VPC and those peered with it have used up their network address units: EC2 refuses every further address"
		}
	case "eni-quota":
		f.Subject = "account " + cmp.Or(a.s.Target.Account, a.s.Cluster.Account())
	case "attachment-limit":
		a.attachments(p, &f)
	case "eniconfig":
		f.Subject = node.Name
		f.Evidence = append(f.Evidence, a.eniConfigEvidence())
	case "api-throttled":
		f.Subject = "aws-node"
		if a.throttledNodes() < 3 {
			f.Confidence = diagnostics.Likely
		}
		f.Summary += fmt.Sprintf(" on %s", plural(a.throttledNodes(), "node"))
		f.Evidence = append(f.Evidence, settingsEvidence("WARM_IP_TARGET", p))
	case "insufficiency-backoff":
		a.backoff(node, p, &f)
	}
	for _, id := range p.subnets() {
		if s := a.s.subnet(id); s != nil {
			f.Evidence = append(f.Evidence, subnetEvidence(s))
		}
	}
	a.witnessed(&f, p, best.codes...)
	a.find(f, pods)
	return true
}

// fits reports that an answer can explain a node that gets no address.
func (c answer) fits(p *pool) bool {
	switch c.cause {
	case "eni-quota", "attachment-limit":
		return p.room() == 0 // an interface with room needs no further one
	case "eniconfig":
		return p.room() == 0 && p.settings.CustomNetworking
	}
	return true
}

// attachments tells what takes the attachments of an instance: on many types interfaces share them with volumes.
func (a *analysis) attachments(p *pool, f *diagnostics.Finding) {
	f.Subject = p.node.Name
	f.Summary = fmt.Sprintf("instance %s (%s) has no attachment left for another interface: it has %s and %s", p.node.Instance, p.node.Type,
		plural(len(p.members)+p.taken, "interface"), plural(p.node.Volumes, "volume"))
	f.Evidence = append(f.Evidence,
		diagnostics.Evidence{What: "interfaces of node " + p.node.Name, Value: fmt.Sprintf("%d of the %d that %s allows", len(p.members)+p.taken, p.limits.Interfaces, p.node.Type),
			Source: "ec2:DescribeNetworkInterfaces", Repeat: "aws ec2 describe-network-interfaces --filters Name=attachment.instance-id,Values=" + p.node.Instance},
		diagnostics.Evidence{What: "volumes attached to node " + p.node.Name, Value: fmt.Sprint(p.node.Volumes), Source: "list nodes",
			Repeat: "kubectl get node " + p.node.Name + " -o jsonpath={.status.volumesAttached}"})
}

func (a *analysis) throttledNodes() int {
	n := 0
	for i := range a.s.Nodes {
		if a.answered(&a.s.Nodes[i], "RequestLimitExceeded") > 0 {
			n++
		}
	}
	return n
}

// answered counts EC2's answers with one of the codes to the CNI of a node: what it counts itself or, where that can't be had or
// shows none, what its log and the node monitoring agent say, as one.
func (a *analysis) answered(n *Node, codes ...string) int {
	if count := n.Metrics.count(codes...); count > 0 {
		return count
	}
	if line, _, ok := n.logged(a.s.At, fresh, logParts(codes)...); ok && slices.ContainsFunc(slices.Concat(addressCalls(), []string{ownWords}), func(t string) bool { return strings.Contains(line, t) }) {
		return 1
	}
	if slices.Contains(codes, "InsufficientFreeAddressesInSubnet") && a.nodeEvent(n, fresh, "IPAMDNoIPs") != nil {
		return 1
	}
	return 0
}

// logParts are what ipamd writes for answers with these codes: the code itself, or its own words for want of room.
func logParts(codes []string) []string {
	if slices.ContainsFunc(codes, func(c string) bool { return strings.HasPrefix(c, "Insufficient") }) {
		return slices.Concat(codes, []string{ownWords})
	}
	return codes
}

// ownWords is what ipamd itself writes of a refusal for want of room.
const ownWords = "doesn't seem to have enough IPs/Prefixes"

// nodeEvent finds the latest event about a node with one of the reasons that is not older than within. The node's name counts:
// some writers put it where the uid belongs.
func (a *analysis) nodeEvent(n *Node, within time.Duration, reasons ...string) *corev1.Event {
	var about []*corev1.Event
	for i := range a.s.Events {
		if e := &a.s.Events[i]; e.InvolvedObject.Kind == "Node" && e.InvolvedObject.Name == n.Name {
			about = append(about, e)
		}
	}
	return last(about, a.s.At, within, reasons...)
}

// backoff tells when ipamd asks again. It says itself that it waits, or the audit log knows when EC2 last refused; without
// either the wait is at most two minutes, if it is one.
func (a *analysis) backoff(node *Node, p *pool, f *diagnostics.Finding) {
	f.Subject = node.Name
	f.Summary = fmt.Sprintf("after EC2 had no address to give, ipamd of node %s waits two minutes before it asks again, although there is room by now", node.Name)
	var began time.Time
	if line, _, ok := node.logged(a.s.At, backoff, waitsAfterRefusal); ok {
		f.Confidence = diagnostics.Confirmed
		f.Evidence = append(f.Evidence, logEvidence(node, line))
		_, began, _ = node.logged(a.s.At, backoff, logParts(refusals())...)
	}
	if latest := a.lastRefusal(p); latest != nil {
		if a.s.At.Sub(latest.At) < backoff {
			began = latest.At
			if f.Confidence != diagnostics.Confirmed {
				f.Confidence = diagnostics.Likely
			}
		}
		f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "last refusal of " + latest.Name, Value: latest.At.UTC().Format("15:04:05") + ", " + a.s.At.Sub(latest.At).Round(time.Second).String() + " ago",
			Source: "cloudtrail:LookupEvents", Repeat: "aws cloudtrail lookup-events --lookup-attributes AttributeKey=EventName,AttributeValue=" + latest.Name})
	}
	if left := backoff - a.s.At.Sub(began); !began.IsZero() && left > 0 {
		f.Summary += fmt.Sprintf(": at most %d seconds are left", int(left.Seconds()))
	}
}

// lastRefusal is the latest refusal for want of room that the audit log has of the interfaces of a node; nil where it has none.
func (a *analysis) lastRefusal(p *pool) *trail.Event {
	var latest *trail.Event
	for n := range a.s.Audit {
		e := &a.s.Audit[n]
		if (strings.Contains(e.Error, "Insufficient") || strings.Contains(e.Detail, "InsufficientFreeAddresses") || strings.Contains(e.Detail, "InsufficientCidrBlocks")) &&
			concerns(e, p) && (latest == nil || e.At.After(latest.At)) {
			latest = e
		}
	}
	return latest
}

// waitIsOver reports that EC2 refused for the last time so long ago that ipamd has asked again since, the delay of the audit
// log included, and that ipamd itself doesn't say that it waits.
func (a *analysis) waitIsOver(node *Node, p *pool) bool {
	latest := a.lastRefusal(p)
	if _, _, waits := node.logged(a.s.At, backoff, waitsAfterRefusal); waits || latest == nil {
		return false
	}
	return a.s.At.Sub(latest.At) > 2*backoff
}

// waitsAfterRefusal is what ipamd writes while it waits (pkg/ipamd/ipamd.go).
const waitsAfterRefusal = "Recently we had InsufficientCidr error"

// refusals are the codes after which ipamd waits; no other makes it wait.
func refusals() []string {
	return []string{"InsufficientFreeAddressesInSubnet", "InsufficientCidrBlocks"}
}

func concerns(e *trail.Event, p *pool) bool {
	for _, m := range p.members {
		if slices.Contains(e.Resources, m.eni.ID) {
			return true
		}
		if strings.Contains(e.Detail, m.eni.ID) {
			return true
		}
	}
	return false
}

// prefixesRefused is EC2 refusing a prefix although a /28 looks free: it may keep ranges for itself.
func (a *analysis) prefixesRefused(node *Node, p *pool, ways []way, f diagnostics.Finding, pods []waiting) bool {
	s := ways[0].subnet
	blocks, ok := a.prefixesOf(s)
	if !p.prefixes() || !ok || blocks.Reserved > 0 || blocks.AtLeast > 2 || a.answered(node, "InsufficientCidrBlocks") == 0 {
		return false
	}
	f.ID, f.Subject, f.Confidence = "no-free-prefix", s.ID, diagnostics.Likely
	f.Summary = fmt.Sprintf("EC2 grants no prefix in subnet %s (%s), although %d to %d blocks look free", s.ID, s.Zone, blocks.AtLeast, blocks.Free)
	f.Evidence = append(f.Evidence, subnetEvidence(s))
	a.witnessed(&f, p, "InsufficientCidrBlocks")
	a.find(f, pods)
	return true
}

func (a *analysis) vpcID() string {
	switch {
	case a.s.VPC != nil:
		return a.s.VPC.ID
	case a.s.Cluster != nil && a.s.Cluster.VPC != "":
		return a.s.Cluster.VPC
	case len(a.s.Subnets) > 0:
		return a.s.Subnets[0].VPC
	}
	return "vpc"
}
