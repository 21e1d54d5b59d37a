package alb

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/trail"
)

// ending is the last end of a container that served requests.
type ending struct {
	pod       *corev1.Pod
	container corev1.Container
	restarts  int
	*corev1.ContainerStateTerminated
}

// crashed aligns bursts of 502 with containers that ended: a request that the container had in hands is lost with it. An
// even trickle of 502 in whose midst a container ended is no such thing.
func (a *analysis) crashed() bool {
	bursts := a.counts(elb502).Bursts()
	for _, g := range a.groups {
		var hit []ending
		restarts := 0
		explained := map[trail.Burst]bool{}
		for _, e := range a.endings(g) {
			restarts += e.restarts
			for _, b := range bursts {
				if b.Near(e.FinishedAt.Time, time.Minute, time.Minute) {
					explained[b] = true
					hit = append(hit, e)
					break
				}
			}
		}
		// Of each container only the last end is known: its earlier restarts may stand for bursts before.
		if len(hit) == 0 || len(bursts)-len(explained) > restarts-len(hit) {
			continue
		}
		a.crash(g, hit, bursts)
		return true
	}
	return false
}

// endings lists the last ends of the containers behind a group, those that listen on the port of the traffic where any says so.
func (a *analysis) endings(g *group) []ending {
	var out []ending
	seen := map[string]bool{}
	pods := g.selected()
	for _, t := range g.registered() {
		if t.pod != nil {
			pods = append(pods, t.pod)
		}
	}
	for _, p := range pods {
		if seen[p.Name] {
			continue
		}
		seen[p.Name] = true
		for _, c := range serving(p, g) {
			for _, s := range p.Status.ContainerStatuses {
				end := s.LastTerminationState.Terminated
				if s.Name == c.Name && end != nil && !end.FinishedAt.IsZero() {
					out = append(out, ending{p, c, int(s.RestartCount), end})
				}
			}
		}
	}
	return out
}

// serving lists the containers that take requests: those that declare a port on which the group has targets, else all but sidecars.
func serving(p *corev1.Pod, g *group) []corev1.Container {
	own := containers(p)
	on := slices.DeleteFunc(slices.Clone(own), func(c corev1.Container) bool {
		return !slices.ContainsFunc(c.Ports, func(cp corev1.ContainerPort) bool {
			return slices.ContainsFunc(g.list, func(t *target) bool { return t.port == int(cp.ContainerPort) })
		})
	})
	if len(on) > 0 {
		return on
	}
	return own
}

func (a *analysis) crash(g *group, hit []ending, bursts []trail.Burst) {
	slices.SortStableFunc(hit, func(x, y ending) int { return y.FinishedAt.Compare(x.FinishedAt.Time) })
	first := hit[0]
	f := diagnostics.Finding{
		ID: "app.crash-midrequest", Subject: g.subject(), Confidence: diagnostics.Likely, Reason: first.cause(), Weight: 60,
		Evidence: []diagnostics.Evidence{a.metric(elb502), a.burstEvidence("502", bursts)},
	}
	for _, e := range hit {
		f.Affects = append(f.Affects, "pod/"+e.pod.Namespace+"/"+e.pod.Name)
		f.Evidence = append(f.Evidence, e.evidence())
	}
	text := fmt.Sprintf("container %s of pod %s ended at %s with exit code %d (%s)", first.container.Name, first.pod.Name, clock(first.FinishedAt.Time), first.ExitCode, first.says())
	if len(hit) > 1 {
		text = fmt.Sprintf("%d containers of %s ended, the last time at %s with exit code %d (%s)", len(hit), g.subject(), clock(first.FinishedAt.Time), first.ExitCode, first.says())
	}
	f.Summary = fmt.Sprintf("%s, and the requests under way got 502: %.0f within a minute of it", text, a.counts(elb502).Between(first.FinishedAt.Add(-time.Minute), first.FinishedAt.Add(time.Minute)))
	a.report(f)
}

// cause tells apart why the container ended: oom, killed, segfault or exit.
func (e ending) cause() string {
	switch {
	case e.Reason == "OOMKilled":
		return "oom"
	case e.ExitCode == 137 || e.Signal == 9:
		return "killed"
	case e.ExitCode == 139 || e.Signal == 11:
		return "segfault"
	}
	return "exit"
}

