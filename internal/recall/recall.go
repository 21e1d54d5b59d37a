// Package recall answers a question that was asked before, or is being asked, without asking again: each fact is asked
// for once in a run.
package recall

import (
	"context"
	"slices"
	"sync"
)

// Memory is what one run has asked. It is safe for use by several goroutines; the zero value remembers nothing yet.
type Memory struct {
	mu    sync.Mutex
	calls map[string]*call
}

type call struct {
	done      chan struct{}
	value     any
	err       error
	abandoned bool // by the one who asked: whoever waits asks again
}

// Once asks a question; key is the question. Whoever asks the same meanwhile waits for that answer, and who asks later
// gets it too. An error is remembered like an answer, except when the asker gave up. An answer is shared: nobody may modify it.
func Once[T any](ctx context.Context, m *Memory, key string, ask func(context.Context) (T, error)) (T, error) {
	var none T
	for {
		m.mu.Lock()
		c := m.calls[key]
		if c == nil {
			if m.calls == nil {
				m.calls = map[string]*call{}
			}
			c = &call{done: make(chan struct{})}
			m.calls[key] = c
			m.mu.Unlock()
			return own(ctx, m, key, c, ask)
		}
		m.mu.Unlock()
		select {
		case <-c.done:
		case <-ctx.Done():
			return none, ctx.Err()
		}
		if !c.abandoned {
			v, _ := c.value.(T)
			return v, c.err
		}
	}
}

func own[T any](ctx context.Context, m *Memory, key string, c *call, ask func(context.Context) (T, error)) (T, error) {
	defer close(c.done)
	c.abandoned = true // holds if ask panics
	v, err := ask(ctx)
	c.value, c.err, c.abandoned = v, err, err != nil && ctx.Err() != nil
	if c.abandoned {
		m.mu.Lock()
		delete(m.calls, key)
		m.mu.Unlock()
	}
	return v, err
}

// Outcomes gives what became of each question that was answered so far, by its key: nil or the error.
func (m *Memory) Outcomes() map[string]error {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[string]error{}
	for key, c := range m.calls {
		select {
		case <-c.done:
			out[key] = c.err
		default: // it is being asked
		}
	}
	return out
}

// List is Once for lists: everybody gets a slice of their own, of elements that nobody may modify.
func List[T any](ctx context.Context, m *Memory, key string, ask func(context.Context) ([]T, error)) ([]T, error) {
	l, err := Once(ctx, m, key, ask)
	return slices.Clone(l), err
}
