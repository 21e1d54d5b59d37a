package handlers_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"slices"
	"sync"

	"github.com/netdiag/netdiag/handlers"
	"github.com/netdiag/netdiag/internal/casebook"
)

// mortal is a front end that dies after its n-th write, to the store or to Slack: the write is done, and nobody hears its
// answer. From then on nothing that it does reaches anybody.
type mortal struct {
	dial func(ctx context.Context, network, address string) (net.Conn, error)

	mu     sync.Mutex
	at     int // the write that it dies after; 0: none
	writes []string
	dead   bool
	conns  []net.Conn
	cancel context.CancelFunc
}

var errDead = errors.New("the process is gone")

// begin makes c that of a mortal.
func (m *mortal) begin(c handlers.Config) handlers.Config {
	m.dial = c.Dial
	c.Dial = m.connect
	was := c.Book
	c.Book = &casebook.Book{Policy: was.Policy, Now: was.Now, Patience: was.Patience, Store: casebook.Store{
		Investigations: kept[casebook.Investigation]{was.Store.Investigations, m, "investigation"},
		Remediations:   kept[casebook.Remediation]{was.Store.Remediations, m, "remediation"}, Halt: was.Store.Halt,
	}}
	return c
}

// wrote counts a write, and reports whether it was the last one.
func (m *mortal) wrote(what string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writes = append(m.writes, what)
	if m.at == 0 || len(m.writes) < m.at {
		return m.dead
	}
	m.die()
	return true
}

// die ends all that it holds; the lock is held.
func (m *mortal) die() {
	if m.dead {
		return
	}
	m.dead = true
	for _, c := range m.conns {
		_ = c.Close()
	}
	m.cancel()
}

func (m *mortal) gone() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dead
}

func (m *mortal) connect(ctx context.Context, network, address string) (net.Conn, error) {
	if m.gone() {
		return nil, errDead
	}
	c, err := m.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead {
		_ = c.Close()
		return nil, errDead
	}
	m.conns = append(m.conns, c)
	return &tapped{Conn: c, owner: m}, nil
}

// tapped is a connection that knows what is written to Slack over it.
type tapped struct {
	net.Conn
	owner *mortal

	mu    sync.Mutex
	wrote string // the call whose answer is awaited, if it writes
}

// said are the calls that people see the effect of, and that a front end must not do twice.
func said() [][]byte {
	return [][]byte{[]byte("POST /api/chat.postMessage "), []byte("POST /api/chat.update ")}
}

func (t *tapped) Write(b []byte) (int, error) {
	for _, call := range said() {
		if bytes.HasPrefix(b, call) {
			t.mu.Lock()
			t.wrote = string(call)
			t.mu.Unlock()
		}
	}
	return t.Conn.Write(b)
}

// Read gives the answer; that to the last write is lost.
func (t *tapped) Read(b []byte) (int, error) {
	n, err := t.Conn.Read(b)
	t.mu.Lock()
	wrote := t.wrote
	t.wrote = ""
	t.mu.Unlock()
	if n > 0 && wrote != "" && t.owner.wrote(wrote) {
		return 0, errDead
	}
	return n, err
}

func (t *tapped) Close() error {
	t.owner.mu.Lock()
	t.owner.conns = slices.DeleteFunc(t.owner.conns, func(c net.Conn) bool { return c == t.Conn })
	t.owner.mu.Unlock()
	return t.Conn.Close()
}

// kept is a store as a mortal uses it.
type kept[T any] struct {
	casebook.Records[T]
	owner *mortal
	what  string
}

func (k kept[T]) Create(ctx context.Context, r T) (T, error) {
	return k.write(func() (T, error) { return k.Records.Create(ctx, r) }, r, "create "+k.what)
}

func (k kept[T]) Update(ctx context.Context, r T) (T, error) {
	return k.write(func() (T, error) { return k.Records.Update(ctx, r) }, r, "update "+k.what)
}

func (k kept[T]) write(do func() (T, error), r T, what string) (T, error) {
	if k.owner.gone() {
		return r, errDead
	}
	out, err := do()
	if err == nil && k.owner.wrote(what) {
		return r, errDead
	}
	return out, err
}

func (k kept[T]) Get(ctx context.Context, name string) (r T, err error) {
	if k.owner.gone() {
		return r, errDead
	}
	return k.Records.Get(ctx, name)
}

func (k kept[T]) List(ctx context.Context) ([]T, error) {
	if k.owner.gone() {
		return nil, errDead
	}
	return k.Records.List(ctx)
}

// live runs a mortal front end in the bubble until it dies or the function that it returns is called, which waits.
func (b *bubble) live(m *mortal, c handlers.Config) (stop func()) {
	b.t.Helper()
	bot, err := handlers.New(m.begin(c))
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	m.cancel = cancel
	ended := make(chan error, 1)
	go func() { ended <- bot.Run(ctx) }()
	return sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) && !m.gone() {
			b.t.Errorf("Run: %v", err)
		}
	})
}
