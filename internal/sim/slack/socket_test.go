package slack_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"
	"github.com/slack-go/slack/socketmode"

	"github.com/netdiag/netdiag/internal/sim/slack"
)

// dial opens a socket by hand and reads its hello.
func dial(t *testing.T, url string) *websocket.Conn {
	t.Helper()
	_, ws, err := client(url).StartSocketModeContext(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c, resp, err := websocket.DefaultDialer.DialContext(t.Context(), ws, http.Header{"Origin": {"https://api.slack.com"}})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	t.Cleanup(func() { c.Close() })
	if _, _, err := websocket.DefaultDialer.DialContext(t.Context(), ws, nil); err == nil {
		t.Error("a ticket opened two sockets")
	}
	return c
}

func read(t *testing.T, c *websocket.Conn) map[string]any {
	t.Helper()
	var frame map[string]any
	if err := c.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := c.ReadJSON(&frame); err != nil {
		t.Fatal(err)
	}
	return frame
}

func TestHelloAndDisconnect(t *testing.T) {
	s, url := serve(t, workspace())
	c := dial(t, url)
	hello := read(t, c)
	if hello["type"] != "hello" || hello["num_connections"] != 1.0 || hello["connection_info"].(map[string]any)["app_id"] != "A00000001" || hello["debug_info"] == nil {
		t.Errorf("hello = %v", hello)
	}
	s.Disconnect("warning")
	if got := read(t, c); got["type"] != "disconnect" || got["reason"] != "warning" {
		t.Errorf("frame = %v", got)
	}
	if s.SendRaw([]byte(`{"type":"nonsense"}`)); read(t, c)["type"] != "nonsense" {
		t.Error("after a warning the socket was closed")
	}
	s.Disconnect("refresh_requested")
	if got := read(t, c); got["reason"] != "refresh_requested" {
		t.Errorf("frame = %v", got)
	}
	if _, _, err := c.ReadMessage(); err == nil {
		t.Error("the socket stayed open")
	}
	s.Disconnect("link_disabled")
	if got := read(t, dial(t, url)); got["reason"] != "link_disabled" {
		t.Errorf("a socket while the link is disabled got %v", got)
	}
	s.EnableLink()
	for range 10 {
		if got := read(t, dial(t, url)); got["type"] != "hello" {
			t.Errorf("got %v", got)
		}
	}
	if got := read(t, dial(t, url)); got["reason"] != "too_many_websockets" {
		t.Errorf("the eleventh socket got %v", got)
	}
}

// Without an acknowledgement, with one that comes too late, without any socket: what the person sees.
func TestNoAcknowledgement(t *testing.T) {
	o := workspace()
	o.AckDeadline = 30 * time.Millisecond
	s, url := serve(t, o)
	if _, err := s.Slash(t.Context(), maya, ops, "/netdiag help"); !errors.Is(err, slack.ErrUnreachable) {
		t.Errorf("without a socket: %v", err)
	}
	c := dial(t, url)
	read(t, c)
	if _, err := s.Slash(t.Context(), maya, ops, "/netdiag help"); !errors.Is(err, slack.ErrTimeout) {
		t.Errorf("without an acknowledgement: %v", err)
	}
	if err := c.WriteJSON(map[string]any{"envelope_id": read(t, c)["envelope_id"]}); err != nil {
		t.Fatal(err)
	}
	if e := s.Envelopes(); len(e) != 1 || e[0].Took >= 0 || e[0].Type != "slash_commands" {
		t.Errorf("envelopes = %+v", e)
	}
	var said []string
	for _, m := range s.Ephemerals(maya, ops) {
		said = append(said, m.Text)
	}
	want := []string{"`/netdiag` failed with the error \"dispatch_failed\"", "`/netdiag` failed with the error \"operation_timeout\""}
	if diff := cmp.Diff(want, said); diff != "" {
		t.Error(diff)
	}
	if got := s.Ephemerals(jonas, ops); got != nil {
		t.Errorf("someone else sees it: %v", got)
	}
}

// A big acknowledgement is dropped without a word, as Slack does.
func TestBigAcknowledgement(t *testing.T) {
	o := workspace()
	o.AckDeadline = 200 * time.Millisecond
	s, url := serve(t, o)
	c := dial(t, url)
	read(t, c)
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := s.Slash(t.Context(), maya, ops, "/netdiag help"); !errors.Is(err, slack.ErrTimeout) {
			t.Errorf("%v, want a timeout", err)
		}
	})
	id := read(t, c)["envelope_id"]
	if err := c.WriteJSON(map[string]any{"envelope_id": id, "payload": map[string]any{"text": strings.Repeat("x", 20<<10)}}); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
}

// Events come again until they are acknowledged, also those of the time without a socket.
func TestRedelivery(t *testing.T) {
	o := workspace()
	o.AckDeadline, o.Redeliver = 20*time.Millisecond, []time.Duration{time.Millisecond, 40 * time.Millisecond, 40 * time.Millisecond}
	s, url := serve(t, o)
	c := dial(t, url)
	read(t, c)
	if _, err := s.Mention(maya, ops, "", "pending backend"); err != nil {
		t.Fatal(err)
	}
	var ids []any
	var attempts []float64
	for range 3 {
		e := read(t, c)
		payload := e["payload"].(map[string]any)
		ids = append(ids, payload["event_id"])
		attempts = append(attempts, e["retry_attempt"].(float64))
		if len(ids) == 3 {
			if err := c.WriteJSON(map[string]any{"envelope_id": e["envelope_id"]}); err != nil {
				t.Fatal(err)
			}
		}
		event := payload["event"].(map[string]any)
		if e["type"] != "events_api" || event["type"] != "app_mention" || event["text"] != "<@U00000001> pending backend" {
			t.Errorf("envelope = %v", e)
		}
	}
	if diff := cmp.Diff([]float64{0, 1, 2}, attempts); diff != "" {
		t.Error(diff)
	}
	if ids[0] != ids[1] || ids[1] != ids[2] {
		t.Errorf("event ids = %v, want one", ids)
	}
	wait(t, s, func(st *slack.State) bool { e := st.Envelopes(); return len(e) == 3 && e[2].Took >= 0 })
}

// A half-open connection takes what is sent to it and says nothing; the client notices by the missing pings.
func TestFreeze(t *testing.T) {
	o := workspace()
	o.PingEvery, o.AckDeadline = 20*time.Millisecond, 50*time.Millisecond
	s, url := serve(t, o)
	api := client(url)
	sm := socketmode.New(api, socketmode.OptionPingInterval(200*time.Millisecond))
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	connected := make(chan bool, 10)
	wg.Go(func() { _ = sm.RunContext(ctx) })
	wg.Go(func() {
		for {
			select {
			case e := <-sm.Events:
				if e.Type == socketmode.EventTypeHello {
					connected <- true
				}
			case <-ctx.Done():
				return
			}
		}
	})
	defer wg.Wait()
	defer stop()
	<-connected
	s.Freeze()
	if _, err := s.Slash(t.Context(), maya, ops, "/netdiag help"); !errors.Is(err, slack.ErrTimeout) {
		t.Errorf("over a half-open connection: %v", err)
	}
	<-connected
}

func TestWaitSaysWhatItSaw(t *testing.T) {
	s, url := serve(t, workspace())
	if _, _, err := client(url).PostMessage(ops, message("hello <there>")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	err := s.Wait(ctx, func(st *slack.State) bool { return len(st.Messages(ops)) == 2 })
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "U00000001: hello <there>") {
		t.Errorf("%v", err)
	}
	if _, err := json.Marshal(s.Messages(ops)); err != nil {
		t.Error(err)
	}
}
