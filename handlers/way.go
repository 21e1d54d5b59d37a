package handlers

import (
	"context"
	"errors"

	"github.com/slack-go/slack"
	"go.uber.org/zap"

	"github.com/netdiag/netdiag/diagnostics"
	render "github.com/netdiag/netdiag/internal/render/slack"
)

// way handles the buttons that lead to a question or to its answer.
func (b *Bot) way(ctx context.Context, c slack.InteractionCallback, a slack.BlockAction, ack func(context.Context, any) error) {
	b.ack(ctx, ack, nil)
	if a.ActionID == render.ActionForm {
		b.openForm(ctx, c, render.Form{}, origin{Channel: c.Container.ChannelID, Thread: c.Container.ThreadTs})
		return
	}
	limited, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	m, moved, err := b.elsewhere(limited, c, a)
	var refusal diagnostics.Refusal
	switch {
	case errors.As(err, &refusal):
		m = render.Refusal(string(refusal))
	case err != nil:
		b.Log.Error("a button", zap.String("action", a.ActionID), zap.String("user", c.User.ID), zap.Error(err))
		m = render.Refusal("Something went wrong inside netdiag. Press the button again in a minute.")
	}
	if moved != "" {
		b.tell.move(ctx, moved) // goes on after this click
	}
	b.answerBy(limited, c, m)
}

// answerBy shows a message to who did something, by the response URL that came with it, if one did.
func (b *Bot) answerBy(ctx context.Context, c slack.InteractionCallback, m render.Message) {
	if c.ResponseURL == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	if err := b.web.respond(ctx, c.ResponseURL, m); err != nil {
		b.Log.Error("answer a button", zap.String("user", c.User.ID), zap.Error(err))
	}
}

// elsewhere answers the buttons under an answer that only one person sees; moved is the investigation that goes on in a
// direct message, if any.
func (b *Bot) elsewhere(ctx context.Context, c slack.InteractionCallback, a slack.BlockAction) (m render.Message, moved string, err error) {
	inv, err := b.whose(ctx, a.Value, c.Team.ID, c.User.ID)
	if err != nil {
		return m, "", err
	}
	switch a.ActionID {
	case render.ActionInvite:
		return render.HowToInvite(b.me.name, b.Command, inv), "", nil
	case render.ActionDirect:
		if _, err := b.web.direct(ctx, c.User.ID); err != nil {
			b.Log.Error("open a direct message", zap.String("user", c.User.ID), zap.Error(err))
			return m, "", diagnostics.Refusal("I can't write to you directly: Slack doesn't let me. Invite me into the channel instead.")
		}
		return render.Refusal("I go on in our direct message: look under Apps."), inv.Name, nil
	}
	return m, "", unknownButton
}
