package alb

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/elb"
)

// Controllers of IngressClasses that make Application Load Balancers.
const (
	lbcController  = "ingress.k8s.aws/alb"
	autoController = "eks.amazonaws.com/alb"
)

// annotation prefixes a key of the load balancer controller's ingress annotations.
func annotation(key string) string { return "alb.ingress.kubernetes.io/" + key }

// resolve finds what was asked for: an ingress, or else a TargetGroupBinding, by its exact name.
func resolve(ctx context.Context, in diagnostics.Inputs, t diagnostics.Target, reads *diagnostics.Reads, s *Snapshot) error {
	all, unreadable := in.Ingresses.Ingresses(ctx, "")
	if unreadable != nil && t.Namespace != "" { // perhaps only this namespace may be read
		all, unreadable = in.Ingresses.Ingresses(ctx, t.Namespace)
	}
	reads.Missed(unreadable, "")
	bindings, err := in.Bindings.TargetGroupBindings(ctx, "")
	if err != nil && t.Namespace != "" {
		bindings, err = in.Bindings.TargetGroupBindings(ctx, t.Namespace)
	}
	reads.Missed(err, "")
	s.Bindings = bindings
	slices.SortFunc(all, func(a, b networkingv1.Ingress) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	slices.SortFunc(s.Bindings, func(a, b elb.TargetGroupBinding) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
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
	if len(found) == 0 {
		for i, b := range s.Bindings {
			if wanted(b.Namespace, b.Name) {
				s.Asked = &s.Bindings[i]
				found = append(found, b.Namespace+"/"+b.Name)
			}
		}
	}
	switch {
	case len(found) > 1:
		return diagnostics.Refusal(fmt.Sprintf("%s is the name of %d things: %s. Say which one with -n, for example: alb %s -n %s",
			t.Name, len(found), strings.Join(found, ", "), t.Name, strings.Split(found[0], "/")[0]))
	case len(found) == 0 && unreadable != nil:
		return unreadable
	case len(found) == 0:
		return unknown(t, all, s.Bindings)
	case s.Asked != nil:
		return nil
	}
	return classify(ctx, in, reads, s, all)
}

// unknown refuses a name that isn't there, with those that come nearest.
func unknown(t diagnostics.Target, all []networkingv1.Ingress, bindings []elb.TargetGroupBinding) error {
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
	where := "in any namespace"
	if t.Namespace != "" {
		where = "in namespace " + t.Namespace
	}
	text := fmt.Sprintf("There is no ingress or TargetGroupBinding %q %s.", t.Name, where)
	if len(cs) == 0 {
		return diagnostics.Refusal(text + " The cluster has no ingress at all.")
	}
	var near []string
	for _, c := range cs[:min(3, len(cs))] {
		near = append(near, c.name)
	}
	return diagnostics.Refusal(text + " The nearest are: " + strings.Join(near, ", ") + ".")
}

// classify makes sure that an Application Load Balancer serves the ingress, and finds its group.
func classify(ctx context.Context, in diagnostics.Inputs, reads *diagnostics.Reads, s *Snapshot, all []networkingv1.Ingress) error {
	classes, err := in.Ingresses.IngressClasses(ctx)
	missed := reads.Missed(err, "")
	class := classOf(*s.Ingress, classes)
	switch {
	case class != nil:
		s.Class = class.Spec.Controller
	case ownedByController(*s.Ingress):
		s.Class = lbcController
	case missed:
		return diagnostics.Refusal(fmt.Sprintf("Ingress %s/%s: its class can't be read, so it is not known whether an ALB serves it. Allow: list ingressclasses.networking.k8s.io.", s.Ingress.Namespace, s.Ingress.Name))
	}
	if s.Class != lbcController && s.Class != autoController {
		what := "no ingress class, so no controller serves it"
		if class != nil {
			what = fmt.Sprintf("class %s, served by %s", class.Name, class.Spec.Controller)
		} else if n := className(*s.Ingress); n != "" {
			what = fmt.Sprintf("class %s, which doesn't exist", n)
		}
		return diagnostics.Refusal(fmt.Sprintf("Ingress %s/%s is not an ALB ingress: it has %s. This diagnosis knows Application Load Balancers only.", s.Ingress.Namespace, s.Ingress.Name, what))
	}
	s.Params = parameters(ctx, in, reads, class)
	s.Group = groupOf(*s.Ingress, s.Params)
	s.Stack = cmp.Or(s.Group, s.Ingress.Namespace+"/"+s.Ingress.Name)
	for _, other := range all {
		if s.Group != "" && other.UID != s.Ingress.UID && groupOf(other, s.Params) == s.Group && className(other) == className(*s.Ingress) {
			s.Members = append(s.Members, other)
		}
	}
	return hostname(s)
}

// className is the name of the class that an ingress asks for, by field or by the older annotation.
func className(ing networkingv1.Ingress) string {
	if ing.Spec.IngressClassName != nil {
		return *ing.Spec.IngressClassName
	}
	return ing.Annotations["kubernetes.io/ingress.class"]
}

func classOf(ing networkingv1.Ingress, classes []networkingv1.IngressClass) *networkingv1.IngressClass {
	name := className(ing)
	for i, c := range classes {
		if c.Name == name || (name == "" && c.Annotations["ingressclass.kubernetes.io/is-default-class"] == "true") {
			return &classes[i]
		}
	}
	// The controller also takes the older annotation without any IngressClass object.
	if ing.Spec.IngressClassName == nil && name == "alb" {
		return &networkingv1.IngressClass{Spec: networkingv1.IngressClassSpec{Controller: lbcController}}
	}
	return nil
}

// ownedByController reports whether the load balancer controller has put its finalizer on the ingress.
func ownedByController(ing networkingv1.Ingress) bool {
	return slices.ContainsFunc(ing.Finalizers, func(f string) bool {
		return f == "ingress.k8s.aws/resources" || strings.HasPrefix(f, "group.ingress.k8s.aws/")
	})
}

// parameters reads the spec of the IngressClassParams that the class names; nil where there are none.
func parameters(ctx context.Context, in diagnostics.Inputs, reads *diagnostics.Reads, class *networkingv1.IngressClass) map[string]any {
	if class == nil || class.Spec.Parameters == nil || class.Spec.Parameters.APIGroup == nil || class.Spec.Parameters.Kind != "IngressClassParams" {
		return nil
	}
	version := "v1beta1"
	if *class.Spec.Parameters.APIGroup == "eks.amazonaws.com" {
		version = "v1"
	}
	us, err := in.Customs.Customs(ctx, *class.Spec.Parameters.APIGroup, version, "ingressclassparams", "")
	reads.Missed(err, class.Spec.Parameters.Name)
	for _, u := range us {
		if u.GetName() == class.Spec.Parameters.Name {
			spec, _ := u.Object["spec"].(map[string]any)
			return spec
		}
	}
	return nil
}

// groupOf is the name of the group of an ingress; that of the class parameters goes before the annotation.
func groupOf(ing networkingv1.Ingress, params map[string]any) string {
	if g, ok := params["group"].(map[string]any); ok {
		if name, ok := g["name"].(string); ok && name != "" {
			return name
		}
	}
	return ing.Annotations[annotation("group.name")]
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
			return diagnostics.Refusal(fmt.Sprintf("Ingress %s/%s points to a load balancer in %s (%s), but netdiag looks at %s. Ask the netdiag of that region.",
				s.Ingress.Namespace, s.Ingress.Name, region, i.Hostname, s.Region))
		}
		s.Host = i.Hostname
		return nil
	}
	return nil
}
