package alb

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/elb"
)

// login reports a login at the load balancer that can't be completed: ELBAuthError counts logins that fail for its
// settings or because the identity provider can't be reached, ELBAuthFailure those that the provider turned down.
func (a *analysis) login() {
	if a.total(authError) == 0 {
		return
	}
	for _, r := range a.s.serving() {
		for _, act := range r.Actions {
			if !strings.HasPrefix(act.Type, "authenticate-") {
				continue
			}
			f := diagnostics.Finding{
				ID: "waf.or.auth", Subject: "rule " + ruleName(r), Reason: "login", Confidence: diagnostics.Likely, Weight: 60,
				Summary: fmt.Sprintf("rule %s lets users log in first (%s) and the load balancer couldn't complete %.0f logins: such requests end with 561 or 500 before they reach a target",
					ruleName(r), act.Type, a.total(authError)),
				Evidence: []diagnostics.Evidence{a.metric(authError), a.metric(authFailure), ruleEvidence(r)},
			}
			if a.shutIn() {
				f.Summary += "; its security groups let nothing out to port 443 of the internet, where identity providers are"
				f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "outbound rules of " + a.balancerName(), Value: "none for tcp 443 to 0.0.0.0/0", Source: "ec2:DescribeSecurityGroupRules",
					Repeat: "aws ec2 describe-security-group-rules --filters Name=group-id,Values=" + strings.Join(a.s.Balancer.Groups, ",")})
			}
			a.report(f)
			return
		}
	}
}

// shutIn reports whether the groups of the load balancer were all read and none of them lets anything out to port 443 outside the VPC.
func (a *analysis) shutIn() bool {
	for _, g := range a.s.Balancer.Groups {
		rules, read := a.s.Firewall.Rules[g]
		if !read {
			return false
		}
		for _, r := range rules {
			open := r.Protocol == "-1" || (r.From <= 443 && r.To >= 443)
			if in, known := a.s.inVPC(r.CIDR.Addr()); r.Egress && open && (r.PrefixList != "" || r.CIDR.IsValid() && (!known || !in)) {
				return false
			}
		}
	}
	return len(a.s.Balancer.Groups) > 0
}

// firewalled are the annotations that put a web ACL of AWS WAF in front of an ingress.
var firewalled = []string{"wafv2-acl-arn", "wafv2-acl-name", "waf-acl-id", "web-acl-id"}

// blocked reports requests that the load balancer turns away where a web ACL stands in front of it.
func (a *analysis) blocked() bool {
	if a.s.Ingress == nil {
		return false
	}
	i := slices.IndexFunc(firewalled, func(key string) bool { return a.s.Ingress.Annotations[annotation(key)] != "" })
	turned, failed := a.total(elb4xx), a.total(elb500)
	if i < 0 || failed == 0 && turned < 0.2*(a.total(requests)+turned) {
		return false
	}
	key := annotation(firewalled[i])
	f := diagnostics.Finding{
		ID: "waf.or.auth", Subject: a.balancerName(), Reason: "web-acl", Confidence: diagnostics.Possible, Weight: 40,
		Summary: fmt.Sprintf("the load balancer itself answers %.1f %% of the requests with a 4xx, and a web ACL stands in front of it: most likely it blocks them with 403", 100*turned/(a.total(requests)+turned)),
		Evidence: []diagnostics.Evidence{a.metric(elb4xx), a.metric(elb500),
			{What: "annotation " + key, Value: a.s.Ingress.Annotations[key], Source: "list ingresses.networking.k8s.io", Repeat: a.ingressCommand()}},
	}
	if failed > 0 {
		f.Summary = fmt.Sprintf("the load balancer itself answered %.0f requests with 500, as it does where the web ACL in front of it fails", failed)
	}
	a.report(f)
	return true
}

// albSpare is how many free addresses the load balancer needs in each of its subnets to grow.
const albSpare = 8

