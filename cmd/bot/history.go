package main

import (
	"encoding/json"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/program"
	"github.com/netdiag/netdiag/internal/render/output"
)

// usualHistory is how many questions are listed where nobody says how many.
const usualHistory = 20

func historyCommand() *cobra.Command {
	var r records
	var format string
	c := &cobra.Command{
		Use:   "history [N]",
		Short: "List what was asked, decided and done",
		Long: `List the newest N questions (20 where no number is given; 0 is all), newest first, with their fixes: who asked, what was found,
who approved or rejected, what was done and what came of it. It reads the Investigations and Remediations of the cluster,
as kubectl get does, and needs neither Slack nor AWS.

Exit status: 0 listed; 1 they could not be read; 2 wrong command line.`,
		Example: "  bot history 5\n  bot history -o json | jq '.[].remediations[].status.decisions'",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return program.Misuse("bot history takes one number, how many questions to list")
			}
			return nil
		},
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, args []string) error {
			n, err := count(args)
			if err != nil {
				return err
			}
			if format != "term" && format != "json" {
				return program.Misuse("unknown output %s: use term or json", format)
			}
			store, err := r.open()
			if err != nil {
				return err
			}
			cases, err := casebook.History(c.Context(), store, n)
			if err != nil {
				return &program.Exit{Status: program.Unreadable, Err: err}
			}
			if format == "json" {
				e := json.NewEncoder(os.Stdout)
				e.SetIndent("", "  ")
				return e.Encode(cases)
			}
			return output.History(os.Stdout, cases)
		},
	}
	r.flags(c)
	c.Flags().StringVarP(&format, "output", "o", "term", "term or json")
	return c
}

func count(args []string) (int, error) {
	if len(args) == 0 {
		return usualHistory, nil
	}
	n, err := strconv.Atoi(args[0])
	if err != nil || n < 0 {
		return 0, program.Misuse("%q is no number of questions: bot history 5 lists the newest five, bot history 0 all", args[0])
	}
	return n, nil
}
