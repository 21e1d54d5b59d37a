package main

import (
	"errors"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/all"
	"github.com/netdiag/netdiag/internal/program"
	"github.com/netdiag/netdiag/internal/render/output"
)

func replayCommand() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "replay FILE",
		Short: "Judge a snapshot again, without any cluster",
		Long: `Judge again what bot diagnose --snapshot FILE has read, without any cluster: the same netdiag says the same, another
version says what it has learned since. - is standard input.

` + program.Statuses,
		Example: "  bot diagnose pending backend --snapshot incident.json\n  bot replay incident.json -o markdown",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return program.Misuse("bot replay needs one file, that bot diagnose --snapshot FILE has written")
			}
			return nil
		},
		ValidArgsFunction: cobra.FixedCompletions([]string{"json"}, cobra.ShellCompDirectiveFilterFileExt),
		RunE: func(_ *cobra.Command, args []string) error {
			write, err := output.Writer(format, os.Stdout)
			if err != nil {
				return err
			}
			out, err := replay(args[0])
			if err != nil {
				return err
			}
			return tell(write, out)
		},
	}
	program.Formats(c, &format)
	return c
}

func replay(file string) (diagnostics.Outcome, error) {
	text, err := read(file)
	if err != nil {
		return diagnostics.Outcome{}, program.Misuse("%v", err)
	}
	saved, err := diagnostics.ReadSaved(text)
	if err != nil {
		return diagnostics.Outcome{}, program.Misuse("%s: %v", file, err)
	}
	d, ok := all.Find(saved.Diagnosis)
	if !ok {
		return diagnostics.Outcome{}, program.Misuse("%s: it is a snapshot of %s, which this netdiag doesn't know; it knows: %s", file, saved.Diagnosis, program.Usages())
	}
	out, err := d.ReplaySaved(saved)
	if err != nil {
		return out, program.Misuse("%s: %v", file, err)
	}
	return out, nil
}

// most is the size of the largest snapshot that is read: a mistaken device or archive must not fill the memory.
const most = 1 << 30

func read(file string) ([]byte, error) {
	in := os.Stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }() // it was only read
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, most+1))
	if err == nil && len(text) > most {
		err = errors.New(file + " is larger than any snapshot")
	}
	return text, err
}
