package slack

import (
	"context"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"
)

// Wire is a network in memory with the one Server at its end, whatever the address: no system call is made, so that a
// testing/synctest bubble can hold the workspace and whoever talks to it.
type Wire struct {
	server *http.Server
	calls  chan net.Conn
	closed chan struct{}
	served sync.WaitGroup

	mu   sync.Mutex
	open int
	made int
	down bool
}

// Wire begins to serve. Shut it after the Server's Close, in the end.
func (s *Server) Wire() *Wire {
	w := &Wire{calls: make(chan net.Conn), closed: make(chan struct{})}
	w.server = &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	w.served.Go(func() { _ = w.server.Serve(w) })
	return w
}

// Dial makes a connection; it fits http.Transport and websocket.Dialer.
func (w *Wire) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	w.mu.Lock()
	down := w.down
	w.mu.Unlock()
	if down {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	near, far := net.Pipe()
	select {
	case w.calls <- far:
	case <-w.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open++
	w.made++
	return &counted{Conn: near, wire: w}, nil
}

// Unreachable lets nobody connect, or lets them again.
func (w *Wire) Unreachable(down bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = down
}

// Open is the number of connections that the dialing side has not closed.
func (w *Wire) Open() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.open
}

// Made is how many connections there ever were.
func (w *Wire) Made() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.made
}

// Accept gives the far end of the next connection.
func (w *Wire) Accept() (net.Conn, error) {
	select {
	case c := <-w.calls:
		return c, nil
	case <-w.closed:
		return nil, net.ErrClosed
	}
}

// Addr is an address that says nothing.
func (w *Wire) Addr() net.Addr { return wireAddr{} }

type wireAddr struct{}

func (wireAddr) Network() string { return "wire" }
func (wireAddr) String() string  { return "slack.invalid:80" }

// Close ends serving and waits for it; connections that were made stay.
func (w *Wire) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.closed:
	default:
		close(w.closed)
	}
	return nil
}

// Shut closes everything, and waits until nothing is served any more.
func (w *Wire) Shut() error {
	err := w.server.Close()
	w.served.Wait()
	return err
}

type counted struct {
	net.Conn
	wire *Wire
	once sync.Once
}

// Close counts once.
func (c *counted) Close() error {
	c.once.Do(func() {
		c.wire.mu.Lock()
		defer c.wire.mu.Unlock()
		c.wire.open--
	})
	return c.Conn.Close()
}
