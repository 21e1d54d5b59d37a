package program_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/program"
	"github.com/netdiag/netdiag/internal/world"
)

// What a command ends with decides the exit status, and is told in one line.
func TestRun(t *testing.T) {
	for name, c := range map[string]struct {
		run    func() error
		status int
		said   string
	}{
		"well":    {func() error { return nil }, 0, ""},
		"fault":   {func() error { return errors.New("no idea") }, program.Unreadable, "tool: no idea\n"},
		"refusal": {func() error { return fmt.Errorf("ask: %w", diagnostics.Refusal("no such thing")) }, program.Usage, "tool: ask: no such thing\n"},
		"unreachable": {func() error {
			return fmt.Errorf("%w (for the log)", diagnostics.Unreachable{Refusal: "nobody is there"})
		}, program.Unreadable, "tool: nobody is there\n"},
		"world": {func() error {
			return &world.Problem{File: "world.yaml", Line: 3, Field: "now", Want: "expected a time"}
		}, program.Usage, "tool: world.yaml:3: now: expected a time\n"},
		"all said": {func() error { return &program.Exit{Status: program.Open} }, program.Open, ""},
		"misuse":   {func() error { return program.Misuse("use %s", "it") }, program.Usage, "tool: use it\n"},
		"panic":    {func() error { panic("boom") }, program.Unreadable, "tool: this is a mistake in netdiag, please report it: boom at program_test.go:"},
	} {
		t.Run(name, func(t *testing.T) {
			root := &cobra.Command{Use: "tool"}
			root.AddCommand(&cobra.Command{Use: "do", RunE: func(*cobra.Command, []string) error { return c.run() }})
			var stderr bytes.Buffer
			status := program.Run(context.Background(), root, []string{"do"}, &stderr)
			if said := stderr.String(); status != c.status || !strings.HasPrefix(said, c.said) || strings.Count(said, "\n") != min(1, len(c.said)) {
				t.Errorf("status %d, %q; want %d, %q", status, said, c.status, c.said)
			}
		})
	}
}
