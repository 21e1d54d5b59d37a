package casebook_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/store/memory"
)

// lever is a brake that is pulled just before it is read for the n-th time.
type lever struct {
	casebook.Brake
	mu   sync.Mutex
	n    int
	pull func() (casebook.Halt, error)
}

func (l *lever) Get(ctx context.Context) (casebook.Halt, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n--; l.n <= 0 {
		return l.pull()
	}
	return l.Brake.Get(ctx)
}

// TestHaltAtEveryStep stops changes, or has the halt unreadable from there on, before each read of it.
func TestHaltAtEveryStep(t *testing.T) {
	by := func() (casebook.Halt, error) { return casebook.Halt{On: true, By: second, Since: time.Now()}, nil }
	broken := func() (casebook.Halt, error) { return casebook.Halt{}, errors.New("get ConfigMap: connection refused") }
	odd := func() (casebook.Halt, error) { return casebook.Halt{}, &casebook.OddHalt{Why: "halted is perhaps"} }
	for name, c := range map[string]struct {
		n       int
		world   func(*cluster)
		phase   casebook.Phase
		applied int
	}{
		"before it is claimed":           {1, nil, casebook.Expired, 0},
		"before it is diagnosed again":   {2, nil, casebook.Cancelled, 0},
		"before the intent is stored":    {3, nil, casebook.Cancelled, 0},
		"before the change is made":      {4, nil, casebook.Failed, 0},
		"before it is verified":          {5, nil, casebook.Succeeded, 1},
		"after a change without answer":  {5, func(c *cluster) { c.lose, c.lag = 1, 5*time.Second }, casebook.Succeeded, 1},
		"after a change that is refused": {5, func(c *cluster) { c.refuse = errors.New("throttled") }, casebook.Failed, 0},
	} {
		for how, pull := range map[string]func() (casebook.Halt, error){"stopped": by, "unreadable": broken, "odd": odd} {
			t.Run(name+", "+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := &cluster{}
					if c.world != nil {
						c.world(w)
					}
					r := runBraked(t, w, c.n, pull)
					if r.Status.Phase != c.phase || w.applied != c.applied {
						t.Errorf("phase %s, applied %d times; want %s and %d\n%s", r.Status.Phase, w.applied, c.phase, c.applied, notes(r))
					}
					want := "halted: It can't be read whether changes are stopped"
					if how == "stopped" {
						want = "halted: Changes are stopped by <@" + second + "> since 1 January 00:"
					}
					if told := strings.Contains(notes(r), want); told != (c.phase != casebook.Succeeded) {
						t.Errorf("the thread is told\n%s", notes(r))
					}
				})
			})
		}
	}
}

// Without a brake there is nobody to say that changes are not stopped.
func TestNoBrake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &cluster{}
		r := runBraked(t, w, 0, nil)
		if r.Status.Phase != casebook.Expired || w.applied != 0 {
			t.Errorf("phase %s, applied %d times", r.Status.Phase, w.applied)
		}
	})
}

// runBraked carries out the approved fix of w with one executor whose brake is pulled at its n-th read; without pull it has none.
func runBraked(t *testing.T, w *cluster, n int, pull func() (casebook.Halt, error)) casebook.Remediation {
	t.Helper()
	w.now = time.Now
	b := &casebook.Book{Store: memory.New(time.Now), Policy: anyone{}, Now: time.Now, Patience: -1}
	s := b.Store
	if s.Halt = nil; pull != nil {
		s.Halt = &lever{Brake: b.Store.Halt, n: n, pull: pull}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = newExecutor(s, w, "executor-1").Run(ctx) })
	wg.Go(func() {
		for ctx.Err() == nil {
			if err := b.Tend(ctx); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
			time.Sleep(5 * time.Second)
		}
	})
	r := approve(t, b, ask(t, b, w, "k"))
	r = await(ctx, t, b.Store, r.Name, final)
	cancel()
	wg.Wait()
	return r
}

// TestResumedInTime: what was approved during a halt starts once it is over.
func TestResumedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{}
		r := run(t, c, 2, func(b *casebook.Book, r casebook.Remediation) {
			if _, err := b.Stop(t.Context(), person(second)); err != nil {
				t.Fatal(err)
			}
			time.AfterFunc(4*time.Minute, func() {
				if is := get(t, b.Store, r.Name); is.Status.Phase != casebook.Approved || c.applied != 0 {
					t.Errorf("while stopped: %s, applied %d times", is.Status.Phase, c.applied)
				}
				if _, err := b.Resume(context.Background(), person(approver)); err != nil {
					t.Error(err)
				}
			})
		})
		if r.Status.Phase != casebook.Succeeded || c.applied != 1 || !strings.HasPrefix(notes(r), "halted: Changes are stopped by <@"+second+">") {
			t.Errorf("phase %s, applied %d times\n%s", r.Status.Phase, c.applied, notes(r))
		}
	})
}

// racing lets somebody else change the halt between a read and a write.
type racing struct {
	casebook.Brake
	meanwhile func()
}

func (r *racing) Set(ctx context.Context, h casebook.Halt) (casebook.Halt, error) {
	if f := r.meanwhile; f != nil {
		r.meanwhile = nil
		f()
	}
	return r.Brake.Set(ctx, h)
}

func TestStopAndResume(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 30, 0, 0, time.UTC)
	b := &casebook.Book{Store: memory.New(time.Now), Policy: anyone{}, Now: func() time.Time { now = now.Add(time.Second); return now }}
	brake := &racing{Brake: b.Store.Halt}
	b.Store.Halt = brake
	ctx := t.Context()
	if was, err := b.Resume(ctx, person(approver)); err != nil || was.On {
		t.Errorf("nothing to resume: %+v, %v", was, err)
	}
	first, err := b.Stop(ctx, person(requester))
	if err != nil || !first.On || first.By != requester {
		t.Fatalf("%+v, %v", first, err)
	}
	if again, err := b.Stop(ctx, person(second)); err != nil || again != first {
		t.Errorf("stopped twice: %+v, %v; want %+v", again, err, first)
	}
	// While one resumes, another has resumed and somebody stopped anew: nobody has seen that halt.
	brake.meanwhile = func() {
		if _, err := b.Resume(ctx, person(approver)); err != nil {
			t.Error(err)
		}
		if _, err := b.Stop(ctx, person(second)); err != nil {
			t.Error(err)
		}
	}
	var refusal diagnostics.Refusal
	if _, err := b.Resume(ctx, person(approver)); !errors.As(err, &refusal) {
		t.Errorf("resumed a halt that nobody has seen: %v", err)
	}
	if h, err := b.Store.Halt.Get(ctx); err != nil || !h.On || h.By != second {
		t.Errorf("%+v, %v", h, err)
	}
	if was, err := b.Resume(ctx, person(approver)); err != nil || !was.On || was.By != second {
		t.Errorf("%+v, %v", was, err)
	}
	// Two stop at once: the halt is that of the first.
	brake.meanwhile = func() {
		if _, err := b.Stop(ctx, person(second)); err != nil {
			t.Error(err)
		}
	}
	if h, err := b.Stop(ctx, person(requester)); err != nil || h.By != second {
		t.Errorf("%+v, %v", h, err)
	}
}
