package casebook_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/remedy"
	"github.com/netdiag/netdiag/internal/store/memory"
)

// TestNobodyIsAskedForWhatCannotBeMade: an executor tries each proposed change, and only then people are asked.
func TestNobodyIsAskedForWhatCannotBeMade(t *testing.T) {
	for name, c := range map[string]struct {
		world   *cluster
		alone   bool // no executor runs
		after   time.Duration
		phase   casebook.Phase
		outcome string
		tried   bool
	}{
		"it can be made":      {&cluster{}, false, time.Second, casebook.AwaitingApproval, "", true},
		"no permission":       {&cluster{deny: fmt.Errorf("authorize: %w: UnauthorizedOperation", remedy.ErrRefused)}, false, time.Second, casebook.Cancelled, "UnauthorizedOperation", true},
		"no executor, early":  {&cluster{}, true, 9 * time.Second, casebook.Proposed, "", false},
		"no executor":         {&cluster{}, true, 11 * time.Second, casebook.AwaitingApproval, "", false},
		"AWS doesn't answer":  {&cluster{deny: errors.New("dial: timeout")}, false, 30 * time.Second, casebook.AwaitingApproval, "", false},
		"expired before that": {&cluster{}, true, time.Hour, casebook.Expired, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.world.now = time.Now
				b := &casebook.Book{Store: memory.New(time.Now), Policy: anyone{}, Now: time.Now}
				ctx, cancel := context.WithCancel(t.Context())
				var wg sync.WaitGroup
				if !c.alone {
					for i := range 2 {
						wg.Go(func() { _ = newExecutor(b.Store, c.world, fmt.Sprintf("executor-%d", i)).Run(ctx) })
					}
				}
				r := ask(t, b, c.world, "k")
				if r.Status.Trial == nil && (r.Status.Phase != casebook.Proposed || r.Status.Nonce != "") { // an executor may be fast
					t.Errorf("at once: phase %s, nonce %q; want it only proposed", r.Status.Phase, r.Status.Nonce)
				}
				time.Sleep(c.after) // of the bubble
				if err := b.Tend(ctx); err != nil {
					t.Fatal(err)
				}
				r = get(t, b.Store, r.Name)
				if r.Status.Phase != c.phase || (r.Status.Trial != nil) != c.tried || !strings.Contains(r.Status.Outcome, c.outcome) {
					t.Errorf("phase %s, trial %+v: %s; want %s", r.Status.Phase, r.Status.Trial, r.Status.Outcome, c.phase)
				}
				if asked := r.Status.Phase == casebook.AwaitingApproval; asked != (r.Status.Nonce != "") {
					t.Errorf("phase %s with nonce %q", r.Status.Phase, r.Status.Nonce)
				}
				cancel()
				wg.Wait()
			})
		})
	}
}

// TestALateTrialTakesTheQuestionBack: an executor that was away when people were asked still finds what can't be made.
func TestALateTrialTakesTheQuestionBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{now: time.Now, deny: fmt.Errorf("%w: no", remedy.ErrRefused)}
		b := &casebook.Book{Store: memory.New(time.Now), Policy: anyone{}, Now: time.Now}
		r := ask(t, b, c, "k")
		time.Sleep(20 * time.Second) // of the bubble
		if r, err := b.Ask(t.Context(), r.Name); err != nil || r.Status.Phase != casebook.AwaitingApproval {
			t.Fatalf("phase %s, error %v", r.Status.Phase, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = newExecutor(b.Store, c, "executor-1").Run(ctx) })
		await(ctx, t, b.Store, r.Name, func(r casebook.Remediation) bool { return r.Status.Trial != nil })
		if r, err := b.Ask(ctx, r.Name); err != nil || r.Status.Phase != casebook.Cancelled || r.Status.Finished.IsZero() {
			t.Errorf("phase %s, error %v", r.Status.Phase, err)
		}
		cancel()
		wg.Wait()
	})
}
