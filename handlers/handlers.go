// Package handlers is how people talk to netdiag in Slack: a Socket Mode connection that keeps itself alive, slash
// commands, buttons, and the threads in which it answers. What people ask and decide is recorded in the casebook before
// it is acknowledged; what Slack shows follows from those records, so that a restart goes on where the last run ended.
package handlers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/meters"
)

// Config says what the bot works with. Fields are required where nothing else is said.
type Config struct {
	AppToken string // xapp-…, with connections:write
	BotToken string // xoxb-…
	APIURL   string // of the Web API, for a simulated Slack; empty is Slack's own
	Log      *zap.Logger
	Holder   string         // names this process since its start, in claims
	Version  string         // of the program, for the snapshots that people download
	Meters   *meters.Meters // of the process, to which the bot adds its own; nil makes some
	Book     *casebook.Book

	// Diagnose answers a question; what it is doing goes to progress. Its error is a diagnostics.Refusal for the person,
	// or a fault.
	Diagnose  func(ctx context.Context, d diagnostics.Diagnosis, t diagnostics.Target, progress func(string)) (diagnostics.Outcome, error)
	Diagnoses []diagnostics.Diagnosis
	Target    diagnostics.Target // cluster, region and account of a question that names no cluster
	// Clusters are the targets of questions that name another cluster. Fixes for them appear as commands only: they are
	// carried out in the first cluster alone.
	Clusters []diagnostics.Target
	Channels map[string]Usual  // by channel id: what is meant there where a question leaves it out
	Fixes    bool              // cards with buttons for the fixes that can be carried out
	Command  string            // the slash command; /netdiag
	Places   map[string]Places // by cluster: what questions can be about, for forms; where there is none, names have to be typed
	Now      func() time.Time
	Watch    *Watch // looks for early warnings; nil: nobody does

	// Limits; 0 is what Slack and people bear.
	Workers   int           // diagnoses at a time; 4
	Queue     int           // questions that wait for a worker; 32
	PostEvery time.Duration // between two messages in a channel; 1 s
	EditEvery time.Duration // between two edits that show progress; 2 s
	DialEvery time.Duration // between two attempts to connect; 2 s
	LookEvery time.Duration // between two looks for what expired or was left behind; 5 s
	Drain     time.Duration // for what is under way to be finished once the bot is stopped; 20 s

	Connections int // to Slack, 1 to 4; 2. Slack allows an app 10, those of all replicas together
	// Dial makes network connections to Slack, in place of the network's own.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Usual is what questions in a channel are about where they don't say.
type Usual struct{ Namespace, Cluster string }

// Bot is netdiag in one Slack workspace.
type Bot struct {
	Config
	http   *http.Transport
	web    *web
	out    *outbox
	people *people
	tell   *teller
	pulse  *pulse
	meters *slackMeters
	watch  *watchman // nil where there is no watch

	jobs  chan job      // investigations to answer
	slots chan struct{} // one for each question that waits or is being answered
	take  chan struct{} // one for each envelope being handled

	mu   sync.Mutex
	busy map[string]bool // investigations that wait or are being answered here
	left map[string]bool // investigations without an answer, anybody's
	app  string          // id of the Slack app, once it is known

	same    *same              // questions that are being looked into
	kept    kept               // finished runs, for download
	me      me                 // set before anything is received
	index   index              // of all records
	heard   heard              // messages that were answered at once
	errands *desk              // what goes on in the background for those who use forms
	places  map[string]*places // by cluster
}

// New checks the configuration; Run does the work.
func New(c Config) (*Bot, error) {
	switch {
	case c.AppToken == "" || c.BotToken == "":
		return nil, errors.New("handlers: an app token and a bot token of Slack are needed")
	case c.Log == nil || c.Book == nil || c.Diagnose == nil || c.Now == nil || c.Holder == "" || len(c.Diagnoses) == 0:
		return nil, errors.New("handlers: Log, Book, Diagnose, Diagnoses, Now and Holder are needed")
	}
	c.Connections, c.Drain = orElse(c.Connections, 2), orElse(c.Drain, 20*time.Second)
	if c.Connections < 1 || c.Connections > 4 {
		return nil, fmt.Errorf("handlers: %d connections: 1 to 4 are possible", c.Connections)
	}
	c.Command = orElse(c.Command, "/netdiag")
	c.Workers, c.Queue = orElse(c.Workers, 4), orElse(c.Queue, 32)
	c.PostEvery, c.EditEvery = orElse(c.PostEvery, time.Second), orElse(c.EditEvery, 2*time.Second)
	c.DialEvery, c.LookEvery = orElse(c.DialEvery, 2*time.Second), orElse(c.LookEvery, 5*time.Second)
	if c.Meters == nil {
		c.Meters = meters.New(c.Version)
	}
	b := &Bot{
		Config: c,
		http:   transport(c),
		pulse:  newPulse(),
		jobs:   make(chan job, c.Workers+c.Queue),
		slots:  make(chan struct{}, c.Workers+c.Queue),
		take:   make(chan struct{}, 512),
		busy:   map[string]bool{},
		left:   map[string]bool{},
		same:   newSame(),
	}
	b.meters = newSlackMeters(b)
	b.watch = newWatchman(b)
	b.web = newWeb(c, b.http)
	b.out = newOutbox(b.web, c.PostEvery)
	b.people = &people{web: b.web, now: c.Now}
	b.tell = newTeller(b)
	b.errands = newDesk(8)
	b.places = newPlaces(b)
	return b, nil
}

func orElse[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// Run answers until ctx ends, and then finishes what is under way, for Drain at most. It returns earlier only where going
// on makes no sense: a *TokenError where Slack refuses a token for good, or an error of the store.
func (b *Bot) Run(ctx context.Context) error {
	defer b.http.CloseIdleConnections()
	self, err := b.web.whoAmI(ctx, b.Log)
	if err != nil {
		return err
	}
	b.people.team, b.web.bot = self.TeamID, self.BotID
	b.me = me{id: self.UserID, name: self.User, site: site(self.URL)}
	b.Log.Info("signed in to Slack", zap.String("team", self.TeamID), zap.String("user", self.UserID))

	g, life := errgroup.WithContext(context.WithoutCancel(ctx))
	life, end := context.WithCancel(life)
	defer end()
	taking, stop := context.WithCancel(life)
	defer context.AfterFunc(ctx, stop)()
	defer stop()
	online, hangUp := context.WithCancel(life)
	defer hangUp()

	var workers sync.WaitGroup
	for range b.Workers {
		workers.Go(func() { b.work(taking, life) })
	}
	g.Go(func() error { return b.tell.run(life) })
	g.Go(func() error { return b.every(taking, b.LookEvery, "look after fixes", b.Book.Tend) })
	g.Go(func() error { return b.every(taking, b.LookEvery, "take over what was left", b.adopt) })
	g.Go(func() error {
		return b.every(taking, b.LookEvery, "tell what another process left", func(context.Context) error { b.tell.look(); return nil })
	})
	g.Go(func() error { return b.watch.run(taking) })
	g.Go(func() error {
		l := newLine(b.Config, b.http, b.pulse, b.meters)
		defer l.handling.Wait()
		err := l.run(online, func(e envelope) { b.receive(life, l, e) })
		if online.Err() != nil && errors.Is(err, context.Canceled) {
			return nil
		}
		return err
	})
	g.Go(func() error {
		<-taking.Done()
		if life.Err() == nil {
			b.drain(hangUp, &workers)
		}
		end()
		return nil
	})
	err = g.Wait()
	workers.Wait()
	b.tell.desk.wait() // nobody is left who could ask for more
	b.tell.giveAllBack(life)
	b.errands.wait()
	if err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return ctx.Err()
}

// every does f again and again until ctx ends; its errors are logged.
func (b *Bot) every(ctx context.Context, d time.Duration, what string, f func(context.Context) error) error {
	t := time.NewTicker(d)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			if err := f(ctx); err != nil && ctx.Err() == nil {
				b.Log.Error(what, zap.Error(err))
			}
		}
	}
}

