package ask

import (
	"regexp"
	"slices"
	"strings"
)

// Hint is what the text of a message seems to be about. It is a guess, to fill in a form that a person checks: the text
// is anybody's, so nothing may be asked or done because of it.
type Hint struct {
	Verb      string   // pending or alb
	Namespace string   // empty where none is named
	Pod       string   // or what makes pods
	Ingress   string   // without its namespace
	Balancers []string // names of load balancers; the cluster knows whose they are
}

// maxAlert bounds the text that is read, in bytes: what an alert is about stands at its beginning.
const maxAlert = 20_000

// The ways in which alerts, events and people name things, the surest first. Labels that start with exported_ are those of
// the thing itself, where the bare ones are those of the exporter that reported it.
var (
	eventLine = regexp.MustCompile(`(?m)^\s*([a-z0-9][-a-z0-9]*)\s+(?:\d+[smhd]\S*|<unknown>)\s+(?:\(x\S+ over \S+\)\s+)?(?:Normal|Warning)\s+\S+\s+([A-Za-z.]+)/(\S+)`)
	kubelet   = regexp.MustCompile(`\b([a-z0-9][-a-z0-9.]*)_([a-z0-9][-a-z0-9]*)\([0-9a-f]{8}-`) // api-5d9_backend(0f3c…)
	kindSlash = regexp.MustCompile(`(?i)\b(pods?|po|deployment(?:\.apps)?|deploy|statefulset(?:\.apps)?|sts|daemonset(?:\.apps)?|ds|replicaset(?:\.apps)?|rs|job(?:\.batch)?)/([a-z0-9][-a-z0-9./]*)`)

	namespaces = patterns(
		`(?i)exported_namespace\s*[=:]\s*([a-z0-9][-a-z0-9]*)`,
		`(?i)(?:\b|_)name_?space(?:_name)?\s*[=:/]\s*([a-z0-9][-a-z0-9]*)`,
		`(?:^|\s)(?:-n|--namespace)[ =]([a-z0-9][-a-z0-9]*)`,
		`(?i)\bnamespace\s+([a-z0-9][-a-z0-9]*)`,
	)
	pods = patterns(
		`(?i)exported_pod\s*[=:]\s*([a-z0-9][-a-z0-9.]*)`,
		`(?i)(?:\b|_)pod(?:_?name)?\s*[=:]\s*([a-z0-9][-a-z0-9./]*)`,
		`(?i)\b(?:deployment|statefulset|daemonset|replicaset|workload|job_name)\s*[=:]\s*([a-z0-9][-a-z0-9./]*)`,
		`(?i)\bpod\s+([a-z0-9][-a-z0-9.]*/[a-z0-9][-a-z0-9.]*)`,
		`(?i)\bpod\s+([a-z0-9.]+-[-a-z0-9.]*)`,
	)
	ingresses = patterns(
		`(?i)exported_ingress\s*[=:]\s*([a-z0-9][-a-z0-9.]*)`,
		`(?i)\bingress(?:\.networking\.k8s\.io|_?name)?\s*[=:/]\s*([a-z0-9][-a-z0-9./]*)`,
		`(?i)\bingress\s+([a-z0-9][-a-z0-9.]*/[a-z0-9][-a-z0-9.]*)`,
		`(?i)\bingress\s+([a-z0-9.]+-[-a-z0-9.]*)`,
	)
	balancers = patterns(
		`(?i)\b(?:internal-)?([a-z0-9][-a-z0-9]*)\.[-a-z0-9]+\.elb\.amazonaws\.com`, // its DNS name
		`\bapp/([A-Za-z0-9][-A-Za-z0-9]*)/[0-9a-f]{16}\b`,                           // as CloudWatch and ARNs have it
	)

	saysPending = regexp.MustCompile(`(?i)FailedCreatePodSandBox|FailedScheduling|\bPending\b|ContainerCreating|assign an IP|InsufficientFreeAddresses|nodes are available|InsufficientCidrBlocks`)
	saysALB     = regexp.MustCompile(`(?i)\b50[234]s?\b|\b5xx\b|bad gateway|gateway time-?out|HTTPCode_(?:ELB|Target)|unhealthy ?host|target\.(?:timeout|failed|response)|\bALB\b`)
)

func patterns(exprs ...string) []*regexp.Regexp {
	var out []*regexp.Regexp
	for _, e := range exprs {
		out = append(out, regexp.MustCompile(e))
	}
	return out
}

// ReadAlert guesses what a text is about: an alert, an event line of kubectl, what a person wrote.
func ReadAlert(text string) Hint {
	text = unmarked(text)
	var h Hint
	if m := eventLine.FindStringSubmatch(text); m != nil {
		h.take(m[1], m[2], m[3])
	}
	if m := kubelet.FindStringSubmatch(text); m != nil && h.Pod == "" {
		h.take(m[2], "pod", m[1])
	}
	for _, m := range kindSlash.FindAllStringSubmatch(text, 10) {
		h.take("", m[1], m[2])
	}
	if n := first(namespaces, text); h.Namespace == "" && label.MatchString(n) {
		h.Namespace = n
	}
	h.take("", "pod", first(pods, text))
	h.take("", "ingress", first(ingresses, text))
	for _, p := range balancers {
		for _, m := range p.FindAllStringSubmatch(text, 5) {
			if name := strings.ToLower(m[1]); !slices.Contains(h.Balancers, name) {
				h.Balancers = append(h.Balancers, name)
			}
		}
	}
	h.Verb = h.verb(text)
	return h
}

// unmarked is a text without what only marks it up: emphasis, quotes, what can't be seen.
func unmarked(text string) string {
	if len(text) > maxAlert {
		text = text[:maxAlert]
	}
	return strings.Map(func(r rune) rune {
		if r == '\n' {
			return r
		}
		if strings.ContainsRune("*`\"'“”‘’{}[],;", r) {
			return ' '
		}
		return printable(r)
	}, text)
}

// take fills in what isn't known yet; a name may come with its namespace before a slash. What can't be a name is left out.
func (h *Hint) take(namespace, kind, name string) {
	name = strings.TrimRight(name, ".-/")
	if ns, rest, ok := strings.Cut(name, "/"); ok {
		namespace, name = ns, rest
	}
	into := &h.Pod
	switch k := strings.ToLower(kind); {
	case routers[k]:
		into = &h.Ingress
	case !makers[k]:
		return
	}
	if *into != "" || !subdomain.MatchString(name) || prose[name] {
		return
	}
	*into = name
	if h.Namespace == "" && label.MatchString(namespace) && !prose[namespace] {
		h.Namespace = namespace
	}
}

// prose are words that follow the name of a kind in a sentence.
var prose = map[string]bool{
	"is": true, "was": true, "are": true, "has": true, "had": true, "in": true, "on": true, "of": true, "to": true, "with": true, "and": true, "or": true,
	"not": true, "the": true, "a": true, "for": true, "from": true, "can": true, "cannot": true, "which": true, "that": true, "stuck": true,
}

func first(ps []*regexp.Regexp, text string) string {
	for _, p := range ps {
		for _, m := range p.FindAllStringSubmatch(text, 5) {
			if name := strings.TrimRight(strings.ToLower(m[1]), ".-/"); name != "" && !prose[name] {
				return name
			}
		}
	}
	return ""
}

// verb is the question that fits best.
func (h *Hint) verb(text string) string {
	switch {
	case saysPending.MatchString(text):
		return "pending"
	case h.Ingress != "" || len(h.Balancers) > 0 || saysALB.MatchString(text):
		return "alb"
	}
	return "pending"
}
