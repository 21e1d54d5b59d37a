package memory

import (
	"context"
	"sync"

	"github.com/netdiag/netdiag/internal/casebook"
)

// Ledger keeps which entries were written. Its zero value is ready for use.
type Ledger struct {
	mu      sync.Mutex
	written map[[2]string]casebook.Entry
}

// Enter implements casebook.Ledger.
func (l *Ledger) Enter(ctx context.Context, e casebook.Entry) (fresh bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return false, err
	}
	key := [2]string{e.Record, e.Key}
	if _, there := l.written[key]; there {
		return false, nil
	}
	if l.written == nil {
		l.written = map[[2]string]casebook.Entry{}
	}
	l.written[key] = e
	return true, nil
}
