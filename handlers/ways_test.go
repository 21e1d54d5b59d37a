package handlers_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/sim/slack"
)

// say has somebody write a message.
func (r *rig) say(user, channel, thread, text string) (ts string) {
	r.t.Helper()
	ts, err := r.Say(user, channel, thread, text)
	if err != nil {
		r.t.Fatal(err)
	}
	return ts
}

// inOrder starts a bot that hears everything in the order of its sending. done waits until all that was sent is handled,
// and what came of it told.
func (r *rig) inOrder() (done func()) {
	r.t.Helper()
	c := r.config()
	c.Connections = 1
	stop := r.start(c)
	return func() {
		r.t.Helper()
		r.ask(maya, ops, "/netdiag ping") // received after all the rest
		stop()
	}
}

// direct waits for the n-th message of the bot in the direct message with user to say something.
func (r *rig) direct(user string, n int, says string) slack.Message {
	r.t.Helper()
	var m slack.Message
	r.until(func(s *slack.State) bool {
		var mine []slack.Message
		for _, m := range s.Messages("D" + strings.TrimPrefix(user, "U")) {
			if m.BotID != "" {
				mine = append(mine, m)
			}
		}
		if len(mine) <= n {
			return false
		}
		m = mine[n]
		return strings.Contains(m.Plain(), says)
	})
	return m
}

func TestMentionInAChannel(t *testing.T) {
	r := newRig(t)
	r.start(r.config())
	r.say(maya, ops, "", "hey @netdiag pending `backend`")
	root := r.root(1, "root cause found")
	if root.ThreadTS != "" && root.ThreadTS != root.TS {
		t.Errorf("the root message stands in thread %s", root.ThreadTS)
	}
	r.card(root)
}

// A question asked in a thread is answered in that thread, cards included.
func TestMentionInAThread(t *testing.T) {
	r := newRig(t)
	r.start(r.config())
	incident := r.say(jonas, ops, "", "the shop is down")
	r.say(maya, ops, incident, "@netdiag pending backend")
	alarm, _ := r.message(ops, incident)
	r.reply(alarm, says("root cause found"))
	card := r.card(alarm)
	if n := len(r.Messages(ops)); n != 1 {
		t.Errorf("%d messages in the channel beside the thread:\n%s", n, r.Transcript())
	}
	r.decide(jonas, card, "Approve", nil)
	r.whisper(jonas, ops, "Your approval is recorded")
	// What is no question is answered to the person alone, in the thread.
	r.say(maya, ops, incident, "@netdiag pendnig backend")
	r.whisper(maya, ops, "Did you mean pending backend?")
	if last := r.Ephemerals(maya, ops); last[len(last)-1].ThreadTS != incident {
		t.Errorf("the refusal stands in thread %q", last[len(last)-1].ThreadTS)
	}
}

func (r *rig) message(channel, ts string) (m slack.Message, ok bool) {
	r.until(func(s *slack.State) bool { m, ok = s.Message(channel, ts); return true })
	return m, ok
}

// mentioned is an event as Slack delivers it.
func mentioned(ts string, inner object) object {
	ev := object{"type": "app_mention", "user": maya, "text": "<@U00000001> pending backend", "ts": ts, "channel": ops, "event_ts": ts, "team": team}
	maps.Copy(ev, inner)
	return object{
		"token": "x", "team_id": team, "api_app_id": app, "event": ev, "type": "event_callback", "event_id": "Ev" + ts, "event_time": 1,
		"is_ext_shared_channel": false,
	}
}

func (r *rig) event(id string, attempt int, payload object) {
	r.raw(object{"envelope_id": id, "type": "events_api", "payload": payload, "retry_attempt": attempt, "retry_reason": "timeout", "accepts_response_payload": false})
}

