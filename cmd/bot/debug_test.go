package main

import (
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/netdiag/netdiag/internal/sim/slack"
)

// Profiles and the level of the log are off unless the settings say where, and never beside the metrics.
func TestDebugging(t *testing.T) {
	b := serve(t, filepath.Join(worlds, "seeds/seed-alb-502"), nil)
	p, address := b.serving(slack.New(slack.Options{}), "")
	for _, path := range []string{"/debug/pprof/heap", "/log/level"} {
		if status, _ := fetch(t, address, path); status != http.StatusNotFound {
			t.Errorf("%s beside the metrics: %d", path, status)
		}
	}
	if rest := p.stop(); strings.Contains(rest, `"debugging"`) {
		t.Errorf("it is on by default:\n%s", rest)
	}

	cluster := []string{"NETDIAG_CLUSTER=" + b.served.World.Meta.Cluster}
	p = b.background(cluster, "execute", "--health", "none", "--log-level", "debug")
	p.until("kubernetes") // each call is a line
	p.stop()

	p = b.background(cluster, "execute", "--health", "none", "--pprof", "127.0.0.1:0")
	address = p.until("debugging")["address"].(string)
	if status, body := fetch(t, address, "/debug/pprof/heap"); status != http.StatusOK || !strings.HasPrefix(body, "\x1f\x8b") {
		t.Errorf("heap: %d, %.20q", status, body)
	}
	if status, body := fetch(t, address, "/debug/pprof/goroutine?debug=1"); status != http.StatusOK || !strings.Contains(body, "goroutine profile: total") {
		t.Errorf("goroutine: %d, %.80q", status, body)
	}
	if status, body := fetch(t, address, "/debug/pprof/trace?seconds=1"); status != http.StatusOK || !strings.Contains(body, "trace") {
		t.Errorf("trace: %d, %.20q", status, body)
	}
	for path, want := range map[string]string{
		"/debug/pprof/profile?seconds=0":   `seconds: "0" is not between 1 and 60`,
		"/debug/pprof/profile?seconds=600": `seconds: "600" is not between 1 and 60`,
		"/debug/pprof/heep":                `there is no profile "heep"`,
	} {
		if _, body := fetch(t, address, path); !strings.Contains(body, want) {
			t.Errorf("%s: %s", path, body)
		}
	}
	level := func(method, body string) string {
		r, err := http.NewRequestWithContext(t.Context(), method, "http://"+address+"/log/level", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(text))
	}
	p.send(syscall.SIGUSR1)
	p.until("log level")
	if got := level(http.MethodGet, ""); got != `{"level":"debug"}` {
		t.Errorf("after SIGUSR1: %s", got)
	}
	if got := level(http.MethodPut, `{"level":"loud"}`); !strings.Contains(got, `unrecognized level: \"loud\"`) {
		t.Errorf("loud: %s", got)
	}
	if got := level(http.MethodPut, `{"level":"error"}`); got != `{"level":"error"}` {
		t.Errorf("error: %s", got)
	}
	p.send(syscall.SIGUSR2)
	p.until("log level")
	if got := level(http.MethodGet, ""); got != `{"level":"info"}` {
		t.Errorf("after SIGUSR2: %s", got)
	}
	p.stop()

	if _, errs, code := b.run([]string{"NETDIAG_CLUSTER=prod-cluster"}, "execute", "--log-level", "loud"); code != 2 || !strings.Contains(errs, `--log-level: "loud" is none of debug, info, warn and error.`) {
		t.Errorf("%d %s", code, errs)
	}
}
