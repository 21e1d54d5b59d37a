package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/program"
	"github.com/netdiag/netdiag/internal/render/output"
	"github.com/netdiag/netdiag/internal/world/record"
)

func diagnoseCommand() *cobra.Command {
	var a access
	var format, snapshot string
	c := &cobra.Command{
		Use:   "diagnose " + program.Usages(),
		Short: "Answer one question on the command line",
		Long: `Answer one question on the command line. It reads the cluster and AWS, and changes nothing; the help of each question
lists what it reads. The report goes to standard output, progress to standard error.

` + program.Statuses,
		Example: `  bot diagnose pending backend
  bot diagnose alb api-ingress -n backend -o markdown
  bot diagnose pending backend --context staging --region eu-west-1
  bot diagnose pending backend -o json --snapshot incident.json`,
	}
	a.flags(c)
	program.Formats(c, &format)
	c.PersistentFlags().StringVar(&snapshot, "snapshot", "", "also write what was read to this file, for bot replay")
	return program.Ask(c, func(c *cobra.Command, text string) error {
		write, err := output.Writer(format, os.Stdout)
		if err != nil {
			return err
		}
		q, err := program.Parse(c, text)
		if err != nil {
			return err
		}
		out, err := a.ask(c.Context(), q, nil)
		if err != nil {
			return err
		}
		if snapshot != "" {
			if err := keep(snapshot, out); err != nil {
				return err
			}
		}
		return tell(write, out)
	})
}

// enough is the memory that one run does with in a cluster of 5,000 nodes.
const enough = 128 << 20

// ask connects and answers a question; r, where it isn't nil, listens to what is read. Where there is no answer, the outcome
// still says about what.
func (a *access) ask(ctx context.Context, q program.Question, r *record.Recorder) (diagnostics.Outcome, error) {
	if r == nil { // a recorder keeps what a run lets go
		economise(enough)
	}
	conn, err := a.connect(ctx, recording(r))
	if err != nil {
		return diagnostics.Outcome{}, err
	}
	conn.target.Namespace, conn.target.Name = q.Namespace, q.Name
	out, err := conn.source.Diagnose(ctx, q.Diagnosis, conn.target, func(s string) { fmt.Fprintln(os.Stderr, s) })
	if err != nil {
		out.Report.Target = conn.target
	}
	return out, err
}

// keep writes a run to a file that only its owner can read: what was read is not redacted.
func keep(file string, out diagnostics.Outcome) error {
	text, err := out.Save(program.Version())
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return program.Misuse("the snapshot can't be written: %v", err)
	}
	return nil
}

// tell writes the report, and gives the status of an open question.
func tell(write func(diagnostics.Report) error, out diagnostics.Outcome) error {
	if err := write(out.Report); err != nil {
		return err
	}
	if out.Report.Open() {
		return &program.Exit{Status: program.Open}
	}
	return nil
}
