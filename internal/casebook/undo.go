package casebook

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
)

// CanUndo reports whether an undo of r can be offered: it is over, something of it is netdiag's own, and it isn't known to
// be undone. An undo of an undo is none: asking again shows what is right now. Whether another undo of r is under way,
// ProposeUndo says.
func CanUndo(r Remediation) bool { return notUndoable(r) == "" }

// notUndoable says why r can't be undone, for people; empty where it can.
func notUndoable(r Remediation) diagnostics.Refusal {
	s := r.Status
	switch {
	case r.Plan.Undoes != "":
		return "This is an undo itself. To have the change again, ask again and approve its fix anew."
	case !s.Phase.Terminal() && s.Phase != NeedsHuman:
		return diagnostics.Refusal(fmt.Sprintf("This fix is %s: it can be undone once that is over.", words(s.Phase)))
	case s.Phase == RolledBack:
		return "It is undone already: netdiag itself took the change back."
	case s.Phase != Succeeded && s.Phase != NeedsHuman:
		return diagnostics.Refusal(fmt.Sprintf("This fix is %s: nothing was changed, so there is nothing to undo.", words(s.Phase)))
	case s.Receipt == nil || !s.Receipt.Owned:
		return "Nothing of this change is netdiag's own: it was in place already, or nothing is known to have been made. So there is nothing to undo."
	case s.Receipt.Undo == nil:
		return diagnostics.Refusal(fmt.Sprintf("netdiag can't undo this change. By hand: %s.", r.Plan.Fix.Undo))
	case s.Watch != nil && s.Watch.State == Undone:
		return "It is undone already: when netdiag looked again, the change was not in effect any more."
	}
	return ""
}

// mostUndos is how often an undo that came to nothing, because nobody decided say, can be asked for anew.
const mostUndos = 20

// UndoName derives the name of the n-th attempt to undo a Remediation, from 1.
func UndoName(remediation string, n int) string {
	return "rem-" + digest(fmt.Sprintf("%s|undo|%d", remediation, n))
}

// ProposeUndo makes a Remediation that undoes another, asked for by whoever pressed the button: with the action of the
// stored receipt, the same fix of the catalogue, so the same risk, and the same gate. Pressed twice it meets the same
// record. Every error that is a diagnostics.Refusal is an answer for the person; where an undo is open already, it comes
// with that undo.
func (b *Book) ProposeUndo(ctx context.Context, name string, by Person) (Remediation, error) {
	r, err := b.Store.Remediations.Get(ctx, name)
	if errors.Is(err, ErrNotFound) {
		return r, unknownButton
	}
	if err != nil {
		return r, err
	}
	if err := b.Policy.MayAsk(by, r.Plan.Question); err != nil {
		return Remediation{}, err
	}
	if why := notUndoable(r); why != "" {
		return Remediation{}, why
	}
	for n := 1; n <= mostUndos; n++ {
		made, err := b.propose(ctx, UndoName(name, n), undoOf(r, by, b.Now()))
		if err == nil || !errors.Is(err, ErrExists) {
			return made, err
		}
		u, err := b.Store.Remediations.Get(ctx, UndoName(name, n))
		switch {
		case err != nil:
			return u, err
		case u.Status.Phase == Succeeded:
			return u, diagnostics.Refusal(fmt.Sprintf("It was undone already, at %s.", clock(u.Status.Finished)))
		case u.Status.Phase == NeedsHuman:
			return u, diagnostics.Refusal("An undo of this fix was begun and needs a person. The thread says what is known.")
		case !u.Status.Phase.Terminal():
			return u, diagnostics.Refusal(fmt.Sprintf("An undo of this fix is open already: it is %s.", words(u.Status.Phase)))
		}
	}
	return Remediation{}, diagnostics.Refusal(fmt.Sprintf("An undo of this fix came to nothing %d times. By hand: %s.", mostUndos, r.Plan.Fix.Undo))
}

// undoOf is the plan that takes r back.
func undoOf(r Remediation, by Person, now time.Time) Plan {
	was := r.Plan
	a := *r.Status.Receipt.Undo
	q := was.Question
	q.Team, q.User, q.At = by.Team, by.User, now
	fix := diagnostics.Fix{
		ID: was.Fix.ID, Title: "Undo: " + was.Fix.Title, Action: &a, Executable: true, Risk: was.Fix.Risk, Owner: was.Fix.Owner, Blast: was.Fix.Blast,
		Proof: fmt.Sprintf("it puts back what was there before %s, applied at %s", r.Name, r.Status.Applied.UTC().Format("2 January 15:04:05 UTC")),
		Undo:  "ask again, and approve the fix anew", SettlesIn: was.Fix.SettlesIn, Changes: spellAction(a), Commands: []string{},
	}
	p := planOf(was.Investigation, q, fix, now)
	p.Undoes, p.Follows = r.Name, ""
	return p
}
