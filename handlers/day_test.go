package handlers_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/handlers"
	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/sim/slack"
)

// day is what happened within 24 hours.
type day struct {
	Seed     uint64
	Asked    int // commands and mentions
	Refused  int // of them, those that Slack could not deliver, and said so to the person or gave up after six minutes
	Sockets  int // connections that were opened
	Ended    map[string]float64
	Restarts int
	Again    float64 // deliveries of an event that was delivered before
	Lost     int     // questions that Slack delivered, and that have no answer
	Doubled  int     // questions that were recorded twice, and messages that were posted twice
	Deaf     float64 // longest time without a live connection, in seconds
	DeafAll  float64
	Took     time.Duration // of ours
}

// asking is a question of the day. Each has a namespace of its own, to be found by.
type asking struct {
	namespace string
	mention   string // its ts; empty for a command
	delivered bool   // Slack knows that the bot has it
}

type dayRun struct {
	*bubble
	day
	rand *rand.Rand
	end  time.Time

	asked []*asking
}

// TestDay lives through days of trouble, each with another seed, within seconds; under the race detector through a morning.
func TestDay(t *testing.T) {
	seeds, hours := 2, 24*time.Hour
	file := os.Getenv("NETDIAG_RELIABILITY")
	switch {
	case file != "":
		seeds = 30
	case racing:
		seeds, hours = 1, 6*time.Hour
	}
	var days []day
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			start := time.Now()
			inBubble(t, func(t *testing.T, b *bubble) {
				d := &dayRun{bubble: b, rand: rand.New(rand.NewPCG(seed, 24)), end: time.Now().Add(hours)}
				d.Seed, d.Ended = seed, map[string]float64{}
				d.live(t)
				days = append(days, d.day)
			})
			if len(days) > 0 {
				days[len(days)-1].Took = time.Since(start)
				t.Logf("%+v", days[len(days)-1])
			}
		})
	}
	if file != "" && !t.Failed() {
		if err := reliability(file, days, crashes(t, 1)); err != nil {
			t.Fatal(err)
		}
	}
}

// live lets people ask and Slack misbehave for a day, and then looks for what was lost or done twice.
func (d *dayRun) live(t *testing.T) {
	d.world.quick = true
	d.world.meanwhile(func(ctx context.Context, target diagnostics.Target) error {
		return takes(time.Duration(time.Now().Unix()%30)*time.Second)(ctx, target)
	})
	other := d.dayConfig(0) // a second replica, which lives through it all
	other.Holder = "other"
	leave := d.launch(other)
	stop := d.launch(d.dayConfig(0))
	d.until(func(s *slack.State) bool { return s.Sockets() == 4 })
	var people, weather sync.WaitGroup
	crowd := rand.New(rand.NewPCG(d.Seed, 1))
	people.Go(func() { d.people(t, crowd) })
	weather.Go(func() {
		for time.Now().Before(d.end) {
			time.Sleep(time.Duration(1+d.rand.IntN(12)) * time.Minute)
			stop = d.trouble(t, stop)
		}
	})
	refreshes, done := context.WithCancel(context.Background())
	weather.Go(func() { // each connection about once an hour
		for sleepUntil(refreshes, 30*time.Minute) {
			d.Refresh()
		}
	})
	people.Wait()
	done()
	weather.Wait()
	time.Sleep(20 * time.Minute) // for what is under way, Slack's last redelivery included
	d.judge(t)
	d.count()
	d.quit(t, stop)
	d.quit(t, leave)
}

// quit stops a bot.
func (d *dayRun) quit(t *testing.T, stop func() error) {
	if err := stop(); err != nil {
		t.Errorf("Run: %v", err)
	}
}

func sleepUntil(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// people ask by commands and mentions, every two and a half minutes on average.
func (d *dayRun) people(t *testing.T, r *rand.Rand) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for n := 0; time.Now().Before(d.end); n++ {
		time.Sleep(time.Duration(1+r.IntN(300)) * time.Second)
		q := &asking{namespace: fmt.Sprintf("shop-%d", n)}
		d.asked = append(d.asked, q)
		if r.IntN(3) == 0 {
			var err error
			if q.mention, err = d.Mention(maya, ops, "", "pending "+q.namespace); err != nil {
				t.Error(err)
			}
			continue
		}
		wg.Go(func() {
			reply, err := d.Slash(d.context(), maya, ops, "/netdiag pending "+q.namespace)
			switch {
			case errors.Is(err, slack.ErrTimeout), errors.Is(err, slack.ErrUnreachable): // Slack says so to whoever typed it
			case err != nil:
				t.Error(err)
			default:
				q.delivered = reply.Message == nil // else it was turned away with a sentence
			}
		})
	}
}

