package handlers_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/handlers"
	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/sim/slack"
	"github.com/netdiag/netdiag/internal/store/memory"
)

const (
	maya  = "U0MAYA"  // asks
	jonas = "U0JONAS" // approves
	aisha = "U0AISHA" // approves too
	guest = "U0GUEST"
	alien = "U0ALIEN" // of another organisation
	ops   = "C0OPS"
	quiet = "C0QUIET" // the bot is no member
	ally  = "C0ALLY"  // shared with another organisation
	team  = "T00000001"
	app   = "A00000001"
)

// rig is a Slack workspace, a casebook, a world with one trouble, and bots.
type rig struct {
	*slack.Server
	t     *testing.T
	url   string
	book  *casebook.Book
	world *world
	logs  *observer.ObservedLogs
	clock *clock
	log   *zap.Logger

	patience time.Duration
}

func newRig(t *testing.T, change ...func(*slack.Options)) *rig {
	t.Helper()
	o := workspace()
	o.TriggerTTL = 30 * time.Second
	for _, f := range change {
		f(&o)
	}
	s := slack.New(o)
	h := httptest.NewServer(s)
	t.Cleanup(func() { s.Close(); h.Close() })
	core, logs := observer.New(zap.DebugLevel)
	c := &clock{now: time.Date(2026, 11, 22, 10, 30, 0, 0, time.UTC)}
	r := &rig{Server: s, t: t, url: h.URL, logs: logs, clock: c, log: zap.New(core), world: &world{t: t}, patience: 20 * time.Second}
	r.book = &casebook.Book{Store: memory.New(c.Now), Policy: rules(), Now: c.Now, Patience: -1}
	t.Cleanup(r.noSecrets)
	t.Cleanup(func() {
		if t.Failed() {
			r.printLog()
		}
	})
	return r
}

func (r *rig) printLog() {
	for _, e := range r.logs.All() {
		r.t.Log(e.Time.Format("15:04:05.000"), e.Level, e.Message, e.ContextMap())
	}
}

func workspace() slack.Options {
	return slack.Options{
		Users: []slack.User{
			{ID: maya, Name: "maya"}, {ID: jonas, Name: "jonas"}, {ID: aisha, Name: "aisha"}, {ID: guest, Name: "guest", Restricted: true},
			{ID: alien, Name: "alien", TeamID: "T0OTHER"},
		},
		Channels: []slack.Channel{{ID: ops, Name: "ops"}, {ID: quiet, Name: "quiet", Members: []string{maya, jonas}}, {ID: ally, Name: "ally", ExtShared: true}},
		Groups:   []slack.UserGroup{{ID: netops, Handle: "netops", Name: "Network operators", Users: []string{jonas}}},
		App:      slack.App{Commands: []slack.Command{{Name: "/netdiag"}}},
	}
}

// clock moves only when it is told to.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func (r *rig) config() handlers.Config {
	dummy := func(name, usage string) diagnostics.Diagnosis {
		return diagnostics.Define(diagnostics.Spec[int]{
			Name: name, Usage: usage, Doc: "# Why " + name + "\n\nReads things.",
			Collect: func(context.Context, diagnostics.Inputs, diagnostics.Target) (int, error) { return 0, nil },
			Analyze: func(int) diagnostics.Result { return diagnostics.Result{} },
		})
	}
	return handlers.Config{
		AppToken: "xapp-sim", BotToken: "xoxb-sim", APIURL: r.url + "/api/", Log: r.log, Holder: "bot-1", Book: r.book,
		Diagnose: r.world.diagnose, Diagnoses: []diagnostics.Diagnosis{dummy("pending", "<namespace>"), dummy("alb", "<ingress> [-n namespace]"), dummy("ip", "[subnet | zone]")},
		Target: diagnostics.Target{Cluster: "prod-cluster", Region: "us-west-2"}, Fixes: true, Now: r.clock.Now,
		PostEvery: time.Millisecond, EditEvery: time.Millisecond, DialEvery: time.Millisecond, LookEvery: 20 * time.Millisecond,
	}
}

// start runs a bot until stop is called, and waits for its connection.
func (r *rig) start(c handlers.Config) (stop func()) {
	r.t.Helper()
	b, err := handlers.New(c)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
				r.t.Errorf("Run: %v", err)
			}
			r.until(func(s *slack.State) bool { return s.Sockets() == 0 })
		})
	}
	r.t.Cleanup(stop)
	r.until(func(s *slack.State) bool { return s.Sockets() > 0 })
	return stop
}

