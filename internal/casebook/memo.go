package casebook

import "context"

// Memo is a text that netdiag keeps for itself beside the records, such as what its watch has seen.
type Memo struct {
	Text    string
	Version string // of the store, for compare-and-swap; empty where it was never written
}

// MaxMemo is how long the text of a Memo may be, in bytes: what one Kubernetes object may hold, with room to spare.
const MaxMemo = 900_000

// Memos keeps texts by name, a few short words of letters and -.
type Memos interface {
	// Get is the memo of a name; the zero one where there is none.
	Get(ctx context.Context, name string) (Memo, error)
	// Set stores m if its Version is still the stored one, else ErrConflict.
	Set(ctx context.Context, name string, m Memo) (Memo, error)
}
