package alb

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/elb"
)

// TestRefusals asks for what can't be answered: each refusal says what is wrong and what to do.
func TestRefusals(t *testing.T) {
	other := func(name string, change func(*networkingv1.Ingress)) func(*fake) {
		return func(f *fake) {
			ing := *f.ingresses[0].DeepCopy()
			ing.Name, ing.UID = name, "u2"
			change(&ing)
			f.ingresses = append(f.ingresses, ing)
		}
	}
	nginx := "nginx"
	for name, tc := range map[string]struct {
		target diagnostics.Target
		change func(*fake)
		want   []string // parts of the text
	}{
		"unknown":      {target: diagnostics.Target{Name: "wep"}, want: []string{`"wep"`, "any namespace", "shop/web"}},
		"unknown here": {target: diagnostics.Target{Name: "web", Namespace: "store"}, want: []string{"namespace store", "shop/web"}},
		"no ingress":   {target: diagnostics.Target{Name: "web"}, change: func(f *fake) { f.ingresses, f.bindings = nil, nil }, want: []string{"no ingress at all"}},
		"twice":        {target: diagnostics.Target{Name: "web"}, change: other("web", func(i *networkingv1.Ingress) { i.Namespace = "store" }), want: []string{"2 things", "shop/web", "store/web", "-n"}},
		"another controller": {target: diagnostics.Target{Name: "site"}, change: func(f *fake) {
			other("site", func(i *networkingv1.Ingress) { i.Spec.IngressClassName = &nginx })(f)
			c := f.classes[0]
			c.Name, c.Spec.Controller = nginx, "k8s.io/ingress-nginx"
			f.classes = append(f.classes, c)
		}, want: []string{"not an ALB ingress", "k8s.io/ingress-nginx"}},
		"class missing":    {target: diagnostics.Target{Name: "site"}, change: other("site", func(i *networkingv1.Ingress) { i.Spec.IngressClassName = &nginx }), want: []string{"nginx", "doesn't exist"}},
		"class unreadable": {target: diagnostics.Target{Name: "web"}, change: func(f *fake) { f.denied = []string{"list ingressclasses.networking.k8s.io"} }, want: []string{"list ingressclasses.networking.k8s.io"}},
		"another controller behind a Network Load Balancer": {target: diagnostics.Target{Name: "site"}, change: func(f *fake) {
			other("site", func(i *networkingv1.Ingress) {
				i.Spec.IngressClassName = &nginx
				i.Status.LoadBalancer.Ingress[0].Hostname = "nginx-1a2b.elb.us-west-2.amazonaws.com"
			})(f)
		}, want: []string{"Network Load Balancer nginx-1a2b.elb.us-west-2.amazonaws.com"}},
		"a Service behind an ingress": {target: diagnostics.Target{Name: "cart"}, want: []string{"Service shop/cart, behind an ingress", "alb web -n shop"}},
		"a Service with its own": {target: diagnostics.Target{Name: "edge"}, change: func(f *fake) {
			svc := f.services[0]
			svc.Name, svc.Spec.Type = "edge", corev1.ServiceTypeLoadBalancer
			f.services = append(f.services, svc)
		}, want: []string{"Service shop/edge of type LoadBalancer", "Application Load Balancers only"}},
		"services unreadable":          {target: diagnostics.Target{Name: "cart"}, change: func(f *fake) { f.denied = []string{"list services"} }, want: []string{"The nearest are"}},
		"a binding twice":              {target: diagnostics.Target{Name: "k8s-shop-cart-1"}, change: func(f *fake) { b := f.bindings[0]; b.Namespace = "store"; f.bindings = append(f.bindings, b) }, want: []string{"2 things", "shop/k8s-shop-cart-1", "store/k8s-shop-cart-1"}},
		"a binding of a Network one":   {target: diagnostics.Target{Name: "k8s-shop-cart-1"}, change: func(f *fake) { f.groups[0].LoadBalancers = []string{strings.Replace(lbARN, "/app/", "/net/", 1)} }, want: []string{"no Application Load Balancer but a Network one"}},
		"a binding without ARN":        {target: diagnostics.Target{Name: "k8s-shop-cart-1"}, change: func(f *fake) { f.bindings[0].TargetGroupARN, f.bindings[0].TargetGroupName = "", "mine" }, want: []string{`"mine"`, "none of this name was found"}},
		"a binding in another region":  {target: diagnostics.Target{Name: "k8s-shop-cart-1", Region: "eu-west-1"}, want: []string{"us-west-2", "eu-west-1"}},
		"a binding with a strange ARN": {target: diagnostics.Target{Name: "k8s-shop-cart-1"}, change: func(f *fake) { f.bindings[0].TargetGroupARN = "mine" }, want: []string{"no ARN"}},
		"another region":               {target: diagnostics.Target{Name: "web", Region: "eu-west-1"}, change: func(*fake) {}, want: []string{"us-west-2", "eu-west-1"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := shop()
			if tc.change != nil {
				tc.change(f)
			}
			_, err := Diagnosis.Run(t.Context(), f.inputs(), tc.target)
			var refusal diagnostics.Refusal
			if !errors.As(err, &refusal) {
				t.Fatalf("error %v, want a refusal", err)
			}
			for _, part := range tc.want {
				if !strings.Contains(string(refusal), part) {
					t.Errorf("%q doesn't say %q", refusal, part)
				}
			}
		})
	}
}

