package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/netdiag/netdiag/internal/diagtest"
	"github.com/netdiag/netdiag/internal/sim/aws"
	"github.com/netdiag/netdiag/internal/sim/fault"
	"github.com/netdiag/netdiag/internal/world"
)

// TestScripts plays the transcripts of testdata/script on the real program. Besides the commands of testscript they have:
//
//	world DIR                   serve a world of testdata/worlds from now on, and point the environment to it
//	fault aws|kube CALLS KIND   let calls such as ec2:* or "list pods" meet a fault: denied, expired, cut, …, or an odd answer of AWS
//	well                        end all faults
//	status N COMMAND…           run a command that must exit with N
func TestScripts(t *testing.T) {
	file, err := built()
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", filepath.Dir(file)+string(os.PathListSeparator)+os.Getenv("PATH"))
			env.Setenv("AWS_EC2_METADATA_DISABLED", "true")
			env.Setenv("NO_COLOR", "1")
			env.Values["served"] = new(*diagtest.Served)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"world": scriptWorld, "fault": scriptFault, "well": scriptWell, "status": scriptStatus},
	})
}

func scriptWorld(ts *testscript.TestScript, _ bool, args []string) {
	// Scripts run in a folder of their own: the worlds are found from the folder of the test.
	root, err := os.Getwd()
	ts.Check(err)
	w, err := world.Load(filepath.Join(root, worlds, args[0]))
	ts.Check(err)
	w.Shift(time.Since(w.Meta.Now))
	s, err := diagtest.Serve(w, time.Now)
	ts.Check(err)
	ts.Defer(s.Close)
	*ts.Value("served").(**diagtest.Served) = s
	env, err := s.Environment(ts.MkAbs("."))
	ts.Check(err)
	for _, variable := range env {
		if name, value, _ := strings.Cut(variable, "="); name != "PATH" { // the program is on that of the script
			ts.Setenv(name, value)
		}
	}
	ts.Setenv("NETDIAG_CLUSTER", w.Meta.Cluster)
}

func served(ts *testscript.TestScript) *diagtest.Served {
	s := *ts.Value("served").(**diagtest.Served)
	if s == nil {
		ts.Fatalf("no world is served yet")
	}
	return s
}

var faults = map[string]fault.Kind{
	"late": fault.Late, "denied": fault.Denied, "throttled": fault.Throttled, "broken": fault.Broken, "cut": fault.Cut, "expired": fault.Expired,
}

func scriptFault(ts *testscript.TestScript, _ bool, args []string) {
	s := served(ts)
	if args[2] == "odd" {
		s.AWS.SetFault(func(service, action string) *aws.Fault {
			if service+":"+action != args[1] {
				return nil
			}
			return &aws.Fault{Code: "NeverHeardOf", Message: "nobody knows"}
		})
		return
	}
	kind, ok := faults[args[2]]
	if !ok {
		ts.Fatalf("no fault %s", args[2])
	}
	switches := map[string]*fault.Switches{"aws": s.AWS.Faults(), "kube": s.Kube.Faults()}[args[0]]
	switches.On(args[1], fault.Fault{Kind: kind})
}

func scriptWell(ts *testscript.TestScript, _ bool, _ []string) {
	s := served(ts)
	s.AWS.Faults().Off()
	s.Kube.Faults().Off()
}

func scriptStatus(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
	said := ts.ReadFile("stderr")
	if strings.Contains(said, "goroutine ") || strings.Contains(said, "panic") {
		ts.Fatalf("a stack trace: %s", said)
	}
	if got != 0 && got != 3 { // the last word is the program's, in one line
		lines := strings.Split(strings.TrimRight(said, "\n"), "\n")
		for i, line := range lines {
			if (i == len(lines)-1) != strings.HasPrefix(line, args[1]+": ") {
				ts.Fatalf("the message must be one line, the last:\n%s", said)
			}
		}
		if out := ts.ReadFile("stdout"); out != "" {
			ts.Fatalf("standard output must be empty: %s", out)
		}
	}
}
