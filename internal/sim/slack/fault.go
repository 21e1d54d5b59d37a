package slack

import (
	"context"
	"net/http"
	"time"

	"golang.org/x/time/rate"
)

// Fault is what goes wrong with a call.
type Fault struct {
	Error      string        // answer this error, such as "internal_error" or "invalid_blocks"
	RetryAfter time.Duration // answer 429 with this Retry-After
	Delay      time.Duration // answer only after this time, or never while the client waits where it gives up before
	Status     int           // answer this HTTP status and nothing readable
	Cut        bool          // cut the connection instead of answering
	After      bool          // the call is carried out, and only its answer goes wrong
	Times      int           // how many calls it hits; 0 is one
}

// Fault makes the next calls of a method go wrong. Several faults of one method come one after the other. The method
// "link" is the opening of a socket: Delay stalls its handshake, Cut ends it before its hello, and Error is the reason of
// the disconnect frame that comes in place of the hello, such as "too_many_websockets".
func (s *Server) Fault(method string, f Fault) {
	f.Times = max(1, f.Times)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[method] = append(s.faults[method], f)
}

type rateLimited struct{ after time.Duration }

func (*rateLimited) Error() string { return "ratelimited" }

type broken struct{ status int }

func (*broken) Error() string { return "broken" }

// take gives the fault that hits this call, if any.
func (s *Server) take(method string) (f Fault, hit bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fs := s.faults[method]
	if len(fs) == 0 {
		return Fault{}, false
	}
	if fs[0].Times--; fs[0].Times == 0 {
		s.faults[method] = fs[1:]
	}
	return fs[0], true
}

func (f Fault) strike(ctx context.Context) error {
	if f.Delay > 0 {
		t := time.NewTimer(f.Delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
		}
	}
	switch {
	case f.Cut:
		panic(http.ErrAbortHandler)
	case f.Status > 0:
		return &broken{f.Status}
	case f.RetryAfter > 0:
		return &rateLimited{f.RetryAfter}
	case f.Error != "":
		return fail(f.Error)
	}
	return nil
}

// limit answers 429 where Slack would: by the method's tier, and for chat.postMessage one message a second and channel
// with short bursts.
func (s *Server) limit(c *call, m method) error {
	if !s.o.RateLimits {
		return nil
	}
	key, every, burst := c.method, time.Minute/time.Duration(m.tier), m.tier/4+1
	if c.method == "chat.postMessage" {
		key, every, burst = key+" "+c.str("channel"), time.Second, 4
	}
	now := s.o.Now()
	s.mu.Lock()
	b := s.buckets[key]
	if b == nil {
		b = rate.NewLimiter(rate.Every(every), burst)
		s.buckets[key] = b
	}
	s.mu.Unlock()
	if r := b.ReserveN(now, 1); r.DelayFrom(now) > 0 {
		after := r.DelayFrom(now)
		r.CancelAt(now)
		return &rateLimited{after}
	}
	return nil
}
