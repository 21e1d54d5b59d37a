// Command lab is the laboratory: it serves recorded worlds as a simulated cluster, AWS account and Slack, to diagnose,
// measure and show netdiag without an account of any kind. It is never deployed.
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
	"github.com/netdiag/netdiag/internal/world"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:]))
}

// exitCode is an error that only carries an exit code: everything has been said.
type exitCode int

func (e exitCode) Error() string { return "" }

// run executes one command line and gives its exit code: as bot diagnose, and 1 where a world of the bench doesn't pass.
func run(ctx context.Context, args []string) int {
	root := &cobra.Command{
		Use:           "lab",
		Short:         "Diagnose, measure and show netdiag on simulated worlds",
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
	root.AddCommand(diagnoseCommand(), benchCommand(), demoCommand())
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(os.Stderr, "lab: "+text)
	}
	var code exitCode
	var refusal diagnostics.Refusal
	var problem *world.Problem
	switch {
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, &refusal), errors.As(err, &problem):
		return 2
	case ctx.Err() != nil:
		return 130
	}
	return 1
}
