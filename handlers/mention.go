package handlers

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack/slackevents"
	"go.uber.org/zap"

	render "github.com/netdiag/netdiag/internal/render/slack"
)

// mention answers a message that mentions the bot: in the thread that it stands in, or as a slash command would.
func (b *Bot) mention(ctx context.Context, e slackevents.EventsAPIEvent, ev *slackevents.AppMentionEvent, ack func(context.Context, any) error) {
	if ev.BotID != "" || ev.Edited != nil || b.notAPerson(ev.User) {
		b.ack(ctx, ack, nil)
		return
	}
	b.said(ctx, request{
		words: typed(afterMention(ev.Text, b.me.id)), begin: "@" + b.me.name, app: e.APIAppID,
		team: e.TeamID, home: orElse(ev.UserTeam, ev.SourceTeam), user: ev.User, channel: ev.Channel, thread: ev.ThreadTimeStamp,
		shared: e.IsExtSharedChannel, key: messageKey(e.TeamID, ev.Channel, ev.TimeStamp),
	}, ack)
}

// message answers what somebody writes to the bot alone. Messages with a subtype (edited, deleted, of other apps) are
// nobody's words.
func (b *Bot) message(ctx context.Context, e slackevents.EventsAPIEvent, ev *slackevents.MessageEvent, ack func(context.Context, any) error) {
	if ev.ChannelType != slackevents.ChannelTypeIM || ev.SubType != "" || ev.BotID != "" || b.notAPerson(ev.User) {
		b.ack(ctx, ack, nil)
		return
	}
	b.said(ctx, request{
		words: typed(afterMention(ev.Text, b.me.id)), app: e.APIAppID,
		team: e.TeamID, home: orElse(ev.UserTeam, ev.SourceTeam), user: ev.User, channel: ev.Channel, thread: ev.ThreadTimeStamp,
		shared: e.IsExtSharedChannel, key: messageKey(e.TeamID, ev.Channel, ev.TimeStamp),
	}, ack)
}

func (b *Bot) notAPerson(user string) bool { return user == "" || user == b.me.id }

// messageKey names a message: Slack delivers one up to four times, and may tell of it by more than one kind of event.
func messageKey(team, channel, ts string) string {
	return strings.Join([]string{"message", team, channel, ts}, "|")
}

// said records what a message asks for, acknowledges, and answers.
func (b *Bot) said(ctx context.Context, r request, ack func(context.Context, any) error) {
	name, answer := b.record(ctx, r)
	if ctx.Err() != nil {
		return // not acknowledged, it comes again: to another process, or to this one when it is back
	}
	b.ack(ctx, ack, nil)
	b.begin(name)
	if answer != nil && b.heard.first(r.key, b.Now()) {
		b.reply(ctx, r, *answer)
	}
}

// reply shows an answer to one person where they asked.
func (b *Bot) reply(ctx context.Context, r request, m render.Message) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	var err error
	if direct(r.channel) {
		_, err = b.out.post(ctx, posting{channel: r.channel, thread: r.thread, key: r.key, rank: rankRoot, message: m})
	} else {
		err = b.web.whisper(ctx, r.channel, r.thread, r.user, m)
	}
	if err != nil {
		b.Log.Error("answer a message", zap.String("user", r.user), zap.String("channel", r.channel), zap.Error(err))
	}
}

// heard remembers the messages that were answered at once. Questions need no such memory: the store has them.
type heard struct {
	mu sync.Mutex
	at map[string]time.Time
}

// heardFor is how long a message counts as answered; Slack's last redelivery comes after about six minutes.
const heardFor = time.Hour

// first reports that a message was not answered yet; from now on it is.
func (h *heard) first(key string, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for k, at := range h.at {
		if now.Sub(at) > heardFor {
			delete(h.at, k)
		}
	}
	if _, known := h.at[key]; known {
		return false
	}
	if h.at == nil {
		h.at = map[string]time.Time{}
	}
	h.at[key] = now
	return true
}
