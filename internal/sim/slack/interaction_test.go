package slack_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	slackgo "github.com/slack-go/slack"
	"github.com/slack-go/slack/slackevents"
	"github.com/slack-go/slack/socketmode"

	"github.com/netdiag/netdiag/internal/sim/slack"
)

// Mentions, direct messages and the Home tab, as the real client parses them; what the app did not hear of is not sent.
func TestEvents(t *testing.T) {
	s, url := serve(t, workspace())
	got := make(chan string, 10)
	b := &bot{event: func(b *bot, r socketmode.Request, e slackevents.EventsAPIEvent) {
		_ = b.sm.Ack(r)
		switch ev := e.InnerEvent.Data.(type) {
		case *slackevents.AppMentionEvent:
			got <- "mention " + ev.User + " " + ev.Channel + " " + ev.ThreadTimeStamp + " " + ev.Text
		case *slackevents.MessageEvent:
			got <- ev.ChannelType + " " + ev.User + " " + ev.Channel + " " + ev.Text
		case *slackevents.AppHomeOpenedEvent:
			if ev.Tab != "home" {
				got <- ev.Type + " " + ev.Tab + " " + ev.Channel
				return
			}
			_, err := b.api.PublishView(ev.User, slackgo.HomeTabViewRequest{Type: slackgo.VTHomeTab, Blocks: slackgo.Blocks{BlockSet: []slackgo.Block{slackgo.NewHeaderBlock(text("plain_text", "Home of "+ev.User))}}}, "")
			if err != nil {
				t.Error(err)
			}
		}
	}}
	b.run(t, s, url)
	root, _ := s.Say(maya, ops, "", "the alert")
	_, _ = s.Mention(jonas, ops, root, "alb api <x>")
	if g, want := <-got, "mention "+jonas+" "+ops+" "+root+" <@U00000001> alb api &lt;x&gt;"; g != want {
		t.Errorf("got %q, want %q", g, want)
	}
	_, _ = s.Say(maya, maya, "", "pending backend")
	if g, want := <-got, "im "+maya+" D0MAYA pending backend"; g != want {
		t.Errorf("got %q, want %q", g, want)
	}
	_, _ = s.Mention(maya, "C0QUIET", "", "help")
	if e := s.Ephemerals(maya, "C0QUIET"); len(e) != 1 || !strings.Contains(e[0].Text, "not in this channel") {
		t.Errorf("a mention where the app is not: %+v", e)
	}
	s.OpenMessages(maya)
	if g, want := <-got, "app_home_opened messages D0MAYA"; g != want {
		t.Errorf("got %q, want %q", g, want)
	}
	s.OpenHome(maya)
	wait(t, s, func(st *slack.State) bool { v, _ := st.Home(maya); return v.Plain() == "Home of U0MAYA" })
	if len(got) > 0 {
		t.Errorf("one event too many: %s", <-got)
	}
}

