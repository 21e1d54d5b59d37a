package program

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/all"
	"github.com/netdiag/netdiag/internal/ask"
)

// Question is what a command line asks.
type Question struct {
	ask.Command
	Diagnosis diagnostics.Diagnosis
}

// Ask makes c a command that asks a question: it gets a subcommand for each diagnosis and the flag -n. answer is called
// with the words that were typed, as they would follow /netdiag; empty where none were.
func Ask(c *cobra.Command, answer func(c *cobra.Command, text string) error) *cobra.Command {
	var namespace string
	c.PersistentFlags().StringVarP(&namespace, "namespace", "n", "", "namespace of the ingress (default: wherever it is found)")
	run := func(c *cobra.Command, words []string) error {
		if namespace != "" {
			words = append(words, "-n", namespace)
		}
		return answer(c, strings.Join(words, " "))
	}
	c.Args = cobra.ArbitraryArgs
	c.RunE = run
	for _, d := range all.Diagnoses() {
		title, _, _ := strings.Cut(strings.TrimSpace(d.Doc), "\n")
		c.AddCommand(&cobra.Command{
			Use:               d.Name + " " + d.Usage,
			Short:             strings.TrimLeft(title, "# "),
			Long:              fmt.Sprintf("%s\n\nIt reads, and changes nothing:\n%s\n\n%s", strings.TrimSpace(d.Doc), reads(d), Statuses),
			Args:              cobra.ArbitraryArgs,
			ValidArgsFunction: cobra.NoFileCompletions,
			RunE: func(c *cobra.Command, words []string) error {
				return run(c, append([]string{d.Name}, words...))
			},
		})
	}
	return c
}

// Parse understands the question that c was asked. Its error is for Run: the status is Usage.
func Parse(c *cobra.Command, text string) (Question, error) {
	command, err := ask.Parse(text)
	if err != nil {
		sentence := err.Error()
		if !strings.HasSuffix(sentence, "?") {
			sentence += "."
		}
		return Question{}, Misuse("%s See: %s --help", sentence, c.CommandPath())
	}
	d, ok := all.Find(command.Verb)
	if !ok {
		return Question{}, Misuse("which question? %s. See: %s --help", Usages(), c.CommandPath())
	}
	return Question{command, d}, nil
}

// Usages lists the questions as people type them.
func Usages() string {
	var out []string
	for _, d := range all.Diagnoses() {
		out = append(out, d.Name+" "+d.Usage)
	}
	return strings.Join(out, " | ")
}

// reads lists what a diagnosis reads, folded to the width of a terminal.
func reads(d diagnostics.Diagnosis) string {
	const width = 100
	var b strings.Builder
	at := width
	for i, r := range d.Reads {
		if i < len(d.Reads)-1 {
			r += ","
		}
		if at+1+len(r) > width {
			if b.Len() > 0 {
				b.WriteByte('\n')
			}
			b.WriteByte(' ')
			at = 1
		}
		b.WriteString(" " + r)
		at += 1 + len(r)
	}
	return b.String()
}

// Formats registers the flag -o of a command that writes a report, with completion of its values.
func Formats(c *cobra.Command, into *string) {
	c.PersistentFlags().StringVarP(into, "output", "o", "term", "term, markdown or json")
	Values(c, "output", "term", "markdown", "json")
}

// Values completes the values of a flag.
func Values(c *cobra.Command, flag string, values ...string) {
	_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)) // the flag was registered before
}
