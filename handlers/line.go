package handlers

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"
)

// Times of a connection.
const (
	openLimit  = 15 * time.Second // for each step of opening one: the address, the handshake, the hello
	steady     = 30 * time.Second // a connection that lived for less is a failure, though Slack had accepted it
	longestGap = time.Minute      // between two attempts, but where Slack asks for more
	ackLimit   = 2 * time.Second  // for an acknowledgement to leave; slack-go itself would wait for ever
)

// line is the way to Slack: several Socket Mode connections that know nothing of each other, so that Slack's refreshing
// of one never leaves the bot without any. Slack sends each envelope over one of them, whichever it likes.
type line struct {
	Config
	http     http.RoundTripper
	pulse    *pulse
	meters   *slackMeters
	limit    *rate.Limiter  // of openings, all connections together
	handling sync.WaitGroup // envelopes

	mu   sync.Mutex
	live map[*socket]bool // those that said hello and have not ended
}

func newLine(c Config, h http.RoundTripper, p *pulse, m *slackMeters) *line {
	return &line{Config: c, http: h, pulse: p, meters: m, limit: rate.NewLimiter(rate.Every(c.DialEvery), 3), live: map[*socket]bool{}}
}

// run keeps the connections until ctx ends, or until Slack refuses the app token for good: then the error is a *TokenError.
func (l *line) run(ctx context.Context, receive func(envelope)) error {
	g, ctx := errgroup.WithContext(ctx)
	for id := range l.Connections {
		g.Go(func() error {
			// Begun at different times, they are refreshed at different times.
			if !sleep(ctx, time.Duration(id)*10*l.DialEvery) {
				return ctx.Err()
			}
			return l.keep(ctx, id, receive)
		})
	}
	return g.Wait()
}

// keep opens one connection again and again.
func (l *line) keep(ctx context.Context, id int, receive func(envelope)) error {
	log := l.Log.With(zap.Int("connection", id))
	for failures := 0; ; {
		if err := l.limit.Wait(ctx); err != nil {
			return ctx.Err()
		}
		end := l.open(ctx, id, log, receive)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		l.meters.ended.WithLabelValues(end.reason).Inc()
		if err := end.permanent(); err != nil {
			return err
		}
		failures++
		if end.lived >= steady {
			failures = 0
		}
		wait := max(l.backoff(failures), end.wait)
		log.Log(end.level(failures), "the connection to Slack ended", zap.String("reason", end.reason), zap.Error(clean(end.err)),
			zap.Duration("lived", end.lived), zap.Duration("again", wait))
		if end.reason == tooMany {
			wait = max(wait, 10*l.DialEvery)
			log.Warn("Slack has as many connections of this app as it allows (10): lower slack.connections in the settings, or the number of replicas")
		}
		if !sleep(ctx, wait) {
			return ctx.Err()
		}
	}
}

// backoff is how long to wait after so many failures in a row: nothing at first, then twice as long each time.
func (l *line) backoff(failures int) time.Duration {
	if failures == 0 {
		return 0
	}
	wait := min(l.DialEvery<<min(failures-1, 20), longestGap)
	return wait + rand.N(wait/4+1) // replicas that failed together come back one by one
}

// speaker is the connection to acknowledge over: that of the envelope, or any other where it has ended.
func (l *line) speaker(s *socket) *socket {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.live[s] {
		return s
	}
	for other := range l.live {
		return other
	}
	return nil
}

var errNoConnection = errors.New("no connection to Slack is open")

// send writes over s or another connection within ackLimit.
func (l *line) send(ctx context.Context, s *socket, write func(context.Context, *socket) error) error {
	ctx, cancel := context.WithTimeout(ctx, ackLimit)
	defer cancel()
	if s = l.speaker(s); s == nil {
		return errNoConnection
	}
	return write(ctx, s)
}

// ending says how a connection ended.
type ending struct {
	reason string        // Slack's, or one of ours
	lived  time.Duration // since its hello
	wait   time.Duration // that Slack asks for
	err    error
}

// Reasons for the end of a connection. The first four are Slack's own words.
const (
	warned   = "warning"
	refresh  = "refresh_requested"
	tooMany  = "too_many_websockets"
	disabled = "link_disabled"

	refusedOpen = "refused" // apps.connections.open answered an error
	limited     = "rate_limited"
	silence     = "silent" // half open: no ping of Slack within 30 s
	unwritable  = "unwritable"
	noHello     = "no_hello"
	unreached   = "unreachable" // no answer to the opening
	cut         = "cut"
	otherwise   = "other"
)

func reasons() []string {
	return []string{warned, refresh, tooMany, disabled, refusedOpen, limited, silence, unwritable, noHello, unreached, cut, otherwise}
}

// permanent gives the error to end with where no attempt can go better.
func (e ending) permanent() error {
	if err := refused(e.err, "app token (SLACK_APP_TOKEN)"); err != nil {
		return err
	}
	if e.reason == disabled {
		return &TokenError{disabled, "Slack has Socket Mode switched off for this app (link_disabled); switch it on in the app's settings at api.slack.com/apps and start netdiag again"}
	}
	return nil
}
