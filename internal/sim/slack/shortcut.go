package slack

import (
	"context"
	"fmt"
	"slices"
)

// Shortcut is something that the app offers: in the menu of every message, or beside the composer.
type Shortcut struct {
	CallbackID  string
	Name        string // at most 24 characters, as in the manifest
	Description string
	Message     bool // in the menu of a message
}

// Shortcut has a person start a global shortcut of the app, given by its callback id, and waits for the acknowledgement.
func (s *Server) Shortcut(ctx context.Context, user, callback string) error {
	s.mu.Lock()
	_, known := s.state.user(user)
	s.mu.Unlock()
	if !known || !s.offers(callback, false) {
		return fmt.Errorf("shortcut %q by %s: no such person or global shortcut", callback, user)
	}
	_, err := s.deliver(ctx, "interactive", 0, func(string) object {
		s.mu.Lock()
		defer s.mu.Unlock()
		p := s.interaction("shortcut", user, "")
		p["callback_id"], p["action_ts"] = callback, s.state.ts(s.o.Now())
		return p
	})
	return err
}

// MessageShortcut has a person choose a shortcut of the app, given by its callback id, in the menu of a message or a
// reply, and waits for the acknowledgement. It works where the app is no member; an ephemeral message has no such menu.
func (s *Server) MessageShortcut(ctx context.Context, user, channel, ts, callback string) error {
	s.mu.Lock()
	_, known := s.state.user(user)
	ch := s.state.channel(channel)
	var m Message
	if known = known && ch != nil; known {
		m, known = s.state.Message(ch.ID, ts)
	}
	s.mu.Unlock()
	if !known || !s.offers(callback, true) {
		return fmt.Errorf("shortcut %q by %s on %s in %s: no such person, message or message shortcut", callback, user, ts, channel)
	}
	_, err := s.deliver(ctx, "interactive", 0, func(base string) object {
		s.mu.Lock()
		defer s.mu.Unlock()
		p := s.interaction("message_action", user, ch.ID)
		p["callback_id"], p["action_ts"] = callback, s.state.ts(s.o.Now())
		p["channel"] = object{"id": ch.ID, "name": ch.label()}
		p["message_ts"], p["message"] = m.TS, m
		p["response_url"] = s.newURL(base, &responseURL{channel: ch.ID, user: user, ts: m.TS, thread: m.ThreadTS})
		return p
	})
	return err
}

// offers reports whether the app has the shortcut; an app whose shortcuts nobody named has every one.
func (s *Server) offers(callback string, message bool) bool {
	return s.o.App.Shortcuts == nil || slices.ContainsFunc(s.o.App.Shortcuts, func(sc Shortcut) bool {
		return sc.CallbackID == callback && sc.Message == message
	})
}
