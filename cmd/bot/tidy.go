package main

import (
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/program"
)

func tidyCommand() *cobra.Command {
	var r records
	c := &cobra.Command{
		Use:   "tidy",
		Short: "Delete old questions and fixes",
		Long: `Delete Investigations a week after they were asked, and Remediations 90 days after they ended. What is open stays, and what
something open follows, undoes or was proposed for. The chart runs it every hour, under a service account of its own: who
talks to people and who makes changes can't delete what they did.

Exit status: 0 all is tidy; 1 something could not be read or deleted, which the log names; 2 wrong command line.`,
		Example: "  bot tidy --namespace netdiag",
		Args:    program.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			log, err := logger(zap.NewAtomicLevel())
			if err != nil {
				return err
			}
			store, err := r.open()
			if err != nil {
				return err
			}
			deleted, err := casebook.Tidy(c.Context(), store, time.Now())
			log.Info("tidied", zap.Int("deleted", deleted), zap.Error(err))
			if err != nil {
				return &program.Exit{Status: program.Unreadable, Err: err}
			}
			return nil
		},
	}
	r.flags(c)
	return program.Graceful(c)
}
