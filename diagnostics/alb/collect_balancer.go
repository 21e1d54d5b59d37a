package alb

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/elb"
)

// balancer reads the load balancer, its listeners and rules, and the target groups that serve the ingress.
func (c *collector) balancer(ctx context.Context) {
	c.find(ctx)
	var arns []string
	if lb := c.s.Balancer; lb != nil {
		c.ask(1)
		c.parallel(ctx, c.rules, func(ctx context.Context) {
			v, err := c.in.Tags.LoadBalancerAttributes(ctx, lb.ARN)
			c.keep(err, lb.Name, func() { c.s.Attributes = v })
		})
		for _, r := range c.s.serving() {
			arns = append(arns, forwards(r)...)
		}
	}
	for _, b := range c.s.Bindings { // a binding that no rule names is a fault of its own
		if c.s.inStack(b) && b.TargetGroupARN != "" {
			arns = append(arns, b.TargetGroupARN)
		}
	}
	slices.Sort(arns)
	c.targetGroups(ctx, slices.Compact(arns))
	for i, b := range c.s.Bindings { // some give only the name of their target group, which is unique in account and region
		for _, tg := range c.s.TargetGroups {
			if b.TargetGroupARN == "" && b.TargetGroupName == tg.Name {
				c.s.Bindings[i].TargetGroupARN = tg.ARN
			}
		}
	}
}

// find looks for the load balancer: by the name in its DNS name, else among all by DNS name, else by the controller's tags.
func (c *collector) find(ctx context.Context) {
	if c.s.Asked != nil {
		c.findOf(ctx, c.s.Asked)
		return
	}
	if c.s.Host == "" {
		c.findByTags(ctx)
		return
	}
	match := func(lb elb.LoadBalancer) bool {
		return lb.Type == "application" && strings.EqualFold(lb.DNSName, c.s.Host)
	}
	for _, names := range [][]string{{nameIn(c.s.Host)}, nil} {
		c.ask(1)
		lbs, err := c.in.LoadBalancers.LoadBalancers(ctx, names...)
		if c.reads.Missed(err, "") {
			return
		}
		if i := slices.IndexFunc(lbs, match); i >= 0 {
			c.s.Balancer = &lbs[i]
			c.ask(1)
			tags, err := c.in.Tags.Tags(ctx, lbs[i].ARN)
			c.keep(err, lbs[i].Name, func() { lbs[i].Tags = tags[lbs[i].ARN] })
			return
		}
	}
}

// nameIn takes the name of a load balancer out of its DNS name: [internal-]<name>-<number>.<region>.elb.amazonaws.com.
func nameIn(host string) string {
	name, _, _ := strings.Cut(host, ".")
	name = strings.TrimPrefix(name, "internal-")
	if i := strings.LastIndexByte(name, '-'); i > 0 {
		name = name[:i]
	}
	return name
}

// findByTags looks for the one load balancer that carries the tags of our cluster and stack: the ingress has no address yet.
func (c *collector) findByTags(ctx context.Context) {
	c.ask(1)
	lbs, err := c.in.LoadBalancers.LoadBalancers(ctx)
	if c.reads.Missed(err, "") {
		return
	}
	var arns []string
	for _, lb := range lbs {
		if lb.Type == "application" {
			arns = append(arns, lb.ARN)
		}
	}
	if len(arns) == 0 {
		return
	}
	const most = 5 * arnsInCall
	if len(arns) > most { // those first that the controller has named
		slices.SortStableFunc(arns, func(a, b string) int { return strings.Index(b, "/app/k8s-") - strings.Index(a, "/app/k8s-") })
		c.skip("elasticloadbalancing:DescribeTags", fmt.Sprintf("%d load balancers", len(arns)-most))
		arns = arns[:most]
	}
	c.askAbout(len(arns), arnsInCall)
	tags, err := c.in.Tags.Tags(ctx, arns...)
	if c.reads.Missed(err, "") {
		return
	}
	var found []int
	for i, lb := range lbs {
		t := tags[lb.ARN]
		if clusterOf(t) == c.s.Cluster && tagOf(t, "stack") == c.s.Stack {
			lbs[i].Tags = t
			found = append(found, i)
			c.s.Candidates = append(c.s.Candidates, lb.Name)
		}
	}
	if len(found) == 1 { // of two, neither can be trusted
		c.s.Balancer, c.s.Candidates = &lbs[found[0]], nil
	}
	slices.Sort(c.s.Candidates)
}

