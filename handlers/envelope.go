package handlers

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackevents"
)

// envelope is one thing that Slack delivered. It must be acknowledged within 3 s of its sending.
type envelope struct {
	command     *slack.SlashCommand
	interaction *slack.InteractionCallback
	event       *slackevents.EventsAPIEvent
	hello       string // the id of the app, on connection

	kind    string    // for the metrics: command, interaction, event, unreadable or unknown
	attempt int       // of an event: how often Slack sent it before
	at      time.Time // when it came
	// ack acknowledges; answer may be nil, and is shown to the person where it is a message.
	ack func(ctx context.Context, answer any) error
}

// envelopeID finds the id in a frame that slack-go could not read.
func envelopeID(frame json.RawMessage) string {
	var e struct {
		ID string `json:"envelope_id"`
	}
	if err := json.Unmarshal(frame, &e); err != nil || strings.ContainsAny(e.ID, " \n") {
		return ""
	}
	return e.ID
}
