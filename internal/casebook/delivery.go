package casebook

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Deliver makes holder the one front end that tells Slack of an Investigation. doubt reports that the one before went
// without giving it back: something may be in Slack that the record doesn't know of. ErrHeld where another tells it, and
// was seen alive; ask again later, for a holder that has gone is only noticed by asking twice.
func (b *Book) Deliver(ctx context.Context, investigation, holder string) (inv Investigation, doubt bool, err error) {
	return deliver(ctx, b, b.Store.Investigations, investigation, holder, func(i *Investigation) *Claim { return &i.Status.Delivery })
}

// DeliverFix is Deliver for a Remediation.
func (b *Book) DeliverFix(ctx context.Context, remediation, holder string) (rem Remediation, doubt bool, err error) {
	return deliver(ctx, b, b.Store.Remediations, remediation, holder, func(r *Remediation) *Claim { return &r.Status.Delivery })
}

func deliver[T any](ctx context.Context, b *Book, records Records[T], name, holder string, claim func(*T) *Claim) (r T, doubt bool, err error) {
	for {
		if r, err = records.Get(ctx, name); err != nil {
			return r, false, err
		}
		c := claim(&r)
		doubt = c.Holder != ""
		if c.Holder != holder && !b.stale("telling "+name, *c) {
			return r, false, fmt.Errorf("tell of %s: %w", name, ErrHeld)
		}
		*c = c.take(holder, b.Now())
		r, err = records.Update(ctx, r)
		if !errors.Is(err, ErrConflict) || ctx.Err() != nil {
			return r, doubt, err
		}
	}
}

// Keep renews a delivery that was taken; call it every ten seconds. ErrLost where another has it: tell nothing more.
func (c *Claim) Keep(taken Claim, now time.Time) error {
	if c.Holder != taken.Holder || c.Epoch != taken.Epoch {
		return fmt.Errorf("the telling of %s: %w", taken.Holder, ErrLost)
	}
	c.Renewed = now
	return nil
}

// Leave gives a delivery back, for anybody to take at once. ErrLost where another has it.
func (c *Claim) Leave(taken Claim, now time.Time) error {
	if err := c.Keep(taken, now); err != nil {
		return err
	}
	*c = c.release(now)
	return nil
}

// TellWithin is how long after a renewal the holder of a delivery may still begin to tell something that takes at most
// call: afterwards another may be telling it.
func TellWithin(call time.Duration) time.Duration { return ttl + margin - call }
