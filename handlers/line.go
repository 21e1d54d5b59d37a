package handlers

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackevents"
	"github.com/slack-go/slack/socketmode"
	"go.uber.org/zap"
	"golang.org/x/time/rate"
)

// envelope is one thing that Slack delivered. It must be acknowledged within 3 s of its sending.
type envelope struct {
	command     *slack.SlashCommand
	interaction *slack.InteractionCallback
	event       *slackevents.EventsAPIEvent
	hello       string // the id of the app, on connection
	// ack acknowledges; answer may be nil, and is shown to the person where it is a message.
	ack func(ctx context.Context, answer any) error
}

// ackLimit is how long an acknowledgement may wait for the connection. slack-go itself would wait for ever.
const ackLimit = 2 * time.Second

// line is a Socket Mode connection that keeps itself alive.
type line struct {
	api      *slack.Client
	log      *zap.Logger
	every    time.Duration
	handling sync.WaitGroup // envelopes
}

func newLine(c Config) *line {
	// slack-go connects again at once when Slack closes a connection that it had accepted: the limit on attempts is ours.
	pace := &paced{limit: rate.NewLimiter(rate.Every(c.DialEvery), 3), next: http.DefaultTransport}
	return &line{api: client(c, &http.Client{Timeout: 30 * time.Second, Transport: pace}), log: c.Log, every: c.DialEvery}
}

// paced bounds how often requests are made.
type paced struct {
	limit *rate.Limiter
	next  http.RoundTripper
}

// RoundTrip waits for its turn first.
func (p *paced) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := p.limit.Wait(r.Context()); err != nil {
		return nil, err
	}
	return p.next.RoundTrip(r)
}

// run keeps a connection until ctx ends, or until Slack refuses the app token for good.
func (l *line) run(ctx context.Context, receive func(context.Context, envelope)) error {
	for wait := l.every; ; wait = min(2*wait, time.Minute) {
		start := time.Now()
		err := l.session(ctx, receive)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if fatal := refused(err, "app token (SLACK_APP_TOKEN)"); fatal != nil {
			return fatal
		}
		if time.Since(start) > time.Minute {
			wait = l.every
		}
		l.log.Warn("the connection to Slack ended", zap.Error(clean(err)), zap.Duration("again", wait))
		if !sleep(ctx, wait) {
			return ctx.Err()
		}
	}
}

// session runs one client of slack-go, which connects again by itself until it gives up.
func (l *line) session(ctx context.Context, receive func(context.Context, envelope)) error {
	handlers := ctx // what was received is handled to its end, though the client is given up
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	client := socketmode.New(l.api, socketmode.OptionLog(silent()))
	ended := make(chan error, 1)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { ended <- client.RunContext(ctx) })
	for {
		select {
		case err := <-ended:
			return err
		case ev := <-client.Events:
			if err := l.event(handlers, client, ev, receive); err != nil {
				return err
			}
		}
	}
}

// event passes on what matters. Its error ends the session.
func (l *line) event(ctx context.Context, client *socketmode.Client, ev socketmode.Event, receive func(context.Context, envelope)) error {
	e := envelope{}
	switch data := ev.Data.(type) {
	case *slack.ConnectionErrorEvent:
		if refused(data.ErrorObj, "") != nil { // slack-go would try for ever
			return data.ErrorObj
		}
		l.log.Warn("connect to Slack", zap.Error(clean(data.ErrorObj)), zap.Int("attempt", data.Attempt), zap.Duration("again", data.Backoff))
		return nil
	case *socketmode.ErrorBadMessage:
		l.log.Warn("Slack sent what can't be read")
		e.ack = acknowledge(client, envelopeID(data.Message))
		if envelopeID(data.Message) == "" {
			return nil
		}
	case *socketmode.ErrorWriteFailed:
		l.log.Warn("acknowledge to Slack", zap.Error(clean(data.Cause)))
		return nil
	case slack.SlashCommand:
		e.command, e.ack = &data, acknowledge(client, ev.Request.EnvelopeID)
	case slack.InteractionCallback:
		e.interaction, e.ack = &data, acknowledge(client, ev.Request.EnvelopeID)
	case slackevents.EventsAPIEvent:
		e.event, e.ack = &data, acknowledge(client, ev.Request.EnvelopeID)
	default:
		switch {
		case ev.Type == socketmode.EventTypeHello && ev.Request != nil:
			l.log.Info("connected to Slack", zap.String("app", ev.Request.ConnectionInfo.AppID), zap.Int("connections", ev.Request.NumConnections))
			e.hello = ev.Request.ConnectionInfo.AppID
		case ev.Request != nil && ev.Request.EnvelopeID != "": // what nobody handles would come again
			e.ack = acknowledge(client, ev.Request.EnvelopeID)
		default:
			return nil
		}
	}
	receive(ctx, e)
	return nil
}

func acknowledge(client *socketmode.Client, id string) func(context.Context, any) error {
	return func(ctx context.Context, answer any) error {
		ctx, cancel := context.WithTimeout(ctx, ackLimit)
		defer cancel()
		return client.AckCtx(ctx, id, answer)
	}
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
