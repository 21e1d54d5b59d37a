package alb

import (
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/elb"
	"github.com/netdiag/netdiag/internal/vpc"
)

// TestComplaints gives messages of the controller as it writes them.
func TestComplaints(t *testing.T) {
	for msg, want := range map[string]string{
		"Failed build model due to couldn't auto-discover subnets: unable to resolve at least one subnet (0 match VPC and tags: [kubernetes.io/role/elb])":                                                                                                   "subnets",
		"Failed build model due to couldn't auto-discover subnets: unable to resolve at least one subnet. Evaluated 3 subnets: 0 are tagged for other clusters, and 3 have insufficient available IP addresses":                                              "subnets",
		"Failed build model due to ingress: shop/web: no certificate found for host: shop.example.com":                                                                                                                                                       "certificate",
		"Failed build model due to ingress: shop/web: unable to find port 8081 on service shop/cart":                                                                                                                                                         "port",
		"Failed build model due to ingress: shop/web: service type must be either 'NodePort' or 'LoadBalancer': shop/cart":                                                                                                                                   "service-type",
		`Failed build model due to ingress: shop/web: Service "green" not found`:                                                                                                                                                                             "service-missing",
		"Failed deploy model due to operation error Elastic Load Balancing v2: CreateRule, https response error StatusCode: 400, RequestID: 1, TooManyRules: The maximum number of rules on load balancer 'arn:aws:elasticloadbalancing:x' has been reached": "quota",
		"Failed deploy model due to ThrottlingException: Rate exceeded":                                                                                                                                                                                      "throttled",
		"Failed deploy model due to something new": "other",
	} {
		if got := complaint(msg); got != want {
			t.Errorf("%s: %s, want %s", msg, got, want)
		}
	}
	for msg, want := range map[string]string{
		`failed calling webhook "mtargetgroupbinding.elbv2.k8s.aws": failed to call webhook: Post "https://x": context deadline exceeded`: "mtargetgroupbinding.elbv2.k8s.aws",
		`failed calling webhook "validate.kyverno.svc-fail": failed to call webhook`:                                                      "",
		"context deadline exceeded": "",
	} {
		if got := webhookOf(msg); got != want {
			t.Errorf("webhookOf(%s) = %s, want %s", msg, got, want)
		}
	}
	role, action := refusedAction("operation error EC2: AuthorizeSecurityGroupIngress, api error UnauthorizedOperation: You are not authorized to perform this operation. User: arn:aws:sts::1:assumed-role/lbc-role/1732 is not authorized to perform: ec2:AuthorizeSecurityGroupIngress on resource: arn:aws:ec2:x")
	if role != "lbc-role" || action != "ec2:AuthorizeSecurityGroupIngress" {
		t.Errorf("role %q, action %q", role, action)
	}
}

// TestIngressComplaints offers for each complaint what it asks for.
func TestIngressComplaints(t *testing.T) {
	for name, tc := range map[string]struct {
		msg, want, fix, says string
	}{
		"certificate": {"Failed build model due to no certificate found for host: shop.example.com", "ingress.not-reconciled certificate confirmed", "fix-ingress-group", "shop.example.com"},
		"port":        {"Failed build model due to unable to find port 8081 on service shop/cart", "ingress.not-reconciled port confirmed", "edit-service", "80"},
		"type":        {"Failed build model due to service type must be either 'NodePort' or 'LoadBalancer': shop/cart", "ingress.not-reconciled service-type confirmed", "edit-service", "NodePort"},
		"quota":       {"Failed deploy model due to TooManyLoadBalancers: The maximum number of load balancers has been reached", "ingress.not-reconciled quota confirmed", "raise-quota", "50"},
		"throttled":   {"Failed deploy model due to ThrottlingException: Rate exceeded", "ingress.not-reconciled throttled likely", "", ""},
		"permission":  {"Failed deploy model due to AccessDenied: User: arn:aws:sts::1:assumed-role/lbc-role/1 is not authorized to perform: elasticloadbalancing:CreateRule on resource: x", "lbc.iam permission confirmed", "repair-controller", "elasticloadbalancing:CreateRule"},
		"credentials": {"Failed deploy model due to get credentials: failed to refresh cached credentials, operation error STS: AssumeRoleWithWebIdentity, https response error StatusCode: 403", "lbc.iam credentials confirmed", "repair-controller", "trust policy"},
		"webhook":     {`Failed deploy model due to Internal error occurred: failed calling webhook "mtargetgroupbinding.elbv2.k8s.aws": failed to call webhook: Post "https://x": context deadline exceeded`, "lbc.webhook unreachable confirmed", "repair-controller", "9443"},
		"no endpoint": {`Failed deploy model due to Internal error occurred: failed calling webhook "mtargetgroupbinding.elbv2.k8s.aws": failed to call webhook: Post "https://x": no endpoints available for service "aws-load-balancer-webhook-service"`, "lbc.webhook no-endpoints confirmed", "repair-controller", "endpoint"},
		"other hook":  {`Failed deploy model due to Internal error occurred: failed calling webhook "policy.example.com": failed to call webhook: Post "https://x": EOF`, "ingress.not-reconciled other confirmed", "fix-ingress-group", "policy.example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			f := shop()
			f.complain("Ingress", "web", "FailedBuildModel", tc.msg)
			r := f.diagnose(t)
			is(t, r, tc.fix, tc.want)
			if tc.fix != "" && !strings.Contains(strings.Join(r.Fixes[0].Changes, "\n"), tc.says) {
				t.Errorf("changes %q, want %s", r.Fixes[0].Changes, tc.says)
			}
		})
	}
}

