package handlers_test

import (
	"strings"
	"testing"
	"time"

	api "github.com/slack-go/slack"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/sim/slack"
)

// reader may read the history of channels, which netdiag's manifest doesn't ask for.
func reader(o *slack.Options) {
	o.App.Scopes = []string{"commands", "chat:write", "files:write", "users:read", "channels:read", "channels:history"}
}

// A message whose answer was lost is looked for before it is written again.
func TestLostAnswersArePostedOnce(t *testing.T) {
	r := newRig(t, reader)
	r.start(r.config())
	r.Fault("chat.postMessage", slack.Fault{Cut: true, After: true, Times: 2})
	r.ask(maya, ops, "/netdiag pending backend")
	root := r.root(0, "root cause found")
	r.card(root)
	r.once()
}

// What a process posted and did not live to note, the next one finds.
func TestPostedByTheProcessBefore(t *testing.T) {
	r := newRig(t, reader)
	q := casebook.Question{Command: "pending backend", Diagnosis: "pending", Team: team, User: maya, Channel: ops, At: r.clock.Now()}
	inv, _, err := r.book.Open(t.Context(), casebook.Person{Team: team, Home: team, User: maya}, q, "key")
	if err != nil {
		t.Fatal(err)
	}
	client := api.New("xoxb-sim", api.OptionAPIURL(r.url+"/api/"))
	mark := api.MsgOptionMetadata(api.SlackMetadata{EventType: "netdiag_message", EventPayload: map[string]any{"key": inv.Name + "/root"}})
	if _, _, err := client.PostMessage(ops, api.MsgOptionText("received", false), mark); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.book.Deliver(t.Context(), inv.Name, "bot-0"); err != nil { // which does not live to give it back
		t.Fatal(err)
	}
	r.clock.advance(time.Minute)
	r.start(r.config())
	r.tick(func() bool { return strings.Contains(r.rootText(0), "root cause found") })
	r.once()
}

// once checks that no message is there twice.
func (r *rig) once() {
	r.t.Helper()
	seen := map[string]int{}
	r.until(func(s *slack.State) bool {
		for _, m := range s.Messages(ops) {
			for _, in := range s.Thread(ops, m.TS) {
				payload, _ := in.Metadata["event_payload"].(map[string]any)
				key, _ := payload["key"].(string)
				seen[key]++
			}
		}
		return true
	})
	for key, n := range seen {
		if key == "" || n != 1 {
			r.t.Errorf("message %q is there %d times:\n%s", key, n, r.Transcript())
		}
	}
}

// Where the history may not be read a lost answer leads to a second message: better twice than never.
func TestLostAnswerWithoutTheScope(t *testing.T) {
	r := newRig(t)
	r.start(r.config())
	r.Fault("chat.postMessage", slack.Fault{Cut: true, After: true})
	r.ask(maya, ops, "/netdiag pending backend")
	r.root(0, "pending backend")
	r.root(1, "root cause found")
}
