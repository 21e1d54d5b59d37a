package slack

import (
	"cmp"
	"slices"
	"strings"
)

func (s *Server) permalink(c *call) (object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.state.channel(c.str("channel"))
	if ch == nil {
		return nil, fail("channel_not_found")
	}
	m := s.state.message(ch.ID, c.str("message_ts"))
	if m == nil {
		return nil, fail("message_not_found")
	}
	return object{"channel": ch.ID, "permalink": permalink(cmp.Or(strings.TrimSuffix(s.o.Page, "/"), c.base), m)}, nil
}

func permalink(base string, m *Message) string {
	var u strings.Builder
	u.WriteString(base + "/archives/" + m.Channel + "/p")
	for _, r := range m.TS {
		if r != '.' {
			u.WriteString(string(r))
		}
	}
	if m.ThreadTS != "" && m.ThreadTS != m.TS {
		u.WriteString("?thread_ts=" + m.ThreadTS + "&cid=" + m.Channel)
	}
	return u.String()
}

func (s *Server) addReaction(c *call) (object, error) {
	name := c.str("name")
	if name == "" {
		return nil, fail("invalid_name")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ch, err := s.destination(c)
	if err != nil {
		return nil, err
	}
	m := s.state.message(ch.ID, c.str("timestamp"))
	if m == nil {
		return nil, fail("message_not_found")
	}
	if !m.react(name, s.o.App.BotUser) {
		return nil, fail("already_reacted")
	}
	s.wake()
	return object{}, nil
}

func (m *Message) react(name, user string) bool {
	m.Reactions = slices.Clone(m.Reactions) // copies of the message may be read at this moment
	i := slices.IndexFunc(m.Reactions, func(r Reaction) bool { return r.Name == name })
	if i < 0 {
		m.Reactions = append(m.Reactions, Reaction{Name: name})
		i = len(m.Reactions) - 1
	}
	r := &m.Reactions[i]
	if slices.Contains(r.Users, user) {
		return false
	}
	r.Users = append(slices.Clone(r.Users), user)
	r.Count = len(r.Users)
	return true
}