func TestIngressesUnreadable(t *testing.T) {
	f := shop()
	f.denied = []string{"list ingresses.networking.k8s.io"}
	f.ingresses, f.bindings = nil, nil
	_, err := Diagnosis.Run(t.Context(), f.inputs(), diagnostics.Target{Name: "web"})
	var missed *diagnostics.ReadError
	if !errors.As(err, &missed) || missed.Permission != "list ingresses.networking.k8s.io" {
		t.Errorf("error %v, want the read that was denied", err)
	}
}

// TestFind finds the load balancer in each of the ways there are.
func TestFind(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*fake)
		target diagnostics.Target
		want   string
	}{
		"by name":                   {change: func(*fake) {}, want: "k8s-shop-web-1"},
		"by DNS name among all":     {change: func(f *fake) { f.balancers[0].Name = "renamed" }, want: "renamed"},
		"another one with the name": {change: func(f *fake) { f.balancers[0].DNSName = "k8s-shop-web-1-999.us-west-2.elb.amazonaws.com" }},
		"by a binding":              {change: func(*fake) {}, target: diagnostics.Target{Name: "k8s-shop-cart-1"}, want: "k8s-shop-web-1"},
		"without an address, by its tags": {change: func(f *fake) {
			f.ingresses[0].Status.LoadBalancer.Ingress = nil
			f.tags = map[string]map[string]string{lbARN: {"elbv2.k8s.aws/cluster": "prod", "ingress.k8s.aws/stack": "shop/web"}}
		}, want: "k8s-shop-web-1"},
		"without an address, by those of EKS Auto Mode": {change: func(f *fake) {
			f.ingresses[0].Status.LoadBalancer.Ingress = nil
			f.tags = map[string]map[string]string{lbARN: {"eks:eks-cluster-name": "prod", "ingress.eks.amazonaws.com/stack": "shop/web"}}
		}, want: "k8s-shop-web-1"},
		"without an address, of another cluster": {change: func(f *fake) {
			f.ingresses[0].Status.LoadBalancer.Ingress = nil
			f.tags = map[string]map[string]string{lbARN: {"elbv2.k8s.aws/cluster": "test", "ingress.k8s.aws/stack": "shop/web"}}
		}},
		"without an address, by no tag": {change: func(f *fake) { f.ingresses[0].Status.LoadBalancer.Ingress = nil }},
	} {
		t.Run(name, func(t *testing.T) {
			f := shop()
			tc.change(f)
			tc.target.Name, tc.target.Cluster = cmp.Or(tc.target.Name, "web"), "prod"
			s, err := collect(t.Context(), f.inputs(), tc.target)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if s.Balancer != nil {
				got = s.Balancer.Name
			}
			if got != tc.want {
				t.Errorf("found %q, want %q", got, tc.want)
			}
		})
	}
}

func TestNameIn(t *testing.T) {
	for host, want := range map[string]string{
		"k8s-shop-web-1-123.us-west-2.elb.amazonaws.com":                 "k8s-shop-web-1",
		"internal-k8s-shop-web-1a2b-456.eu-west-1.elb.amazonaws.com":     "k8s-shop-web-1a2b",
		"internal-payments-7.cn-north-1.elb.amazonaws.com.cn":            "payments",
		"k8s-backend-apiingre-abc123-456789.us-west-2.elb.amazonaws.com": "k8s-backend-apiingre-abc123",
		"internal-internal-tools-1590099.ap-south-1.elb.amazonaws.com":   "internal-tools",
	} {
		if got := nameIn(host); got != want {
			t.Errorf("nameIn(%s) = %s, want %s", host, got, want)
		}
	}
}

