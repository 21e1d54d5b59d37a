package slack_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	slackgo "github.com/slack-go/slack"

	"github.com/netdiag/netdiag/internal/sim/slack"
)

func message(s string) slackgo.MsgOption { return slackgo.MsgOptionText(s, false) }

// Slack's error names, as the real client sees them.
func TestErrors(t *testing.T) {
	s, url := serve(t, workspace())
	api := client(url)
	_, ts, err := api.PostMessage(ops, message("hello"))
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := s.Say(maya, ops, "", "mine")
	if err != nil {
		t.Fatal(err)
	}
	post := func(channel string, o ...slackgo.MsgOption) error {
		_, _, err := api.PostMessage(channel, o...)
		return err
	}
	update := func(channel, ts string, o ...slackgo.MsgOption) error {
		_, _, _, err := api.UpdateMessage(channel, ts, o...)
		return err
	}
	for _, tc := range []struct {
		name string
		err  error
		want string
	}{
		{"unknown token", func() error {
			_, err := slackgo.New("xoxb-other", slackgo.OptionAPIURL(url+"/api/")).AuthTest()
			return err
		}(), "invalid_auth"},
		{"no token", func() error { _, err := slackgo.New("", slackgo.OptionAPIURL(url+"/api/")).AuthTest(); return err }(), "not_authed"},
		{"app token for a bot's method", func() error {
			_, err := slackgo.New("xapp-sim", slackgo.OptionAPIURL(url+"/api/")).AuthTest()
			return err
		}(), "not_allowed_token_type"},
		{"unknown channel", post("C0NONE", message("x")), "channel_not_found"},
		{"private channel without the app", post("G0SECRET", message("x")), "channel_not_found"},
		{"public channel without the app", post("C0QUIET", message("x")), "not_in_channel"},
		{"nothing to say", post(ops), "no_text"},
		{"update of nothing", update(ops, "1.000001", message("x")), "message_not_found"},
		{"update of another's message", update(ops, theirs, message("x")), "cant_update_message"},
		{"long update", update(ops, ts, message(strings.Repeat("x", 4001))), "msg_too_long"},
		{"delete of nothing", func() error { _, _, err := api.DeleteMessage(ops, "1.000001"); return err }(), "message_not_found"},
		{"ephemeral for a stranger", func() error { _, err := api.PostEphemeral("C0QUIET", jonas, message("x")); return err }(), "not_in_channel"},
		{"ephemeral for nobody", func() error { _, err := api.PostEphemeral(ops, "U0NONE", message("x")); return err }(), "user_not_in_channel"},
		{"unknown user", func() error { _, err := api.GetUserInfo("U0NONE"); return err }(), "user_not_found"},
		{"unknown group", func() error { _, err := api.GetUserGroupMembers("S0NONE"); return err }(), "no_such_subteam"},
		{"old trigger", func() error {
			_, err := api.OpenView("1.2", slackgo.ModalViewRequest{Type: slackgo.VTModal, Title: text("plain_text", "t"), Blocks: slackgo.Blocks{BlockSet: []slackgo.Block{slackgo.NewDividerBlock()}}})
			return err
		}(), "invalid_trigger_id"},
		{"history without its scope", func() error {
			_, err := api.GetConversationHistory(&slackgo.GetConversationHistoryParameters{ChannelID: ops})
			return err
		}(), "missing_scope"},
		{"reaction without its scope", api.AddReaction("eyes", slackgo.NewRefToMessage(ops, ts)), "missing_scope"},
	} {
		if tc.err == nil || tc.err.Error() != tc.want {
			t.Errorf("%s: %v, want %s", tc.name, tc.err, tc.want)
		}
	}
	calls := s.Calls()
	if len(calls) < 18 || calls[0] != (slack.Call{At: calls[0].At, Method: "chat.postMessage", Channel: ops}) {
		t.Errorf("calls = %+v", calls)
	}
}

func TestLongTextIsCut(t *testing.T) {
	s, url := serve(t, workspace())
	if _, _, err := client(url).PostMessage(ops, message(strings.Repeat("é", 40_100))); err != nil {
		t.Fatal(err)
	}
	if got := len([]rune(s.Messages(ops)[0].Text)); got != 40_000 {
		t.Errorf("%d characters stayed, want 40000", got)
	}
}

