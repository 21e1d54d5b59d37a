package handlers_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/handlers"
	"github.com/netdiag/netdiag/internal/sim/slack"
)

// sky is what a watch sees: one subnet, and one ingress.
type sky struct {
	mu        sync.Mutex
	available int
	more      int // further subnets, with 11, 12, … addresses available
	drifted   bool
	gap       string // why subnets can't be read
	looks     int
}

func (s *sky) is(f func(*sky)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

// diagnose answers as the diagnoses do.
func (s *sky) diagnose(_ context.Context, d diagnostics.Diagnosis, t diagnostics.Target, _ func(string)) (diagnostics.Outcome, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := diagnostics.Report{APIVersion: diagnostics.APIVersion, Diagnosis: d.Name, Target: t, Summary: "all is well", Passed: []diagnostics.Passed{{Summary: "looked"}}}
	switch {
	case d.Name == "ip" && s.gap != "":
		r.Gaps = []diagnostics.Gap{
			{Permission: "ec2:DescribeSubnets", Reason: s.gap, Summary: "not read", Caps: []string{"ip/subnet-low"}}, {Permission: "list nodes", Reason: s.gap, Summary: "not read"},
			{Permission: "get pods/proxy", Reason: diagnostics.Absent, Summary: "there are no counters"},
		}
	case d.Name == "ip":
		if t.Name == "" {
			s.looks++
		}
		r.Tables = []diagnostics.Table{{Title: "Subnets", Columns: []string{"Subnet", "Zone", "Available", "Usable", "Free"},
			Rows: [][]string{{"subnet-1", "us-west-2a", fmt.Sprint(s.available), "251", fmt.Sprintf("%d %%", 100*s.available/251)}}}}
		for n := 1; n <= s.more; n++ {
			r.Tables[0].Rows = append(r.Tables[0].Rows, []string{fmt.Sprintf("subnet-1-%d", n), "us-west-2a", fmt.Sprint(10 + n), "251", "4 %"})
		}
	case d.Name == "alb" && s.drifted:
		r.Causes = []diagnostics.Finding{{ID: "alb/sg.target-ingress", Subject: "sg-1", Confidence: diagnostics.Confirmed, Summary: "port 8080 is closed"}}
	}
	return diagnostics.Outcome{Report: r}, nil
}

// lease is what only one can hold.
type lease chan struct{}

func (l lease) lead(ctx context.Context, do func(context.Context)) error {
	select {
	case l <- struct{}{}:
		do(ctx)
		<-l
	case <-ctx.Done():
	}
	return nil
}

// watching is a bot that watches.
func (b *bubble) watching(s *sky, l lease, holder string) handlers.Config {
	c := b.config()
	c.Holder, c.Connections, c.Diagnose = holder, 1, s.diagnose
	c.Watch = &handlers.Watch{Channel: ops, Ingresses: []string{"backend/api"}, Lead: l.lead}
	return c
}

// warnings are the messages of a channel that stand in no thread and hold a text.
func (b *bubble) warnings(text string) (out []slack.Message) {
	b.until(func(s *slack.State) bool {
		out = nil
		for _, m := range s.Messages(ops) {
			if strings.Contains(m.Plain(), text) {
				out = append(out, m)
			}
		}
		return true
	})
	return out
}

// said counts the messages of a thread that hold a text.
func (b *bubble) said(root slack.Message, text string) (n int) {
	b.until(func(s *slack.State) bool {
		n = 0
		for _, m := range s.Thread(ops, root.TS)[1:] {
			if strings.Contains(m.Plain(), text) {
				n++
			}
		}
		return true
	})
	return n
}

// A warning is told once, whoever looks and however often it is restarted; it is closed when it is over, and the same trouble
// is a new warning the next time.
func TestWarningIsToldOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		s, l := &sky{available: 120}, make(lease, 1)
		first := b.launch(b.watching(s, l, "bot-1"))
		b.until(func(s *slack.State) bool { return s.Sockets() == 1 })
		leader := b.bot
		second := b.launch(b.watching(s, l, "bot-2"))
		time.Sleep(20 * time.Minute)
		if n := len(b.warnings("subnet-1")); n != 0 {
			t.Fatalf("%d warnings though all is well", n)
		}
		other := b.bot
		if b.bot = leader; b.metric("netdiag_watch_leader") != 1 || b.metric(`netdiag_subnet_free_addresses{subnet="subnet-1",zone="us-west-2a"}`) != 120 {
			t.Error("the leader doesn't say so")
		}
		b.bot = other
		if b.metric("netdiag_watch_leader") != 0 {
			t.Error("two lead")
		}
		s.is(func(s *sky) { s.available = 30 })
		root := b.root(0, "ip subnet-1")
		b.reply(root, says("Early warning, nobody asked: subnet subnet-1 in us-west-2a has 30 of 251 addresses available, and less than 20 % free"))
		if err := first(); err != nil {
			t.Error(err)
		}
		time.Sleep(20 * time.Minute) // the other one leads
		if b.metric("netdiag_watch_leader") != 1 || b.metric(`netdiag_warnings_open{condition="subnet-low"}`) != 1 {
			t.Error("the other one does not follow")
		}
		third := b.launch(b.watching(s, l, "bot-3"))
		if err := second(); err != nil {
			t.Error(err)
		}
		time.Sleep(20 * time.Minute)
		if roots := b.warnings("subnet-1"); len(roots) != 1 || b.said(root, "Early warning") != 1 {
			t.Errorf("%d warnings, said %d times", len(roots), b.said(root, "Early warning"))
		}
		s.is(func(s *sky) { s.available = 52 }) // 20 %, too near to the threshold
		time.Sleep(time.Hour)
		if b.said(root, "Healthy again") != 0 {
			t.Error("closed on the threshold")
		}
		s.is(func(s *sky) { s.available = 120 })
		b.reply(root, says("Healthy again: subnet-low of subnet-1"))
		time.Sleep(time.Hour)
		if n := b.said(root, "Healthy again"); n != 1 {
			t.Errorf("healthy again, %d times", n)
		}
		s.is(func(s *sky) { s.available = 30 })
		b.root(1, "ip subnet-1")
		if err := third(); err != nil {
			t.Error(err)
		}
	})
}

