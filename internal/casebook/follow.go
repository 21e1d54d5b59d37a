package casebook

import (
	"context"
	"fmt"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/remedy"
)

// fate says what has become of a change that was only accepted when it was made. Where that can't be read, the diagnosis
// and the deadline decide as ever.
func (e *Executor) fate(ctx context.Context, me Remediation) (fate remedy.Fate) {
	f, ok := e.Hands.(remedy.Follower)
	if !ok || me.Status.Receipt == nil {
		return remedy.Fate{}
	}
	err := e.call(ctx, func(ctx context.Context) (err error) {
		fate, err = f.Follow(ctx, *me.Plan.Fix.Action, mark(me), *me.Status.Receipt)
		return err
	})
	if err != nil && ctx.Err() == nil {
		e.fault(me.Name, fmt.Errorf("follow the change of %s: %w", me.Plan.Target, err))
	}
	return fate
}

// brokenOff says what is so after a change that was accepted and then failed, and how to go back. r is the diagnosis
// after it, or trouble why there is none.
func brokenOff(me Remediation, failed string, r diagnostics.Report, trouble error, now time.Time) string {
	text := fmt.Sprintf("The change was accepted, and failed within %s: %s ", spellTime(now.Sub(me.Status.Applied)), failed)
	if trouble != nil {
		text += fmt.Sprintf("What is so now can't be diagnosed (%v).", trouble)
	} else {
		text += "Diagnosed after it: " + effectSentence(r)
	}
	return text + " A person has to look. To undo it: " + me.Plan.Fix.Undo
}
