package handlers

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/meters"
)

// teller makes Slack show what is in the store: it follows every record, posts what is missing, and notes what it has
// posted. So it goes on after a restart, and says nothing twice.
type teller struct {
	*Bot
	desk    *desk
	keepers sync.WaitGroup // of the holdings

	mu     sync.Mutex
	held   map[string]*holding        // by record: what this process tells
	later  map[string]func()          // by record: what to look at again, for another process tells it, or should
	left   map[string]time.Time       // by investigation: until when it is left to another process, that can tell it better
	gaveUp map[string]string          // by record: how it was when Slack would not have it
	urls   map[string]response        // by investigation, of those that were asked here
	fixes  map[string]map[string]bool // by investigation: the remediations that Slack may not show as they are
	stale  map[string]bool            // remediations whose card was clicked on though it should have no such button
}

// response is the right to answer whoever asked where the bot can't post. It is kept in memory only: it is a credential.
type response struct {
	url     string // empty where there is none
	until   time.Time
	invited bool // the person was told that the bot is no member
	moved   bool // the person wants the answer in a direct message
}

// responseLife is how long Slack honours a response URL.
const responseLife = 30 * time.Minute

func newTeller(b *Bot) *teller {
	return &teller{
		Bot: b, desk: newDesk(16), held: map[string]*holding{}, later: map[string]func(){}, left: map[string]time.Time{}, gaveUp: map[string]string{},
		urls: map[string]response{}, fixes: map[string]map[string]bool{}, stale: map[string]bool{},
	}
}

// Keys of Posted.
const (
	toldKey    = "told"       // an Investigation needs nothing more
	settledKey = "card-final" // the card shows how the Remediation ended
)

func (t *teller) run(ctx context.Context) error {
	invs, err := t.Book.Store.Investigations.Watch(ctx)
	if err != nil {
		return fmt.Errorf("watch investigations: %w", err)
	}
	rems, err := t.Book.Store.Remediations.Watch(ctx)
	if err != nil {
		return fmt.Errorf("watch remediations: %w", err)
	}
	for {
		select {
		case inv, ok := <-invs:
			if !ok {
				return ended(ctx, "investigations")
			}
			t.note(inv)
			t.index.investigation(inv)
			t.others(ctx, inv)
			if !complete(inv) {
				t.investigation(ctx, inv.Name)
			}
		case rem, ok := <-rems:
			if !ok {
				return ended(ctx, "remediations")
			}
			t.Book.Note(rem)
			if t.index.remediation(rem) {
				t.meters.outcomes.WithLabelValues(meters.FixLabel(rem.Plan.Fix.ID), string(rem.Status.Phase)).Inc()
			}
			if !settled(rem) && !up(rem) {
				t.follow(ctx, rem)
			}
		}
	}
}

// others looks after the questions that a change of inv matters to: those that follow it, and it where it follows one.
func (t *teller) others(ctx context.Context, inv casebook.Investigation) {
	for _, name := range t.same.see(inv) {
		t.desk.do("share "+name, func() { t.persist(ctx, name, t.share) })
		t.investigation(ctx, name)
	}
	if inv.Question.Follows != "" && !over(inv) {
		t.desk.do("share "+inv.Name, func() { t.persist(ctx, inv.Name, t.share) })
	}
}

func ended(ctx context.Context, what string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("watch %s: the store ended it", what)
}

// remember keeps that a question was asked here, and its response URL where there is one.
func (t *teller) remember(investigation, url string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.Now()
	for name, r := range t.urls {
		if now.After(r.until) {
			delete(t.urls, name)
		}
	}
	if _, known := t.urls[investigation]; !known { // a repeat changes nothing
		t.urls[investigation] = response{url: url, until: now.Add(responseLife)}
	}
}

// investigation sees to it that Slack shows a question as it is stored.
func (t *teller) investigation(ctx context.Context, name string) {
	t.desk.do("investigation "+name, func() { t.persist(ctx, name, t.tellInvestigation) })
}

// again is investigation for what Slack would not have before.
func (t *teller) again(ctx context.Context, name string) {
	t.mu.Lock()
	delete(t.gaveUp, name)
	t.mu.Unlock()
	t.investigation(ctx, name)
}

// persist does f until it works, or Slack or the store will never have it.
func (t *teller) persist(ctx context.Context, name string, f func(context.Context, string) error) {
	defer t.recovered("tell " + name)
	for wait := t.PostEvery; ; wait = min(2*wait, time.Minute) {
		err := f(ctx, name)
		if err == nil || ctx.Err() != nil || errors.Is(err, casebook.ErrNotFound) {
			return
		}
		log := t.Log.With(zap.String("record", name), zap.Error(err))
		if hopeless(err) {
			log.Error("it can't be shown in Slack")
			t.giveBack(ctx, name)
			return
		}
		log.Warn("show in Slack", zap.Duration("again", wait))
		if !sleep(ctx, wait) {
			return
		}
	}
}

// hopeless reports an error that no further attempt can mend.
func hopeless(err error) bool {
	return errors.Is(err, casebook.ErrIllegal) || codeOf(err) != "" && !temporary(err)
}

// tellInvestigation tells what there is to tell, if no other process does. The question is this process's to tell until
// all is told, or it stops.
func (t *teller) tellInvestigation(ctx context.Context, name string) error {
	inv, err := t.Book.Store.Investigations.Get(ctx, name)
	if err != nil || t.leave(ctx, inv) {
		return err
	}
	h, err := t.holdInvestigation(ctx, name)
	if errors.Is(err, casebook.ErrHeld) {
		t.lookLater(name, func() { t.investigation(ctx, name) })
		return nil
	}
	if err != nil {
		return err
	}
	if inv, err = t.Book.Store.Investigations.Get(h.ctx, name); err != nil { // as whoever told it before has left it
		return err
	}
	switch inv, err = t.tellAll(h.ctx, inv); {
	case errors.Is(err, errElsewhere):
		t.mu.Lock()
		t.left[name] = time.Now().Add(t.LookEvery)
		t.mu.Unlock()
		t.giveBack(ctx, name)
		t.lookLater(name, func() { t.investigation(ctx, name) })
		return nil
	case err != nil:
		if hopeless(err) {
			t.mu.Lock()
			t.gaveUp[name] = essence(inv)
			t.mu.Unlock()
		}
		return err
	case complete(inv):
		t.giveBack(ctx, name)
		t.fixesOf(ctx, name) // their cards wait for the answer
	}
	return nil
}

// essence is what there is to tell of a question.
func essence(inv casebook.Investigation) string {
	return fmt.Sprint(inv.Status.Phase, len(inv.Status.Wanted))
}

// leave reports that there is nothing to tell of a question now, or nothing for this process.
func (t *teller) leave(ctx context.Context, inv casebook.Investigation) bool {
	moving := t.moving(inv.Name)
	if complete(inv) && !moving {
		t.giveBack(ctx, inv.Name)
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.left, inv.Name)
		delete(t.gaveUp, inv.Name)
		return true
	}
	if !over(inv) && inv.Status.Root.TS != "" && inv.Question.Follows == "" { // the record comes again
		return true
	}
	t.mu.Lock()
	gaveUp, left := t.gaveUp[inv.Name] == essence(inv) && !moving, time.Now().Before(t.left[inv.Name])
	t.mu.Unlock()
	if left {
		t.lookLater(inv.Name, func() { t.investigation(ctx, inv.Name) })
	}
	return gaveUp || left
}
