// Package aws plays the AWS account of a world over the wire: EC2, Elastic Load Balancing, EKS, STS, IAM, CloudWatch,
// CloudTrail and Auto Scaling on one URL, in the protocols that the SDK and the aws command line really speak. Reads
// answer what the world's aws.json holds; writes change it, with AWS's own refusals.
package aws

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/netdiag/netdiag/internal/sim/fault"
	"github.com/netdiag/netdiag/internal/world"
)

// Options configures a Server.
type Options struct {
	// Now is the clock of the account; nil means that it stands still at the world's own now.
	Now func() time.Time
	// Page is the most items that an answer holds, whatever the call asks for, as AWS reserves for itself; 0 means no such limit.
	Page int
	// Trusted lists access key ids to which the world's denied and throttled don't apply: those of whatever plays the CNI or a controller.
	Trusted []string
	// Lag is how long addresses that were given back are missing in what a subnet shows as available, and new rules in what
	// a security group shows, as they can be in EC2, which is consistent only in the end; 0 means that they show at once.
	Lag time.Duration
	// Crowd has further resources of EC2, which are made when they are asked for; nil has none.
	Crowd Crowd
}

// Crowd has resources that are too many to keep: it makes them when they are asked for. They can only be read.
type Crowd interface {
	// Items makes the items of a list of EC2 ("NetworkInterfaces"), at least those that pass the filters, which hold the
	// values by the filter's name; false where the list isn't one of the crowd's.
	Items(list string, filters map[string][]string) ([]map[string]any, bool)
}

// Server is a simulated AWS account. It is safe for use by several goroutines.
type Server struct {
	now   func() time.Time
	page  int
	crowd Crowd
	lag   time.Duration

	mu       sync.Mutex
	world    *world.World
	lists    map[string]map[string]any // service → list → items, decoded from aws.json
	denied   map[string]bool           // "ec2:DescribeSubnets"
	trusted  map[string]bool           // access key ids
	throttle fault.Switches            // of the world
	requests []Request
	fault    func(service, action string) *Fault
	faults   fault.Switches
	sessions map[string]session // access key id → what STS handed out
	tokens   []string           // web identity tokens seen, oldest first
	updates  []*addonUpdate
	unshown  []freed              // oldest first
	unseen   map[string]time.Time // security group rules by their id, and until when they don't show
	serial   int
}

// New makes a server of a loaded world. The world itself is not changed by writes.
func New(w *world.World, o Options) *Server {
	s := &Server{
		now: o.Now, page: o.Page, crowd: o.Crowd, lag: o.Lag, world: w, lists: decodeLists(w.AWS),
		denied: map[string]bool{}, trusted: map[string]bool{}, sessions: map[string]session{}, unseen: map[string]time.Time{},
	}
	if s.now == nil {
		at := w.Meta.Now
		s.now = func() time.Time { return at }
	}
	for _, p := range w.Meta.Denied.AWS {
		s.denied[p] = true
	}
	for _, key := range o.Trusted {
		s.trusted[key] = true
	}
	for _, p := range w.Meta.Throttled {
		s.throttle.On(p, fault.Fault{Kind: fault.Throttled, Calls: 2})
	}
	return s
}

// ServeHTTP answers one call of any service.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, err := parse(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.page = s.page
	fault := s.faultFor(c)
	if fault != nil && fault.Latency > 0 {
		select {
		case <-time.After(fault.Latency):
		case <-r.Context().Done():
			return
		}
	}
	if fault != nil && fault.Drop {
		s.dropped(c)
		panic(http.ErrAbortHandler) // net/http cuts the connection
	}
	answer := s.answer(c, fault)
	if fault != nil && fault.Lost {
		panic(http.ErrAbortHandler) // the connection breaks after the work is done
	}
	for k, v := range answer.header {
		w.Header().Set(k, v)
	}
	w.WriteHeader(answer.status)
	_, _ = w.Write(answer.body) // a client that has gone away needs no answer
}

// answer carries out c and writes down that it was seen, all under the lock.
func (s *Server) answer(c *call, fault *Fault) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out object
	var err error
	if fault != nil && fault.Code != "" {
		err = &apiError{Code: fault.Code, Message: fault.Message, Status: fault.Status}
	} else {
		out, err = s.call(c)
	}
	var ae *apiError
	if err != nil && !errors.As(err, &ae) {
		ae = &apiError{Code: "InternalError", Message: err.Error(), Status: http.StatusInternalServerError}
	}
	r := c.request()
	who := s.identity(c)
	r.Principal, r.Tags = who.arn, who.tags
	if ae != nil {
		r.Code = ae.Code
	}
	s.requests = append(s.requests, r)
	id := fmt.Sprintf("00000000-0000-4000-8000-%012d", len(s.requests))
	var a answer
	if ae != nil {
		a = c.protocol.fail(c, ae, id)
	} else {
		a = c.protocol.reply(c, out, id)
	}
	a.header["x-amzn-RequestId"] = id
	return a
}

// call checks who may ask, then carries out the operation.
func (s *Server) call(c *call) (object, error) {
	if err := s.authenticate(c); err != nil {
		return nil, err
	}
	if !s.trusted[c.accessKey] {
		if _, met := s.throttle.Meets(c.name()); met {
			return nil, throttled(c)
		}
		if s.denied[c.name()] {
			return nil, s.deny(c)
		}
	}
	do, ok := operations[c.service][c.action]
	if !ok {
		return nil, unknown(c)
	}
	if c.service == "ec2" && c.flag("DryRun") && (strings.HasPrefix(c.action, "Describe") || strings.HasPrefix(c.action, "Get")) {
		return nil, dryRun() // writes look at their parameters first
	}
	return do(s, c)
}

// Request is one call that the server has seen.
type Request struct {
	Service   string            // as IAM spells it: ec2, elasticloadbalancing, eks, …
	Action    string            // such as DescribeSubnets
	AccessKey string            // empty where the call was not signed
	Principal string            // ARN of who called
	Tags      map[string]string // of the session of STS that called
	Code      string            // error code of the answer, empty where it succeeded
	DryRun    bool
	Further   bool // it asks for a further page of an answer
}

// SetLag changes Options.Lag for what is changed from now on.
func (s *Server) SetLag(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lag = d
}

// Requests lists the calls so far, oldest first.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

// newID makes an id with the given prefix ("eni-") that nothing else in the account has.
func (s *Server) newID(prefix string) string {
	s.serial++
	return prefix + "0" + strings.Repeat("0", 16-len(strconv.Itoa(s.serial))) + strconv.Itoa(s.serial)
}

// operation carries out one action under the server's lock.
type operation func(s *Server, c *call) (object, error)

// operations is every action that the simulator can carry out, by service and name.
var operations = map[string]map[string]operation{
	"ec2": ec2Operations(), "elasticloadbalancing": elbOperations(), "eks": eksOperations(), "sts": stsOperations(),
	"cloudwatch": cloudwatchOperations(), "cloudtrail": cloudtrailOperations(), "autoscaling": autoscalingOperations(), "iam": iamOperations(),
}