// capacity reports a load balancer that turns connections away or can't grow.
func (a *analysis) capacity() {
	lb := a.s.Balancer
	if lb == nil || (a.total(rejected) == 0 && lb.State != "active_impaired") {
		return
	}
	f := diagnostics.Finding{
		ID: "lb.capacity", Subject: lb.Name, Confidence: diagnostics.Likely, Weight: 60,
		Summary: fmt.Sprintf("load balancer %s is at its limits: state %s, %.0f connections rejected in the last %d minutes", lb.Name, lb.State, a.total(rejected), a.minutes()),
		Evidence: []diagnostics.Evidence{{What: "state of " + lb.Name, Value: strings.TrimSpace(lb.State + " " + lb.Reason), Source: "elasticloadbalancing:DescribeLoadBalancers",
			Repeat: "aws elbv2 describe-load-balancers --names " + lb.Name}},
	}
	if a.measured() {
		f.Evidence = append(f.Evidence, a.metric(rejected))
	}
	for _, z := range lb.Zones {
		for _, s := range a.s.Subnets {
			if s.ID != z.Subnet || s.Available >= albSpare {
				continue
			}
			f.Summary += fmt.Sprintf("; its subnet %s has only %d free addresses of the %d that it needs to grow", s.ID, s.Available, albSpare)
			f.Evidence = append(f.Evidence, diagnostics.Evidence{What: "AvailableIpAddressCount of " + s.ID, Value: fmt.Sprint(s.Available), Source: "ec2:DescribeSubnets", Repeat: "aws ec2 describe-subnets --subnet-ids " + s.ID})
		}
	}
	a.report(f)
}

// version464 reports clients that speak another version of HTTP than the target group asks for: HTTP/1.1 to one of gRPC or
// HTTP/2, or gRPC to one of HTTP/1.1. The load balancer turns them away with 464 before it chooses a target.
func (a *analysis) version464() bool {
	turned := a.total(elb4xx)
	if turned == 0 || turned < 0.01*(a.total(requests)+turned) {
		return false
	}
	share := 100 * turned / (a.total(requests) + turned)
	for _, g := range a.groups {
		var how string
		switch {
		case len(g.rules) == 0:
			continue
		case g.ProtocolVersion == "GRPC" || g.ProtocolVersion == "HTTP2":
			how = fmt.Sprintf("target group %s takes %s only, and clients that speak HTTP/1.1 get 464", g.Name, g.ProtocolVersion)
		case a.speaksGRPC(g):
			how = fmt.Sprintf("the pods of target group %s speak gRPC and it takes HTTP/1.1 only, so that gRPC clients get 464", g.Name)
		default:
			continue
		}
		f := diagnostics.Finding{
			ID: "proto.464", Subject: g.Name, Confidence: diagnostics.Likely, Weight: 50,
			Summary:  fmt.Sprintf("the load balancer itself turns away %.1f %% of the requests with a 4xx: %s", share, how),
			Evidence: []diagnostics.Evidence{a.metric(elb4xx), a.metric(requests), g.versionEvidence()},
		}
		if i := slices.IndexFunc(a.s.Listeners, func(l elb.Listener) bool { return l.ARN == g.rules[0].Listener }); i >= 0 {
			l := a.s.Listeners[i]
			f.Evidence = append(f.Evidence, diagnostics.Evidence{What: fmt.Sprintf("listener of port %d", l.Port), Value: l.Protocol + map[bool]string{true: ": clients can only speak HTTP/1.1 here"}[l.Protocol == "HTTP"],
				Source: "elasticloadbalancing:DescribeListeners", Repeat: "aws elbv2 describe-listeners --listener-arns " + l.ARN})
		}
		a.report(f)
		return true
	}
	return false
}

func (g *group) versionEvidence() diagnostics.Evidence {
	return diagnostics.Evidence{What: "protocol of " + g.Name, Value: g.Protocol + " " + g.ProtocolVersion, Source: "elasticloadbalancing:DescribeTargetGroups",
		Repeat: "aws elbv2 describe-target-groups --target-group-arns " + g.ARN}
}

// speaksGRPC reports whether the Service or a probe says that the pods speak gRPC on the port of the traffic.
func (a *analysis) speaksGRPC(g *group) bool {
	if p := servicePort(g.svc, a.s.portOf(*g.TargetGroup)); p != nil && p.AppProtocol != nil && *p.AppProtocol == "grpc" {
		return true
	}
	return slices.ContainsFunc(g.list, func(t *target) bool {
		return t.pod != nil && slices.ContainsFunc(containers(t.pod), func(c corev1.Container) bool {
			return c.ReadinessProbe != nil && c.ReadinessProbe.GRPC != nil && int(c.ReadinessProbe.GRPC.Port) == t.port
		})
	})
}
