package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/diagtest"
	"github.com/netdiag/netdiag/internal/program"
	"github.com/netdiag/netdiag/internal/sim/fleet"
	"github.com/netdiag/netdiag/internal/world"
	"github.com/netdiag/netdiag/internal/world/worldtest"
)

const worlds = "../../testdata/worlds"

// built is the real program, built once, to run in processes of its own.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "netdiag-bot-")
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "bot")
	out, err := exec.Command("go", "build", "-o", file, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return file, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if file, err := built(); err == nil {
		_ = os.RemoveAll(filepath.Dir(file))
	}
	os.Exit(code)
}

// bot is a way to run the program against a served world.
type bot struct {
	t      *testing.T
	served *diagtest.Served
	env    []string
}

func serve(t *testing.T, dir string, change func(*world.World)) bot {
	t.Helper()
	w := worldtest.Load(t, dir)
	if change != nil {
		change(w)
	}
	w.Shift(time.Since(w.Meta.Now))
	s, err := diagtest.Serve(w, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	env, err := s.Environment(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return bot{t, s, env}
}

// run runs the program; env overrides, NAME= unsets.
func (b bot) run(env []string, args ...string) (stdout, stderr string, code int) {
	b.t.Helper()
	file, err := built()
	if err != nil {
		b.t.Fatal(err)
	}
	c := exec.CommandContext(b.t.Context(), file, args...)
	c.Env = append(append([]string{}, b.env...), env...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err = c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		b.t.Fatal(err)
	}
	return out.String(), errs.String(), c.ProcessState.ExitCode()
}

// bot diagnose on a served world says what lab diagnose says on the recorded one.
func TestDiagnoseSaysWhatTheLaboratorySays(t *testing.T) {
	dirs, err := diagtest.Sample(worlds)
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			_, out, _, err := diagtest.Run(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			b := serve(t, dir, nil)
			m := b.served.World.Meta
			stdout, stderr, code := b.run(nil, append([]string{"diagnose", "--cluster", m.Cluster, "-o", "json"}, strings.Fields(m.Ask)...)...)
			wantCode := 0
			if out.Report.Open() {
				wantCode = program.Open
			}
			if code != wantCode {
				t.Fatalf("exit status %d, want %d\n%s", code, wantCode, stderr)
			}
			var r diagnostics.Report
			if err := json.Unmarshal([]byte(stdout), &r); err != nil {
				t.Fatalf("standard output is not a report: %v\n%s", err, stdout)
			}
			if diff := cmp.Diff(diagtest.Gist(out.Report), diagtest.Gist(r)); diff != "" {
				t.Errorf("(-lab +bot):\n%s", diff)
			}
		})
	}
}

// The program keeps to its limits on a large cluster, its own call for the account included.
func TestLargeCluster(t *testing.T) {
	for _, ask := range []string{fleet.Pending, fleet.Ingress} {
		t.Run(ask, func(t *testing.T) {
			t.Parallel()
			f := fleet.New(500, 40, time.Now())
			s, err := diagtest.ServeFleet(f)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.Close)
			env, err := s.Environment(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			b := bot{t, s, env}
			stdout, stderr, code := b.run(nil, append([]string{"diagnose", "--cluster", s.World.Meta.Cluster, "-o", "json"}, strings.Fields(ask)...)...)
			var r diagnostics.Report
			if err := json.Unmarshal([]byte(stdout), &r); err != nil || code != 0 {
				t.Fatalf("exit status %d, %v\n%s", code, err, stderr)
			}
			w := *s.World
			w.Meta.Want = f.Want(ask)
			if score, err := diagtest.Judge(&w, r); err != nil || !score.Passed() {
				t.Errorf("%v, %v", score.Differs, err)
			}
			if c := s.Calls(); c.Kubernetes > 60 || c.AWS > 25 {
				t.Errorf("%+v, want at most 60 calls to Kubernetes and 25 to AWS", c)
			}
		})
	}
}
