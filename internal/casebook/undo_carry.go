package casebook

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/remedy"
)

// untouched begins what is said of a plan that was not carried out.
func untouched(p Plan) string {
	if p.Undoes != "" {
		return "Not undone, nothing was changed: "
	}
	return "Not applied, nothing was changed: "
}

// undoable says why an undo isn't right any more, by the record of what it undoes: empty where it is. Only the receipt of
// a change that netdiag made itself can be undone, by exactly the action that stands there.
func (e *Executor) undoable(ctx context.Context, undo Plan) (why string, err error) {
	call, done := context.WithTimeout(ctx, callTimeout)
	defer done()
	was, err := e.Store.Remediations.Get(call, undo.Undoes)
	if errors.Is(err, ErrNotFound) {
		return "the record of what was to be undone is gone.", nil
	}
	if err != nil {
		return "", err
	}
	if why := notUndoable(was); why != "" {
		return string(why), nil
	}
	if was.Status.Receipt.Undo.Hash() != undo.Hash || was.Plan.Fix.ID != undo.Fix.ID || was.Plan.Question.Target != undo.Question.Target {
		return fmt.Sprintf("its plan is not what undoes %s.", was.Name), nil
	}
	return "", nil
}

// preflightUndo goes by the record of what is undone, where other plans are diagnosed again.
func (e *Executor) preflightUndo(ctx context.Context, h *hold) error {
	me, begun := h.record(), e.Now()
	for {
		why, err := e.undoable(ctx, me.Plan)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case why != "":
			return h.finish(ctx, Cancelled, untouched(me.Plan)+why)
		case err == nil:
			return e.rehearse(ctx, h)
		case e.Now().Sub(begun) >= preflightWithin:
			return h.finish(ctx, Failed, untouched(me.Plan)+fmt.Sprintf("%s can't be read (%v).", me.Plan.Undoes, err))
		}
		if err := e.pause(ctx, e.poll()); err != nil {
			return err
		}
	}
}

// tryUndo tries an undo without effect. The hands refuse it where what was changed isn't any more as the change left it.
func (e *Executor) tryUndo(ctx context.Context, r Remediation) error {
	err := e.tryAction(ctx, r)
	if errors.Is(err, remedy.ErrRefused) {
		return fmt.Errorf("it isn't any more as the fix left it, or may not be changed: %w", err)
	}
	return err
}

// verifyUndo looks until the change is seen to be gone, and then diagnoses once to tell what is so without it.
func (e *Executor) verifyUndo(ctx context.Context, h *hold) error {
	me := h.record()
	for {
		done := false
		err := e.call(ctx, func(ctx context.Context) (err error) {
			done, _, err = e.Hands.Look(ctx, *me.Plan.Fix.Action, mark(me))
			return err
		})
		now := e.Now()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil && done:
			return e.undone(ctx, h)
		}
		failed := e.fate(ctx, me).Failed
		switch {
		case failed != "":
			return h.finish(ctx, NeedsHuman, fmt.Sprintf("The undo was accepted, and failed within %s: %s A person has to look.", spellTime(now.Sub(me.Status.Applied)), failed))
		case !now.Before(me.Status.Deadline):
			text := fmt.Sprintf("The undo was made, but after %s %s is not seen to be as it was before", spellTime(now.Sub(me.Status.Applied)), me.Plan.Target)
			if err != nil {
				text += fmt.Sprintf(" (%v)", err)
			}
			return h.finish(ctx, NeedsHuman, text+". A person has to look.")
		}
		if err := e.pause(ctx, e.poll()); err != nil {
			return err
		}
	}
}

// undone ends an undo that is in effect, with what is seen now.
func (e *Executor) undone(ctx context.Context, h *hold) error {
	me := h.record()
	text := "Undone: " + strings.Join(me.Plan.Fix.Changes, "; ") + ". "
	r, err := e.diagnoseOnce(ctx, me.Plan)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		text += fmt.Sprintf("What is so without the change can't be diagnosed (%v).", err)
	} else {
		text += "Diagnosed after it: " + effectSentence(r)
	}
	return h.finish(ctx, Succeeded, text, ending(StepVerified))
}

// diagnoseOnce gives one diagnosis, in as many attempts as a change has.
func (e *Executor) diagnoseOnce(ctx context.Context, p Plan) (diagnostics.Report, error) {
	for n := 1; ; n++ {
		r, err := e.diagnose(ctx, p)
		if err == nil || n == attempts {
			return r, err
		}
		if err := e.pause(ctx, e.poll()); err != nil {
			return r, err
		}
	}
}

// effectSentence is effect as a sentence.
func effectSentence(r diagnostics.Report) string {
	if text := strings.TrimRight(effect(r), "."); text != "" {
		return text + "."
	}
	return "no trouble is seen."
}
