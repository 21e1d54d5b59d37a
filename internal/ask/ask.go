// Package ask understands what people type: one grammar for Slack and for the command line.
package ask

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/netdiag/netdiag/diagnostics"
)

// Command is what was asked.
type Command struct {
	Verb      string // pending, alb, help or ping
	Namespace string // empty for alb: wherever the name is found
	Name      string // of the ingress or target group binding; for pending of a pod or of what makes pods, or empty
	Topic     string // of help: a diagnosis, or empty
}

// String is the command as it was understood.
func (c Command) String() string {
	words := []string{c.Verb}
	switch c.Verb {
	case "pending":
		words = append(words, c.Namespace, c.Name)
	case "help":
		words = append(words, c.Topic)
	default:
		words = append(words, c.Name)
		if c.Namespace != "" {
			words = append(words, "-n", c.Namespace)
		}
	}
	return strings.TrimSpace(strings.Join(words, " "))
}

// verbs lists the commands as they are typed, the answer to a command that can't be understood.
var verbs = []struct{ name, usage string }{
	{"pending", "pending <namespace> [pod]"},
	{"alb", "alb <ingress> [-n <namespace>]"},
	{"help", "help [pending | alb]"},
	{"ping", "ping"},
}

// Usages lists how each command is typed.
func Usages() []string {
	var out []string
	for _, v := range verbs {
		out = append(out, v.usage)
	}
	return out
}

// A namespace is a DNS label, the name of an ingress or a pod a DNS subdomain of at most 253 characters (RFC 1123, as
// Kubernetes checks them).
var (
	label     = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	subdomain = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$`)
)

// Parse understands a command line; nothing at all means help. Its error is a diagnostics.Refusal that names the nearest valid command.
func Parse(text string) (Command, error) {
	words := strings.Fields(strings.Map(printable, text))
	if len(words) == 0 {
		return Command{Verb: "help"}, nil
	}
	verb := strings.ToLower(words[0])
	words, namespace, err := cutNamespace(words[1:])
	if err != nil {
		return Command{}, err
	}
	switch verb {
	case "pending":
		return parsePending(words, namespace)
	case "alb":
		return parseALB(words, namespace)
	case "help", "-h", "--help", "?":
		c := Command{Verb: "help"}
		if len(words) > 0 {
			c.Topic = strings.ToLower(words[0])
		}
		if c.Topic != "" && c.Topic != "pending" && c.Topic != "alb" {
			return Command{}, refuse("there is no help on %s: %s", quote(words[0]), "try help pending or help alb")
		}
		return c, nil
	case "ping":
		return Command{Verb: "ping"}, nil
	}
	for _, v := range verbs {
		if diagnostics.Near(verb, v.name) {
			return Command{}, refuse("%s is no command. Did you mean %s?", quote(words0(text)), suggest(v.name, words, namespace, v.usage))
		}
	}
	return Command{}, refuse("%s is no command. There are: %s", quote(words0(text)), strings.Join(Usages(), " · "))
}

// words0 is the first word as it was typed.
func words0(text string) string { return strings.Fields(strings.Map(printable, text))[0] }

// suggest is the nearest valid command with the words that were typed, or its usage where they don't fit.
func suggest(verb string, words []string, namespace, usage string) string {
	line := strings.Join(append([]string{verb}, words...), " ")
	if namespace != "" {
		line += " -n " + namespace
	}
	if c, err := Parse(line); err == nil {
		return c.String()
	}
	return usage
}

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

// cutNamespace takes -n NAME, --namespace NAME or --namespace=NAME out of the words.
func cutNamespace(words []string) (rest []string, namespace string, err error) {
	for i := 0; i < len(words); i++ {
		w := words[i]
		value, given := "", false
		for _, flag := range []string{"-n", "--namespace"} {
			if v, ok := strings.CutPrefix(w, flag+"="); ok {
				value, given = v, true
			}
			if w == flag {
				if i+1 == len(words) {
					return nil, "", refuse("%s needs a namespace after it", flag)
				}
				i++
				value, given = words[i], true
			}
		}
		switch {
		case given:
			namespace = value
		case strings.HasPrefix(w, "-"):
			return nil, "", refuse("there is no option %s: only -n <namespace>", quote(w))
		default:
			rest = append(rest, w)
		}
	}
	return rest, namespace, nil
}

func refuse(format string, args ...any) error {
	return diagnostics.Refusal(fmt.Sprintf(format, args...))
}

// quote repeats what was typed, cut to what fits in a sentence.
func quote(s string) string {
	r := []rune(s)
	if len(r) > 40 {
		r = append(r[:40], '…')
	}
	return `"` + string(r) + `"`
}

// quoteName is a word that may be a name, else a placeholder.
func quoteName(s string) string {
	if subdomain.MatchString(s) && len(s) <= 63 {
		return s
	}
	return "<name>"
}

// printable drops what can't be seen: control and formatting characters (bidi among them) become spaces.
func printable(r rune) rune {
	if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
		return ' '
	}
	return r
}
