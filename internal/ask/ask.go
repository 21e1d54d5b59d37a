// Package ask understands what people type: one grammar for Slack and for the command line.
package ask

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/netdiag/netdiag/diagnostics"
)

// Command is what was asked.
type Command struct {
	Verb      string // pending, alb, ip, help, status, history, snooze, stop, resume or ping
	Namespace string // empty for alb: wherever the name is found
	Name      string // of the ingress or target group binding; for pending of a pod or of what makes pods, or empty; for ip a subnet or zone, or empty
	Topic     string // of help: a diagnosis, or empty
	Count     int    // of history: how many questions, at least 1 and at most MaxHistory; 0 where none was given
	Cluster   string // of a diagnosis: the EKS cluster that it is about; empty: the usual one
	// For is how long snooze silences warnings, at least MinSnooze and at most MaxSnooze; 0 ends that. What is silenced is Topic:
	// a condition, a subnet, a zone or an ingress, or empty for everything.
	For time.Duration
}

// MaxHistory is how many questions history shows at most.
const MaxHistory = 20

// How long warnings can be silenced.
const (
	MinSnooze = time.Minute
	MaxSnooze = 7 * 24 * time.Hour
)

// String is the command as it was understood.
func (c Command) String() string {
	words := []string{c.Verb}
	switch c.Verb {
	case "pending":
		words = append(words, c.Namespace)
		if c.Name != "" {
			words = append(words, c.Name)
		}
	case "help":
		words = append(words, c.Topic)
	case "snooze":
		words = append(words, Spell(c.For), c.Topic)
	case "history":
		if c.Count > 0 {
			words = append(words, strconv.Itoa(c.Count))
		}
	default:
		words = append(words, c.Name)
		if c.Namespace != "" {
			words = append(words, "-n", c.Namespace)
		}
	}
	if c.Cluster != "" {
		words = append(words, "--cluster", c.Cluster)
	}
	return strings.TrimSpace(strings.Join(words, " "))
}

// Use is one way to use a command, as help lists it.
type Use struct {
	Verb string // pending
	Text string // pending <namespace> [pod]
	Does string // what it does, in a few words; a diagnosis says it itself
}

// An EKS cluster is named by letters, digits, - and _ (docs.aws.amazon.com/eks/latest/APIReference/API_CreateCluster.html).
var clusterName = regexp.MustCompile(`^[0-9A-Za-z][-_0-9A-Za-z]{0,99}$`)

// Namespace reports whether s can be the name of a namespace.
func Namespace(s string) bool { return label.MatchString(s) }

// Cluster reports whether s can be the name of an EKS cluster.
func Cluster(s string) bool { return clusterName.MatchString(s) }

// uses lists the commands as they are typed, the answer to a command that can't be understood.
var uses = []Use{
	{"pending", "pending <namespace> [pod]", ""},
	{"alb", "alb <ingress> [-n <namespace>]", ""},
	{"ip", "ip [subnet | zone]", ""},
	{"help", "help [pending | alb | ip]", "lists the commands, or explains one of them"},
	{"status", "status", "tells what is being looked into now, and what netdiag works on"},
	{"history", "history [n]", "lists what was asked here lately, with the verdicts"},
	{"snooze", "snooze <time> [what] | off", "silences early warnings for a time such as 2h: all, or those of a condition, subnet, zone or ingress"},
	{"stop", "stop", "stops all changes at once, until somebody resumes them"},
	{"resume", "resume", "lets changes go on; only approvers can, and only by the slash command"},
	{"ping", "ping", "tells whether netdiag hears you"},
}

// Uses lists the commands, diagnoses first.
func Uses() []Use { return slices.Clone(uses) }

// Usages lists how each command is typed.
func Usages() []string {
	var out []string
	for _, u := range uses {
		out = append(out, u.Text)
	}
	return out
}

// Unknown is the Refusal of words that aren't even meant as a command, as far as one can tell.
type Unknown struct{ diagnostics.Refusal }

// Unwrap makes it a Refusal for errors.As.
func (u Unknown) Unwrap() error { return u.Refusal }

// Parse understands a command line; nothing at all means help. Its error is a diagnostics.Refusal that names the nearest valid command.
func Parse(text string) (Command, error) { return ParseIn("", text) }

// ParseIn is Parse where a namespace is meant when a question names none; empty: every question has to.
func ParseIn(namespace, text string) (Command, error) {
	words := strings.Fields(strings.Map(printable, text))
	if len(words) == 0 {
		return Command{Verb: "help"}, nil
	}
	verb := strings.ToLower(words[0])
	if question(verb) && (slices.Contains(words, "--help") || slices.Contains(words, "-h")) {
		return Command{Verb: "help", Topic: verb}, nil
	}
	words, o, err := cutOptions(words[1:])
	if err != nil {
		return Command{}, err
	}
	c, err := parse(verb, words, o, namespace)
	if _, ok := errors.AsType[unknownVerb](err); !ok {
		c.Cluster = o.cluster
		return c, err
	}
	for _, u := range uses {
		if diagnostics.Near(verb, u.Verb) {
			return Command{}, refuse("%s is no command. Did you mean %s?", quote(words0(text)), suggest(u, words, o))
		}
	}
	return Command{}, Unknown{refusal("%s is no command. There are: %s", quote(words0(text)), strings.Join(Usages(), " · "))}
}

