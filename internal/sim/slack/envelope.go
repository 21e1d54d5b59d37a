package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// What a person sees when the app does not answer, in Slack's words.
var (
	// ErrTimeout: the app did not acknowledge within the deadline.
	ErrTimeout = errors.New("operation_timeout")
	// ErrUnreachable: the app has no connection open.
	ErrUnreachable = errors.New("dispatch_failed")
)

// Envelope records one delivery to the app.
type Envelope struct {
	ID, Type string
	TS       string        // of the message that an event tells of
	Attempt  int           // 0 is the first
	Sent     time.Time     // by the server's clock
	Took     time.Duration // until it was acknowledged; negative where it never was
}

type ack struct {
	payload json.RawMessage
	at      time.Time
}

// deliver sends one envelope over one of the connections and waits for its acknowledgement. build makes the payload,
// given the address of the server as the app knows it.
func (s *Server) deliver(ctx context.Context, kind string, attempt int, build func(base string) object) (json.RawMessage, error) {
	c := s.pick()
	if c == nil {
		return nil, ErrUnreachable
	}
	payload, err := s.forged(kind, build(c.base))
	if err != nil {
		return nil, err
	}
	got := make(chan ack, 1)
	var id string
	var n int
	sent := s.o.Now()
	s.change(func() {
		id = s.id("envelope-")
		s.pending[id] = got
		n = len(s.state.sent)
		s.state.sent = append(s.state.sent, Envelope{ID: id, Type: kind, TS: told(payload), Attempt: attempt, Sent: sent, Took: -1})
	})
	defer func() {
		s.mu.Lock()
		delete(s.pending, id)
		s.mu.Unlock()
	}()
	frame := object{"envelope_id": id, "type": kind, "payload": payload, "accepts_response_payload": kind != "events_api"}
	if kind == "events_api" {
		frame["retry_attempt"] = attempt
		frame["retry_reason"] = ""
		if attempt > 0 {
			frame["retry_reason"] = "timeout"
		}
	}
	for _, c := range s.copies(c) {
		if err := c.send(frame); err != nil {
			c.drop()
		}
	}
	deadline := time.NewTimer(s.o.AckDeadline)
	defer deadline.Stop()
	select {
	case a := <-got:
		s.change(func() { s.state.sent[n].Took = a.at.Sub(sent) })
		return a.payload, nil
	case <-deadline.C:
		return nil, ErrTimeout
	case <-ctx.Done():
		return nil, fmt.Errorf("deliver %s: %w", kind, context.Cause(ctx))
	case <-s.closing:
		return nil, ErrUnreachable
	}
}

// told is the ts of the message that an event tells of, empty where it tells of something else.
func told(payload object) string {
	event, _ := payload["event"].(object)
	return str(event["ts"])
}

// copies lists the connections that an envelope goes over: one, but where Duplicate asks for more.
func (s *Server) copies(c *conn) []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.twice == 0 {
		return []*conn{c}
	}
	s.twice--
	return slices.Clone(s.conns)
}

func (s *Server) acknowledge(id string, payload json.RawMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending[id] != nil && s.deafTo > 0 {
		s.deafTo--
		return
	}
	if got := s.pending[id]; got != nil {
		delete(s.pending, id)
		got <- ack{payload, s.o.Now()}
	}
}

// event delivers an event of the Events API, again and again as Slack does until it is acknowledged. It returns at once.
func (s *Server) event(inner object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.emit(inner)
}

// heard lists the scope that each kind of event asks for, one of them where there are several; the others ask for none.
var heard = map[string][]string{
	"app_mention": {"app_mentions:read"}, "message": {"im:history"}, "member_joined_channel": {"channels:read", "groups:read"},
	"subteam_members_changed": {"usergroups:read"},
}

// emit is event while the lock is held. An app without the scope hears nothing.
func (s *Server) emit(inner object) {
	if need := heard[str(inner["type"])]; need != nil && !slices.ContainsFunc(need, func(sc string) bool { return slices.Contains(s.o.App.Scopes, sc) }) {
		return
	}
	select {
	case <-s.closing:
		return
	default:
	}
	ch := s.state.channel(str(inner["channel"]))
	payload := object{
		"token": "sim", "team_id": s.o.Team.ID, "api_app_id": s.o.App.ID, "event": inner, "type": "event_callback",
		"event_id": s.id("Ev"), "event_time": s.o.Now().Unix(), "is_ext_shared_channel": ch != nil && ch.ExtShared,
		"authorizations": []any{object{
			"enterprise_id": nil, "team_id": s.o.Team.ID, "user_id": s.o.App.BotUser, "is_bot": true, "is_enterprise_install": false,
		}},
	}
	s.work.Go(func() { s.insist(payload) })
}

func (s *Server) insist(payload object) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for attempt := 0; ; attempt++ {
		if _, err := s.deliver(ctx, "events_api", attempt, func(string) object { return payload }); err == nil {
			return
		}
		if attempt >= len(s.o.Redeliver) {
			return
		}
		again := time.NewTimer(s.o.Redeliver[attempt])
		select {
		case <-again.C:
		case <-s.closing:
			again.Stop()
			return
		}
	}
}