// says is the reason in words.
func (e ending) says() string {
	switch e.cause() {
	case "oom":
		if limit := e.container.Resources.Limits.Memory(); !limit.IsZero() {
			return "OOMKilled at its memory limit of " + limit.String()
		}
		return "OOMKilled"
	case "killed":
		return "killed by signal 9"
	case "segfault":
		return "segmentation fault"
	}
	if e.Reason == "" {
		return "ended"
	}
	return e.Reason
}

func (e ending) evidence() diagnostics.Evidence {
	return diagnostics.Evidence{
		What: fmt.Sprintf("last end of container %s of pod %s", e.container.Name, e.pod.Name), Value: fmt.Sprintf("%s, exit code %d at %s, %d restarts", e.Reason, e.ExitCode, clock(e.FinishedAt.Time), e.restarts),
		Source: "list pods", Repeat: fmt.Sprintf("kubectl get pod %s -n %s -o jsonpath='{.status.containerStatuses}'", e.pod.Name, e.pod.Namespace),
	}
}

// burstEvidence tells when errors came in bursts.
func (a *analysis) burstEvidence(what string, bursts []trail.Burst) diagnostics.Evidence {
	var parts []string
	for _, b := range bursts {
		parts = append(parts, fmt.Sprintf("%.0f from %s to %s", b.Sum, clock(b.Start), clock(b.End)))
	}
	if len(parts) > 5 {
		parts = append(parts[:5], fmt.Sprintf("and %d more bursts", len(parts)-5))
	}
	e := a.metric(elb502)
	e.What, e.Value = "when the answers "+what+" came", strings.Join(parts, "; ")
	return e
}

// crashing reports pods that start and die in a loop, and returns the targets that are something else.
func (a *analysis) crashing(g *group, ts []*target) []*target {
	var down []*target
	var pods []*corev1.Pod
	for _, t := range ts {
		if p, _, _ := t.behind(); p != nil && crashes(p, a.s.Now) {
			down = append(down, t)
			if !slices.Contains(pods, p) {
				pods = append(pods, p)
			}
		}
	}
	if len(down) > 0 {
		a.crashLoop(g, pods, down)
	}
	return slices.DeleteFunc(ts, func(t *target) bool { return slices.Contains(down, t) })
}

// crashes reports a container that waits in CrashLoopBackOff, or that has ended again and again and did so within the last ten minutes.
func crashes(p *corev1.Pod, now time.Time) bool {
	return slices.ContainsFunc(p.Status.ContainerStatuses, func(c corev1.ContainerStatus) bool {
		if c.State.Waiting != nil && c.State.Waiting.Reason == "CrashLoopBackOff" {
			return true
		}
		end := c.LastTerminationState.Terminated
		return c.RestartCount >= 3 && !c.Ready && end != nil && now.Sub(end.FinishedAt.Time) < 10*time.Minute
	})
}

func (a *analysis) crashLoop(g *group, pods []*corev1.Pod, ts []*target) {
	var restarts []string
	var ev []diagnostics.Evidence
	for _, p := range pods {
		for _, c := range p.Status.ContainerStatuses {
			if c.RestartCount == 0 {
				continue
			}
			text := fmt.Sprintf("%s/%s restarted %d times", p.Name, c.Name, c.RestartCount)
			if end := c.LastTerminationState.Terminated; end != nil {
				text += fmt.Sprintf(", last with exit code %d (%s) at %s", end.ExitCode, end.Reason, clock(end.FinishedAt.Time))
			}
			restarts = append(restarts, text)
		}
	}
	if len(restarts) > 4 {
		restarts = append(restarts[:4], fmt.Sprintf("and %d more", len(restarts)-4))
	}
	ev = append(ev, diagnostics.Evidence{What: "restarts", Value: joined(restarts), Source: "list pods", Repeat: fmt.Sprintf("kubectl get pods -n %s", g.namespace)}, g.evidence(g.list), g.serviceEvidence())
	affects := affected(ts)
	for _, p := range pods {
		affects = append(affects, "pod/"+p.Namespace+"/"+p.Name)
	}
	a.report(diagnostics.Finding{
		ID: "app.crashloop", Subject: g.subject(), Confidence: diagnostics.Confirmed, Affects: affects, Weight: 100,
		Summary:  fmt.Sprintf("%s of %s %s in a loop, so endpoints come and go", some(len(pods), max(len(g.selected()), len(pods)), "pod"), g.subject(), verb(len(pods), "crashes and restarts", "crash and restart")),
		Evidence: ev,
	})
}
