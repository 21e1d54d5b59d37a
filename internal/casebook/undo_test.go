package casebook_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/store/memory"
)

// town is a world with executors, for the length of a test in a bubble.
type town struct {
	t    *testing.T
	c    *cluster
	b    *casebook.Book
	ctx  context.Context // ends with the town
	stop func()
}

func newTown(t *testing.T, c *cluster, executors int) *town {
	t.Helper()
	c.now = time.Now
	u := &town{t: t, c: c, b: &casebook.Book{Store: memory.New(time.Now), Policy: anyone{}, Now: time.Now, Patience: -1}}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range executors {
		wg.Go(func() { _ = newExecutor(u.b.Store, c, fmt.Sprintf("executor-%d", i)).Run(ctx) })
	}
	u.ctx, u.stop = ctx, func() { cancel(); wg.Wait() }
	return u
}

// set changes the world.
func (u *town) set(f func(*cluster)) {
	u.c.mu.Lock()
	defer u.c.mu.Unlock()
	f(u.c)
}

// fixed has the trouble of the town fixed.
func (u *town) fixed() casebook.Remediation {
	u.t.Helper()
	r := approve(u.t, u.b, ask(u.t, u.b, u.c, "k"))
	return await(u.ctx, u.t, u.b.Store, r.Name, final)
}

func (u *town) undo(name, by string) (casebook.Remediation, string) {
	u.t.Helper()
	r, err := u.b.ProposeUndo(u.ctx, name, person(by))
	if err != nil && refusal(err) == "" {
		u.t.Fatal(err)
	}
	return r, refusal(err)
}

func TestUndo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newTown(t, &cluster{}, 2)
		defer u.stop()
		r := u.fixed()
		if !casebook.CanUndo(r) {
			t.Fatalf("%s: phase %s, receipt %+v: can't be undone", r.Status.Outcome, r.Status.Phase, r.Status.Receipt)
		}
		undo, no := u.undo(r.Name, second)
		p := undo.Plan
		if no != "" || p.Undoes != r.Name || p.Fix.ID != r.Plan.Fix.ID || p.Risk != r.Plan.Risk || p.Question.User != second || p.Hash != r.Status.Receipt.Undo.Hash() {
			t.Fatalf("refused %q, plan %+v", no, p)
		}
		if want := "security group sg-1: remove rule sgr-1 (tcp port 8080 from sg-2)"; len(p.Fix.Changes) != 1 || p.Fix.Changes[0] != want {
			t.Errorf("changes %q, want %q", p.Fix.Changes, want)
		}
		if again, no := u.undo(r.Name, approver); again.Name != undo.Name || !strings.Contains(no, "open already: it is waiting for approval") {
			t.Errorf("pressed again: %s, %q", again.Name, no)
		}
		if _, err := u.b.Decide(u.ctx, undo.Name, casebook.Click{Nonce: undo.Status.Nonce, By: person(second), Verdict: casebook.Approve}); refusal(err) == "" {
			t.Errorf("approved by who asked for the undo: %v", err)
		}
		approve(t, u.b, undo)
		undo = await(u.ctx, t, u.b.Store, undo.Name, final)
		if undo.Status.Phase != casebook.Succeeded || u.c.revoked != 1 || u.c.rule || undo.Status.Step != casebook.StepVerified || undo.Status.Watch != nil {
			t.Errorf("phase %s, taken back %d times: %s", undo.Status.Phase, u.c.revoked, undo.Status.Outcome)
		}
		if want := "Diagnosed after it: 3 of 3 targets time out."; !strings.Contains(undo.Status.Outcome, want) || !strings.Contains(notes(undo), "as the fix left it") {
			t.Errorf("outcome %q, notes\n%s", undo.Status.Outcome, notes(undo))
		}
		if casebook.CanUndo(undo) {
			t.Error("an undo of an undo is offered")
		}
		if _, no := u.undo(undo.Name, second); !strings.Contains(no, "an undo itself") {
			t.Errorf("undo of an undo: %q", no)
		}
		if _, no := u.undo(r.Name, second); !strings.Contains(no, "undone already") {
			t.Errorf("once it is undone: %q", no)
		}
	})
}

// TestAnUndoThatCameToNothing can be asked for anew; each has a name of its own.
func TestAnUndoThatCameToNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newTown(t, &cluster{}, 1)
		defer u.stop()
		r := u.fixed()
		seen := map[string]bool{}
		for range 3 {
			undo, no := u.undo(r.Name, second)
			if no != "" || seen[undo.Name] {
				t.Fatalf("%s: %q", undo.Name, no)
			}
			seen[undo.Name] = true
			if _, err := u.b.Decide(u.ctx, undo.Name, casebook.Click{Nonce: undo.Status.Nonce, By: person(approver), Verdict: casebook.Reject}); err != nil {
				t.Fatal(err)
			}
		}
		if u.c.revoked != 0 || !u.c.rule {
			t.Error("undone though it was rejected")
		}
	})
}

