package slack

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The accessors of Server are those of State, each under the lock.

// Messages is State.Messages.
func (s *Server) Messages(channel string) []Message {
	return locked(s, func() []Message { return s.state.Messages(channel) })
}

// Thread is State.Thread.
func (s *Server) Thread(channel, ts string) []Message {
	return locked(s, func() []Message { return s.state.Thread(channel, ts) })
}

// Ephemerals is State.Ephemerals.
func (s *Server) Ephemerals(user, channel string) []Message {
	return locked(s, func() []Message { return s.state.Ephemerals(user, channel) })
}

// Modal is State.Modal.
func (s *Server) Modal(user string) (v View, ok bool) {
	locked(s, func() bool { v, ok = s.state.Modal(user); return ok })
	return v, ok
}

// Home is State.Home.
func (s *Server) Home(user string) (v View, ok bool) {
	locked(s, func() bool { v, ok = s.state.Home(user); return ok })
	return v, ok
}

// Calls is State.Calls.
func (s *Server) Calls() []Call { return locked(s, s.state.Calls) }

// Envelopes is State.Envelopes.
func (s *Server) Envelopes() []Envelope { return locked(s, s.state.Envelopes) }

// SetMember puts a user, or the app by its bot user, into a channel or takes them out, without telling anybody.
func (s *Server) SetMember(channel, user string, in bool) {
	s.change(func() {
		c := s.state.channel(channel)
		if c == nil {
			return
		}
		c.Members = slices.DeleteFunc(slices.Clone(c.Members), func(u string) bool { return u == user })
		if in {
			c.Members = append(c.Members, user)
		}
	})
}

// Transcript is everything that is to be seen, as plain text, for the messages of failing tests.
func (s *Server) Transcript() string {
	return locked(s, func() string {
		var b strings.Builder
		for _, id := range slices.Sorted(maps.Keys(s.state.messages)) {
			for _, m := range s.state.messages[id] {
				indent := ""
				if m.ThreadTS != "" && m.ThreadTS != m.TS {
					indent = "    "
				}
				fmt.Fprintf(&b, "%s%s %s %s: %s\n", indent, id, m.TS, m.User, strings.ReplaceAll(m.Plain(), "\n", "\n"+indent+"  "))
			}
		}
		for _, m := range s.state.notes {
			fmt.Fprintf(&b, "%s only for %s: %s\n", m.Channel, m.To, m.Plain())
		}
		return b.String()
	})
}

func locked[T any](s *Server, f func() T) T {
	s.mu.Lock()
	defer s.mu.Unlock()
	return f()
}
