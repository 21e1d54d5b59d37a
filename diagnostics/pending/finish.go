package pending

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/vpc"
)

// finish turns what was found into the result.
func (a *analysis) finish() {
	a.fixes()
	for _, f := range a.findings {
		a.res.Findings = append(a.res.Findings, *f)
	}
	slices.SortStableFunc(a.res.Findings, func(x, y diagnostics.Finding) int { return strings.Compare(x.Key(), y.Key()) })
	a.gaps()
	a.contradictions()
	a.passed()
	a.summarize()
	a.timeline()
	a.tables()
	a.steps()
}

// stuck lists the pods that should run and don't.
func (a *analysis) stuck() []waiting {
	return a.at(unscheduled, unmounted, unconnected, connected, onFargate)
}

func (a *analysis) summarize() {
	ns, stuck := a.s.Target.Namespace, a.stuck()
	roots := a.roots()
	r := &a.res
	if len(stuck) > 0 {
		r.Impact = fmt.Sprintf("%d of %s of %s cannot start", len(stuck), plural(a.s.Live, "pod"), ns)
	}
	absent := 0
	for _, w := range a.s.Short {
		absent += w.Desired - w.Have
	}
	if absent > 0 && len(a.of("quota", "admission-webhook", "admission-denied")) > 0 {
		more := fmt.Sprintf("%s of %s are not even made", plural(absent, "pod"), ns)
		r.Impact = strings.TrimPrefix(r.Impact+"; "+more, "; ")
	}
	if refused := a.at(rejected); len(refused) > 0 && r.Impact == "" {
		r.Impact = fmt.Sprintf("%s of %s refused by the kubelet; the others are made again elsewhere", plural(len(refused), "pod"), ns)
	}
	switch {
	case len(roots) > 0:
		a.severity(stuck, absent)
		r.Layer = layer(roots[0].ID)
		r.Summary = headline(*roots[0])
		for _, f := range roots[1:min(len(roots), 3)] {
			r.Summary += "; " + headline(*f)
		}
		if n := a.unsolvedPods(); n > 0 {
			r.Summary += fmt.Sprintf("; why %s more wait is not known", plural(n, "pod"))
		}
	case a.unsolvedPods() > 0:
		r.Severity, r.Layer = "P2", diagnostics.Workload
		r.Summary = fmt.Sprintf("%s of %s cannot start, and the cause is not known: %s", plural(a.unsolvedPods(), "pod"), ns, a.unsolved[0].why)
		if len(r.Gaps) > 0 && a.isOpen() {
			r.Summary = fmt.Sprintf("%s of %s cannot start, and what could not be read would tell why: %s", plural(a.unsolvedPods(), "pod"), ns, a.unsolved[0].why)
			r.Layer = diagnostics.L3
		}
	default:
		r.Summary = a.quiet()
	}
	a.resolution()
	a.prevention(roots)
}

// headline is a finding's sentence with how many pods it concerns.
func headline(f diagnostics.Finding) string {
	s := f.Summary
	if n := len(f.Affects); n > 0 && strings.HasPrefix(f.Affects[0], "pod/") && !strings.Contains(s, "pod") {
		s += fmt.Sprintf(": %s wait", plural(n, "pod"))
		if n == 1 {
			s += "s"
		}
	}
	return s
}

// quiet is the summary where nothing is wrong: what waits by design is said, and full subnets that hurt nobody yet.
func (a *analysis) quiet() string {
	ns := a.s.Target.Namespace
	if u, missed := a.unread("list pods"); missed {
		return fmt.Sprintf("the pods of %s could not be read (%s)", ns, u.Reason)
	}
	var parts []string
	for _, k := range []struct {
		s    stage
		what string
	}{{gated, "held back by a scheduling gate"}, {placeholder, "of negative priority, which hold room for others"}, {starting, "starting"}, {terminating, "being deleted"}} {
		if n := len(a.at(k.s)); n > 0 {
			parts = append(parts, fmt.Sprintf("%s %s", plural(n, "pod"), k.what))
		}
	}
	text := fmt.Sprintf("no pod of %s waits for anything: %d of %s are ready", ns, a.s.Ready, plural(a.s.Live, "pod"))
	if len(parts) > 0 {
		text = fmt.Sprintf("no pod of %s waits for anything but by design: %s", ns, strings.Join(parts, ", "))
	}
	return text
}

func (a *analysis) severity(stuck []waiting, absent int) {
	switch {
	case len(stuck)+absent == 0:
		a.res.Severity = "P3"
	case a.s.Ready == 0 && a.s.Live > 0:
		a.res.Severity = "P1"
	default:
		a.res.Severity = "P2"
	}
}

// roots are the findings that will stand as causes, the most damaging first.
func (a *analysis) roots() []*diagnostics.Finding {
	var out []*diagnostics.Finding
	for _, f := range a.ranked() {
		if !f.Latent {
			out = append(out, f)
		}
	}
	return out
}

