package memory

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	"github.com/netdiag/netdiag/internal/casebook"
)

// brake keeps the halt.
type brake struct {
	mu      sync.Mutex
	version int
	halt    casebook.Halt
}

// Get reads the halt.
func (b *brake) Get(ctx context.Context) (casebook.Halt, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.halt, ctx.Err()
}

// Set replaces a halt that is still as it was read.
func (b *brake) Set(ctx context.Context, h casebook.Halt) (casebook.Halt, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return b.halt, err
	}
	if h.Version != b.halt.Version {
		return b.halt, fmt.Errorf("set the halt: %w", casebook.ErrConflict)
	}
	b.version++
	h.Version = strconv.Itoa(b.version)
	b.halt = h
	return h, nil
}