// TestGroup: in a group only the rules of this ingress count, and one of a sibling that matches first is told.
func TestGroup(t *testing.T) {
	f := shop()
	f.ingresses[0].Annotations["alb.ingress.kubernetes.io/group.name"] = "shared"
	f.bindings[0].Labels = map[string]string{"ingress.k8s.aws/stack": "shared"}
	sibling := *f.ingresses[0].DeepCopy()
	sibling.Name, sibling.Namespace, sibling.UID = "other", "store", "u2"
	f.ingresses = append(f.ingresses, sibling)
	theirs := elb.Rule{ARN: "rule/0", Listener: "listener/1", Priority: 1, Conditions: f.rules[0].Conditions, Actions: []elb.Action{{Type: "forward", Targets: []elb.Weighted{{TargetGroup: "arn:theirs", Weight: 1}}}}}
	f.rules[0].Priority = 2
	f.rules = append(f.rules, theirs)
	f.bindings = append(f.bindings, elb.TargetGroupBinding{Namespace: "store", Name: "theirs", TargetGroupARN: "arn:theirs", Service: "cart", Labels: map[string]string{"ingress.k8s.aws/stack": "shared"}})
	r := f.diagnose(t)
	if len(r.Causes) != 1 || r.Causes[0].ID != "alb/rule.shadowed" || !strings.Contains(r.Causes[0].Summary, "store/other") {
		t.Errorf("causes %+v, want rule.shadowed by store/other", r.Causes)
	}
}

// TestCandidates: of two load balancers with the tags of the ingress none is taken, and both are named.
func TestCandidates(t *testing.T) {
	f := shop()
	f.ingresses[0].Status.LoadBalancer.Ingress = nil
	twin := f.balancers[0]
	twin.ARN, twin.Name = lbARN+"2", "k8s-shop-web-2"
	f.balancers = append(f.balancers, twin)
	tags := map[string]string{"elbv2.k8s.aws/cluster": "prod", "ingress.k8s.aws/stack": "shop/web"}
	f.tags = map[string]map[string]string{lbARN: tags, twin.ARN: tags}
	r := f.diagnose(t)
	if len(r.Causes) != 1 || r.Causes[0].ID != "alb/ingress.not-reconciled" || !strings.Contains(r.Causes[0].Summary, "k8s-shop-web-1, k8s-shop-web-2") {
		t.Errorf("causes %+v, want both candidates named", r.Causes)
	}
}

// TestBinding asks for a TargetGroupBinding: the ingress that it was made of lends its annotations, and only its own target group counts.
func TestBinding(t *testing.T) {
	byGroup := func(f *fake) {
		f.ingresses[0].Annotations["alb.ingress.kubernetes.io/group.name"] = "shared"
		f.bindings[0].Labels = map[string]string{"ingress.k8s.aws/stack": "shared"}
		f.bindings[0].ServicePort = "80"
	}
	for name, tc := range map[string]struct {
		change  func(*fake)
		ingress string
	}{
		"of an ingress": {change: func(*fake) {}, ingress: "web"},
		"of a group":    {change: byGroup, ingress: "web"},
		"of two ingresses of a group": {change: func(f *fake) {
			byGroup(f)
			twin := *f.ingresses[0].DeepCopy()
			twin.Name, twin.UID = "twin", "u2"
			f.ingresses = append(f.ingresses, twin)
		}},
		"written by hand":                     {change: func(f *fake) { f.bindings[0].Labels = nil }},
		"of an ingress of another controller": {change: func(f *fake) { f.classes[0].Spec.Controller = "k8s.io/ingress-nginx" }},
	} {
		t.Run(name, func(t *testing.T) {
			f := shop()
			tc.change(f)
			s, err := collect(t.Context(), f.inputs(), diagnostics.Target{Name: "k8s-shop-cart-1", Cluster: "prod"})
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if s.Ingress != nil {
				got = s.Ingress.Name
			}
			if got != tc.ingress || s.Asked == nil || s.Balancer == nil || len(s.TargetGroups) != 1 {
				t.Errorf("ingress %q, binding %v, balancer %v, %d target groups; want ingress %q", got, s.Asked, s.Balancer, len(s.TargetGroups), tc.ingress)
			}
		})
	}
}

// TestBindingCauses: what an ingress would be told, its binding is told too; and a target group that is gone, or that no rule uses.
func TestBindingCauses(t *testing.T) {
	for name, tc := range map[string]struct {
		change     func(*fake)
		cause, fix string
	}{
		"annotation of its ingress": {change: func(f *fake) {
			delete(f.ingresses[0].Annotations, "alb.ingress.kubernetes.io/healthcheck-path")
			f.groups[0].Check.Path = "/"
			f.all("unhealthy", mismatch, "Health checks failed with these codes: [404]")
		}, cause: "hc.path", fix: "set-health-check"},
		"target group gone": {change: func(f *fake) { f.groups = nil }, cause: "ingress.not-reconciled", fix: "bind-target-group"},
		"target group that no rule uses": {change: func(f *fake) {
			f.groups[0].LoadBalancers, f.rules = nil, nil
			f.all("unused", "Target.NotInUse", "Target group is not configured to receive traffic from the load balancer")
		}, cause: "tg.detached", fix: "bind-target-group"},
	} {
		t.Run(name, func(t *testing.T) {
			f := shop()
			tc.change(f)
			r := f.ask(t, diagnostics.Target{Cluster: "prod", Region: "us-west-2", Namespace: "shop", Name: "k8s-shop-cart-1"})
			if len(r.Causes) != 1 || r.Causes[0].ID != "alb/"+tc.cause || len(r.Fixes) == 0 || r.Fixes[0].ID != "alb/"+tc.fix {
				t.Errorf("causes %+v, fixes %+v; want %s, %s", r.Causes, r.Fixes, tc.cause, tc.fix)
			}
		})
	}
}

