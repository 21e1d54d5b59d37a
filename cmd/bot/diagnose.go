package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/all"
	"github.com/netdiag/netdiag/internal/ask"
	"github.com/netdiag/netdiag/internal/render/output"
)

func diagnoseCommand() *cobra.Command {
	var a access
	var namespace, format string
	c := &cobra.Command{
		Use:   "diagnose " + usages(),
		Short: "Answer one question on the command line",
		Long: `Answer one question on the command line. It reads the cluster and AWS, and changes nothing.

Exit status: 0 the question could be answered, trouble or not; 1 nothing could be read; 2 wrong command line or a name
that is not there; 3 something that decides could not be read (the report names the permission).`,
		Example: "  bot diagnose pending backend\n  bot diagnose alb api-ingress -n backend -o markdown",
		RunE: func(c *cobra.Command, args []string) error {
			text := strings.Join(args, " ")
			if namespace != "" {
				text += " -n " + namespace
			}
			q, err := ask.Parse(text)
			if err != nil {
				return &exitError{exitUsage, err}
			}
			d, ok := all.Find(q.Verb)
			if !ok {
				return &exitError{exitUsage, diagnostics.Refusal("which question? " + usages())}
			}
			write, err := output.Writer(format, os.Stdout)
			if err != nil {
				return &exitError{exitUsage, err}
			}
			conn, err := a.connect(c.Context())
			if err != nil {
				return err
			}
			target := conn.target
			target.Namespace, target.Name = q.Namespace, q.Name
			target.Account, _ = conn.source.AWS.Account(c.Context()) // shown only; the diagnosis itself says what can't be read
			out, err := conn.source.Diagnose(c.Context(), d, target, func(s string) { fmt.Fprintln(os.Stderr, s) })
			if err != nil {
				return err
			}
			if err := write(out.Report); err != nil {
				return err
			}
			if out.Report.Open() {
				return &exitError{code: exitOpen}
			}
			return nil
		},
	}
	a.flags(c)
	c.Flags().StringVarP(&namespace, "namespace", "n", "", "namespace of the ingress (default: wherever it is found)")
	c.Flags().StringVarP(&format, "output", "o", "term", "term, markdown or json")
	return c
}

// usages lists the questions as people type them.
func usages() string {
	var out []string
	for _, d := range all.Diagnoses() {
		out = append(out, d.Name+" "+d.Usage)
	}
	return strings.Join(out, " | ")
}
