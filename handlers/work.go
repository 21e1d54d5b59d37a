package handlers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/casebook"
	outline "github.com/netdiag/netdiag/internal/render"
)

// Times of the work on a question.
const (
	renewEvery = 10 * time.Second
	adoptAfter = 30 * time.Second // a question that nobody works on for so long was left by somebody
	adoptUntil = 15 * time.Minute // an older one is of no use to whoever asked
)

// work answers questions, one after the other, until taking ends; the one under way then goes on as long as ctx.
func (b *Bot) work(taking, ctx context.Context) {
	for taking.Err() == nil {
		select {
		case <-taking.Done():
		case j := <-b.jobs:
			name := j.name
			b.meters.waited.Observe(b.Now().Sub(j.since).Seconds())
			b.answer(ctx, name)
			b.tell.investigation(ctx, name) // as the store will tell too, but before the worker stops
			b.mu.Lock()
			delete(b.busy, name)
			b.mu.Unlock()
			b.release()
		}
	}
}

// answer claims a question, diagnoses, and stores the report; the thread follows from what is stored.
func (b *Bot) answer(ctx context.Context, name string) {
	log := b.Log.With(zap.String("investigation", name))
	if b.answeredByAnother(ctx, log, name) {
		return
	}
	inv, err := b.claim(ctx, name)
	if errors.Is(err, casebook.ErrHeld) {
		return
	}
	if err != nil {
		b.fault(ctx, log, "claim a question", err)
		return
	}
	start := b.Now()
	report, err := b.diagnose(ctx, inv)
	var refusal diagnostics.Refusal
	switch {
	case ctx.Err() != nil: // shutting down: whoever comes next takes it up
		return
	case errors.Is(err, casebook.ErrLost):
		log.Warn("another process took the question over")
		return
	case errors.As(err, &refusal):
		log.Info("refused", zap.String("why", string(refusal)))
		_, err = b.Book.Fail(ctx, inv, string(refusal))
	case err != nil:
		log.Error("diagnose", zap.String("question", inv.Question.Command), zap.Error(err))
		_, err = b.Book.Fail(ctx, inv, faultSentence(name))
	default:
		log.Info("answered", zap.String("question", inv.Question.Command), zap.Int("causes", len(report.Causes)),
			zap.Int("gaps", len(report.Gaps)), zap.Int("fixes", len(report.Fixes)), zap.Duration("took", b.Now().Sub(start)))
		err = b.store(ctx, inv, report)
	}
	if err != nil {
		b.fault(ctx, log, "store the answer", err)
	}
}

// answeredByAnother reports that a question follows one that is there: its answer comes from that one.
func (b *Bot) answeredByAnother(ctx context.Context, log *zap.Logger, name string) bool {
	inv, err := b.Book.Store.Investigations.Get(ctx, name)
	if err != nil {
		b.fault(ctx, log, "read a question", err)
		return true
	}
	_, ok, err := b.leader(ctx, inv)
	if err != nil {
		b.fault(ctx, log, "read the question that this one follows", err)
	}
	return ok || err != nil
}

// claim tries again where the record changed at the same moment and nobody holds it: its root message was noted, say.
func (b *Bot) claim(ctx context.Context, name string) (casebook.Investigation, error) {
	for {
		inv, err := b.Book.Claim(ctx, name, b.Holder)
		if !errors.Is(err, casebook.ErrHeld) {
			return inv, err
		}
		now, getErr := b.Book.Store.Investigations.Get(ctx, name)
		if getErr != nil {
			return now, getErr
		}
		if s := now.Status; s.Claim.Holder != "" || s.Phase != casebook.Received && s.Phase != casebook.Diagnosing {
			return now, err
		}
	}
}

func (b *Bot) fault(ctx context.Context, log *zap.Logger, what string, err error) {
	if ctx.Err() == nil {
		log.Error(what, zap.Error(err))
	}
}

