package handlers_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/sim/slack"
)

// crash is a front end that dies after one of its writes, and what became of the story that it was in.
type crash struct {
	after   string // the write
	doubled int    // messages that are there twice
	lost    bool   // something is not told, not carried out or not undone
}

// TestCrashes has a front end die after each single write of a whole story: a question, its answer, a card, a decision,
// what became of the fix, and its undo. Whoever comes next brings the story to its end; the thread says everything once.
func TestCrashes(t *testing.T) {
	stride := 1
	if racing || testing.Short() {
		stride = 15
	}
	all := crashes(t, stride)
	if len(all) < 60/stride {
		t.Errorf("only %d deaths", len(all))
	}
	for _, c := range all {
		if c.doubled > 0 || c.lost {
			t.Errorf("%+v", c)
		}
	}
}

// crashes lives through the story once for every stride-th write of it.
func crashes(t *testing.T, stride int) (out []crash) {
	var writes []string
	for at := 0; at <= len(writes); at += stride {
		t.Run(fmt.Sprint("after write ", at), func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bubble) {
				m := &mortal{at: at}
				s := &saga{fleet: &fleet{bubble: b, modals: make(chan struct{}, 1)}, first: m}
				lost := s.live(t, nil)
				if at == 0 {
					writes = m.writes
					at = 1 - stride
					return
				}
				if !m.gone() { // this time the story had fewer writes
					return
				}
				out = append(out, crash{m.writes[at-1], len(b.doubles()), lost})
			}, reader)
		})
	}
	return out
}

// Without the stored ts of what was posted, whoever comes next says it all again: the negative control.
func TestCrashesWithoutTheStoredTS(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		m := &mortal{at: 45}
		s := &saga{fleet: &fleet{bubble: b, modals: make(chan struct{}, 1)}, first: m}
		s.live(t, forgetful)
		if n := len(b.doubles()); n == 0 {
			t.Error("nothing is there twice")
		}
	}, reader)
}

// saga is the story of one fix, told by a front end that may die and another one after it.
type saga struct {
	*fleet
	first *mortal
}

// live plays it, and reports whether anything was lost. next changes the store as the second front end sees it.
func (s *saga) live(t *testing.T, next func(casebook.Store) casebook.Store) (lost bool) {
	s.execute()
	c := s.config()
	c.Connections = 1
	stop := s.fleet.live(s.first, c)
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan struct{})
	go func() {
		defer close(over)
		for ctx.Err() == nil && !s.first.gone() {
			sleepUntil(ctx, time.Second)
		}
		stop()
		if ctx.Err() != nil {
			return
		}
		c.Holder = "bot-2"
		if next != nil {
			book := &casebook.Book{Store: next(s.book.Store), Policy: s.book.Policy, Now: s.book.Now, Patience: s.book.Patience}
			c.Book = book
		}
		end := s.fleet.live(&mortal{}, c)
		<-ctx.Done()
		end()
	}()
	s.story(t, "backend", "Approve")
	done := func(undo bool) func() bool {
		return func() bool {
			return slices.ContainsFunc(s.fixes(), func(f casebook.Remediation) bool {
				return (f.Plan.Undoes != "") == undo && f.Status.Phase == casebook.Succeeded && f.Status.Posted["card-final"] != ""
			})
		}
	}
	if next == nil {
		s.insist(t, "the fix", done(false))
		s.undo(t)
		s.insist(t, "the undo", done(true))
	}
	time.Sleep(30 * time.Minute) // what is watched is seen to its end
	if next == nil {
		lost = !s.complete(t)
	}
	cancel()
	<-over
	return lost
}

// undo has the fix undone; people try again where nobody hears them.
func (s *saga) undo(t *testing.T) {
	try := func(user, channel, ts, button string) {
		if s.Click(s.context(), user, channel, ts, button) == nil {
			time.Sleep(5 * time.Second)
			if _, ok := s.Modal(user); ok {
				_, _ = s.Submit(s.context(), user, nil)
			}
		}
		_ = s.CloseModal(s.context(), user)
		time.Sleep(5 * time.Second)
	}
	asked := func() (f casebook.Remediation) {
		for _, f := range s.fixes() {
			if f.Plan.Undoes != "" {
				return f
			}
		}
		return f
	}
	s.insist(t, "a request for the undo", func() bool {
		if asked().Name == "" {
			f := s.fixOf("backend")
			try(jonas, ops, f.Status.Posted["note-outcome"], "Undo")
		}
		return asked().Name != ""
	})
	s.insist(t, "the card of the undo", func() bool { return asked().Status.Card.TS != "" })
	s.insist(t, "an approval of the undo", func() bool {
		if f := asked(); f.Status.Phase == casebook.AwaitingApproval {
			try(aisha, ops, f.Status.Card.TS, "Approve")
		}
		return asked().Status.Phase != casebook.AwaitingApproval
	})
}

// complete reports whether Slack says all that is stored.
func (s *saga) complete(t *testing.T) bool {
	shown := map[string]slack.Message{}
	for _, m := range s.posted() {
		shown[m.TS] = m
	}
	whole := true
	missing := func(what, ts, text string) {
		if m, there := shown[ts]; !there || !strings.Contains(m.Plain(), text) {
			whole = false
			t.Errorf("%s is not in Slack: %.300s", what, m.Plain())
		}
	}
	for _, f := range s.fixes() {
		if !f.Status.Phase.Terminal() { // asked for twice, and undecided
			continue
		}
		missing("the card of "+f.Name, f.Status.Card.TS, f.Status.Outcome)
		if of, err := s.book.Store.Remediations.Get(t.Context(), f.Plan.Undoes); err == nil && f.Status.Phase == casebook.Succeeded {
			missing("that "+of.Name+" was undone", of.Status.Posted["note-outcome"], "Undone at ")
		}
		for _, n := range f.Status.Notes {
			text := n.Text
			if n.Key == "outcome" {
				text = f.Status.Outcome
			}
			missing("note "+n.Key+" of "+f.Name, f.Status.Posted["note-"+n.Key], text)
		}
	}
	return whole
}

// doubles lists the keys of messages that are there more than once, or have none.
func (r *rig) doubles() (out []string) {
	seen := map[string]int{}
	r.until(func(s *slack.State) bool {
		for _, m := range s.Messages(ops) {
			for _, in := range s.Thread(ops, m.TS) {
				if in.BotID == "" {
					continue
				}
				payload, _ := in.Metadata["event_payload"].(map[string]any)
				key, _ := payload["key"].(string)
				if seen[key]++; seen[key] == 2 {
					out = append(out, key)
				}
			}
		}
		return true
	})
	return out
}
