// Package slack is a Slack workspace on loopback, for tests and for the demo: the Web API, Socket Mode, people who type,
// click and fill in forms, and a page to watch it all in a browser. It keeps to Slack's documented limits, deadlines and
// error names. It is written on raw JSON, so that what a client library leaves out or gets wrong shows.
package slack

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Options says who is in the workspace. Everything has a useful zero value.
type Options struct {
	Team     Team
	App      App
	Users    []User // people; the first two are those whom the page plays, unless Players names others
	Channels []Channel
	Groups   []UserGroup
	AppToken string // xapp-…
	BotToken string // xoxb-…

	Now         func() time.Time
	AckDeadline time.Duration   // for an envelope to be acknowledged; Slack's is 3 s
	TriggerTTL  time.Duration   // of a trigger_id; Slack's is 3 s
	PingEvery   time.Duration   // between websocket pings of the server; 5 s
	Redeliver   []time.Duration // after which an event that was not acknowledged comes again; Slack's is about 0, 1 min, 5 min
	RateLimits  bool            // answer 429 as Slack's tiers and one message a second and channel demand

	Players []string     // ids of the people that the page can play
	Hints   []string     // lines that the page offers to a newcomer, such as "/netdiag pending backend"
	Panel   func() Panel // what the page shows beside Slack, asked for a few times a second at most; nil shows nothing
	Places  []Place      // other pages of the same kind that the page leads to

	// Page is the URL under which people open the page, where another server passes on to this one what comes below it.
	// Permalinks lead there. Empty is the address that the app calls.
	Page string
}

// Place is a page to go to; Here marks the page itself.
type Place struct {
	Title string `json:"title"`
	URL   string `json:"url"`
	Here  bool   `json:"here"`
}

// Team is the workspace.
type Team struct{ ID, Name, Domain string }

// App is the one installed app.
type App struct {
	ID, Name       string
	BotID, BotUser string   // B… and U…
	Scopes         []string // granted to the bot token; nil grants those of netdiag's manifest
	Commands       []Command
	Shortcuts      []Shortcut // nil: every callback id is one
}

// Command is a slash command with the uses that the composer completes.
type Command struct {
	Name        string // "/netdiag"
	Description string
	Uses        []Use
}

// Use is one way to use a command.
type Use struct {
	Text string // "pending <namespace>"
	Does string // what it does, in a few words
}

// Panel is what the page shows beside Slack: the state of the world behind the bot.
type Panel struct {
	Title    string   `json:"title"`
	Tables   []Table  `json:"tables"`
	Commands []string `json:"commands"` // lines to type in a shell to look at the same world
}

// Table is a table of a Panel. A cell that starts with "!" is shown as trouble, one that starts with "+" as good.
type Table struct {
	Title   string     `json:"title"`
	Columns []string   `json:"columns"`
	Rows    [][]string `json:"rows"`
}

// ManifestScopes are the bot scopes of netdiag's manifest.
var manifestScopes = []string{
	"commands", "chat:write", "app_mentions:read", "files:write", "users:read", "usergroups:read",
	"channels:read", "groups:read", "im:history", "im:write",
}

// Server is the simulated workspace; it is an http.Handler for the Web API, the sockets and the page. Make it with New.
type Server struct {
	o   Options
	mux *http.ServeMux

	mu      sync.Mutex
	state   State
	changed chan struct{} // closed and replaced at every change
	serial  int           // of ids

	tickets  map[string]bool
	conns    []*conn
	turn     int // of the connection that gets the next envelope
	disabled bool
	twice    int                          // envelopes to send over every connection
	forge    func(payload map[string]any) // of the next interaction
	deafTo   int                          // acknowledgements to lose
	pending  map[string]chan ack
	triggers map[string]*trigger
	urls     map[string]*responseURL
	uploads  map[string]*File
	faults   map[string][]Fault
	buckets  map[string]*rate.Limiter

	closing chan struct{}
	closed  sync.Once
	work    sync.WaitGroup
}

// New makes a workspace. Serve it on a loopback address and Close it in the end.
func New(o Options) *Server {
	o.fill()
	s := &Server{
		o: o, changed: make(chan struct{}), closing: make(chan struct{}),
		tickets: map[string]bool{}, pending: map[string]chan ack{}, triggers: map[string]*trigger{},
		urls: map[string]*responseURL{}, uploads: map[string]*File{}, faults: map[string][]Fault{}, buckets: map[string]*rate.Limiter{},
	}
	s.state = newState(o)
	s.mux = http.NewServeMux()
	s.mux.HandleFunc("/api/{method}", s.serveAPI)
	s.mux.HandleFunc("GET /link", s.serveSocket)
	s.mux.HandleFunc("POST /response/{id}", s.serveResponseURL)
	s.mux.HandleFunc("POST /upload/{id}", s.serveUpload)
	s.mux.HandleFunc("GET /files/{id}/{name}", s.serveFile)
	s.pageRoutes()
	return s
}

func (o *Options) fill() {
	set := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	set(&o.Team.ID, "T00000001")
	set(&o.Team.Name, "Acme")
	set(&o.Team.Domain, "acme")
	set(&o.App.ID, "A00000001")
	set(&o.App.Name, "netdiag")
	set(&o.App.BotID, "B00000001")
	set(&o.App.BotUser, "U00000001")
	set(&o.AppToken, "xapp-sim")
	set(&o.BotToken, "xoxb-sim")
	if o.App.Scopes == nil {
		o.App.Scopes = manifestScopes
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	for _, d := range []struct {
		at   *time.Duration
		dflt time.Duration
	}{{&o.AckDeadline, 3 * time.Second}, {&o.TriggerTTL, 3 * time.Second}, {&o.PingEvery, 5 * time.Second}} {
		if *d.at <= 0 {
			*d.at = d.dflt
		}
	}
	if o.Redeliver == nil {
		o.Redeliver = []time.Duration{0, time.Minute, 5 * time.Minute}
	}
	if o.Players == nil {
		for _, u := range o.Users[:min(2, len(o.Users))] {
			o.Players = append(o.Players, u.ID)
		}
	}
}

// ServeHTTP serves the Web API under /api/, Socket Mode at /link and the page at /.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Close drops all sockets and waits until nothing of the server runs any more.
func (s *Server) Close() {
	s.closed.Do(func() { close(s.closing) })
	s.mu.Lock()
	conns := slices.Clone(s.conns)
	s.mu.Unlock()
	for _, c := range conns {
		c.drop()
	}
	s.work.Wait()
}

// Wait blocks until what holds, looking again after every change. what runs under the server's lock: it may use its
// argument and nothing else of the Server. The error says what Slack showed in the end.
func (s *Server) Wait(ctx context.Context, what func(*State) bool) error {
	for {
		s.mu.Lock()
		ok, changed := what(&s.state), s.changed
		s.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-s.closing:
			return fmt.Errorf("wait for Slack: the workspace is closed")
		case <-ctx.Done():
			return fmt.Errorf("wait for Slack: %w; it shows:\n%s", context.Cause(ctx), s.Transcript())
		}
	}
}

// change runs f under the lock and wakes everyone who waits.
func (s *Server) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	s.wake()
}

// wake tells everyone who waits that something changed; the lock is held.
func (s *Server) wake() {
	s.state.version++
	close(s.changed)
	s.changed = make(chan struct{})
}

// id makes an id that was never used; the lock is held.
func (s *Server) id(prefix string) string {
	s.serial++
	return fmt.Sprintf("%s%08X", prefix, 0xA0000+s.serial)
}
