package awsnet_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/netdiag/netdiag/internal/awsnet"
	"github.com/netdiag/netdiag/internal/elb"
	"github.com/netdiag/netdiag/internal/world"
)

func readELB(t *testing.T, w *world.World, r *awsnet.Reader) {
	ctx := context.Background()
	lbs, ok := recorded(t, w, "elbv2", "LoadBalancers")
	read, err := r.LoadBalancers(ctx)
	if !ok {
		isAbsent(t, "elasticloadbalancing:DescribeLoadBalancers", err)
		return
	}
	same(t, "load balancers", ids(lbs, "LoadBalancerArn"), got(t, read, err, func(l elb.LoadBalancer) string { return l.ARN }))
	named, err := r.LoadBalancers(ctx, append(ids(lbs, "LoadBalancerName"), "no-such-balancer")...)
	same(t, "load balancers by name", ids(lbs, "LoadBalancerArn"), got(t, named, err, func(l elb.LoadBalancer) string { return l.ARN }))
	rules, _ := recorded(t, w, "elbv2", "Rules")
	n, defaults := 0, 0
	for _, l := range read {
		if l.DNSName == "" || l.State == "" || len(l.Zones) == 0 || l.Created.IsZero() {
			t.Errorf("load balancer %+v lacks something", l)
		}
		attributes, err := r.LoadBalancerAttributes(ctx, l.ARN)
		if err != nil || attributes["idle_timeout.timeout_seconds"] == "" {
			t.Errorf("attributes of %s: %v, %v", l.ARN, attributes, err)
		}
		listeners, err := r.Listeners(ctx, l.ARN)
		if err != nil || len(listeners) == 0 {
			t.Errorf("listeners of %s: %v, %v", l.ARN, listeners, err)
		}
		for _, li := range listeners {
			got, err := r.Rules(ctx, li.ARN)
			if err != nil || len(got) == 0 {
				t.Errorf("rules of %s: %v, %v", li.ARN, got, err)
				continue
			}
			if !got[len(got)-1].Default {
				t.Errorf("the last rule of %s isn't the default one: %+v", li.ARN, got)
			}
			for _, e := range got {
				if e.Default {
					defaults++
				} else if n++; e.Priority == 0 || len(e.Conditions) == 0 {
					t.Errorf("rule %+v lacks something", e)
				}
				if len(e.Actions) == 0 || e.Actions[len(e.Actions)-1].Type == "forward" && len(e.Actions[len(e.Actions)-1].Targets) == 0 {
					t.Errorf("rule %+v goes nowhere", e)
				}
			}
		}
	}
	recordedDefaults := len(slices.DeleteFunc(slices.Clone(rules), func(i item) bool { return i["IsDefault"] != true }))
	if n != len(rules)-recordedDefaults || defaults == 0 {
		t.Errorf("%d rules and %d default ones, want %d", n, defaults, len(rules)-recordedDefaults)
	}
	groups, _ := recorded(t, w, "elbv2", "TargetGroups")
	tgs, err := r.TargetGroups(ctx, append(ids(groups, "TargetGroupArn"), strings.Replace(read[0].ARN, ":loadbalancer/app/", ":targetgroup/", 1))...)
	same(t, "target groups", ids(groups, "TargetGroupArn"), got(t, tgs, err, func(g elb.TargetGroup) string { return g.ARN }))
	health := keyed(t, w, "elbv2", "TargetHealthDescriptions")
	tags := keyed(t, w, "elbv2", "Tags")
	for _, g := range tgs {
		if g.Check.Interval < time.Second || g.Check.Codes == "" || g.Port == 0 || len(g.LoadBalancers) == 0 {
			t.Errorf("target group %+v lacks something", g)
		}
		attributes, err := r.TargetGroupAttributes(ctx, g.ARN)
		if err != nil || attributes["deregistration_delay.timeout_seconds"] == "" {
			t.Errorf("attributes of %s: %v, %v", g.ARN, attributes, err)
		}
		targets, err := r.TargetHealth(ctx, g.ARN)
		if err != nil || len(targets) != len(health[g.ARN]) {
			t.Errorf("%d targets of %s, want %d: %v", len(targets), g.ARN, len(health[g.ARN]), err)
		}
		for i, h := range targets {
			want := health[g.ARN][i]["TargetHealth"].(item)
			reason, _ := want["Reason"].(string)
			description, _ := want["Description"].(string)
			same(t, "health of "+h.ID, []string{want["State"].(string), reason, description}, []string{h.State, h.Reason, h.Description})
		}
	}
	got, err := r.Tags(ctx, slices.Collect(maps.Keys(tags))...)
	if err != nil || len(got) != len(tags) {
		t.Errorf("tags of %d things, want %d: %v", len(got), len(tags), err)
	}
	for arn, l := range tags {
		if len(got[arn]) != len(l) {
			t.Errorf("tags of %s: %v, want %v", arn, got[arn], l)
		}
	}
}
