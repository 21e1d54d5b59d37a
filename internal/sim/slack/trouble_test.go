package slack_test

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	slackgo "github.com/slack-go/slack"

	"github.com/netdiag/netdiag/internal/sim/slack"
)

// inBubble runs f with a workspace that is reached through pipes, in time that jumps.
func inBubble(t *testing.T, f func(*testing.T, *slack.Server, *slack.Wire)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o := workspace()
		o.TriggerTTL = 0
		s := slack.New(o)
		w := s.Wire()
		t.Cleanup(func() {
			s.Close()
			if err := w.Shut(); err != nil {
				t.Error(err)
			}
			if n := w.Open(); n != 0 {
				t.Errorf("%d of %d connections stayed open", n, w.Made())
			}
		})
		f(t, s, w)
	})
}

// wired opens a socket over the wire, and reads its hello where it should come.
func wired(t *testing.T, w *slack.Wire) *websocket.Conn {
	t.Helper()
	h := &http.Transport{DialContext: w.Dial, DisableKeepAlives: true}
	api := slackgo.New("xoxb-sim", slackgo.OptionAPIURL("http://slack.invalid/api/"), slackgo.OptionAppLevelToken("xapp-sim"), slackgo.OptionHTTPClient(&http.Client{Transport: h}))
	_, url, err := api.StartSocketModeContext(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c, resp, err := (&websocket.Dialer{NetDialContext: w.Dial}).DialContext(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	t.Cleanup(func() { c.Close() })
	synctest.Wait() // until the workspace knows it
	return c
}

func TestRefresh(t *testing.T) {
	inBubble(t, func(t *testing.T, s *slack.Server, w *slack.Wire) {
		if s.Refresh() || s.DropOne() || s.FreezeOne() {
			t.Error("there is no connection")
		}
		c := wired(t, w)
		read(t, c)
		if !s.Refresh() {
			t.Fatal("there is a connection")
		}
		start := time.Now()
		if got := read(t, c); got["reason"] != "warning" || time.Since(start) != 0 {
			t.Errorf("%v after %v", got, time.Since(start))
		}
		if got := read(t, c); got["reason"] != "refresh_requested" || time.Since(start) != 10*time.Second {
			t.Errorf("%v after %v", got, time.Since(start))
		}
		if _, _, err := c.ReadMessage(); err == nil {
			t.Error("the connection stayed open")
		}
	})
}

func TestFaultsOfTheLink(t *testing.T) {
	inBubble(t, func(t *testing.T, s *slack.Server, w *slack.Wire) {
		s.Fault("link", slack.Fault{Error: "too_many_websockets"})
		c := wired(t, w)
		if got := read(t, c); got["reason"] != "too_many_websockets" {
			t.Errorf("%v", got)
		}
		c.Close()
		s.Fault("link", slack.Fault{Cut: true})
		c = wired(t, w)
		if _, _, err := c.ReadMessage(); err == nil {
			t.Error("something came")
		}
		c.Close()
		s.Fault("link", slack.Fault{Delay: time.Hour})
		start := time.Now()
		c = wired(t, w)
		if read(t, c)["type"] != "hello" || time.Since(start) != time.Hour {
			t.Errorf("after %v", time.Since(start))
		}
		c.Close()
		s.Fault("apps.connections.open", slack.Fault{Status: http.StatusNotFound})
		h := &http.Transport{DialContext: w.Dial, DisableKeepAlives: true}
		_, _, err := slackgo.New("xoxb-sim", slackgo.OptionAPIURL("http://slack.invalid/api/"), slackgo.OptionAppLevelToken("xapp-sim"),
			slackgo.OptionHTTPClient(&http.Client{Transport: h})).StartSocketModeContext(t.Context())
		if status, ok := errors.AsType[slackgo.StatusCodeError](err); !ok || status.Code != http.StatusNotFound {
			t.Errorf("%v", err)
		}
	})
}

// A delivery that comes twice, and an acknowledgement that gets lost.
func TestTwiceAndLost(t *testing.T) {
	inBubble(t, func(t *testing.T, s *slack.Server, w *slack.Wire) {
		a, b := wired(t, w), wired(t, w)
		read(t, a)
		read(t, b)
		s.Duplicate(1)
		s.LoseAcks(1)
		if _, err := s.Mention(maya, ops, "", "hello"); err != nil {
			t.Fatal(err)
		}
		first, second := read(t, a), read(t, b)
		if first["envelope_id"] != second["envelope_id"] {
			t.Errorf("%v and %v", first, second)
		}
		if err := a.WriteJSON(map[string]any{"envelope_id": first["envelope_id"]}); err != nil {
			t.Fatal(err)
		}
		frames := make(chan map[string]any, 2)
		for _, c := range []*websocket.Conn{a, b} {
			go func() {
				var f map[string]any
				_ = c.SetReadDeadline(time.Now().Add(time.Minute))
				if c.ReadJSON(&f) == nil {
					f["conn"] = c
					frames <- f
				}
			}()
		}
		f := <-frames
		if f["retry_attempt"] != 1.0 {
			t.Errorf("%v, want the event again", f)
		}
		if err := f["conn"].(*websocket.Conn).WriteJSON(map[string]any{"envelope_id": f["envelope_id"]}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if e := s.Envelopes(); len(e) != 2 || e[0].Took >= 0 || e[1].Took < 0 {
			t.Errorf("%+v", e)
		}
	})
}

func TestHalfOpenAndCut(t *testing.T) {
	inBubble(t, func(t *testing.T, s *slack.Server, w *slack.Wire) {
		c, d := wired(t, w), wired(t, w)
		read(t, c)
		read(t, d)
		if !s.FreezeOne() {
			t.Error("nothing to freeze")
		}
		var pings [2]int
		var wg sync.WaitGroup
		for i, c := range []*websocket.Conn{c, d} {
			c.SetPingHandler(func(string) error { pings[i]++; return nil })
			wg.Go(func() {
				_ = c.SetReadDeadline(time.Now().Add(time.Minute))
				if _, _, err := c.ReadMessage(); err == nil || !strings.Contains(err.Error(), "timeout") {
					t.Errorf("%v", err)
				}
			})
		}
		wg.Wait()
		if pings[0] > 1 || pings[1] < 10 {
			t.Errorf("%v pings in a minute", pings)
		}
		w.Unreachable(true)
		if _, err := w.Dial(t.Context(), "tcp", "slack.invalid:80"); err == nil {
			t.Error("reached")
		}
	})
}
