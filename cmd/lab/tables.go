package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/netdiag/netdiag/internal/page"
)

// writeAccuracy writes docs/accuracy.md, misses included.
func writeAccuracy(file string, results []result) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	fmt.Fprint(f, "# Accuracy\n\nWritten by `make bench` (`lab bench`); do not edit. Every world is served over the wire and read through the real\nadapters; `testdata/worlds/README.md` says how a report is scored.\n")
	for _, part := range byFolder(results) {
		table(f, part[0].Folder, part)
	}
	return f.Close()
}

// byFolder splits results by the folder of their world, in the order in which they come.
func byFolder(results []result) [][]result {
	var out [][]result
	at := map[string]int{}
	for _, r := range results {
		i, ok := at[r.Folder]
		if !ok {
			i = len(out)
			at[r.Folder] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], r)
	}
	return out
}

// writePerformance writes docs/performance.md: how long the diagnoses took, from the first read to the verdict, and what
// large clusters take, how long people wait in the demo, and how long Slack waits for acknowledgements.
func writePerformance(file string, results []result, loads []load, ready time.Duration, waits []wait, acked acks) error {
	f := &strings.Builder{}
	fmt.Fprintf(f, "# Performance\n\nWritten by `make bench` (`lab bench`), the marked sections by `make weigh` and `make e2e-report`; do not edit. One run of each world over the wire, from the first read to the\nverdict, on %d cores (%s/%s, %s).\n\n", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
	fmt.Fprint(f, "| worlds | number | median | 90th percentile | slowest |\n| --- | --- | --- | --- | --- |\n")
	for _, part := range append(byFolder(results), results) {
		took := make([]float64, len(part))
		slowest := part[0]
		for i, r := range part {
			took[i] = r.Seconds
			if r.Seconds > slowest.Seconds {
				slowest = r
			}
		}
		slices.Sort(took)
		name := part[0].Folder
		if len(part) == len(results) {
			name = "all"
		}
		fmt.Fprintf(f, "| %s | %d | %.2f s | %.2f s | %.2f s (%s) |\n", name, len(part), took[len(took)/2], took[len(took)*9/10], slowest.Seconds, slowest.World)
	}
	tellFleets(f, loads)
	tellWaits(f, ready, waits)
	tellAcks(f, acked)
	return page.Write(file, f.String())
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
	before, _, _ := strings.Cut(s, ", median")
	return before
}
