package handlers_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/sim/slack"
)

// takes makes every diagnosis take so long.
func takes(d time.Duration) func(context.Context, diagnostics.Target) error {
	return func(ctx context.Context, _ diagnostics.Target) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// What is being answered when the bot is stopped is finished and told; what comes then is turned away.
func TestStopFinishesWhatIsUnderWay(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		b.world.meanwhile(takes(10 * time.Second))
		end := b.connect(b.config())
		b.ask(maya, ops, "/netdiag pending backend")
		b.root(0, "Looking")
		start := time.Now()
		stopped := make(chan time.Duration)
		go func() { end(); stopped <- time.Since(start) }()
		synctest.Wait() // it has begun to stop, and its connections are still open
		if status, body := b.get("/readyz"); status != http.StatusServiceUnavailable {
			t.Errorf("ready while it stops: %s", body)
		}
		if got := b.ask(maya, ops, "/netdiag pending backend"); !strings.Contains(got, "restarted") {
			t.Errorf("a question while it stops is answered %q", got)
		}
		if took := <-stopped; took < 9*time.Second || took > 15*time.Second {
			t.Errorf("it stopped after %v", took)
		}
		b.root(0, "root cause found")
		if n := b.world.questions(); n != 1 {
			t.Errorf("diagnosed %d times", n)
		}
	})
}

// What takes too long when the bot is stopped is left, and the next one takes it up. So is what waits for a worker.
func TestStopLeavesTheRest(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		b.world.meanwhile(takes(5 * time.Minute))
		c := b.config()
		c.Workers = 1
		end := b.connect(c)
		b.ask(maya, ops, "/netdiag pending backend")
		b.root(0, "pending backend")
		b.ask(jonas, ops, "/netdiag pending checkout")
		b.root(1, "pending checkout")
		start := time.Now()
		end()
		if took := time.Since(start); took < 20*time.Second || took > 21*time.Second {
			t.Errorf("it stopped after %v", took)
		}
		b.world.meanwhile(nil)
		c.Holder = "bot-2"
		end = b.connect(c)
		b.root(0, "root cause found")
		b.root(1, "root cause found")
		end()
		if n := len(b.roots()); n != 2 {
			t.Errorf("%d root messages for two questions", n)
		}
	})
}

func (b *bubble) roots() []slack.Message {
	var out []slack.Message
	b.until(func(s *slack.State) bool { out = s.Messages(ops); return true })
	return out
}

// The same delivery over two connections, and again because its acknowledgement was lost, is one question.
func TestDeliveredTwice(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		end := b.connect(b.config())
		defer end()
		b.Duplicate(1)
		b.ask(maya, ops, "/netdiag pending backend")
		b.root(0, "root cause found")
		b.LoseAcks(1)
		if _, err := b.Slash(b.context(), maya, ops, "/netdiag pending checkout"); !errors.Is(err, slack.ErrTimeout) {
			t.Errorf("%v", err)
		}
		b.root(1, "root cause found") // heard, though maya was told otherwise
		time.Sleep(time.Hour)
		if n := len(b.roots()); n != 2 || b.world.questions() != 2 {
			t.Errorf("%d root messages and %d diagnoses for two questions", n, b.world.questions())
		}
		b.raw(object{"envelope_id": "odd", "type": "of_tomorrow", "payload": object{}})
		time.Sleep(time.Minute)
		if n := b.metric(`netdiag_slack_envelopes_total{kind="unreadable"}`); n != 1 {
			t.Errorf("%v unreadable envelopes", n)
		}
		if n := b.metric("netdiag_slack_unacknowledged_total"); n != 0 {
			t.Errorf("%v envelopes were not acknowledged", n)
		}
	})
}

// Whatever goes to two processes on one store is recorded and looked into once.
func TestTwoBotsOneStore(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		c := b.config()
		defer b.launch(c)()
		c.Holder = "bot-2"
		defer b.launch(c)()
		b.until(func(s *slack.State) bool { return s.Sockets() == 4 })
		synctest.Wait()
		b.world.meanwhile(takes(2 * time.Minute)) // longer than an abandoned question waits to be taken over
		b.Duplicate(20)
		for i := range 10 {
			if _, err := b.Mention(maya, ops, "", fmt.Sprint("pending shop-", i)); err != nil {
				t.Fatal(err)
			}
			if _, err := b.Slash(b.context(), maya, ops, fmt.Sprint("/netdiag pending mall-", i)); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(time.Hour)
		all, err := b.book.Store.Investigations.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n := b.world.questions(); len(all) != 20 || n != 20 {
			t.Errorf("%d records and %d diagnoses of 20 questions", len(all), n)
		}
		if n := len(b.roots()); n != 20+10 { // the mentions are messages too
			t.Errorf("%d messages in the channel", n)
		}
	})
}

// The connection that an envelope came over may end before its acknowledgement: then it leaves over another.
func TestAcknowledgedOverAnother(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		end := b.connect(b.config())
		defer end()
		time.Sleep(time.Minute)
		b.Fault("users.info", slack.Fault{Delay: 500 * time.Millisecond})
		go func() {
			time.Sleep(100 * time.Millisecond)
			b.Drop()
		}()
		if got := b.ask(maya, ops, "/netdiag pending backend"); got != "" {
			t.Errorf("%q", got)
		}
	})
}

// An acknowledgement leaves in time whatever Slack's Web API does.
func TestSlowLookUp(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		end := b.connect(b.config())
		defer end()
		b.Fault("users.info", slack.Fault{Delay: time.Hour})
		if got := b.ask(maya, ops, "/netdiag pending backend"); !strings.Contains(got, "Something went wrong") {
			t.Errorf("%q", got)
		}
		for _, e := range b.Envelopes() {
			if e.Took < 0 || e.Took > 2*time.Second {
				t.Errorf("acknowledged after %v", e.Took)
			}
		}
	})
}

// trap is a policy with a bug.
type trap struct{ casebook.Policy }

func (trap) MayAsk(casebook.Person, casebook.Question) error { panic("a bug") }

func TestPanicWhileHandling(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		b.book.Policy = trap{b.book.Policy}
		end := b.connect(b.config())
		defer end()
		if _, err := b.Slash(b.context(), maya, ops, "/netdiag pending backend"); !errors.Is(err, slack.ErrTimeout) {
			t.Errorf("%v", err)
		}
		if got := b.ask(maya, ops, "/netdiag ping"); !strings.Contains(got, "I hear you") {
			t.Errorf("%q", got)
		}
		if n := b.logs.FilterMessage("handle what Slack sent").Len(); n != 1 {
			t.Errorf("logged %d times", n)
		}
	})
}
