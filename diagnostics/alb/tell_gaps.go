package alb

import (
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/vpc"
)

// optional says what a missing read would have told, where it isn't one that decides.
var optional = map[string]string{
	"list events":                                "may not read events: what the controller and the kubelet complained of is not known",
	"cloudtrail:LookupEvents":                    "may not ask CloudTrail: who changed what is not known",
	"cloudwatch:GetMetricData":                   "may not read metrics: what clients feel is not known",
	"ec2:DescribeSecurityGroups":                 "may not read security groups: their names, tags and owners are not known",
	"elasticloadbalancing:DescribeTags":          "may not read tags: which ingress a rule or target group belongs to is told by its host, path and binding only",
	"get pods/log":                               "may not read logs: what the application says is not known",
	"list networkpolicies.networking.k8s.io":     "may not read network policies: whether one keeps the load balancer out is not known",
	"list peerauthentications.security.istio.io": "may not read the mesh's settings: whether it asks callers for mutual TLS is not known",
	"list daemonsets.apps":                       "may not read DaemonSets: whether anything enforces network policies is not known",
	"list ingressclassparams.elbv2.k8s.aws":      "may not read class parameters: a group that they set is not known",
	"eks:DescribeCluster":                        "may not read the cluster: whether it is in Auto Mode is not known",
	"ec2:DescribeSecurityGroupRules":             "may not read security group rules: whether they admit the load balancer is not known",
	"ec2:GetManagedPrefixListEntries":            "may not read prefix lists: whether their rules admit the load balancer is not known",
	"ec2:DescribeNetworkAcls":                    "may not read network ACLs: whether they let the traffic through is not known",
	"ec2:DescribeNetworkInterfaces":              "may not read network interfaces: which security groups count is not known",
	"elasticloadbalancing:DescribeTargetHealth":  "may not read target health: whether targets answer is not known",
	"list leases.coordination.k8s.io":            "may not read leases: whether a replica of the load balancer controller leads is not known",
	"list statefulsets.apps":                     "may not read StatefulSets: whether one that makes the pods is scaled to zero is not known",
}

// gaps tells what could not be read, and which causes stay open for want of it.
func (a *analysis) gaps() {
	for _, u := range a.s.Unread {
		if u.Reason == diagnostics.Absent && strings.HasPrefix(u.Permission, "list ") && strings.Contains(u.Permission, ".") {
			continue // a resource that the cluster doesn't have
		}
		text := optional[u.Permission]
		if text == "" {
			text = "may not " + strings.TrimSpace(u.Permission)
		}
		if u.Reason != diagnostics.Denied {
			text = strings.Replace(text, "may not", "could not", 1)
		}
		if u.Permission == "elasticloadbalancing:DescribeTargetHealth" {
			for _, g := range a.groups {
				for _, e := range g.gateEvidence() { // the controller wrote it down before the target was first healthy
					text += "; the readiness gates say of " + g.Name + ": " + e.Value
				}
			}
		}
		a.out.Gaps = append(a.out.Gaps, diagnostics.Gap{Permission: u.Permission, Reason: u.Reason, Summary: text, Caps: prefixed(a.caps(u.Permission))})
	}
}

func prefixed(ids []string) []string {
	for i := range ids {
		ids[i] = "alb/" + ids[i]
	}
	return ids
}

