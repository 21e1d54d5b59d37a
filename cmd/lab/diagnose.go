package main

import (
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/diagtest"
	"github.com/netdiag/netdiag/internal/render/output"
	"github.com/netdiag/netdiag/internal/world"
)

func diagnoseCommand() *cobra.Command {
	var dir, format, namespace string
	c := &cobra.Command{
		Use:     "diagnose --world DIR [ASK…]",
		Short:   "Answer one question about a world, at the world's own time",
		Example: "  lab diagnose --world testdata/worlds/seeds/seed-alb-502\n  lab diagnose --world DIR pending frontend -o json",
		RunE: func(c *cobra.Command, args []string) error {
			if dir == "" {
				return diagnostics.Refusal("which world? Give its folder with --world DIR")
			}
			write, err := output.Writer(format, os.Stdout)
			if err != nil {
				return err
			}
			ask := strings.Join(args, " ")
			if namespace != "" {
				ask += " -n " + namespace
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
			out, err := s.Diagnose(c.Context(), ask)
			if err != nil {
				return err
			}
			if err := write(out.Report); err != nil {
				return err
			}
			if out.Report.Open() {
				return exitCode(3)
			}
			return nil
		},
	}
	c.Flags().StringVar(&dir, "world", "", "folder of the world")
	c.Flags().StringVarP(&format, "output", "o", "term", "term, markdown or json")
	c.Flags().StringVarP(&namespace, "namespace", "n", "", "namespace of the ingress")
	return c
}
