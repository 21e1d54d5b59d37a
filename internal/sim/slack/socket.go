package slack

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

// maxSockets is how many Socket Mode connections an app may hold.
const maxSockets = 10

// debugLife is how long a connection lasts that was opened with debug_reconnects=true.
const debugLife = 360 * time.Second

// maxAck is the size from which Slack silently drops what a client sends over the socket.
const maxAck = 20 << 10

// conn is one Socket Mode connection. The handler's goroutine reads it; another one pings.
type conn struct {
	ws   *websocket.Conn
	base string // http://host of the server, as this client knows it

	turn   chan struct{} // of writes; a channel and no mutex, so that time goes on in a bubble while a write blocks
	frozen atomic.Bool   // half open: nothing is sent any more and nothing read, but nobody closed it
	done   chan struct{}
	once   sync.Once
}

// drop ends the connection without a word.
func (c *conn) drop() {
	c.once.Do(func() { close(c.done) })
	_ = c.ws.Close()
}

func (c *conn) write(kind int, data []byte) error {
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	return c.put(kind, data)
}

// put is write for whoever has the turn.
func (c *conn) put(kind int, data []byte) error {
	if c.frozen.Load() {
		return nil
	}
	if err := c.ws.SetWriteDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	return c.ws.WriteMessage(kind, data)
}

func (c *conn) send(frame any) error {
	data, err := json.Marshal(frame)
	if err != nil {
		return err
	}
	return c.write(websocket.TextMessage, data)
}

// openConnection is apps.connections.open: the URL with a ticket that opens one socket.
func (s *Server) openConnection(c *call) (object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ticket := s.id("ticket-")
	s.tickets[ticket] = true
	ws := "ws" + strings.TrimPrefix(c.base, "http")
	u := ws + "/link/?ticket=" + ticket + "&app_id=" + s.o.App.ID
	return object{"url": strings.Replace(u, "/link/?", "/link?", 1)}, nil
}

func (s *Server) serveSocket(w http.ResponseWriter, r *http.Request) {
	ticket := r.URL.Query().Get("ticket")
	s.mu.Lock()
	known := s.tickets[ticket]
	delete(s.tickets, ticket)
	s.mu.Unlock()
	if !known {
		http.Error(w, "unknown or used ticket", http.StatusForbidden)
		return
	}
	f, hit := s.take("link")
	if hit && f.Delay > 0 && !s.stall(r.Context(), f.Delay) {
		return
	}
	up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }} // clients send Origin: https://api.slack.com
	ws, err := up.Upgrade(w, r, nil)
	if err != nil {
		return // Upgrade answered
	}
	c := &conn{ws: ws, base: base(r), turn: make(chan struct{}, 1), done: make(chan struct{})}
	defer c.drop()
	s.mu.Lock()
	select {
	case <-s.closing:
		s.mu.Unlock()
		return
	default:
	}
	s.work.Add(1)
	full, disabled, struck := len(s.conns) >= maxSockets, s.disabled, hit && (f.Cut || f.Error != "")
	if !full && !disabled && !struck {
		c.turn <- struct{}{} // hello is the first frame, whatever is sent at the same time
		s.conns = append(s.conns, c)
		s.state.sockets = len(s.conns)
		s.wake()
	}
	n := len(s.conns)
	s.mu.Unlock()
	defer s.work.Done()
	switch {
	case struck:
		if f.Error != "" {
			_ = c.send(disconnectFrame(f.Error))
		}
		return
	case disabled:
		_ = c.send(disconnectFrame("link_disabled"))
		return
	case full:
		_ = c.send(disconnectFrame("too_many_websockets"))
		return
	}
	defer s.change(func() {
		s.conns = slices.DeleteFunc(s.conns, func(o *conn) bool { return o == c })
		s.state.sockets = len(s.conns)
	})
	err = c.greet(object{
		"type": "hello", "num_connections": n,
		"connection_info": object{"app_id": s.o.App.ID},
		"debug_info":      object{"host": "applink-sim", "build_number": 1, "approximate_connection_time": 3600},
	})
	if err != nil {
		return
	}
	var ping sync.WaitGroup
	ping.Go(func() { c.pings(s.o.PingEvery) })
	if r.URL.Query().Get("debug_reconnects") == "true" { // as Slack does for whoever debugs
		early := time.AfterFunc(debugLife, func() { c.disconnect("refresh_requested") })
		defer early.Stop()
	}
	s.read(c)
	c.drop()
	ping.Wait()
}

// greet sends the hello in the turn that was taken for it.
func (c *conn) greet(hello object) error {
	defer func() { <-c.turn }()
	data, err := json.Marshal(hello)
	if err != nil {
		return err
	}
	return c.put(websocket.TextMessage, data)
}

func (c *conn) pings(every time.Duration) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		if c.write(websocket.PingMessage, []byte("Ping from applink-sim")) != nil {
			c.drop()
			return
		}
		select {
		case <-t.C:
		case <-c.done:
			return
		}
	}
}

// read takes acknowledgements until the connection ends. As on Slack, one that comes over another connection than its envelope counts.
func (s *Server) read(c *conn) {
	c.ws.SetReadLimit(1 << 20)
	for {
		_, data, err := c.ws.ReadMessage()
		if err != nil {
			return
		}
		var a struct {
			EnvelopeID string          `json:"envelope_id"`
			Payload    json.RawMessage `json:"payload"`
		}
		if c.frozen.Load() || len(data) >= maxAck || json.Unmarshal(data, &a) != nil {
			continue
		}
		if a.EnvelopeID == "" {
			s.change(func() { s.state.stray++ })
			continue
		}
		s.acknowledge(a.EnvelopeID, a.Payload)
	}
}

func disconnectFrame(reason string) object {
	return object{"type": "disconnect", "reason": reason, "debug_info": object{"host": "applink-sim"}}
}

// SendRaw sends a frame as it is over one connection, such as an envelope that no client can parse. It reports whether there was one.
func (s *Server) SendRaw(frame []byte) bool {
	c := s.pick()
	return c != nil && c.write(websocket.TextMessage, frame) == nil
}

// pick takes the connections in turn: a payload may go to any of them.
func (s *Server) pick() *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.conns) == 0 {
		return nil
	}
	s.turn++
	return s.conns[s.turn%len(s.conns)]
}

func base(r *http.Request) string { return "http://" + r.Host }