func TestResponseURLAndTrigger(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 30, 0, 0, time.UTC)
	var mu sync.Mutex
	o := workspace()
	o.TriggerTTL = 0 // Slack's 3 seconds
	o.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	pass := func(d time.Duration) { mu.Lock(); defer mu.Unlock(); now = now.Add(d) }
	s, url := serve(t, o)
	commands := make(chan slackgo.SlashCommand, 1)
	b := &bot{slash: func(b *bot, r socketmode.Request, c slackgo.SlashCommand) { _ = b.sm.Ack(r); commands <- c }}
	b.run(t, s, url)
	ask := func() slackgo.SlashCommand {
		if _, err := s.Slash(t.Context(), maya, "C0QUIET", "/netdiag pending backend"); err != nil {
			t.Fatal(err)
		}
		return <-commands
	}
	answer := func(c slackgo.SlashCommand, m *slackgo.WebhookMessage) error {
		return slackgo.PostWebhookContext(t.Context(), c.ResponseURL, m)
	}
	c := ask()
	for i := range 6 {
		err := answer(c, &slackgo.WebhookMessage{Text: "only you"})
		if (err == nil) != (i < 5) {
			t.Errorf("use %d of the response URL: %v", i+1, err)
		}
	}
	if got := s.Ephemerals(maya, "C0QUIET"); len(got) != 5 || got[0].BotID == "" {
		t.Errorf("%d ephemeral messages, want 5 in a channel where the app is not", len(got))
	}
	c = ask()
	if err := answer(c, &slackgo.WebhookMessage{Text: "for all", ResponseType: slackgo.ResponseTypeInChannel}); err != nil {
		t.Error(err)
	}
	if m := s.Messages("C0QUIET"); len(m) != 2 || m[0].Text != "/netdiag pending backend" || m[0].User != maya || m[1].Text != "for all" {
		t.Errorf("channel = %+v", m)
	}
	pass(31 * time.Minute)
	if err := answer(c, &slackgo.WebhookMessage{Text: "late"}); err == nil {
		t.Error("a response URL of 31 minutes worked")
	}
	c = ask()
	pass(3*time.Second + time.Millisecond)
	_, err := b.api.OpenView(c.TriggerID, slackgo.ModalViewRequest{Type: slackgo.VTModal, Title: text("plain_text", "t"), Blocks: slackgo.Blocks{BlockSet: []slackgo.Block{slackgo.NewDividerBlock()}}})
	if err == nil || err.Error() != "expired_trigger_id" {
		t.Errorf("trigger after 3 s: %v", err)
	}
}

// An ephemeral message can be replaced and deleted through the response URL of a click on it.
func TestEphemeralButtons(t *testing.T) {
	s, url := serve(t, workspace())
	b := &bot{interact: func(b *bot, r socketmode.Request, c slackgo.InteractionCallback) {
		_ = b.sm.Ack(r)
		if !c.Container.IsEphemeral {
			t.Error("the container is not ephemeral")
		}
		m := &slackgo.WebhookMessage{Text: "replaced", ReplaceOriginal: true}
		if c.ActionCallback.BlockActions[0].ActionID == "delete" {
			m = &slackgo.WebhookMessage{DeleteOriginal: true}
		}
		if err := slackgo.PostWebhookContext(context.Background(), c.ResponseURL, m); err != nil {
			t.Error(err)
		}
	}}
	b.run(t, s, url)
	for action, want := range map[string]int{"replace": 1, "delete": 0} {
		ts, err := b.api.PostEphemeral(ops, jonas, slackgo.MsgOptionBlocks(slackgo.NewActionBlock("", slackgo.NewButtonBlockElement(action, "", text("plain_text", "Go")))))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Click(t.Context(), maya, ops, ts, "Go"); err == nil {
			t.Error("another person clicked what only one sees")
		}
		if err := s.Click(t.Context(), jonas, ops, ts, "Go"); err != nil {
			t.Fatal(err)
		}
		wait(t, s, func(st *slack.State) bool {
			e := st.Ephemerals(jonas, ops)
			return len(e) == want && (want == 0 || e[0].Text == "replaced")
		})
		for _, m := range s.Ephemerals(jonas, ops) {
			s.Dismiss(jonas, m.TS)
		}
	}
}