// TestConflicts: what the load balancer has now is kept, whichever ingress was asked for.
func TestConflicts(t *testing.T) {
	f := shop()
	f.balancers[0].Scheme = "internet-facing"
	f.ingresses[0].Annotations["alb.ingress.kubernetes.io/group.name"] = "g"
	f.ingresses[0].Annotations["alb.ingress.kubernetes.io/scheme"] = "internet-facing"
	f.bindings[0].Labels = map[string]string{"ingress.k8s.aws/stack": "g"}
	other := f.ingresses[0].DeepCopy()
	other.Name, other.UID = "cms", "u2"
	other.Annotations = map[string]string{"alb.ingress.kubernetes.io/group.name": "g", "alb.ingress.kubernetes.io/scheme": "internal", "argocd.argoproj.io/tracking-id": "x"}
	other.Spec.Rules[0].Host = "cms.example.com"
	f.ingresses = append(f.ingresses, *other)
	f.complain("Ingress", "web", "FailedBuildModel", "Failed build model due to conflicting scheme: map[internal:{} internet-facing:{}]")
	r := f.diagnose(t)
	is(t, r, "fix-ingress-group", "ingress.group-conflict confirmed")
	x := r.Fixes[0]
	if len(x.Commands) != 1 || !strings.Contains(x.Commands[0], "ingress cms -n shop alb.ingress.kubernetes.io/scheme=internet-facing") {
		t.Errorf("commands %q, want cms to give way", x.Commands)
	}
	if x.Owner != ownerArgo {
		t.Errorf("owner %s, want that of the ingress that changes", x.Owner)
	}
}

