package handlers_test

import (
	"bytes"
	"context"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// jammed is a network over which Slack's first socket can be heard, but no longer answered once it is told so.
type jammed struct {
	dial   func(ctx context.Context, network, address string) (net.Conn, error)
	jam    atomic.Bool
	socket atomic.Pointer[jammedConn]
}

type jammedConn struct {
	net.Conn
	of *jammed
}

func (j *jammed) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := j.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &jammedConn{c, j}, nil
}

// Write fails on a socket that is jammed; what is written first tells which connections are sockets.
func (c *jammedConn) Write(p []byte) (int, error) {
	if bytes.HasPrefix(p, []byte("GET /link")) {
		c.of.socket.CompareAndSwap(nil, c)
	}
	if c.of.jam.Load() && c.of.socket.Load() == c {
		return 0, syscall.EPIPE
	}
	return c.Conn.Write(p)
}

// What one connection does not take leaves over the other.
func TestAcknowledgementThatCannotBeWritten(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		c := b.config()
		j := &jammed{dial: c.Dial}
		c.Dial = j.Dial
		defer b.connect(c)()
		time.Sleep(time.Minute)
		synctest.Wait()
		j.jam.Store(true)
		for range 2 { // Slack takes the connections in turn
			if got := b.ask(maya, ops, "/netdiag ping"); !strings.Contains(got, "I hear you") {
				t.Errorf("%q", got)
			}
		}
		time.Sleep(time.Minute)
		if n := b.ended("unwritable"); n != 1 {
			t.Errorf("%v connections ended as unwritable", n)
		}
		if n := b.metric("netdiag_slack_connections"); n != 2 {
			t.Errorf("%v live connections", n)
		}
		if n := b.metric("netdiag_slack_unacknowledged_total"); n != 0 {
			t.Errorf("%v envelopes were not acknowledged", n)
		}
	})
}
