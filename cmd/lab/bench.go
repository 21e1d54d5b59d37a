package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/diagtest"
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
	var format, markdown string
	c := &cobra.Command{
		Use:   "bench DIR…",
		Short: "Score the diagnoses on every world below the folders",
		Long:  "Score the diagnoses on every world below the folders. Exit status: 0 every world passes, 1 not.",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, dirs []string) error {
			if format != "term" && format != "json" {
				return diagnostics.Refusal("unknown output " + format + ": use term or json")
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
				r := result{World: w.Name(), Folder: filepath.Base(filepath.Dir(dir)), Seconds: time.Since(start).Seconds(), score: score, want: w.Meta.Want}
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
			if markdown != "" {
				if err := writeMarkdown(markdown, results); err != nil {
					return err
				}
			}
			if slices.ContainsFunc(results, func(r result) bool { return !r.Passed }) {
				return exitCode(1)
			}
			return nil
		},
	}
	c.Flags().StringVarP(&format, "output", "o", "term", "term or json")
	c.Flags().StringVar(&markdown, "markdown", "", "also write the table to this Markdown file")
	return c
}

// summary is the closing line of a bench.
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
	return fmt.Sprintf("worlds %d, passed %d (%.1f %%): causes %d/%d, forbidden %d, fixes %d/%d, gaps %d/%d, median %.2f s\nexact confidence %d/%d",
		n, passed, 100*float64(passed)/float64(max(n, 1)), causes, n, forbidden, fixes, n, gaps, wantGaps, took[n/2], exact, withCause)
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

// writeMarkdown writes docs/accuracy.md, misses included.
func writeMarkdown(file string, results []result) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	fmt.Fprint(f, "# Accuracy\n\nWritten by `make bench` (`lab bench`); do not edit. Every world is served over the wire and read through the real\nadapters; `testdata/worlds/README.md` says how a report is scored.\n")
	var folders []string
	for _, r := range results {
		if !slices.Contains(folders, r.Folder) {
			folders = append(folders, r.Folder)
		}
	}
	for _, folder := range folders {
		var part []result
		for _, r := range results {
			if r.Folder == folder {
				part = append(part, r)
			}
		}
		table(f, folder, part)
	}
	return f.Close()
}

func table(w io.Writer, folder string, results []result) {
	fmt.Fprintf(w, "\n## %s\n\n```\n%s\n```\n\n| world | result | causes reported | first fix |\n| --- | --- | --- | --- |\n", folder, withoutTime(summary(results)))
	for _, r := range results {
		verdict := "pass"
		if !r.Passed {
			verdict = "**differs**: " + strings.Join(r.Differs, "; ")
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s |\n", r.World, verdict, strings.Join(r.Causes, ", "), r.Fix)
	}
}

// withoutTime drops the median, which differs from run to run; docs/performance.md has the times.
func withoutTime(s string) string {
	line, rest, _ := strings.Cut(s, "\n")
	before, _, _ := strings.Cut(line, ", median")
	return before + "\n" + rest
}
