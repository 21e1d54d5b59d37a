package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/program"
	"github.com/netdiag/netdiag/internal/world"
	"github.com/netdiag/netdiag/internal/world/record"
)

func captureCommand() *cobra.Command {
	var a access
	var dir string
	c := &cobra.Command{
		Use:   "capture " + program.Usages() + " -o DIR",
		Short: "Keep what a question reads as a world, redacted, to look at it elsewhere",
		Long: `Answer a question as bot diagnose does, and keep the raw answers of AWS and Kubernetes as a world: a folder that lab can
serve, so that a failure in the field becomes a test. It holds just what was read, and is redacted: ids of AWS accounts are
replaced; Secrets, tokens, keys, the values of environment variables other than the VPC CNI's, mail addresses, and
annotations that no network controller reads are taken out. Names, labels, tags and addresses stay. Read it before you
pass it on, and check want in its world.yaml: it is what netdiag said.

Exit status: 0 the world was written, whatever the answer; 1 nothing could be read; 2 wrong command line, a name that is
not there, or a folder that is not empty; 130 interrupted.`,
		Example: "  bot capture pending backend -o world\n  bot capture alb api-ingress -n backend -o world\n  lab diagnose --world world",
	}
	a.flags(c)
	c.PersistentFlags().StringVarP(&dir, "output", "o", "", "folder of the world; it must not be there yet, or be empty")
	_ = c.MarkPersistentFlagDirname("output") // the flag was registered before
	return program.Ask(c, func(c *cobra.Command, text string) error {
		if dir == "" {
			return program.Misuse("capture where to? Give a folder with -o DIR")
		}
		if err := world.Vacant(dir); err != nil {
			return err
		}
		q, err := program.Parse(c, text)
		if err != nil {
			return err
		}
		r := record.New()
		asked := time.Now()
		out, err := a.ask(c.Context(), q, r)
		var refusal diagnostics.Refusal
		if errors.As(err, &refusal) || c.Context().Err() != nil || err != nil && out.Report.Target.Cluster == "" {
			return err
		}
		if err != nil { // a fault of netdiag: what it has read is what is needed to mend it
			out.Report.At = asked
		}
		t := out.Report.Target
		w, saveErr := r.Save(dir, world.Meta{Ask: q.String(), Now: out.Report.At, Cluster: t.Cluster, Region: t.Region, Account: t.Account}, out.Report)
		switch {
		case saveErr != nil:
			return errors.Join(err, saveErr)
		case err != nil:
			return fmt.Errorf("there is no answer, but what was read is in %s: %w", dir, err)
		}
		fmt.Fprintf(os.Stderr, "%s: %d objects of Kubernetes, %d lists of AWS. The answer was: %s\n", dir, len(w.Objects), lists(w), out.Report.Summary)
		fmt.Fprintln(os.Stderr, "Read it before you pass it on; check want in world.yaml. Look at it with: lab diagnose --world", dir)
		return nil
	})
}

func lists(w *world.World) int {
	n := 0
	for _, byName := range w.AWS {
		n += len(byName)
	}
	return n
}
