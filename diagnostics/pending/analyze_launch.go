package pending

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/vpc"
)

// capacity are the causes that a further node would resolve.
var capacity = []string{"max-pods", "insufficient-resources", "branch-eni-capacity", "windows-ip-resource"}

// noNodesAtAll is what the scheduler says where the cluster has no node.
const noNodesAtAll = "no nodes available to schedule pods"

var subnetID = regexp.MustCompile(`subnet-[0-9a-f]{8,17}`)

// launchTrouble is what was said of a node that could not be started.
type launchTrouble struct {
	subject  string // "node group workers", "Auto Scaling group …", "NodeClaim default-x7k2p"
	message  string
	by       *supplier // nil where it is not known
	claim    string    // name of the NodeClaim
	evidence diagnostics.Evidence
}

// launch looks behind nodes that have no capacity left: an autoscaler may be trying to start more, and can't.
func (a *analysis) launch() {
	pods := a.at(unscheduled)
	if len(pods) == 0 {
		return
	}
	for _, t := range a.launches() {
		var stopped []waiting
		for _, w := range pods {
			if a.stops(t, w) {
				stopped = append(stopped, w)
			}
		}
		if len(stopped) > 0 {
			a.launchFailed(t, stopped)
		}
	}
	a.classNotReady(pods)
}

// stops reports that a node that could not be started would have taken the pod.
func (a *analysis) stops(t launchTrouble, w waiting) bool {
	switch {
	case t.claim != "" && a.nominated(w) == t.claim:
		return true
	case !a.wantsNode(w):
		return false
	}
	return t.by == nil || t.by.takes(w.pod)
}

// wantsNode reports that a further node would help the pod: those that are there are full, or there are none.
func (a *analysis) wantsNode(w waiting) bool {
	if strings.Contains(w.text, noNodesAtAll) {
		return true
	}
	return slices.ContainsFunc(a.of(capacity...), func(f *diagnostics.Finding) bool { return slices.Contains(f.Affects, w.ref()) })
}

// nominated is the NodeClaim that Karpenter means a pod for; empty where there is none.
func (a *analysis) nominated(w waiting) string {
	e := last(byPod(a.s.Events)[string(w.pod.UID)], a.s.At, 2*fresh, "Nominated")
	if e == nil {
		return ""
	}
	_, rest, _ := strings.Cut(e.Message, "nodeclaim/")
	name, _, _ := strings.Cut(rest, ",")
	return strings.TrimSpace(name)
}

// launchFailed reports why a node could not be started: no address for it, or no such instances, or both.
func (a *analysis) launchFailed(t launchTrouble, pods []waiting) {
	if noAddressAtLaunch(t.message) {
		a.launchNoAddress(t, pods)
	}
	if noCapacityAtLaunch(t.message) {
		f := diagnostics.Finding{ID: "capacity-shortage", Subject: t.subject, Confidence: diagnostics.Confirmed, Evidence: []diagnostics.Evidence{t.evidence},
			Summary: fmt.Sprintf("%s can't start a node: EC2 has no such instances now", t.subject)}
		if t.by != nil {
			f.Subject = t.by.name
		}
		a.explain(a.find(f, pods), pods)
		return
	}
	if a.limitAtLaunch(t, pods) {
		return
	}
	if !noAddressAtLaunch(t.message) { // not known here, but worth reading
		for _, f := range a.of(capacity...) {
			if len(f.Evidence) < mostEvidence && !slices.Contains(f.Evidence, t.evidence) && slices.ContainsFunc(pods, func(w waiting) bool { return slices.Contains(f.Affects, w.ref()) }) {
				f.Evidence = append(f.Evidence, t.evidence)
			}
		}
	}
}

// limitAtLaunch reports a node that EC2 refuses for a limit of the VPC or of the account, whatever its subnet has: the limits
// that stop pods on nodes that are there stop new nodes too.
func (a *analysis) limitAtLaunch(t launchTrouble, pods []waiting) bool {
	f := diagnostics.Finding{Confidence: diagnostics.Confirmed, Evidence: []diagnostics.Evidence{t.evidence}}
	switch {
	case strings.Contains(t.message, "NetworkAddressUsage"):
		f.ID, f.Subject = "nau-limit", a.vpcID()
		f.Summary = t.subject + " can't start a node: the VPC has used up its network address units"
		if strings.Contains(t.message, "NetworkAddressUsagePeered") {
			f.Summary = t.subject + " can't start a node: the VPC and those peered with it have used up their network address units"
		}
	case strings.Contains(t.message, "NetworkInterfaceLimitExceeded"):
		f.ID, f.Subject, f.Confidence = "eni-quota", "account "+a.s.Target.Account, diagnostics.Likely
		f.Summary = t.subject + " can't start a node: the account has as many network interfaces as its quota allows"
	default:
		return false
	}
	a.explain(a.find(f, pods), pods)
	return true
}

