package handlers_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/netdiag/netdiag/handlers"
	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/policy"
	"github.com/netdiag/netdiag/internal/sim/slack"
	"github.com/netdiag/netdiag/internal/store/memory"
)

// bubble is a rig whose time stands still while anything goes on, and jumps to whatever comes next; Slack is reached by
// pipes in memory. What is left running in the end fails the test.
type bubble struct {
	*rig
	wire *slack.Wire
	bot  *handlers.Bot // the one that was started last
}

// inBubble runs f with one.
func inBubble(t *testing.T, f func(*testing.T, *bubble), change ...func(*slack.Options)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.DebugLevel)
		o := workspace()
		o.RateLimits = true
		for _, f := range change {
			f(&o)
		}
		s := slack.New(o)
		b := &bubble{rig: &rig{Server: s, t: t, url: "http://slack.invalid", logs: logs, log: zap.New(core), world: &world{t: t}, patience: time.Hour}, wire: s.Wire()}
		b.book = &casebook.Book{Store: memory.New(time.Now), Policy: rules(), Now: time.Now, Patience: -1}
		t.Cleanup(func() {
			if t.Failed() {
				b.printLog()
			}
			b.noSecrets()
			s.Close()
			if err := b.wire.Shut(); err != nil {
				t.Error(err)
			}
			if n := b.wire.Open(); n != 0 {
				t.Errorf("%d network connections were left open", n)
			}
		})
		f(t, b)
	})
}

func (b *bubble) config() handlers.Config {
	c := b.rig.config()
	c.Now, c.Dial = time.Now, b.wire.Dial
	c.PostEvery, c.EditEvery, c.DialEvery, c.LookEvery = 0, 0, 0, 0 // as in life
	return c
}

// launch runs a bot; stop ends it and gives what Run returned.
func (b *bubble) launch(c handlers.Config) (stop func() error) {
	b.t.Helper()
	var err error
	if b.bot, err = handlers.New(c); err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	bot := b.bot
	go func() { ended <- bot.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		err := <-ended
		if errors.Is(err, context.Canceled) {
			err = nil
		}
		return err
	})
	b.t.Cleanup(func() { _ = stop() })
	return stop
}

// connect launches a bot, waits until all its connections are open, and stops it in the end.
func (b *bubble) connect(c handlers.Config) (stop func()) {
	b.t.Helper()
	end := b.launch(c)
	want := c.Connections
	if want == 0 {
		want = 2
	}
	b.until(func(s *slack.State) bool { return s.Sockets() == want })
	return func() {
		if err := end(); err != nil {
			b.t.Errorf("Run: %v", err)
		}
	}
}

// get asks the bot's health endpoint.
func (b *bubble) get(path string) (status int, body string) {
	w := httptest.NewRecorder()
	b.bot.Health().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

// metric reads one number, given its name with its labels as Prometheus sees it.
func (b *bubble) metric(name string) float64 {
	b.t.Helper()
	_, body := b.get("/metrics")
	for line := range strings.Lines(body) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			f, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				b.t.Fatal(err)
			}
			return f
		}
	}
	b.t.Fatalf("there is no metric %s in:\n%s", name, body)
	return 0
}

func (b *bubble) ended(reason string) float64 {
	b.t.Helper()
	return b.metric(`netdiag_slack_connections_ended_total{reason="` + reason + `"}`)
}

// calls counts requests to a method of the Web API.
func (b *bubble) calls(method string) int {
	n := 0
	b.until(func(s *slack.State) bool {
		n = 0
		for _, c := range s.Calls() {
			if c.Method == method {
				n++
			}
		}
		return true
	})
	return n
}

func rules() policy.Policy {
	return policy.Policy{Team: team, Askers: []string{policy.Anyone}, Approvers: []policy.Grant{{Users: []string{maya, jonas, aisha}}}}
}
