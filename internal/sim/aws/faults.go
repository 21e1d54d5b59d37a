package aws

import (
	"net/http"
	"time"

	"github.com/netdiag/netdiag/internal/sim/fault"
)

// Fault is what goes wrong with a call: an error instead of the answer, a delay before it, or an answer that is lost.
type Fault struct {
	Code    string // empty: the call is carried out
	Message string
	Status  int           // HTTP status, 400 where it is 0
	Latency time.Duration // before anything happens
	Drop    bool          // the connection breaks, and the call is not carried out
	Lost    bool          // the call is carried out, then the connection breaks
}

// SetFault makes f decide about every later call; nil from f, or a nil f, means that nothing goes wrong. f may be called
// by several goroutines at once.
func (s *Server) SetFault(f func(service, action string) *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

// Faults are the faults that a test switches on by the name of a call, such as ec2:DescribeSubnets. They spare what Options.Trusted lists.
func (s *Server) Faults() *fault.Switches { return &s.faults }

func (s *Server) faultFor(c *call) *Fault {
	s.mu.Lock()
	f := s.fault
	s.mu.Unlock()
	if f != nil {
		if met := f(c.service, c.action); met != nil {
			return met
		}
	}
	if s.trusted[c.accessKey] {
		return nil
	}
	met, ok := s.faults.Meets(c.name())
	if !ok {
		return nil
	}
	out := &Fault{Latency: met.Delay}
	switch met.Kind {
	case fault.Cut:
		out.Drop = true
	case fault.Denied:
		s.mu.Lock()
		out.answers(s.deny(c))
		s.mu.Unlock()
	case fault.Throttled:
		out.answers(throttled(c))
	case fault.Broken:
		out.answers(broken(c))
	case fault.Expired:
		out.answers(expired(c))
	}
	return out
}

func (f *Fault) answers(e *apiError) { f.Code, f.Message, f.Status = e.Code, e.Message, e.Status }

// broken is how each service says that it failed.
func broken(c *call) *apiError {
	const message = "An internal error has occurred"
	switch c.service {
	case "ec2":
		return &apiError{Code: "InternalError", Status: http.StatusInternalServerError, Message: message}
	case "eks":
		return &apiError{Code: "ServerException", Status: http.StatusInternalServerError, Message: message}
	case "cloudwatch":
		return &apiError{Code: "InternalServiceFault", Status: http.StatusInternalServerError, Message: message}
	}
	return &apiError{Code: "InternalFailure", Status: http.StatusInternalServerError, Message: message}
}

// expired is how each service says that the credentials of a session are no longer good.
func expired(c *call) *apiError {
	const message = "The security token included in the request is expired"
	switch {
	case c.service == "ec2":
		return &apiError{Code: "RequestExpired", Message: "Request has expired."}
	case isJSON(c.service):
		return &apiError{Code: "ExpiredTokenException", Status: http.StatusForbidden, Message: message}
	}
	return &apiError{Code: "ExpiredToken", Status: http.StatusForbidden, Message: message}
}

// dropped writes down a call that gets no answer.
func (s *Server) dropped(c *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, c.request())
}
