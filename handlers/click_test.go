package handlers_test

import (
	"encoding/json"
	"fmt"
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
