package slack_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	slackgo "github.com/slack-go/slack"
	"github.com/slack-go/slack/slackevents"
	"github.com/slack-go/slack/socketmode"

	"github.com/netdiag/netdiag/internal/sim/slack"
)

const (
	maya  = "U0MAYA"
	jonas = "U0JONAS"
	ops   = "C0OPS"
)

func workspace() slack.Options {
	return slack.Options{
		Users: []slack.User{
			{ID: maya, Name: "maya", RealName: "Maya Lindqvist", Title: "on call"},
			{ID: jonas, Name: "jonas", RealName: "Jonas Weber", Title: "second"},
		},
		Channels: []slack.Channel{
			{ID: ops, Name: "ops"},
			{ID: "C0QUIET", Name: "quiet", Members: []string{maya}},
			{ID: "G0SECRET", Name: "secret", Private: true, Members: []string{maya}},
		},
		Groups:     []slack.UserGroup{{ID: "S0NETOPS", Handle: "netops", Name: "Network operators", Users: []string{jonas}}},
		App:        slack.App{Commands: []slack.Command{{Name: "/netdiag"}}},
		TriggerTTL: 30 * time.Second, // -race on a busy machine
	}
}

// serve starts a workspace on loopback.
func serve(t *testing.T, o slack.Options) (*slack.Server, string) {
	t.Helper()
	s := slack.New(o)
	h := httptest.NewServer(s)
	t.Cleanup(func() { s.Close(); h.Close() })
	return s, h.URL
}

// bot is a small app on the real client.
type bot struct {
	api *slackgo.Client
	sm  *socketmode.Client

	slash    func(*bot, socketmode.Request, slackgo.SlashCommand)
	interact func(*bot, socketmode.Request, slackgo.InteractionCallback)
	event    func(*bot, socketmode.Request, slackevents.EventsAPIEvent)
}

func client(url string) *slackgo.Client {
	return slackgo.New("xoxb-sim", slackgo.OptionAPIURL(url+"/api/"), slackgo.OptionAppLevelToken("xapp-sim"),
		slackgo.OptionHTTPClient(&http.Client{Timeout: 20 * time.Second}))
}

// run connects the bot and returns once the workspace has its connection.
func (b *bot) run(t *testing.T, s *slack.Server, url string) {
	t.Helper()
	b.api = client(url)
	b.sm = socketmode.New(b.api)
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = b.sm.RunContext(ctx) })
	wg.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case e := <-b.sm.Events:
				b.handle(e)
			}
		}
	})
	t.Cleanup(func() { stop(); wg.Wait() })
	wait(t, s, func(st *slack.State) bool { return st.Sockets() > 0 })
}

func (b *bot) handle(e socketmode.Event) {
	switch d := e.Data.(type) {
	case slackgo.SlashCommand:
		if b.slash != nil {
			b.slash(b, *e.Request, d)
		}
	case slackgo.InteractionCallback:
		if b.interact != nil {
			b.interact(b, *e.Request, d)
		}
	case slackevents.EventsAPIEvent:
		if b.event != nil {
			b.event(b, *e.Request, d)
		}
	}
}

func wait(t *testing.T, s *slack.Server, what func(*slack.State) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := s.Wait(ctx, what); err != nil {
		t.Fatal(err)
	}
}

func text(kind, s string) *slackgo.TextBlockObject {
	return slackgo.NewTextBlockObject(kind, s, false, false)
}
