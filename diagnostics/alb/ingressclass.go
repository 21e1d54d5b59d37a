package alb

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/netdiag/netdiag/diagnostics"
)

// Controllers of IngressClasses that make Application Load Balancers.
const (
	lbcController  = "ingress.k8s.aws/alb"
	autoController = "eks.amazonaws.com/alb"
)

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
		return diagnostics.Refusal(fmt.Sprintf("Ingress %s/%s is not an ALB ingress: it has %s%s. This diagnosis knows Application Load Balancers only.", s.Ingress.Namespace, s.Ingress.Name, what, reachedBy(*s.Ingress)))
	}
	s.Params = parameters(ctx, in, reads, class)
	s.Group = groupOf(*s.Ingress, s.Class, s.Params)
	s.Stack = cmp.Or(s.Group, s.Ingress.Namespace+"/"+s.Ingress.Name)
	if s.Group == "" {
		return nil
	}
	// An ingress of another class is of the group too, where the same controller serves it and the class gives it no other group.
	for _, other := range all {
		c := classOf(other, classes)
		if other.UID == s.Ingress.UID || (c == nil && !ownedByController(other)) || (c != nil && c.Spec.Controller != s.Class) {
			continue
		}
		params := s.Params
		if c != nil && (class == nil || c.Name != class.Name) {
			params = parameters(ctx, in, reads, c)
		}
		if groupOf(other, s.Class, params) == s.Group {
			s.Members = append(s.Members, other)
		}
	}
	return nil
}

// reachedBy says where an ingress of another controller is reached, where that is a Network Load Balancer: in front of a
// proxy in the cluster there often is one.
func reachedBy(ing networkingv1.Ingress) string {
	for _, i := range ing.Status.LoadBalancer.Ingress {
		if _, network := balanced(strings.ToLower(i.Hostname)); network {
			return ", and the Network Load Balancer " + i.Hostname + " in front of that"
		}
	}
	return ""
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

// groupOf is the name of the group of an ingress; that of the class parameters goes before the annotation, which EKS Auto Mode doesn't know.
func groupOf(ing networkingv1.Ingress, controller string, params map[string]any) string {
	if g, ok := params["group"].(map[string]any); ok {
		if name, ok := g["name"].(string); ok && name != "" {
			return name
		}
	}
	if controller == autoController {
		return ""
	}
	return ing.Annotations[annotation("group.name")]
}
