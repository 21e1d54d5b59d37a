package alb

import (
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

// serving lists the rules that answer requests for the ingress (of a binding: that forward to its target group).
//
// In a group one load balancer serves many ingresses: there only rules with our tag count whose host and path the
// ingress asks for. Alone, every rule is its own.
func (s *Snapshot) serving() []elb.Rule {
	var out []elb.Rule
	for _, r := range s.Rules {
		switch {
		case s.Asked != nil:
			if slices.Contains(forwards(r), s.Asked.TargetGroupARN) {
				out = append(out, r)
			}
		case s.Ingress == nil:
		case r.Default:
			if s.Ingress.Spec.DefaultBackend != nil {
				out = append(out, r)
			}
		case s.Group == "":
			out = append(out, r)
		case len(r.Tags) > 0 && r.Tags["ingress.k8s.aws/stack"] != "" && r.Tags["ingress.k8s.aws/stack"] != s.Stack:
		case asksFor(*s.Ingress, r):
			out = append(out, r)
		}
	}
	return out
}

// forwards lists the target groups that a rule sends requests to.
func forwards(r elb.Rule) []string {
	var out []string
	for _, t := range last(r).Targets {
		out = append(out, t.TargetGroup)
	}
	return out
}

// last is the action of a rule that routes; the ones before it authenticate.
func last(r elb.Rule) elb.Action {
	if len(r.Actions) == 0 {
		return elb.Action{}
	}
	return r.Actions[len(r.Actions)-1]
}

func values(r elb.Rule, field string) []string {
	for _, c := range r.Conditions {
		if c.Field == field {
			return c.Values
		}
	}
	return nil
}

// asksFor reports whether the rule stands for a host and path of the ingress.
func asksFor(ing networkingv1.Ingress, r elb.Rule) bool {
	hosts, paths := values(r, "host-header"), values(r, "path-pattern")
	for _, rule := range ing.Spec.Rules {
		if rule.HTTP == nil || (rule.Host == "") != (len(hosts) == 0) || (rule.Host != "" && !slices.ContainsFunc(hosts, func(h string) bool { return strings.EqualFold(h, rule.Host) })) {
			continue
		}
		for _, p := range rule.HTTP.Paths {
			for _, pattern := range patterns(p) {
				if slices.Contains(paths, pattern) || (pattern == "/*" && len(paths) == 0) {
					return true
				}
			}
		}
	}
	return false
}

// patterns are the path patterns that the controller makes of a path of an ingress.
func patterns(p networkingv1.HTTPIngressPath) []string {
	path := p.Path
	if path == "" {
		path = "/"
	}
	if p.PathType == nil || *p.PathType != networkingv1.PathTypePrefix {
		if path == "/" {
			return []string{"/", "/*"}
		}
		return []string{path}
	}
	if path == "/" {
		return []string{"/*"}
	}
	path = strings.TrimSuffix(path, "/")
	return []string{path, path + "/*"}
}

// covers reports whether every request that the rule ours matches is matched by earlier too, as far as host and path decide.
func covers(earlier, ours elb.Rule) bool {
	for _, c := range earlier.Conditions {
		if c.Field != "host-header" && c.Field != "path-pattern" {
			return false
		}
	}
	all := func(wide, narrow []string) bool {
		if len(wide) == 0 {
			return true
		}
		return len(narrow) > 0 && !slices.ContainsFunc(narrow, func(n string) bool {
			return !slices.ContainsFunc(wide, func(w string) bool { return glob(w, n) })
		})
	}
	return all(values(earlier, "host-header"), values(ours, "host-header")) && all(values(earlier, "path-pattern"), values(ours, "path-pattern"))
}

// glob matches * (any characters) and ? (one character).
func glob(pattern, text string) bool {
	if pattern == "" {
		return text == ""
	}
	switch pattern[0] {
	case '*':
		for i := 0; i <= len(text); i++ {
			if glob(pattern[1:], text[i:]) {
				return true
			}
		}
		return false
	case '?':
		return text != "" && glob(pattern[1:], text[1:])
	}
	return text != "" && pattern[0] == text[0] && glob(pattern[1:], text[1:])
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
