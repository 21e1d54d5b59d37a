package handlers_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/netdiag/netdiag/handlers"
	"github.com/netdiag/netdiag/internal/sim/slack"
)

func TestTokensThatSlackRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*rig, *handlers.Config)
		want   string
	}{
		"bot token": {func(_ *rig, c *handlers.Config) { c.BotToken = "xoxb-wrong" }, "Slack refuses the bot token (SLACK_BOT_TOKEN): invalid_auth"},
		"app token": {func(_ *rig, c *handlers.Config) { c.AppToken = "xapp-wrong" }, "Slack refuses the app token (SLACK_APP_TOKEN): invalid_auth"},
		"app token without scope": {func(r *rig, _ *handlers.Config) {
			r.Fault("apps.connections.open", slack.Fault{Error: "missing_scope"})
		}, "Slack refuses the app token (SLACK_APP_TOKEN): missing_scope"},
		"revoked": {func(r *rig, _ *handlers.Config) { r.Fault("auth.test", slack.Fault{Error: "token_revoked"}) }, "token_revoked"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			cfg := r.config()
			c.change(r, &cfg)
			b, err := handlers.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			err = b.Run(ctx)
			var token *handlers.TokenError
			if !errors.As(err, &token) || !strings.HasPrefix(err.Error(), c.want) && !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("Run: %v", err)
			}
		})
	}
}

func TestSlackInTrouble(t *testing.T) {
	r := newRig(t)
	r.start(r.config())
	r.Fault("chat.postMessage", slack.Fault{RetryAfter: time.Second})
	r.Fault("chat.postMessage", slack.Fault{Error: "internal_error"})
	r.Fault("chat.postMessage", slack.Fault{Error: "invalid_blocks"})
	r.ask(maya, ops, "/netdiag pending backend")
	root := r.root(0, "pending backend")
	r.Fault("chat.update", slack.Fault{Cut: true})
	r.root(0, "root cause found")
	r.card(root)
}

// The same delivery twice is one question.
func TestRedelivery(t *testing.T) {
	r := newRig(t)
	r.start(r.config())
	p := object{
		"command": "/netdiag", "text": "pending backend", "team_id": team, "user_id": maya, "channel_id": ops, "api_app_id": app,
		"trigger_id": "same", "is_enterprise_install": "false", "response_url": r.url + "/response/none",
	}
	for _, id := range []string{"first", "second"} {
		r.raw(object{"envelope_id": id, "type": "slash_commands", "accepts_response_payload": true, "payload": p})
	}
	r.raw(object{"envelope_id": "garbage", "type": "slash_commands", "payload": []int{1}})
	r.card(r.root(0, "root cause found"))
	if got := r.ask(maya, ops, "/netdiag ping"); got == "" {
		t.Error("no answer afterwards")
	}
	r.until(func(s *slack.State) bool {
		if n := len(s.Messages(ops)); n != 1 {
			t.Errorf("%d root messages", n)
		}
		return true
	})
	if n := r.world.questions(); n != 1 {
		t.Errorf("diagnosed %d times", n)
	}
}
