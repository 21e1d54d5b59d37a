package handlers

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/netdiag/netdiag/internal/casebook"
	render "github.com/netdiag/netdiag/internal/render/slack"
)

// refresh writes the card of a fix anew; name may be unknown.
func (t *teller) refresh(ctx context.Context, name string) {
	t.mu.Lock()
	t.stale[name] = true
	delete(t.shown, name)
	t.mu.Unlock()
	t.follow(ctx, name)
}

// follow sees to it that Slack shows a fix as it is stored.
func (t *teller) follow(ctx context.Context, name string) {
	t.desk.do("remediation "+name, func() { t.persist(ctx, name, t.tellRemediation) })
}

// settled reports that the thread knows how a fix ended.
func (t *teller) settled(rem casebook.Remediation) bool {
	if !rem.Status.Phase.Terminal() || rem.Status.Posted[settledKey] == "" {
		return false
	}
	for _, n := range rem.Status.Notes {
		if rem.Status.Posted[noteKey(n)] == "" {
			return false
		}
	}
	return true
}

func noteKey(n casebook.Note) string { return "note-" + n.Key }

// outcomeNote is the key of the note that says how a fix ended; what ends without an executor has none.
const outcomeNote = "outcome"

func (t *teller) tellRemediation(ctx context.Context, name string) error {
	stale := t.takeStale(name)
	rem, err := t.Book.Store.Remediations.Get(ctx, name)
	if err != nil || t.settled(rem) && !stale {
		return err
	}
	inv, err := t.Book.Store.Investigations.Get(ctx, rem.Plan.Investigation)
	if err != nil {
		return err
	}
	if inv.Status.Root.TS == "" || inv.Status.Posted[toldKey] == "" {
		return nil // the answer comes first, and then this again
	}
	channel, thread := inv.Status.Root.Channel, orElse(inv.Question.Thread, inv.Status.Root.TS)
	if rem, err = t.tellCard(ctx, rem, channel, thread); err != nil || rem.Status.Card.TS == "" {
		return err
	}
	if rem, err = t.tellNotes(ctx, rem, thread); err != nil || !rem.Status.Phase.Terminal() {
		return err
	}
	if rem, err = t.tellCard(ctx, rem, channel, thread); err != nil { // it may have ended meanwhile
		return err
	}
	if _, err = t.noted(ctx, name, settledKey, rem.Status.Card.TS); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.shown, name)
	return nil
}

func (t *teller) takeStale(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	stale := t.stale[name]
	delete(t.stale, name)
	return stale
}

// tellNotes posts what the thread was not told yet.
func (t *teller) tellNotes(ctx context.Context, rem casebook.Remediation, thread string) (_ casebook.Remediation, err error) {
	for i := 0; i < len(rem.Status.Notes); i++ { // there may be more of them meanwhile
		n := rem.Status.Notes[i]
		m := render.Note(rem, n)
		if n.Key == outcomeNote {
			m = render.Outcome(rem)
		}
		if rem, err = t.tellOnce(ctx, rem, noteKey(n), thread, m); err != nil {
			return rem, err
		}
	}
	// What somebody decided is worth a message; that nobody did is not.
	if rem.Status.Phase.Terminal() && len(rem.Status.Decisions) > 0 {
		return t.tellOnce(ctx, rem, noteKey(casebook.Note{Key: outcomeNote}), thread, render.Outcome(rem))
	}
	return rem, nil
}

// tellCard posts the card, or edits it where it shows something else than it should.
func (t *teller) tellCard(ctx context.Context, rem casebook.Remediation, channel, thread string) (casebook.Remediation, error) {
	m := render.Card(rem)
	now, err := json.Marshal(m)
	if err != nil {
		return rem, fmt.Errorf("encode the card of %s: %w", rem.Name, err)
	}
	t.mu.Lock()
	same := t.shown[rem.Name] == string(now)
	t.mu.Unlock()
	switch card := rem.Status.Card; {
	case card.TS == "" && (rem.Status.Phase == casebook.Proposed || rem.Status.Phase.Terminal()):
		return rem, nil // not yet, or too late
	case card.TS == "":
		ts, err := t.out.post(ctx, channel, thread, m)
		if err != nil {
			return rem, fmt.Errorf("post the card of %s: %w", rem.Name, err)
		}
		if rem, err = t.carded(ctx, rem.Name, casebook.Message{Channel: channel, TS: ts}); err != nil {
			return rem, err
		}
		t.show(rem.Name, string(now))
		return t.tellCard(ctx, rem, channel, thread) // it may have changed meanwhile
	case same:
		return rem, nil
	default:
		if err := t.edit(ctx, rem.Name, card, m); err != nil {
			return rem, err
		}
	}
	t.show(rem.Name, string(now))
	return rem, nil
}

func (t *teller) carded(ctx context.Context, name string, card casebook.Message) (casebook.Remediation, error) {
	ctx, cancel := lasting(ctx)
	defer cancel()
	return t.Book.ChangeRemediation(ctx, name, func(s *casebook.RemediationStatus) error {
		if s.Card.TS == "" {
			s.Card = card
		}
		return nil
	})
}

// show remembers what a card says.
func (t *teller) show(name, card string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.shown[name] = card
}

// tellOnce posts a message into the thread, unless that was done before.
func (t *teller) tellOnce(ctx context.Context, rem casebook.Remediation, key, thread string, m render.Message) (casebook.Remediation, error) {
	if rem.Status.Posted[key] != "" {
		return rem, nil
	}
	ts, err := t.out.post(ctx, rem.Status.Card.Channel, thread, m)
	if err != nil {
		return rem, fmt.Errorf("post %s of %s: %w", key, rem.Name, err)
	}
	return t.noted(ctx, rem.Name, key, ts)
}

func (t *teller) noted(ctx context.Context, name, key, ts string) (casebook.Remediation, error) {
	ctx, cancel := lasting(ctx)
	defer cancel()
	return t.Book.ChangeRemediation(ctx, name, func(s *casebook.RemediationStatus) error {
		if s.Posted == nil {
			s.Posted = map[string]string{}
		}
		if s.Posted[key] == "" {
			s.Posted[key] = ts
		}
		return nil
	})
}