func (a *analysis) unsolvedPods() int {
	n := 0
	for _, u := range a.unsolved {
		n += len(u.pods)
	}
	return n
}

func layer(id string) diagnostics.Layer {
	switch strings.TrimPrefix(id, "pending/") {
	case "subnet-exhausted", "eni-all-or-nothing", "no-free-prefix", "eni-slots-full", "warm-target-cap", "ip-cooldown", "insufficiency-backoff", "api-throttled",
		"cni-not-initialized", "ipamd-down", "cni-misconfigured", "cni-iam", "branch-eni-failed", "branch-eni-capacity", "eniconfig", "subnet-discovery", "nau-limit",
		"eni-quota", "attachment-limit", "node-cordoned", "ipamd-leak", "fargate-no-ip", "max-pods", "node-launch-no-ip", "other-cni", "network-policy-agent", "egress", "windows-ip-resource":
		return diagnostics.L3
	case "quota", "admission-webhook", "admission-denied":
		return diagnostics.ControlPlane
	}
	return diagnostics.Workload
}

func (a *analysis) resolution() {
	switch {
	case len(a.res.Fixes) > 0:
		a.res.Resolution = a.res.Fixes[0].Title
	case len(a.of("other-cni")) > 0:
		a.res.Resolution = "Give the address pool of the other CNI more room"
	}
}

func (a *analysis) prevention(roots []*diagnostics.Finding) {
	add := func(s string) {
		if !slices.Contains(a.res.Prevention, s) {
			a.res.Prevention = append(a.res.Prevention, s)
		}
	}
	for _, f := range roots {
		switch strings.TrimPrefix(f.ID, "pending/") {
		case "subnet-exhausted", "eni-all-or-nothing":
			add("Alert when a subnet of pods has less than 20 % of its addresses available")
			add("Plan pod subnets for three to five times the pods expected, rollouts and node rotation included")
		case "no-free-prefix":
			add("Keep prefixes in subnets of their own, with a reservation of type prefix made while they are empty")
		case "max-pods":
			add("Scale on the number of pods too, or use instance types and prefix delegation that allow more of them, from the start of a node group")
		case "warm-target-cap":
			add("Never set MINIMUM_IP_TARGET without WARM_IP_TARGET of at least 1")
		case "cni-iam":
			add("Alert on MissingIAMPermissions events of aws-node and on awscni_aws_api_error_count")
		case "eni-slots-full":
			add("Set max-pods by the formula of the networking mode whenever the mode changes")
		case "api-throttled":
			add("Keep enough warm addresses for the pods that start between two calls")
		}
	}
}

// gaps names what could not be read, and which causes stay open for want of it.
func (a *analysis) gaps() {
	for _, u := range a.s.Unread {
		key := u
		key.What = ""
		g := diagnostics.Gap{Permission: u.Permission, Reason: u.Reason, Summary: gapText(u)}
		// A pod whose trouble is known doesn't hang on what could not be read.
		if len(a.unsolved) > 0 {
			g.Caps = slices.Clone(a.open[key])
		}
		if u.Permission == "list pods" && len(a.s.Pods) == 0 {
			g.Caps = []string{"pending/subnet-exhausted", "pending/max-pods", "pending/insufficient-resources", "pending/image-pull"}
		}
		if u.Permission == "ec2:DescribeInstances" && a.doubtful() {
			g.Caps = append(g.Caps, "pending/leaked-enis")
		}
		slices.Sort(g.Caps)
		a.res.Gaps = append(a.res.Gaps, g)
	}
	if _, missed := a.unread("list events"); missed && len(a.unsolved) > 0 {
		for n := range a.res.Gaps {
			if g := &a.res.Gaps[n]; g.Permission == "list events" {
				g.Caps = append(g.Caps, "pending/volume-mount", "pending/missing-config", "pending/cni-iam", "pending/ipamd-down")
			}
		}
	}
}

// doubtful reports unattached interfaces that may be leaked in a subnet that is full.
func (a *analysis) doubtful() bool {
	for _, f := range a.of("subnet-exhausted", "eni-all-or-nothing", "no-free-prefix") {
		if l, ok := a.ledgers[f.Subject]; ok && l.Of(vpc.Unattached).Addresses > 0 {
			return true
		}
	}
	return false
}

func (a *analysis) isOpen() bool {
	return slices.ContainsFunc(a.res.Gaps, func(g diagnostics.Gap) bool { return len(g.Caps) > 0 })
}

