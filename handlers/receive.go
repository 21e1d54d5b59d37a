package handlers

import (
	"context"
	"runtime/debug"
	"strings"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackevents"
	"go.uber.org/zap"

	render "github.com/netdiag/netdiag/internal/render/slack"
)

// receive handles one envelope beside the others. It never blocks: slack-go reads nothing meanwhile, not even Slack's pings.
func (b *Bot) receive(ctx context.Context, l *line, e envelope) {
	if e.hello != "" {
		b.mu.Lock()
		b.app = e.hello
		b.mu.Unlock()
		return
	}
	e = b.meters.timed(e)
	select {
	case b.take <- struct{}{}:
	default:
		b.shed(ctx, e)
		return
	}
	l.handling.Go(func() {
		defer func() { <-b.take }()
		defer b.recovered("handle what Slack sent")
		switch {
		case e.command != nil:
			b.command(ctx, *e.command, e.ack)
		case e.interaction != nil:
			b.interact(ctx, *e.interaction, e.ack)
		case e.event != nil:
			b.event(ctx, *e.event, e.ack)
		default:
			b.ack(ctx, e.ack, nil)
		}
	})
}

const stoppingSentence = "I am being restarted. Try again in a minute."

// shed turns away what comes while very much is being handled, or while the bot stops. Events and clicks are not
// acknowledged: Slack sends the former again, and shows whoever clicked that it did not work.
func (b *Bot) shed(ctx context.Context, e envelope) {
	b.meters.shed.Inc()
	if e.command == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, shedLimit)
	defer cancel()
	sentence := busySentence
	if b.pulse.ready() != nil {
		sentence = stoppingSentence
	}
	m := render.Refusal(sentence)
	b.ack(ctx, e.ack, &m)
}

// shedLimit is how long turning one command away may hold up what comes after it.
const shedLimit = 100 * time.Millisecond

// interact handles what somebody did with a button, a form or a shortcut.
func (b *Bot) interact(ctx context.Context, c slack.InteractionCallback, ack func(context.Context, any) error) {
	if b.foreign(c.APIAppID) && c.Type != slack.InteractionTypeBlockActions { // a click is answered
		b.Log.Warn("an interaction with another app", whence(c, c.Container.ChannelID)...)
		b.ack(ctx, ack, nil)
		return
	}
	switch c.Type {
	case slack.InteractionTypeBlockActions:
		b.press(ctx, c, ack)
	case slack.InteractionTypeBlockSuggestion:
		b.suggest(ctx, c, ack)
	case slack.InteractionTypeViewSubmission:
		b.submit(ctx, c, ack)
	case slack.InteractionTypeMessageAction, slack.InteractionTypeShortcut:
		b.shortcut(ctx, c, ack)
	default:
		b.ack(ctx, ack, nil)
	}
}

// press finds who handles a button or another element.
func (b *Bot) press(ctx context.Context, c slack.InteractionCallback, ack func(context.Context, any) error) {
	actions := c.ActionCallback.BlockActions
	switch {
	case len(actions) == 1 && strings.HasPrefix(actions[0].BlockID, render.BlockWays) && !b.foreign(c.APIAppID):
		b.way(ctx, c, *actions[0], ack)
	case len(actions) == 1 && strings.HasPrefix(actions[0].BlockID, render.BlockUndo):
		b.undo(ctx, c, ack)
	case c.View.CallbackID == render.CallbackForm && len(actions) == 1 && (actions[0].ActionID == render.FieldDiagnosis || actions[0].ActionID == render.FieldCluster):
		b.reshape(ctx, c, *actions[0], ack)
	case c.Container.Type == "view" && (len(actions) != 1 || !strings.HasPrefix(actions[0].BlockID, render.BlockDecide)): // no view has a card in it
		b.ack(ctx, ack, nil)
	default:
		b.click(ctx, c, ack)
	}
}

// event handles what Slack tells the app: a mention, a direct message, an opened Home. What it does not know is acknowledged,
// or Slack would send it again.
func (b *Bot) event(ctx context.Context, e slackevents.EventsAPIEvent, ack func(context.Context, any) error) {
	if b.foreign(e.APIAppID) {
		b.Log.Warn("an event of another app", zap.String("app", e.APIAppID))
		b.ack(ctx, ack, nil)
		return
	}
	switch ev := e.InnerEvent.Data.(type) {
	case *slackevents.AppMentionEvent:
		b.mention(ctx, e, ev, ack)
	case *slackevents.MessageEvent:
		b.message(ctx, e, ev, ack)
	case *slackevents.SubteamMembersChangedEvent:
		b.people.regroup()
		b.ack(ctx, ack, nil)
	case *slackevents.AppHomeOpenedEvent:
		b.ack(ctx, ack, nil)
		if ev.Tab == "home" {
			b.home(ctx, e.TeamID, ev.User)
		}
	default:
		b.ack(ctx, ack, nil)
	}
}

// recovered keeps a panic from ending the bot.
func (b *Bot) recovered(what string) {
	if p := recover(); p != nil {
		b.Log.Error(what, zap.Any("panic", p), zap.ByteString("stack", debug.Stack()))
	}
}

// ack acknowledges; answer is shown to the person alone, and may be nil.
func (b *Bot) ack(ctx context.Context, ack func(context.Context, any) error, answer *render.Message) {
	var payload any
	if answer != nil {
		payload = map[string]any{"response_type": slack.ResponseTypeEphemeral, "text": answer.Text, "blocks": answer.Blocks}
	}
	b.acknowledge(ctx, ack, payload)
}

// acknowledge sends an acknowledgement; a failure is nobody's but the log's: Slack tells the person itself.
func (b *Bot) acknowledge(ctx context.Context, ack func(context.Context, any) error, payload any) {
	if err := ack(ctx, payload); err != nil && ctx.Err() == nil {
		b.Log.Warn("acknowledge to Slack", zap.Error(clean(err)))
	}
}
