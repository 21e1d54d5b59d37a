package ask

import (
	"regexp"
	"strings"
)

// A namespace is a DNS label, the name of an ingress or a pod a DNS subdomain of at most 253 characters (RFC 1123, as
// Kubernetes checks them).
var (
	label     = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	subdomain = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$`)
)

func parsePending(words []string, namespace string) (Command, error) {
	if len(words) == 1 && namespace == "" { // as people copy it: namespace/pod
		if ns, pod, ok := strings.Cut(words[0], "/"); ok && !strings.Contains(pod, "/") && label.MatchString(ns) {
			words = []string{ns, pod}
		}
	}
	if namespace != "" {
		words = append([]string{namespace}, words...)
	}
	switch {
	case len(words) == 0:
		return Command{}, refuse("pending needs a namespace: %s", "pending <namespace> [pod]")
	case len(words) > 2:
		return Command{}, refuse("pending takes a namespace and at most one pod, not %d words. Did you mean pending %s %s?", len(words), quoteName(words[0]), quoteName(words[1]))
	case !label.MatchString(words[0]):
		return Command{}, refuse("%s can't be a namespace: lower-case letters, digits and -, at most 63", quote(words[0]))
	case len(words) == 1:
		return Command{Verb: "pending", Namespace: words[0]}, nil
	}
	name := words[1]
	if kind, rest, ok := strings.Cut(name, "/"); ok && makers[strings.ToLower(kind)] { // as kubectl prints it: pod/name
		name = rest
	}
	if !subdomain.MatchString(name) {
		return Command{}, refuse("%s can't be a pod: lower-case letters, digits, - and ., at most 253", quote(words[1]))
	}
	return Command{Verb: "pending", Namespace: words[0], Name: name}, nil
}

// makers are the kinds, as kubectl spells them before a slash, that a pending question may name: pods, and what makes pods.
var makers = map[string]bool{
	"pod": true, "pods": true, "po": true, "deployment": true, "deployment.apps": true, "deploy": true, "replicaset": true, "replicaset.apps": true,
	"rs": true, "statefulset": true, "statefulset.apps": true, "sts": true, "daemonset": true, "daemonset.apps": true, "ds": true, "job": true, "job.batch": true,
}

func parseALB(words []string, namespace string) (Command, error) {
	switch {
	case len(words) == 0:
		return Command{}, refuse("alb needs an ingress: %s", "alb <ingress> [-n <namespace>]")
	case len(words) > 1:
		return Command{}, refuse("alb takes one ingress, not %d words. Did you mean alb %s -n %s?", len(words), quoteName(words[0]), quoteName(words[1]))
	}
	name := words[0]
	if kind, rest, ok := strings.Cut(name, "/"); ok && routers[strings.ToLower(kind)] { // as kubectl prints it: ingress/name
		name = rest
	}
	if ns, rest, ok := strings.Cut(name, "/"); ok && namespace == "" { // as kubectl and controllers write it: namespace/name
		namespace, name = ns, rest
	}
	if !subdomain.MatchString(name) {
		return Command{}, refuse("%s can't be an ingress: lower-case letters, digits, - and ., at most 253", quote(words[0]))
	}
	if namespace != "" && !label.MatchString(namespace) {
		return Command{}, refuse("%s can't be a namespace: lower-case letters, digits and -, at most 63", quote(namespace))
	}
	return Command{Verb: "alb", Name: name, Namespace: namespace}, nil
}

// routers are the kinds, as kubectl spells them before a slash, that an alb question may name.
var routers = map[string]bool{
	"ingress": true, "ingresses": true, "ing": true, "ingress.networking.k8s.io": true,
	"targetgroupbinding": true, "targetgroupbindings": true, "targetgroupbinding.elbv2.k8s.aws": true, "targetgroupbinding.eks.amazonaws.com": true,
}

// A subnet has an id such as subnet-0a1b2c3d4e5f60718; a zone is named such as us-west-2a, a local one us-west-2-lax-1a.
var place = regexp.MustCompile(`^(subnet-[0-9a-f]{1,32}|[a-z]{2}(-[a-z0-9]+){1,6})$`)

func parseIP(words []string, namespace string) (Command, error) {
	switch {
	case namespace != "":
		return Command{}, refuse("ip takes no namespace: subnets serve all of them. Did you mean ip?")
	case len(words) == 0:
		return Command{Verb: "ip"}, nil
	case len(words) > 1:
		return Command{}, refuse("ip takes one subnet or zone, not %d words. Did you mean ip %s?", len(words), quoteName(words[0]))
	case !place.MatchString(words[0]):
		return Command{}, refuse("%s is neither a subnet, such as subnet-0a1b2c3d4e5f60718, nor a zone, such as us-west-2a", quote(words[0]))
	}
	return Command{Verb: "ip", Name: words[0]}, nil
}
