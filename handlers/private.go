package handlers

import (
	"context"

	"go.uber.org/zap"

	"github.com/netdiag/netdiag/internal/casebook"
	render "github.com/netdiag/netdiag/internal/render/slack"
)

// private reports that the bot can't write where this question was asked.
func (t *teller) private(investigation string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.urls[investigation].invited
}

// tellPrivately answers whoever asked in a channel that the bot is no member of: how to invite it, and then the verdict.
// Cards are never shown so: an ephemeral message can't be edited, and nobody else sees it.
func (t *teller) tellPrivately(ctx context.Context, inv casebook.Investigation) error {
	t.mu.Lock()
	r := t.urls[inv.Name]
	t.mu.Unlock()
	done := inv.Status.Phase == casebook.Reported || inv.Status.Phase == casebook.Faulted
	if r.url == "" {
		t.Log.Warn("nobody can be told: the bot is no member of the channel", zap.String("investigation", inv.Name), zap.String("channel", inv.Question.Channel))
		if done {
			_, err := t.posted(ctx, inv.Name, toldKey, "unreachable")
			return err
		}
		return nil
	}
	if !r.invited {
		m := render.Refusal("I am no member of this channel, so only you see my answer, and fixes can't be approved here. Invite me and ask again.", "/invite @"+t.me)
		if err := t.web.respond(ctx, r.url, m); err != nil {
			return err
		}
		r.invited = true
		t.mu.Lock()
		t.urls[inv.Name] = r
		t.mu.Unlock()
	}
	if !done {
		return nil // the record comes again
	}
	answer := render.Refusal(inv.Status.Error)
	if inv.Status.Report != nil {
		answer = render.Answer(*inv.Status.Report)[0]
	}
	if err := t.web.respond(ctx, r.url, answer); err != nil {
		return err
	}
	_, err := t.posted(ctx, inv.Name, toldKey, "private")
	return err
}
