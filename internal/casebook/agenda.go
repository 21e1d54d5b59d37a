package casebook

import "time"

// chore is what an executor has to do about a Remediation.
type chore int

// The chores. All but carrying changes nothing in the world, and needs no claim: done twice it does no harm.
const (
	idle chore = iota
	trying
	looking
	carrying
)

// mostLight is how many chores that change nothing are done at a time: people wait for them, so they don't queue behind changes.
const mostLight = 8

// agenda is what an executor keeps in mind of the Remediations that are not over.
type agenda struct {
	open  map[string]Remediation
	busy  map[string]chore
	tried map[string]attempt
	seen  sightings
}

// attempt is a chore that is over: what version of the Remediation it was begun with, and when that was.
type attempt struct {
	name, version string
	at            time.Time
	gone          bool // the Remediation was deleted
}

// note takes in what the watch shows.
func (a *agenda) note(r Remediation) {
	if a.open[r.Name] = r; r.Status.Phase.Terminal() && !watched(r) {
		a.forget(r.Name)
	}
}

func (a *agenda) forget(name string) {
	delete(a.open, name)
	delete(a.seen, name)
	delete(a.tried, name)
}

func (a *agenda) done(t attempt) {
	delete(a.busy, t.name)
	if a.tried[t.name] = t; t.gone {
		a.forget(t.name)
	}
}

// next is what is to be done about r now, with at most limit changes at a time.
func (a *agenda) next(r Remediation, now time.Time, limit int) chore {
	c := due(r, now)
	if c == idle || a.busy[r.Name] != idle || !a.room(c, limit) {
		return idle
	}
	gone := c != carrying || a.seen.stale(r.Name, r.Status.Claim, now)
	// What the watch shows may be what this executor has long changed itself, or failed on.
	if t := a.tried[r.Name]; !gone || t.version == r.Version && now.Sub(t.at) < scan {
		return idle
	}
	if c == carrying && r.Status.Claim.Holder == "" && contested(r, a.open) { // another on the same target is under way
		return idle
	}
	return c
}

// room reports whether one more chore of a kind may begin.
func (a *agenda) room(c chore, limit int) bool {
	n := 0
	for _, other := range a.busy {
		if (other == carrying) == (c == carrying) {
			n++
		}
	}
	if c == carrying {
		return n < limit
	}
	return n < mostLight
}

// due is what an executor has to do about r, whoever works on it.
func due(r Remediation, now time.Time) chore {
	switch s := r.Status; s.Phase {
	case Approved, Preflight, Applying, Verifying, RollingBack:
		return carrying
	case Proposed, AwaitingApproval:
		if s.Trial == nil && now.Before(r.Created.Add(trialUntil)) {
			return trying
		}
	case Succeeded:
		if lookDue(r, now) {
			return looking
		}
	}
	return idle
}
