package slack

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// warningTime is how long before the end of a connection Slack announces it.
const warningTime = 10 * time.Second

// Disconnect does to every open connection what Slack does for the reason: "warning" announces the end and leaves the
// connection open, "refresh_requested" and "too_many_websockets" close it, "link_disabled" closes it and lets no other
// stay until EnableLink.
func (s *Server) Disconnect(reason string) {
	s.mu.Lock()
	conns := slices.Clone(s.conns)
	s.disabled = s.disabled || reason == "link_disabled"
	s.mu.Unlock()
	for _, c := range conns {
		c.disconnect(reason)
	}
}

func (c *conn) disconnect(reason string) {
	_ = c.send(disconnectFrame(reason))
	if reason != "warning" {
		c.drop()
	}
}

// Refresh does to the oldest connection what Slack does to each about once an hour: a warning, and 10 s later the end.
// It reports whether there was one, and returns at once.
func (s *Server) Refresh() bool {
	c := s.oldest()
	if c == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.closing:
		return false
	default:
	}
	s.work.Go(func() {
		c.disconnect("warning")
		end := time.NewTimer(warningTime)
		defer end.Stop()
		select {
		case <-end.C:
			c.disconnect("refresh_requested")
		case <-c.done:
		case <-s.closing:
		}
	})
	return true
}

func (s *Server) oldest() *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.conns) == 0 {
		return nil
	}
	return s.conns[0]
}

// EnableLink lets connections stay again after Disconnect("link_disabled").
func (s *Server) EnableLink() { s.change(func() { s.disabled = false }) }

// Drop cuts every open connection without a word.
func (s *Server) Drop() {
	s.mu.Lock()
	conns := slices.Clone(s.conns)
	s.mu.Unlock()
	for _, c := range conns {
		c.drop()
	}
}

// DropOne is Drop for the oldest connection; it reports whether there was one.
func (s *Server) DropOne() bool {
	c := s.oldest()
	if c != nil {
		c.drop()
	}
	return c != nil
}

// Freeze leaves every open connection half open: no ping and no envelope arrives on it any more, and nothing that the
// client sends, but it is not closed either.
func (s *Server) Freeze() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		c.frozen.Store(true)
	}
}

// FreezeOne is Freeze for the oldest connection that is not half open yet; it reports whether there was one.
func (s *Server) FreezeOne() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		if !c.frozen.Swap(true) {
			return true
		}
	}
	return false
}

// Duplicate has each of the next n envelopes sent over every connection: a delivery that came twice.
func (s *Server) Duplicate(n int) { s.change(func() { s.twice += n }) }

// Forge has f change the payload of the next interaction before the app gets it, as somebody would who speaks in Slack's
// place. What the app answers to it is taken as an answer to the true one.
func (s *Server) Forge(f func(payload map[string]any)) { s.change(func() { s.forge = f }) }

// forged is the payload as Forge wants it, which may be as it is.
func (s *Server) forged(kind string, payload object) (object, error) {
	s.mu.Lock()
	f := s.forge
	if f == nil || kind != "interactive" {
		s.mu.Unlock()
		return payload, nil
	}
	s.forge = nil
	b, err := json.Marshal(payload)
	s.mu.Unlock()
	var plain object
	if err == nil {
		err = json.Unmarshal(b, &plain)
	}
	if err != nil {
		return nil, fmt.Errorf("forge a payload: %w", err)
	}
	f(plain)
	return plain, nil
}

// LoseAcks has the next n acknowledgements lost on their way: whoever typed sees an error though it was heard, and an
// event comes again.
func (s *Server) LoseAcks(n int) { s.change(func() { s.deafTo += n }) }

// stall waits as a server does that accepts and says nothing.
func (s *Server) stall(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
	case <-s.closing:
	}
	return false
}