// Many subnets that run low at once are one thread, with one message that names the worst first, and one that closes those that
// are healthy again together.
func TestWarningOfManySubnets(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		s := &sky{available: 10, more: 29}
		stop := b.connect(b.watching(s, make(lease, 1), "bot-1"))
		root := b.root(0, "Early warning about prod-cluster")
		first := b.reply(root, says("Early warning, nobody asked"))
		if got := first.Plain(); strings.Count(got, "addresses available") != 10 || !strings.Contains(got, "and 20 more") || strings.Index(got, "subnet-1 ") > strings.Index(got, "subnet-1-2") {
			t.Errorf("30 subnets: %s", got)
		}
		stop()
		defer b.connect(b.watching(s, make(lease, 1), "bot-2"))()
		time.Sleep(time.Hour)
		if n, said := len(b.posted()), b.said(root, "Early warning"); len(b.warnings("")) != 1 || said != 1 {
			t.Errorf("%d threads, said %d times, of %d messages", len(b.warnings("")), said, n)
		}
		s.is(func(s *sky) { s.available, s.more = 120, 5 }) // one is healthy, and what isn't there any more
		got := b.reply(root, says("Healthy again")).Plain()
		if !strings.Contains(got, "subnet-low of subnet-1.") || !strings.Contains(got, "these warnings are closed") {
			t.Errorf("healthy: %s", got)
		}
		time.Sleep(time.Hour)
		if n := b.said(root, "Healthy again"); n != 1 {
			t.Errorf("healthy again, %d times", n)
		}
		s.is(func(s *sky) { s.more = 0 })
		b.reply(root, says("subnet-low of subnet-1-5."))
	})
}

// Drift of a watched ingress is asked about by the ordinary question, and its fixes wait for a person: netdiag, who asked, is
// nobody who could approve.
func TestWarningOfDrift(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		s := &sky{available: 120, drifted: true}
		defer b.connect(b.watching(s, make(lease, 1), "bot-1"))()
		root := b.root(0, "alb api -n backend")
		b.reply(root, says("Early warning, nobody asked: port 8080 is closed"))
		all, err := b.book.Store.Investigations.List(b.context())
		if err != nil || len(all) != 1 || all[0].Question.User == "" || slices.Contains([]string{maya, jonas, aisha}, all[0].Question.User) {
			t.Errorf("asked: %+v, %v", all, err)
		}
		s.is(func(s *sky) { s.drifted = false })
		b.reply(root, says("Healthy again: drift of backend/api"))
	})
}

// What is silenced is not told until that is over, by itself or because somebody ends it; status says who silenced it.
func TestSnooze(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		s, l := &sky{available: 120}, make(lease, 1)
		stop := b.connect(b.watching(s, l, "bot-1"))
		if got := b.ask(maya, ops, "/netdiag snooze 2h us-west-2a"); !strings.Contains(got, "warnings of us-west-2a are silenced by") {
			t.Fatal(got)
		}
		b.root(0, "are silenced by")
		if got := b.ask(guest, ops, "/netdiag snooze 2h"); !strings.Contains(got, "Only full members") {
			t.Errorf("a guest: %s", got)
		}
		if got := b.ask(jonas, ops, "/netdiag status"); !strings.Contains(got, "warnings of us-west-2a are silenced by <@U0MAYA> until") {
			t.Errorf("status: %s", got)
		}
		s.is(func(s *sky) { s.available = 30 })
		time.Sleep(time.Hour)
		stop() // it outlives the process
		stop = b.connect(b.watching(s, l, "bot-2"))
		time.Sleep(30 * time.Minute)
		if n := len(b.warnings("subnet-1")); n != 0 || b.metric("netdiag_warnings_snoozed") != 1 {
			t.Errorf("%d warnings though they are silenced", n)
		}
		time.Sleep(time.Hour)
		if n := len(b.warnings("ip subnet-1")); n != 1 {
			t.Errorf("%d warnings once it is over", n)
		}
		if got := b.ask(jonas, ops, "/netdiag status"); strings.Contains(got, "silenced") || !strings.Contains(got, "1 open") {
			t.Errorf("status afterwards: %s", got)
		}
		if got := b.ask(jonas, ops, "/netdiag snooze off"); !strings.Contains(got, "Nothing of that is silenced") {
			t.Errorf("off: %s", got)
		}
		b.ask(jonas, ops, "/netdiag snooze 1d")
		s.is(func(s *sky) { s.drifted = true })
		time.Sleep(time.Hour)
		if n := len(b.warnings("alb api")); n != 0 {
			t.Errorf("%d warnings though all are silenced", n)
		}
		if got := b.ask(maya, ops, "/netdiag snooze off"); !strings.Contains(got, "no longer silenced") {
			t.Errorf("off: %s", got)
		}
		time.Sleep(10 * time.Minute)
		if n := len(b.warnings("alb api")); n != 1 {
			t.Errorf("%d warnings once nothing is silenced", n)
		}
		stop()
	})
}

// Without a watch there is nothing to silence.
func TestSnoozeWithoutAWatch(t *testing.T) {
	r := newRig(t)
	r.start(r.config())
	if got := r.ask(maya, ops, "/netdiag snooze 2h"); !strings.Contains(got, "There is nothing to silence") {
		t.Error(got)
	}
}
