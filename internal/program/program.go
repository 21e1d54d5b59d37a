// Package program is what the command lines of bot and lab have in common: the exit status, the answer to a mistyped
// command or flag, interruption, and the version.
package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/world"
)

// The exit status of a program; the report's format fixes the first three.
const (
	Unreadable = 1 // nothing could be read at all, or a fault
	Usage      = 2 // wrong command line, a name that is not there, or a file that can't be read as what it should be
	Open       = 3 // a gap left the question open
)

// Statuses explains the exit status of a command that answers a question, for its help.
const Statuses = `Exit status: 0 the question could be answered, trouble or not; 1 nothing could be read; 2 wrong command line, or a name
that is not there; 3 something that decides could not be read (the report names the permission); 130 interrupted.`

// Exit is an error that decides the exit status. Without Err everything has been said.
type Exit struct {
	Status int
	Err    error
}

// Error is the text of Err, empty where there is none.
func (e *Exit) Error() string {
	if e.Err == nil {
		return ""
	}
	return e.Err.Error()
}

// Unwrap gives Err.
func (e *Exit) Unwrap() error { return e.Err }

// Misuse makes an error of a wrong command line: status Usage, and the text as it is.
func Misuse(format string, args ...any) error {
	return &Exit{Usage, diagnostics.Refusal(fmt.Sprintf(format, args...))}
}

// patience is how long a command may take to stop after a signal before the process ends without it: a helper of the
// kubeconfig that hangs hears of no cancellation, and must not keep anybody at the terminal.
const patience = time.Second

// graceful marks the commands that need longer than patience to stop: their children and claims are theirs to end.
const graceful = "netdiag/stops-gracefully"

// Graceful lets a command take its time to stop after a signal.
func Graceful(c *cobra.Command) *cobra.Command {
	c.Annotations = map[string]string{graceful: "true"}
	return c
}

// Main runs a program on the command line of the process until it ends or a signal stops it, and ends the process.
func Main(root *cobra.Command) {
	c, _, err := root.Find(os.Args[1:])
	patient := err == nil && c.Annotations[graceful] != ""
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() { // ends with the process
		signalled, _ := (<-signals).(syscall.Signal)
		signal.Stop(signals) // a second one ends the process by itself
		s := interruption{signalled}
		cancel(s)
		if !patient {
			time.Sleep(patience)
			fmt.Fprintln(os.Stderr, root.Name()+": "+s.Error())
			os.Exit(s.status())
		}
	}()
	os.Exit(Run(ctx, root, os.Args[1:], os.Stderr))
}

// interruption is the cause of a context that a signal ended.
type interruption struct{ signal syscall.Signal }

func (i interruption) Error() string {
	if i.signal == syscall.SIGTERM {
		return "terminated"
	}
	return "interrupted"
}

func (i interruption) status() int { return 128 + int(i.signal) }

// Run executes one command line and gives its exit status. What went wrong is told on stderr in a line or two.
func Run(ctx context.Context, root *cobra.Command, args []string, stderr io.Writer) (status int) {
	say := func(text string) {
		if text != "" {
			fmt.Fprintln(stderr, root.Name()+": "+text)
		}
	}
	defer func() {
		if p := recover(); p != nil {
			say(fmt.Sprintf("this is a mistake in netdiag, please report it: %v at %s", p, origin()))
			status = Unreadable
		}
	}()
	prepare(root)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if i, ok := errors.AsType[interruption](context.Cause(ctx)); ok {
		say(i.Error())
		return i.status()
	}
	var exit *Exit
	var unreachable diagnostics.Unreachable
	var refusal diagnostics.Refusal
	var problem *world.Problem
	if errors.As(err, &unreachable) {
		say(unreachable.Error()) // what it wraps is for a log
	} else {
		say(err.Error())
	}
	switch {
	case errors.As(err, &exit):
		return exit.Status
	case errors.As(err, &unreachable):
		return Unreadable
	case errors.As(err, &refusal), errors.As(err, &problem):
		return Usage
	}
	return Unreadable
}

// origin is the place of netdiag's code that panicked.
func origin() string {
	pc := make([]uintptr, 64)
	frames := runtime.CallersFrames(pc[:runtime.Callers(3, pc)])
	for {
		f, more := frames.Next()
		if !more {
			return "an unknown place"
		}
		if strings.Contains(f.Function, "netdiag") && !strings.Contains(f.Function, "internal/program.") {
			return fmt.Sprintf("%s:%d", filepath.Base(f.File), f.Line)
		}
	}
}
