package casebook_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/casebook"
)

func watchOver(r casebook.Remediation) bool { return r.Status.Watch.State != casebook.Watching }

func TestWatch(t *testing.T) {
	for name, c := range map[string]struct {
		world  *cluster
		meddle func(*town)   // in the world,
		at     time.Duration // so long after the end
		state  casebook.WatchState
		when   time.Duration // from the end, when the watch is over
		want   string        // in the note
	}{
		"it holds":                 {&cluster{}, nil, 0, casebook.Held, 12 * time.Minute, "still in effect. The trouble has not come back: all 3 targets are healthy."},
		"taken back soon":          {&cluster{}, func(u *town) { u.c.rule = false }, time.Minute, casebook.Undone, 11 * time.Minute, "not in effect any more. Who took it back is not known. Back is: " + trouble + ". 3 of 3 targets time out."},
		"taken back late":          {&cluster{}, func(u *town) { u.c.rule = false }, 11 * time.Minute, casebook.Undone, 13 * time.Minute, "not in effect any more"},
		"in effect, but of no use": {&cluster{}, func(u *town) { u.c.next = "alb/hc.path" }, time.Minute, casebook.Held, 12 * time.Minute, "3 of 3 targets answer 404"},
		"can't be diagnosed":       {&cluster{}, func(u *town) { u.c.outage = 100 }, time.Minute, casebook.Held, 12 * time.Minute, "can't be diagnosed"},
		"can't be looked at for a bit": {&cluster{}, func(u *town) {
			u.c.lookErr = errors.New("throttled")
			time.AfterFunc(20*time.Minute, func() { u.set(func(c *cluster) { c.lookErr = nil }) })
		}, time.Minute, casebook.Held, 22 * time.Minute, "still in effect"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := newTown(t, c.world, 2)
				defer u.stop()
				r := u.fixed()
				if w := r.Status.Watch; w == nil || w.State != casebook.Watching || !w.Until.Equal(r.Status.Applied.Add(12*time.Minute)) {
					t.Fatalf("watch %+v, applied %s", w, r.Status.Applied)
				}
				time.Sleep(c.at) // of the bubble
				if c.meddle != nil {
					u.set(func(*cluster) { c.meddle(u) })
				}
				r = await(u.ctx, t, u.b.Store, r.Name, watchOver)
				note := r.Status.Notes[len(r.Status.Notes)-1]
				if r.Status.Watch.State != c.state || note.Key != "watch" || !strings.Contains(note.Text, c.want) || r.Status.Phase != casebook.Succeeded {
					t.Errorf("%s; %s: %s\nwant %s, %q", r.Status.Watch.State, note.Key, note.Text, c.state, c.want)
				}
				if took := time.Since(r.Status.Finished); took > c.when+time.Minute || took < c.when-time.Minute {
					t.Errorf("over %s after the end, want about %s", took, c.when)
				}
				time.Sleep(3 * time.Hour) // of the bubble
				looks := u.c.looks
				time.Sleep(3 * time.Hour)
				if u.c.looks != looks || len(get(t, u.b.Store, r.Name).Status.Notes) != len(r.Status.Notes) {
					t.Error("it was looked at again once the watch was over")
				}
			})
		})
	}
}

// TestAWatchOverWhatIsUndoneOnRequest: a watch locks no target, so an undo can be made meanwhile; it is no reason to ask anew.
func TestAWatchOverWhatIsUndoneOnRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newTown(t, &cluster{}, 2)
		defer u.stop()
		r := u.fixed()
		undo, no := u.undo(r.Name, second)
		if no != "" {
			t.Fatal(no)
		}
		approve(t, u.b, undo)
		if undo = await(u.ctx, t, u.b.Store, undo.Name, final); undo.Status.Phase != casebook.Succeeded {
			t.Fatalf("phase %s: %s", undo.Status.Phase, undo.Status.Outcome)
		}
		r = await(u.ctx, t, u.b.Store, r.Name, watchOver)
		if r.Status.Watch.State != casebook.Undone || !strings.Contains(notes(r), "undone on request, by "+undo.Name) {
			t.Errorf("%s, notes\n%s", r.Status.Watch.State, notes(r))
		}
		if inv, _, err := u.b.Again(u.ctx, r); err != nil || inv.Name != "" {
			t.Errorf("asked anew: %s, %v", inv.Name, err)
		}
	})
}

// TestAWatchOutlivesItsExecutor: the first look is made by an executor that dies in it, the next by another one.
func TestAWatchOutlivesItsExecutor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newTown(t, &cluster{}, 1)
		r := u.fixed()
		await(u.ctx, t, u.b.Store, r.Name, func(r casebook.Remediation) bool { return r.Status.Watch.At.After(r.Status.Finished) })
		u.stop() // in the middle of its look
		u.c.rule = false
		heir := newTown(t, u.c, 0)
		heir.b = u.b
		defer heir.stop()
		done := make(chan struct{})
		go func() { // owned by the receive below
			defer close(done)
			_ = newExecutor(u.b.Store, u.c, "heir").Run(heir.ctx)
		}()
		r = await(heir.ctx, t, u.b.Store, r.Name, watchOver)
		if r.Status.Watch.State != casebook.Undone {
			t.Errorf("%s, notes\n%s", r.Status.Watch.State, notes(r))
		}
		heir.stop()
		<-done
	})
}

