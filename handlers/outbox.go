package handlers

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/slack-go/slack"
	"golang.org/x/time/rate"

	"github.com/netdiag/netdiag/internal/casebook"
	render "github.com/netdiag/netdiag/internal/render/slack"
)

// outbox writes to channels. Messages of a channel go one after the other, about one a second with short bursts, the more
// urgent first; edits go beside them, at the pace of the workspace (edits.go). Both wait where Slack says so, and try
// again. Whatever answers a click or a command goes past the outbox, and waits for nobody.
type outbox struct {
	web   *web
	every time.Duration
	edits *edits

	mu    sync.Mutex
	lanes map[string]*lane
	sent  map[string]string // by key: ts of messages that the store does not know of yet
}

// rank says which message goes first where several wait.
type rank int

const (
	rankOutcome rank = iota // what became of a fix that somebody approved
	rankRoot                // the sign that a question was heard
	rankAnswer              // everything else
)

// posting is a message to be written.
type posting struct {
	channel, thread string
	key             string // tells this message from every other one; others can read it
	rank            rank
	doubt           bool         // it may have been written before: a process ended in between
	may             func() error // reports, by its error, that it is too late to begin; nil where it never is
	message         render.Message
}

// lane is the queue of one channel.
type lane struct {
	turn  turn
	posts *rate.Limiter
}

// burst is how many messages may go at once before the pace of a channel is kept.
const burst = 3

func newOutbox(w *web, every time.Duration) *outbox {
	return &outbox{web: w, every: every, edits: newEdits(w.update, every), lanes: map[string]*lane{}, sent: map[string]string{}}
}

func (o *outbox) lane(channel string) *lane {
	o.mu.Lock()
	defer o.mu.Unlock()
	l := o.lanes[channel]
	if l == nil {
		l = &lane{posts: rate.NewLimiter(rate.Every(o.every), burst)}
		o.lanes[channel] = l
	}
	return l
}

// post writes a message and returns its ts. Where the answer to an attempt was lost, it looks whether the message is
// there before it writes it again; that needs the scope to read the channel's history, which netdiag asks for in direct
// messages only. Elsewhere a lost answer may lead to a second message: the other way it could be lost.
func (o *outbox) post(ctx context.Context, p posting) (ts string, err error) {
	o.mu.Lock()
	ts = o.sent[p.key]
	o.mu.Unlock()
	if ts != "" {
		return ts, nil
	}
	err = o.inLane(ctx, p.channel, p.rank, func() error {
		if p.may != nil {
			if err := p.may(); err != nil {
				return err
			}
		}
		// A post that has begun is finished, though the bot is being stopped: cut off, nobody would know whether it came.
		ctx := context.WithoutCancel(ctx)
		if p.doubt {
			seen := false
			if ts, seen, err = o.web.find(ctx, p.channel, p.thread, p.key); ts != "" || err != nil {
				return err
			}
			if !seen {
				p.message = render.Doubtful(p.message)
			}
		}
		ts, err = o.web.post(ctx, p)
		p.doubt = err != nil && codeOf(err) == "" && !toldToWait(err)
		return err
	})
	if err == nil && p.may != nil {
		o.mu.Lock()
		o.sent[p.key] = ts
		o.mu.Unlock()
	}
	return ts, err
}

// recorded says that the store knows of a message; it is false where none was posted under that key.
func (o *outbox) recorded(key string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, posted := o.sent[key]
	delete(o.sent, key)
	return posted
}

// inLane does f, again where that may help, when it is its turn in the channel.
func (o *outbox) inLane(ctx context.Context, channel string, r rank, f func() error) error {
	l := o.lane(channel)
	if err := l.turn.take(ctx, r); err != nil {
		return err
	}
	defer l.turn.give()
	if err := l.posts.Wait(ctx); err != nil {
		return err
	}
	return insist(ctx, o.every, f)
}

// insist tries again what may go better the next time: rate limits, as long as Slack says, and what a network or a
// server does.
func insist(ctx context.Context, pause time.Duration, f func() error) error {
	const tries = 4
	for i, wait := 0, pause; ; i, wait = i+1, 2*wait {
		err := f()
		var limit *slack.RateLimitedError
		switch {
		case err == nil:
			return nil
		case errors.As(err, &limit):
			if !sleep(ctx, limit.RetryAfter) {
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

// toldToWait reports an answer of 429.
func toldToWait(err error) bool {
	_, is := errors.AsType[*slack.RateLimitedError](err)
	return is
}

// temporary reports an error that is not about the request itself.
func temporary(err error) bool {
	switch code := codeOf(err); code {
	case "": // no answer of Slack at all, or a status above 500
		return !errors.Is(err, context.Canceled) && !errors.Is(err, casebook.ErrLost)
	case "internal_error", "fatal_error", "service_unavailable", "request_timeout", "ratelimited", "team_added_to_org":
		return true
	}
	return false
}
