package handlers

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/slack-go/slack"
	"go.uber.org/zap"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/casebook"
	render "github.com/netdiag/netdiag/internal/render/slack"
)

const decideLimit = 10 * time.Second

const unknownButton diagnostics.Refusal = "This button is none of mine, or too old. Ask again for a fresh report."

// click opens the modal of a decision, or tells the person why there is nothing for them to decide.
func (b *Bot) click(ctx context.Context, c slack.InteractionCallback, ack func(context.Context, any) error) {
	if actions := c.ActionCallback.BlockActions; len(actions) == 1 && strings.HasPrefix(actions[0].BlockID, render.BlockAsk) {
		b.more(ctx, c, ack)
		return
	}
	b.ack(ctx, ack, nil)
	v := b.attempt(ctx, func(ctx context.Context) verdict { return b.offer(ctx, c) })
	if v.answer != "" {
		b.answerClick(ctx, c, v)
	}
	if v.late.Name != "" {
		b.tell.refresh(ctx, v.late)
	}
}

// verdict is what a click leads to.
type verdict struct {
	wrong   map[string]string    // by block of the modal: what is wrong with what was typed there
	answer  string               // for the person; it may mention a user as <@U…>, and holds no text from the cluster
	counts  bool                 // the decision is recorded
	anybody bool                 // who it is for may be nobody: where it can't be told there is nothing to log
	late    casebook.Remediation // whose card is out of date: it shows a button that should be gone
}

// attempt does f in time, and has an answer where f panics.
func (b *Bot) attempt(ctx context.Context, f func(context.Context) verdict) (v verdict) {
	ctx, cancel := context.WithTimeout(ctx, decideLimit)
	defer cancel()
	v.answer = "Something went wrong inside netdiag; your click was not recorded. Try again."
	defer b.recovered("decide")
	return f(ctx)
}

// offer opens the modal for who may decide. Its trigger lives three seconds.
func (b *Bot) offer(ctx context.Context, c slack.InteractionCallback) verdict {
	name, click, err := b.read(c)
	log := b.decisionLog(c, name, click)
	if err == nil {
		err = b.weighed(ctx, c, name, &click)
	}
	var rem casebook.Remediation
	var unknown error
	if err == nil {
		click.By, unknown = b.grouped(ctx, click.By)
		rem, err = b.Book.Weigh(ctx, name, click)
	}
	if err != nil {
		return b.refused(log, click.Verdict, name, rem, because(err, unknown))
	}
	view := render.DecisionView(render.Decision{
		Remediation: rem, Verdict: click.Verdict, Stopped: b.stopped(ctx),
		Metadata: decisionOf(name, click, c.Container.ThreadTs).String(),
	})
	if _, err := b.web.api.OpenViewContext(ctx, c.TriggerID, view); err != nil {
		log.Error("open a decision", zap.Error(clean(err)))
		return verdict{answer: "Slack did not let me show you the fix in time, so nothing was recorded. Click again."}
	}
	return verdict{}
}

func (b *Bot) decisionLog(c slack.InteractionCallback, name string, click casebook.Click) *zap.Logger {
	log := b.Log.With(zap.String("remediation", name), zap.String("verdict", string(click.Verdict)))
	return log.With(whence(c, orElse(click.Card.Channel, c.Container.ChannelID))...)
}

var anID = regexp.MustCompile(`^[A-Z][A-Z0-9]{2,20}$`)

// whence is where an interaction came from, for the log. What is no id of Slack's is somebody's text, and left out.
func whence(c slack.InteractionCallback, channel string) []zap.Field {
	id := func(s string) string {
		if s != "" && !anID.MatchString(s) {
			return "no id"
		}
		return s
	}
	return []zap.Field{zap.String("user", id(c.User.ID)), zap.String("team", id(c.Team.ID)), zap.String("channel", id(channel)), zap.String("app", id(c.APIAppID))}
}

// Refusals of clicks that nothing is known about yet.
const (
	nobodyKnown  diagnostics.Refusal = "Slack did not tell me who you are, so your click does not count. Try again in a minute."
	beingWritten diagnostics.Refusal = "This card is being written at this moment. Click again."
)

// weighed gathers what a click is judged by: who it is, and that the card is recorded.
func (b *Bot) weighed(ctx context.Context, c slack.InteractionCallback, name string, click *casebook.Click) (err error) {
	click.By, err = b.people.person(ctx, c.Team.ID, orElse(c.User.TeamID, "unknown"), c.User.ID, click.Card.Channel)
	if err != nil {
		return because(nobodyKnown, err)
	}
	if rem, err := b.Book.Store.Remediations.Get(ctx, name); err == nil && rem.Status.Card.TS == "" {
		return beingWritten // which message is the card is not recorded yet, so this one can't be told from a forgery
	}
	return nil
}

// because adds to a refusal what was not to be learned, for the log alone.
func because(refusal, why error) error {
	if why == nil {
		return refusal
	}
	return fmt.Errorf("%w (%w)", refusal, why)
}

// refused is what to say of a click that doesn't count, and the one line of the log about it.
func (b *Bot) refused(log *zap.Logger, what casebook.Verdict, name string, rem casebook.Remediation, err error) verdict {
	var settled *casebook.Settled
	var refusal diagnostics.Refusal
	switch {
	case errors.As(err, &settled):
		b.meters.decided(what, "late")
		log.Info("a click too late", zap.String("phase", string(settled.Phase)))
		return verdict{answer: settled.Sentence, late: rem}
	case errors.As(err, &refusal):
		b.meters.decided(what, "refused")
		log.Warn("a click refused", zap.String("why", clean(err).Error()))
		return verdict{answer: string(refusal), anybody: refusal == unknownButton || refusal == nobodyKnown}
	}
	b.meters.decided(what, "fault")
	log.Error("record a decision", zap.Error(err))
	return verdict{answer: fmt.Sprintf("Something went wrong inside netdiag; your click on %s was not recorded. Try again.", name)}
}

// read checks that the payload is a click on a card of this app, as far as the payload can tell.
func (b *Bot) read(c slack.InteractionCallback) (name string, click casebook.Click, err error) {
	actions := c.ActionCallback.BlockActions
	if len(actions) != 1 || !b.genuine(c) {
		return "", click, unknownButton
	}
	decides := strings.HasPrefix(actions[0].BlockID, render.BlockDecide)
	switch action := actions[0].ActionID; {
	case decides && action == render.ActionApprove:
		click.Verdict = casebook.Approve
	case decides && action == render.ActionReject:
		click.Verdict = casebook.Reject
	case !decides && action == render.ActionUndo && strings.HasPrefix(actions[0].BlockID, render.BlockUndo):
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

// answerClick tells whoever clicked what came of it.
func (b *Bot) answerClick(ctx context.Context, c slack.InteractionCallback, v verdict) {
	if err := b.showClick(ctx, c, render.Settled(v.answer)); err != nil && !v.anybody {
		b.Log.Error("answer a click", zap.String("user", c.User.ID), zap.Error(err))
	}
}

// showClick shows a message to whoever clicked, in the thread of the card; where that fails, by the response URL.
func (b *Bot) showClick(ctx context.Context, c slack.InteractionCallback, m render.Message) error {
	ctx, cancel := context.WithTimeout(ctx, decideLimit)
	defer cancel()
	err := b.web.whisper(ctx, c.Container.ChannelID, c.Container.ThreadTs, c.User.ID, m)
	if err != nil && c.ResponseURL != "" {
		err = b.web.respond(ctx, c.ResponseURL, m)
	}
	return err
}