// caps lists the causes that a missing read leaves open, here and now.
func (a *analysis) caps(permission string) []string {
	unclear := func(hops ...vpc.HopKind) bool {
		return slices.ContainsFunc(a.targets(), func(t *target) bool {
			if t.class != drop && t.class != initial {
				return false
			}
			if len(t.paths) == 0 {
				return true
			}
			return slices.ContainsFunc(t.paths, func(p path) bool {
				return slices.ContainsFunc(p.reach.Hops, func(h vpc.Hop) bool { return h.Verdict == vpc.Unknown && slices.Contains(hops, h.Kind) })
			})
		})
	}
	empty := a.emptyServing() && !a.troubled()
	lost := func() []string {
		return []string{"sg.target-ingress", "sg.alb-egress", "nacl.forward", "nacl.return", "app.unhealthy", "hc.path", "hc.codes", "hc.port", "app.slow-health", "ep.none-ready", "lb.initializing"}
	}
	switch permission {
	case "ec2:DescribeSecurityGroupRules", "ec2:GetManagedPrefixListEntries":
		if unclear(vpc.SourceEgress, vpc.TargetIngress) {
			return []string{"sg.target-ingress", "sg.alb-egress"}
		}
	case "ec2:DescribeNetworkAcls":
		if unclear(vpc.SourceACLOut, vpc.TargetACLIn, vpc.TargetACLOut, vpc.SourceACLIn) {
			return []string{"nacl.forward", "nacl.return"}
		}
	case "ec2:DescribeNetworkInterfaces":
		if unclear() {
			return []string{"sg.target-ingress", "sg.alb-egress", "nacl.forward", "nacl.return", "target.stale-ip"}
		}
	case "elasticloadbalancing:DescribeTargetHealth":
		if slices.ContainsFunc(a.groups, func(g *group) bool { return !g.HealthRead }) {
			return lost()
		}
	case "elasticloadbalancing:DescribeLoadBalancers", "elasticloadbalancing:DescribeListeners", "elasticloadbalancing:DescribeRules", "elasticloadbalancing:DescribeTargetGroups":
		if !a.troubled() {
			return append(lost(), "svc.missing", "rule.fixed-response")
		}
	case "list services", "list endpointslices.discovery.k8s.io", "list targetgroupbindings.elbv2.k8s.aws":
		if empty {
			return []string{"ep.none-ready", "ep.selector", "ep.port-name", "svc.missing"}
		}
	case "list pods", "list deployments.apps", "list statefulsets.apps", "list replicasets.apps":
		if empty && permission == "list deployments.apps" {
			return []string{"ep.none-ready", "ep.selector", "lbc.down"}
		}
		if empty {
			return []string{"ep.none-ready", "ep.selector"}
		}
		if permission == "list pods" && len(a.unhealthy()) > 0 && !a.troubled() {
			return []string{"hc.path", "app.unhealthy", "app.loopback-bind", "app.not-listening"}
		}
	case "list events":
		if empty || (len(a.groups) == 0 && a.s.Balancer == nil) {
			return []string{"lbc.iam", "lbc.webhook", "ingress.not-reconciled"}
		}
	case "list networkpolicies.networking.k8s.io", "list daemonsets.apps":
		if len(a.unhealthy()) > 0 && !a.troubled() {
			return []string{"netpol.deny"}
		}
	case "list peerauthentications.security.istio.io":
		if !a.troubled() && slices.ContainsFunc(a.unhealthy(), func(t *target) bool {
			pod, _, _ := t.behind()
			return t.class == refuse && inMesh(pod)
		}) {
			return []string{"mesh.mtls"}
		}
	case "list nodes":
		if empty && slices.ContainsFunc(a.groups, func(g *group) bool { return g.TargetType == "instance" }) {
			return []string{"nodes.excluded"}
		}
	case "cloudtrail:LookupEvents":
		if !a.troubled() && slices.ContainsFunc(a.groups, (*group).foreign) {
			return []string{"tg.two-owners", "lbc.iam"}
		}
	case "cloudwatch:GetMetricData":
		if !a.troubled() && a.allHealthy() {
			return []string{"app.own-5xx", "app.slow-response", "keepalive.mismatch", "rollout.drain-race", "lb.capacity",
				"app.crash-midrequest", "dereg.delay-elapsed", "node.termination", "port.traffic-differs", "proto.464", "edge.not-alb", "waf.or.auth"}
		}
		if slices.ContainsFunc(a.targets(), func(t *target) bool { return t.Reason == invalidState }) {
			return []string{"node.termination"}
		}
	}
	return a.openShapes(permission)
}

// openShapes lists the causes of errors with all targets healthy that a missing read leaves open.
func (a *analysis) openShapes(permission string) []string {
	if a.troubled() || !a.allHealthy() {
		return nil
	}
	failing := a.total(elb502, elb504) > 0
	switch {
	case permission == "list dnsendpoints.externaldns.k8s.io" && !a.flows() && (a.measured() || a.silent()):
		return []string{"dns.wrong-lb", "edge.not-alb"}
	case permission == "list pods" && failing:
		return []string{"app.crash-midrequest", "rollout.drain-race", "keepalive.mismatch"}
	case permission == "list events" && failing:
		return []string{"rollout.drain-race", "dereg.delay-elapsed", "node.termination"}
	case permission == "list replicasets.apps" && failing && a.s.missed("list events"):
		return []string{"rollout.drain-race"}
	case permission == "elasticloadbalancing:DescribeTargetGroupAttributes" && a.total(elb502) > 0:
		return []string{"dereg.delay-elapsed"}
	case permission == "get pods/log" && failing:
		return []string{"resp.header-too-large", "resp.malformed", "app.slow-response"}
	}
	return nil
}

// opened lists the permissions whose want leaves the question open.
func (a *analysis) opened() []string {
	var out []string
	for _, g := range a.out.Gaps {
		if len(g.Caps) > 0 {
			out = append(out, g.Permission)
		}
	}
	return sorted(out)
}
