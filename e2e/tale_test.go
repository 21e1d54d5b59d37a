package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/sim/slack"
	"github.com/netdiag/netdiag/internal/store/crd"
)

// patience bounds each wait of a tale. It is long, because it only has to end: claims of a program that was killed lapse
// after half a minute.
const patience = 3 * time.Minute

// tale is a question on its way to the verified fix, as people see it in Slack.
type tale struct {
	*cluster
	root  slack.Message
	store casebook.Store // read as the administrator
}

// ask has somebody ask what the world asks, and waits for the first message of the answer.
func (c *cluster) ask() *tale {
	c.t.Helper()
	store, err := crd.New(c.admin, crd.Options{Namespace: "netdiag"})
	if err != nil {
		c.t.Fatal(err)
	}
	a := &tale{cluster: c, store: store}
	a.insist("ask", func(ctx context.Context) error {
		reply, err := c.slack.Slash(ctx, asker, oncall, "/netdiag "+c.world.Meta.Ask)
		if err == nil && reply.Message != nil {
			err = fmt.Errorf("answered %q", reply.Message.Plain())
		}
		return err
	})
	a.until("the answer", func(s *slack.State) bool {
		roots := s.Messages(oncall)
		if len(roots) > 0 {
			a.root = roots[0]
		}
		return len(roots) > 0
	})
	return a
}

// insist tries again what Slack couldn't deliver, as people do, once a program listens.
func (a *tale) insist(what string, do func(context.Context) error) {
	a.t.Helper()
	ctx := a.within(patience)
	for {
		a.until("somebody listens", func(s *slack.State) bool { return s.Sockets() > 0 })
		err := do(ctx)
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			a.t.Fatalf("%s: %v", what, err)
		}
	}
}

// until waits until Slack shows something.
func (a *tale) until(what string, f func(*slack.State) bool) {
	a.t.Helper()
	if err := a.slack.Wait(a.within(patience), f); err != nil {
		a.t.Fatalf("%s: %v", what, err)
	}
}

// message waits for a message of the thread.
func (a *tale) message(what string, is func(slack.Message) bool) (out slack.Message) {
	a.t.Helper()
	a.until(what, func(s *slack.State) bool {
		for _, m := range s.Thread(oncall, a.root.TS) {
			if is(m) {
				out = m
				return true
			}
		}
		return false
	})
	return out
}

// card waits for a card that can be approved, by what it begins with.
func (a *tale) card(title string) slack.Message {
	a.t.Helper()
	return a.message("the card", func(m slack.Message) bool { return strings.HasPrefix(m.Plain(), title) && offers(m, "Approve") })
}

func offers(m slack.Message, button string) bool {
	for _, b := range m.Buttons() {
		if b.Label == button {
			return true
		}
	}
	return false
}

// press has somebody press a button of a message, again where they are told to, and gives what they are told otherwise: empty
// where a form has opened.
func (a *tale) press(ctx context.Context, user string, m slack.Message, button string) (told string, err error) {
	for {
		if _, open := a.slack.Modal(user); open { // that of an earlier click covers the channel
			if err := a.slack.CloseModal(ctx, user); err != nil {
				return "", err
			}
		}
		before := len(a.slack.Ephemerals(user, oncall))
		if err := a.slack.Click(ctx, user, oncall, m.TS, button); err != nil {
			return "", err
		}
		told = ""
		answered, cancel := context.WithTimeoutCause(ctx, 15*time.Second, errors.New("no answer to a click"))
		err := a.slack.Wait(answered, func(s *slack.State) bool {
			if _, open := s.Modal(user); open {
				return true
			}
			notes := s.Ephemerals(user, oncall)
			if len(notes) > before {
				told = notes[len(notes)-1].Plain()
			}
			return told != ""
		})
		cancel()
		if err != nil || !strings.Contains(told, "Click again") {
			return told, err
		}
	}
}

// approve has the second person approve a card.
func (a *tale) approve(card slack.Message) {
	a.t.Helper()
	a.insist("approve", func(ctx context.Context) error {
		if m := a.message("the card", func(m slack.Message) bool { return m.TS == card.TS }); !offers(m, "Approve") {
			return nil // it is approved: only the answer was lost
		}
		return a.submit(ctx, approver, card, "Approve")
	})
}

// submit has somebody press a button and submit the form that opens.
func (a *tale) submit(ctx context.Context, user string, m slack.Message, button string) error {
	told, err := a.press(ctx, user, m, button)
	if err != nil || told != "" {
		return fmt.Errorf("press %s: %w, told %q", button, err, told)
	}
	problems, err := a.slack.Submit(ctx, user, nil)
	if err == nil && len(problems) > 0 {
		err = fmt.Errorf("the form is refused: %v", problems)
	}
	return err
}

// settled waits until a fix is over and the thread was told of it, and gives its record.
func (a *tale) settled(card slack.Message) casebook.Remediation {
	a.t.Helper()
	ctx := a.within(patience)
	changes, err := a.store.Remediations.Watch(ctx)
	if err != nil {
		a.t.Fatal(err)
	}
	var last casebook.Remediation
	for r := range changes {
		if r.Status.Card.TS != card.TS {
			continue
		}
		if last = r; (r.Status.Phase.Terminal() || r.Status.Phase == casebook.NeedsHuman) && r.Status.Posted["card-final"] != "" {
			return r
		}
	}
	a.t.Fatalf("the fix isn't over: %s %q, posted %v", last.Status.Phase, last.Status.Outcome, last.Status.Posted)
	return last
}

// once checks that no message of the bot stands in the channel twice.
func (a *tale) once() {
	a.t.Helper()
	if twice := a.doubled(); len(twice) > 0 {
		a.t.Errorf("told twice: %v", twice)
	}
	if roots := a.slack.Messages(oncall); len(roots) != 1 {
		a.t.Errorf("%d messages in the channel, want one", len(roots))
	}
}

// doubled lists the messages of the thread that stand there twice: each carries what tells it from all others.
func (a *tale) doubled() (twice []string) {
	seen := map[string]bool{}
	for _, m := range a.slack.Thread(oncall, a.root.TS) {
		payload, _ := m.Metadata["event_payload"].(map[string]any)
		key := fmt.Sprint(payload["key"])
		if seen[key] || len(payload) == 0 {
			twice = append(twice, key)
		}
		seen[key] = true
	}
	return twice
}

// done checks that a fix is over and well, that the thread says so, and that everything the executor noted stands there.
func (a *tale) done(card slack.Message, r casebook.Remediation) {
	a.t.Helper()
	if r.Status.Phase != casebook.Succeeded || len(r.Status.Decisions) != 1 || r.Status.Decisions[0].User != approver {
		a.t.Errorf("phase %s, decisions %+v: %s", r.Status.Phase, r.Status.Decisions, r.Status.Outcome)
	}
	said := map[string]bool{}
	for _, m := range a.slack.Thread(oncall, a.root.TS) {
		said[m.Plain()] = true
		if m.TS == card.TS && (!strings.Contains(m.Plain(), "Done: ") || offers(m, "Approve")) {
			a.t.Errorf("the card says:\n%s", m.Plain())
		}
	}
	for _, n := range r.Status.Notes {
		found := false
		for text := range said {
			found = found || strings.Contains(text, n.Text)
		}
		if !found {
			a.t.Errorf("the thread doesn't say %q", n.Text)
		}
	}
}