// The same request in each of the ways that clients send it.
func TestEncodings(t *testing.T) {
	s, base := serve(t, workspace())
	form := url.Values{"channel": {ops}, "text": {"a"}, "blocks": {`[{"type":"divider"}]`}}
	withToken := url.Values{"channel": {ops}, "text": {"b"}, "token": {"xoxb-sim"}}
	for _, tc := range []struct{ kind, auth, body string }{
		{"application/x-www-form-urlencoded", "Bearer xoxb-sim", form.Encode()},
		{"application/x-www-form-urlencoded", "", withToken.Encode()},
		{"application/json; charset=utf-8", "Bearer xoxb-sim", `{"channel":"C0OPS","text":"c","blocks":[{"type":"divider"}]}`},
		{"application/json", "Bearer xoxb-sim", `{"channel":"#ops","text":"d","blocks":"[{\"type\":\"divider\"}]"}`},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/api/chat.postMessage", strings.NewReader(tc.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", tc.kind)
		if tc.auth != "" {
			req.Header.Set("Authorization", tc.auth)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		out, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		var ok struct{ OK bool }
		if err != nil || json.Unmarshal(out, &ok) != nil || !ok.OK {
			t.Errorf("%s %q: %s", tc.kind, tc.body, out)
		}
	}
	var got []string
	for _, m := range s.Messages(ops) {
		got = append(got, m.Text)
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "d"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestThreads(t *testing.T) {
	s, url := serve(t, workspace())
	api := client(url)
	_, root, _ := api.PostMessage(ops, message("root"))
	_, reply, _ := api.PostMessage(ops, message("reply"), slackgo.MsgOptionTS(root))
	_, _, _ = api.PostMessage(ops, message("under the reply"), slackgo.MsgOptionTS(reply))
	_, _, _ = api.PostMessage(ops, message("for all"), slackgo.MsgOptionTS(root), slackgo.MsgOptionBroadcast())
	_, _, _ = api.PostMessage(ops, message("orphan"), slackgo.MsgOptionTS("1.000001"))

	texts := func(ms []slack.Message) (out []string) {
		for _, m := range ms {
			out = append(out, m.Text)
		}
		return out
	}
	if diff := cmp.Diff([]string{"root", "for all", "orphan"}, texts(s.Messages(ops))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"root", "reply", "under the reply", "for all"}, texts(s.Thread(ops, root))); diff != "" {
		t.Error(diff)
	}
	if _, _, err := api.DeleteMessage(ops, root); err != nil {
		t.Fatal(err)
	}
	if got := s.Messages(ops)[0]; got.Subtype != "tombstone" || got.ReplyCount != 3 {
		t.Errorf("a deleted root with replies = %+v, want a tombstone", got)
	}
	link, err := api.GetPermalink(&slackgo.PermalinkParameters{Channel: ops, Ts: reply})
	if err != nil || !strings.HasPrefix(link, url+"/archives/C0OPS/p") || !strings.Contains(link, "thread_ts="+root) {
		t.Errorf("permalink = %q, %v", link, err)
	}
}

func TestFile(t *testing.T) {
	s, url := serve(t, workspace())
	api := client(url)
	_, root, _ := api.PostMessage(ops, message("root"))
	_, err := api.UploadFile(slackgo.UploadFileParameters{
		Filename: "report.md", FileSize: 8, Content: "# Report", Title: "The report", Channel: ops, ThreadTimestamp: root, InitialComment: "as a file",
	})
	if err != nil {
		t.Fatal(err)
	}
	m := s.Thread(ops, root)
	if len(m) != 2 || len(m[1].Files) != 1 || string(m[1].Files[0].Data) != "# Report" || m[1].Files[0].Title != "The report" {
		t.Fatalf("thread = %+v", m)
	}
	var got strings.Builder
	if err := api.GetFile(m[1].Files[0].Private, &got); err != nil || got.String() != "# Report" {
		t.Errorf("download = %q, %v", got.String(), err)
	}
}

func TestFaultsAndLimits(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 30, 0, 0, time.UTC)
	o := workspace()
	o.RateLimits, o.Now = true, func() time.Time { return now }
	s, base := serve(t, o)
	api := client(base)
	var limited *slackgo.RateLimitedError
	n := 0
	for ; n < 20; n++ {
		if _, _, err := api.PostMessage(ops, message("x")); errors.As(err, &limited) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if n != 4 || limited == nil || limited.RetryAfter != time.Second {
		t.Errorf("after %d messages at once: %v, want 4 and a second", n, limited)
	}
	now = now.Add(time.Second)
	_, ts, err := api.PostMessage(ops, message("x"))
	if err != nil {
		t.Errorf("a second later: %v", err)
	}

	s.Fault("chat.update", slack.Fault{Error: "internal_error"})
	s.Fault("chat.update", slack.Fault{Cut: true, After: true})
	if _, _, _, err := api.UpdateMessage(ops, ts, message("y")); err == nil || err.Error() != "internal_error" {
		t.Errorf("first update: %v", err)
	}
	var lost *url.Error
	if _, _, _, err := api.UpdateMessage(ops, ts, message("z")); !errors.As(err, &lost) {
		t.Errorf("update whose answer is lost: %v", err)
	}
	if m := s.Messages(ops); m[len(m)-1].Text != "z" {
		t.Errorf("the update whose answer was lost was not carried out: %q", m[len(m)-1].Text)
	}
	s.Fault("auth.test", slack.Fault{Delay: time.Hour})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := api.AuthTestContext(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("stalled call: %v", err)
	}
}
