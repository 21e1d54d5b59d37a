package pending

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/vpc"
)

// plural is "1 pod" or "6 pods".
func plural(n int, one string) string {
	switch {
	case n == 1:
		return "1 " + one
	case strings.HasSuffix(one, "s"):
		return fmt.Sprintf("%d %ses", n, one)
	}
	return fmt.Sprintf("%d %ss", n, one)
}

func podEvidence(w waiting) diagnostics.Evidence {
	e := diagnostics.Evidence{What: "pod " + w.pod.Name, Value: shorten(w.text), Source: "list pods",
		Repeat: fmt.Sprintf("kubectl describe pod -n %s %s", w.pod.Namespace, w.pod.Name)}
	if w.event != nil {
		e.What = fmt.Sprintf("%s of pod %s (%s, last %s)", w.event.Reason, w.pod.Name, plural(times(w.event), "time"), clock(w.event))
		e.Source = "list events"
		e.Repeat = fmt.Sprintf("kubectl get events -n %s --field-selector involvedObject.name=%s", w.pod.Namespace, w.pod.Name)
	}
	if e.Value == "" {
		e.Value = "ContainerCreating, no address"
	}
	return e
}

func eventEvidence(e *corev1.Event) diagnostics.Evidence {
	return diagnostics.Evidence{
		What:   fmt.Sprintf("%s of %s %s (%s, last %s)", e.Reason, strings.ToLower(e.InvolvedObject.Kind), e.InvolvedObject.Name, plural(times(e), "time"), clock(e)),
		Value:  shorten(e.Message),
		Source: "list events",
		Repeat: fmt.Sprintf("kubectl get events -n %s --field-selector involvedObject.name=%s", e.Namespace, e.InvolvedObject.Name),
	}
}

func clock(e *corev1.Event) string { return diagnostics.LastSeen(e).UTC().Format("15:04:05") }

func subnetEvidence(s *vpc.Subnet) diagnostics.Evidence {
	return diagnostics.Evidence{What: "AvailableIpAddressCount of " + s.ID, Value: fmt.Sprintf("%d of %d", s.Available, vpc.Usable(s.CIDR)),
		Source: "ec2:DescribeSubnets", Repeat: "aws ec2 describe-subnets --subnet-ids " + s.ID}
}

func poolEvidence(p *pool) diagnostics.Evidence {
	what := "pod addresses of node " + p.node.Name
	value := fmt.Sprintf("%d of %d in use on %d of %d interfaces, %s without one", p.assigned, p.attached, len(p.members), p.interfaces(), plural(p.needing, "pod"))
	if p.holds() > p.attached {
		value += "; " + p.otherKind()
	}
	return diagnostics.Evidence{What: what, Value: value, Source: "ec2:DescribeNetworkInterfaces, list pods",
		Repeat: "aws ec2 describe-network-interfaces --filters Name=attachment.instance-id,Values=" + p.node.Instance}
}

// otherKind tells of the addresses of a node that new pods don't get.
func (p *pool) otherKind() string {
	other := p.holds() - p.attached
	if p.prefixes() {
		return fmt.Sprintf("%d single addresses are not used for new pods while prefixes are delegated", other)
	}
	return fmt.Sprintf("%d addresses of prefixes are not used for new pods while prefixes are not delegated", other)
}

func metricEvidence(n *Node, codes ...string) (diagnostics.Evidence, bool) {
	if n.Metrics == nil {
		return diagnostics.Evidence{}, false
	}
	var parts []string
	for _, e := range n.Metrics.Errors {
		for _, c := range codes {
			if e.Code == c {
				parts = append(parts, fmt.Sprintf("%s %s: %d", e.API, e.Code, e.Count))
			}
		}
	}
	if len(parts) == 0 {
		return diagnostics.Evidence{}, false
	}
	return diagnostics.Evidence{What: "awscni_aws_api_error_count of node " + n.Name, Value: strings.Join(parts, ", "), Source: "get pods/proxy",
		Repeat: metricsCommand(n)}, true
}

func metricsCommand(n *Node) string {
	return "kubectl get --raw /api/v1/namespaces/kube-system/pods/" + n.Agent.Name + ":61678/proxy/metrics"
}

func nodeCommand(n *Node) string { return "kubectl get node " + n.Name + " -o yaml" }

func settingsEvidence(name string, p *pool) diagnostics.Evidence {
	value, ok := p.settings.Set[name]
	if !ok || value == "" {
		value = "unset"
	}
	return diagnostics.Evidence{What: name + " of aws-node", Value: value, Source: "list daemonsets.apps",
		Repeat: "kubectl get daemonset aws-node -n kube-system -o yaml"}
}
