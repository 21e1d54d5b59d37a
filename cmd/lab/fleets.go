package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/diagtest"
	"github.com/netdiag/netdiag/internal/sim/fleet"
)

// load is what one question about a generated cluster costs.
type load struct {
	ask                string
	nodes, pods, stuck int
	touched            string // how much there is to look at
	calls              diagtest.Calls
	took, busy         []time.Duration // of the whole program, and of the processor for it; sorted
	peak               int             // MiB of memory, the most of all runs; 0 where it can't be measured
	differs            []string
}

// What is measured: every size, every question, so many times each.
const fleetRuns, fleetStuck = 5, 40

func fleetSizes() []int { return []int{50, 500, 5000} }

// measureFleets asks the bot program about generated clusters. It runs in a process of its own, so that nothing of the
// simulators counts.
func measureFleets(ctx context.Context, bot string, progress io.Writer) ([]load, error) {
	var out []load
	for _, ask := range []string{fleet.Pending, fleet.Ingress} {
		for _, nodes := range fleetSizes() {
			l, err := measureFleet(ctx, bot, nodes, ask)
			if err != nil {
				return nil, fmt.Errorf("%s, %d nodes: %w", ask, nodes, err)
			}
			fmt.Fprintf(progress, "%s, %d nodes: %s, %d MiB\n", ask, nodes, median(l.took).Round(10*time.Millisecond), l.peak)
			out = append(out, l)
		}
	}
	return out, nil
}

func measureFleet(ctx context.Context, bot string, nodes int, ask string) (load, error) {
	dir, err := os.MkdirTemp("", "netdiag-fleet-")
	if err != nil {
		return load{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	f := fleet.New(nodes, fleetStuck, time.Now())
	s, err := diagtest.ServeFleet(f)
	if err != nil {
		return load{}, err
	}
	defer s.Close()
	env, err := s.Environment(dir)
	if err != nil {
		return load{}, err
	}
	l := load{ask: ask, nodes: f.Nodes(), pods: f.Pods(), stuck: f.Stuck(), touched: f.Touched(ask)}
	for range fleetRuns {
		before := s.Calls()
		start := time.Now()
		report, busy, peak, err := runMeasured(ctx, bot, append([]string{"diagnose", "--cluster", s.World.Meta.Cluster, "-o", "json"}, strings.Fields(ask)...), env)
		if err != nil {
			return l, err
		}
		l.took, l.busy = append(l.took, time.Since(start)), append(l.busy, busy)
		l.peak = max(l.peak, peak)
		l.calls = s.Calls().Since(before)
		w := *s.World
		w.Meta.Want = f.Want(ask)
		score, err := diagtest.Judge(&w, report)
		if err != nil {
			return l, err
		}
		l.differs = append(l.differs, score.Differs...)
	}
	slices.Sort(l.took)
	slices.Sort(l.busy)
	return l, nil
}

func median(sorted []time.Duration) time.Duration { return sorted[len(sorted)/2] }

// runMeasured runs the bot program and gives its report, its time of the processor, and the most memory that it had, in MiB.
func runMeasured(ctx context.Context, bot string, args, env []string) (diagnostics.Report, time.Duration, int, error) {
	var r diagnostics.Report
	c := exec.CommandContext(ctx, bot, args...)
	c.Env = env
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	most, err := diagtest.Peak(c)
	if c.ProcessState == nil { // it never ran
		return r, 0, 0, err
	}
	busy := c.ProcessState.UserTime() + c.ProcessState.SystemTime()
	if err != nil {
		return r, busy, most, fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr.String()))
	}
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		return r, busy, most, errors.New("its standard output is no report: " + err.Error())
	}
	return r, busy, most, nil
}

// tellFleets writes the table of the generated clusters.
func tellFleets(w io.Writer, loads []load) {
	fmt.Fprintf(w, "\n## Large clusters\n\nGenerated clusters (`internal/sim/fleet`), %d runs of `bot diagnose` each, in another process than the simulators. Time is the\n"+
		"median of the whole program, CPU that of its processor time, memory the highest VmHWM of all runs. A further page of an answer is no call of its own. At\nmost 60 calls to Kubernetes, 25 to AWS and 256 MiB are allowed, whatever the size.\n\n", fleetRuns)
	fmt.Fprint(w, "| question | nodes | pods | to look at | Kubernetes calls | pages | AWS calls | pages | time | CPU | memory | verdict |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, l := range loads {
		verdict := "right"
		if len(l.differs) > 0 {
			slices.Sort(l.differs)
			verdict = "**differs**: " + strings.Join(slices.Compact(l.differs), "; ")
		}
		memory := "not measured"
		if l.peak > 0 {
			memory = fmt.Sprintf("%d MiB", l.peak)
		}
		fmt.Fprintf(w, "| `%s` | %d | %d | %s | %d | %d | %d | %d | %.2f s | %.2f s | %s | %s |\n", l.ask, l.nodes, l.pods, l.touched,
			l.calls.Kubernetes, l.calls.KubernetesPages, l.calls.AWS, l.calls.AWSPages, median(l.took).Seconds(), median(l.busy).Seconds(), memory, verdict)
	}
}
