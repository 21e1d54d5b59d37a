package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/netdiag/netdiag/internal/casebook"
	render "github.com/netdiag/netdiag/internal/render/slack"
)

// refresh writes the card of a fix anew, though it should show the fix as it is.
func (t *teller) refresh(ctx context.Context, rem casebook.Remediation) {
	t.mu.Lock()
	t.stale[rem.Name] = true
	delete(t.shown, rem.Name)
	t.mu.Unlock()
	t.follow(ctx, rem)
}

// follow sees to it that Slack shows a fix as it is stored. The fixes of one question are shown one after the other, in
// the order of its report: the first one is the one to take.
func (t *teller) follow(ctx context.Context, rem casebook.Remediation) {
	inv := rem.Plan.Investigation
	t.mu.Lock()
	if t.fixes[inv] == nil {
		t.fixes[inv] = map[string]bool{}
	}
	t.fixes[inv][rem.Name] = true
	t.mu.Unlock()
	t.desk.do("fixes of "+inv, func() { t.persist(ctx, inv, t.tellFixes) })
}

func (t *teller) tellFixes(ctx context.Context, investigation string) error {
	inv, err := t.Book.Store.Investigations.Get(ctx, investigation)
	if err != nil {
		return err
	}
	if inv.Status.Root.TS == "" || inv.Status.Posted[toldKey] == "" {
		return nil // the answer comes first, and then this again
	}
	var errs []error
	for _, name := range t.inOrder(inv) {
		errs = append(errs, t.tellRemediation(ctx, inv, name))
	}
	return errors.Join(errs...)
}

// inOrder lists the fixes to be shown: those of the report as they stand there, then what came later.
func (t *teller) inOrder(inv casebook.Investigation) []string {
	t.mu.Lock()
	names := slices.Sorted(maps.Keys(t.fixes[inv.Name]))
	t.mu.Unlock()
	place := map[string]int{}
	if inv.Status.Report != nil {
		for i, f := range inv.Status.Report.Fixes {
			if f.Action != nil {
				place[casebook.RemediationName(inv.Name, f.Action.Hash())] = i - len(inv.Status.Report.Fixes)
			}
		}
	}
	slices.SortStableFunc(names, func(a, b string) int { return place[a] - place[b] })
	return names
}

// settled reports that the thread knows how a fix ended.
func settled(rem casebook.Remediation) bool {
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

func (t *teller) tellRemediation(ctx context.Context, inv casebook.Investigation, name string) error {
	stale := t.takeStale(name)
	rem, err := t.Book.Store.Remediations.Get(ctx, name)
	if errors.Is(err, casebook.ErrNotFound) || err == nil && settled(rem) && !stale {
		t.forget(inv.Name, name)
		return nil
	}
	if err != nil {
		return err
	}
	if rem, err = t.Book.Ask(ctx, name); err != nil {
		return err
	}
	channel, thread := inv.Status.Root.Channel, threadOf(inv)
	if direct(channel) && !rem.Plan.SelfApproval { // who asked can't approve it, and nobody else would see it
		t.forget(inv.Name, name)
		return nil
	}
	if rem, err = t.tellCard(ctx, rem, channel, thread); err != nil || rem.Status.Card.TS == "" {
		return err
	}
	if rem, err = t.tellNotes(ctx, rem, thread); err != nil || !rem.Status.Phase.Terminal() {
		return err
	}
	if rem, err = t.tellCard(ctx, rem, channel, thread); err != nil { // it may have ended meanwhile
		return err
	}
	if _, err = t.noted(ctx, name, settledKey, rem.Status.Card.TS); err == nil {
		t.forget(inv.Name, name)
	}
	return err
}

func (t *teller) takeStale(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	stale := t.stale[name]
	delete(t.stale, name)
	return stale
}

// forget drops a fix that is settled, or gone.
func (t *teller) forget(investigation, name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.shown, name)
	delete(t.fixes[investigation], name)
	if len(t.fixes[investigation]) == 0 {
		delete(t.fixes, investigation)
	}
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
		ts, err := t.out.post(ctx, posting{
			channel: channel, thread: thread, key: rem.Name + "/card", rank: rankAnswer, doubt: rem.Created.Before(t.began), message: m,
		})
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
	ts, err := t.out.post(ctx, posting{
		channel: rem.Status.Card.Channel, thread: thread, key: rem.Name + "/" + key, rank: rankOutcome, doubt: rem.Created.Before(t.began), message: m,
	})
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