// store keeps the report; with fixes switched on, each one that can be carried out becomes a Remediation.
func (b *Bot) store(ctx context.Context, inv casebook.Investigation, r diagnostics.Report) error {
	if b.fixable(inv.Question) {
		_, _, err := b.Book.Report(ctx, inv, r)
		return err
	}
	_, err := b.Book.Answer(ctx, inv, r)
	return err
}

// diagnose runs the diagnosis of a claimed question under its renewed claim, and shows in the root message how far it is.
func (b *Bot) diagnose(ctx context.Context, inv casebook.Investigation) (report diagnostics.Report, err error) {
	d, ok := b.diagnosis(inv.Question.Diagnosis)
	if !ok {
		return report, diagnostics.Refusal(inv.Question.Diagnosis + " is not switched on here.")
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel(nil)
	p := &progress{changed: make(chan struct{}, 1)}
	p.signal() // that it began
	wg.Go(func() { b.show(ctx, inv.Name, p) })
	wg.Go(func() { b.renew(ctx, cancel, inv) })
	defer func() {
		if v := recover(); v != nil {
			b.Log.Error("panic in a diagnosis", zap.String("investigation", inv.Name), zap.Any("panic", v), zap.ByteString("stack", debug.Stack()))
			err = fmt.Errorf("diagnose %s: panic: %v", inv.Question.Command, v)
		}
	}()
	out, err := b.Diagnose(ctx, d, inv.Question.Target, p.say)
	if cause := context.Cause(ctx); errors.Is(cause, casebook.ErrLost) {
		return report, cause
	}
	if err != nil {
		return report, err
	}
	b.kept.keep(inv.Name, out)
	return outline.Redact(out.Report) // what is stored is what anyone may read
}

// renew keeps the claim alive, and ends the diagnosis where it is lost.
func (b *Bot) renew(ctx context.Context, cancel context.CancelCauseFunc, inv casebook.Investigation) {
	t := time.NewTicker(renewEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			if _, err := b.Book.Renew(ctx, inv); errors.Is(err, casebook.ErrLost) {
				cancel(err)
				return
			}
		}
	}
}

// adopt takes over questions that a process left behind.
func (b *Bot) adopt(ctx context.Context) error {
	now := b.Now()
	for _, name := range b.unfinished() {
		inv, err := b.Book.Store.Investigations.Get(ctx, name)
		if errors.Is(err, casebook.ErrNotFound) {
			b.mu.Lock()
			delete(b.left, name)
			b.mu.Unlock()
			continue
		}
		if err != nil {
			return fmt.Errorf("look at %s: %w", name, err)
		}
		if !unanswered(inv) || now.Sub(inv.Created) < adoptAfter {
			continue
		}
		if now.Sub(inv.Created) > adoptUntil && !b.working(inv.Name) {
			b.abandon(ctx, inv)
			continue
		}
		// The claim is tried by the worker: held by somebody alive, it is left alone.
		if b.reserve() && !b.enqueue(inv.Name) {
			b.release()
		}
	}
	return nil
}

// unanswered reports that a question has no answer yet.
func unanswered(inv casebook.Investigation) bool {
	return inv.Status.Phase == casebook.Received || inv.Status.Phase == casebook.Diagnosing
}

// note keeps in mind which questions are open, so that looking after them does not mean reading all there ever were.
func (b *Bot) note(inv casebook.Investigation) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if unanswered(inv) {
		b.left[inv.Name] = true
	} else {
		delete(b.left, inv.Name)
	}
}

func (b *Bot) unfinished() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Sorted(maps.Keys(b.left))
}

func (b *Bot) working(name string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.busy[name]
}

// abandon closes a question that is too old to be answered now.
func (b *Bot) abandon(ctx context.Context, inv casebook.Investigation) {
	claimed, err := b.Book.Claim(ctx, inv.Name, b.Holder)
	if err == nil {
		_, err = b.Book.Fail(ctx, claimed, "netdiag was restarted while it looked into this. Ask again.")
	}
	if err != nil && !errors.Is(err, casebook.ErrHeld) {
		b.fault(ctx, b.Log, "close "+inv.Name, err)
	}
}
