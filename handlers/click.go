package handlers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/slack-go/slack"
	"go.uber.org/zap"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/casebook"
	render "github.com/netdiag/netdiag/internal/render/slack"
)

// Times of a click: it is recorded before it is acknowledged, unless that takes too long for Slack.
const (
	ackClickWithin = 1500 * time.Millisecond
	decideLimit    = 10 * time.Second
)

const unknownButton diagnostics.Refusal = "This button is none of mine, or too old. Ask again for a fresh report."

// click takes a decision and answers the person who clicked, whatever becomes of it.
func (b *Bot) click(ctx context.Context, c slack.InteractionCallback, ack func(context.Context, any) error) {
	if actions := c.ActionCallback.BlockActions; len(actions) == 1 && strings.HasPrefix(actions[0].BlockID, render.BlockAsk) {
		b.more(ctx, c, ack)
		return
	}
	done := make(chan verdict, 1)
	go func() { // owned by the receive below
		defer close(done)
		defer b.recovered("decide")
		ctx, cancel := context.WithTimeout(ctx, decideLimit)
		defer cancel()
		done <- b.decide(ctx, c)
	}()
	timer := time.NewTimer(ackClickWithin)
	defer timer.Stop()
	var v verdict
	var ok bool
	select {
	case v, ok = <-done:
		b.ack(ctx, ack, nil)
	case <-timer.C:
		b.ack(ctx, ack, nil)
		v, ok = <-done
	}
	if !ok {
		v.answer = render.Refusal("Something went wrong inside netdiag; your click was not recorded. Try again.")
	}
	b.answerClick(ctx, c, v.answer)
	if v.late.Name != "" {
		b.tell.refresh(ctx, v.late)
	}
}

// verdict is what a click leads to.
type verdict struct {
	answer render.Message
	late   casebook.Remediation // whose card is out of date: it shows a button that should be gone
}

// decide hands the click to the casebook.
func (b *Bot) decide(ctx context.Context, c slack.InteractionCallback) verdict {
	say := func(s string) verdict { return verdict{answer: render.Refusal(s)} }
	name, click, err := b.read(c)
	log := b.Log.With(zap.String("remediation", name), zap.String("user", c.User.ID), zap.String("verdict", string(click.Verdict)))
	var rem casebook.Remediation
	if err == nil {
		click.By, err = b.people.person(ctx, c.Team.ID, orElse(c.User.TeamID, "unknown"), c.User.ID, click.Card.Channel)
		if err != nil {
			log.Error("look up who clicked", zap.Error(err))
			return say("Slack did not tell me who you are, so your click does not count. Try again in a minute.")
		}
		click.By = b.grouped(ctx, click.By)
		if rem, err = b.Book.Store.Remediations.Get(ctx, name); err == nil && rem.Status.Card.TS == "" {
			// Which message is the card is not recorded yet, so this one can't be told from a forgery.
			return say("This card is being written at this moment. Click again.")
		}
		if rem, err = b.Book.Decide(ctx, name, click); err == nil {
			log.Info("decided", zap.String("phase", string(rem.Status.Phase)), zap.String("plan", rem.Plan.Hash))
			return verdict{answer: render.Settled(b.recorded(ctx, rem, click.Verdict))}
		}
	}
	var settled *casebook.Settled
	var refusal diagnostics.Refusal
	switch {
	case errors.As(err, &settled):
		log.Info("a click too late", zap.String("phase", string(settled.Phase)))
		return verdict{answer: render.Settled(settled.Sentence), late: rem}
	case errors.As(err, &refusal):
		log.Warn("a click refused", zap.String("why", string(refusal)))
		return say(string(refusal))
	}
	log.Error("record a decision", zap.Error(err))
	return say(fmt.Sprintf("Something went wrong inside netdiag; your click on %s was not recorded. Try again.", name))
}

// read checks that the payload is a click on a card of this app, as far as the payload can tell.
func (b *Bot) read(c slack.InteractionCallback) (name string, click casebook.Click, err error) {
	actions := c.ActionCallback.BlockActions
	if len(actions) != 1 || !strings.HasPrefix(actions[0].BlockID, render.BlockDecide) || !b.genuine(c) {
		return "", click, unknownButton
	}
	switch actions[0].ActionID {
	case render.ActionApprove:
		click.Verdict = casebook.Approve
	case render.ActionReject:
		click.Verdict = casebook.Reject
	default:
		return "", click, unknownButton
	}
	name, nonce, ok := render.ParseValue(actions[0].Value)
	if !ok {
		return "", click, unknownButton
	}
	where := c.Container
	click.Nonce, click.Card = nonce, casebook.Message{Channel: where.ChannelID, TS: where.MessageTs}
	return name, click, nil
}

// genuine reports that a click is one on a message of this app in this workspace, as far as the payload can tell.
func (b *Bot) genuine(c slack.InteractionCallback) bool {
	where := c.Container
	switch {
	case c.APIAppID == "", b.appID() != "" && c.APIAppID != b.appID(), c.User.ID == "", c.Team.ID != b.people.team,
		where.Type != "message" || where.IsEphemeral || where.IsAppUnfurl || where.MessageTs == "",
		where.ChannelID == "" || where.ChannelID != c.Channel.ID:
		return false
	}
	return true
}

func (b *Bot) recorded(ctx context.Context, rem casebook.Remediation, v casebook.Verdict) string {
	switch {
	case v == casebook.Reject:
		return "Your rejection is recorded; nothing is changed."
	case rem.Status.Phase == casebook.AwaitingApproval:
		return fmt.Sprintf("Your approval is recorded. This fix needs %d approvals and has %d.", rem.Plan.Approvals, len(rem.Status.Decisions))
	}
	if why := b.stopped(ctx); why != "" {
		return "Your approval is recorded, but nothing starts now. " + why + " It is carried out if an approver resumes them within 5 minutes; after that it lapses."
	}
	return "Your approval is recorded; the thread tells what happens."
}

// answerClick shows the answer in the thread of the card; where that fails, by the response URL.
func (b *Bot) answerClick(ctx context.Context, c slack.InteractionCallback, m render.Message) {
	ctx, cancel := context.WithTimeout(ctx, decideLimit)
	defer cancel()
	err := b.web.whisper(ctx, c.Container.ChannelID, c.Container.ThreadTs, c.User.ID, m)
	if err != nil && c.ResponseURL != "" {
		err = b.web.respond(ctx, c.ResponseURL, m)
	}
	if err != nil {
		b.Log.Error("answer a click", zap.String("user", c.User.ID), zap.Error(err))
	}
}
