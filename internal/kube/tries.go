package kube

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/util/flowcontrol"
)

// retries is how often a request is repeated that the server pushed back (429 with Retry-After) or whose connection was
// cut. client-go's own limit is 10, a second apart, which would use up the time of the whole diagnosis on one read.
const retries = 2

// errCut is a request that got no answer because its connection was cut, each time it was made.
var errCut = errors.New("the connection was cut before the answer came")

// tries counts what became of the attempts of one request.
type tries struct{ back, cut atomic.Int32 }

// pushed is how often the server pushed the request back.
func (a *tries) pushed() int32 { return a.back.Load() }

type triesKey struct{}

func countTries(ctx context.Context) (context.Context, *tries) {
	a := &tries{}
	return context.WithValue(ctx, triesKey{}, a), a
}

// bounded wraps a transport so that client-go gives up after retries.
func bounded(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		resp, err := next.RoundTrip(r)
		a, counted := r.Context().Value(triesKey{}).(*tries)
		switch {
		case !counted:
		case err != nil && (utilnet.IsProbableEOF(err) || utilnet.IsConnectionReset(err) || utilnet.IsHTTP2ConnectionLost(err)):
			if a.cut.Add(1) > retries {
				return nil, errCut // client-go doesn't know it, and doesn't try again
			}
		case err == nil && resp.StatusCode == http.StatusTooManyRequests:
			if a.back.Add(1) > retries {
				resp.Header.Del("Retry-After") // without it client-go takes the answer as final
			}
		}
		return resp, err
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip calls the function.
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// turns is client-go's limiter, but for its error: one that would wait beyond the deadline says so in words of its own.
type turns struct{ flowcontrol.RateLimiter }

// Wait waits for a turn; a deadline that would pass meanwhile is context.DeadlineExceeded.
func (t turns) Wait(ctx context.Context) error {
	err := t.RateLimiter.Wait(ctx)
	if err != nil && ctx.Err() == nil {
		return context.DeadlineExceeded
	}
	return err
}
