// Command bot is netdiag: it answers questions in Slack (serve), carries out approved fixes (execute), and answers on
// the command line (diagnose).
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/netdiag/netdiag/diagnostics"
)

// Exit codes of bot diagnose; the report's format fixes them.
const (
	exitUnreadable = 1 // nothing could be read at all
	exitUsage      = 2 // wrong command line, or a name that is not there
	exitOpen       = 3 // a gap left the question open
)

// exitError carries the exit code of a failed command.
type exitError struct {
	code int
	err  error // nil: everything has been said
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:]))
}

// run executes one command line and gives its exit code.
func run(ctx context.Context, args []string) int {
	root := &cobra.Command{
		Use:           "bot",
		Short:         "Diagnose EKS networking: pods without addresses, load balancers that answer 5xx",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return c.Help()
			}
			var names []string
			for _, sub := range c.Commands() {
				names = append(names, sub.Name())
			}
			return diagnostics.Refusal(args[0] + " is no command. Did you mean " + c.Name() + " " + diagnostics.Nearest(args[0], names, 1)[0] + "?")
		},
	}
	root.AddCommand(diagnoseCommand(), serveCommand(), executeCommand(), versionCommand())
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return &exitError{exitUsage, fmt.Errorf("%w; see %s --help", err, c.CommandPath())}
	})
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(os.Stderr, "bot: "+text)
	}
	var exit *exitError
	var unreachable diagnostics.Unreachable
	var refusal diagnostics.Refusal
	switch {
	case errors.As(err, &exit):
		return exit.code
	case errors.As(err, &unreachable):
		return exitUnreadable
	case errors.As(err, &refusal):
		return exitUsage
	case ctx.Err() != nil:
		return 130
	}
	return exitUnreadable
}