// again opens the question anew and answers it, as the front end does.
func (u *town) again(r casebook.Remediation) (casebook.Investigation, []casebook.Remediation) {
	u.t.Helper()
	inv, created, err := u.b.Again(u.ctx, r)
	if err != nil || !created {
		u.t.Fatalf("Again: created %v, error %v", created, err)
	}
	if twice, created, err := u.b.Again(u.ctx, r); err != nil || created || twice.Name != inv.Name {
		u.t.Errorf("again: %s, created %v, error %v", twice.Name, created, err)
	}
	if inv, err = u.b.Claim(u.ctx, inv.Name, "front-1"); err != nil {
		u.t.Fatal(err)
	}
	report, err := u.c.Diagnose(u.ctx, inv.Question.Diagnosis, inv.Question.Target)
	if err != nil {
		u.t.Fatal(err)
	}
	inv, rs, err := u.b.Report(u.ctx, inv, report)
	if err != nil {
		u.t.Fatal(err)
	}
	return inv, rs
}

// TestWhatWasOvertakenIsAskedAnew, in the same thread, and its fixes follow.
func TestWhatWasOvertakenIsAskedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newTown(t, &cluster{}, 1)
		defer u.stop()
		r := ask(t, u.b, u.c, "k")
		if _, err := u.b.ChangeInvestigation(u.ctx, r.Plan.Investigation, func(s *casebook.InvestigationStatus) error {
			s.Root = casebook.Message{Channel: "C0CHANNEL", TS: "1.1"}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		for n := range 4 {
			u.set(func(c *cluster) { c.drift = 9000 + n })
			approve(t, u.b, r)
			if r = await(u.ctx, t, u.b.Store, r.Name, final); r.Status.Phase != casebook.Superseded || r.Status.Moot {
				t.Fatalf("phase %s, moot %v: %s", r.Status.Phase, r.Status.Moot, r.Status.Outcome)
			}
			if n == 3 {
				break
			}
			inv, rs := u.again(r)
			if q := inv.Question; q.Thread != "1.1" || q.After != r.Name || q.User != requester || q.Command != r.Plan.Question.Command {
				t.Errorf("asked anew: %+v", q)
			}
			if len(rs) != 1 || rs[0].Plan.Follows != r.Name || rs[0].Plan.Fix.Action.AllowIngress.Port != 9000+n {
				t.Fatalf("proposed: %+v", rs)
			}
			r = rs[0]
		}
		first := get(t, u.b.Store, r.Plan.Follows)
		_, created, err := u.b.Again(u.ctx, r)
		if stop, ok := errors.AsType[*casebook.Stopped](err); !ok || created || !strings.Contains(stop.Sentence, "asked anew 3 times") || refusal(err) == "" {
			t.Errorf("a fourth time: created %v, error %v", created, err)
		}
		time.Sleep(2 * time.Hour) // of the bubble
		if inv, created, err := u.b.Again(u.ctx, first); inv.Name != "" || created || err != nil {
			t.Errorf("long after: asked anew as %s, created %v, error %v", inv.Name, created, err)
		}
	})
}

func TestWhatIsNotAskedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newTown(t, &cluster{}, 1)
		defer u.stop()
		gone := ask(t, u.b, u.c, "k")
		u.set(func(c *cluster) { c.healthy = true })
		approve(t, u.b, gone)
		gone = await(u.ctx, t, u.b.Store, gone.Name, final)
		if gone.Status.Phase != casebook.Superseded || !gone.Status.Moot {
			t.Errorf("phase %s, moot %v: %s", gone.Status.Phase, gone.Status.Moot, gone.Status.Outcome)
		}
		for _, r := range []casebook.Remediation{gone, inPhase(casebook.Succeeded), inPhase(casebook.Failed), inPhase(casebook.Rejected)} {
			if inv, created, err := u.b.Again(u.ctx, r); inv.Name != "" || created || err != nil {
				t.Errorf("%s: asked anew as %s, error %v", r.Status.Phase, inv.Name, err)
			}
		}
	})
}

// TestWhatWasRevertedIsAskedAnew once the watch has seen it.
func TestWhatWasRevertedIsAskedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newTown(t, &cluster{}, 1)
		defer u.stop()
		r := u.fixed()
		u.set(func(c *cluster) { c.rule = false })
		r = await(u.ctx, t, u.b.Store, r.Name, watchOver)
		_, rs := u.again(r)
		if len(rs) != 1 || rs[0].Plan.Follows != r.Name {
			t.Errorf("proposed: %+v", rs)
		}
	})
}

// TestWhoTookItBack is told where the timeline of the report has it.
func TestWhoTookItBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newTown(t, &cluster{}, 0)
		defer u.stop()
		e := newExecutor(u.b.Store, u.c, "executor-1")
		e.Diagnose = func(ctx context.Context, name string, target diagnostics.Target) (diagnostics.Report, error) {
			r, err := u.c.Diagnose(ctx, name, target)
			r.Timeline = []diagnostics.Moment{
				{At: time.Now().Add(-time.Hour), What: "long ago", Source: "trail"},
				{At: time.Now().Add(-time.Minute), What: "terraform revoked a rule of sg-1", Source: "trail"},
			}
			return r, err
		}
		done := make(chan struct{})
		go func() { // owned by the receive below
			defer close(done)
			_ = e.Run(u.ctx)
		}()
		r := u.fixed()
		u.set(func(c *cluster) { c.rule = false })
		r = await(u.ctx, t, u.b.Store, r.Name, watchOver)
		if text := notes(r); !strings.Contains(text, "terraform revoked a rule of sg-1. Back is") || strings.Contains(text, "long ago") {
			t.Error(text)
		}
		u.stop()
		<-done
	})
}
