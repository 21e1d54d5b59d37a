package handlers

import (
	"context"
	"errors"
	"fmt"

	"github.com/slack-go/slack"
	"go.uber.org/zap"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/casebook"
	render "github.com/netdiag/netdiag/internal/render/slack"
)

// undo opens the modal in which somebody asks for a fix to be undone, or tells them why it can't be.
func (b *Bot) undo(ctx context.Context, c slack.InteractionCallback, ack func(context.Context, any) error) {
	b.ack(ctx, ack, nil)
	v := b.attempt(ctx, func(ctx context.Context) verdict {
		name, click, err := b.read(c)
		log := b.decisionLog(c, name, click)
		var rem casebook.Remediation
		if err == nil {
			rem, err = b.undoable(ctx, c, name, &click)
		}
		if err == nil && !casebook.CanUndo(rem) {
			_, err = b.Book.ProposeUndo(ctx, name, click.By) // says why
		}
		if err != nil {
			return b.refused(log, undoing, name, casebook.Remediation{}, err)
		}
		view := render.UndoView(rem, decisionOf(name, click, c.Container.ThreadTs).String())
		if _, err := b.web.api.OpenViewContext(ctx, c.TriggerID, view); err != nil {
			log.Error("open an undo", zap.Error(clean(err)))
			return verdict{answer: "Slack did not let me show you the fix in time. Press the button again."}
		}
		return verdict{}
	})
	if v.answer != "" {
		b.answerClick(ctx, c, v)
	}
}

// undoable gives the record of a fix whose button was pressed, if the person may know of it and the message is the one
// that says what became of it.
func (b *Bot) undoable(ctx context.Context, c slack.InteractionCallback, name string, click *casebook.Click) (rem casebook.Remediation, err error) {
	if err := b.weighed(ctx, c, name, click); err != nil {
		return rem, err
	}
	rem, err = b.Book.Store.Remediations.Get(ctx, name)
	switch {
	case errors.Is(err, casebook.ErrNotFound):
		return rem, unknownButton
	case err != nil:
		return rem, err
	}
	if err := b.Book.Policy.MayAsk(click.By, rem.Plan.Question); err != nil {
		return rem, err
	}
	switch at := outcomeOf(rem); {
	case at.TS == "" && click.Card.Channel == at.Channel:
		return rem, diagnostics.Refusal("This message is being written at this moment. Press the button again.")
	case click.Card != at, click.Nonce == "" || click.Nonce != rem.Status.Nonce, click.By.Team != rem.Plan.Question.Team:
		return rem, unknownButton
	}
	return rem, nil
}

// askUndo proposes an undo, for others to approve.
func (b *Bot) askUndo(ctx context.Context, c slack.InteractionCallback, d decision, readable bool) verdict {
	name, click, err := b.brought(c, d, readable)
	log := b.decisionLog(c, name, click)
	var rem casebook.Remediation
	if err == nil {
		rem, err = b.undoable(ctx, c, name, &click)
	}
	if err == nil {
		rem, err = b.Book.ProposeUndo(ctx, name, click.By)
	}
	if err != nil {
		return b.refused(log, undoing, name, casebook.Remediation{}, err)
	}
	b.meters.decided(undoing, "recorded")
	log.Info("an undo is asked for", zap.String("undo", rem.Name), zap.String("plan", rem.Plan.Hash))
	return verdict{counts: true, answer: fmt.Sprintf("The undo is asked for; its card comes into this thread. %s.", whoApproves(rem.Plan))}
}

func whoApproves(p casebook.Plan) string {
	switch {
	case p.SelfApproval:
		return "You or another approver can approve it"
	case p.Approvals == 1:
		return "Another person has to approve it"
	}
	return fmt.Sprintf("%d other persons have to approve it", p.Approvals)
}
