package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/netdiag/netdiag/internal/diagtest"
	"github.com/netdiag/netdiag/internal/page"
	"github.com/netdiag/netdiag/internal/sim/fleet"
	"github.com/netdiag/netdiag/internal/sim/slack"
)

// What an idle bot serve may take, and is said in the table.
const (
	idleMemory = 64 // MiB
	idleCPU    = 5  // thousandths of a core
)

func idleCommand() *cobra.Command {
	var performance string
	var each time.Duration
	c := &cobra.Command{
		Use:   "idle BOT",
		Short: "Say what bot serve takes while nobody asks anything, and while it watches",
		Long: `Say how much memory and CPU bot serve takes while nobody asks anything: after its start, and again after one question. It
is a process of its own, on a simulated cluster of 50 nodes, with its records there, and a simulated Slack. Then how much
another one takes that looks for early warnings in a cluster of 5,000 nodes, opens threads, and answers a question meanwhile.

Exit status: 0 it was measured; 1 it could not be; 2 wrong command line.`,
		Example: "  make idle    # writes the section of docs/performance.md",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			rests, err := measureIdle(c.Context(), args[0], each)
			if err != nil {
				return err
			}
			w, err := measureWatch(c.Context(), args[0], 5000, 1+int(each/lookEvery))
			if err != nil {
				return err
			}
			var text strings.Builder
			tellIdle(&text, rests, each, w)
			if performance == "" {
				_, err = fmt.Fprint(c.OutOrStdout(), text.String())
				return err
			}
			return page.WriteSection(performance, "idle", text.String())
		},
	}
	c.Flags().StringVar(&performance, "performance", "", "write the table to this Markdown file, and not to standard output")
	c.Flags().DurationVar(&each, "for", 2*time.Minute, "how long each rest is watched")
	return c
}

// rest is what a process took while it had nothing to do.
type rest struct {
	when   string
	memory int           // MiB, the most that was resident at any second, rounded up
	busy   time.Duration // processor time
}

// The person who asks the one question, and where.
const asker, asked = "U0IDLE001", "C0IDLE001"

// measureIdle lets bot serve rest for a time after its start, has it answer one question, and lets it rest again.
func measureIdle(ctx context.Context, bot string, each time.Duration) (rests []rest, err error) {
	err = serving(ctx, bot, 50, "", func(ctx context.Context, s scene) (err error) {
		rests, err = rested(ctx, s.pid, s.workspace, each)
		return err
	})
	return rests, err
}

// rested watches the process of that id rest, answer, and rest.
func rested(ctx context.Context, pid int, workspace *slack.Server, each time.Duration) ([]rest, error) {
	if err := workspace.Wait(ctx, func(s *slack.State) bool { return s.Sockets() > 0 }); err != nil {
		return nil, err
	}
	before, err := atRest(ctx, pid, each)
	if err != nil {
		return nil, err
	}
	if _, err := workspace.Slash(ctx, asker, asked, "/netdiag "+fleet.Pending); err != nil {
		return nil, err
	}
	if err := workspace.Wait(ctx, func(s *slack.State) bool {
		all := s.Messages(asked)
		return len(all) > 0 && len(s.Thread(asked, all[0].TS)) > 1
	}); err != nil {
		return nil, err
	}
	after, err := atRest(ctx, pid, each)
	before.when, after.when = "since its start", "since it answered a question"
	return []rest{before, after}, err
}

// atRest lets a process come to rest, and then watches it for a time.
func atRest(ctx context.Context, pid int, each time.Duration) (rest, error) {
	if err := pause(ctx, min(each, 10*time.Second)); err != nil {
		return rest{}, err
	}
	began, err := processorTime(pid)
	if err != nil {
		return rest{}, err
	}
	out := rest{}
	for until := time.Now().Add(each); time.Now().Before(until); {
		if err := pause(ctx, min(time.Until(until), time.Second)); err != nil {
			return rest{}, err
		}
		out.memory = max(out.memory, diagtest.Memory(pid, "VmRSS"))
	}
	now, err := processorTime(pid)
	out.busy = now - began
	return out, err
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// processorTime is what a process has used so far, its own and the system's for it: fields 14 and 15 of /proc/[pid]/stat, in
// hundredths of a second on every Linux (proc_pid_stat(5); USER_HZ).
func processorTime(pid int) (time.Duration, error) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(text), ") ") // the name before may have blanks
	fields := strings.Fields(after)
	if len(fields) < 13 {
		return 0, fmt.Errorf("read /proc/%d/stat: %d fields", pid, len(fields))
	}
	user, err := strconv.Atoi(fields[11])
	system, wrong := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond, errors.Join(err, wrong)
}

// tellIdle writes the section of docs/performance.md about rest.
func tellIdle(w io.Writer, rests []rest, each time.Duration, v vigil) {
	fmt.Fprintf(w, "## At rest, and watching\n\nWritten by `make idle`. `bot serve`, a process of its own, while nobody asks anything, for %v each: on a simulated cluster of 50 nodes that also has\n"+
		"its records, with two connections to a simulated Slack (%s/%s, %s). Memory is the most that was resident at any second. The aims are %d MiB and %d m.\n\n| at rest | memory | CPU |\n| --- | --- | --- |\n",
		each, runtime.GOOS, runtime.GOARCH, runtime.Version(), idleMemory, idleCPU)
	for _, r := range rests {
		fmt.Fprintf(w, "| %s | %d MiB | %.1f m |\n", r.when, r.memory, 1000*r.busy.Seconds()/each.Seconds())
	}
	tellWatch(w, v)
}
