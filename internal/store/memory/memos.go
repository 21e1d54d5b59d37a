package memory

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	"github.com/netdiag/netdiag/internal/casebook"
)

// memos keeps texts by name.
type memos struct {
	mu      sync.Mutex
	version int
	kept    map[string]casebook.Memo
}

// Get reads a memo.
func (m *memos) Get(ctx context.Context, name string) (casebook.Memo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.kept[name], ctx.Err()
}

// Set replaces a memo that is still as it was read.
func (m *memos) Set(ctx context.Context, name string, memo casebook.Memo) (casebook.Memo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch was := m.kept[name]; {
	case ctx.Err() != nil:
		return was, ctx.Err()
	case memo.Version != was.Version:
		return was, fmt.Errorf("write memo %s: %w", name, casebook.ErrConflict)
	}
	m.version++
	memo.Version = strconv.Itoa(m.version)
	m.kept[name] = memo
	return memo, nil
}