// An event that comes again, by the same or another kind of event, is one question and one answer; one whose first delivery was lost
// is answered at its second.
func TestEventsTwice(t *testing.T) {
	r := newRig(t)
	done := r.inOrder()
	r.event("a", 0, mentioned("1.000001", nil))
	r.event("b", 1, mentioned("1.000001", nil))
	r.event("c", 3, mentioned("1.000002", object{"text": "<@U00000001> nonsense"}))
	r.event("d", 1, mentioned("1.000002", object{"text": "<@U00000001> nonsense"}))
	r.whisper(maya, ops, `"nonsense" is no command`)
	r.card(r.root(0, "root cause found"))
	r.ask(maya, ops, "/netdiag ping")
	r.event("e", 0, mentioned("1.000003", object{"text": "<@U00000001> stauts"}))
	r.whisper(maya, ops, "Did you mean status?")
	done()
	refusals := 0
	for _, m := range r.Ephemerals(maya, ops) {
		if strings.Contains(m.Plain(), "nonsense") {
			refusals++
		}
	}
	if n := r.world.questions(); n != 1 || len(r.Messages(ops)) != 1 || refusals != 1 {
		t.Errorf("%d diagnoses, %d messages, %d refusals:\n%s", n, len(r.Messages(ops)), refusals, r.Transcript())
	}
}

// What no person of the workspace wrote is not listened to.
func TestEventsOfNobody(t *testing.T) {
	r := newRig(t)
	done := r.inOrder()
	im := func(inner object) object {
		o := object{"type": "message", "channel_type": "im", "channel": "D0MAYA"}
		maps.Copy(o, inner)
		return o
	}
	for i, inner := range []object{
		{"bot_id": "B0OTHER"},
		{"user": "U00000001"},
		{"user": ""},
		{"edited": object{"user": maya, "ts": "1.1"}},
		im(object{"bot_id": "B0OTHER"}),
		im(object{"user": "U00000001"}),
		im(object{"subtype": "message_changed", "message": object{"user": maya, "text": "pending backend"}}),
		im(object{"subtype": "thread_broadcast"}),
		im(object{"channel_type": "channel", "channel": ops}),
		{"type": "reaction_added"},
	} {
		r.event(fmt.Sprint("no-", i), 0, mentioned(fmt.Sprintf("2.%06d", i), inner))
	}
	other := mentioned("3.000001", nil)
	other["api_app_id"] = "A0EVIL"
	r.event("other", 0, other)
	done()
	n := len(r.Messages(ops)) + len(r.Messages("D0MAYA")) + len(r.Ephemerals("U00000001", ops)) + len(r.Ephemerals(maya, ops)) - 1 // ping
	if n != 0 || r.world.questions() != 0 {
		t.Errorf("%d messages, %d diagnoses:\n%s", n, r.world.questions(), r.Transcript())
	}
}

func TestDirectMessage(t *testing.T) {
	r := newRig(t)
	done := r.inOrder()
	r.say(maya, maya, "", "hello?")
	r.direct(maya, 0, "What you can ask")
	r.say(maya, maya, "", "pending")
	r.direct(maya, 1, "pending needs a namespace")
	r.say(maya, maya, "", "@netdiag pending backend")
	root := r.direct(maya, 2, "root cause found")
	r.until(func(s *slack.State) bool {
		for _, m := range s.Thread("D0MAYA", root.TS) {
			if strings.Contains(m.Plain(), "To get the buttons, ask in a channel") {
				return true
			}
		}
		return false
	})
	ts := r.say(maya, maya, root.TS, "alb api-ingress")
	r.until(func(s *slack.State) bool {
		for _, m := range s.Thread("D0MAYA", root.TS) {
			if m.TS > ts && strings.Contains(m.Plain(), "2 root causes found") {
				return true
			}
		}
		return false
	})
	done()
	for _, m := range r.Thread("D0MAYA", root.TS) {
		if len(m.Buttons()) > 0 && strings.HasPrefix(m.Plain(), "Fix:") {
			t.Errorf("a card that nobody can decide on: %s", m.Plain())
		}
	}
}

