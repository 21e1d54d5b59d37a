package casebook_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/remedy"
	"github.com/netdiag/netdiag/internal/store/memory"
)

// dying is the store and the hands of a process that dies at its n-th write: the write is lost, or is made and the answer lost. After
// that nothing it does arrives anywhere.
type dying struct {
	casebook.Records[casebook.Remediation]
	kill context.CancelFunc

	mu     sync.Mutex
	writes int
	at     int
	made   bool // the fatal write is made
	dead   bool
}

func (d *dying) Update(ctx context.Context, r casebook.Remediation) (casebook.Remediation, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead {
		return r, errDead
	}
	if d.writes++; d.writes == d.at {
		d.dead = true
		defer d.kill()
		if d.made {
			_, _ = d.Records.Update(context.WithoutCancel(ctx), r)
		}
		return r, errDead
	}
	return d.Records.Update(ctx, r)
}

// TestTheStoreStutters lets every third write fail, half of them after they were made.
func TestTheStoreStutters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{now: time.Now, heals: 40 * time.Second}
		b := &casebook.Book{Store: memory.New(time.Now), Policy: anyone{}, Now: time.Now, Patience: -1}
		r := approve(t, b, ask(t, b, c, "k"))
		ctx, cancel := context.WithCancel(t.Context())
		s := casebook.Store{Halt: b.Store.Halt, Investigations: b.Store.Investigations, Remediations: &stuttering{Records: b.Store.Remediations}}
		var wg sync.WaitGroup
		wg.Go(func() { _ = newExecutor(s, c, "executor-1").Run(ctx) })
		r = await(ctx, t, b.Store, r.Name, final)
		cancel()
		wg.Wait()
		if r.Status.Phase != casebook.Succeeded || c.applied != 1 || r.Status.Claim.Epoch != 1 {
			t.Errorf("phase %s, applied %d times, epoch %d: %s", r.Status.Phase, c.applied, r.Status.Claim.Epoch, r.Status.Outcome)
		}
	})
}

type stuttering struct {
	casebook.Records[casebook.Remediation]
	mu sync.Mutex
	n  int
}

func (s *stuttering) Update(ctx context.Context, r casebook.Remediation) (casebook.Remediation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n++; s.n > 1 && s.n%3 == 0 {
		if s.n%2 == 0 {
			_, _ = s.Records.Update(ctx, r)
		}
		return r, errors.New("etcdserver: request timed out")
	}
	return s.Records.Update(ctx, r)
}

// TestALostClaimStopsTheHolder cuts an executor off from the store once it has stored its intent, while its clock and its
// hands go on, slowly. What it began must not reach the world after another may have taken over.
func TestALostClaimStopsTheHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{now: time.Now, heals: 40 * time.Second}
		b := &casebook.Book{Store: memory.New(time.Now), Policy: anyone{}, Now: time.Now, Patience: -1}
		r := approve(t, b, ask(t, b, c, "k"))
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		d := &dying{Records: b.Store.Remediations, kill: func() {}, at: 5} // 1 claim, 2 preflight, 3 intent, 4 renewed while it looks
		cut := newExecutor(casebook.Store{Halt: b.Store.Halt, Investigations: b.Store.Investigations, Remediations: d}, c, "executor-1")
		slow := &slowHands{cluster: c, hold: 19 * time.Second}
		cut.Hands = slow
		wg.Go(func() { _ = cut.Run(ctx) })
		await(ctx, t, b.Store, r.Name, func(r casebook.Remediation) bool { return r.Status.Phase == casebook.Applying })
		wg.Go(func() { _ = newExecutor(b.Store, c, "executor-2").Run(ctx) })
		r = await(ctx, t, b.Store, r.Name, final)
		time.Sleep(10 * time.Minute) // of the bubble: whatever the first one still meant to do would be done by now
		cancel()
		wg.Wait()
		if r.Status.Phase != casebook.Succeeded || c.applied != 1 || r.Status.Claim.Holder != "executor-2" {
			t.Errorf("phase %s, applied %d times, holder %s: %s", r.Status.Phase, c.applied, r.Status.Claim.Holder, r.Status.Outcome)
		}
		if slow.begun == 0 || slow.done != 0 {
			t.Errorf("the one that was cut off began %d changes and made %d; want it stopped in the middle", slow.begun, slow.done)
		}
	})
}

// slowHands take their time for everything, and stop when they are told to.
type slowHands struct {
	*cluster
	hold        time.Duration
	begun, done int
}

func (s *slowHands) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(s.hold):
		return nil
	}
}

func (s *slowHands) Look(ctx context.Context, a remedy.Action, m remedy.Mark) (bool, remedy.Receipt, error) {
	if err := s.wait(ctx); err != nil {
		return false, remedy.Receipt{}, err
	}
	return s.cluster.Look(ctx, a, m)
}

func (s *slowHands) Apply(ctx context.Context, a remedy.Action, m remedy.Mark) (remedy.Receipt, error) {
	s.begun++
	if err := s.wait(ctx); err != nil {
		return remedy.Receipt{}, err
	}
	s.done++
	return s.cluster.Apply(ctx, a, m)
}

// TestAWatchThatLagsMakesNoBusyLoop lets the executor see each change ten seconds late: what it has just dealt with still
// looks approved and unclaimed to it.
func TestAWatchThatLagsMakesNoBusyLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{now: time.Now}
		b := &casebook.Book{Store: memory.New(time.Now), Policy: anyone{}, Now: time.Now, Patience: -1}
		r := approve(t, b, ask(t, b, c, "k"))
		c.healthy = true
		ctx, cancel := context.WithCancel(t.Context())
		late := &lagging{Records: b.Store.Remediations, enough: cancel}
		var wg sync.WaitGroup
		wg.Go(func() {
			_ = newExecutor(casebook.Store{Halt: b.Store.Halt, Investigations: b.Store.Investigations, Remediations: late}, c, "executor-1").Run(ctx)
		})
		time.Sleep(time.Minute) // of the bubble
		cancel()
		wg.Wait()
		if r = get(t, b.Store, r.Name); r.Status.Phase != casebook.Superseded || late.writes > 20 {
			t.Errorf("phase %s after %d writes", r.Status.Phase, late.writes)
		}
	})
}

type lagging struct {
	casebook.Records[casebook.Remediation]
	writes int
	enough func() // called when there were far too many writes
}

func (l *lagging) Update(ctx context.Context, r casebook.Remediation) (casebook.Remediation, error) {
	if l.writes++; l.writes > 1000 {
		l.enough()
	}
	return l.Records.Update(ctx, r)
}

func (l *lagging) Watch(ctx context.Context) (<-chan casebook.Remediation, error) {
	in, err := l.Records.Watch(ctx)
	out := make(chan casebook.Remediation)
	go func() {
		defer close(out)
		for r := range in {
			select {
			case <-time.After(10 * time.Second):
			case <-ctx.Done():
				return
			}
			select {
			case out <- r:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, err
}
