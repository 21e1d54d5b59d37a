package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/netdiag/netdiag/internal/world"
)

func flattenCommand() *cobra.Command {
	var to string
	c := &cobra.Command{
		Use:   "flatten DIR… -o FOLDER",
		Short: "Write worlds that rest on others as complete folders",
		Long: `Write every world below the folders as a complete one, with all of its files, also those that only say what differs from
their base: for another tool, or to look at what a change has made.`,
		Example: "  lab flatten testdata/worlds/own -o complete",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, dirs []string) error {
			if err := world.Vacant(to); err != nil {
				return err
			}
			n := 0
			for _, dir := range dirs {
				worlds, err := world.Find(dir)
				if err != nil {
					return err
				}
				for _, d := range worlds {
					w, err := world.Load(d)
					if err != nil {
						return err
					}
					rel, err := filepath.Rel(filepath.Dir(filepath.Clean(dir)), d)
					if err != nil {
						return err
					}
					if err := w.Save(filepath.Join(to, rel)); err != nil {
						return err
					}
					n++
				}
			}
			fmt.Fprintf(os.Stderr, "%d worlds written below %s\n", n, to)
			return nil
		},
	}
	c.Flags().StringVarP(&to, "output", "o", "", "folder to write to; it must not be there yet, or be empty")
	_ = c.MarkFlagDirname("output")
	_ = c.MarkFlagRequired("output")
	return c
}