func gapText(u diagnostics.Unread) string {
	how := map[string]string{diagnostics.Denied: "may not be read", diagnostics.Throttled: "was throttled", diagnostics.Timeout: "did not answer in time", diagnostics.Absent: "is not there"}[u.Reason]
	what := map[string]string{
		"ec2:DescribeSubnets":                   "subnets: cannot tell whether they are full",
		"ec2:DescribeNetworkInterfaces":         "network interfaces: cannot tell who holds addresses",
		"ec2:DescribeInstances":                 "instances: cannot tell whether an interface is leaked",
		"ec2:GetSubnetCidrReservations":         "subnet reservations: the count of free /28 may be off",
		"ec2:DescribeInstanceTypes":             "instance types: limits are from a table",
		"list events":                           "events: what Kubernetes said of the pods is not known",
		"get pods/proxy":                        "counters of the CNI: EC2's answers to it are not known",
		"get pods/log":                          "logs of the CNI",
		"eks:DescribeAddon":                     "add-ons: the owner of the CNI's settings is not known",
		"eks:DescribeCluster":                   "the cluster",
		"list nodes":                            "nodes",
		"list pods":                             "pods",
		"cloudtrail:LookupEvents":               "the audit log: when EC2 last refused is not known",
		"list persistentvolumeclaims":           "volume claims",
		"list persistentvolumes":                "volumes",
		"list daemonsets.apps":                  "DaemonSets: the settings of the CNI are not known",
		"list namespaces":                       "namespaces",
		"ec2:DescribeVpcs":                      "the VPC: unused blocks are not known",
		"ec2:DescribeRouteTables":               "route tables",
		"eks:ListNodegroups":                    "node groups: what keeps them from growing is not known",
		"eks:DescribeNodegroup":                 "node groups: what keeps them from growing is not known",
		"autoscaling:DescribeScalingActivities": "scaling activities: what keeps node groups from growing is not known",
		"eks:ListFargateProfiles":               "Fargate profiles",
		"eks:DescribeFargateProfile":            "Fargate profiles",
		"list replicasets.apps":                 "ReplicaSets: pods that could not be made may be missed",
		"list statefulsets.apps":                "StatefulSets: pods that could not be made may be missed",
		"list jobs.batch":                       "jobs: pods that could not be made may be missed",
		"list nodeclasses.eks.amazonaws.com":    "node classes of EKS Auto Mode",
		"list eniconfigs.crd.k8s.amazonaws.com": "ENIConfigs",
	}[u.Permission]
	if what == "" {
		what = u.Permission
	}
	text := fmt.Sprintf("%s %s (%s)", u.Permission, how, what)
	if u.What != "" {
		text += " of " + u.What
	}
	return text
}

// contradictions says what in the evidence does not fit together.
func (a *analysis) contradictions() {
	add := func(format string, args ...any) {
		a.res.Contradictions = append(a.res.Contradictions, fmt.Sprintf(format, args...))
	}
	events := byPod(a.s.Events)
	for _, w := range a.at(unconnected, unmounted) {
		if e := last(events[string(w.pod.UID)], a.s.At, 6*fresh, "FailedScheduling"); e != nil && placedBefore(w, when(e)) {
			add("pod %s has node %s, and yet the scheduler said at %s that it finds none: it can't be in both states at once", w.pod.Name, w.pod.Spec.NodeName, clock(e))
		}
	}
	for _, w := range a.at(unscheduled) {
		if e := last(events[string(w.pod.UID)], a.s.At, fresh, "FailedCreatePodSandBox"); e != nil {
			add("pod %s has no node, and yet a kubelet said at %s that it could not make its sandbox: it can't be in both states at once", w.pod.Name, clock(e))
		}
	}
	a.tooManyUsed(add)
	for _, u := range a.unsolved {
		if strings.Contains(u.why, "that no pod uses") {
			add("%s", u.why)
		}
	}
	slices.Sort(a.res.Contradictions)
}

// placedBefore reports that the pod already had its node at that time.
func placedBefore(w waiting, at time.Time) bool {
	c := condition(w.pod, corev1.PodScheduled)
	return c != nil && c.Status == corev1.ConditionTrue && c.LastTransitionTime.Time.Before(at)
}

// tooManyUsed compares what subnets have in use with what this cluster's nodes in them can hold at most.
func (a *analysis) tooManyUsed(add func(string, ...any)) {
	used, most, nodes, subnets := 0, 0, 0, map[string]bool{}
	types := map[string]bool{}
	for n := range a.s.Nodes {
		node := &a.s.Nodes[n]
		s := a.s.subnetAt(node.Address)
		l, ok := a.s.limits(node.Type)
		if s == nil || !ok || node.Fargate {
			continue
		}
		if a.pools[node.Name].settings.PrefixDelegation || a.pools[node.Name].settings.CustomNetworking {
			return
		}
		subnets[s.ID] = true
		most += l.Interfaces * l.Addresses
		nodes++
		types[node.Type] = true
	}
	short := false
	for id := range subnets {
		s := a.s.subnet(id)
		used += vpc.Usable(s.CIDR) - s.Available
		short = short || tight(*s, a.s.Driver)
	}
	if nodes == 0 || !short || used <= most {
		return
	}
	kind := "node"
	if len(types) == 1 {
		kind = sortedKeys(types)[0] + " node"
	}
	add("%d addresses are in use in %s, but %s can hold at most %d: at least %d belong to something else than this cluster's nodes and pods",
		used, plural(len(subnets), "subnet"), plural(nodes, kind), most, used-most)
}
