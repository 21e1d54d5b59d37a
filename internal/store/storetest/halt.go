package storetest

import (
	"errors"
	"sync"
	"testing"

	"github.com/netdiag/netdiag/internal/casebook"
)

// testHalt: the halt survives as it was written, and of those who write at once one wins.
func testHalt(t *testing.T, s casebook.Store) {
	ctx := begin(t)
	h, err := s.Halt.Get(ctx)
	if err != nil || h != (casebook.Halt{}) {
		t.Fatalf("at first: %+v, %v", h, err)
	}
	const times = 8
	errs := make([]error, times)
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range times {
		wg.Go(func() {
			<-start
			_, errs[i] = s.Halt.Set(ctx, casebook.Halt{On: true, By: "U0STOPPER", Since: question().At})
		})
	}
	close(start)
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if !errors.Is(err, casebook.ErrConflict) {
			t.Error(err)
		}
	}
	h, err = s.Halt.Get(ctx)
	if won != 1 || err != nil || !h.On || h.By != "U0STOPPER" || !h.Since.Equal(question().At) || h.Version == "" {
		t.Fatalf("%d of %d won: %+v, %v", won, times, h, err)
	}
	off := h
	off.On = false
	if off, err = s.Halt.Set(ctx, off); err != nil || off.On {
		t.Fatalf("%+v, %v", off, err)
	}
	if _, err = s.Halt.Set(ctx, h); !errors.Is(err, casebook.ErrConflict) {
		t.Errorf("an old version was taken: %v", err)
	}
	if h, err = s.Halt.Get(ctx); err != nil || h.On || h.Version != off.Version {
		t.Errorf("in the end: %+v, %v", h, err)
	}
}
