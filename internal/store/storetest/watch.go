package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/netdiag/netdiag/internal/casebook"
)

func testWatch(t *testing.T, s casebook.Store) {
	ctx := begin(t)
	for i := range 3 {
		if _, err := s.Remediations.Create(ctx, Remediation(fmt.Sprintf("rem-%d", i))); err != nil {
			t.Fatal(err)
		}
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	fast, err := s.Remediations.Watch(watching)
	if err != nil {
		t.Fatal(err)
	}
	slow, err := s.Remediations.Watch(watching)
	if err != nil {
		t.Fatal(err)
	}
	// What is there comes first, in any order.
	seen := map[string]casebook.Remediation{}
	for len(seen) < 3 {
		r := next(ctx, t, fast)
		seen[r.Name] = r
	}
	// What is created and changed later comes too; nobody reads from slow meanwhile.
	if _, err := s.Remediations.Create(ctx, Remediation("rem-3")); err != nil {
		t.Fatal(err)
	}
	last := map[string]string{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			name := fmt.Sprintf("rem-%d", i)
			for n := range 20 {
				r, err := s.Remediations.Get(ctx, name)
				if err != nil {
					t.Error(err)
					return
				}
				r.Status.Nonce = fmt.Sprint(n)
				if r, err = s.Remediations.Update(ctx, r); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				last[name] = r.Version
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for kind, ch := range map[string]<-chan casebook.Remediation{"fast": fast, "slow": slow} {
		got := map[string]string{}
		for missing(got, last) {
			r := next(ctx, t, ch)
			got[r.Name] = r.Version
		}
		t.Logf("%s has the last versions %v", kind, got)
	}
	stop()
	for range fast { // whatever still waits, then the end
	}
	for range slow {
	}
}

func missing(got, want map[string]string) bool {
	for name, version := range want {
		if got[name] != version {
			return true
		}
	}
	return false
}

func next(ctx context.Context, t *testing.T, ch <-chan casebook.Remediation) casebook.Remediation {
	t.Helper()
	select {
	case r, ok := <-ch:
		if !ok {
			t.Fatal("the watch ended")
		}
		return r
	case <-ctx.Done():
		t.Fatal("the last version never came")
	}
	return casebook.Remediation{}
}
