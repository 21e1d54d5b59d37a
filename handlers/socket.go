package handlers

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackevents"
	"github.com/slack-go/slack/socketmode"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// pingWithin is how long Slack may send no ping: slack-go then takes the connection for half open, after 30 to 60 s.
const pingWithin = 30 * time.Second

// socket is one connection of slack-go's client, from its opening to its end. slack-go would connect again by itself, at
// once and without end where Slack accepts and then disconnects; so a client is given up with its connection, and what
// comes next is the line's affair.
type socket struct {
	*line
	id     int
	log    *zap.Logger
	client *socketmode.Client
	ear    ear

	hello time.Time // zero until it came
	end   *ending
}

// open makes a connection and passes on what comes over it until it ends.
func (l *line) open(ctx context.Context, id int, log *zap.Logger, receive func(envelope)) ending {
	s := &socket{line: l, id: id, log: log}
	api := client(l.Config, &http.Client{Timeout: openLimit, Transport: &single{next: l.http}})
	s.client = socketmode.New(api, socketmode.OptionDialer(s.dialer()), socketmode.OptionPingInterval(pingWithin),
		socketmode.OptionLog(&s.ear), socketmode.OptionDebug(true)) // debugging of this client only: see ear
	life, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	gone := make(chan error, 1)
	wg.Go(func() { gone <- s.client.RunContext(life) })
	greeting := time.NewTimer(3 * openLimit)
	defer greeting.Stop()
	defer s.down()
	for s.end == nil {
		select {
		case <-greeting.C:
			if s.hello.IsZero() {
				s.over(noHello, nil)
			}
		case err := <-gone:
			s.rest(receive)
			s.failed(err)
		case ev := <-s.client.Events:
			s.event(ev, receive)
		}
	}
	return *s.end
}

// rest handles what came before the client ended.
func (s *socket) rest(receive func(envelope)) {
	for {
		select {
		case ev := <-s.client.Events:
			s.event(ev, receive)
		default:
			return
		}
	}
}

// over notes how the connection ended; the first word counts.
func (s *socket) over(reason string, err error) {
	if s.end != nil {
		return
	}
	s.end = &ending{reason: reason, err: err}
	if !s.hello.IsZero() {
		s.end.lived = time.Since(s.hello)
	}
	if limit, ok := errors.AsType[*slack.RateLimitedError](err); ok {
		s.end.reason, s.end.wait = limited, limit.RetryAfter
	}
}

// failed is over where the connection was not made, or the client gave up.
func (s *socket) failed(err error) {
	_, answered := errors.AsType[slack.StatusCodeError](err)
	switch {
	case answered || codeOf(err) != "":
		s.over(refusedOpen, err)
	case s.hello.IsZero():
		s.over(unreached, err)
	default:
		s.over(cut, err)
	}
}

// dropped is over where a connection that was made is no more.
func (s *socket) dropped() {
	reason := s.ear.reason()
	switch {
	case reason != "":
		s.over(reason, nil)
	case s.pulse.quiet(s.id) >= pingWithin/2: // any frame counts here, slack-go counts from the last ping
		s.over(silence, nil)
	default:
		s.over(cut, nil)
	}
}

func (s *socket) up(hello *socketmode.Request) {
	s.hello = time.Now()
	s.mu.Lock()
	s.live[s] = true
	s.mu.Unlock()
	s.pulse.up(s.id)
	s.log.Info("connected to Slack", zap.String("app", hello.ConnectionInfo.AppID), zap.Int("connections", hello.NumConnections))
}

func (s *socket) down() {
	s.mu.Lock()
	delete(s.live, s)
	s.mu.Unlock()
	s.pulse.down(s.id, s.end != nil && s.end.reason == silence)
}

// event passes on what matters to the bot, and notes the end of the connection.
func (s *socket) event(ev socketmode.Event, receive func(envelope)) {
	e := envelope{at: time.Now()}
	id := ""
	if ev.Request != nil {
		id, e.attempt = ev.Request.EnvelopeID, ev.Request.RetryAttempt
	}
	switch data := ev.Data.(type) {
	case *slack.ConnectingEvent:
		if data.ConnectionCount > 0 { // slack-go says so when it has lost the connection
			s.dropped()
		}
		return
	case *slack.ConnectionErrorEvent:
		s.failed(data.ErrorObj)
		return
	case *socketmode.ErrorWriteFailed:
		s.rewrite(data)
		return
	case *socketmode.ErrorBadMessage:
		s.log.Warn("Slack sent what can't be read")
		id, e.kind = envelopeID(data.Message), "unreadable"
	case slack.SlashCommand:
		e.command, e.kind = &data, "command"
	case slack.InteractionCallback:
		e.interaction, e.kind = &data, "interaction"
	case slackevents.EventsAPIEvent:
		e.event, e.kind = &data, "event"
	default:
		e.kind = "unknown"
		if ev.Type == socketmode.EventTypeHello && ev.Request != nil {
			s.up(ev.Request)
			id, e.hello = "", ev.Request.ConnectionInfo.AppID
		}
	}
	if id == "" && e.hello == "" { // nothing that Slack waits for
		return
	}
	e.ack = s.acknowledge(id)
	receive(e)
}

// acknowledge makes the ack of an envelope. An answer that is too big for Slack is left out: without any acknowledgement
// the person would see an error.
func (s *socket) acknowledge(id string) func(context.Context, any) error {
	return func(ctx context.Context, answer any) error {
		return s.send(ctx, s, func(ctx context.Context, s *socket) error {
			err := s.client.AckCtx(ctx, id, answer)
			if err != nil && ctx.Err() == nil && answer != nil {
				err = errors.Join(err, s.client.AckCtx(ctx, id, nil))
			}
			return err
		})
	}
}

// rewrite sends over another connection what this one did not take; slack-go would drop it and go on.
func (s *socket) rewrite(failed *socketmode.ErrorWriteFailed) {
	s.over(unwritable, failed.Cause)
	s.down()
	s.handling.Go(func() {
		err := s.send(context.Background(), s, func(ctx context.Context, s *socket) error { return s.client.SendCtx(ctx, *failed.Response) })
		if err != nil {
			s.meters.unacknowledged.Inc()
			s.log.Warn("acknowledge to Slack", zap.Error(clean(failed.Cause)))
		}
	})
}

func (s *socket) dialer() *websocket.Dialer {
	dial := s.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: openLimit}).DialContext
	}
	return &websocket.Dialer{
		Proxy: http.ProxyFromEnvironment, HandshakeTimeout: openLimit,
		WriteBufferSize: 32 << 10, // Slack drops what comes in several frames, and takes up to 20 KB
		NetDialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return listened{conn, func() { s.pulse.heard(s.id) }}, nil
		},
	}
}

// single lets one request through. The next one, by which slack-go connects again, waits until its client is given up.
type single struct {
	next http.RoundTripper
	used atomic.Bool
}

// RoundTrip makes the first request.
func (o *single) RoundTrip(r *http.Request) (*http.Response, error) {
	if o.used.Swap(true) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return o.next.RoundTrip(r)
}

// level is how loud the end of a connection is told: refreshes are what Slack does every hour.
func (e ending) level(failures int) zapcore.Level {
	if failures == 0 && (e.reason == warned || e.reason == refresh) {
		return zapcore.InfoLevel
	}
	return zapcore.WarnLevel
}
