package main

import (
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/netdiag/netdiag/internal/sim/fault"
	"github.com/netdiag/netdiag/internal/sim/kube"
)

// soon is how fast a program has to stop. It is far more than it takes, and far less than what it waits for.
const soon = 10 * time.Second

// Ctrl-C stops at once, with one line and no half report, whatever is being waited for.
func TestInterrupt(t *testing.T) {
	for name, c := range map[string]struct {
		signal os.Signal
		args   []string
		status int
		want   string
	}{
		"diagnose":   {os.Interrupt, []string{"diagnose", "alb", "api-ingress"}, 130, "bot: interrupted\n"},
		"capture":    {os.Interrupt, []string{"capture", "alb", "api-ingress", "-o", filepath.Join(t.TempDir(), "world")}, 130, "bot: interrupted\n"},
		"terminated": {syscall.SIGTERM, []string{"diagnose", "alb", "api-ingress"}, 143, "bot: terminated\n"},
	} {
		t.Run(name, func(t *testing.T) {
			b := serve(t, filepath.Join(worlds, "seeds/seed-alb-502"), nil)
			asked := make(chan struct{})
			tell := sync.OnceFunc(func() { close(asked) })
			b.served.Kube.SetFault(func(*http.Request) *kube.Fault {
				tell()
				return &kube.Fault{Delay: time.Minute}
			})
			b.served.AWS.Faults().On("*", fault.Fault{Delay: time.Minute})
			b.interrupted(asked, c.signal, c.status, "looking for api-ingress\n"+c.want, c.args...)
			if name == "capture" {
				if _, err := os.Stat(c.args[len(c.args)-1]); err == nil {
					t.Error("half a world was left behind")
				}
			}
		})
	}
}

// interrupted starts the program, sends it a signal when ready is closed, and checks how it ends.
func (b bot) interrupted(ready <-chan struct{}, signal os.Signal, status int, stderr string, args ...string) {
	b.t.Helper()
	file, err := built()
	if err != nil {
		b.t.Fatal(err)
	}
	c := exec.CommandContext(b.t.Context(), file, args...)
	c.Env = append(append([]string{}, b.env...), "NETDIAG_CLUSTER="+b.served.World.Meta.Cluster)
	// Into files: the end of a pipe would be waited for until a helper that has inherited it ends.
	out, errs := b.file("stdout"), b.file("stderr")
	c.Stdout, c.Stderr = out, errs
	if err := c.Start(); err != nil {
		b.t.Fatal(err)
	}
	<-ready
	start := time.Now()
	if err := c.Process.Signal(signal); err != nil {
		b.t.Fatal(err)
	}
	err = c.Wait()
	took := time.Since(start)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != status {
		b.t.Errorf("%v, want exit status %d", err, status)
	}
	if said, told := b.text(errs), b.text(out); said != stderr || told != "" {
		b.t.Errorf("standard error %q, want %q; standard output %q", said, stderr, told)
	}
	if b.t.Logf("stopped after %v", took); took > soon {
		b.t.Error("that is not at once")
	}
}

func (b bot) file(name string) *os.File {
	b.t.Helper()
	f, err := os.Create(filepath.Join(b.t.TempDir(), name))
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = f.Close() })
	return f
}

func (b bot) text(f *os.File) string {
	b.t.Helper()
	text, err := os.ReadFile(f.Name())
	if err != nil {
		b.t.Fatal(err)
	}
	return string(text)
}

// A helper of the kubeconfig that hangs, and hears of no cancellation, doesn't keep anybody at the terminal.
func TestInterruptWhileAHelperHangs(t *testing.T) {
	b := serve(t, filepath.Join(worlds, "seeds/seed-alb-502"), nil)
	dir := t.TempDir()
	started := filepath.Join(dir, "started")
	if err := syscall.Mkfifo(started, 0o600); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "kubeconfig")
	if err := os.WriteFile(config, []byte(strings.ReplaceAll(hanging, "DIR", dir)), 0o600); err != nil {
		t.Fatal(err)
	}
	b.env = append(b.env, "KUBECONFIG="+config)
	ready := make(chan struct{})
	go func() {
		defer close(ready)
		_, _ = os.ReadFile(started) // waits for the helper
	}()
	b.interrupted(ready, os.Interrupt, 130, "looking for api-ingress\nbot: interrupted\n", "diagnose", "alb", "api-ingress")
}

// hanging runs its helper before it connects to anything; the helper ends with the folder of the test.
const hanging = `apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:9"}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
users:
- name: u
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      interactiveMode: Never
      command: sh
      args: ["-c", "echo > DIR/started; while [ -e DIR/started ]; do sleep 0.1; done"]
current-context: c
`