// findOf finds the load balancer of the target group of a binding.
func (c *collector) findOf(ctx context.Context, b *elb.TargetGroupBinding) {
	c.ask(1)
	tgs, err := c.in.TargetGroups.TargetGroups(ctx, b.TargetGroupARN)
	if c.reads.Missed(err, b.Name) || len(tgs) == 0 || len(tgs[0].LoadBalancers) == 0 {
		return
	}
	arn := tgs[0].LoadBalancers[0] // a target group belongs to one load balancer at most
	parts := strings.Split(arn, "/")
	if len(parts) < 4 {
		return
	}
	if parts[1] != "app" { // net or gwy
		c.refused = diagnostics.Refusal(fmt.Sprintf("TargetGroupBinding %s/%s belongs to %s, which is no Application Load Balancer but a %s one. This diagnosis knows Application Load Balancers only.",
			b.Namespace, b.Name, parts[2], map[string]string{"net": "Network", "gwy": "Gateway"}[parts[1]]))
		return
	}
	c.ask(1)
	lbs, err := c.in.LoadBalancers.LoadBalancers(ctx, parts[2])
	if c.reads.Missed(err, parts[2]) {
		return
	}
	if i := slices.IndexFunc(lbs, func(lb elb.LoadBalancer) bool { return lb.ARN == arn }); i >= 0 {
		c.s.Balancer = &lbs[i]
		c.ask(1)
		tags, err := c.in.Tags.Tags(ctx, arn)
		c.keep(err, lbs[i].Name, func() { lbs[i].Tags = tags[arn] })
	}
}

// rules reads the rules of all listeners with their tags.
func (c *collector) rules(ctx context.Context) {
	c.ask(1)
	ls, err := c.in.LoadBalancers.Listeners(ctx, c.s.Balancer.ARN)
	if c.reads.Missed(err, c.s.Balancer.Name) {
		return
	}
	c.s.Listeners = ls
	var reads []func(context.Context)
	c.ask(len(ls))
	for _, l := range ls {
		reads = append(reads, func(ctx context.Context) {
			v, err := c.in.LoadBalancers.Rules(ctx, l.ARN)
			c.keep(err, l.ARN, func() { c.s.Rules = append(c.s.Rules, v...) })
		})
	}
	c.parallel(ctx, reads...)
	var arns []string
	for _, r := range c.s.Rules {
		if !r.Default { // the default rule can't carry tags
			arns = append(arns, r.ARN)
		}
		arns = append(arns, forwards(r)...)
	}
	if len(arns) == 0 || c.s.Group == "" { // only in a group does a rule's owner matter
		return
	}
	const most = 6 * arnsInCall
	if arns = sorted(arns); len(arns) > most { // rules sort before target groups
		c.skip("elasticloadbalancing:DescribeTags", fmt.Sprintf("%d rules and target groups of %s", len(arns)-most, c.s.Balancer.Name))
		arns = arns[:most]
	}
	c.askAbout(len(arns), arnsInCall)
	tags, err := c.in.Tags.Tags(ctx, arns...)
	c.keep(err, "rules of "+c.s.Balancer.Name, func() {
		c.s.Tags = map[string]map[string]string{}
		for _, r := range c.s.Rules {
			for _, tg := range forwards(r) {
				c.s.Tags[tg] = tags[tg]
			}
		}
		for i := range c.s.Rules {
			c.s.Rules[i].Tags = tags[c.s.Rules[i].ARN]
		}
	})
}

