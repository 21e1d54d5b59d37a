package kube

import (
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netdiag/netdiag/internal/sim/fault"
)

// Fault is what a request meets instead of its answer, or before it.
type Fault struct {
	Delay      time.Duration // waited first; the request goes on after it where Status and Drop aren't set
	Status     int           // HTTP status of the Status object that is answered, such as 401, 409, 429 or 500
	Message    string        // of the Status object; empty is a text that fits the status
	RetryAfter int           // seconds; 0 leaves the header out
	Drop       bool          // the connection is cut without an answer
	After      bool          // the request is carried out first, then its answer is lost: Status or Drop stands in its place
}

// SetFault decides over faults from now on: it is asked about every request and returns nil for those that go well. A
// nil function ends all faults.
func (s *Server) SetFault(f func(r *http.Request) *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

// Faults are the faults that a test switches on by the permission that a request needs, such as "list pods" or "get
// pods/proxy"; discovery is "get /apis".
func (s *Server) Faults() *fault.Switches { return &s.faults }

// faultOf decides over a request: what SetFault says, else what is switched on, else what the world throttles.
func (s *Server) faultOf(r *http.Request) *Fault {
	s.mu.Lock()
	decide := s.fault
	s.mu.Unlock()
	if decide != nil {
		if f := decide(r); f != nil {
			return f
		}
	}
	permission, q := "get /apis", s.parse(r)
	if q != nil {
		permission = q.permission()
	}
	met, ok := s.faults.Meets(permission)
	if !ok {
		met, ok = s.throttled.Meets(permission)
	}
	if !ok {
		return nil
	}
	f := &Fault{Delay: met.Delay}
	switch met.Kind {
	case fault.Cut:
		f.Drop = true
	case fault.Denied:
		f.Status = http.StatusForbidden
		if q != nil {
			q.user, _ = identify(r)
			f.Message = forbidden(q).Error()
		}
	case fault.Throttled:
		f.Status, f.RetryAfter = http.StatusTooManyRequests, 1
	case fault.Broken:
		f.Status = http.StatusInternalServerError
	case fault.Expired:
		f.Status = http.StatusUnauthorized
	}
	return f
}

// strike meets a request with its fault and reports whether it has been answered.
func (s *Server) strike(w http.ResponseWriter, r *http.Request) bool {
	f := s.faultOf(r)
	if f == nil {
		return false
	}
	if f.Delay > 0 {
		select {
		case <-time.After(f.Delay):
		case <-r.Context().Done():
			return true
		}
	}
	if f.After {
		s.answer(discard{header: http.Header{}}, r)
	}
	switch {
	case f.Drop:
		panic(http.ErrAbortHandler) // net/http cuts the connection
	case f.Status == 0:
		return f.After
	}
	writeError(w, r, f.status())
	return true
}

func (f *Fault) status() error {
	msg := f.Message
	switch f.Status {
	case http.StatusUnauthorized:
		return apierrors.NewUnauthorized(or(msg, "Unauthorized"))
	case http.StatusTooManyRequests:
		return apierrors.NewTooManyRequests(or(msg, "Too many requests, please try again later."), f.RetryAfter)
	}
	st := metav1.Status{Status: metav1.StatusFailure, Code: int32(f.Status), Message: or(msg, http.StatusText(f.Status))}
	switch f.Status {
	case http.StatusForbidden:
		st.Reason = metav1.StatusReasonForbidden
	case http.StatusNotFound:
		st.Reason = metav1.StatusReasonNotFound
	case http.StatusConflict:
		st.Reason = metav1.StatusReasonConflict
	case http.StatusInternalServerError:
		st.Reason = metav1.StatusReasonInternalError
	case http.StatusServiceUnavailable:
		st.Reason = metav1.StatusReasonServiceUnavailable
	case http.StatusGatewayTimeout:
		st.Reason = metav1.StatusReasonTimeout
	}
	if f.RetryAfter > 0 {
		st.Details = &metav1.StatusDetails{RetryAfterSeconds: int32(f.RetryAfter)}
	}
	return &apierrors.StatusError{ErrStatus: st}
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// discard takes an answer that is lost on its way.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

// Request is a request that the server got.
type Request struct {
	User   string
	Agent  string // User-Agent
	Method string
	Path   string
	Query  string
	// Permission is what it needs, such as "list pods"; empty for what everybody may, such as discovery.
	Permission string
}

// remembered is how many requests are kept at least.
const remembered = 5000

// Requests lists what was asked, in the order of arrival; a server that runs for long forgets the oldest.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

func (s *Server) record(r *http.Request, user string) {
	var permission string
	if q := s.parse(r); q != nil && !reviewing(q) {
		permission = q.permission()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.requests) >= 2*remembered {
		s.requests = append([]Request(nil), s.requests[remembered:]...)
	}
	s.requests = append(s.requests, Request{User: user, Agent: r.UserAgent(), Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Permission: permission})
}
