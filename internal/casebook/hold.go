package casebook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// hold is a Remediation under this executor's claim. Its context ends when the claim does: nothing may be done to the
// world after that.
type hold struct {
	e      *Executor
	ctx    context.Context // ends with the claim; it belongs to the hold as the claim does
	cancel context.CancelCauseFunc

	intent bool // this hold stored the intent to make the change, so no call was sent before
	back   bool // the same of the intent to take it back

	// turn is held by whoever reads or changes the rest; a channel, for a change may wait long with it in hand.
	turn    chan struct{}
	rec     Remediation
	renewed time.Time // by our own clock, when the last write that succeeded was begun
	phase   Phase     // as it was told to the Meter last
	since   time.Time // that this hold works on it
}

// claim takes r, as it was when its holder was judged to have gone. ErrHeld where it has changed since.
func (e *Executor) claim(ctx context.Context, r Remediation) (*hold, error) {
	call, done := context.WithTimeout(ctx, callTimeout)
	defer done()
	now, end := e.Now(), ClaimTaken
	if r.Status.Claim.Holder != "" {
		end = ClaimTakenOver
	}
	r.Status.Claim = r.Status.Claim.take(e.Holder, now)
	r, err := e.Store.Remediations.Update(call, r)
	if errors.Is(err, ErrConflict) || errors.Is(err, ErrNotFound) {
		e.meter().Claimed(ClaimHeld)
		return nil, ErrHeld
	}
	if err != nil {
		return nil, err
	}
	e.meter().Claimed(end)
	h := &hold{e: e, turn: make(chan struct{}, 1), rec: r, renewed: now, phase: r.Status.Phase, since: now}
	h.ctx, h.cancel = context.WithCancelCause(ctx)
	return h, nil
}

// act makes one change to the world. It begins only while the claim surely holds, by our own clock, and is broken off
// when the claim would end: a process that was frozen meanwhile must not change what another has taken over.
func (h *hold) act(ctx context.Context, f func(context.Context) error) error {
	give := h.take()
	left := h.renewed.Add(ttl - margin).Sub(h.e.Now())
	give()
	if h.e.unfenced {
		return f(context.WithoutCancel(ctx))
	}
	if left <= 0 {
		return h.lose(fmt.Errorf("%w, or could not be renewed", ErrLost))
	}
	call, done := context.WithTimeout(ctx, min(left, actTimeout))
	defer done()
	return f(call)
}

// keep renews the claim until the function that it returns is called, which waits.
func (h *hold) keep() (stop func()) {
	var wg sync.WaitGroup
	wg.Go(func() {
		for h.e.pause(h.ctx, ttl/3) == nil {
			if h.change(h.ctx, func(*RemediationStatus) {}) != nil {
				return
			}
		}
	})
	return func() {
		h.cancel(nil)
		wg.Wait()
	}
}

// take waits for the turn and returns what gives it back.
func (h *hold) take() (give func()) {
	h.turn <- struct{}{}
	return func() { <-h.turn }
}

func (h *hold) record() Remediation {
	defer h.take()()
	return clone(h.rec)
}

func (h *hold) status() RemediationStatus { return h.record().Status }

const (
	callTimeout = 10 * time.Second // of one call to the store
	retryFirst  = 500 * time.Millisecond
	retryMost   = 5 * time.Second
)

