package handlers

import (
	"sync"

	"github.com/netdiag/netdiag/diagnostics"
)

// How many finished runs a process keeps for download, and how large a snapshot may be to be kept, in bytes.
const (
	keptRuns     = 16
	keptSnapshot = 8 << 20
)

// kept holds the last finished runs of this process: snapshots are too large for the store.
type kept struct {
	mu    sync.Mutex
	names []string // the oldest first
	runs  map[string]diagnostics.Outcome
}

func (k *kept) keep(name string, out diagnostics.Outcome) {
	if len(out.Snapshot) == 0 || len(out.Snapshot) > keptSnapshot {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.runs == nil {
		k.runs = map[string]diagnostics.Outcome{}
	}
	if _, there := k.runs[name]; !there {
		k.names = append(k.names, name)
	}
	k.runs[name] = out
	for len(k.names) > keptRuns {
		delete(k.runs, k.names[0])
		k.names = k.names[1:]
	}
}

func (k *kept) get(name string) (diagnostics.Outcome, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	out, ok := k.runs[name]
	return out, ok
}
