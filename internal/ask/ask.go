// Package ask understands what people type: one grammar for Slack and for the command line.
package ask

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/netdiag/netdiag/diagnostics"
)

// Command is what was asked.
type Command struct {
	Verb      string // pending, alb, help, status, history or ping
	Namespace string // empty for alb: wherever the name is found
	Name      string // of the ingress or target group binding; for pending of a pod or of what makes pods, or empty
	Topic     string // of help: a diagnosis, or empty
	Count     int    // of history: how many questions, at least 1 and at most MaxHistory; 0 where none was given
}

// MaxHistory is how many questions history shows at most.
const MaxHistory = 20

// String is the command as it was understood.
func (c Command) String() string {
	words := []string{c.Verb}
	switch c.Verb {
	case "pending":
		words = append(words, c.Namespace, c.Name)
	case "help":
		words = append(words, c.Topic)
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
	return strings.TrimSpace(strings.Join(words, " "))
}

// Use is one way to use a command, as help lists it.
type Use struct {
	Verb string // pending
	Text string // pending <namespace> [pod]
	Does string // what it does, in a few words; a diagnosis says it itself
}

// uses lists the commands as they are typed, the answer to a command that can't be understood.
var uses = []Use{
	{"pending", "pending <namespace> [pod]", ""},
	{"alb", "alb <ingress> [-n <namespace>]", ""},
	{"help", "help [pending | alb]", "lists the commands, or explains one of them"},
	{"status", "status", "tells what is being looked into now, and what netdiag works on"},
	{"history", "history [n]", "lists what was asked here lately, with the verdicts"},
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
func Parse(text string) (Command, error) {
	words := strings.Fields(strings.Map(printable, text))
	if len(words) == 0 {
		return Command{Verb: "help"}, nil
	}
	verb := strings.ToLower(words[0])
	if (verb == "pending" || verb == "alb") && (slices.Contains(words, "--help") || slices.Contains(words, "-h")) {
		return Command{Verb: "help", Topic: verb}, nil
	}
	words, namespace, err := cutNamespace(words[1:])
	if err != nil {
		return Command{}, err
	}
	switch verb {
	case "pending":
		return parsePending(words, namespace)
	case "alb":
		return parseALB(words, namespace)
	case "-h", "--help", "?":
		verb = "help"
	}
	if parse, ok := plain[verb]; ok {
		c, err := parse(words)
		if err == nil && namespace != "" {
			return Command{}, refuse("%s takes no namespace. Did you mean %s?", verb, c)
		}
		return c, err
	}
	for _, u := range uses {
		if diagnostics.Near(verb, u.Verb) {
			return Command{}, refuse("%s is no command. Did you mean %s?", quote(words0(text)), suggest(u, words, namespace))
		}
	}
	return Command{}, Unknown{refusal("%s is no command. There are: %s", quote(words0(text)), strings.Join(Usages(), " · "))}
}

// plain are the commands that concern no namespace.
var plain = map[string]func(words []string) (Command, error){
	"help": parseHelp, "history": parseHistory, "status": parseAlone("status"), "ping": parseAlone("ping"),
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
	if c.Topic != "" && c.Topic != "pending" && c.Topic != "alb" {
		return Command{}, refuse("there is no help on %s: %s", quote(words[0]), "try help pending or help alb")
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
func suggest(u Use, words []string, namespace string) string {
	line := strings.Join(append([]string{u.Verb}, words...), " ")
	if namespace != "" {
		line += " -n " + namespace
	}
	if c, err := Parse(line); err == nil {
		return c.String()
	}
	return u.Text
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
