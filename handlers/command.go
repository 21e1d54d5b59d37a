package handlers

import (
	"context"
	"strings"

	"github.com/slack-go/slack"
)

// command answers a slash command with its acknowledgement, or records the question, acknowledges, and hands it to the workers.
func (b *Bot) command(ctx context.Context, c slack.SlashCommand, ack func(context.Context, any) error) {
	name, answer := b.record(ctx, request{
		words: typed(c.Text), begin: c.Command, app: c.APIAppID, team: c.TeamID, user: c.UserID, channel: c.ChannelID,
		key: strings.Join([]string{c.TeamID, c.ChannelID, c.UserID, c.TriggerID}, "|"), url: c.ResponseURL,
	})
	b.ack(ctx, ack, answer)
	b.begin(name)
}
