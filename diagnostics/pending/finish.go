package pending

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

// finish turns what was found into the result.
func (a *analysis) finish() {
	for _, f := range a.findings {
		f.Weight = 10*f.Weight + bonus(f.ID)
	}
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

// bonus orders causes that stop the same pods: what ties a pod to a place comes before what that place lacks.
func bonus(id string) int {
	if id == "pending/volume-binding" {
		return 1
	}
	return 0
}

// stuck lists the pods that should run and don't.
func (a *analysis) stuck() []waiting {
	return a.at(unscheduled, unmounted, unconnected, connected, onFargate)
}

func (a *analysis) summarize() {
	ns, stuck := a.scope(), a.stuck()
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
		if n := podsOf(a.soon); n > 0 {
			r.Summary += fmt.Sprintf("; %s more start by themselves: %s", plural(n, "pod"), a.soon[0].why)
		}
	case len(a.unmade) > 0 && a.unsolvedPods() == 0:
		r.Severity, r.Layer = "P2", diagnostics.ControlPlane
		r.Summary = strings.Join(a.unmade, "; ")
	case a.unsolvedPods() > 0:
		r.Severity, r.Layer = "P2", diagnostics.Workload
		r.Summary = fmt.Sprintf("%s of %s cannot start, and the cause is not known: %s", plural(a.unsolvedPods(), "pod"), ns, a.unsolved[0].why)
		if len(r.Gaps) > 0 && a.isOpen() {
			r.Summary = fmt.Sprintf("%s of %s cannot start, and what could not be read would tell why: %s", plural(a.unsolvedPods(), "pod"), ns, a.unsolved[0].why)
			r.Layer = diagnostics.L3
		}
	case len(a.soon) > 0:
		r.Severity, r.Layer = "P3", diagnostics.Workload
		r.Summary = fmt.Sprintf("wait: %s of %s start by themselves within seconds: %s", plural(podsOf(a.soon), "pod"), ns, a.soon[0].why)
	default:
		r.Summary = strings.Join(append([]string{a.quiet()}, a.notes...), "; ")
	}
	if n := len(a.skipped); n > 0 {
		r.Summary += fmt.Sprintf("; %s more wait on %s that were not looked at (%d were, of those with the most waiting pods)", plural(n, "pod"), plural(a.s.Skipped, "node"), deepNodes)
	}
	if a.s.MoreGroups > 0 {
		r.Summary += fmt.Sprintf("; of the node groups, %d were not looked at", a.s.MoreGroups)
	}
	a.resolution()
	a.prevention(roots)
}

// headline is a finding's sentence with how many pods it concerns.
func headline(f diagnostics.Finding) string {
	s := strings.TrimSuffix(f.Summary, ".")
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
	ns := a.scope()
	if u, missed := a.unread("list pods"); missed {
		return fmt.Sprintf("the pods of %s could not be read (%s)", ns, u.Reason)
	}
	if len(a.s.Settled) == 1 && len(a.s.Pods) == 0 {
		return fmt.Sprintf("pod %s waits for nothing: it %s", a.s.Settled[0].Name, a.s.Settled[0].says())
	}
	var parts []string
	for _, k := range []struct {
		s    stage
		what string
	}{{placeholder, "of negative priority, which hold room for others"}, {starting, "starting"}, {terminating, "being deleted"}} {
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

// scope is what was asked about: the namespace, or one pod or workload of it.
func (a *analysis) scope() string {
	if a.s.Target.Name != "" {
		return a.s.Target.Namespace + "/" + a.s.Target.Name
	}
	return a.s.Target.Namespace
}

// says tells what has become of a pod, as the end of a sentence about it.
func (s Settled) says() string {
	since := ""
	if !s.Since.IsZero() {
		since = " since " + s.Since.UTC().Format("2006-01-02 15:04") + " UTC"
	}
	switch {
	case s.Phase != string(corev1.PodRunning):
		return strings.TrimSuffix(fmt.Sprintf("has ended (%s %s", s.Phase, s.Reason), " ") + ")"
	case s.Ready:
		return "runs on node " + s.Node + " and is ready" + since
	}
	return strings.TrimSuffix(fmt.Sprintf("runs on node %s, and is not ready%s: %s", s.Node, since, s.Reason), ": ")
}

func (a *analysis) severity(stuck []waiting, absent int) {
	switch {
	case a.onlyByDesign():
		a.res.Severity = "P4"
	case len(stuck)+absent == 0:
		a.res.Severity = "P3"
	case a.s.Ready == 0 && a.s.Live > 0 && (a.s.Target.Name == "" || a.s.Live > 1): // one pod is no outage
		a.res.Severity = "P1"
	default:
		a.res.Severity = "P2"
	}
}

// onlyByDesign reports that whatever waits is meant to.
func (a *analysis) onlyByDesign() bool {
	roots := a.roots()
	return len(roots) > 0 && !slices.ContainsFunc(roots, func(f *diagnostics.Finding) bool {
		return f.ID != "pending/gated" || strings.HasPrefix(f.Subject, "scheduler/")
	})
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

func (a *analysis) unsolvedPods() int { return podsOf(a.unsolved) }

func podsOf(groups []unsolved) int {
	n := 0
	for _, u := range groups {
		n += len(u.pods)
	}
	return n
}

func layer(id string) diagnostics.Layer {
	switch strings.TrimPrefix(id, "pending/") {
	case "subnet-exhausted", "eni-all-or-nothing", "no-free-prefix", "eni-slots-full", "warm-target-cap", "ip-cooldown", "insufficiency-backoff", "api-throttled",
		"cni-not-initialized", "ipamd-down", "cni-misconfigured", "cni-iam", "branch-eni-failed", "branch-eni-capacity", "eniconfig", "subnet-discovery", "nau-limit",
		"eni-quota", "attachment-limit", "node-cordoned", "ipamd-leak", "imds-lag", "config-drift", "fargate-no-ip", "max-pods", "node-launch-no-ip", "other-cni", "network-policy-agent", "egress", "windows-ip-resource":
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
	case a.onlyByDesign(), len(a.soon) > 0 && len(a.unsolved)+len(a.findings) == 0:
		a.res.Resolution = "Wait: nothing is wrong"
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
