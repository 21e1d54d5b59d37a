package handlers_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/netdiag/netdiag/internal/sim/slack"
)

// One question is heard within a second and answered within three; and when ten are asked in one channel Slack's limits
// are kept, nothing is lost, and whoever presses a button waits for none of it.
func TestSlacksLimitsAreKept(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		stop := b.connect(b.config())
		defer stop()
		start := time.Now()
		b.ask(maya, ops, "/netdiag pending backend")
		b.until(func(s *slack.State) bool { return len(s.Messages(ops)) == 1 })
		if took := time.Since(start); took > time.Second {
			t.Errorf("the first message came after %v", took)
		}
		root := b.root(0, "root cause found")
		verdict := b.reply(root, says("asked for this."))
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("the verdict came after %v", took)
		}
		time.Sleep(time.Minute)

		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() { b.ask(maya, ops, fmt.Sprintf("/netdiag pending team-%d", i)) })
		}
		wg.Wait()
		time.Sleep(3 * time.Second) // the queue is full now
		press := time.Now()
		b.deliver(1, payload(verdict, guest))
		b.until(func(s *slack.State) bool { return len(s.Ephemerals(guest, ops)) > 0 })
		if took := time.Since(press); took > time.Second {
			t.Errorf("a click was answered after %v", took)
		}
		cards := func(s *slack.State) (n int) {
			for _, m := range s.Messages(ops) {
				for _, in := range s.Thread(ops, m.TS)[1:] {
					if strings.HasPrefix(in.Plain(), "Fix: ") {
						n++
					}
				}
			}
			return n
		}
		b.until(func(s *slack.State) bool { return cards(s) == 11 })
		for i := range 11 {
			b.root(i, "root cause found")
		}
		limited := 0
		for _, c := range b.Calls() {
			if c.Error == "ratelimited" {
				limited++
			}
		}
		if limited > 0 {
			t.Errorf("Slack's limits were passed %d times", limited)
		}
	})
}

// What Slack refuses as too long is said shorter, never lost.
func TestTooLongForSlack(t *testing.T) {
	r := newRig(t)
	r.start(r.config())
	r.Fault("chat.postMessage", slack.Fault{Error: "msg_blocks_too_long", Times: 2})
	r.ask(maya, ops, "/netdiag pending backend")
	root := r.root(0, "root cause found")
	r.reply(root, says("asked for this."))
	if n := r.logs.FilterMessage("it can't be shown in Slack").Len(); n != 0 {
		t.Errorf("%d messages were given up", n)
	}
}

// Whatever stands in a cluster, a thread holds no live mention but that of who asked, no link, and no text that Slack reads marks in.
func TestHostileTextInTheThread(t *testing.T) {
	r := newRig(t)
	r.world.name = "hostile"
	r.start(r.config())
	r.ask(maya, ops, "/netdiag pending backend")
	r.told(1)
	var all []slack.Message
	r.until(func(s *slack.State) bool { all = s.Thread(ops, s.Messages(ops)[0].TS); return true })
	verdict := r.reply(all[0], says("asked for this."))
	for _, b := range []string{"Show evidence", "Show commands", "Report as file"} {
		r.press(maya, verdict, b)
	}
	r.wanted("evidence", "commands", "file")
	all = append(all[:1:1], r.thread(all[0])...)
	live := 0
	for _, m := range all {
		for _, mark := range []string{"<!channel>", "<@U0EVIL>", "<https://evil"} {
			if strings.Contains(m.Text, mark) {
				t.Errorf("the fallback has %s: %s", mark, m.Text)
			}
		}
		for _, b := range m.Blocks {
			live += marks(t, b)
		}
		for _, f := range m.Files {
			if strings.ContainsAny(f.Name+f.Title+f.AltText, "<>\x1b\u202e") {
				t.Errorf("file %q %q", f.Name, f.Title)
			}
			if strings.HasSuffix(f.Name, ".md") && strings.ContainsAny(string(f.Data), "\x1b\u202e\u200b") {
				t.Errorf("%s holds control characters", f.Name)
			}
		}
	}
	if live != 2 { // in the edited root message, and in the answer
		t.Errorf("%d live mentions", live)
	}
}

// marks counts the people whom a block mentions, and reports everything else that is live.
func marks(t *testing.T, v any) (people int) {
	t.Helper()
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			people += marks(t, e)
		}
	case map[string]any:
		switch v["type"] {
		case "user":
			people++
			if v["user_id"] != maya {
				t.Errorf("it mentions %v", v["user_id"])
			}
		case "broadcast", "usergroup", "link", "emoji", "mrkdwn", "markdown":
			t.Errorf("live: %v", v)
		}
		for _, e := range v {
			people += marks(t, e)
		}
	}
	return people
}