// What an external select starts with can be sent as it is, and chosen again after a search for something else.
func TestSuggestionsBesideTheFirstChoice(t *testing.T) {
	s, url := serve(t, workspace())
	got := make(chan string, 2)
	b := &bot{
		slash: func(b *bot, r socketmode.Request, c slackgo.SlashCommand) {
			_ = b.sm.Ack(r)
			pick := slackgo.NewOptionsSelectBlockElement(slackgo.OptTypeExternal, nil, "pick")
			pick.InitialOption = slackgo.NewOptionBlockObject("k0", text("plain_text", "frontend"), nil)
			_, err := b.api.OpenView(c.TriggerID, slackgo.ModalViewRequest{Type: slackgo.VTModal, Title: text("plain_text", "t"), Submit: text("plain_text", "go"), Blocks: slackgo.Blocks{BlockSet: []slackgo.Block{
				slackgo.NewInputBlock("ns", text("plain_text", "Namespace"), nil, pick),
			}}})
			if err != nil {
				t.Error(err)
			}
		},
		interact: func(b *bot, r socketmode.Request, c slackgo.InteractionCallback) {
			if c.Type == slackgo.InteractionTypeBlockSuggestion {
				_ = b.sm.Ack(r, slackgo.OptionsResponse{Options: []*slackgo.OptionBlockObject{slackgo.NewOptionBlockObject("k1", text("plain_text", "backend"), nil)}})
				return
			}
			got <- c.View.State.Values["ns"]["pick"].SelectedOption.Text.Text
			_ = b.sm.Ack(r, slackgo.NewErrorsViewSubmissionResponse(map[string]string{"ns": "again"}))
		},
	}
	b.run(t, s, url)
	if _, err := s.Slash(t.Context(), maya, ops, "/netdiag"); err != nil {
		t.Fatal(err)
	}
	wait(t, s, func(st *slack.State) bool { _, open := st.Modal(maya); return open })
	v, _ := s.Modal(maya)
	submit := func(value, want string) {
		t.Helper()
		if _, err := s.Submit(t.Context(), maya, map[string]string{"pick": value}); err != nil {
			t.Fatal(err)
		}
		if g := <-got; g != want {
			t.Errorf("submitted %q, want %q", g, want)
		}
	}
	submit("k0", "frontend")
	if _, err := s.Suggest(t.Context(), slack.Action{User: maya, View: v.ID, ActionID: "pick"}, "back"); err != nil {
		t.Fatal(err)
	}
	submit("k1", "backend")
	submit("k0", "frontend")
}

// The options of an external select ride in the acknowledgement.
func TestSuggestions(t *testing.T) {
	s, url := serve(t, workspace())
	b := &bot{
		slash: func(b *bot, r socketmode.Request, c slackgo.SlashCommand) {
			_ = b.sm.Ack(r)
			_, err := b.api.OpenView(c.TriggerID, slackgo.ModalViewRequest{Type: slackgo.VTModal, Title: text("plain_text", "t"), Submit: text("plain_text", "go"), Blocks: slackgo.Blocks{BlockSet: []slackgo.Block{
				slackgo.NewInputBlock("ns", text("plain_text", "Namespace"), nil, slackgo.NewOptionsSelectBlockElement(slackgo.OptTypeExternal, nil, "pick")),
			}}})
			if err != nil {
				t.Error(err)
			}
		},
		interact: func(b *bot, r socketmode.Request, c slackgo.InteractionCallback) {
			if c.Type == slackgo.InteractionTypeBlockSuggestion {
				_ = b.sm.Ack(r, slackgo.OptionsResponse{Options: []*slackgo.OptionBlockObject{slackgo.NewOptionBlockObject("k1", text("plain_text", c.Value+"end"), nil)}})
				return
			}
			o := c.View.State.Values["ns"]["pick"].SelectedOption
			_ = b.sm.Ack(r, slackgo.NewErrorsViewSubmissionResponse(map[string]string{"ns": o.Value + " " + o.Text.Text}))
		},
	}
	b.run(t, s, url)
	if _, err := s.Slash(t.Context(), maya, ops, "/netdiag"); err != nil {
		t.Fatal(err)
	}
	wait(t, s, func(st *slack.State) bool { _, open := st.Modal(maya); return open })
	v, _ := s.Modal(maya)
	os, err := s.Suggest(t.Context(), slack.Action{User: maya, View: v.ID, ActionID: "pick"}, "back")
	if err != nil || len(os) != 1 || os[0]["value"] != "k1" {
		t.Fatalf("options = %v, %v", os, err)
	}
	problems, err := s.Submit(t.Context(), maya, map[string]string{"pick": "backend"})
	if err != nil || problems["ns"] != "k1 backend" {
		t.Errorf("submitted %v, %v", problems, err)
	}
}
