// Package fault says what goes wrong with the calls of a simulated service. It is the same for AWS and for Kubernetes;
// each server answers in its own words.
package fault

import (
	"path"
	"slices"
	"sync"
	"time"
)

// Kind is what becomes of a call.
type Kind int

const (
	// Late is a call that is answered as usual, after the delay.
	Late Kind = iota
	// Denied is a call that the caller isn't allowed to make (AccessDenied, 403).
	Denied
	// Throttled is a call too many (Throttling, 429).
	Throttled
	// Broken is a service that fails (InternalError, 500).
	Broken
	// Cut is a connection that ends without an answer.
	Cut
	// Expired is a caller whose credentials were good once (ExpiredToken, 401).
	Expired
)

// Fault is what a call meets.
type Fault struct {
	Kind  Kind
	Delay time.Duration // waited first
	Calls int           // it strikes so many calls and is over then; 0 strikes all
	Every int           // it strikes only each so-manieth of the calls that fit; 0 strikes each
}

// Switches are the faults of one server. It is safe for use by several goroutines; the zero value has none.
type Switches struct {
	mu sync.Mutex
	on []*struck
}

type struck struct {
	calls string
	fault Fault
	left  int
	met   int // calls that fit
}

// On lets calls meet f from now on. They are spelled as gaps spell permissions ("ec2:DescribeSubnets", "list pods",
// "get pods/proxy"); * stands for any text without a slash, and alone for all calls. Of two that fit, the later one counts.
func (s *Switches) On(calls string, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.on = append(s.on, &struck{calls: calls, fault: f, left: f.Calls})
}

// Off ends all faults.
func (s *Switches) Off() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.on = nil
}

// Meets gives the fault of a call, and false where it goes well.
func (s *Switches) Meets(call string) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, on := range slices.Backward(s.on) {
		fits, err := path.Match(on.calls, call)
		if !fits && (err != nil || on.calls != "*") {
			continue
		}
		if on.met++; on.fault.Every > 1 && on.met%on.fault.Every != 0 {
			return Fault{}, false
		}
		if on.fault.Calls > 0 {
			if on.left--; on.left == 0 {
				s.on = slices.Delete(s.on, i, i+1)
			}
		}
		return on.fault, true
	}
	return Fault{}, false
}
