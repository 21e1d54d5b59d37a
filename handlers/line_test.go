package handlers_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/netdiag/netdiag/handlers"
	"github.com/netdiag/netdiag/internal/sim/slack"
)

// However a connection ends, the other one hears meanwhile, and it is opened again.
func TestOneConnectionEnds(t *testing.T) {
	for name, c := range map[string]struct {
		end    func(*bubble) bool
		reason string
		within time.Duration
	}{
		"warning, then refresh": {func(b *bubble) bool { return b.Refresh() }, "warning", time.Second},
		"cut":                   {func(b *bubble) bool { return b.DropOne() }, "cut", time.Second},
		"half open":             {func(b *bubble) bool { return b.FreezeOne() }, "silent", 61 * time.Second},
		"cut, and no address": {func(b *bubble) bool {
			b.Fault("apps.connections.open", slack.Fault{Cut: true})
			return b.DropOne()
		}, "unreachable", 10 * time.Second},
		"cut, and the address hangs": {func(b *bubble) bool {
			b.Fault("apps.connections.open", slack.Fault{Delay: 24 * time.Hour})
			return b.DropOne()
		}, "unreachable", 20 * time.Second},
		"cut, and the handshake hangs": {func(b *bubble) bool {
			b.Fault("link", slack.Fault{Delay: 24 * time.Hour})
			return b.DropOne()
		}, "unreachable", 20 * time.Second},
		"cut, and no hello": {func(b *bubble) bool {
			b.Fault("link", slack.Fault{Cut: true})
			return b.DropOne()
		}, "cut", 10 * time.Second},
		"cut, and Slack's trouble": {func(b *bubble) bool {
			b.Fault("apps.connections.open", slack.Fault{Error: "internal_error", Times: 3})
			return b.DropOne()
		}, "refused", 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bubble) {
				stop := b.connect(b.config())
				defer stop()
				time.Sleep(5 * time.Minute)
				deaf, before := b.metric("netdiag_slack_deaf_seconds_total"), b.opened()
				if !c.end(b) {
					t.Fatal("no connection")
				}
				time.Sleep(c.within)
				synctest.Wait()
				if n := b.opened() - before; n != 1 {
					t.Errorf("opened %d times anew", n)
				}
				if n := b.metric("netdiag_slack_connections"); n != 2 {
					t.Errorf("%v live connections", n)
				}
				if n := b.ended(c.reason); n < 1 {
					t.Errorf("%v connections ended as %s", n, c.reason)
				}
				if now := b.metric("netdiag_slack_deaf_seconds_total"); now != deaf {
					t.Errorf("deaf for %v s", now-deaf)
				}
				if got := b.ask(maya, ops, "/netdiag ping"); !strings.Contains(got, "I hear you") {
					t.Errorf("%q", got)
				}
			})
		})
	}
}

// opened counts the hellos.
func (b *bubble) opened() int { return b.logs.FilterMessage("connected to Slack").Len() }

// Where all connections are lost the bot is deaf, says so, and comes back.
func TestDeaf(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		b.wire.Unreachable(true)
		end := b.launch(b.config())
		time.Sleep(time.Minute)
		if status, body := b.get("/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "no live connection to Slack") {
			t.Errorf("before the first connection: %d %s", status, body)
		}
		if status, _ := b.get("/healthz"); status != http.StatusOK {
			t.Errorf("not alive: %d", status)
		}
		if b.metric("netdiag_slack_deaf") != 1 {
			t.Error("not deaf")
		}
		b.wire.Unreachable(false)
		b.until(func(s *slack.State) bool { return s.Sockets() == 2 })
		synctest.Wait()
		before := b.metric("netdiag_slack_deaf_seconds_total")
		if before < 60 || b.metric("netdiag_slack_deaf") != 0 {
			t.Errorf("deaf for %v s, want 60 or more", before)
		}
		if status, body := b.get("/readyz"); status != http.StatusOK {
			t.Errorf("not ready: %d %s", status, body)
		}

		time.Sleep(10 * time.Minute)
		b.Freeze() // both: half open connections look alive for a while
		time.Sleep(65 * time.Second)
		synctest.Wait()
		if n := b.ended("silent"); n != 2 {
			t.Errorf("%v connections ended as silent", n)
		}
		deaf := b.metric("netdiag_slack_deaf_seconds_total") - before
		if deaf < 30 || deaf > 65 || deaf != b.metric("netdiag_slack_deaf_longest_seconds") && deaf > before {
			t.Errorf("deaf for %v s, %v at the longest", deaf, b.metric("netdiag_slack_deaf_longest_seconds"))
		}
		if got := b.ask(maya, ops, "/netdiag ping"); !strings.Contains(got, "I hear you") {
			t.Errorf("%q", got)
		}
		if err := end(); err != nil {
			t.Error(err)
		}
		if status, body := b.get("/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "stopping") {
			t.Errorf("after the end: %d %s", status, body)
		}
	})
}

