package handlers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"go.uber.org/zap"

	"github.com/netdiag/netdiag/internal/casebook"
	render "github.com/netdiag/netdiag/internal/render/slack"
)

// refresh writes the card of a fix anew, though it should show the fix as it is.
func (t *teller) refresh(ctx context.Context, rem casebook.Remediation) {
	t.mu.Lock()
	t.stale[rem.Name] = true
	t.mu.Unlock()
	t.follow(ctx, rem)
}

// follow sees to it that Slack shows a fix as it is stored. The fixes of one question are shown one after the other, in
// the order of its report: the first one is the one to take.
func (t *teller) follow(ctx context.Context, rem casebook.Remediation) {
	t.outdated(rem.Plan.Investigation, rem.Name)
	t.fixesOf(ctx, rem.Plan.Investigation)
}

// outdated notes that Slack may not show a fix as it is.
func (t *teller) outdated(investigation, remediation string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fixes[investigation] == nil {
		t.fixes[investigation] = map[string]bool{}
	}
	t.fixes[investigation][remediation] = true
}

func (t *teller) fixesOf(ctx context.Context, investigation string) {
	t.desk.do("fixes of "+investigation, func() { t.persist(ctx, investigation, t.tellFixes) })
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
		held, err := t.tellRemediation(ctx, inv, name)
		if held { // its card comes before the next one's
			t.lookLater("fixes of "+inv.Name, func() { t.fixesOf(ctx, inv.Name) })
			break
		}
		if hopeless(err) {
			t.Log.Error("it can't be shown in Slack", zap.String("record", name), zap.Error(err))
			continue // until it changes
		}
		errs = append(errs, err)
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

// tellRemediation tells of a fix what there is to tell; held is true where another process does, and its card isn't there.
func (t *teller) tellRemediation(ctx context.Context, inv casebook.Investigation, name string) (held bool, err error) {
	t.forget(inv.Name, name) // before it is read: what changes from here on is noted anew
	done := false
	defer func() {
		if !done {
			t.outdated(inv.Name, name)
		}
	}()
	stale := t.isStale(name)
	rem, err := t.Book.Ask(ctx, name)
	// In a direct message who asked can't approve what isn't of low risk, and nobody else would see it.
	if errors.Is(err, casebook.ErrNotFound) || err == nil && (up(rem) || settled(rem) || t.hopeless(rem)) && !stale ||
		err == nil && direct(inv.Status.Root.Channel) && !rem.Plan.SelfApproval {
		done = true
		return false, nil
	}
	if err != nil {
		return false, err
	}
	h, err := t.holdFix(ctx, name)
	if errors.Is(err, casebook.ErrHeld) {
		t.lookLater(name, func() { t.fixesOf(ctx, inv.Name) })
		return rem.Status.Card.TS == "", nil
	}
	if err != nil {
		return false, err
	}
	if rem, err = t.Book.Store.Remediations.Get(h.ctx, name); err != nil { // as whoever told it before has left it
		return false, err
	}
	if rem, err = t.tellFix(h.ctx, rem, inv, stale); err != nil {
		if hopeless(err) {
			t.mu.Lock()
			t.gaveUp[name] = fixEssence(rem)
			t.mu.Unlock()
			t.giveBack(ctx, name)
		}
		return false, err
	}
	t.giveBack(ctx, name)
	done = up(rem)
	return false, nil
}

// fixEssence is what there is to tell of a fix.
func fixEssence(rem casebook.Remediation) string {
	return fmt.Sprint(rem.Status.Phase, len(rem.Status.Decisions), len(rem.Status.Notes))
}

// hopeless reports that Slack would not have what there is to tell of a fix.
func (t *teller) hopeless(rem casebook.Remediation) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.gaveUp[rem.Name] == fixEssence(rem)
}

// tellFix brings Slack up to date with a fix that this process tells.
func (t *teller) tellFix(ctx context.Context, rem casebook.Remediation, inv casebook.Investigation, stale bool) (casebook.Remediation, error) {
	channel, thread := inv.Status.Root.Channel, threadOf(inv)
	rem, err := t.tellCard(ctx, rem, channel, thread, stale)
	if err != nil || rem.Status.Card.TS == "" {
		return rem, err
	}
	if rem, err = t.tellNotes(ctx, rem, thread); err != nil {
		return rem, err
	}
	if rem, err = t.tellAgain(ctx, rem, thread); err != nil {
		return rem, err
	}
	if rem, err = t.tellUndone(ctx, rem); err != nil {
		return rem, err
	}
	over := rem.Status.Phase.Terminal()
	if rem.Status.Posted[settledKey] == "" {
		if err := t.Book.Withdraw(ctx, rem); err != nil {
			return rem, err
		}
	}
	if rem, err = t.tellCard(ctx, rem, channel, thread, false); err != nil || !over { // what came meanwhile comes round again
		return rem, err
	}
	return t.noted(ctx, rem.Name, settledKey, rem.Status.Card.TS)
}

func (t *teller) isStale(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stale[name]
}

// forget drops a fix that Slack shows as it is.
func (t *teller) forget(investigation, name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
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
		if rem, err = t.tellOnce(ctx, rem, noteKey(n.Key), thread, m); err != nil {
			return rem, err
		}
	}
	// What somebody decided is worth a message; that nobody did is not.
	if rem.Status.Phase.Terminal() && len(rem.Status.Decisions) > 0 {
		return t.tellOnce(ctx, rem, noteKey(outcomeNote), thread, render.Outcome(rem))
	}
	return rem, nil
}

// tellCard posts the card, or edits it where it shows something else than it should.
func (t *teller) tellCard(ctx context.Context, rem casebook.Remediation, channel, thread string, stale bool) (casebook.Remediation, error) {
	m := render.Card(rem)
	switch card := rem.Status.Card; {
	case card.TS == "" && !shows(rem):
		return rem, nil
	case card.TS == "":
		ts, err := t.out.post(ctx, t.of(rem.Name, posting{channel: channel, thread: thread, key: rem.Name + "/card", rank: rankAnswer, message: m}))
		if err != nil {
			return rem, fmt.Errorf("post the card of %s: %w", rem.Name, err)
		}
		if rem, err = t.carded(ctx, rem.Name, casebook.Message{Channel: channel, TS: ts}, digest(m)); err != nil {
			return rem, err
		}
		return t.tellCard(ctx, rem, channel, thread, false) // it may have changed meanwhile
	case rem.Status.Shown == digest(m) && !stale:
		return rem, nil
	default:
		if err := t.edit(ctx, rem.Name, card, m); err != nil {
			return rem, err
		}
		t.mu.Lock()
		delete(t.stale, rem.Name)
		t.mu.Unlock()
	}
	return t.shown(ctx, rem.Name, digest(m))
}

// tellOnce posts a message into the thread, unless that was done before.
func (t *teller) tellOnce(ctx context.Context, rem casebook.Remediation, key, thread string, m render.Message) (casebook.Remediation, error) {
	if rem.Status.Posted[key] != "" {
		return rem, nil
	}
	ts, err := t.out.post(ctx, t.of(rem.Name, posting{
		channel: rem.Status.Card.Channel, thread: thread, key: rem.Name + "/" + key, rank: rankOutcome, message: m,
	}))
	if err != nil {
		return rem, fmt.Errorf("post %s of %s: %w", key, rem.Name, err)
	}
	return t.noted(ctx, rem.Name, key, ts)
}
