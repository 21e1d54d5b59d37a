package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/netdiag/netdiag/internal/diagtest"
	"github.com/netdiag/netdiag/internal/program"
	"github.com/netdiag/netdiag/internal/render/output"
	"github.com/netdiag/netdiag/internal/world"
)

func diagnoseCommand() *cobra.Command {
	var dir, format string
	c := &cobra.Command{
		Use:   "diagnose --world DIR [" + program.Usages() + "]",
		Short: "Answer one question about a world, at the world's own time",
		Long: `Answer one question about a world, at the world's own time: its own question, where none is given. The world is served on
loopback and read through the same clients as in production.

` + program.Statuses,
		Example: "  lab diagnose --world testdata/worlds/seeds/seed-alb-502\n  lab diagnose --world DIR pending frontend -o json",
	}
	c.PersistentFlags().StringVar(&dir, "world", "", "folder of the world")
	_ = c.MarkPersistentFlagDirname("world") // the flag was registered before
	program.Formats(c, &format)
	return program.Ask(c, func(c *cobra.Command, text string) error {
		if dir == "" {
			return program.Misuse("which world? Give its folder with --world DIR")
		}
		write, err := output.Writer(format, os.Stdout)
		if err != nil {
			return err
		}
		w, err := world.Load(dir)
		if err != nil {
			return err
		}
		s, err := diagtest.Serve(w, nil)
		if err != nil {
			return err
		}
		defer s.Close()
		out, err := s.Diagnose(c.Context(), text)
		if err != nil {
			return err
		}
		if err := write(out.Report); err != nil {
			return err
		}
		if out.Report.Open() {
			return &program.Exit{Status: program.Open}
		}
		return nil
	})
}