// A Slack that accepts and disconnects at once is not asked without end.
func TestDisconnectedAgainAndAgain(t *testing.T) {
	for _, reason := range []string{"refresh_requested", "too_many_websockets", "something_new"} {
		t.Run(reason, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bubble) {
				b.Fault("link", slack.Fault{Error: reason, Times: 100000})
				end := b.launch(b.config())
				time.Sleep(time.Hour)
				if n := b.calls("apps.connections.open"); n < 60 || n > 200 {
					t.Errorf("%d connections were opened in an hour", n)
				}
				want := reason
				if reason == "something_new" {
					want = "other"
				}
				if n := b.ended(want); n < 60 {
					t.Errorf("%v of them ended as %s", n, want)
				}
				warned := b.logs.FilterMessageSnippet("lower slack.connections").Len() > 0
				if warned != (reason == "too_many_websockets") {
					t.Errorf("told to lower the number of connections: %t", warned)
				}
				if err := end(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// Slack says when to ask again.
func TestRetryAfter(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		c := b.config()
		c.Connections = 1
		stop := b.connect(c)
		defer stop()
		time.Sleep(time.Minute)
		b.Fault("apps.connections.open", slack.Fault{RetryAfter: 10 * time.Minute})
		before := b.calls("apps.connections.open")
		b.Drop()
		time.Sleep(9*time.Minute + 59*time.Second)
		if n := b.calls("apps.connections.open") - before; n != 1 {
			t.Errorf("asked %d times before Retry-After was over", n)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if b.metric("netdiag_slack_connections") != 1 || b.ended("rate_limited") != 1 {
			t.Error("not connected when Retry-After was over")
		}
	})
}

// What no attempt can mend ends the bot with one line.
func TestPermanent(t *testing.T) {
	for name, c := range map[string]struct {
		before, later func(*bubble)
		want          string
	}{
		"link disabled at the start": {func(b *bubble) { b.Disconnect("link_disabled") }, nil, "Socket Mode switched off"},
		"link disabled later": {nil, func(b *bubble) {
			b.until(func(s *slack.State) bool { return s.Sockets() == 2 })
			b.Disconnect("link_disabled")
		}, "Socket Mode switched off"},
		"token revoked later": {nil, func(b *bubble) {
			b.until(func(s *slack.State) bool { return s.Sockets() == 2 })
			b.Fault("apps.connections.open", slack.Fault{Error: "token_revoked"})
			b.DropOne()
		}, "Slack refuses the app token (SLACK_APP_TOKEN): token_revoked"},
		"team access":                  {func(b *bubble) { b.Fault("apps.connections.open", slack.Fault{Error: "team_access_not_granted"}) }, nil, "team_access_not_granted"},
		"no such address at the start": {func(b *bubble) { b.Fault("auth.test", slack.Fault{Status: http.StatusNotFound}) }, nil, "404"},
		"no such address":              {func(b *bubble) { b.Fault("apps.connections.open", slack.Fault{Status: http.StatusNotFound}) }, nil, "404"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bubble) {
				if c.before != nil {
					c.before(b)
				}
				end := b.launch(b.config())
				if c.later != nil {
					c.later(b)
				}
				time.Sleep(10 * time.Minute)
				err := end()
				var token *handlers.TokenError
				if !errors.As(err, &token) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
					t.Errorf("Run: %v", err)
				}
			})
		})
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		c := b.config()
		for _, n := range []int{-1, 5} {
			c.Connections = n
			if _, err := handlers.New(c); err == nil || !strings.Contains(err.Error(), "1 to 4") {
				t.Errorf("%d connections: %v", n, err)
			}
		}
		c.Connections = 4
		stop := b.connect(c)
		time.Sleep(time.Hour)
		if n := b.opened(); n != 4 {
			t.Errorf("opened %d connections", n)
		}
		b.until(func(s *slack.State) bool {
			if n := s.Stray(); n != 0 {
				t.Errorf("%d acknowledgements of nothing", n)
			}
			return true
		})
		for _, e := range b.logs.All() {
			if e.Level > zapcore.InfoLevel {
				t.Errorf("an hour without trouble logs %v %s", e.Level, e.Message)
			}
		}
		stop()
	})
}
