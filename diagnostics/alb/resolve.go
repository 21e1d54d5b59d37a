package alb

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/elb"
)

// annotation prefixes a key of the load balancer controller's ingress annotations.
func annotation(key string) string { return "alb.ingress.kubernetes.io/" + key }

// resolve finds what was asked for: an ingress, or else a TargetGroupBinding, by its exact name.
func resolve(ctx context.Context, in diagnostics.Inputs, t diagnostics.Target, reads *diagnostics.Reads, s *Snapshot) error {
	all, unreadable := in.Ingresses.Ingresses(ctx, "")
	var partial error
	if unreadable != nil && t.Namespace != "" { // perhaps only this namespace may be read
		partial = unreadable
		all, unreadable = in.Ingresses.Ingresses(ctx, t.Namespace)
	}
	reads.Missed(unreadable, "")
	bindings, err := in.Bindings.TargetGroupBindings(ctx, "")
	if err != nil && t.Namespace != "" {
		bindings, err = in.Bindings.TargetGroupBindings(ctx, t.Namespace)
	}
	reads.Missed(err, "")
	s.Bindings = slices.Clone(bindings) // the list belongs to the reader
	slices.SortFunc(all, func(a, b networkingv1.Ingress) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	slices.SortFunc(s.Bindings, func(a, b elb.TargetGroupBinding) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	found := s.find(t, all)
	switch {
	case len(found) > 1:
		return diagnostics.Refusal(fmt.Sprintf("%s is the name of %d things: %s. Say which one with -n, for example: alb %s -n %s",
			t.Name, len(found), strings.Join(found, ", "), t.Name, strings.Split(found[0], "/")[0]))
	case len(found) == 0 && unreadable != nil:
		return unreadable
	case len(found) == 0:
		return unknown(ctx, in, t, all, s.Bindings)
	case s.Asked != nil:
		return asBinding(ctx, in, reads, s, all)
	}
	if err := classify(ctx, in, reads, s, all); err != nil {
		return err
	}
	if s.Group != "" && partial != nil { // which other ingresses are in the group decides whose a rule is
		reads.Missed(partial, "other members of group "+s.Group)
	}
	return hostname(s)
}

// find notes the ingresses, or else the bindings, that have the name, and lists all of them.
func (s *Snapshot) find(t diagnostics.Target, all []networkingv1.Ingress) []string {
	wanted := func(namespace, name string) bool {
		return name == t.Name && (t.Namespace == "" || namespace == t.Namespace)
	}
	var found []string
	for i, ing := range all {
		if wanted(ing.Namespace, ing.Name) {
			s.Ingress = &all[i]
			found = append(found, ing.Namespace+"/"+ing.Name)
		}
	}
	if len(found) > 0 {
		return found
	}
	for i, b := range s.Bindings {
		if wanted(b.Namespace, b.Name) {
			s.Asked = &s.Bindings[i]
			found = append(found, b.Namespace+"/"+b.Name)
		}
	}
	return found
}

// arnOf looks up the ARN of a target group by its name; empty where there is none, or it may not be read.
func arnOf(ctx context.Context, in diagnostics.Inputs, reads *diagnostics.Reads, name string) string {
	tgs, err := in.TargetGroups.TargetGroups(ctx, name)
	if reads.Missed(err, name) || len(tgs) != 1 {
		return ""
	}
	return tgs[0].ARN
}

// asBinding looks for the ingress of a TargetGroupBinding that the controller made: its annotations decide about the target
// group. One that people made stands for itself.
func asBinding(ctx context.Context, in diagnostics.Inputs, reads *diagnostics.Reads, s *Snapshot, all []networkingv1.Ingress) error {
	b := s.Asked
	if b.TargetGroupARN == "" {
		b.TargetGroupARN = arnOf(ctx, in, reads, b.TargetGroupName)
	}
	where := fmt.Sprintf("TargetGroupBinding %s/%s", b.Namespace, b.Name)
	parts := strings.Split(b.TargetGroupARN, ":") // arn:aws:elasticloadbalancing:<region>:<account>:targetgroup/<name>/<id>
	switch {
	case b.TargetGroupARN == "":
		return diagnostics.Refusal(fmt.Sprintf("%s names target group %q, but none of this name was found in this account and region: either it doesn't exist, or elasticloadbalancing:DescribeTargetGroups is not allowed.", where, b.TargetGroupName))
	case len(parts) < 6 || !strings.HasPrefix(parts[5], "targetgroup/"):
		return diagnostics.Refusal(fmt.Sprintf("%s: %q is no ARN of a target group.", where, b.TargetGroupARN))
	case s.Region != "" && parts[3] != s.Region:
		return diagnostics.Refusal(fmt.Sprintf("%s is bound to a target group in %s, but netdiag looks at %s. Ask the netdiag of that region.", where, parts[3], s.Region))
	}
	s.Ingress = ingressOf(*b, all)
	if s.Ingress == nil {
		return nil
	}
	if err := classify(ctx, in, reads, s, all); err != nil {
		s.Ingress = nil // not by its annotations then
	}
	return nil
}

// ingressOf finds the ingress that the controller made a binding of: by its labels, and in a group, whose label names no ingress, by
// the Service port. Of several, none is sure.
func ingressOf(b elb.TargetGroupBinding, all []networkingv1.Ingress) *networkingv1.Ingress {
	var found *networkingv1.Ingress
	for i, ing := range all {
		match := b.Labels != nil && tagOf(b.Labels, "stack-namespace") == ing.Namespace && tagOf(b.Labels, "stack-name") == ing.Name
		if group := tagOf(b.Labels, "stack"); group != "" {
			match = ing.Namespace == b.Namespace && slices.Contains(backends(ing), backend{b.Service, b.ServicePort})
		}
		if !match {
			continue
		}
		if found != nil {
			return nil
		}
		found = &all[i]
	}
	return found
}

// unknown refuses a name that isn't there: with what the Service of this name is reached by, or with the names that come nearest.
func unknown(ctx context.Context, in diagnostics.Inputs, t diagnostics.Target, all []networkingv1.Ingress, bindings []elb.TargetGroupBinding) error {
	where := "in any namespace"
	if t.Namespace != "" {
		where = "in namespace " + t.Namespace
	}
	text := fmt.Sprintf("There is no ingress or TargetGroupBinding %q %s.", t.Name, where)
	if hint := asService(ctx, in, t, all); hint != "" {
		return diagnostics.Refusal(text + " " + hint)
	}
	type candidate struct {
		name     string
		distance int
	}
	var cs []candidate
	add := func(namespace, name string) {
		d := diagnostics.Distance(t.Name, name)
		if t.Namespace != "" && namespace != t.Namespace {
			d += 2
		}
		cs = append(cs, candidate{namespace + "/" + name, d})
	}
	for _, i := range all {
		add(i.Namespace, i.Name)
	}
	for _, b := range bindings {
		add(b.Namespace, b.Name)
	}
	slices.SortFunc(cs, func(a, b candidate) int { return cmp.Or(a.distance-b.distance, strings.Compare(a.name, b.name)) })
	if len(cs) == 0 {
		return diagnostics.Refusal(text + " The cluster has no ingress at all.")
	}
	var near []string
	for _, c := range cs[:min(3, len(cs))] {
		near = append(near, c.name)
	}
	return diagnostics.Refusal(text + " The nearest are: " + strings.Join(near, ", ") + ".")
}

// asService says how the Service of that name is reached, where there is one: through an ingress, which is what to ask for, or by
// a load balancer of its own, which is no Application Load Balancer. Empty where there is none, or it can't be read.
func asService(ctx context.Context, in diagnostics.Inputs, t diagnostics.Target, all []networkingv1.Ingress) string {
	services, err := in.Services.Services(ctx, t.Namespace)
	if err != nil {
		return "" // it was only for a better hint
	}
	for _, svc := range services {
		if svc.Name != t.Name {
			continue
		}
		var by []string
		for _, ing := range all {
			if ing.Namespace == svc.Namespace && slices.ContainsFunc(backends(ing), func(b backend) bool { return b.Service == svc.Name }) {
				by = append(by, fmt.Sprintf("alb %s -n %s", ing.Name, ing.Namespace))
			}
		}
		switch {
		case len(by) > 0:
			return fmt.Sprintf("There is a Service %s/%s, behind an ingress. Ask: %s.", svc.Namespace, svc.Name, strings.Join(by, " or "))
		case svc.Spec.Type == corev1.ServiceTypeLoadBalancer:
			return fmt.Sprintf("There is a Service %s/%s of type LoadBalancer: what serves it is a Network Load Balancer, or a Classic one, and this diagnosis knows Application Load Balancers only.", svc.Namespace, svc.Name)
		}
	}
	return ""
}

// hostname takes the name of the load balancer from the status of the ingress. A Network Load Balancer may stand in
// front of it with a name of its own, <name>.elb.<region>.amazonaws.com.
func hostname(s *Snapshot) error {
	for _, i := range s.Ingress.Status.LoadBalancer.Ingress {
		labels := strings.Split(strings.ToLower(i.Hostname), ".")
		if len(labels) < 5 || labels[2] != "elb" {
			continue
		}
		if region := labels[1]; s.Region != "" && region != s.Region {
			return diagnostics.Refusal(fmt.Sprintf("Ingress %s/%s points to a load balancer in %s (%s), but netdiag looks at %s: ask the netdiag of that region, or give --region %s.",
				s.Ingress.Namespace, s.Ingress.Name, region, i.Hostname, s.Region, region))
		}
		s.Host = i.Hostname
		return nil
	}
	return nil
}
