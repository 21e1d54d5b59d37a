package handlers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/netdiag/netdiag/internal/casebook"
)

// holding is the right of this process to tell Slack of one record. Its context ends with it: nothing may be told after that.
type holding struct {
	ctx    context.Context // belongs to the holding as the claim does
	cancel context.CancelFunc
	claim  casebook.Claim // as it was taken
	doubt  bool           // whoever had it before went without giving it back: what it was posting may be there
	now    func() time.Time
	change func(context.Context, func(*casebook.Claim) error) error // of the claim in the store

	mu      sync.Mutex
	renewed time.Time // by our own clock, before the last write that succeeded
}

// may reports, by its error, that it is too late to begin a call: another process may be telling the same.
func (h *holding) may() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ctx.Err() != nil || h.now().Sub(h.renewed) > casebook.TellWithin(callLimit) {
		return fmt.Errorf("renewed at %s: %w", h.renewed.UTC().Format(time.TimeOnly), casebook.ErrLost)
	}
	return nil
}

// keep renews the claim until the holding ends, or is lost.
func (h *holding) keep() {
	defer h.cancel()
	for sleep(h.ctx, renewEvery) {
		at := h.now()
		call, done := context.WithTimeout(h.ctx, recordPost)
		err := h.change(call, func(c *casebook.Claim) error { return c.Keep(h.claim, at) })
		done()
		switch {
		case err == nil:
			h.mu.Lock()
			h.renewed = at
			h.mu.Unlock()
		case errors.Is(err, casebook.ErrLost), errors.Is(err, casebook.ErrNotFound), h.may() != nil:
			return
		}
	}
}

// holdInvestigation gives the right to tell of an investigation. ErrHeld where another process tells it: then it is looked
// at again after a while.
func (t *teller) holdInvestigation(ctx context.Context, name string) (*holding, error) {
	return t.hold(ctx, name, func() (casebook.Claim, bool, error) {
		inv, doubt, err := t.Book.Deliver(ctx, name, t.Holder)
		return inv.Status.Delivery, doubt, err
	}, func(ctx context.Context, f func(*casebook.Claim) error) error {
		_, err := t.Book.ChangeInvestigation(ctx, name, func(s *casebook.InvestigationStatus) error { return f(&s.Delivery) })
		return err
	})
}

// holdFix is holdInvestigation for a remediation.
func (t *teller) holdFix(ctx context.Context, name string) (*holding, error) {
	return t.hold(ctx, name, func() (casebook.Claim, bool, error) {
		rem, doubt, err := t.Book.DeliverFix(ctx, name, t.Holder)
		return rem.Status.Delivery, doubt, err
	}, func(ctx context.Context, f func(*casebook.Claim) error) error {
		_, err := t.Book.ChangeRemediation(ctx, name, func(s *casebook.RemediationStatus) error { return f(&s.Delivery) })
		return err
	})
}

func (t *teller) hold(ctx context.Context, name string, take func() (casebook.Claim, bool, error), change func(context.Context, func(*casebook.Claim) error) error) (*holding, error) {
	t.mu.Lock()
	h := t.held[name]
	t.mu.Unlock()
	if h != nil && h.may() == nil {
		return h, nil
	}
	at := t.Now()
	claim, doubt, err := take()
	if err != nil {
		return nil, err
	}
	if h != nil {
		h.cancel() // what it was about to post has been told to stop
	}
	h = &holding{claim: claim, doubt: doubt, now: t.Now, change: change, renewed: at}
	h.ctx, h.cancel = context.WithCancel(ctx)
	t.mu.Lock()
	t.held[name] = h
	t.mu.Unlock()
	t.keepers.Go(h.keep)
	return h, nil
}

// giveBack ends a holding, so that any process may take it at once. What it says in the end is stored with that.
func (t *teller) giveBack(ctx context.Context, name string) {
	t.mu.Lock()
	h := t.held[name]
	delete(t.held, name)
	t.mu.Unlock()
	if h == nil {
		return
	}
	h.cancel()
	ctx, cancel := lasting(ctx)
	defer cancel()
	err := h.change(ctx, func(c *casebook.Claim) error { return c.Leave(h.claim, t.Now()) })
	if err != nil && !errors.Is(err, casebook.ErrLost) && !errors.Is(err, casebook.ErrNotFound) {
		t.Log.Warn("give back the telling", zap.String("record", name), zap.Error(err))
	}
}

// giveAllBack ends what this process tells. Nobody may begin to tell anything meanwhile.
func (t *teller) giveAllBack(ctx context.Context) {
	t.mu.Lock()
	var names []string
	for name := range t.held {
		names = append(names, name)
	}
	t.mu.Unlock()
	for _, name := range names {
		t.giveBack(ctx, name)
	}
	t.keepers.Wait()
}

// of completes a posting about a record that this process tells.
func (t *teller) of(record string, p posting) posting {
	t.mu.Lock()
	defer t.mu.Unlock()
	if h := t.held[record]; h != nil {
		p.doubt, p.may = h.doubt, h.may
	} else {
		p.may = func() error { return fmt.Errorf("tell of %s: %w", record, casebook.ErrLost) }
	}
	return p
}

// lookLater has f done again after a while: another process tells the record, and may be gone.
func (t *teller) lookLater(name string, f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.later[name] = f
}

// look does what was put off.
func (t *teller) look() {
	t.mu.Lock()
	now := t.later
	t.later = map[string]func(){}
	t.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(now)) {
		now[name]()
	}
}