// trouble does one of the things that happen to a bot. stop ends the present bot; the answer ends the one afterwards.
func (d *dayRun) trouble(t *testing.T, stop func() error) func() error {
	seconds := func(most int) time.Duration { return time.Duration(1+d.rand.IntN(most)) * time.Second }
	switch d.rand.IntN(16) {
	case 0:
		d.DropOne()
	case 1:
		d.Drop()
	case 2:
		d.FreezeOne()
	case 3:
		d.Freeze()
	case 4:
		d.Fault("apps.connections.open", slack.Fault{RetryAfter: seconds(90), Times: 1 + d.rand.IntN(3)})
		d.DropOne()
	case 5:
		d.Fault("apps.connections.open", slack.Fault{Delay: time.Hour})
		d.DropOne()
	case 6:
		d.Fault("link", slack.Fault{Error: "too_many_websockets", Times: 1 + d.rand.IntN(4)})
		d.DropOne()
	case 7:
		d.Fault("link", slack.Fault{Delay: time.Hour})
		d.Drop()
	case 8:
		d.Fault("link", slack.Fault{Error: "refresh_requested", Times: 5})
		d.Drop()
	case 9:
		d.Duplicate(1 + d.rand.IntN(4))
	case 10:
		d.LoseAcks(1 + d.rand.IntN(3))
	case 11:
		d.SendRaw([]byte(`{"envelope_id":"odd","type":"of_tomorrow","payload":[]}`))
	case 12:
		d.wire.Unreachable(true)
		d.Drop()
		time.Sleep(seconds(200))
		d.wire.Unreachable(false)
	case 13:
		d.Fault("chat.postMessage", slack.Fault{RetryAfter: seconds(30), Times: 1 + d.rand.IntN(3)})
		d.Fault("chat.update", slack.Fault{Error: "internal_error"})
	default:
		return d.restart(t, stop)
	}
	return stop
}

// restart stops the bot, more or less gently, and starts the next one on the same store.
func (d *dayRun) restart(t *testing.T, stop func() error) func() error {
	d.Restarts++
	d.quit(t, stop)
	d.count()
	time.Sleep(time.Duration(d.rand.IntN(60)) * time.Second)
	c := d.dayConfig(d.Restarts)
	if d.rand.IntN(2) == 0 {
		c.Drain = time.Nanosecond // as one that is killed, but for posts that had begun
	}
	return d.launch(c)
}

func (d *dayRun) dayConfig(n int) (c handlers.Config) {
	c = d.config()
	c.Holder, c.Fixes = fmt.Sprint("bot-", n), false
	c.LookEvery = time.Minute
	return c
}

// count adds up what the bot that was started last says of itself.
func (d *dayRun) count() {
	for _, reason := range endings() {
		d.Ended[reason.name] += d.ended(reason.name)
	}
	d.Again += d.metric("netdiag_slack_redelivered_total")
	d.Deaf = max(d.Deaf, d.metric("netdiag_slack_deaf_longest_seconds"))
	d.DeafAll += d.metric("netdiag_slack_deaf_seconds_total")
	d.Sockets = d.opened()
}

// judge compares what was asked with what is stored, and what is stored with what Slack shows.
func (d *dayRun) judge(t *testing.T) {
	all, err := d.book.Store.Investigations.List(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	answers := map[string][]casebook.Investigation{}
	known := map[string]bool{}
	for _, inv := range all {
		ns := inv.Question.Target.Namespace
		answers[ns] = append(answers[ns], inv)
		known[inv.Status.Root.TS] = true
		for _, ts := range inv.Status.Posted {
			known[ts] = true
		}
	}
	d.Asked = len(d.asked)
	acknowledged := map[string]bool{}
	for _, e := range d.Envelopes() {
		if e.Took >= 0 {
			acknowledged[e.TS] = true
		}
	}
	for _, q := range d.asked {
		if q.mention != "" {
			q.delivered = acknowledged[q.mention]
		}
		if !q.delivered {
			d.Refused++
		}
		got := answers[q.namespace]
		if len(got) > 1 {
			d.Doubled++
			t.Errorf("%s was recorded %d times", q.namespace, len(got))
		}
		if q.delivered && (len(got) == 0 || got[0].Status.Phase != casebook.Reported || got[0].Status.Posted["told"] == "") {
			d.Lost++
			t.Errorf("%+v was lost: %+v", *q, got)
		}
	}
	for _, m := range d.posted() {
		if !known[m.TS] {
			d.Doubled++
			t.Errorf("a message that the store does not know: %s %.200s", m.TS, m.Plain())
		}
	}
}

// posted lists what the bot wrote into the channel, threads included.
func (b *bubble) posted() []slack.Message {
	var out []slack.Message
	b.until(func(s *slack.State) bool {
		for _, root := range s.Messages(ops) {
			for _, m := range s.Thread(ops, root.TS) {
				if m.BotID != "" {
					out = append(out, m)
				}
			}
		}
		return true
	})
	return out
}

// quickReport is small: a day has hundreds.
func quickReport(name string, target diagnostics.Target) diagnostics.Report {
	return diagnostics.Report{Diagnosis: name, Target: target}
}
