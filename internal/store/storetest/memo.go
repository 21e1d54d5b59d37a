package storetest

import (
	"errors"
	"sync"
	"testing"

	"github.com/netdiag/netdiag/internal/casebook"
)

// testMemos: each memo survives as it was written, apart from the others, and of those who write at once one wins.
func testMemos(t *testing.T, s casebook.Store) {
	ctx := begin(t)
	if m, err := s.Memos.Get(ctx, "watch"); err != nil || m != (casebook.Memo{}) {
		t.Fatalf("at first: %+v, %v", m, err)
	}
	const times = 8
	errs := make([]error, times)
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range times {
		wg.Go(func() {
			<-start
			_, errs[i] = s.Memos.Set(ctx, "watch", casebook.Memo{Text: `{"seen":"ä"}`})
		})
	}
	close(start)
	wg.Wait()
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, casebook.ErrConflict):
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d of %d wrote the first memo", won, times)
	}
	was, err := s.Memos.Get(ctx, "watch")
	if err != nil || was.Text != `{"seen":"ä"}` || was.Version == "" {
		t.Errorf("kept: %+v, %v", was, err)
	}
	is, err := s.Memos.Set(ctx, "watch", casebook.Memo{Text: "more", Version: was.Version})
	if err != nil || is.Text != "more" || is.Version == was.Version {
		t.Errorf("written again: %+v, %v", is, err)
	}
	if _, err := s.Memos.Set(ctx, "watch", was); !errors.Is(err, casebook.ErrConflict) {
		t.Errorf("what was read before: %v, want a conflict", err)
	}
	if m, err := s.Memos.Get(ctx, "snooze"); err != nil || m != (casebook.Memo{}) {
		t.Errorf("another memo: %+v, %v", m, err)
	}
}
