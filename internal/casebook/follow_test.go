package casebook_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/netdiag/netdiag/internal/casebook"
)

// A change that was accepted and fails a while later ends as soon as that can be read, with the reason, what is so and the
// way back; also where the trouble looks gone meanwhile.
func TestAcceptedAndThenFailed(t *testing.T) {
	for name, w := range map[string]*cluster{
		"trouble stays":        {fails: 40 * time.Second, heals: time.Hour},
		"trouble goes":         {fails: 40 * time.Second, dark: 35 * time.Second},
		"not readable at once": {fails: 40 * time.Second, dark: time.Hour, deaf: 9},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := run(t, w, 1, nil)
				s := r.Status
				if s.Phase != casebook.NeedsHuman || w.applied != 1 {
					t.Fatalf("%s, applied %d times: %s", s.Phase, w.applied, s.Outcome)
				}
				if took := s.Notes[len(s.Notes)-1].At.Sub(s.Applied); took < 40*time.Second || took > 50*time.Second {
					t.Errorf("told %s after the change, want as soon as it is known", took)
				}
				for _, want := range []string{"The change was accepted, and failed within 4", "update sgr-1 is Failed (Conflict: somebody else).", "Diagnosed after it: ", "To undo it: revoke the rule"} {
					if !strings.Contains(s.Outcome, want) || !strings.Contains(notes(r), want) {
						t.Errorf("outcome and notes don't say %q: %s", want, s.Outcome)
					}
				}
				if !casebook.CanUndo(r) {
					t.Error("can't be undone")
				}
			})
		})
	}
}

// An undo that was accepted and then fails ends the same way.
func TestUndoAcceptedAndThenFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newTown(t, &cluster{}, 1)
		defer u.stop()
		r := u.fixed()
		u.set(func(c *cluster) { c.fails, c.lag = 30*time.Second, time.Hour })
		undo, refused := u.undo(r.Name, requester)
		if refused != "" {
			t.Fatal(refused)
		}
		undo = await(u.ctx, t, u.b.Store, approve(t, u.b, undo).Name, final)
		s := undo.Status
		if s.Phase != casebook.NeedsHuman || !strings.Contains(s.Outcome, "The undo was accepted, and failed within ") || !strings.Contains(s.Outcome, "(Conflict: somebody else)") {
			t.Errorf("%s: %s", s.Phase, s.Outcome)
		}
	})
}

// While a change is still being carried out it is not called done, for nobody could undo it yet.
func TestStillBeingCarriedOut(t *testing.T) {
	for name, c := range map[string]struct {
		rolls time.Duration
		phase casebook.Phase
		says  []string
	}{
		"over soon":  {90 * time.Second, casebook.Succeeded, []string{"Done: ", " is gone 1m3"}},
		"never over": {time.Hour, casebook.NeedsHuman, []string{"The trouble is gone, but ", "the change is still being carried out", "A person has to look how it ends. To undo it then: revoke the rule"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := run(t, &cluster{rolls: c.rolls}, 1, nil).Status
				if s.Phase != c.phase {
					t.Errorf("%s: %s", s.Phase, s.Outcome)
				}
				for _, want := range c.says {
					if !strings.Contains(s.Outcome, want) {
						t.Errorf("the outcome doesn't say %q: %s", want, s.Outcome)
					}
				}
			})
		})
	}
}