// targetGroups reads the target groups, the health of their targets, their attributes and tags.
func (c *collector) targetGroups(ctx context.Context, arns []string) {
	if len(arns) == 0 {
		return
	}
	c.askAbout(len(arns), arnsInCall)
	tgs, err := c.in.TargetGroups.TargetGroups(ctx, arns...)
	missed := c.reads.Missed(err, "")
	known := map[string]elb.TargetGroup{}
	for _, tg := range tgs {
		known[tg.ARN] = tg
	}
	out := make([]TargetGroup, 0, len(arns))
	for _, arn := range arns {
		tg, ok := known[arn]
		if !ok && !missed {
			continue // named by a binding, but gone
		}
		tg.ARN = arn
		if tg.Name == "" {
			tg.Name = nameOfTargetGroup(arn)
		}
		out = append(out, TargetGroup{TargetGroup: tg})
	}
	c.askAbout(len(arns), arnsInCall)
	tagged := func(ctx context.Context) {
		v, err := c.in.Tags.Tags(ctx, arns...)
		c.keep(err, "target groups", func() {
			for i := range out {
				out[i].Tags = v[out[i].ARN]
			}
		})
	}
	health := func(tg *TargetGroup) func(context.Context) {
		return func(ctx context.Context) {
			v, err := c.in.TargetGroups.TargetHealth(ctx, tg.ARN)
			c.keep(err, tg.Name, func() { tg.Health, tg.HealthRead = v, true })
		}
	}
	attributes := func(tg *TargetGroup) func(context.Context) {
		return func(ctx context.Context) {
			v, err := c.in.Tags.TargetGroupAttributes(ctx, tg.ARN)
			c.keep(err, tg.Name, func() { tg.Attributes = v })
		}
	}
	room := max(c.left()-later, 2)
	reads := []func(context.Context){tagged}
	if 2*len(out) <= room {
		for i := range out {
			reads = append(reads, health(&out[i]), attributes(&out[i]))
		}
		c.ask(2 * len(out))
		c.parallel(ctx, reads...)
		c.s.TargetGroups = out
		return
	}
	// There are too many to ask everything about each: health first, then the attributes of those in trouble.
	for i := range out {
		if i >= room {
			c.skip("elasticloadbalancing:DescribeTargetHealth", out[i].Name)
			continue
		}
		reads = append(reads, health(&out[i]))
	}
	c.ask(min(len(out), room))
	c.parallel(ctx, reads...)
	c.s.TargetGroups = out
	reads = nil
	for _, tg := range troubled(out)[:min(len(out), max(room-len(out), 0))] {
		reads = append(reads, attributes(tg))
	}
	c.ask(len(reads))
	c.parallel(ctx, reads...)
}

// troubled lists the target groups, those first that have the most targets which aren't healthy.
func troubled(tgs []TargetGroup) []*TargetGroup {
	out := make([]*TargetGroup, len(tgs))
	bad := map[string]int{}
	for i := range tgs {
		out[i] = &tgs[i]
		for _, h := range tgs[i].Health {
			if h.State != "healthy" {
				bad[tgs[i].ARN]++
			}
		}
	}
	slices.SortStableFunc(out, func(a, b *TargetGroup) int { return bad[b.ARN] - bad[a.ARN] })
	return out
}

// nameOfTargetGroup takes the name out of arn:…:targetgroup/<name>/<id>.
func nameOfTargetGroup(arn string) string {
	if parts := strings.Split(arn, "/"); len(parts) >= 2 {
		return parts[1]
	}
	return arn
}

// suffix is the part of an ARN by which CloudWatch names the resource: app/<name>/<id> or targetgroup/<name>/<id>.
func suffix(arn string) string {
	arn = arn[strings.LastIndexByte(arn, ':')+1:]
	return strings.TrimPrefix(arn, "loadbalancer/")
}
