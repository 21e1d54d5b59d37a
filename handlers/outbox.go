package handlers

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/slack-go/slack"
	"golang.org/x/time/rate"

	render "github.com/netdiag/netdiag/internal/render/slack"
)

// outbox writes to channels: one call at a time in each, in the order of asking, and no more messages than Slack takes
// (about one a second and channel, with short bursts; edits have a limit of their own). It waits where Slack says so, and tries again.
type outbox struct {
	web   *web
	every time.Duration

	mu    sync.Mutex
	lanes map[string]*lane
}

type lane struct {
	turn  chan struct{} // holds one token; a blocked receiver is served in order
	posts *rate.Limiter
}

func newOutbox(w *web, every time.Duration) *outbox {
	return &outbox{web: w, every: every, lanes: map[string]*lane{}}
}

func (o *outbox) lane(channel string) *lane {
	o.mu.Lock()
	defer o.mu.Unlock()
	l := o.lanes[channel]
	if l == nil {
		l = &lane{turn: make(chan struct{}, 1), posts: rate.NewLimiter(rate.Every(o.every), 3)}
		l.turn <- struct{}{}
		o.lanes[channel] = l
	}
	return l
}

// post writes a message and returns its ts.
func (o *outbox) post(ctx context.Context, channel, thread string, m render.Message) (ts string, err error) {
	l := o.lane(channel)
	select {
	case <-l.turn:
		defer func() { l.turn <- struct{}{} }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if err := l.posts.Wait(ctx); err != nil {
		return "", err
	}
	err = insist(ctx, o.every, func() error {
		// A post that has begun is finished, though the bot is being stopped: cut off, nobody would know whether it came.
		ts, err = o.web.post(context.WithoutCancel(ctx), channel, thread, m)
		return err
	})
	return ts, err
}

// update changes a message.
func (o *outbox) update(ctx context.Context, channel, ts string, m render.Message) error {
	l := o.lane(channel)
	select {
	case <-l.turn:
		defer func() { l.turn <- struct{}{} }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return insist(ctx, o.every, func() error { return o.web.update(context.WithoutCancel(ctx), channel, ts, m) })
}

// glimpse is update for what will soon be out of date: where anything else is to be written, or Slack is slow, it is left out.
func (o *outbox) glimpse(ctx context.Context, channel, ts string, m render.Message) (written bool, err error) {
	l := o.lane(channel)
	select {
	case <-l.turn:
		defer func() { l.turn <- struct{}{} }()
		return true, o.web.update(ctx, channel, ts, m)
	default:
		return false, nil
	}
}

// insist tries again what may go better the next time: rate limits, as long as Slack says, and what a network or a
// server does. A post whose answer was lost can come twice; the other way it could be lost.
func insist(ctx context.Context, pause time.Duration, f func() error) error {
	const tries = 4
	for i, wait := 0, pause; ; i, wait = i+1, 2*wait {
		err := f()
		var limited *slack.RateLimitedError
		switch {
		case err == nil:
			return nil
		case errors.As(err, &limited):
			if !sleep(ctx, limited.RetryAfter) {
				return ctx.Err()
			}
			i, wait = i-1, wait/2 // being told to wait is no failure
			continue
		case i >= tries-1 || !temporary(err):
			return err
		}
		if !sleep(ctx, wait) {
			return ctx.Err()
		}
	}
}

// temporary reports an error that is not about the request itself.
func temporary(err error) bool {
	switch code := codeOf(err); code {
	case "": // no answer of Slack at all, or a status above 500
		return !errors.Is(err, context.Canceled)
	case "internal_error", "fatal_error", "service_unavailable", "request_timeout", "ratelimited", "team_added_to_org":
		return true
	}
	return false
}
