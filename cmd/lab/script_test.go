package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"lab": main})
}

// TestScripts plays the transcripts of testdata/script. Besides the commands of testscript they have "status N COMMAND…":
// run a command that must exit with N. $WORLDS is testdata/worlds.
func TestScripts(t *testing.T) {
	worlds, err := filepath.Abs("../../testdata/worlds")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("WORLDS", worlds)
			env.Setenv("HOME", os.Getenv("HOME"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"status": status},
	})
}

func status(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if said := ts.ReadFile("stderr"); got != want || strings.Contains(said, "goroutine ") || got == 2 && strings.Count(said, "\n") != 1 {
		ts.Fatalf("exit status %d, want %d, and one line: %s", got, want, said)
	}
}