// change stores what f makes of the status, and renews the claim with it. f may be called several times, on a record
// that others have changed in between: it must set things, not count them. An error means that the claim is lost, or
// could not be renewed in time; then the context of the hold has ended.
func (h *hold) change(ctx context.Context, f func(*RemediationStatus)) error {
	defer h.take()()
	for wait := retryFirst; ; wait = min(2*wait, retryMost) {
		if h.rec.Status.Phase.Terminal() {
			return ctx.Err()
		}
		now := h.e.Now()
		left := h.renewed.Add(ttl - margin).Sub(now)
		if left <= 0 {
			return h.lose(fmt.Errorf("%w, or could not be renewed", ErrLost))
		}
		next := clone(h.rec)
		f(&next.Status)
		next.Status.Claim.Renewed = now
		err := h.store(ctx, next, now, min(left, callTimeout))
		switch {
		case err == nil:
			return nil
		case errors.Is(err, ErrIllegal), errors.Is(err, ErrLost), errors.Is(err, ErrNotFound):
			return h.lose(err)
		case errors.Is(err, ErrConflict):
			continue // the front end noted what it posted
		}
		if err := h.e.pause(ctx, wait); err != nil {
			return err
		}
	}
}

// store writes next, and after any trouble reads what is there instead: an answer may have been lost.
func (h *hold) store(ctx context.Context, next Remediation, now time.Time, limit time.Duration) error {
	call, done := context.WithTimeout(ctx, limit)
	defer done()
	stored, err := h.e.Store.Remediations.Update(call, next)
	if err == nil {
		h.rec, h.renewed = stored, now
		h.moved(next.Status.Phase, now)
		return nil
	}
	if errors.Is(err, ErrIllegal) {
		return err
	}
	is, getErr := h.e.Store.Remediations.Get(call, next.Name)
	if getErr != nil {
		return getErr
	}
	if is.Status.Claim.Holder != next.Status.Claim.Holder || is.Status.Claim.Epoch != next.Status.Claim.Epoch {
		return fmt.Errorf("%s: %w", next.Name, ErrLost)
	}
	h.rec = is
	h.moved(next.Status.Phase, now) // the write may have been made, and its answer lost
	return err
}

// lose ends the hold and reports why.
func (h *hold) lose(err error) error {
	if h.ctx.Err() == nil {
		h.e.meter().Claimed(ClaimLost)
	}
	h.cancel(err)
	if errors.Is(err, ErrLost) {
		return err
	}
	return fmt.Errorf("store %s: %w", h.rec.Name, err)
}

// release gives the claim back, so that another may take the Remediation at once.
func (h *hold) release(ctx context.Context) error {
	defer h.take()()
	next, now := clone(h.rec), h.e.Now()
	next.Status.Claim = next.Status.Claim.release(now)
	defer h.cancel(nil)
	for {
		err := h.store(ctx, next, now, callTimeout)
		if !errors.Is(err, ErrConflict) {
			if errors.Is(err, ErrLost) {
				return nil
			}
			return err
		}
		next = clone(h.rec)
		next.Status.Claim = next.Status.Claim.release(now)
	}
}

// finish ends the Remediation and tells the thread, in one write, with whatever else the end brings.
func (h *hold) finish(ctx context.Context, p Phase, outcome string, with ...func(*RemediationStatus)) error {
	now := h.e.Now()
	return h.change(ctx, func(s *RemediationStatus) {
		s.Phase, s.Outcome = p, outcome
		if p.Terminal() {
			s.Finished = now
		}
		for _, f := range with {
			f(s)
		}
		s.note("outcome", now, outcome)
	})
}

// overtake ends a Remediation whose plan isn't right any more.
func (h *hold) overtake(ctx context.Context, outcome string, moot bool) error {
	return h.finish(ctx, Superseded, outcome, func(s *RemediationStatus) { s.Moot = moot })
}

// ending is how the step of a Remediation ends with it.
func ending(step StepState) func(*RemediationStatus) {
	return func(s *RemediationStatus) { s.Step = step }
}

// note tells the thread something, once for each key.
func (s *RemediationStatus) note(key string, at time.Time, text string) {
	if s.noted(key) {
		return
	}
	s.Notes = append(slices.Clip(s.Notes), Note{Key: key, At: at, Text: text})
}

func (s *RemediationStatus) noted(key string) bool {
	return slices.ContainsFunc(s.Notes, func(n Note) bool { return n.Key == key })
}
