package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// running is the program, started beside a test, and its log.
type running struct {
	t   *testing.T
	cmd *exec.Cmd
	log *bufio.Scanner
}

// background starts the program; it is killed with the test, where it has not been stopped.
func (b bot) background(env []string, args ...string) *running {
	b.t.Helper()
	file, err := built()
	if err != nil {
		b.t.Fatal(err)
	}
	c := exec.CommandContext(b.t.Context(), file, args...)
	c.Env = append(append([]string{}, b.env...), env...)
	errs, err := c.StderrPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = c.Process.Kill() })
	return &running{b.t, c, bufio.NewScanner(errs)}
}

// until reads the log up to the line with a message, and gives its fields.
func (r *running) until(message string) map[string]any {
	r.t.Helper()
	var seen strings.Builder
	for r.log.Scan() {
		var line map[string]any
		if err := json.Unmarshal(r.log.Bytes(), &line); err == nil && line["msg"] == message {
			return line
		}
		seen.WriteString(r.log.Text() + "\n")
	}
	r.t.Fatalf("it never said %q:\n%s", message, seen.String())
	return nil
}

func (r *running) send(s os.Signal) {
	r.t.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		r.t.Fatal(err)
	}
}

// stop ends the program by SIGTERM, and gives what else it said.
func (r *running) stop() string {
	r.t.Helper()
	r.send(syscall.SIGTERM)
	var rest strings.Builder
	for r.log.Scan() {
		rest.WriteString(r.log.Text() + "\n")
	}
	if err := r.cmd.Wait(); err != nil {
		r.t.Errorf("%v\n%s", err, rest.String())
	}
	return rest.String()
}

// fetch gets a page of a running program.
func fetch(t *testing.T, address, path string) (int, string) {
	t.Helper()
	resp, err := http.Get("http://" + address + path) //nolint:noctx // of a test
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// The executor says whether it is alive and ready, and what it has done, where its flag or its settings say; none is silent.
func TestExecutorHealth(t *testing.T) {
	b := serve(t, filepath.Join(worlds, "seeds/seed-alb-502"), nil)
	cluster := "NETDIAG_CLUSTER=" + b.served.World.Meta.Cluster
	file := filepath.Join(t.TempDir(), "executor.yaml")
	if err := os.WriteFile(file, []byte("approvers: [{users: [U0123ABCD]}]\nhealth: 127.0.0.1:0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{"flag": {"--health", "127.0.0.1:0"}, "settings": {"--config", file}} {
		t.Run(name, func(t *testing.T) {
			p := b.background([]string{cluster}, append([]string{"execute"}, args...)...)
			address := p.until("health checks")["address"].(string)
			if status, body := fetch(t, address, "/healthz"); status != http.StatusOK || body != "alive\n" {
				t.Errorf("healthz: %d %q", status, body)
			}
			for status := 0; status != http.StatusOK; { // its first list is on its way
				status, _ = fetch(t, address, "/readyz")
			}
			_, body := fetch(t, address, "/metrics")
			for _, want := range []string{`netdiag_executor_claims_total{end="taken"} 0`, "netdiag_executor_faults_total 0", "netdiag_halted ", `netdiag_build_info{go="go1.`, "go_goroutines "} {
				if !strings.Contains(body, want) {
					t.Errorf("no %s in\n%s", want, body)
				}
			}
			p.stop()
		})
	}
	p := b.background([]string{cluster}, "execute", "--config", file, "--health", "none") // the flag counts before the settings
	p.until("executing")
	if rest := p.stop(); strings.Contains(rest, "health checks") {
		t.Errorf("it listens:\n%s", rest)
	}
	if _, errs, code := b.run([]string{cluster}, "execute", "--health", "8080"); code != 2 || !strings.Contains(errs, `--health: "8080" is no address such as :8080, and not none`) {
		t.Errorf("%d %s", code, errs)
	}
}
