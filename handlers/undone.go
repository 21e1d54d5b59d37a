package handlers

import (
	"context"
	"errors"

	"github.com/netdiag/netdiag/internal/casebook"
	render "github.com/netdiag/netdiag/internal/render/slack"
)

// undoneKey is the key of the message with the Undo button, once it says that the fix was undone; its undo holds it.
const undoneKey = "undone"

// tellUndone takes the button from the message that says how a fix ended, once its undo has worked, and has it say so. It
// comes before the undo is noted as told.
func (t *teller) tellUndone(ctx context.Context, undo casebook.Remediation) (casebook.Remediation, error) {
	if undo.Plan.Undoes == "" || undo.Status.Phase != casebook.Succeeded || undo.Status.Posted[undoneKey] != "" {
		return undo, nil
	}
	rem, err := t.Book.Store.Remediations.Get(ctx, undo.Plan.Undoes)
	if errors.Is(err, casebook.ErrNotFound) {
		return t.noted(ctx, undo.Name, undoneKey, "gone")
	}
	if err != nil {
		return undo, err
	}
	at := outcomeOf(rem)
	if at.TS == "" { // it had no button anybody could press
		return t.noted(ctx, undo.Name, undoneKey, "none")
	}
	if err := t.edit(ctx, undo.Name, at, render.Undone(rem, undo)); err != nil {
		return undo, err
	}
	return t.noted(ctx, undo.Name, undoneKey, at.TS)
}
