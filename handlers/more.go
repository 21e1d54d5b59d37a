package handlers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/slack-go/slack"
	"go.uber.org/zap"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/ask"
	"github.com/netdiag/netdiag/internal/casebook"
	render "github.com/netdiag/netdiag/internal/render/slack"
)

// What can be wanted of an answer; keys of Wanted, and of Posted once it is in the thread.
const (
	wantEvidence = "evidence"
	wantCommands = "commands"
	wantFile     = "file"
)

// more answers the buttons under an answer that ask for more of it. What is wanted is recorded, and the thread follows
// from the record: pressed twice it comes once, and a restart does not lose it.
func (b *Bot) more(ctx context.Context, c slack.InteractionCallback, ack func(context.Context, any) error) {
	b.ack(ctx, ack, nil)
	limited, cancel := context.WithTimeout(ctx, decideLimit)
	defer cancel()
	m, err := b.moreOf(limited, c)
	var refusal diagnostics.Refusal
	switch {
	case errors.As(err, &refusal):
		b.Log.Warn("a button under an answer refused", append(whence(c, c.Container.ChannelID), zap.String("why", string(refusal)))...)
		m = render.Refusal(string(refusal))
	case err != nil:
		b.Log.Error("a button under an answer", zap.String("user", c.User.ID), zap.Error(err))
		m = render.Refusal("Something went wrong inside netdiag. Press the button again in a minute.")
	}
	if m.Text != "" {
		if err := b.showClick(ctx, c, m); err != nil {
			b.Log.Error("answer a button under an answer", zap.String("user", c.User.ID), zap.Error(err))
		}
	}
	if name, ok := render.ParseAsk(c.ActionCallback.BlockActions[0].Value); ok && err == nil {
		b.tell.again(ctx, name) // what was given up is tried again; this goes on after the click
	}
}

// moreOf judges the click as a question is judged, and does what the button says. The message is for the person alone;
// it is empty where the thread shows what comes of it.
func (b *Bot) moreOf(ctx context.Context, c slack.InteractionCallback) (m render.Message, err error) {
	action := *c.ActionCallback.BlockActions[0]
	name, ok := render.ParseAsk(action.Value)
	if !ok || !b.genuine(c) {
		return m, unknownButton
	}
	inv, err := b.Book.Store.Investigations.Get(ctx, name)
	if errors.Is(err, casebook.ErrNotFound) {
		return m, diagnostics.Refusal("I have no record of this question any more. Ask again.")
	}
	if err != nil {
		return m, err
	}
	switch at := c.Container.MessageTs; {
	case c.Container.ChannelID != inv.Status.Root.Channel || c.Team.ID != inv.Question.Team:
		return m, unknownButton
	case at != inv.Status.Root.TS && !slices.Contains(slices.Collect(maps.Values(inv.Status.Posted)), at):
		if inv.Status.Posted[toldKey] == "" {
			return m, diagnostics.Refusal("This answer is being written at this moment. Press the button again.")
		}
		return m, unknownButton
	}
	r := request{
		app: c.APIAppID, team: c.Team.ID, home: orElse(c.User.TeamID, "unknown"), user: c.User.ID, channel: c.Container.ChannelID,
		thread: threadOf(inv), key: "again|" + inv.Name, url: c.ResponseURL,
	}
	if err := b.permit(ctx, r); err != nil {
		return m, diagnostics.Refusal(err.Error())
	}
	log := b.Log.With(zap.String("investigation", name), zap.String("user", r.user), zap.String("action", action.ActionID))
	switch action.ActionID {
	case render.ActionEvidence:
		return b.want(ctx, log, inv, wantEvidence, "The evidence is", r.user)
	case render.ActionCommands:
		return b.want(ctx, log, inv, wantCommands, "The commands are", r.user)
	case render.ActionFile:
		return b.want(ctx, log, inv, wantFile, "The report is", r.user)
	case render.ActionAgain:
		return b.again(ctx, log, inv, r)
	}
	return m, unknownButton
}

// want records what is to be shown; where that is done already, it says where.
func (b *Bot) want(ctx context.Context, log *zap.Logger, inv casebook.Investigation, what, called, user string) (m render.Message, err error) {
	switch ts := inv.Status.Posted[what]; {
	case inv.Status.Report == nil:
		return m, diagnostics.Refusal("This question has no answer of which there is more to show. Ask again.")
	case ts == noFiles:
		return m, diagnostics.Refusal(filesRefused)
	case ts != "" && what == wantFile:
		return render.Pointer(called+" in this thread already, as files.", b.permalink(inv.Status.Root.Channel, inv.Status.Root.TS, threadOf(inv))), nil
	case ts != "":
		return render.Pointer(called+" in this thread already.", b.permalink(inv.Status.Root.Channel, ts, threadOf(inv))), nil
	}
	first := false
	_, err = b.Book.ChangeInvestigation(ctx, inv.Name, func(s *casebook.InvestigationStatus) error {
		if first = s.Wanted[what] == ""; first {
			if s.Wanted == nil {
				s.Wanted = map[string]string{}
			}
			s.Wanted[what] = user
		}
		return nil
	})
	if err != nil {
		return m, fmt.Errorf("record that %s of %s is wanted: %w", what, inv.Name, err)
	}
	if first {
		log.Info("more is wanted")
		return m, nil
	}
	return render.Pointer(called+" on the way into this thread: somebody asked before.", ""), nil
}

// again asks the question once more, in the same thread. Each answer can be asked again once: the new one has a button too.
func (b *Bot) again(ctx context.Context, log *zap.Logger, inv casebook.Investigation, r request) (m render.Message, err error) {
	const already = "This was asked again already."
	if next, err := b.Book.Store.Investigations.Get(ctx, casebook.InvestigationName(r.key)); err == nil {
		return render.Pointer(already+" Use the buttons of the newer answer.", b.permalink(next.Status.Root.Channel, next.Status.Root.TS, threadOf(next))), nil
	}
	q := inv.Question
	if _, ok := b.diagnosis(q.Diagnosis); !ok {
		return m, diagnostics.Refusal(q.Diagnosis + " is not switched on here.")
	}
	words, err := ask.Parse(q.Command)
	if err != nil {
		return m, fmt.Errorf("read the command of %s: %w", inv.Name, err)
	}
	name, err := b.question(ctx, r, words)
	if err != nil {
		return m, diagnostics.Refusal(err.Error())
	}
	if name == "" {
		return render.Pointer(already, ""), nil
	}
	log.Info("asked again")
	b.begin(name)
	return m, nil
}
