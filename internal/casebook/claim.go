package casebook

import (
	"errors"
	"time"
)

// Errors of a claim.
var (
	// ErrHeld: somebody else works on it.
	ErrHeld = errors.New("somebody else works on it")
	// ErrLost: the claim was taken over. Stop: nothing may be written or done under it any more.
	ErrLost = errors.New("the claim was taken over")
)

// Times of a claim: it lasts TTL from each renewal by the holder's clock, and can be taken over when it was seen
// unchanged for TTL and margin by the taker's. The holder stops margin before its end.
const (
	ttl    = 30 * time.Second
	margin = 5 * time.Second
)

// take makes holder the owner of c. The epoch grows with every owner, so that a write of an earlier one is refused.
func (c Claim) take(holder string, now time.Time) Claim {
	return Claim{Holder: holder, Epoch: c.Epoch + 1, Renewed: now, TTL: ttl}
}

// release leaves c to nobody.
func (c Claim) release(now time.Time) Claim {
	return Claim{Epoch: c.Epoch + 1, Renewed: now, TTL: c.TTL}
}

// sightings remembers since when each claim has been seen as it is. The clocks of two processes are never compared.
type sightings map[string]sighting

type sighting struct {
	claim Claim
	since time.Time
}

// stale notes that c was seen at now, and reports whether its holder has gone: nobody holds it, or it was seen unchanged
// for longer than it lasts.
func (s sightings) stale(name string, c Claim, now time.Time) bool {
	if c.Holder == "" {
		delete(s, name)
		return true
	}
	seen, ok := s[name]
	if !ok || seen.claim.Holder != c.Holder || seen.claim.Epoch != c.Epoch || !seen.claim.Renewed.Equal(c.Renewed) {
		s[name] = sighting{claim: c, since: now}
		return false
	}
	return now.Sub(seen.since) >= max(c.TTL, ttl)+margin
}
