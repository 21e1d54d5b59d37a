package watch

import (
	"context"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/vpc"
)

// Names of the memos in which a watch keeps its State, and what people silenced: the JSON of a list of Snoozes.
const (
	Memo       = "watch"
	SnoozeMemo = "snooze"
)

// Past is a diagnostics.Past out of what a watch has seen.
type Past struct {
	Memos casebook.Memos
	// Fault is told why nothing is remembered; nil where nobody listens.
	Fault func(error)
}

// Available reads the memory of the watch.
func (p Past) Available(ctx context.Context, cluster string, subnets ...string) map[string][]vpc.Sample {
	m, err := p.Memos.Get(ctx, Memo)
	var s State
	if err == nil {
		s, err = Parse(m.Text, cluster)
	}
	if err != nil && p.Fault != nil {
		p.Fault(err)
	}
	out := map[string][]vpc.Sample{}
	for _, id := range subnets {
		if seen := s.Past[id]; len(seen) > 0 {
			out[id] = seen
		}
	}
	return out
}