func (b *Bot) appID() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.app
}

// reserve keeps a place in the queue; false where it is full.
func (b *Bot) reserve() bool {
	select {
	case b.slots <- struct{}{}:
		return true
	default:
		return false
	}
}

func (b *Bot) release() { <-b.slots }

// job is an investigation that waits for a worker, and since when.
type job struct {
	name  string
	since time.Time
}

// enqueue hands an investigation to the workers; the caller has reserved a place. It is false where it is here already.
func (b *Bot) enqueue(name string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.busy[name] {
		return false
	}
	b.busy[name] = true
	b.jobs <- job{name, b.Now()} // never blocks: there are as many places as slots
	return true
}

func (b *Bot) diagnosis(name string) (diagnostics.Diagnosis, bool) {
	for _, d := range b.Diagnoses {
		if d.Name == name {
			return d, true
		}
	}
	return diagnostics.Diagnosis{}, false
}

// faultSentence is what a person sees of a fault; the log has the rest under the same name.
func faultSentence(name string) string {
	return fmt.Sprintf("Something went wrong inside netdiag, so there is no answer. Ask again; if it happens again, give %s to whoever runs netdiag.", name)
}

// site is the address that permalinks begin with; empty where Slack gave none.
func site(address string) string {
	if u, err := url.Parse(address); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return ""
	}
	return strings.TrimSuffix(address, "/") + "/"
}
