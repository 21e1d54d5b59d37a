package slack

import (
	"encoding/json"
	"io"
	"net/http"
	"time"
)

// A response URL can be used this often, for this long.
const (
	responseUses = 5
	responseLife = 30 * time.Minute
)

// responseURL is the right to answer one command or click.
type responseURL struct {
	channel, user string
	line          string // the command that was typed
	ts            string // of the message that was clicked
	ephemeral     bool   // whether that message was
	thread        string // that the message stands in

	uses    int
	expires time.Time
}

// newURL makes a response URL; the lock is held.
func (s *Server) newURL(base string, u *responseURL) string {
	id := s.id("response-")
	u.expires = s.o.Now().Add(responseLife)
	s.urls[id] = u
	return base + "/response/" + id
}

func (s *Server) serveResponseURL(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	u := s.urls[r.PathValue("id")]
	code := ""
	switch {
	case u == nil:
		code = "invalid_url"
	case u.uses >= responseUses:
		code = "used_url"
	case s.o.Now().After(u.expires):
		code = "expired_url"
	default:
		u.uses++
	}
	s.mu.Unlock()
	if code != "" {
		writeJSON(w, http.StatusNotFound, object{"ok": false, "error": code})
		return
	}
	var answer map[string]any
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<20)).Decode(&answer); err != nil {
		writeJSON(w, http.StatusBadRequest, object{"ok": false, "error": "invalid_payload"})
		return
	}
	if _, err := s.respond(u, answer); err != nil {
		writeJSON(w, http.StatusBadRequest, object{"ok": false, "error": err.Error()})
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "ok") // the client is gone: nobody to tell
}

// respond does what an answer says: show it to the person alone or to the channel, replace or delete what was clicked.
func (s *Server) respond(u *responseURL, answer map[string]any) (*Message, error) {
	c := &call{args: answer}
	gone, over := c.flag("delete_original"), c.flag("replace_original")
	var v content
	if !gone {
		var err error
		if v, err = c.content(); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.wake()
	if gone || over {
		return s.rework(u, gone, v, c)
	}
	m := s.fromApp(u.channel, v)
	m.ThreadTS = c.str("thread_ts")
	if c.str("response_type") == "in_channel" {
		if u.line != "" {
			s.state.post(&Message{
				Channel: u.channel, Type: "message", Subtype: "slash_command", User: u.user, Team: s.o.Team.ID,
				TS: s.state.ts(s.o.Now()), Text: escape(u.line),
			})
			m.TS = s.state.ts(s.o.Now())
		}
		s.state.post(m)
		return m, nil
	}
	m.To = u.user
	s.state.notes = append(s.state.notes, m)
	return m, nil
}

// rework replaces or deletes the message that was clicked; the lock is held.
func (s *Server) rework(u *responseURL, gone bool, v content, c *call) (*Message, error) {
	var m *Message
	if u.ephemeral {
		m = s.state.note(u.user, u.ts)
	} else {
		m = s.state.message(u.channel, u.ts)
	}
	switch {
	case m == nil:
		return nil, fail("message_not_found")
	case gone && u.ephemeral:
		m.To = "" // nobody sees it any more
	case gone:
		s.state.remove(m)
	default:
		s.replace(m, v, c.has("text"), false)
	}
	return m, nil
}
