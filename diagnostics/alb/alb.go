// Package alb answers why an Application Load Balancer behind an Ingress sends 502, 503 or 504, or calls targets unhealthy.
package alb

import (
	_ "embed"

	"github.com/netdiag/netdiag/diagnostics"
)

//go:embed doc.md
var doc string

// Diagnosis is the diagnosis of an ALB ingress, or of a TargetGroupBinding.
var Diagnosis = diagnostics.Define(diagnostics.Spec[Snapshot]{
	Name:  "alb",
	Doc:   doc,
	Usage: "<ingress> [-n namespace]",
	Reads: []string{
		"list ingresses.networking.k8s.io", "list ingressclasses.networking.k8s.io", "list targetgroupbindings.elbv2.k8s.aws",
		"list ingressclassparams.elbv2.k8s.aws",
		"list targetgroupbindings.eks.amazonaws.com", "list ingressclassparams.eks.amazonaws.com", // of EKS Auto Mode
		"list services", "list endpointslices.discovery.k8s.io", "list pods", "list nodes", "list events",
		"list deployments.apps", "list replicasets.apps", "list statefulsets.apps", "list daemonsets.apps", "list networkpolicies.networking.k8s.io",
		"list adminnetworkpolicies.policy.networking.k8s.io", "list baselineadminnetworkpolicies.policy.networking.k8s.io",
		"list ciliumnetworkpolicies.cilium.io", "list ciliumclusterwidenetworkpolicies.cilium.io",
		"list networkpolicies.crd.projectcalico.org", "list globalnetworkpolicies.crd.projectcalico.org",
		"list leases.coordination.k8s.io", // of the load balancer controller
		"list policyendpoints.networking.k8s.aws", "list dnsendpoints.externaldns.k8s.io", "list peerauthentications.security.istio.io",
		"get pods/log",
		"elasticloadbalancing:DescribeLoadBalancers", "elasticloadbalancing:DescribeListeners", "elasticloadbalancing:DescribeRules",
		"elasticloadbalancing:DescribeTargetGroups", "elasticloadbalancing:DescribeTargetHealth", "elasticloadbalancing:DescribeTags",
		"elasticloadbalancing:DescribeLoadBalancerAttributes", "elasticloadbalancing:DescribeTargetGroupAttributes",
		"ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroups", "ec2:DescribeSecurityGroupRules", "ec2:GetManagedPrefixListEntries",
		"ec2:DescribeNetworkAcls", "ec2:DescribeRouteTables", "ec2:DescribeVpcs", "ec2:DescribeSubnets",
		"eks:DescribeCluster", "cloudwatch:GetMetricData", "cloudtrail:LookupEvents",
	},
	Causes: []string{
		"sg.target-ingress", "sg.alb-egress", "nacl.forward", "nacl.return", "netpol.deny", "nodeport.cross-node-sg",
		"etp.local-no-pod", "app.slow-health", "target.stale-ip", "host.firewall-or-proxy", "route.off-vpc",
		"app.not-listening", "app.loopback-bind", "tls.mismatch", "mesh.mtls", "nodeport.reject-no-endpoints", "proto.version", "app.crashloop", "app.malformed",
		"hc.path", "hc.codes", "hc.host-header", "hc.port", "hc.override", "hc.not-applied", "hc.grpc", "app.unhealthy",
		"tls.plain-to-tls", "mesh.local-503", "target.reused-ip",
		"ep.none-ready", "ep.selector", "ep.port-name", "svc.missing", "lbc.down", "lbc.iam", "lbc.webhook", "nodes.excluded",
		"az.not-enabled", "tg.detached", "ingress.not-reconciled", "ingress.group-conflict", "tg.migration-gap", "tg.two-owners",
		"rule.weight-zero", "rule.fixed-response", "rule.shadowed",
		"rollout.drain-race", "dereg.delay-elapsed", "keepalive.mismatch", "app.crash-midrequest", "app.slow-response", "app.own-5xx",
		"port.traffic-differs", "resp.header-too-large", "resp.malformed", "node.termination", "proto.464", "waf.or.auth", "lb.capacity",
		"edge.not-alb", "dns.wrong-lb", "lb.initializing", "lb.fail-open",
	},
	Collect: collect,
	Analyze: Analyze,
})