// Guests, people of other organisations, and shared channels: refused on every way, and only the person sees it.
func TestWhoMayNotAsk(t *testing.T) {
	r := newRig(t)
	r.start(r.config())
	for _, c := range []struct{ user, channel, want string }{
		{guest, ops, "Only full members"},
		{alien, ops, "This is not the workspace that netdiag serves"},
		{maya, ally, "shared with another organisation"},
		{alien, ally, "This is not the workspace"},
	} {
		if got := r.ask(c.user, c.channel, "/netdiag pending backend"); !strings.Contains(got, c.want) {
			t.Errorf("%s types in %s, and is told %q", c.user, c.channel, got)
		}
		if got := r.ask(c.user, c.channel, "/netdiag status"); !strings.Contains(got, c.want) {
			t.Errorf("%s asks for the status in %s, and is told %q", c.user, c.channel, got)
		}
		r.say(c.user, c.channel, "", "@netdiag pending backend")
		r.whispered(c.user, c.channel, c.want, 3)
	}
	for _, user := range []string{guest, alien} {
		r.say(user, user, "", "pending backend")
		r.direct(user, 0, "netdiag")
		if err := r.Shortcut(r.context(), user, "netdiag_global"); err != nil {
			t.Fatal(err)
		}
		r.until(func(s *slack.State) bool {
			v, ok := s.Modal(user)
			return ok && len(v.Buttons()) == 0 && strings.Contains(v.Plain(), "netdiag")
		})
		r.OpenHome(user)
		r.until(func(s *slack.State) bool {
			v, ok := s.Home(user)
			return ok && len(v.Buttons()) == 0 && !strings.Contains(v.Plain(), "prod-cluster")
		})
	}
	if n := r.world.questions(); n != 0 {
		t.Errorf("%d diagnoses", n)
	}
}

// whispered waits until user was told something so often.
func (r *rig) whispered(user, channel, text string, times int) {
	r.t.Helper()
	r.until(func(s *slack.State) bool {
		n := 0
		for _, m := range s.Ephemerals(user, channel) {
			if strings.Contains(m.Plain(), text) {
				n++
			}
		}
		return n >= times
	})
}

// Slack's word that a channel is shared counts, whatever the look-up says.
func TestEventOfASharedChannel(t *testing.T) {
	r := newRig(t)
	r.start(r.config())
	p := mentioned("1.000001", nil)
	p["is_ext_shared_channel"] = true
	r.event("shared", 0, p)
	r.whisper(maya, ops, "shared with another organisation")
}

