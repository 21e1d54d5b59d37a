package handlers_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/sim/slack"
)

// asked is a rig with a card that waits for approval.
func asked(t *testing.T) (r *rig, root, card slack.Message) {
	r = newRig(t)
	r.start(r.config())
	r.ask(maya, ops, "/netdiag pending backend")
	root = r.root(0, "root cause found")
	return r, root, r.card(root)
}

type object = map[string]any

// payload is a click as Slack delivers it, of the card's first button.
func payload(card slack.Message, user string) object {
	b := card.Buttons()[0]
	return object{
		"type": "block_actions", "api_app_id": app, "trigger_id": "1", "token": "x",
		"team": object{"id": team}, "user": object{"id": user, "team_id": team}, "channel": object{"id": ops},
		"container": object{"type": "message", "message_ts": card.TS, "channel_id": ops, "thread_ts": card.ThreadTS, "is_ephemeral": false},
		"actions":   []any{object{"type": "button", "action_id": b.ActionID, "block_id": b.BlockID, "value": b.Value}},
	}
}

func (r *rig) deliver(n int, p object) {
	r.raw(object{"envelope_id": fmt.Sprint("raw-", n), "type": "interactive", "accepts_response_payload": true, "payload": p})
}

// raw sends a frame over the socket.
func (r *rig) raw(frame object) {
	b, err := json.Marshal(frame)
	if err != nil || !r.SendRaw(b) {
		r.t.Errorf("send %v: %v", frame, err)
	}
}

// whispers counts what user was told.
func (r *rig) whispers(user string, n int) []string {
	r.t.Helper()
	var out []string
	r.until(func(s *slack.State) bool {
		out = nil
		for _, m := range s.Ephemerals(user, ops) {
			out = append(out, m.Plain())
		}
		return len(out) >= n
	})
	return out
}

func TestForgedClicks(t *testing.T) {
	r, _, card := asked(t)
	value := card.Buttons()[0].Value
	action := func(k, v string) func(object) {
		return func(p object) { p["actions"].([]any)[0].(object)[k] = v }
	}
	in := func(name, k string, v any) func(object) {
		return func(p object) { p[name].(object)[k] = v }
	}
	forgeries := []struct {
		name string
		do   func(object)
		want string
	}{
		{"another message", in("container", "message_ts", "1.000001"), "out of date"},
		{"an ephemeral message", in("container", "is_ephemeral", true), "none of mine"},
		{"an unfurled message", in("container", "is_app_unfurl", true), "none of mine"},
		{"no message", in("container", "message_ts", ""), "none of mine"},
		{"another channel", in("channel", "id", "C0OTHER"), "none of mine"},
		{"another app", func(p object) { p["api_app_id"] = "A0EVIL" }, "none of mine"},
		{"no app", func(p object) { delete(p, "api_app_id") }, "none of mine"},
		{"another team", in("team", "id", "T0EVIL"), "none of mine"},
		{"a stranger", in("user", "team_id", "T0EVIL"), "Only full members"},
		{"nobody's team", func(p object) { delete(p["user"].(object), "team_id") }, "Only full members"},
		{"another nonce", action("value", value[:len(value)-1]+"x"), "out of date"},
		{"another fix", action("value", "v1:rem-none:"+strings.Repeat("0", 32)), "no fix that I know of"},
		{"nonsense", action("value", "<!channel>"), "none of mine"},
		{"another version", action("value", "v2"+value[2:]), "none of mine"},
		{"another button", action("action_id", "approve_all"), "none of mine"},
		{"another block", action("block_id", "x"), "none of mine"},
		{"two buttons", func(p object) { p["actions"] = append(p["actions"].([]any), p["actions"].([]any)[0]) }, "none of mine"},
	}
	for i, f := range forgeries {
		p := payload(card, jonas)
		for k, v := range p {
			if o, ok := v.(object); ok {
				p[k] = maps.Clone(o)
			}
		}
		f.do(p)
		r.deliver(i, p)
		told := r.whispers(jonas, i+1)
		if !strings.Contains(told[i], f.want) {
			t.Errorf("%s: told %q, want %q", f.name, told[i], f.want)
		}
	}
	if s := r.fixes()[0].Status; s.Phase != casebook.AwaitingApproval || len(s.Decisions) != 0 {
		t.Errorf("stored: %+v", s)
	}
}

func TestWhoMayNotDecide(t *testing.T) {
	r, _, card := asked(t)
	if err := r.Click(r.context(), guest, ops, card.TS, "Approve"); err != nil {
		t.Fatal(err)
	}
	r.whisper(guest, ops, "Only full members")
	r.Fault("users.info", slack.Fault{Error: "internal_error", Times: 1})
	if err := r.Click(r.context(), jonas, ops, card.TS, "Approve"); err != nil {
		t.Fatal(err)
	}
	r.whisper(jonas, ops, "Slack did not tell me who you are")
	if s := r.fixes()[0].Status; s.Phase != casebook.AwaitingApproval || len(s.Decisions) != 0 {
		t.Errorf("stored: %+v", s)
	}
}

func TestExpiredCard(t *testing.T) {
	r, root, card := asked(t)
	before := len(r.thread(root))
	r.clock.advance(casebook.ApprovalTTL + time.Second)
	r.reply(root, func(m slack.Message) bool {
		return m.TS == card.TS && len(m.Buttons()) == 0 && strings.Contains(m.Plain(), "Expired.")
	})
	r.deliver(1, payload(card, jonas))
	r.whisper(jonas, ops, "This fix expired")
	r.settled()
	if got := len(r.thread(root)); got != before {
		t.Errorf("the thread has %d messages instead of %d", got, before)
	}
}
