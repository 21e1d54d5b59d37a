package alb

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

// ingressFailed names what the controller complains of.
func (a *analysis) ingressFailed(e corev1.Event) {
	ing := a.s.Ingress
	f := diagnostics.Finding{Subject: "ingress/" + ing.Namespace + "/" + ing.Name, Confidence: diagnostics.Confirmed, Weight: 95, Evidence: []diagnostics.Evidence{eventEvidence(e)}}
	switch msg := e.Message; {
	case webhookOf(msg) != "":
		a.webhook(e)
	case forbidden(msg):
		a.credentials(e, nil)
	case strings.Contains(msg, "conflicting") && a.s.Group != "":
		a.conflicted(e)
	case strings.Contains(msg, "matcher GRPC code") || (strings.Contains(msg, "GRPC") && strings.Contains(msg, "0-99")):
		f.ID = "hc.grpc"
		f.Summary = "the success codes are no gRPC codes: " + trimmed(msg)
		a.report(f)
	case aboutHealthCheck(msg):
		f.ID, f.Reason = "hc.not-applied", "refused"
		f.Summary = fmt.Sprintf("the health check that ingress %s/%s asks for can't be applied: %s", ing.Namespace, ing.Name, trimmed(msg))
		a.report(f)
	default:
		f.ID, f.Reason = "ingress.not-reconciled", complaint(msg)
		if f.Reason == "throttled" { // the controller tries again by itself
			f.Confidence = diagnostics.Likely
		}
		f.Summary = fmt.Sprintf("the controller can't apply ingress %s/%s: %s", ing.Namespace, ing.Name, trimmed(msg))
		f.Evidence = append(f.Evidence, a.background(f.Reason)...)
		a.report(f)
	}
}

// aboutHealthCheck recognises a complaint about the settings of a health check: the controller can't read an annotation, or
// the load balancer API doesn't take a value.
func aboutHealthCheck(msg string) bool {
	msg = strings.ToLower(msg)
	return strings.Contains(msg, "health check") || strings.Contains(msg, "healthcheck") || strings.Contains(msg, "success-codes")
}

// background gives what else was read about the matter of a complaint.
func (a *analysis) background(reason string) []diagnostics.Evidence {
	var out []diagnostics.Evidence
	ing := a.s.Ingress
	switch reason {
	case "port", "service-type":
		for _, b := range backends(*ing) {
			if svc := a.s.service(ing.Namespace, b.Service); svc != nil {
				out = append(out, diagnostics.Evidence{What: fmt.Sprintf("Service %s/%s, of which the ingress wants port %s", svc.Namespace, svc.Name, b.Port),
					Value: fmt.Sprintf("type %s, ports %s", svc.Spec.Type, portNames(svc)), Source: "list services", Repeat: fmt.Sprintf("kubectl get service %s -n %s -o yaml", svc.Name, svc.Namespace)})
			}
		}
	case "subnets":
		if e, ok := a.subnetEvidence(); ok {
			out = append(out, e)
		}
	}
	return out[:min(len(out), 4)]
}

func portNames(svc *corev1.Service) string {
	var out []string
	for _, p := range svc.Spec.Ports {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%d %s", p.Port, p.Name)))
	}
	return joined(out)
}

// unserved reports a load balancer that knows nothing of the ingress, or that is another cluster's.
func (a *analysis) unserved() {
	lb, ing := a.s.Balancer, a.s.Ingress
	if c := clusterOf(lb.Tags); c != "" && c != a.s.Cluster {
		a.contradict("load balancer %s carries the tag of cluster %s, not of %s: two clusters may have an ingress of this name", lb.Name, c, a.s.Cluster)
	}
	if len(a.s.serving()) > 0 || len(a.groups) > 0 || a.s.missed("elasticloadbalancing:DescribeListeners") || a.s.missed("elasticloadbalancing:DescribeRules") || a.troubled() {
		return
	}
	a.report(diagnostics.Finding{
		ID: "ingress.not-reconciled", Reason: "no-rule", Subject: "ingress/" + ing.Namespace + "/" + ing.Name, Confidence: diagnostics.Likely, Weight: 95,
		Summary: fmt.Sprintf("no rule of load balancer %s serves ingress %s/%s, so its requests get the default answer", lb.Name, ing.Namespace, ing.Name),
		Evidence: []diagnostics.Evidence{{What: "rules of " + lb.Name, Value: fmt.Sprintf("%d, none for this ingress", len(a.s.Rules)), Source: "elasticloadbalancing:DescribeRules",
			Repeat: "aws elbv2 describe-listeners --load-balancer-arn " + lb.ARN}},
	})
}

// settling is how long the controller needs at most to make a load balancer of a new ingress.
const settling = 3 * time.Minute

// balancerGone reports an address that leads to no load balancer.
func (a *analysis) balancerGone() {
	ing := a.s.Ingress
	f := diagnostics.Finding{ID: "ingress.not-reconciled", Subject: "ingress/" + ing.Namespace + "/" + ing.Name, Confidence: diagnostics.Confirmed, Weight: 100}
	switch age := a.s.Now.Sub(ing.CreationTimestamp.Time); {
	case a.found("lbc.down") && a.s.Host == "":
		return
	case a.s.Host == "" && age < settling:
		f.ID, f.Weight = "lb.initializing", 50
		f.Summary = fmt.Sprintf("ingress %s/%s is %s old, and its load balancer is being made: wait up to %s", ing.Namespace, ing.Name, age.Round(time.Second), settling)
	case a.s.Host == "":
		if a.s.missed("list events") {
			return
		}
		f.Confidence, f.Reason = diagnostics.Likely, "no-address"
		f.Summary = fmt.Sprintf("ingress %s/%s has no load balancer, and no event says why", ing.Namespace, ing.Name)
		if n := len(a.s.Candidates); n > 0 {
			f.Summary = fmt.Sprintf("ingress %s/%s has no address, and %d load balancers carry its tags, of which none is sure to be its own: %s", ing.Namespace, ing.Name, n, joined(a.s.Candidates))
		}
	default:
		f.Reason = "balancer-missing"
		f.Summary = fmt.Sprintf("ingress %s/%s points to %s, but there is no such load balancer: it was deleted outside the cluster", ing.Namespace, ing.Name, a.s.Host)
	}
	f.Evidence = []diagnostics.Evidence{{What: "load balancer with this DNS name", Value: "none", Source: "elasticloadbalancing:DescribeLoadBalancers",
		Repeat: fmt.Sprintf("aws elbv2 describe-load-balancers --query \"LoadBalancers[?DNSName=='%s']\"", a.s.Host)}}
	if a.s.Host == "" {
		f.Evidence = []diagnostics.Evidence{{What: "address of ingress " + ing.Namespace + "/" + ing.Name, Value: "none", Source: "list ingresses.networking.k8s.io",
			Repeat: fmt.Sprintf("kubectl get ingress %s -n %s", ing.Name, ing.Namespace)}}
	}
	a.report(f)
}
