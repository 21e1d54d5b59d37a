package program

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/netdiag/netdiag/diagnostics"
)

// prepare gives a root command what both programs share.
func prepare(root *cobra.Command) {
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetFlagErrorFunc(wrongFlag)
	if root.RunE == nil {
		root.Args = cobra.ArbitraryArgs
		root.RunE = unknownCommand
	}
	root.AddCommand(versionCommand(root.Name()))
}

// unknownCommand answers a root command: help where nothing else was typed, else the nearest command. People type the
// questions of diagnose without it, as in Slack.
func unknownCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return c.Help()
	}
	meant := map[string]string{}
	for _, sub := range c.Commands() {
		if !sub.IsAvailableCommand() {
			continue
		}
		meant[sub.Name()] = sub.Name()
		if sub.Name() == "diagnose" {
			for _, question := range sub.Commands() {
				meant[question.Name()] = sub.Name() + " " + question.Name()
			}
		}
	}
	nearest := diagnostics.Nearest(args[0], slices.Collect(maps.Keys(meant)), 1)[0]
	line := meant[nearest]
	if diagnostics.Near(args[0], nearest) {
		line = strings.Join(append([]string{line}, args[1:]...), " ")
	}
	return Misuse("%s is no command. Did you mean %s %s? See: %s --help", args[0], c.Name(), line, c.Name())
}

// wrongFlag answers a flag that isn't there with the nearest one, and any other mistake with where help is.
func wrongFlag(c *cobra.Command, err error) error {
	help := "See: " + c.CommandPath() + " --help"
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return Misuse("%v. %s", err, help)
	}
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) { // those of its parents are merged in by now
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	name := unknown.GetSpecifiedName()
	given := "--" + name
	if short := unknown.GetSpecifiedShortnames(); short != "" {
		given = "-" + name
	}
	nearest := diagnostics.Nearest(name, names, 1)
	if len(nearest) == 0 {
		return Misuse("there is no flag %s. %s", given, help)
	}
	f := c.Flags().Lookup(nearest[0])
	as := "--" + f.Name
	if f.Shorthand != "" {
		as = fmt.Sprintf("-%s, --%s", f.Shorthand, f.Name)
	}
	return Misuse("there is no flag %s. Did you mean %s (%s)? %s", given, as, f.Usage, help)
}

// NoArgs is for commands that take flags only.
func NoArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return Misuse("%s takes no argument, not %s. See: %s --help", c.CommandPath(), args[0], c.CommandPath())
	}
	return nil
}