func TestWhatCannotBeUndone(t *testing.T) {
	for name, c := range map[string]struct {
		world *cluster
		then  func(*town, casebook.Remediation) casebook.Remediation
		want  string
	}{
		"nobody has decided": {&cluster{}, func(_ *town, r casebook.Remediation) casebook.Remediation { return r }, "waiting for approval"},
		"rejected": {&cluster{}, func(u *town, r casebook.Remediation) casebook.Remediation {
			r, err := u.b.Decide(u.ctx, r.Name, casebook.Click{Nonce: r.Status.Nonce, By: person(approver), Verdict: casebook.Reject})
			if err != nil {
				u.t.Fatal(err)
			}
			return r
		}, "nothing was changed"},
		"made by somebody else": {&cluster{foreign: true}, func(u *town, r casebook.Remediation) casebook.Remediation {
			u.set(func(c *cluster) { c.lose = 1 }) // what is there is only found by looking
			approve(u.t, u.b, r)
			return await(u.ctx, u.t, u.b.Store, r.Name, final)
		}, "Nothing of this change is netdiag's own"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := newTown(t, c.world, 1)
				defer u.stop()
				r := c.then(u, ask(t, u.b, u.c, "k"))
				if casebook.CanUndo(r) {
					t.Error("an undo is offered")
				}
				if _, no := u.undo(r.Name, second); !strings.Contains(no, c.want) {
					t.Errorf("%q, want %q", no, c.want)
				}
			})
		})
	}
}

// TestAnUndoOfWhatIsNoLongerOurs: the executor takes back only what is as the fix left it, whatever was approved.
func TestAnUndoOfWhatIsNoLongerOurs(t *testing.T) {
	for name, c := range map[string]struct {
		meddle func(*town, casebook.Remediation)
		phase  casebook.Phase
		want   string
	}{
		"somebody changed it before it is tried": {func(u *town, _ casebook.Remediation) { u.set(func(c *cluster) { c.changed = true }) }, casebook.Cancelled, "as the fix left it"},
		"somebody took it back":                  {func(u *town, _ casebook.Remediation) { u.set(func(c *cluster) { c.rule = false }) }, casebook.Cancelled, "as the fix left it"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := newTown(t, &cluster{}, 1)
				defer u.stop()
				u.b.Patience = 0
				r := ask(t, u.b, u.c, "k")
				synctest.Wait()
				r, err := u.b.Ask(u.ctx, r.Name)
				if err != nil {
					t.Fatal(err)
				}
				approve(t, u.b, r)
				r = await(u.ctx, t, u.b.Store, r.Name, final)
				c.meddle(u, r)
				undo, _ := u.undo(r.Name, second)
				synctest.Wait()
				if undo, err = u.b.Ask(u.ctx, undo.Name); err != nil || undo.Status.Phase != c.phase || !strings.Contains(undo.Status.Outcome, c.want) || u.c.revoked != 0 {
					t.Errorf("phase %s, taken back %d times: %s (%v)", undo.Status.Phase, u.c.revoked, undo.Status.Outcome, err)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		u := newTown(t, &cluster{}, 1)
		defer u.stop()
		r := u.fixed()
		undo, _ := u.undo(r.Name, second)
		synctest.Wait() // tried
		u.set(func(c *cluster) { c.changed = true })
		approve(t, u.b, undo)
		undo = await(u.ctx, t, u.b.Store, undo.Name, final)
		if undo.Status.Phase != casebook.Failed || u.c.revoked != 0 || !strings.Contains(undo.Status.Outcome, "Not undone, nothing was changed") {
			t.Errorf("phase %s, taken back %d times: %s", undo.Status.Phase, u.c.revoked, undo.Status.Outcome)
		}
	})
}

// TestAForgedUndo: a plan that says it undoes something is believed only where the receipt says the same.
func TestAForgedUndo(t *testing.T) {
	for name, forge := range map[string]func(*casebook.Plan){
		"another action": func(p *casebook.Plan) {
			a := *p.Fix.Action.RevokeIngress
			a.Rule = "sgr-9"
			p.Fix.Action.RevokeIngress = &a
			p.Hash = p.Fix.Action.Hash()
		},
		"of what isn't there": func(p *casebook.Plan) { p.Undoes = "rem-none" },
		"of lower risk": func(p *casebook.Plan) {
			p.Fix.ID, p.Risk, p.Fix.Risk, p.SelfApproval = "alb/reconcile-kick", "low", "low", true
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := newTown(t, &cluster{}, 0)
				defer u.stop()
				away := u.background(newExecutor(u.b.Store, u.c, "executor-1"))
				r := u.fixed()
				away() // while it is forged and approved: nobody has tried it
				undo, _ := u.undo(r.Name, second)
				forged := undo
				forged.Name, forged.Status = "rem-forged", casebook.RemediationStatus{Phase: casebook.Proposed}
				forge(&forged.Plan)
				forged, err := u.b.Store.Remediations.Create(u.ctx, forged)
				if err == nil {
					forged.Status.Phase, forged.Status.Nonce = casebook.AwaitingApproval, "00"
					forged, err = u.b.Store.Remediations.Update(u.ctx, forged)
				}
				if err != nil {
					t.Fatal(err)
				}
				approve(t, u.b, forged)
				defer u.background(newExecutor(u.b.Store, u.c, "executor-2"))()
				forged = await(u.ctx, t, u.b.Store, forged.Name, final)
				if forged.Status.Phase != casebook.Cancelled || u.c.revoked != 0 {
					t.Errorf("phase %s, taken back %d times: %s", forged.Status.Phase, u.c.revoked, forged.Status.Outcome)
				}
			})
		})
	}
}
