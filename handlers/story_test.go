package handlers_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/sim/slack"
)

// The whole story: a question, the verdict in the thread, a second person's approval, the change, and the good news.
func TestFromTheQuestionToTheVerifiedFix(t *testing.T) {
	r := newRig(t)
	r.start(r.config())
	if got := r.ask(maya, ops, "/netdiag pending backend"); got != "" {
		t.Errorf("the acknowledgement says %q", got)
	}
	root := r.root(0, "root cause found, confirmed")
	for _, want := range []string{"pending backend", maya, "prod-cluster", "P2 (high)", "subnet-0a1b2c3d4e5f60718"} {
		if !strings.Contains(root.Plain(), want) {
			t.Errorf("the root message lacks %q:\n%s", want, root.Plain())
		}
	}
	card := r.card(root)
	thread := r.thread(root)
	for i, want := range []string{"Root cause found, confirmed", "Subnets", "Not checked", "Resolution now", "Fix: Keep 2 spare addresses"} {
		if len(thread) != 5 || !strings.Contains(thread[i].Plain(), want) {
			t.Fatalf("message %d of %d should say %q; the thread is:\n%s", i, len(thread), want, r.Transcript())
		}
	}

	if err := r.Click(r.context(), maya, ops, card.TS, "Approve"); err != nil {
		t.Fatal(err)
	}
	r.whisper(maya, ops, "somebody else has to approve it")
	if got := r.fixes()[0].Status; got.Phase != casebook.AwaitingApproval || len(got.Decisions) != 0 {
		t.Errorf("after the requester's click: %+v", got)
	}

	r.decide(jonas, card, "Approve", nil)
	r.whisper(jonas, ops, "Your approval is recorded")
	r.reply(root, func(m slack.Message) bool {
		return m.TS == card.TS && len(m.Buttons()) == 0 && strings.Contains(m.Plain(), "Approved by") && strings.Contains(m.Plain(), jonas)
	})
	r.execute()
	r.reply(root, func(m slack.Message) bool {
		return m.TS == card.TS && strings.Contains(m.Plain(), "Done: ")
	})
	r.settled()
	if r.world.applied != 1 {
		t.Errorf("applied %d times", r.world.applied)
	}
	notes := r.thread(root)[5:]
	var told []string
	for _, n := range r.fixes()[0].Status.Notes {
		told = append(told, n.Text)
	}
	if len(notes) != len(told) {
		t.Fatalf("%d notes in the thread for %d in the store:\n%s", len(notes), len(told), r.Transcript())
	}
	for i := range told {
		if !strings.Contains(notes[i].Plain(), told[i]) {
			t.Errorf("note %d: %q, want %q", i, notes[i].Plain(), told[i])
		}
	}
	for _, e := range r.Envelopes() {
		if e.Took < 0 || e.Took > time.Second {
			t.Errorf("%s was acknowledged after %v", e.Type, e.Took)
		}
	}
}

func (r *rig) thread(root slack.Message) []slack.Message {
	r.t.Helper()
	var out []slack.Message
	r.until(func(s *slack.State) bool {
		out = s.Thread(ops, root.TS)[1:]
		return true
	})
	return out
}

// settled waits until the thread was told of everything about the one fix.
func (r *rig) settled() {
	r.t.Helper()
	r.stored(func(f casebook.Remediation) bool { return f.Status.Posted["card-final"] != "" })
}

func TestSecondCommand(t *testing.T) {
	r := newRig(t)
	r.start(r.config())
	r.ask(maya, ops, "/netdiag alb api-ingress -n backend")
	root := r.root(0, "2 root causes found")
	r.reply(root, says("What does not fit"))
	r.press(maya, r.reply(root, says("asked for this.")), "Show evidence")
	r.reply(root, says("Health checks failed with these codes: [503]"))
}

// The cards stand in the order of the report.
func TestCardsInOrder(t *testing.T) {
	r := newRig(t)
	r.world.extra = []string{"pending/restart-ipamd", "pending/enable-prefix-delegation", "pending/move-pods-off-node", "pending/add-pod-subnet"}
	r.start(r.config())
	r.ask(maya, ops, "/netdiag pending backend")
	root := r.root(0, "root cause found")
	var cards []string
	r.until(func(s *slack.State) bool {
		cards = nil
		for _, m := range s.Thread(ops, root.TS)[1:] {
			if strings.HasPrefix(m.Plain(), "Fix: ") {
				title, _, _ := strings.Cut(m.Plain(), "\n")
				cards = append(cards, title)
			}
		}
		return len(cards) == 5
	})
	want := []string{"Fix: Keep 2 spare addresses a node instead of a whole interface"}
	for _, id := range r.world.extra {
		want = append(want, "Fix: Further fix "+id)
	}
	if d := cmp.Diff(want, cards); d != "" {
		t.Error(d)
	}
}

// A bot that starts anew posts nothing twice, and takes up what the one before left.
func TestRestart(t *testing.T) {
	r := newRig(t)
	stop := r.start(r.config())
	r.ask(maya, ops, "/netdiag pending backend")
	root := r.root(0, "root cause found")
	card := r.card(root)
	stop()
	before := len(r.thread(root))
	c := r.config()
	c.Holder = "bot-2"
	stop = r.start(c)
	r.decide(jonas, card, "Reject", nil)
	r.reply(root, func(m slack.Message) bool { return m.TS == card.TS && strings.Contains(m.Plain(), "Rejected by") })
	r.settled()
	if got := len(r.thread(root)); got != before+1 {
		t.Errorf("%d messages in the thread after the restart and the rejection, want %d:\n%s", got, before+1, r.Transcript())
	}
	stop()

	// A question that is being looked into when its bot dies.
	block := make(chan struct{})
	defer close(block)
	r.world.meanwhile(blocked(block))
	c.Holder, c.Drain = "bot-3", time.Millisecond // it is given no time to finish
	stop = r.start(c)
	r.ask(maya, ops, "/netdiag pending backend")
	r.root(1, "Looking")
	stop()
	r.world.meanwhile(nil)
	c.Holder = "bot-4"
	r.start(c)
	r.tick(func() bool { return strings.Contains(r.rootText(1), "root cause found") })
}

// tick moves the clock on until what holds.
func (r *rig) tick(what func() bool) {
	r.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !what() {
		if time.Now().After(deadline) {
			r.t.Fatal(r.Transcript())
		}
		r.clock.advance(5 * time.Second)
		r.ask(maya, ops, "/netdiag ping")
	}
}

func (r *rig) rootText(n int) string {
	text := ""
	r.until(func(s *slack.State) bool {
		if ms := s.Messages(ops); len(ms) > n {
			text = ms[n].Plain()
		}
		return true
	})
	return text
}