// launchNoAddress reports a node that gets no address. Where by now a subnet in which it could start has some, the refusal
// is from before: it is no cause any more.
func (a *analysis) launchNoAddress(t launchTrouble, pods []waiting) {
	named := subnetID.FindAllString(t.message, -1)
	ids := slices.Clone(named)
	if t.by != nil && (len(ids) == 0 || t.by.pool != nil) { // Karpenter tries every subnet of a pool, a node group's failure names the one
		ids = a.wantedSubnets(*t.by, pods[0].pod)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	f := diagnostics.Finding{ID: "node-launch-no-ip", Subject: t.subject, Confidence: diagnostics.Confirmed, Evidence: []diagnostics.Evidence{t.evidence}}
	full, unknown := 0, 0
	for _, id := range ids {
		s := a.s.subnet(id)
		switch {
		case s == nil:
			unknown++
		default:
			f.Evidence = append(f.Evidence, subnetEvidence(s))
			if s.Available == 0 {
				full++
			}
		}
	}
	switch room := a.most(ids); {
	case len(ids) == 0 || unknown > 0:
		f.Confidence = diagnostics.Likely
	case room.Available >= launchNeeds:
		a.res.Contradictions = append(a.res.Contradictions, fmt.Sprintf("%s was refused a node for want of addresses, but subnet %s has %d free by now: it can start one at its next try", t.subject, room.ID, room.Available))
		return
	case full < len(ids):
		f.Confidence = diagnostics.Likely
	}
	where := "no subnet in which it may start one has an address for it"
	switch {
	case len(ids) == 1:
		f.Subject = ids[0]
		where = ids[0] + " has no address for it"
	case t.by != nil:
		f.Subject = t.by.name
	}
	f.Summary = fmt.Sprintf("%s can't start a node: %s", t.subject, where)
	found := a.find(f, pods)
	a.launching[f.Subject] = len(found.Affects)
	a.explain(found, pods)
}

// launchNeeds is with how many free addresses a subnet surely lets a node start: it takes one, and its CNI a few more at once.
const launchNeeds = 4

// most is the subnet with the most free addresses.
func (a *analysis) most(ids []string) vpc.Subnet {
	var out vpc.Subnet
	for _, id := range ids {
		if s := a.s.subnet(id); s != nil && (out.ID == "" || s.Available > out.Available) {
			out = *s
		}
	}
	return out
}

// classNotReady reports a node class that finds no subnet: its pools can start no node at all.
func (a *analysis) classNotReady(pods []waiting) {
	for _, s := range a.suppliers() {
		if s.pool == nil || !strings.Contains(s.pool.Refusal, "SubnetsNotFound") && !strings.Contains(s.pool.Refusal, "SubnetsNotReady") {
			continue
		}
		var stopped []waiting
		for _, w := range pods {
			if a.wantsNode(w) && s.takes(w.pod) {
				stopped = append(stopped, w)
			}
		}
		if len(stopped) == 0 {
			continue
		}
		kind, name, _ := strings.Cut(s.pool.Class, "/")
		a.explain(a.find(diagnostics.Finding{ID: "node-launch-no-ip", Subject: s.pool.Class, Confidence: diagnostics.Likely,
			Summary:  fmt.Sprintf("%s can't start a node: %s finds no subnet", s.name, s.pool.Class),
			Evidence: []diagnostics.Evidence{{What: "status of " + s.pool.Class, Value: s.pool.Refusal, Source: "list " + strings.ToLower(kind) + "es", Repeat: "kubectl get " + strings.ToLower(kind) + " " + name + " -o yaml"}}}, stopped), stopped)
	}
}

// explain makes what the scheduler says of the pods a symptom of f, where f explains all of them.
func (a *analysis) explain(f *diagnostics.Finding, pods []waiting) {
	for _, w := range pods {
		a.supplied[w.ref()] = true
	}
	for _, c := range a.of(append([]string{"taint", "affinity"}, capacity...)...) {
		if !slices.ContainsFunc(c.Affects, func(ref string) bool { return !slices.Contains(f.Affects, ref) }) && !slices.Contains(c.Because, f.Key()) {
			c.Because = append(c.Because, f.Key())
		}
	}
}

func noAddressAtLaunch(message string) bool {
	return strings.Contains(message, "InsufficientFreeAddresses") || strings.Contains(message, "not enough free addresses") ||
		strings.Contains(message, "not enough free IP addresses") || strings.Contains(message, "IP_NOT_AVAILABLE")
}

func noCapacityAtLaunch(message string) bool {
	return strings.Contains(message, "InsufficientInstanceCapacity") || strings.Contains(message, "InsufficientHostCapacity") || strings.Contains(message, "do not have sufficient") ||
		strings.Contains(message, "no Spot capacity available") || strings.Contains(message, "UnfulfillableCapacity") ||
		strings.Contains(message, "all requested instance types were unavailable") && !noAddressAtLaunch(message)
}

// launches lists what was said of nodes that could not be started within the last hour.
func (a *analysis) launches() []launchTrouble {
	all := a.suppliers()
	var out []launchTrouble
	for n := range all {
		g := all[n].group
		if g == nil {
			continue
		}
		for _, i := range g.Issues {
			message := i.Code + ": " + i.Message
			out = append(out, launchTrouble{subject: all[n].name, message: message, by: &all[n], evidence: diagnostics.Evidence{What: "health of node group " + g.Name, Value: shorten(message),
				Source: "eks:DescribeNodegroup", Repeat: fmt.Sprintf("aws eks describe-nodegroup --cluster-name %s --nodegroup-name %s", a.s.Target.Cluster, g.Name)}})
		}
	}
	seen := map[string]bool{}
	for _, t := range a.s.Activities { // newest first: only the last word of a group counts
		if seen[t.Group] {
			continue
		}
		seen[t.Group] = true
		if t.Status == "Failed" && a.s.At.Sub(t.At) < time.Hour {
			trouble := launchTrouble{subject: "Auto Scaling group " + t.Group, message: t.Message, evidence: diagnostics.Evidence{What: "last activity of " + t.Group, Value: shorten(t.Message),
				Source: "autoscaling:DescribeScalingActivities", Repeat: "aws autoscaling describe-scaling-activities --auto-scaling-group-name " + t.Group + " --max-items 5"}}
			if n := slices.IndexFunc(all, func(s supplier) bool { return s.group != nil && slices.Contains(s.group.AutoScaling, t.Group) }); n >= 0 {
				trouble.by = &all[n]
			}
			out = append(out, trouble)
		}
	}
	for n := range a.s.Events {
		e := &a.s.Events[n]
		if e.InvolvedObject.Kind == "NodeClaim" && e.Type == corev1.EventTypeWarning && a.s.At.Sub(diagnostics.LastSeen(e)) <= 2*fresh {
			pool, _, _ := cutLast(e.InvolvedObject.Name, "-") // the same before and after a try
			out = append(out, launchTrouble{subject: "node pool " + pool, message: e.Reason + ": " + e.Message, claim: e.InvolvedObject.Name, by: poolOf(all, e.InvolvedObject.Name), evidence: eventEvidence(e)})
		}
	}
	slices.SortStableFunc(out, func(x, y launchTrouble) int { return strings.Compare(x.subject, y.subject) })
	return out
}

// cutLast cuts s at the last sep.
func cutLast(s, sep string) (before, after string, found bool) {
	if n := strings.LastIndex(s, sep); n >= 0 {
		return s[:n], s[n+len(sep):], true
	}
	return s, "", false
}

// poolOf finds the node pool of a NodeClaim by its name, which Karpenter makes of the pool's and five random characters.
func poolOf(all []supplier, claim string) *supplier {
	var found *supplier
	for n := range all {
		if p := all[n].pool; p != nil && strings.HasPrefix(claim, p.Name+"-") && (found == nil || len(p.Name) > len(found.pool.Name)) {
			found = &all[n]
		}
	}
	return found
}
