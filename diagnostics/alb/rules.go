package alb

import (
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/netdiag/netdiag/internal/elb"
)

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
		case tagOf(r.Tags, "stack") != "" && tagOf(r.Tags, "stack") != s.Stack:
		case s.ownerOf(r) == theirs:
		case s.ownerOf(r) == ours || asksFor(*s.Ingress, r):
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
// A condition whose values aren't known, as of a regular expression, covers nothing.
func covers(earlier, ours elb.Rule) bool {
	for _, c := range earlier.Conditions {
		if (c.Field != "host-header" && c.Field != "path-pattern") || len(c.Values) == 0 {
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
	// Hosts are compared whatever their case, paths are not.
	return all(lowered(values(earlier, "host-header")), lowered(values(ours, "host-header"))) && all(values(earlier, "path-pattern"), values(ours, "path-pattern"))
}

func lowered(list []string) []string {
	out := make([]string, 0, len(list))
	for _, s := range list {
		out = append(out, strings.ToLower(s))
	}
	return out
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
