package handlers

import (
	"context"
	"slices"

	"github.com/slack-go/slack"
)

// markType is the type of the metadata that every message of the bot carries; keyField holds what tells it from all others.
const (
	markType = "netdiag_message"
	keyField = "key"
)

// marked puts the key of a message into it, out of sight. Other apps in the channel can read it: it is no secret.
func marked(key string) slack.MsgOption {
	return slack.MsgOptionMetadata(slack.SlackMetadata{EventType: markType, EventPayload: map[string]any{keyField: key}})
}

// looked is how many of the newest messages are looked through.
const looked = 200

// find looks for a message that may have been posted, by its key; ts is empty where it isn't there, and seen is false where
// the bot may not read the channel. What is found is the bot's own: nobody else can write under its id.
func (w *web) find(ctx context.Context, channel, thread, key string) (ts string, seen bool, err error) {
	w.mu.Lock()
	blind := w.blind[channel]
	w.mu.Unlock()
	if blind {
		return "", false, nil
	}
	ms, err := w.newest(ctx, channel, thread)
	if permanent(codeOf(err)) || unreachable(err) {
		w.mu.Lock()
		w.blind[channel] = true
		w.mu.Unlock()
		return "", false, nil
	}
	if codeOf(err) != "" && !temporary(err) { // the thread is gone, say
		return "", false, nil
	}
	if err != nil {
		return "", false, clean(err)
	}
	i := slices.IndexFunc(ms, func(m slack.Message) bool {
		return m.BotID != "" && m.BotID == w.bot && m.Metadata.EventType == markType && m.Metadata.EventPayload[keyField] == key
	})
	if i < 0 {
		return "", true, nil
	}
	return ms[i].Timestamp, true, nil
}

func (w *web) newest(ctx context.Context, channel, thread string) ([]slack.Message, error) {
	if thread == "" {
		h, err := w.api.GetConversationHistoryContext(ctx, &slack.GetConversationHistoryParameters{ChannelID: channel, Limit: looked, IncludeAllMetadata: true})
		if err != nil {
			return nil, err
		}
		return h.Messages, nil
	}
	ms, _, _, err := w.api.GetConversationRepliesContext(ctx, &slack.GetConversationRepliesParameters{ChannelID: channel, Timestamp: thread, Limit: looked, IncludeAllMetadata: true})
	return ms, err
}
