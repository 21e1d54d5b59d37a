package alb

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/elb"
	"github.com/netdiag/netdiag/internal/trail"
	"github.com/netdiag/netdiag/internal/vpc"
)

const timeout, refusedBy, mismatch = "Target.Timeout", "Target.FailedHealthChecks", "Target.ResponseCodeMismatch"

// TestCauses breaks the shop in one way each and looks for the cause, its reason, the first fix, and what is refused.
func TestCauses(t *testing.T) {
	blocked := func(f *fake) {
		f.dropRule("sgr-pod")
		f.all("unhealthy", timeout, "Request timed out")
		f.metrics[elb504], f.metrics[connectErrors], f.metrics[failedOpen] = 6000, 6000, 6000
	}
	unmanaged := func(f *fake) {
		f.bindings[0].Networking = nil
		f.ingresses[0].Annotations["alb.ingress.kubernetes.io/security-groups"] = "sg-front"
		for i := range f.enis {
			if f.enis[i].Description != "" {
				f.enis[i].Groups = []string{"sg-front"}
			}
		}
		f.balancers[0].Groups = []string{"sg-front"}
		f.dropRule("sgr-pod")
	}
	for name, tc := range map[string]struct {
		broken     func(*fake)
		cause      string // one, or none for empty
		reason     string
		confidence diagnostics.Confidence
		fix        string // the first one, none for empty
		executable bool
		refused    string
	}{
		"healthy": {broken: func(*fake) {}},
		"draining": {broken: func(f *fake) {
			f.health[tgARN] = append(f.health[tgARN], elb.TargetHealth{ID: "10.0.1.99", Port: 8080, State: "draining"})
		}},
		"rule taken away": {broken: func(f *fake) {
			blocked(f)
			f.audit = []trail.Event{{ID: "e1", At: now.Add(-8 * time.Minute), Name: "RevokeSecurityGroupIngress", User: "terraform", Resources: []string{"sg-node"}}}
		}, cause: "sg.target-ingress", reason: "drift-removed", fix: "reconcile-kick", executable: true},
		"rule taken away from an old controller": {broken: func(f *fake) {
			blocked(f)
			f.audit = []trail.Event{{ID: "e1", At: now.Add(-8 * time.Minute), Name: "RevokeSecurityGroupIngress", User: "terraform", Resources: []string{"sg-node"}}}
			f.deployments["kube-system"][0].Spec.Template.Spec.Containers[0].Image = "public.ecr.aws/eks/aws-load-balancer-controller:v2.8.3"
		}, cause: "sg.target-ingress", reason: "drift-removed", fix: "allow-pod-port", executable: true, refused: "reconcile-kick"},
		"group of the controller's own": {broken: func(f *fake) {
			blocked(f)
			unmanaged(f)
			for i := range f.sgs {
				if f.sgs[i].ID == "sg-node" {
					f.sgs[i].Tags = map[string]string{"elbv2.k8s.aws/cluster": "prod"}
				}
			}
		}, cause: "sg.target-ingress", reason: "custom-sg-unmanaged", fix: "manage-rules", executable: true, refused: "allow-pod-port"},
		"own groups, rules unmanaged": {broken: func(f *fake) { blocked(f); unmanaged(f) }, cause: "sg.target-ingress", reason: "custom-sg-unmanaged", fix: "manage-rules", executable: true},
		"controller disabled backend groups": {broken: func(f *fake) {
			blocked(f)
			unmanaged(f)
			f.deployments["kube-system"][0].Spec.Template.Spec.Containers[0].Args = []string{"--enable-backend-security-group=false"}
		}, cause: "sg.target-ingress", reason: "custom-sg-unmanaged", fix: "allow-pod-port", executable: true, refused: "manage-rules"},
		"declared by Argo CD": {broken: func(f *fake) {
			blocked(f)
			unmanaged(f)
			f.ingresses[0].Annotations["argocd.argoproj.io/tracking-id"] = "shop:networking.k8s.io/Ingress:shop/web"
		}, cause: "sg.target-ingress", reason: "custom-sg-unmanaged", fix: "manage-rules"},
		"quota": {broken: func(f *fake) {
			blocked(f)
			for i := range 60 {
				f.sgRules = append(f.sgRules, vpc.SecurityGroupRule{ID: fmt.Sprintf("sgr-%03d", i), Group: "sg-node", Protocol: "tcp", From: 9000 + i, To: 9000 + i, CIDR: netip.MustParsePrefix("192.168.0.0/24")})
			}
			f.complain("TargetGroupBinding", "k8s-shop-cart-1", "FailedNetworkReconcile", "api error RulesPerSecurityGroupLimitExceeded: The maximum number of rules per security group has been reached.")
		}, cause: "sg.target-ingress", reason: "quota", fix: "raise-quota", refused: "allow-pod-port"},
		"two tagged groups": {broken: func(f *fake) {
			blocked(f)
			for i := range f.enis {
				if f.enis[i].Instance != "" {
					f.enis[i].Groups = []string{"sg-eks", "sg-node"}
				}
			}
			f.sgs[2].Tags = map[string]string{"kubernetes.io/cluster/prod": "owned"}
			f.sgs = append(f.sgs, vpc.SecurityGroup{ID: "sg-eks", Name: "eks-cluster-sg-prod-1", Tags: map[string]string{"kubernetes.io/cluster/prod": "owned"}})
			f.denied = []string{"list events"} // the tags alone tell it
		}, cause: "sg.target-ingress", reason: "tag-ambiguous", fix: "tag-security-group", refused: "reconcile-kick"},
		"one tagged group, since the controller last tried": {broken: func(f *fake) {
			blocked(f)
			for i := range f.enis {
				if f.enis[i].Instance != "" {
					f.enis[i].Groups = []string{"sg-eks", "sg-node"}
				}
			}
			f.sgs = append(f.sgs, vpc.SecurityGroup{ID: "sg-eks", Name: "eks-cluster-sg-prod-1", Tags: map[string]string{"kubernetes.io/cluster/prod": "owned"}})
			f.complain("TargetGroupBinding", "k8s-shop-cart-1", "FailedNetworkReconcile", "expected exactly one securityGroup tagged with kubernetes.io/cluster/prod for eni eni-1, got: [sg-eks sg-node]")
		}, cause: "sg.target-ingress", reason: "tag-ambiguous", refused: "tag-security-group"},
		"controller not allowed": {broken: func(f *fake) {
			blocked(f)
			f.complain("TargetGroupBinding", "k8s-shop-cart-1", "FailedNetworkReconcile", "api error UnauthorizedOperation: You are not authorized to perform this operation")
		}, cause: "sg.target-ingress", reason: "iam-denied", fix: "repair-controller", refused: "reconcile-kick"},
		"pod with its own interface": {broken: func(f *fake) {
			unmanaged(f)
			f.sgRules = append(f.sgRules, vpc.SecurityGroupRule{ID: "sgr-manual", Group: "sg-node", Protocol: "tcp", From: 8080, To: 8080, Source: "sg-front"})
			f.all("unhealthy", timeout, "Request timed out")
			for i := range f.pods {
				ip := f.pods[i].Status.PodIP
				f.pods[i].Annotations = map[string]string{"vpc.amazonaws.com/pod-eni": fmt.Sprintf(`[{"eniId":"eni-branch-%d","privateIp":"%s"}]`, i, ip)}
				f.enis = append(f.enis, eni(fmt.Sprintf("eni-branch-%d", i), []string{"subnet-a", "subnet-b"}[i], "", []string{"sg-pod"}, ip))
				f.enis[2*i+1].Addresses = f.enis[2*i+1].Addresses[:1]
			}
		}, cause: "sg.target-ingress", reason: "wrong-sg", fix: "manage-rules", executable: true},
		"old CIDR": {broken: func(f *fake) {
			blocked(f)
			unmanaged(f)
			f.sgRules = append(f.sgRules, vpc.SecurityGroupRule{ID: "sgr-cidr", Group: "sg-node", Protocol: "tcp", From: 8080, To: 8080, CIDR: netip.MustParsePrefix("10.0.200.0/24")})
		}, cause: "sg.target-ingress", reason: "stale-cidr", fix: "manage-rules", executable: true},
		"ports: []": {broken: func(f *fake) {
			blocked(f)
			f.bindings[0].Networking.Ingress[0].Ports = []elb.BindingPort{}
		}, cause: "sg.target-ingress", reason: "tgb-empty-ports", fix: "bind-target-group"},
		"health check port closed": {broken: func(f *fake) {
			unmanaged(f)
			f.sgRules = append(f.sgRules, vpc.SecurityGroupRule{ID: "sgr-8080", Group: "sg-node", Protocol: "tcp", From: 8080, To: 8080, Source: "sg-front"})
			f.groups[0].Check.Port = "9090"
			f.listen(9090)
			f.all("unhealthy", timeout, "Request timed out")
			for i := range f.health[tgARN] {
				f.health[tgARN][i].HealthCheckPort = "9090"
			}
		}, cause: "sg.target-ingress", reason: "hc-port-not-covered", fix: "manage-rules", executable: true},
		"traffic port closed": {broken: func(f *fake) {
			unmanaged(f)
			f.sgRules = append(f.sgRules, vpc.SecurityGroupRule{ID: "sgr-9090", Group: "sg-node", Protocol: "tcp", From: 9090, To: 9090, Source: "sg-front"})
			f.groups[0].Check.Port = "9090"
			for i := range f.health[tgARN] {
				f.health[tgARN][i].HealthCheckPort = "9090"
			}
			f.metrics[elb504], f.metrics[connectErrors] = 6000, 6000
		}, cause: "sg.target-ingress", reason: "traffic-port-not-covered", fix: "manage-rules", executable: true},
		"rule gone a moment ago": {broken: func(f *fake) {
			f.dropRule("sgr-pod")
			f.audit = []trail.Event{{ID: "e1", At: now.Add(-20 * time.Second), Name: "RevokeSecurityGroupIngress", User: "terraform", Resources: []string{"sg-node"}}}
		}, cause: "sg.target-ingress", reason: "drift-removed", confidence: diagnostics.Likely, fix: "reconcile-kick"},
		"no egress": {broken: func(f *fake) {
			blocked(f)
			f.sgRules = append(f.sgRules, vpc.SecurityGroupRule{ID: "sgr-pod", Group: "sg-node", Protocol: "tcp", From: 8080, To: 8080, Source: "sg-back"})
			f.dropRule("sgr-out-sg-front")
			f.dropRule("sgr-out-sg-back")
		}, cause: "sg.alb-egress", fix: "allow-alb-egress", refused: "allow-pod-port"},
		"ACL drops requests": {broken: func(f *fake) {
			f.acls[0].Entries = append(f.acls[0].Entries, vpc.ACLEntry{Number: 90, Protocol: "6", CIDR: netip.MustParsePrefix("10.0.101.0/24"), To: 65535})
			f.health[tgARN][1].State, f.health[tgARN][1].Reason = "unhealthy", timeout
		}, cause: "nacl.forward", fix: "edit-nacl", refused: "allow-pod-port"},
		"ACL drops some answers": {broken: func(f *fake) {
			f.acls[0].Entries = append(f.acls[0].Entries, vpc.ACLEntry{Number: 90, Egress: true, Protocol: "6", CIDR: netip.MustParsePrefix("10.0.101.0/24"), From: 1024, To: 32767})
			f.health[tgARN][0].State, f.health[tgARN][0].Reason = "unhealthy", timeout
		}, cause: "nacl.return", fix: "edit-nacl", refused: "allow-pod-port"},
		"NetworkPolicy": {broken: func(f *fake) {
			p := networkingv1.NetworkPolicy{}
			p.Namespace, p.Name = "shop", "deny"
			f.policies = append(f.policies, p)
			f.daemonSets = enforcing()
			f.all("unhealthy", timeout, "Request timed out")
		}, cause: "netpol.deny", confidence: diagnostics.Likely, fix: "allow-network-policy", refused: "allow-pod-port"},
		"NetworkPolicy that nothing enforces": {broken: func(f *fake) {
			p := networkingv1.NetworkPolicy{}
			p.Namespace, p.Name = "shop", "deny"
			f.policies = append(f.policies, p)
		}},
		"slow health endpoint": {broken: func(f *fake) {
			f.all("unhealthy", timeout, "Request timed out")
			f.metrics[failedOpen] = 6000
		}, cause: "app.slow-health", confidence: diagnostics.Likely, fix: "set-health-check", refused: "allow-pod-port"},
		"no answer, way open, nothing known": {broken: func(f *fake) {
			f.health[tgARN][0].State, f.health[tgARN][0].Reason = "unhealthy", timeout
		}},
		"[503]": {broken: func(f *fake) {
			f.all("unhealthy", mismatch, "Health checks failed with these codes: [503]")
		}, cause: "app.unhealthy", confidence: diagnostics.Likely, fix: "fix-app", refused: "allow-pod-port"},
		"[503] although the model says closed": {broken: func(f *fake) {
			f.dropRule("sgr-pod")
			f.all("unhealthy", refusedBy, "Health checks failed with these codes: [503]")
		}, cause: "app.unhealthy", confidence: diagnostics.Likely, fix: "fix-app", refused: "allow-pod-port"},
		"[404] on the default path": {broken: func(f *fake) {
			delete(f.ingresses[0].Annotations, "alb.ingress.kubernetes.io/healthcheck-path")
			f.groups[0].Check.Path = "/"
			f.all("unhealthy", mismatch, "Health checks failed with these codes: [404]")
		}, cause: "hc.path", fix: "set-health-check", executable: true, refused: "set-success-codes"},
		"[404] by the Service's annotation": {broken: func(f *fake) {
			f.services[0].Annotations = map[string]string{"alb.ingress.kubernetes.io/healthcheck-path": "/old"}
			f.groups[0].Check.Path = "/old"
			f.all("unhealthy", mismatch, "Health checks failed with these codes: [404]")
		}, cause: "hc.override", fix: "set-health-check", executable: true, refused: "set-success-codes"},
		"[301]": {broken: func(f *fake) {
			f.all("unhealthy", mismatch, "Health checks failed with these codes: [301]")
		}, cause: "hc.codes", fix: "fix-app", refused: "set-success-codes"},
		"[204]": {broken: func(f *fake) {
			f.all("unhealthy", mismatch, "Health checks failed with these codes: [204]")
		}, cause: "hc.codes", fix: "set-success-codes", executable: true},
		"wrong health check port": {broken: func(f *fake) {
			f.groups[0].Check.Port = "9090"
			f.ingresses[0].Annotations["alb.ingress.kubernetes.io/healthcheck-port"] = "9090"
			f.sgRules = append(f.sgRules, vpc.SecurityGroupRule{ID: "sgr-9090", Group: "sg-node", Protocol: "tcp", From: 9090, To: 9090, Source: "sg-back"})
			for i := range f.health[tgARN] {
				f.health[tgARN][i].HealthCheckPort = "9090"
			}
			f.all("unhealthy", refusedBy, "Health checks failed")
			f.metrics[failedOpen] = 6000
		}, cause: "hc.port", confidence: diagnostics.Likely, fix: "set-health-check", refused: "allow-pod-port"},
		"no pod matches": {broken: func(f *fake) {
			f.services[0].Spec.Selector = map[string]string{"app": "carts"}
			f.slices[0].Endpoints = nil
			f.health[tgARN] = nil
		}, cause: "ep.selector", fix: "edit-service", refused: "allow-pod-port"},
		"scaled to zero": {broken: func(f *fake) {
			var none int32
			f.deployments["shop"][0].Spec.Replicas = &none
			f.pods, f.slices[0].Endpoints, f.health[tgARN] = nil, nil, nil
		}, cause: "ep.none-ready", reason: "scaled-to-zero", fix: "edit-service", refused: "allow-pod-port"},
		"no pod ready": {broken: func(f *fake) {
			no := false
			for i := range f.pods {
				f.pods[i].Status.Conditions[0].Status = corev1.ConditionFalse
				f.slices[0].Endpoints[i].Conditions.Ready = &no
			}
			f.health[tgARN] = nil
		}, cause: "ep.none-ready", reason: "not-ready", fix: "fix-app", refused: "allow-pod-port"},
		"named port missing": {broken: func(f *fake) {
			f.services[0].Spec.Ports[0].TargetPort = intstr.FromString("web")
			f.slices[0].Ports = []discoveryv1.EndpointPort{}
			f.health[tgARN] = nil
		}, cause: "ep.port-name", fix: "edit-service", refused: "allow-pod-port"},
		"Service missing": {broken: func(f *fake) {
			f.services, f.slices, f.bindings, f.groups = nil, nil, nil, nil
			f.rules[0].Actions = []elb.Action{{Type: "fixed-response", StatusCode: "503", Body: "Backend service does not exist"}}
		}, cause: "svc.missing", fix: "edit-service"},
		"first checks": {broken: func(f *fake) {
			f.all("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")
			for i := range f.pods {
				f.pods[i].Status.Conditions[0].LastTransitionTime = metav1.NewTime(now.Add(-20 * time.Second))
			}
		}, cause: "lb.initializing"},
		"controller turned away": {broken: func(f *fake) {
			f.health[tgARN] = nil
			f.complain("TargetGroupBinding", "k8s-shop-cart-1", "FailedReconcile", "operation error STS: AssumeRoleWithWebIdentity, https response error StatusCode: 403")
		}, cause: "lbc.iam", fix: "repair-controller", refused: "allow-pod-port"},
		"complaint that a success has overtaken": {broken: func(f *fake) {
			f.complain("Ingress", "web", "FailedDeployModel", "Failed deploy model due to timeout")
			e := f.events[0]
			e.Name, e.Type, e.Reason, e.LastTimestamp = "web.ok", "Normal", "SuccessfullyReconciled", metav1.NewTime(now)
			f.events = append(f.events, e)
		}},
		"own errors": {broken: func(f *fake) { f.metrics[target5xx] = 300 }, cause: "app.own-5xx", fix: "fix-app"},
	} {
		t.Run(name, func(t *testing.T) {
			f := shop()
			tc.broken(f)
			r := f.diagnose(t)
			if tc.cause == "" {
				if len(r.Causes) > 0 || len(r.Fixes) > 0 {
					t.Fatalf("causes %+v, fixes %+v, want none", r.Causes, r.Fixes)
				}
				return
			}
			if len(r.Causes) != 1 || r.Causes[0].ID != "alb/"+tc.cause {
				t.Fatalf("causes %+v, want %s alone", r.Causes, tc.cause)
			}
			c := r.Causes[0]
			if tc.confidence == "" {
				tc.confidence = diagnostics.Confirmed
			}
			if c.Confidence != tc.confidence || (tc.reason != "" && c.Reason != tc.reason) {
				t.Errorf("%s %q, want %s %q", c.Confidence, c.Reason, tc.confidence, tc.reason)
			}
			for _, e := range c.Evidence {
				if e.Value == "" || e.Source == "" || e.Repeat == "" {
					t.Errorf("evidence without value, source or repeat: %+v", e)
				}
			}
			first := diagnostics.Fix{}
			if len(r.Fixes) > 0 {
				first = r.Fixes[0]
			}
			if first.ID != strings.TrimSuffix("alb/"+tc.fix, "alb/") && (tc.fix != "" || first.ID != "") {
				t.Errorf("first fix %q, want %q", first.ID, tc.fix)
			}
			if first.Executable != tc.executable || first.Executable != (first.Action != nil) {
				t.Errorf("fix %s: executable %v, action %+v", first.ID, first.Executable, first.Action)
			}
			if first.Action != nil && !slices.Contains(first.Resolves, c.Key()) {
				t.Errorf("fix %s resolves %v, not %s", first.ID, first.Resolves, c.Key())
			}
			refuses(t, r, tc.refused)
		})
	}
}

