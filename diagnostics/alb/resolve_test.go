package alb

import (
	"errors"
	"strings"
	"testing"

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
		"another region":   {target: diagnostics.Target{Name: "web", Region: "eu-west-1"}, change: func(*fake) {}, want: []string{"us-west-2", "eu-west-1"}},
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
		"by name":                       {change: func(*fake) {}, want: "k8s-shop-web-1"},
		"by DNS name among all":         {change: func(f *fake) { f.balancers[0].Name = "renamed" }, want: "renamed"},
		"another one with the name":     {change: func(f *fake) { f.balancers[0].DNSName = "k8s-shop-web-1-999.us-west-2.elb.amazonaws.com" }},
		"by a binding":                  {change: func(*fake) {}, target: diagnostics.Target{Name: "k8s-shop-cart-1"}, want: "k8s-shop-web-1"},
		"without an address, by no tag": {change: func(f *fake) { f.ingresses[0].Status.LoadBalancer.Ingress = nil }},
	} {
		t.Run(name, func(t *testing.T) {
			f := shop()
			tc.change(f)
			if tc.target.Name == "" {
				tc.target.Name = "web"
			}
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
