package handlers_test

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	api "github.com/slack-go/slack"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/sim/slack"
)

// heap is how much memory this process holds in objects and in what is not given back of them, in bytes.
func heap() uint64 {
	samples := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64() + samples[1].Value.Uint64()
}

// A front end that starts with a thousand fixes that wait for a decision edits the cards that show something else than
// they should, and no other, in little memory. The store and Slack are in this process too, and are left out of the figure.
func TestThousandPending(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		pending, changed := 1000, 20
		if racing {
			pending = 100
		}
		c := b.config()
		c.PostEvery, c.EditEvery, c.LookEvery = time.Millisecond, time.Millisecond, 10*time.Minute
		cards := b.pending(t, pending)
		shown := func() bool {
			for _, f := range b.fixes() {
				if f.Status.Shown == "" {
					return false
				}
			}
			return true
		}
		stop := b.connect(c) // the first one knows of no card what it shows
		for !shown() {
			time.Sleep(time.Minute)
		}
		stop()
		for _, f := range b.fixes()[:changed] { // while no front end runs
			if _, err := b.book.ChangeRemediation(t.Context(), f.Name, func(s *casebook.RemediationStatus) error {
				s.Phase, s.Finished, s.Outcome = casebook.Expired, time.Now(), "Nobody decided in time; nothing was changed."
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		edits := b.calls("chat.update")
		runtime.GC()
		before, most := heap(), uint64(0)
		c.Holder = "bot-2"
		stop = b.connect(c)
		for range 100 {
			time.Sleep(time.Second)
			most = max(most, heap())
		}
		defer stop()
		if n := b.calls("chat.update") - edits; n != changed {
			t.Errorf("%d edits for %d cards that show something else than they should", n, changed)
		}
		open := 0
		b.until(func(s *slack.State) bool {
			open = 0
			for _, m := range s.Messages(ops) {
				if cards[m.TS] && len(m.Buttons()) == 2 {
					open++
				}
			}
			return true
		})
		if open != pending-changed {
			t.Errorf("%d cards have buttons", open)
		}
		if grown := int64(most) - int64(before); grown > 128<<20 {
			t.Errorf("%d MiB", grown>>20)
		} else {
			t.Logf("%d pending fixes: at most %.1f MiB of heap", pending, float64(grown)/(1<<20))
		}
	}, func(o *slack.Options) { o.RateLimits = false })
}

// pending stores questions with a fix each that waits for a decision, and posts their cards.
func (b *bubble) pending(t *testing.T, n int) (cards map[string]bool) {
	t.Helper()
	b.world.tuned, b.book.Patience = false, -1
	cards = map[string]bool{}
	client := api.New("xoxb-sim", api.OptionAPIURL(b.url+"/api/"), api.OptionHTTPClient(&http.Client{Transport: &http.Transport{DialContext: b.wire.Dial, DisableKeepAlives: true}}))
	for i := range n {
		q := casebook.Question{
			Command: "pending backend", Diagnosis: "pending", Team: team, User: maya, Channel: ops, At: time.Now(),
			Target: diagnostics.Target{Cluster: "prod-cluster", Region: "us-west-2", Namespace: fmt.Sprint("shop-", i)},
		}
		inv, _, err := b.book.Open(t.Context(), casebook.Person{Team: team, Home: team, User: maya}, q, fmt.Sprint("key-", i))
		b.must(err)
		inv, err = b.book.Claim(t.Context(), inv.Name, "bot-0")
		b.must(err)
		inv, rems, err := b.book.Report(t.Context(), inv, b.world.report("pending", q.Target))
		b.must(err)
		_, ts, err := client.PostMessage(ops, api.MsgOptionText("a card", false))
		b.must(err)
		cards[ts] = true
		_, err = b.book.ChangeInvestigation(t.Context(), inv.Name, func(s *casebook.InvestigationStatus) error {
			s.Root, s.Posted = casebook.Message{Channel: ops, TS: ts}, map[string]string{"told": ts}
			return nil
		})
		b.must(err)
		_, err = b.book.ChangeRemediation(t.Context(), rems[0].Name, func(s *casebook.RemediationStatus) error {
			s.Card = casebook.Message{Channel: ops, TS: ts}
			return nil
		})
		b.must(err)
	}
	return cards
}

// Twenty people click a card a hundred times over four front ends, at one moment: each has one decision at most, it is
// carried out once, and every click is answered.
func TestHundredClicks(t *testing.T) {
	const people, times, replicas = 20, 5, 4
	inBubble(t, func(t *testing.T, b *bubble) {
		grants := rules()
		for i := range people {
			grants.Approvers[0].Users = append(grants.Approvers[0].Users, clicker(i))
		}
		b.book.Policy = grants
		b.world.anyone = true
		for i := range replicas {
			c := b.config()
			c.Holder, c.Connections = fmt.Sprint("bot-", i), 1
			end := b.launch(c)
			defer func() { _ = end() }()
		}
		b.until(func(s *slack.State) bool { return s.Sockets() == replicas })
		b.ask(maya, ops, "/netdiag pending backend")
		root := b.root(0, "root cause found")
		card := b.card(root)
		start, answered := make(chan struct{}), make(chan error)
		for i := range people {
			views := b.view(clicker(i), card)
			for n := range times {
				go func() {
					<-start
					b.deliver(100*i+n, submitted(views, clicker(i)))
					answered <- nil
				}()
			}
		}
		close(start)
		for range people * times {
			<-answered
		}
		b.execute()
		b.reply(root, says("Done: "))
		b.settled()
		time.Sleep(time.Minute)
		counts := b.logged(people*times, "decided", "a click too late")
		if counts["decided"] != 1 || counts["a click too late"] != people*times-1 {
			t.Errorf("the log says %v", counts)
		}
		if f := b.fixes()[0]; len(f.Status.Decisions) != 1 {
			t.Errorf("decisions: %+v", f.Status.Decisions)
		}
		if b.world.applied != 1 {
			t.Errorf("applied %d times", b.world.applied)
		}
		b.once()
	}, func(o *slack.Options) {
		o.RateLimits = false
		for i := range people {
			o.Users = append(o.Users, slack.User{ID: clicker(i), Name: fmt.Sprint("clicker", i)})
		}
	})
}

func clicker(i int) string { return fmt.Sprintf("U0C%02dX", i) }

// view has somebody open the modal of a decision, and gives it.
func (b *bubble) view(user string, card slack.Message) slack.View {
	b.t.Helper()
	b.must(b.Click(context.Background(), user, ops, card.TS, "Approve"))
	return b.modal(user, func(v slack.View) bool { return strings.Contains(v.Plain(), "Plan") })
}