// refuses checks that a report refuses a fix with a number, and doesn't offer it; "" is no fix.
func refuses(t *testing.T, r diagnostics.Report, fix string) {
	t.Helper()
	if fix == "" {
		return
	}
	if !slices.ContainsFunc(r.Refused, func(x diagnostics.Refused) bool {
		return x.ID == "alb/"+fix && strings.ContainsAny(x.Why, "0123456789")
	}) {
		t.Errorf("refused %+v, want %s with a number", r.Refused, fix)
	}
	if slices.ContainsFunc(r.Fixes, func(x diagnostics.Fix) bool { return x.ID == "alb/"+fix }) {
		t.Errorf("%s is refused and offered", fix)
	}
}

// TestGaps denies reads: what they decide is no cause but stands in the gap.
func TestGaps(t *testing.T) {
	for name, tc := range map[string]struct {
		denied string
		broken func(*fake)
		caps   string // a cause that stays open; empty where the read decides nothing here
		cause  string
	}{
		"group rules": {denied: "ec2:DescribeSecurityGroupRules", broken: func(f *fake) { f.all("unhealthy", timeout, "Request timed out") }, caps: "sg.target-ingress"},
		"interfaces":  {denied: "ec2:DescribeNetworkInterfaces", broken: func(f *fake) { f.all("unhealthy", timeout, "Request timed out") }, caps: "sg.target-ingress"},
		"ACLs":        {denied: "ec2:DescribeNetworkAcls", broken: func(f *fake) { f.all("unhealthy", timeout, "Request timed out") }, caps: "nacl.forward"},
		"health":      {denied: "elasticloadbalancing:DescribeTargetHealth", broken: func(*fake) {}, caps: "app.unhealthy"},
		"balancers":   {denied: "elasticloadbalancing:DescribeLoadBalancers", broken: func(*fake) {}, caps: "sg.target-ingress"},
		"metrics":     {denied: "cloudwatch:GetMetricData", broken: func(*fake) {}, caps: "app.own-5xx"},
		"mutual TLS of a mesh": {denied: "list peerauthentications.security.istio.io", broken: func(f *fake) {
			f.all("unhealthy", refusedBy, "Health checks failed")
			f.mesh("STRICT", nil)
			f.probe(nil)
		}, caps: "mesh.mtls"},
		"policies": {denied: "list networkpolicies.networking.k8s.io", broken: func(f *fake) { f.silent(); f.daemonSets = enforcing() }, caps: "netpol.deny"},
		"group rules, but a code came back": {denied: "ec2:DescribeSecurityGroupRules", broken: func(f *fake) {
			f.all("unhealthy", mismatch, "Health checks failed with these codes: [503]")
		}, cause: "app.unhealthy"},
		"events, but slices decide": {denied: "list events", broken: func(f *fake) {
			no := false
			for i := range f.pods {
				f.pods[i].Status.Conditions[0].Status, f.slices[0].Endpoints[i].Conditions.Ready = corev1.ConditionFalse, &no
			}
			f.health[tgARN] = nil
		}, cause: "ep.none-ready"},
	} {
		t.Run(name, func(t *testing.T) {
			f := shop()
			tc.broken(f)
			f.denied = []string{tc.denied}
			r := f.diagnose(t)
			i := slices.IndexFunc(r.Gaps, func(g diagnostics.Gap) bool { return g.Permission == tc.denied })
			if i < 0 {
				t.Fatalf("gaps %+v, want %s", r.Gaps, tc.denied)
			}
			if open := slices.Contains(r.Gaps[i].Caps, "alb/"+tc.caps); open != (tc.caps != "") || (tc.caps == "" && len(r.Gaps[i].Caps) > 0) {
				t.Errorf("caps %v, want %q", r.Gaps[i].Caps, tc.caps)
			}
			var want []string
			if tc.cause != "" {
				want = []string{"alb/" + tc.cause}
			}
			var got []string
			for _, c := range r.Causes {
				got = append(got, c.ID)
			}
			if !slices.Equal(got, want) {
				t.Errorf("causes %v, want %v", got, want)
			}
		})
	}
}