type unknownVerb struct{ error }

// question reports whether a verb asks something about the cluster.
func question(verb string) bool { return verb == "pending" || verb == "alb" || verb == "ip" }

func parse(verb string, words []string, o options, namespace string) (Command, error) {
	switch verb {
	case "pending":
		if len(words) == 0 && o.namespace == "" {
			o.namespace = namespace
		}
		return parsePending(words, o.namespace)
	case "alb":
		c, err := parseALB(words, o.namespace)
		if c.Namespace == "" {
			c.Namespace = namespace
		}
		return c, err
	case "-h", "--help", "?":
		verb = "help"
	case "ip":
		return parseIP(words, o.namespace)
	}
	parse, ok := plain[verb]
	if !ok {
		return Command{}, unknownVerb{errors.New("no command")}
	}
	c, err := parse(words)
	switch {
	case err == nil && o.namespace != "":
		return Command{}, refuse("%s takes no namespace. Did you mean %s?", verb, c)
	case err == nil && o.cluster != "":
		return Command{}, refuse("%s takes no cluster. Did you mean %s?", verb, c)
	}
	return c, err
}

// plain are the commands that concern no namespace.
var plain = map[string]func(words []string) (Command, error){
	"help": parseHelp, "history": parseHistory, "status": parseAlone("status"), "ping": parseAlone("ping"),
	"snooze": parseSnooze, "stop": parseAlone("stop"), "resume": parseAlone("resume"),
}

func parseAlone(verb string) func([]string) (Command, error) {
	return func(words []string) (Command, error) {
		if len(words) > 0 {
			return Command{}, refuse("%s takes no further words. Did you mean %s?", verb, verb)
		}
		return Command{Verb: verb}, nil
	}
}

func parseHelp(words []string) (Command, error) {
	c := Command{Verb: "help"}
	if len(words) > 0 {
		c.Topic = strings.ToLower(words[0])
	}
	if c.Topic != "" && !question(c.Topic) {
		return Command{}, refuse("there is no help on %s: %s", quote(words[0]), "try help pending, help alb or help ip")
	}
	if len(words) > 1 {
		return Command{}, refuse("help takes one topic, not %d words. Did you mean %s?", len(words), c)
	}
	return c, nil
}

func parseHistory(words []string) (Command, error) {
	if len(words) == 0 {
		return Command{Verb: "history"}, nil
	}
	n, err := strconv.Atoi(words[0])
	if err != nil || n < 1 || n > MaxHistory {
		return Command{}, refuse("%s is no number from 1 to %d. Did you mean history 5?", quote(words[0]), MaxHistory)
	}
	if len(words) > 1 {
		return Command{}, refuse("history takes one number, not %d words. Did you mean history %d?", len(words), n)
	}
	return Command{Verb: "history", Count: n}, nil
}

// words0 is the first word as it was typed.
func words0(text string) string { return strings.Fields(strings.Map(printable, text))[0] }

// suggest is the nearest valid command with the words that were typed, or its usage where they don't fit.
func suggest(u Use, words []string, o options) string {
	line := strings.Join(append([]string{u.Verb}, words...), " ")
	if o.namespace != "" {
		line += " -n " + o.namespace
	}
	if o.cluster != "" {
		line += " --cluster " + o.cluster
	}
	if c, err := Parse(line); err == nil {
		return c.String()
	}
	return u.Text
}

// options stand anywhere after the command.
type options struct{ namespace, cluster string }

// cutOptions takes -n NAME, --namespace NAME and --cluster NAME out of the words, or with = between them.
func cutOptions(words []string) (rest []string, o options, err error) {
	for i := 0; i < len(words); i++ {
		w := words[i]
		flag, value, given := strings.Cut(w, "=")
		var into *string
		what := "namespace"
		switch flag {
		case "-n", "--namespace":
			into = &o.namespace
		case "--cluster":
			into, what = &o.cluster, "cluster"
		}
		switch {
		case into == nil && strings.HasPrefix(w, "-"):
			return nil, o, refuse("there is no option %s: only -n <namespace> and --cluster <name>", quote(w))
		case into == nil:
			rest = append(rest, w)
			continue
		case !given && i+1 == len(words):
			return nil, o, refuse("%s needs a %s after it", flag, what)
		case !given:
			i++
			value = words[i]
		}
		*into = value
	}
	if o.cluster != "" && !Cluster(o.cluster) {
		return nil, o, refuse("%s can't be an EKS cluster: letters, digits, - and _, at most 100", quote(o.cluster))
	}
	return rest, o, nil
}

func refuse(format string, args ...any) error { return refusal(format, args...) }

func refusal(format string, args ...any) diagnostics.Refusal {
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
