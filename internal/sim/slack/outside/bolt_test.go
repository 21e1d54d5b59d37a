package outside_test

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/netdiag/netdiag/internal/sim/slack"
)

const (
	maya  = "U0MAYA"
	jonas = "U0JONAS"
	ops   = "C0OPS"
)

// Slack's own framework connects to the simulated Slack and finds everything as it expects it.
func TestBolt(t *testing.T) {
	node(t)
	s := slack.New(slack.Options{
		Users:    []slack.User{{ID: maya, Name: "maya"}, {ID: jonas, Name: "jonas"}},
		Channels: []slack.Channel{{ID: ops, Name: "ops"}},
		// Node.js is slow to answer while the machine is busy; the framework's own limits are not what is tested here.
		AckDeadline: 30 * time.Second, TriggerTTL: 30 * time.Second,
	})
	h := httptest.NewServer(s)
	t.Cleanup(func() { s.Close(); h.Close() })
	start(t, "bot.mjs", "SLACK_API_URL="+h.URL+"/api/", "SLACK_BOT_TOKEN=xoxb-sim", "SLACK_APP_TOKEN=xapp-sim")
	wait := func(what string, f func(*slack.State) bool) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := s.Wait(ctx, f); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	wait("connect", func(st *slack.State) bool { return st.Sockets() == 1 })

	// A slash command: acknowledged with words, then a message and one in its thread.
	reply, err := s.Slash(t.Context(), maya, ops, "/netdiag pending backend")
	if err != nil || reply.Message == nil || reply.Message.Text != "On it: pending backend" {
		t.Fatalf("slash command: %+v, %v", reply.Message, err)
	}
	var root, card slack.Message
	wait("post", func(st *slack.State) bool {
		ms := st.Messages(ops)
		if len(ms) != 1 || len(st.Thread(ops, ms[0].TS)) != 2 {
			return false
		}
		root, card = ms[0], st.Thread(ops, ms[0].TS)[1]
		return true
	})
	if root.Text != "Looking at pending backend" || card.Plain() != "*A fix*\nApprove\nReject" {
		t.Errorf("the thread: %q, %q", root.Text, card.Plain())
	}

	// A button: the message is changed, and the one who pressed is told through the response URL.
	if err := s.Click(t.Context(), jonas, ops, card.TS, "Approve"); err != nil {
		t.Fatal(err)
	}
	wait("button", func(st *slack.State) bool {
		m, _ := st.Message(ops, card.TS)
		e := st.Ephemerals(jonas, ops)
		return m.Text == "v1:fix-1 approved by "+jonas && len(m.Blocks) == 0 && len(e) == 1 && e[0].Text == "You approved."
	})

	// A form: opened with the trigger, searched while one types, refused, then accepted.
	if _, err := s.Slash(t.Context(), maya, ops, "/netdiag form"); err != nil {
		t.Fatal(err)
	}
	fill := func(user, typed string) map[string]string {
		t.Helper()
		var v slack.View
		wait("form", func(st *slack.State) (open bool) { v, open = st.Modal(user); return open })
		options, err := s.Suggest(t.Context(), slack.Action{User: user, View: v.ID, ActionID: "pick"}, typed)
		if err != nil || len(options) != 1 {
			t.Fatalf("suggestions: %v, %v", options, err)
		}
		problems, err := s.Submit(t.Context(), user, map[string]string{"pick": "key-1"})
		if err != nil {
			t.Fatalf("submit: %v", err)
		}
		return problems
	}
	if p := fill(maya, "fr"); p["ns"] != "no namespace frend" {
		t.Errorf("problems = %v", p)
	}
	if p := fill(maya, "back"); len(p) > 0 {
		t.Errorf("problems = %v", p)
	}
	said := func(text string) func(*slack.State) bool {
		return func(st *slack.State) bool { ms := st.Messages(ops); return ms[len(ms)-1].Text == text }
	}
	wait("submission", said("backend asked by "+maya))
	if _, open := s.Modal(maya); open {
		t.Error("the form is still open")
	}

	// The other ways in.
	if _, err := s.Mention(maya, ops, root.TS, "help"); err != nil {
		t.Fatal(err)
	}
	wait("mention in a thread", func(st *slack.State) bool {
		th := st.Thread(ops, root.TS)
		return th[len(th)-1].Text == "heard: help"
	})
	if _, err := s.Say(maya, maya, "", "hello"); err != nil {
		t.Fatal(err)
	}
	wait("direct message", func(st *slack.State) bool {
		ms := st.Messages("D0MAYA")
		return len(ms) == 2 && ms[1].Text == "you wrote: hello"
	})
	if err := s.MessageShortcut(t.Context(), jonas, ops, root.TS, "msg"); err != nil {
		t.Fatal(err)
	}
	if p := fill(jonas, "back"); len(p) > 0 {
		t.Errorf("problems = %v", p)
	}
	wait("message shortcut", said("backend asked by "+jonas))
	s.OpenHome(maya)
	wait("Home and file", func(st *slack.State) bool {
		v, _ := st.Home(maya)
		ms := st.Messages("D0MAYA")
		last := ms[len(ms)-1]
		return v.Plain() == "Home of "+maya && len(last.Files) == 1 && string(last.Files[0].Data) == "# Report"
	})

	// A refresh: it comes back by itself and answers.
	s.Disconnect("refresh_requested")
	wait("reconnect", func(st *slack.State) bool {
		opened := 0
		for _, c := range st.Calls() {
			if c.Method == "apps.connections.open" {
				opened++
			}
		}
		return opened == 2 && st.Sockets() == 1
	})
	if _, err := s.Slash(t.Context(), maya, ops, "/netdiag again"); err != nil {
		t.Errorf("after a refresh: %v", err)
	}
	for _, e := range s.Envelopes() {
		if e.Took < 0 || e.Attempt > 0 {
			t.Errorf("%s %s: attempt %d, acknowledged after %s", e.Type, e.ID, e.Attempt, e.Took)
		}
	}
}
