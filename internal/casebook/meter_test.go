package casebook_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/meters"
	"github.com/netdiag/netdiag/internal/store/memory"
)

// Each phase that a fix goes through is counted once, and whether changes are stopped is seen without any fix.
func TestMetered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := meters.New("test")
		c := &cluster{heals: 40 * time.Second, now: time.Now}
		b := &casebook.Book{Store: memory.New(time.Now), Policy: anyone{}, Now: time.Now, Patience: -1}
		e := newExecutor(b.Store, c, "executor-0")
		e.Meter = m.Executor()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		if e.Ready() == nil {
			t.Error("ready before it runs")
		}
		go func() { ended <- e.Run(ctx) }()
		r := approve(t, b, ask(t, b, c, "k"))
		synctest.Wait()
		if err := e.Ready(); err != nil {
			t.Error(err)
		}
		await(ctx, t, b.Store, r.Name, final)
		synctest.Wait() // the store has it before whoever stored it goes on
		want := []string{
			`netdiag_executor_claims_total{end="held"} 0`, `netdiag_executor_claims_total{end="lost"} 0`,
			`netdiag_executor_claims_total{end="taken"} 1`, `netdiag_executor_claims_total{end="takenOver"} 0`,
			`netdiag_executor_phase_seconds_count{phase="Applying"} 1`, `netdiag_executor_phase_seconds_count{phase="Approved"} 1`,
			`netdiag_executor_phase_seconds_count{phase="Preflight"} 1`, `netdiag_executor_phase_seconds_count{phase="Verifying"} 1`,
			`netdiag_executor_phases_total{fix="alb/allow-pod-port",phase="Applying",undo="false"} 1`,
			`netdiag_executor_phases_total{fix="alb/allow-pod-port",phase="Preflight",undo="false"} 1`,
			`netdiag_executor_phases_total{fix="alb/allow-pod-port",phase="Succeeded",undo="false"} 1`,
			`netdiag_executor_phases_total{fix="alb/allow-pod-port",phase="Verifying",undo="false"} 1`,
			`netdiag_halted 0`,
		}
		if diff := cmp.Diff(want, scraped(m, "netdiag_executor_claims_total{", "netdiag_executor_phase_seconds_count{", "netdiag_executor_phases_total{", "netdiag_halted ")); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if _, err := b.Stop(ctx, casebook.Person{Team: "T1", User: "U1"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute) // of the bubble: the executor looks meanwhile
		if got := scraped(m, "netdiag_halted "); len(got) != 1 || got[0] != "netdiag_halted 1" {
			t.Errorf("%q", got)
		}
		cancel()
		<-ended
		if e.Ready() == nil {
			t.Error("ready after its end")
		}
	})
}

// scraped are the lines of /metrics with one of the prefixes, in the order of the page.
func scraped(m *meters.Meters, prefixes ...string) []string {
	w := httptest.NewRecorder()
	m.Handler(func() error { return nil }).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	var out []string
	for line := range strings.Lines(w.Body.String()) {
		for _, p := range prefixes {
			if strings.HasPrefix(line, p) {
				out = append(out, strings.TrimSpace(line))
			}
		}
	}
	return out
}
