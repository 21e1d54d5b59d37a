package handlers_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/sim/slack"
)

const dev = "C0DEV" // another channel that the bot is in

// crowd is ten people, in two channels.
func crowd(o *slack.Options) {
	for i := range 10 {
		o.Users = append(o.Users, slack.User{ID: person(i), Name: fmt.Sprint("person", i)})
	}
	o.Channels = append(o.Channels, slack.Channel{ID: dev, Name: "dev"})
}

func person(i int) string { return fmt.Sprintf("U0P%dX", i) }

// Ten people ask the same at once: it is looked into once, in one thread that names them all, and each is told where.
func TestTenAskTheSame(t *testing.T) {
	r := newRig(t, crowd)
	r.start(r.config())
	block := make(chan struct{})
	r.world.meanwhile(blocked(block))
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range 10 {
		wg.Go(func() {
			<-start
			if got := r.ask(person(i), ops, "/netdiag pending backend"); got != "" {
				t.Errorf("person %d is answered %q", i, got)
			}
		})
	}
	close(start)
	wg.Wait()
	r.ask(maya, dev, "/netdiag pending backend")
	r.ask(maya, ops, "/netdiag pending web") // another question
	first := r.first("pending backend")
	for i := range 10 {
		if u := person(i); u != first {
			r.whisper(u, ops, "Somebody asked the same a moment ago")
			r.whisper(u, ops, "Go there")
		}
	}
	close(block)
	r.told(12)
	if n := r.world.questions(); n != 2 {
		t.Errorf("diagnosed %d times", n)
	}
	r.until(func(s *slack.State) bool {
		if a, b := len(s.Messages(ops)), len(s.Messages(dev)); a != 2 || b != 1 {
			t.Errorf("%d and %d root messages", a, b)
		}
		return true
	})
	var root slack.Message
	r.until(func(s *slack.State) bool {
		for _, m := range s.Messages(ops) {
			if strings.HasPrefix(m.Plain(), "pending backend") {
				root = m
			}
		}
		return true
	})
	verdict := r.reply(root, says("asked for this."))
	for i := range 10 {
		if n := strings.Count(verdict.Plain(), "<@"+person(i)+">"); n != 1 {
			t.Errorf("person %d is named %d times in the answer", i, n)
		}
	}
	if strings.Contains(verdict.Plain(), maya) {
		t.Error("who asked in another channel is named here")
	}
	// The other channel has the same report, with its own buttons.
	r.until(func(s *slack.State) bool {
		for _, m := range s.Thread(dev, s.Messages(dev)[0].TS) {
			if strings.Contains(m.Plain(), "<@"+maya+"> asked for this.") && len(m.Buttons()) == 4 {
				return true
			}
		}
		return false
	})
	// What is asked afterwards is looked into anew.
	r.world.meanwhile(nil)
	r.ask(maya, ops, "/netdiag pending backend")
	r.told(13)
	if n := r.world.questions(); n != 3 {
		t.Errorf("diagnosed %d times", n)
	}
}

// first gives who asked a question that follows none.
func (r *rig) first(command string) string {
	r.t.Helper()
	all, err := r.book.Store.Investigations.List(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	who := ""
	for _, inv := range all {
		if inv.Question.Command == command && inv.Question.Follows == "" {
			if who != "" {
				r.t.Errorf("both %s and %s lead", who, inv.Question.User)
			}
			who = inv.Question.User
		}
	}
	return who
}

// The process dies while it looks into a question that others follow: the next one answers all of them.
func TestFollowersSurviveARestart(t *testing.T) {
	r := newRig(t, crowd)
	c := r.config()
	c.Drain = time.Millisecond
	stop := r.start(c)
	block := make(chan struct{})
	defer close(block)
	r.world.meanwhile(blocked(block))
	r.ask(maya, ops, "/netdiag pending backend")
	r.root(0, "Looking")
	r.ask(jonas, ops, "/netdiag pending backend")
	r.whisper(jonas, ops, "Somebody asked the same a moment ago")
	r.ask(aisha, dev, "/netdiag pending backend")
	stop()
	r.world.meanwhile(nil)
	c.Holder = "bot-2"
	r.start(c)
	r.tick(func() bool { return strings.Contains(r.rootText(0), "root cause found") })
	r.told(3)
	verdict := r.reply(r.root(0, "root cause found"), says("asked for this."))
	if !strings.Contains(verdict.Plain(), "<@"+maya+">, <@"+jonas+"> asked for this.") {
		t.Error(verdict.Plain())
	}
	r.until(func(s *slack.State) bool {
		return len(s.Messages(dev)) == 1 && strings.Contains(s.Messages(dev)[0].Plain(), "root cause found")
	})
	if n := len(r.whispers(jonas, 1)); n != 1 {
		t.Errorf("jonas was told %d times where to look", n)
	}
}

// A question whose leader has gone from the store is looked into itself.
func TestTheLeaderIsGone(t *testing.T) {
	r := newRig(t)
	q := casebook.Question{Command: "pending backend", Diagnosis: "pending", Team: team, User: maya, Channel: ops, At: r.clock.Now(), Follows: "inv-gone"}
	if _, _, err := r.book.Open(t.Context(), casebook.Person{Team: team, Home: team, User: maya}, q, "key"); err != nil {
		t.Fatal(err)
	}
	r.clock.advance(time.Second)
	r.start(r.config())
	r.root(0, "root cause found")
}

// Who may not ask leads nobody.
func TestWhoMayNotAskLeadsNobody(t *testing.T) {
	r := newRig(t)
	r.start(r.config())
	if got := r.ask(guest, ops, "/netdiag pending backend"); !strings.Contains(got, "Only full members") {
		t.Errorf("a guest is told %q", got)
	}
	r.ask(maya, ops, "/netdiag pending backend")
	r.root(0, "root cause found")
	if inv := r.only(); inv.Question.Follows != "" {
		t.Errorf("it follows %s", inv.Question.Follows)
	}
}

// Where the first is answered alone, for the bot is no member, each gets an answer of their own from the one run.
func TestTheSameWhereTheBotIsNoMember(t *testing.T) {
	r := newRig(t)
	r.start(r.config())
	block := make(chan struct{})
	r.world.meanwhile(blocked(block))
	r.ask(maya, quiet, "/netdiag pending backend")
	r.ask(jonas, quiet, "/netdiag pending backend")
	close(block)
	for _, u := range []string{maya, jonas} {
		r.whisper(u, quiet, "Root cause found, confirmed")
	}
	if n := r.world.questions(); n != 1 {
		t.Errorf("diagnosed %d times", n)
	}
}
