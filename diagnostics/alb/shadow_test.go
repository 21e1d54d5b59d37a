package alb

import (
	"fmt"
	"strings"
	"testing"

	"github.com/netdiag/netdiag/internal/elb"
)

// TestShadow puts a rule of another ingress of the group before ours.
func TestShadow(t *testing.T) {
	host := func(values ...string) elb.Condition { return elb.Condition{Field: "host-header", Values: values} }
	path := func(values ...string) elb.Condition { return elb.Condition{Field: "path-pattern", Values: values} }
	ours := []elb.Condition{host("shop.example.com"), path("/cart", "/cart/*")}
	for name, tc := range map[string]struct {
		theirs   []elb.Condition
		priority int
		to       string // its target group
		order    string // of the other ingress
		shadowed bool
		fix      string // part of the first change
	}{
		"all paths":                      {theirs: []elb.Condition{host("shop.example.com"), path("/*")}, priority: 1, shadowed: true, fix: "group.order 0 → -1"},
		"all paths, with an order":       {theirs: []elb.Condition{host("shop.example.com"), path("/*")}, priority: 1, order: "-10", shadowed: true, fix: "group.order 0 → -11"},
		"all hosts":                      {theirs: []elb.Condition{path("/*")}, priority: 1, shadowed: true, fix: "group.order"},
		"no condition at all":            {priority: 1, shadowed: true, fix: "group.order"},
		"a wildcard, in capitals":        {theirs: []elb.Condition{host("*.EXAMPLE.com")}, priority: 1, shadowed: true, fix: "group.order"},
		"just the same":                  {theirs: ours, priority: 1, shadowed: true, fix: "another host or path"},
		"the same target group":          {theirs: []elb.Condition{host("shop.example.com"), path("/*")}, priority: 1, to: tgARN},
		"after ours":                     {theirs: []elb.Condition{host("shop.example.com"), path("/*")}, priority: 9},
		"another host":                   {theirs: []elb.Condition{host("other.example.com"), path("/*")}, priority: 1},
		"one of two paths":               {theirs: []elb.Condition{host("shop.example.com"), path("/cart")}, priority: 1},
		"paths in capitals":              {theirs: []elb.Condition{host("shop.example.com"), path("/CART*")}, priority: 1},
		"only some methods":              {theirs: []elb.Condition{path("/*"), {Field: "http-request-method", Values: []string{"POST"}}}, priority: 1},
		"a regular expression, unknown":  {theirs: []elb.Condition{host(), path("/*")}, priority: 1},
		"its order can't be any smaller": {theirs: []elb.Condition{path("/*")}, priority: 1, order: "-1000", shadowed: true},
	} {
		t.Run(name, func(t *testing.T) {
			f := shop()
			f.ingresses[0].Annotations["alb.ingress.kubernetes.io/group.name"] = "shared"
			f.ingresses[0].Spec.Rules[0].HTTP.Paths[0].Path = "/cart"
			f.bindings[0].Labels = map[string]string{"ingress.k8s.aws/stack": "shared"}
			sibling := *f.ingresses[0].DeepCopy()
			sibling.Name, sibling.Namespace, sibling.UID = "other", "store", "u2"
			sibling.Spec.Rules[0].HTTP.Paths[0].Path = "/"
			if tc.order != "" {
				sibling.Annotations["alb.ingress.kubernetes.io/group.order"] = tc.order
			}
			f.ingresses = append(f.ingresses, sibling)
			to := "arn:theirs"
			if tc.to != "" {
				to = tc.to
			} else {
				f.bindings = append(f.bindings, elb.TargetGroupBinding{Namespace: "store", Name: "theirs", TargetGroupARN: to, Service: "cart", ServicePort: "80", Labels: map[string]string{"ingress.k8s.aws/stack": "shared"}})
				f.tags = map[string]map[string]string{to: {"ingress.k8s.aws/resource": "store/other-cart:80"}}
			}
			f.rules[0].Priority, f.rules[0].Conditions = 2, ours
			f.rules = append(f.rules, elb.Rule{ARN: "rule/0", Listener: "listener/1", Priority: tc.priority, Conditions: tc.theirs, Actions: []elb.Action{{Type: "forward", Targets: []elb.Weighted{{TargetGroup: to, Weight: 1}}}}})
			r := f.diagnose(t)
			if got := len(r.Causes) == 1 && r.Causes[0].ID == "alb/rule.shadowed"; got != tc.shadowed || (!got && len(r.Causes) > 0) {
				t.Fatalf("causes %+v, shadowed %v", r.Causes, tc.shadowed)
			}
			if !tc.shadowed {
				return
			}
			if !strings.Contains(r.Causes[0].Summary, "store/other") {
				t.Errorf("%q doesn't name the other ingress", r.Causes[0].Summary)
			}
			if tc.fix == "" {
				if len(r.Fixes) > 0 {
					t.Errorf("fixes %+v, want none", r.Fixes)
				}
				return
			}
			if len(r.Fixes) != 1 || r.Fixes[0].ID != "alb/fix-ingress-group" || !strings.Contains(fmt.Sprint(r.Fixes[0].Changes), tc.fix) {
				t.Errorf("fixes %+v, want %q", r.Fixes, tc.fix)
			}
		})
	}
}
