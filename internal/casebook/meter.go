package casebook

import (
	"context"
	"time"
)

// Meter is told what an executor does, by several goroutines at once.
type Meter interface {
	// Claimed is told what became of a claim.
	Claimed(end ClaimEnd)
	// Moved is told that this executor took a fix from one phase to another, and how long it had worked on the first one;
	// less than the phase lasted where another executor began it.
	Moved(p Plan, from, to Phase, took time.Duration)
	// Halted is told whether changes may not be made now, whenever that is looked at.
	Halted(on bool)
}

// ClaimEnd is what became of a claim on a Remediation.
type ClaimEnd string

// The ends of a claim.
const (
	ClaimTaken     ClaimEnd = "taken"     // nobody had it
	ClaimTakenOver ClaimEnd = "takenOver" // its holder has gone
	ClaimHeld      ClaimEnd = "held"      // somebody else was quicker
	ClaimLost      ClaimEnd = "lost"      // taken, and lost before the end: taken over, or not renewed in time
)

// ClaimEnds lists them all.
func ClaimEnds() []ClaimEnd { return []ClaimEnd{ClaimTaken, ClaimTakenOver, ClaimHeld, ClaimLost} }

// unmetered is the Meter where nobody listens.
type unmetered struct{}

func (unmetered) Claimed(ClaimEnd)                        {}
func (unmetered) Moved(Plan, Phase, Phase, time.Duration) {}
func (unmetered) Halted(bool)                             {}

func (e *Executor) meter() Meter {
	if e.Meter == nil {
		return unmetered{}
	}
	return e.Meter
}

// moved tells of a phase that a write of this hold has reached; h.turn is held.
func (h *hold) moved(wrote Phase, now time.Time) {
	is := h.rec.Status.Phase
	if is == h.phase || is != wrote {
		return // another reached it, or nobody
	}
	h.e.meter().Moved(h.rec.Plan, h.phase, is, now.Sub(h.since))
	h.phase, h.since = is, now
}

// haltEvery is how often the Meter is told of the halt where no fix asks for it.
const haltEvery = 30 * time.Second

// meterHalt tells the Meter again and again whether changes are stopped, until ctx ends.
func (e *Executor) meterHalt(ctx context.Context) {
	for {
		call, done := context.WithTimeout(ctx, callTimeout)
		h, err := e.Store.Halt.Get(call)
		done()
		if ctx.Err() != nil {
			return
		}
		e.Meter.Halted(h.On || err != nil) // what can't be read counts as stopped
		if e.pause(ctx, haltEvery) != nil {
			return
		}
	}
}
