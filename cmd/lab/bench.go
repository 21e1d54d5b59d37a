package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/netdiag/netdiag/internal/diagtest"
	"github.com/netdiag/netdiag/internal/program"
	"github.com/netdiag/netdiag/internal/world"
)

// result is one world of a bench.
type result struct {
	World   string   `json:"world"`
	Folder  string   `json:"folder"`
	Passed  bool     `json:"passed"`
	Differs []string `json:"differs,omitempty"`
	Causes  []string `json:"causes"`
	Fix     string   `json:"fix,omitempty"` // the first one
	Seconds float64  `json:"seconds"`

	score diagtest.Score
	want  world.Want
}

func benchCommand() *cobra.Command {
	var format, accuracy, performance, bot string
	c := &cobra.Command{
		Use:   "bench DIR…",
		Short: "Score the diagnoses on every world below the folders",
		Long: `Score the diagnoses on every world below the folders: each is served on loopback, asked its own question, and the report
is compared with want of its world.yaml.

Exit status: 0 every world passes, 1 not; 2 wrong command line, or a broken world; 130 interrupted.`,
		Example: "  lab bench testdata/worlds\n  lab bench testdata/worlds/seeds my-capture -o json",
		Args: func(_ *cobra.Command, dirs []string) error {
			if len(dirs) == 0 {
				return program.Misuse("lab bench needs folders with worlds, for example: lab bench testdata/worlds")
			}
			return nil
		},
		RunE: func(c *cobra.Command, dirs []string) error {
			if format != "term" && format != "json" {
				return program.Misuse("unknown output %s: use term or json", format)
			}
			if performance != "" {
				if err := findBot(&bot); err != nil {
					return err
				}
			}
			worlds, err := world.Find(dirs...)
			if err != nil {
				return err
			}
			var results []result
			for _, dir := range worlds {
				if c.Context().Err() != nil {
					return c.Context().Err()
				}
				start := time.Now()
				w, out, score, err := diagtest.Run(c.Context(), dir)
				if w == nil {
					return err
				}
				r := result{World: w.Name(), Folder: folder(dirs, dir), Seconds: time.Since(start).Seconds(), score: score, want: w.Meta.Want}
				if err != nil { // a diagnosis that dies is a miss, not the end of the bench
					r.score = diagtest.Score{Differs: []string{err.Error()}}
				}
				r.Passed, r.Differs = r.score.Passed(), r.score.Differs
				for _, f := range out.Report.Causes {
					r.Causes = append(r.Causes, f.ID)
				}
				if len(out.Report.Fixes) > 0 {
					r.Fix = out.Report.Fixes[0].ID
				}
				if out.Report.TookSeconds > 0 { // of the diagnosis alone, without loading and serving the world
					r.Seconds = out.Report.TookSeconds
				}
				results = append(results, r)
				if format == "term" {
					line := "pass"
					if !r.Passed {
						line = "DIFFERS: " + strings.Join(r.Differs, "; ")
					}
					fmt.Printf("%-44s %s\n", r.World, line)
				}
			}
			if format == "json" {
				enc := json.NewEncoder(os.Stdout)
				enc.SetIndent("", "  ")
				if err := enc.Encode(results); err != nil {
					return err
				}
			} else {
				fmt.Println(summary(results))
			}
			if accuracy != "" {
				if err := writeAccuracy(accuracy, results); err != nil {
					return err
				}
			}
			if performance != "" {
				loads, err := measureFleets(c.Context(), bot, os.Stderr)
				if err != nil {
					return err
				}
				ready, waits, err := measureWaits(c.Context(), bot, os.Stderr)
				if err != nil {
					return err
				}
				acked, err := measureAcks(c.Context(), acksInFlight, 10, time.Second)
				if err != nil {
					return err
				}
				if err := writePerformance(performance, results, loads, ready, waits, acked); err != nil {
					return err
				}
			}
			if slices.ContainsFunc(results, func(r result) bool { return !r.Passed }) {
				return &program.Exit{Status: 1}
			}
			return nil
		},
	}
	c.Flags().StringVarP(&format, "output", "o", "term", "term or json")
	program.Values(c, "output", "term", "json")
	c.Flags().StringVar(&accuracy, "accuracy", "", "also write the verdicts to this Markdown file")
	c.Flags().StringVar(&performance, "performance", "", "also write the times to this Markdown file, what the bot program takes for generated clusters, and how long people wait in the demo")
	c.Flags().StringVar(&bot, "bot", "", "the bot program that --performance measures (default: beside this one)")
	return c
}

// folder is where a world lies, relative to the folder that was asked for.
func folder(asked []string, dir string) string {
	for _, root := range asked {
		if rel, err := filepath.Rel(root, filepath.Dir(dir)); err == nil && rel != "." && !strings.HasPrefix(rel, "..") {
			return filepath.ToSlash(rel)
		}
	}
	return filepath.Base(filepath.Dir(dir))
}

// summary is how a bench closes: the share of worlds with exactly the wanted confidence, and the line that sums up.
func summary(results []result) string {
	var passed, causes, fixes, gaps, wantGaps, forbidden, exact, withCause int
	var took []float64
	for _, r := range results {
		took = append(took, r.Seconds)
		passed += count(r.Passed)
		causes += count(r.score.CausesRight)
		fixes += count(r.score.FixesRight)
		forbidden += len(r.score.Forbidden)
		if len(r.want.Gaps) > 0 {
			wantGaps++
			gaps += count(r.score.GapsRight)
		}
		if len(r.want.Causes) > 0 {
			withCause++
			exact += count(r.score.Exact && r.score.CausesRight)
		}
	}
	slices.Sort(took)
	n := len(results)
	return fmt.Sprintf("exact confidence %d/%d\nworlds %d, passed %d (%.1f %%): causes %d/%d, forbidden %d, fixes %d/%d, gaps %d/%d, median %.2f s",
		exact, withCause, n, passed, 100*float64(passed)/float64(max(n, 1)), causes, n, forbidden, fixes, n, gaps, wantGaps, took[n/2])
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}
