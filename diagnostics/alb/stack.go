package alb

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/netdiag/netdiag/internal/elb"
)

// backend is a Service port that an ingress sends requests to.
type backend struct {
	Service string
	Port    string // number or name
}

// backends lists the Service ports of an ingress, those in its action annotations included, sorted.
func backends(ing networkingv1.Ingress) []backend {
	var out []backend
	add := func(b *networkingv1.IngressBackend) {
		if b == nil || b.Service == nil {
			return
		}
		if b.Service.Port.Name == "use-annotation" {
			out = append(out, annotated(ing.Annotations[annotation("actions."+b.Service.Name)])...)
			return
		}
		port := b.Service.Port.Name
		if port == "" {
			port = strconv.Itoa(int(b.Service.Port.Number))
		}
		out = append(out, backend{b.Service.Name, port})
	}
	add(ing.Spec.DefaultBackend)
	for _, r := range ing.Spec.Rules {
		if r.HTTP == nil {
			continue
		}
		for _, p := range r.HTTP.Paths {
			add(&p.Backend)
		}
	}
	slices.SortFunc(out, func(a, b backend) int { return strings.Compare(a.Service+":"+a.Port, b.Service+":"+b.Port) })
	return slices.Compact(out)
}

// annotated reads the services of an action annotation; text that isn't such an action has none.
func annotated(text string) []backend {
	var a struct {
		ForwardConfig struct {
			TargetGroups []struct {
				ServiceName string          `json:"serviceName"`
				ServicePort json.RawMessage `json:"servicePort"`
			} `json:"targetGroups"`
		} `json:"forwardConfig"`
	}
	if json.Unmarshal([]byte(text), &a) != nil {
		return nil
	}
	var out []backend
	for _, tg := range a.ForwardConfig.TargetGroups {
		if tg.ServiceName != "" {
			out = append(out, backend{tg.ServiceName, strings.Trim(string(tg.ServicePort), `"`)})
		}
	}
	return out
}

// inStack reports whether the controller made the binding for this ingress (in a group: for the group), or it is the one asked for.
func (s *Snapshot) inStack(b elb.TargetGroupBinding) bool {
	if s.Asked != nil {
		return b.Namespace == s.Asked.Namespace && b.Name == s.Asked.Name
	}
	if s.Ingress == nil {
		return false
	}
	for _, prefix := range []string{"ingress.k8s.aws/", "ingress.eks.amazonaws.com/"} {
		if s.Group != "" {
			// A group has bindings of all its members; ours are those of our services.
			if b.Labels[prefix+"stack"] == s.Group && b.Namespace == s.Ingress.Namespace &&
				slices.ContainsFunc(backends(*s.Ingress), func(x backend) bool { return x.Service == b.Service && x.Port == b.ServicePort }) {
				return true
			}
			continue
		}
		if b.Labels[prefix+"stack-namespace"] == s.Ingress.Namespace && b.Labels[prefix+"stack-name"] == s.Ingress.Name {
			return true
		}
	}
	return false
}

// ofController reports whether the load balancer controller made the binding; others are written by people or their tools.
func ofController(b elb.TargetGroupBinding) bool {
	for k := range b.Labels {
		if strings.HasPrefix(k, "ingress.k8s.aws/stack") || strings.HasPrefix(k, "ingress.eks.amazonaws.com/stack") ||
			strings.HasPrefix(k, "service.k8s.aws/stack") || strings.HasPrefix(k, "gateway.k8s.aws") {
			return true
		}
	}
	return false
}

// serves reports whether requests for the ingress go to the Service.
func (s *Snapshot) serves(svc corev1.Service) bool {
	if s.Ingress != nil && svc.Namespace == s.Ingress.Namespace &&
		slices.ContainsFunc(backends(*s.Ingress), func(b backend) bool { return b.Service == svc.Name }) {
		return true
	}
	return slices.ContainsFunc(s.Bindings, func(b elb.TargetGroupBinding) bool {
		return b.Namespace == svc.Namespace && b.Service == svc.Name &&
			(s.inStack(b) || slices.ContainsFunc(s.TargetGroups, func(g TargetGroup) bool { return g.ARN == b.TargetGroupARN }))
	})
}

// owner says whose a rule of a group is, as far as its target groups tell.
type owner int

const (
	nobody owner = iota
	ours
	theirs
)

// ownerOf tells whose Services a rule forwards to: by the bindings of its target groups, else by the controller's tags on
// them. Two ingresses of a group may ask for the same host and path.
func (s *Snapshot) ownerOf(r elb.Rule) owner {
	found := nobody
	for _, arn := range forwards(r) {
		for _, b := range s.Bindings {
			if b.TargetGroupARN != arn {
				continue
			}
			if b.Namespace == s.Ingress.Namespace && slices.ContainsFunc(backends(*s.Ingress), func(x backend) bool { return x.Service == b.Service }) {
				return ours
			}
			found = theirs
		}
		tag := tagOf(s.Tags[arn], "resource")
		switch {
		case tag == "":
		case claims(*s.Ingress, tag):
			return ours
		case slices.ContainsFunc(s.Members, func(m networkingv1.Ingress) bool { return claims(m, tag) }):
			found = theirs
		}
	}
	return found
}

// claims reports whether the tag of a target group is that of a backend of the ingress.
func claims(ing networkingv1.Ingress, tag string) bool {
	return slices.ContainsFunc(backends(ing), func(b backend) bool {
		return tag == tagFor(ing, b)
	})
}

// tagOf is the value of a tag by which the controller marks what it made of an ingress (stack, resource): its key begins with
// ingress.k8s.aws/, on EKS Auto Mode with ingress.eks.amazonaws.com/.
func tagOf(tags map[string]string, key string) string {
	return cmp.Or(tags["ingress.k8s.aws/"+key], tags["ingress.eks.amazonaws.com/"+key])
}

// clusterOf is the cluster whose controller made a load balancer, as its tags say: elbv2.k8s.aws/cluster, on EKS Auto Mode
// eks:eks-cluster-name.
func clusterOf(tags map[string]string) string {
	return cmp.Or(tags["elbv2.k8s.aws/cluster"], tags["eks:eks-cluster-name"])
}

// tagFor is the tag ingress.k8s.aws/resource that the controller gives the target group of a backend.
func tagFor(ing networkingv1.Ingress, b backend) string {
	return ing.Namespace + "/" + ing.Name + "-" + b.Service + ":" + b.Port
}