func TestConflictKeeps(t *testing.T) {
	for name, tc := range map[string]struct {
		c    conflict
		want string
	}{
		"what it has": {conflict{now: "a", said: map[string][]string{"a": {"1"}, "b": {"2", "3"}}}, "a"},
		"most":        {conflict{said: map[string][]string{"a": {"1"}, "b": {"2", "3"}}}, "b"},
		"a draw":      {conflict{said: map[string][]string{"a": {"1"}, "b": {"2"}}}, ""},
	} {
		if got := tc.c.kept(); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

// TestZones picks for each zone a subnet that can carry the load balancer.
func TestZones(t *testing.T) {
	a := &analysis{model: &model{s: &Snapshot{Balancer: &elb.LoadBalancer{Scheme: "internet-facing"},
		Choice: []vpc.Subnet{{ID: "full", Zone: "c", Available: 7, Tags: map[string]string{"kubernetes.io/role/elb": "1"}}, {ID: "private", Zone: "c", Available: 200}, {ID: "public", Zone: "c", Available: 8}, {ID: "inside", Zone: "d", Available: 99}},
		Routes: []vpc.RouteTable{{ID: "main", Main: true, Routes: []vpc.Route{{Target: "nat-1"}}}, {ID: "out", Subnets: []string{"full", "public"}, Routes: []vpc.Route{{Target: "igw-1"}}}}}}}
	if n, ok := a.pick("c"); !ok || n.ID != "public" {
		t.Errorf("picked %+v, want the public one with room", n)
	}
	if n, ok := a.pick("d"); ok {
		t.Errorf("picked %+v for the internet, which has no way there", n)
	}
	a.s.Balancer.Scheme = "internal"
	if n, ok := a.pick("c"); !ok || n.ID != "private" {
		t.Errorf("picked %+v, want the private one", n)
	}
	a.s.Choice[2].Tags = map[string]string{"kubernetes.io/role/internal-elb": "1"}
	if n, _ := a.pick("c"); n.ID != "public" {
		t.Errorf("picked %+v, want the tagged one", n)
	}
}

// TestNamedBinding: a binding that gives only the name of its target group is followed like any other.
func TestNamedBinding(t *testing.T) {
	f := shop()
	f.ingresses = nil
	f.bindings[0].Labels, f.bindings[0].TargetGroupARN, f.bindings[0].TargetGroupName = nil, "", "k8s-shop-cart-1"
	f.all("unhealthy", mismatch, "Health checks failed with these codes: [503]")
	r := f.ask(t, diagnostics.Target{Cluster: "prod", Region: "us-west-2", Namespace: "shop", Name: "k8s-shop-cart-1"})
	is(t, r, "fix-app", "app.unhealthy likely")
	if f.bindings[0].TargetGroupARN != "" {
		t.Error("the reader's own binding was changed")
	}

	f.groups[0].LoadBalancers = nil // no rule uses it
	f.balancers, f.listeners, f.rules = nil, nil, nil
	f.all("unused", "Target.NotInUse", "Target group is not configured to receive traffic from the load balancer")
	is(t, f.ask(t, diagnostics.Target{Cluster: "prod", Region: "us-west-2", Namespace: "shop", Name: "k8s-shop-cart-1"}), "bind-target-group", "tg.detached confirmed")

	f.groups = nil
	_, err := Diagnosis.Run(t.Context(), f.inputs(), diagnostics.Target{Cluster: "prod", Region: "us-west-2", Namespace: "shop", Name: "k8s-shop-cart-1"})
	if err == nil || !strings.Contains(err.Error(), `"k8s-shop-cart-1", but none of this name was found`) {
		t.Errorf("a target group that isn't there: %v", err)
	}
}

// TestMissingBinding: a target group of the controller that no binding fills.
func TestMissingBinding(t *testing.T) {
	a := &analysis{model: newModel(&Snapshot{})}
	svc := shop().services[0]
	tg := &TargetGroup{HealthRead: true}
	tg.Tags = map[string]string{"ingress.k8s.aws/resource": "shop/web-cart:80"}
	g := &group{TargetGroup: tg, m: a.model, namespace: "shop", service: "cart", svc: &svc, rules: []elb.Rule{{}}, endpoints: []endpoint{{ready: true, port: 8080}}}
	a.bindingGone(g)
	if !a.found("ingress.not-reconciled") {
		t.Error("a target group without binding is a cause")
	}
	a = &analysis{model: newModel(&Snapshot{Unread: []diagnostics.Unread{{Permission: "list targetgroupbindings.elbv2.k8s.aws", Reason: diagnostics.Denied}}})}
	g.m = a.model
	a.bindingGone(g)
	if a.found("ingress.not-reconciled") {
		t.Error("bindings that may not be read are no missing ones")
	}
}

func TestWants(t *testing.T) {
	ing := shop().ingresses[0]
	more := ing.Spec.Rules[0].HTTP.Paths[0]
	more.Path, more.Backend.Service = "/pay", &networkingv1.IngressServiceBackend{Name: "pay", Port: networkingv1.ServiceBackendPort{Number: 80}}
	ing.Spec.Rules[0].HTTP.Paths = append(ing.Spec.Rules[0].HTTP.Paths, more)
	rule := func(paths ...string) elb.Rule {
		return elb.Rule{Conditions: []elb.Condition{{Field: "host-header", Values: []string{"shop.example.com"}}, {Field: "path-pattern", Values: paths}}}
	}
	if !wants(ing, "pay", rule("/pay", "/pay/*")) || wants(ing, "cart", rule("/pay", "/pay/*")) || !wants(ing, "cart", rule("/*")) {
		t.Error("a rule belongs to the Service of its path")
	}
}