// TestContradiction: a code proves the port reachable, so the closed port of the model is said not to fit.
func TestContradiction(t *testing.T) {
	f := shop()
	f.dropRule("sgr-pod")
	f.all("unhealthy", refusedBy, "Health checks failed with these codes: [503]")
	r := f.diagnose(t)
	if len(r.Contradictions) != 2 {
		t.Fatalf("contradictions %q, want the closed port and the odd reason", r.Contradictions)
	}
	f = shop()
	f.dropRule("sgr-pod") // healthy all the same, and nobody is known to have taken it away
	f.bindings[0].Networking = nil
	if r := f.diagnose(t); len(r.Causes) > 0 || len(r.Contradictions) != 1 {
		t.Errorf("causes %+v, contradictions %q, want one contradiction alone", r.Causes, r.Contradictions)
	}
}

// TestImpact says what is true of failing open: the healthy rest serves everything.
func TestImpact(t *testing.T) {
	f := shop()
	f.health[tgARN][0].State, f.health[tgARN][0].Reason, f.health[tgARN][0].Description = "unhealthy", mismatch, "Health checks failed with these codes: [503]"
	r := f.diagnose(t)
	if !strings.Contains(r.Impact, "1 of 2 targets") || !strings.Contains(r.Impact, "no request fails for that alone") || len(r.Contributing) > 0 {
		t.Errorf("impact %q, contributing %+v", r.Impact, r.Contributing)
	}
	f.all("unhealthy", mismatch, "Health checks failed with these codes: [503]")
	r = f.diagnose(t)
	if len(r.Contributing) != 1 || r.Contributing[0].ID != "alb/lb.fail-open" {
		t.Errorf("contributing %+v, want lb.fail-open", r.Contributing)
	}
}

// TestSettles keeps the time until which an effect must show to that of the health check.
func TestSettles(t *testing.T) {
	f := shop()
	f.dropRule("sgr-pod")
	f.all("unhealthy", timeout, "Request timed out")
	r := f.diagnose(t)
	i := slices.IndexFunc(r.Fixes, func(x diagnostics.Fix) bool { return x.ID == "alb/allow-pod-port" })
	if i < 0 || r.Fixes[i].SettlesIn != "1m40s" { // 20 s + 3 × 15 s + 5 s + 30 s
		t.Errorf("fixes %+v, want allow-pod-port settling in 1m40s", r.Fixes)
	}
	if a := r.Fixes[i].Action; a == nil || a.AllowIngress.Source != "sg-back" || a.AllowIngress.Group != "sg-node" || a.AllowIngress.Port != 8080 {
		t.Errorf("action %+v, want tcp 8080 of sg-node from the shared backend group", a)
	}
}
