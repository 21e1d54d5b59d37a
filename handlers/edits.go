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

// edits changes messages: one call at a time for each message, and only its newest text. chat.update has a limit of the
// whole workspace (50 calls a minute), so that all messages share one pace.
type edits struct {
	call  func(ctx context.Context, channel, ts string, m render.Message) error
	every time.Duration
	pace  *rate.Limiter

	mu     sync.Mutex
	until  time.Time         // Slack wants no call before
	drafts map[string]*draft // messages that are being edited, by channel and ts
}

// draft is a message that somebody is editing.
type draft struct {
	turn  turn
	users int   // who hold the turn or wait for it
	next  *edit // the text that goes out next; nil where none waits
}

type edit struct {
	message render.Message
	version int // of the message, while it waits or is being sent
	sent    bool
	err     error // how it went
}

// Edits that show progress stop well before the limit is used up: the final states need it.
const (
	editBurst = 10
	editSpare = 5
)

func newEdits(call func(ctx context.Context, channel, ts string, m render.Message) error, every time.Duration) *edits {
	return &edits{call: call, every: every, pace: rate.NewLimiter(rate.Every(every*3/2), editBurst), drafts: map[string]*draft{}}
}

// update changes a message. Where a text waits already for the same message this one takes its place, and both callers
// hear how it went.
func (e *edits) update(ctx context.Context, channel, ts string, m render.Message) error {
	d, release := e.open(channel + " " + ts)
	defer release()
	e.mu.Lock()
	if d.next == nil {
		d.next = &edit{}
	}
	d.next.message = m
	d.next.version++
	mine := d.next
	e.mu.Unlock()
	if err := d.turn.take(ctx, 0); err != nil {
		return err
	}
	defer d.turn.give()
	if mine.sent { // by whoever had the turn before
		return mine.err
	}
	for {
		if err := e.ready(ctx); err != nil {
			return err
		}
		version := 0
		err := insist(ctx, e.every, func() error {
			e.mu.Lock()
			m, version = mine.message, mine.version // at the last moment: the newest is what counts
			e.mu.Unlock()
			return e.send(context.WithoutCancel(ctx), channel, ts, m)
		})
		e.mu.Lock()
		if err != nil || mine.version == version {
			d.next, mine.sent, mine.err = nil, true, err
			e.mu.Unlock()
			return err
		}
		e.mu.Unlock()
	}
}

// open gives the draft of a message, until release is called.
func (e *edits) open(key string) (d *draft, release func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if d = e.drafts[key]; d == nil {
		d = &draft{}
		e.drafts[key] = d
	}
	d.users++
	return d, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if d.users--; d.users == 0 {
			delete(e.drafts, key)
		}
	}
}

// glimpse is update for what will soon be out of date: where the message is being edited already, or the limit is near,
// it is left out.
func (e *edits) glimpse(ctx context.Context, channel, ts string, m render.Message) (written bool, err error) {
	d, release := e.open(channel + " " + ts)
	defer release()
	e.mu.Lock()
	spare := d.users == 1 && !time.Now().Before(e.until) && e.pace.Tokens() >= editSpare && e.pace.Allow()
	e.mu.Unlock()
	if !spare || d.turn.take(ctx, 0) != nil {
		return false, nil
	}
	defer d.turn.give()
	return true, e.send(ctx, channel, ts, m)
}

func (e *edits) send(ctx context.Context, channel, ts string, m render.Message) error {
	err := e.call(ctx, channel, ts, m)
	if limit, is := errors.AsType[*slack.RateLimitedError](err); is {
		e.mu.Lock()
		e.until = time.Now().Add(limit.RetryAfter)
		e.mu.Unlock()
	}
	return err
}

// ready waits until an edit may go out.
func (e *edits) ready(ctx context.Context) error {
	for {
		e.mu.Lock()
		wait := time.Until(e.until)
		e.mu.Unlock()
		if wait <= 0 {
			return e.pace.Wait(ctx)
		}
		if !sleep(ctx, wait) {
			return ctx.Err()
		}
	}
}