// execute runs an executor until the test ends.
func (r *rig) execute() {
	now := time.Now // of a bubble
	if r.clock != nil {
		now = r.clock.Now
	}
	e := &casebook.Executor{
		Store: r.book.Store, Hands: r.world, Holder: "executor-1", Now: now, After: time.After, Poll: time.Millisecond,
		Diagnose: func(ctx context.Context, d string, t diagnostics.Target) (diagnostics.Report, error) {
			return r.world.report(d, t), ctx.Err()
		},
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	r.t.Cleanup(func() { cancel(); <-ended })
}

func (r *rig) context() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), r.patience)
	r.t.Cleanup(cancel)
	return ctx
}

func (r *rig) until(what func(*slack.State) bool) {
	r.t.Helper()
	if err := r.Wait(r.context(), what); err != nil {
		r.t.Fatal(err)
	}
}

// ask types a command; the answer is what the acknowledgement showed.
func (r *rig) ask(user, channel, line string) string {
	r.t.Helper()
	reply, err := r.Slash(r.context(), user, channel, line)
	if err != nil {
		r.t.Fatalf("%.60s: %v", line, err)
	}
	if reply.Message == nil {
		return ""
	}
	if reply.Message.To != user {
		r.t.Errorf("%.60s was answered to everybody", line)
	}
	return reply.Message.Plain()
}

// root waits for the n-th message in the channel to say something.
func (r *rig) root(n int, says string) slack.Message {
	r.t.Helper()
	var m slack.Message
	r.until(func(s *slack.State) bool {
		ms := s.Messages(ops)
		if len(ms) <= n {
			return false
		}
		m = ms[n]
		return strings.Contains(m.Plain(), says)
	})
	return m
}

// reply waits for a message in the thread of root that what holds for.
func (r *rig) reply(root slack.Message, what func(slack.Message) bool) slack.Message {
	r.t.Helper()
	var m slack.Message
	r.until(func(s *slack.State) bool {
		for _, m = range s.Thread(ops, root.TS)[1:] {
			if what(m) {
				return true
			}
		}
		return false
	})
	return m
}

func says(text string) func(slack.Message) bool {
	return func(m slack.Message) bool { return strings.Contains(m.Plain(), text) }
}

// card waits for the card of a fix with its buttons, and until the store knows it.
func (r *rig) card(root slack.Message) slack.Message {
	r.t.Helper()
	m := r.reply(root, func(m slack.Message) bool { return len(m.Buttons()) == 2 })
	r.stored(func(f casebook.Remediation) bool { return f.Status.Card.TS == m.TS })
	return m
}

// whisper waits for something that only user sees.
func (r *rig) whisper(user, channel, text string) {
	r.t.Helper()
	r.until(func(s *slack.State) bool {
		for _, m := range s.Ephemerals(user, channel) {
			if strings.Contains(m.Plain(), text) {
				return true
			}
		}
		return false
	})
}

func (r *rig) fixes() []casebook.Remediation {
	r.t.Helper()
	all, err := r.book.Store.Remediations.List(context.Background())
	if err != nil {
		r.t.Fatal(err)
	}
	return all
}

// stored waits until what holds for a fix in the store.
func (r *rig) stored(what func(casebook.Remediation) bool) {
	r.t.Helper()
	ctx := r.context()
	all, err := r.book.Store.Remediations.Watch(ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	for f := range all {
		if what(f) {
			return
		}
	}
	r.t.Fatalf("the store holds %+v", r.fixes())
}

// noSecrets reads the whole log.
func (r *rig) noSecrets() {
	for _, e := range r.logs.All() {
		line, err := json.Marshal(map[string]any{"message": e.Message, "fields": e.ContextMap()})
		if err != nil {
			r.t.Error(err)
		}
		for _, secret := range []string{"xapp-", "xoxb-", "ticket", "/response/", "127.0.0.1", "trigger_id"} {
			if strings.Contains(string(line), secret) {
				r.t.Errorf("the log holds %q: %s", secret, line)
			}
		}
	}
}

func report(t *testing.T, name string) diagnostics.Report {
	dir := "../internal/render/testdata/"
	if strings.HasPrefix(name, "seed-") {
		dir = "../internal/render/slack/testdata/reports/"
	}
	b, err := os.ReadFile(dir + name + ".json")
	if err != nil {
		t.Error(err)
	}
	var r diagnostics.Report
	if err := json.Unmarshal(b, &r); err != nil {
		t.Error(err)
	}
	return r
}
