package handlers

import (
	"encoding/json"
	"net"
	"slices"
	"strings"
	"sync/atomic"
)

// listened is a connection that tells when something comes: pings never reach the consumer of slack-go's client.
type listened struct {
	net.Conn
	heard func()
}

// Read tells before it returns.
func (c listened) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.heard()
	}
	return n, err
}

// ear learns why Slack ends a connection. slack-go tells it to nobody: the frame appears in the debug log of its Socket
// Mode client only. What else is in that log is dropped here, for it holds what people wrote. (Debugging of the Web API's
// client is another switch, which must stay off: with it Slack ends every connection after six minutes.)
type ear struct{ heard atomic.Value }

// Output takes one line of the log.
func (e *ear) Output(_ int, line string) error {
	_, frame, ok := strings.Cut(line, "Received WebSocket message: ")
	if !ok || !strings.Contains(frame, `"disconnect"`) {
		return nil
	}
	var f struct{ Type, Reason string }
	if json.Unmarshal([]byte(frame), &f) == nil && f.Type == "disconnect" {
		if !slices.Contains(reasons()[:4], f.Reason) {
			f.Reason = otherwise
		}
		e.heard.Store(f.Reason)
	}
	return nil
}

func (e *ear) reason() string {
	r, _ := e.heard.Load().(string)
	return r
}
