package slack_test

import (
	"slices"
	"strings"
	"testing"

	slackgo "github.com/slack-go/slack"
	"github.com/slack-go/slack/slackevents"
	"github.com/slack-go/slack/socketmode"

	"github.com/netdiag/netdiag/internal/sim/slack"
)

// A shortcut of a message tells the app the message and where it is; the modal that it opens knows the channel, and what
// is submitted can be answered there.
func TestShortcuts(t *testing.T) {
	o := workspace()
	o.App.Shortcuts = []slack.Shortcut{{CallbackID: "msg", Name: "Diagnose this message", Message: true}, {CallbackID: "global", Name: "Run a diagnosis"}}
	s, url := serve(t, o)
	seen := make(chan slackgo.InteractionCallback, 3)
	b := &bot{interact: func(b *bot, r socketmode.Request, c slackgo.InteractionCallback) {
		_ = b.sm.Ack(r)
		if c.Type != slackgo.InteractionTypeViewSubmission {
			where := slackgo.NewOptionsSelectBlockElement(slackgo.OptTypeConversations, nil, "where")
			where.DefaultToCurrentConversation, where.ResponseURLEnabled = true, true
			_, err := b.api.OpenView(c.TriggerID, slackgo.ModalViewRequest{
				Type: slackgo.VTModal, Title: text("plain_text", "Diagnose"), Submit: text("plain_text", "Run"),
				Blocks: slackgo.Blocks{BlockSet: []slackgo.Block{slackgo.NewInputBlock("to", text("plain_text", "Post to"), nil, where)}},
			})
			if err != nil {
				t.Error(err)
			}
		}
		seen <- c
	}}
	b.run(t, s, url)
	root, _ := s.Say(jonas, "C0QUIET", "", "ALERT: pods pending in backend")
	reply, _ := s.Say(maya, "C0QUIET", root, "who looks?")
	if err := s.MessageShortcut(t.Context(), maya, "C0QUIET", reply, "msg"); err != nil {
		t.Fatal(err)
	}
	c := <-seen
	if c.Type != slackgo.InteractionTypeMessageAction || c.CallbackID != "msg" || c.Message.Text != "who looks?" || c.MessageTs != reply ||
		c.Message.ThreadTimestamp != root || c.Message.User != maya || c.Channel.ID != "C0QUIET" || c.User.ID != maya || c.APIAppID != "A00000001" {
		t.Errorf("payload of the message shortcut: %+v", c)
	}
	if err := slackgo.PostWebhookContext(t.Context(), c.ResponseURL, &slackgo.WebhookMessage{Text: "only you"}); err != nil || len(s.Ephemerals(maya, "C0QUIET")) != 1 {
		t.Errorf("answer through the response URL: %v, %+v", err, s.Ephemerals(maya, "C0QUIET"))
	}
	if _, err := s.Submit(t.Context(), maya, nil); err != nil {
		t.Fatal(err)
	}
	c = <-seen
	if c.View.State.Values["to"]["where"].SelectedConversation != "C0QUIET" || len(c.ResponseURLs) != 1 || c.ResponseURLs[0].ChannelID != "C0QUIET" {
		t.Fatalf("submitted %+v, response URLs %+v, want the channel where the modal was opened", c.View.State.Values, c.ResponseURLs)
	}
	if err := slackgo.PostWebhookContext(t.Context(), c.ResponseURLs[0].ResponseURL, &slackgo.WebhookMessage{Text: "here", ResponseType: "in_channel"}); err != nil {
		t.Error(err)
	}
	if m := s.Messages("C0QUIET"); m[len(m)-1].Text != "here" {
		t.Errorf("the channel ends with %+v", m[len(m)-1])
	}

	if err := s.Shortcut(t.Context(), jonas, "global"); err != nil {
		t.Fatal(err)
	}
	if c := <-seen; c.Type != slackgo.InteractionTypeShortcut || c.CallbackID != "global" || c.User.ID != jonas || c.Channel.ID != "" || c.ResponseURL != "" {
		t.Errorf("payload of the global shortcut: %+v", c)
	}
	if problems, err := s.Submit(t.Context(), jonas, nil); err != nil || problems["to"] == "" {
		t.Errorf("without a channel to start from, a form that asks for one was sent off: %v, %v", problems, err)
	}
	for what, err := range map[string]error{
		"unknown callback":              s.Shortcut(t.Context(), maya, "other"),
		"message shortcut without one":  s.Shortcut(t.Context(), maya, "msg"),
		"global shortcut on a message":  s.MessageShortcut(t.Context(), maya, "C0QUIET", root, "global"),
		"shortcut on an ephemeral note": s.MessageShortcut(t.Context(), maya, "C0QUIET", s.Ephemerals(maya, "C0QUIET")[0].TS, "msg"),
		"nobody":                        s.Shortcut(t.Context(), "U0NONE", "global"),
	} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}

// The app hears that it was invited and that a group changed; it hears nothing that it has no scope for.
func TestMembershipEvents(t *testing.T) {
	s, url := serve(t, workspace())
	got := make(chan string, 10)
	b := &bot{event: func(b *bot, r socketmode.Request, e slackevents.EventsAPIEvent) {
		_ = b.sm.Ack(r)
		switch ev := e.InnerEvent.Data.(type) {
		case *slackevents.MemberJoinedChannelEvent:
			got <- strings.Join([]string{"joined", ev.User, ev.Channel, ev.Inviter}, " ")
		case *slackevents.SubteamMembersChangedEvent:
			got <- strings.Join(slices.Concat([]string{"group", ev.SubteamID}, ev.AddedUsers, ev.RemovedUsers), " ")
		default:
			got <- e.InnerEvent.Type
		}
	}}
	b.run(t, s, url)
	if _, err := s.Slash(t.Context(), maya, "C0QUIET", "/invite @netdiag"); err != nil {
		t.Fatal(err)
	}
	if g, want := <-got, "joined U00000001 C0QUIET "+maya; g != want {
		t.Errorf("got %q, want %q", g, want)
	}
	if _, _, err := b.api.PostMessage("C0QUIET", message("here I am")); err != nil {
		t.Errorf("after the invitation: %v", err)
	}
	s.SetGroup("S0NETOPS", maya)
	if g, want := <-got, "group S0NETOPS "+maya+" "+jonas; g != want {
		t.Errorf("got %q, want %q", g, want)
	}
	if us, err := b.api.GetUserGroupMembers("S0NETOPS"); err != nil || !slices.Equal(us, []string{maya}) {
		t.Errorf("the group is %v, %v", us, err)
	}

	o := workspace()
	o.App.Scopes = []string{"commands", "chat:write"}
	deaf, url := serve(t, o)
	(&bot{event: b.event}).run(t, deaf, url)
	_, _ = deaf.Mention(maya, ops, "", "help")
	_, _ = deaf.Say(maya, maya, "", "help")
	deaf.SetGroup("S0NETOPS", maya)
	deaf.OpenHome(maya)
	if g := <-got; g != "app_home_opened" {
		t.Errorf("an app without the scope was told of %s", g)
	}
	wait(t, deaf, func(st *slack.State) bool { e := st.Envelopes(); return len(e) > 0 && e[0].Took >= 0 })
	deaf.Close()
	if e := deaf.Envelopes(); len(e) != 1 {
		t.Errorf("an app without the scopes was told of %d things, want the opened Home alone", len(e))
	}
}