func TestStatusAndHistory(t *testing.T) {
	r := newRig(t)
	r.start(r.config())
	if got := r.ask(maya, ops, "/netdiag history"); !strings.Contains(got, "Nothing was asked here lately") {
		t.Errorf("history: %q", got)
	}
	r.ask(maya, ops, "/netdiag pending backend")
	r.root(0, "root cause found")
	r.clock.advance(time.Minute)
	block := make(chan struct{})
	r.world.meanwhile(blocked(block))
	r.ask(jonas, ops, "/netdiag alb api-ingress")
	r.root(1, "Looking")
	r.say(maya, maya, "", "pending secret-plan")
	r.direct(maya, 0, "Looking")
	got := r.ask(jonas, ops, "/netdiag status")
	for _, want := range []string{"prod-cluster in us-west-2", "fixes are offered with buttons", "2 of 36 places taken", "alb api-ingress 10:31 UTC by <@U0JONAS>: being looked into", "see the answer"} {
		if !strings.Contains(got, want) {
			t.Errorf("status lacks %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, "secret-plan") {
		t.Errorf("status tells others what was asked in a direct message:\n%s", got)
	}
	close(block)
	r.root(1, "2 root causes found")
	got = r.ask(aisha, ops, "/netdiag history 2")
	first, second := strings.Index(got, "alb api-ingress"), strings.Index(got, "pending backend")
	if first < 0 || second < first || strings.Contains(got, "secret-plan") || !strings.Contains(got, "root cause found, confirmed") {
		t.Errorf("history:\n%s", got)
	}
	if got = r.ask(aisha, ops, "/netdiag history 1"); strings.Contains(got, "pending backend") {
		t.Errorf("history 1:\n%s", got)
	}
	r.say(maya, maya, "", "history")
	r.direct(maya, 1, "pending secret-plan")
}

// A question from where the bot is no member goes on in a direct message when its asker says so, also after the answer.
func TestContinueInADirectMessage(t *testing.T) {
	r := newRig(t)
	r.start(r.config())
	block := make(chan struct{})
	r.world.meanwhile(blocked(block))
	r.ask(maya, quiet, "/netdiag pending backend")
	r.whisper(maya, quiet, "I am no member of this channel")
	press := func(n int) {
		t.Helper()
		if err := r.Click(r.context(), maya, quiet, r.Ephemerals(maya, quiet)[n].TS, "Continue in a direct message"); err != nil {
			t.Fatal(err)
		}
	}
	press(0)
	press(0)
	r.direct(maya, 0, "Looking")
	close(block)
	root := r.direct(maya, 0, "root cause found")
	r.until(func(s *slack.State) bool { return len(s.Thread("D0MAYA", root.TS)) > 5 })

	told := len(r.Ephemerals(maya, quiet))
	r.ask(maya, quiet, "/netdiag alb api-ingress")
	r.whispered(maya, quiet, "2 root causes found", 1)
	press(told)
	second := r.direct(maya, 1, "2 root causes found")
	r.until(func(s *slack.State) bool { return len(s.Thread("D0MAYA", second.TS)) > 4 })
	r.say(maya, maya, "", "ping")
	r.direct(maya, 2, "I hear you") // and nothing twice
}

// The answer to another person's question can't be had by a forged button.
func TestForgedWays(t *testing.T) {
	r := newRig(t)
	r.start(r.config())
	r.ask(maya, quiet, "/netdiag pending backend")
	r.whisper(maya, quiet, "Root cause found")
	note := r.Ephemerals(maya, quiet)[0]
	p := payload(slack.Message{Channel: quiet, TS: note.TS, Blocks: note.Blocks}, jonas)
	p["container"].(object)["is_ephemeral"] = true
	p["response_url"] = r.url + "/response/none"
	r.deliver(1, p)
	p["user"] = object{"id": maya, "team_id": team}
	p["actions"].([]any)[0].(object)["value"] = "inv-none"
	r.deliver(2, p)
	for ctx := r.context(); r.logs.FilterMessage("answer a button").Len() < 2 && ctx.Err() == nil; {
		r.ask(jonas, ops, "/netdiag ping")
	}
	if n := len(r.Messages("D0JONAS")) + len(r.Messages("D0MAYA")); n > 0 {
		t.Errorf("told %d times:\n%s", n, r.Transcript())
	}
}

// Text as Slack sends it: links, mentions and channels that people typed are what they typed.
func TestEscapedWords(t *testing.T) {
	r := newRig(t)
	r.start(r.config())
	for text, want := range map[string]string{
		"@maya":                        `"@maya" is no command`,
		"#ops":                         `"#ops" is no command`,
		"pending @maya":                `"@maya" can't be a namespace`,
		"pending https://evil.example": `"https://evil.example" can't be a namespace`,
		"statsu":                       "Did you mean status?",
		"histroy 3":                    "Did you mean history 3?",
		"history many":                 "Did you mean history 5?",
		"alb two words":                "Did you mean alb two -n words?",
	} {
		if got := r.ask(maya, ops, "/netdiag "+text); !strings.Contains(got, want) {
			t.Errorf("%q is answered %q, want %q", text, got, want)
		}
	}
	for i, text := range []string{"<!channel> <@U00000001> pending <!here>", "<@U00000001> <http://api.example|api.example>"} {
		r.event(fmt.Sprint("x-", i), 0, mentioned(fmt.Sprintf("5.%06d", i), object{"text": text}))
	}
	r.whisper(maya, ops, `"@here" can't be a namespace`)
	r.whisper(maya, ops, `"api.example" is no command`)
}

// A diagnosis that dies ends its message with what happened, its id and what to do; the next one is answered.
func TestDiagnosisThatDiesInAThread(t *testing.T) {
	r := newRig(t)
	r.start(r.config())
	incident := r.say(jonas, ops, "", "the shop is down")
	alarm, _ := r.message(ops, incident)
	for i, die := range []func(context.Context, diagnostics.Target) error{
		func(context.Context, diagnostics.Target) error { panic("a bug") },
		func(context.Context, diagnostics.Target) error { return errors.New("the cluster is gone") },
	} {
		r.world.meanwhile(die)
		r.say(maya, ops, incident, "@netdiag pending backend")
		var n int
		r.until(func(s *slack.State) bool {
			n = 0
			for _, m := range s.Thread(ops, alarm.TS)[1:] {
				if strings.Contains(m.Plain(), "Something went wrong inside netdiag") && strings.Contains(m.Plain(), "Ask again; if it happens again, give inv-") {
					n++
				}
			}
			return n > i
		})
	}
	r.world.meanwhile(nil)
	r.say(maya, ops, incident, "@netdiag pending backend")
	r.reply(alarm, says("root cause found"))
}
