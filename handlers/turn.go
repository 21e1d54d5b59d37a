package handlers

import (
	"context"
	"sync"
)

// turn is held by one at a time. Of those who wait the lowest rank is next, and within a rank whoever came first.
type turn struct {
	mu      sync.Mutex
	held    bool
	waiting []*waiter // by rank, then by coming
}

type waiter struct {
	rank rank
	mine chan struct{} // closed when it is its turn
}

// take waits for the turn; its error is that of ctx, and then the turn is not held.
func (t *turn) take(ctx context.Context, r rank) error {
	t.mu.Lock()
	if !t.held {
		t.held = true
		t.mu.Unlock()
		return nil
	}
	w := &waiter{rank: r, mine: make(chan struct{})}
	i := len(t.waiting)
	for i > 0 && t.waiting[i-1].rank > r {
		i--
	}
	t.waiting = append(t.waiting, nil)
	copy(t.waiting[i+1:], t.waiting[i:])
	t.waiting[i] = w
	t.mu.Unlock()
	select {
	case <-w.mine:
		return nil
	case <-ctx.Done():
		t.leave(w)
		return ctx.Err()
	}
}

// leave takes w out of the queue; it passes the turn on where w was given it at this very moment.
func (t *turn) leave(w *waiter) {
	t.mu.Lock()
	for i := range t.waiting {
		if t.waiting[i] == w {
			t.waiting = append(t.waiting[:i], t.waiting[i+1:]...)
			t.mu.Unlock()
			return
		}
	}
	t.mu.Unlock()
	t.give()
}

// give passes the turn on.
func (t *turn) give() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.waiting) == 0 {
		t.held = false
		return
	}
	close(t.waiting[0].mine)
	t.waiting = t.waiting[1:]
}
