package alb

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/vpc"
)

// secondHop follows, in instance mode, the packet from the node on to the pods: kube-proxy may send it to any of them.
func (a *analysis) secondHop(g *group, ts []*target) []*target {
	if g.TargetType != "instance" || len(ts) == 0 || local(g.svc) {
		return ts
	}
	type stop struct {
		hop  vpc.Hop
		port int
	}
	blocked := map[string][]*target{}
	stops := map[string]stop{}
	for _, t := range ts {
		for _, e := range g.ready() {
			pod := a.s.network(a.s.Carriers[e.addr.String()])
			if pod == nil || pod.ID == t.eni.ID || (t.node != nil && e.node == t.node.Name) {
				continue
			}
			r := a.s.Firewall.Path(*t.eni, *pod, e.addr, e.port)
			for _, h := range r.Blocking() {
				if h.Kind != vpc.TargetIngress || r.Verdict != vpc.Denied {
					continue
				}
				group := a.chosen(h.Groups)
				if !slices.Contains(blocked[group], t) {
					blocked[group] = append(blocked[group], t)
				}
				stops[group] = stop{h, e.port}
			}
		}
	}
	for _, group := range sortedKeys(blocked) {
		s := stops[group]
		a.report(diagnostics.Finding{
			ID: "nodeport.cross-node-sg", Subject: group, Confidence: diagnostics.Confirmed, Affects: affected(blocked[group]), Weight: g.weight(blocked[group]),
			Summary: fmt.Sprintf("security group %s doesn't let nodes reach pods of other nodes on tcp %d, so node port requests of %s are lost when kube-proxy picks such a pod", group, s.port, g.Name),
			Evidence: []diagnostics.Evidence{g.evidence(blocked[group]), {What: "second hop, node to pod", Value: s.hop.Reason, Source: "ec2:DescribeSecurityGroupRules",
				Repeat: "aws ec2 describe-security-group-rules --filters Name=group-id,Values=" + strings.Join(s.hop.Groups, ",")}},
		})
	}
	return slices.DeleteFunc(ts, func(t *target) bool {
		for _, list := range blocked {
			if slices.Contains(list, t) {
				return true
			}
		}
		return false
	})
}

// local reports whether the Service keeps traffic on the node that it reaches.
func local(svc *corev1.Service) bool {
	return svc != nil && svc.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal
}

// byDesign reports whether the target is a node without a ready pod of a Service with externalTrafficPolicy Local:
// kube-proxy drops what comes to its node port, so that the load balancer leaves it out. There must be a node with one.
func (g *group) byDesign(t *target) bool {
	if g.TargetType != "instance" || !local(g.svc) || t.node == nil || !(t.class == drop || t.class == code && t.hcPort == int(g.svc.Spec.HealthCheckNodePort)) {
		return false
	}
	ready := g.ready()
	return len(ready) > 0 && !slices.ContainsFunc(ready, func(e endpoint) bool { return e.node == t.node.Name })
}

// nodeDown sees targets whose node is not ready, while others answer.
func (a *analysis) nodeDown(g *group, ts []*target) []*target {
	var down []*target
	for _, t := range ts {
		if t.node != nil && slices.ContainsFunc(t.node.Status.Conditions, func(c corev1.NodeCondition) bool {
			return c.Type == corev1.NodeReady && c.Status != corev1.ConditionTrue
		}) {
			down = append(down, t)
		}
	}
	if len(down) == 0 || len(g.of(healthy)) == 0 {
		return ts
	}
	a.report(diagnostics.Finding{
		ID: "host.firewall-or-proxy", Subject: "node/" + down[0].node.Name, Confidence: diagnostics.Possible, Affects: affected(down), Weight: g.weight(down),
		Summary: fmt.Sprintf("node %s is not ready and its targets don't answer, while others of %s do", down[0].node.Name, g.Name),
		Evidence: []diagnostics.Evidence{g.evidence(down), {What: "condition Ready of node " + down[0].node.Name, Value: "not True", Source: "list nodes",
			Repeat: "kubectl describe node " + down[0].node.Name}},
	})
	return slices.DeleteFunc(ts, func(t *target) bool { return slices.Contains(down, t) })
}