// TestMembers: a group goes across the classes of one controller; EKS Auto Mode takes it from class parameters alone.
func TestMembers(t *testing.T) {
	member := func(f *fake, class string) {
		ing := *f.ingresses[0].DeepCopy()
		ing.Namespace, ing.Name, ing.UID, ing.Spec.IngressClassName = "store", "other", "u2", &class
		f.ingresses = append(f.ingresses, ing)
	}
	for name, tc := range map[string]struct {
		change  func(*fake)
		group   string
		members int
	}{
		"same class": {change: func(f *fake) { member(f, "alb") }, group: "shared", members: 1},
		"another class of the controller": {change: func(f *fake) {
			c := f.classes[0]
			c.Name = "alb-internal"
			f.classes = append(f.classes, c)
			member(f, "alb-internal")
		}, group: "shared", members: 1},
		"a class of another controller": {change: func(f *fake) {
			c := f.classes[0]
			c.Name, c.Spec.Controller = "nginx", "k8s.io/ingress-nginx"
			f.classes = append(f.classes, c)
			member(f, "nginx")
		}, group: "shared"},
		"a class that isn't there": {change: func(f *fake) { member(f, "gone") }, group: "shared"},
		"EKS Auto Mode":            {change: func(f *fake) { f.classes[0].Spec.Controller = autoController; member(f, "alb") }},
	} {
		t.Run(name, func(t *testing.T) {
			f := shop()
			f.ingresses[0].Annotations["alb.ingress.kubernetes.io/group.name"] = "shared"
			tc.change(f)
			s, err := collect(t.Context(), f.inputs(), diagnostics.Target{Name: "web", Cluster: "prod"})
			if err != nil || s.Group != tc.group || len(s.Members) != tc.members {
				t.Errorf("group %q with %d members, %v; want %q with %d", s.Group, len(s.Members), err, tc.group, tc.members)
			}
		})
	}
}

// TestFarBinding: a rule may forward to a target group that a binding of another namespace fills; its Service is read there.
func TestFarBinding(t *testing.T) {
	f := shop()
	far := f.bindings[0]
	f.bindings[0].Namespace, f.bindings[0].Labels = "store", nil
	for i := range f.services {
		f.services[i].Namespace = "store"
	}
	for i := range f.slices {
		f.slices[i].Namespace = "store"
	}
	for i := range f.pods {
		f.pods[i].Namespace = "store"
	}
	f.event("Pod", "store", "cart-a", "Unhealthy", "Readiness probe failed", minute(14))
	s, err := collect(t.Context(), f.inputs(), diagnostics.Target{Name: "web", Cluster: "prod"})
	if err != nil || len(s.Services) != 1 || len(s.Pods) != 2 || len(s.Events) != 1 {
		t.Fatalf("%d services, %d pods, %d events, %v; want those of namespace store, each once", len(s.Services), len(s.Pods), len(s.Events), err)
	}
	f.health[tgARN] = nil
	f.slices[0].Endpoints = nil
	if r := f.diagnose(t); len(r.Causes) != 1 || r.Causes[0].ID == "alb/svc.missing" {
		t.Errorf("causes %+v: Service %s/%s is there", r.Causes, "store", far.Service)
	}
}

// TestPartialGroup: who may read one namespace only can't know the whole group, and is told so.
func TestPartialGroup(t *testing.T) {
	f := shop()
	f.ingresses[0].Annotations["alb.ingress.kubernetes.io/group.name"] = "shared"
	f.narrow = true
	r := f.diagnose(t)
	if !strings.Contains(fmt.Sprint(r.Gaps), "list ingresses.networking.k8s.io") {
		t.Errorf("gaps %+v, want the other members", r.Gaps)
	}
	f.ingresses[0].Annotations["alb.ingress.kubernetes.io/group.name"] = ""
	if r := f.diagnose(t); len(r.Gaps) > 0 {
		t.Errorf("gaps %+v for an ingress on its own, want none", r.Gaps)
	}
}
