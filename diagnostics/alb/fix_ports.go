package alb

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

// mendPort fills in a target port that the pods have.
func (a *analysis) mendPort(x *diagnostics.Fix, g *group) {
	pods := g.selected()
	counts := map[string]int{}
	for _, p := range pods {
		for _, c := range containers(p) {
			for _, cp := range c.Ports {
				counts[strings.TrimSpace(fmt.Sprintf("%d %s", cp.ContainerPort, cp.Name))]++
			}
		}
	}
	have := sortedKeys(counts)
	x.Commands = []string{fmt.Sprintf("kubectl edit service %s -n %s", g.service, g.namespace)}
	port := a.s.portOf(*g.TargetGroup)
	i := slices.IndexFunc(g.svc.Spec.Ports, func(p corev1.ServicePort) bool { return p.Name == port || strconv.Itoa(int(p.Port)) == port })
	if i < 0 {
		x.Changes = []string{fmt.Sprintf("Service %s/%s: one more port %s, or what names it → one of %s", g.namespace, g.service, port, portNames(g.svc))}
		x.Proof = fmt.Sprintf("the Service has %s and none is %s", plural(len(g.svc.Spec.Ports), "port"), port)
		return
	}
	old := g.svc.Spec.Ports[i].TargetPort.String()
	best := bestPort(have, old, int(g.svc.Spec.Ports[i].Port), g.Port)
	if best == "" {
		x.Changes = []string{fmt.Sprintf("Service %s/%s: targetPort of port %s %s → one that the pods have (%s)", g.namespace, g.service, port, old, joined(have))}
		return
	}
	number, name, _ := strings.Cut(best, " ")
	value := number
	if name != "" {
		value = strconv.Quote(name)
	}
	was := old
	if _, err := strconv.Atoi(old); err != nil {
		was = strconv.Quote(old)
	}
	set := func(v string) string {
		return fmt.Sprintf(`kubectl patch service %s -n %s --type json -p '[{"op":"replace","path":"/spec/ports/%d/targetPort","value":%s}]'`, g.service, g.namespace, i, v)
	}
	x.Frees, x.Needs = readyAmong(pods), len(pods)
	x.Changes = []string{fmt.Sprintf("Service %s/%s: targetPort of port %s %s → %s", g.namespace, g.service, port, old, strings.Trim(value, `"`))}
	x.Proof = fmt.Sprintf("%d of %d pods have the container port %s, and 0 have %s", counts[best], len(pods), best, old)
	x.Commands, x.Undo = []string{set(value)}, set(was)
}

// bestPort picks the container port that a target port probably means: the only one, the one whose name is most similar,
// or the one with the number of the Service or of the target group; empty where none stands out.
func bestPort(have []string, old string, numbers ...int) string {
	if len(have) == 1 {
		return have[0]
	}
	best, at := "", 3
	for _, p := range have {
		number, name, _ := strings.Cut(p, " ")
		if d := diagnostics.Distance(name, old); name != "" && d < at {
			best, at = p, d
		}
		for _, n := range numbers {
			if best == "" && strconv.Itoa(n) == number {
				best = p
			}
		}
	}
	return best
}

// retarget changes the target port of a Service to the one on which the pods pass their readiness probe, or the only one
// that they declare.
func (a *analysis) retarget(g *group, x *diagnostics.Fix) {
	to := 0
	for _, p := range g.pods() {
		if pr := probeOf(p); pr != nil && isReady(p) {
			to = pr.port
			x.Proof = fmt.Sprintf("the readiness probe of %s passes on port %d, and the Service sends to %d", p.Name, to, g.Port)
		} else if ports := declares(p); len(ports) == 1 {
			to = ports[0]
			x.Proof = fmt.Sprintf("port %d is the only one that the containers of %s declare, and the Service sends to %d", to, p.Name, g.Port)
		}
		if to != 0 {
			break
		}
	}
	svcPort := servicePort(g.svc, a.s.portOf(*g.TargetGroup))
	if to == 0 || svcPort == nil {
		x.Changes = []string{fmt.Sprintf("Service %s/%s: targetPort of port %s → the one on which the application listens", g.namespace, g.service, a.s.portOf(*g.TargetGroup))}
		x.Commands = []string{fmt.Sprintf("kubectl edit service %s -n %s", g.service, g.namespace)}
		return
	}
	i := slices.IndexFunc(g.svc.Spec.Ports, func(p corev1.ServicePort) bool { return p.Port == svcPort.Port && p.Protocol == svcPort.Protocol })
	x.Title = fmt.Sprintf("Send to port %d of the pods", to)
	x.Changes = []string{fmt.Sprintf("Service %s/%s: targetPort of port %d %s → %d", g.namespace, g.service, svcPort.Port, svcPort.TargetPort.String(), to)}
	x.Blast = "everybody who uses this port of the Service; the targets are registered anew on the new port" + drift(x.Owner)
	x.Commands = []string{fmt.Sprintf(`kubectl patch service %s -n %s --type json -p '[{"op":"replace","path":"/spec/ports/%d/targetPort","value":%d}]'`, g.service, g.namespace, i, to)}
}

// declares lists the ports that the application's containers declare.
func declares(p *corev1.Pod) []int {
	var out []int
	for _, c := range containers(p) {
		for _, cp := range c.Ports {
			out = append(out, int(cp.ContainerPort))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
