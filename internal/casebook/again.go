package casebook

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
)

// mostFollow is how many questions may follow one another because a fix was overtaken or undone: where each new fix meets
// the same fate, somebody else is at work, and a person has to find out who.
const mostFollow = 3

// Stopped says that no further question is opened by itself. It is a diagnostics.Refusal for errors.As.
type Stopped struct{ Sentence string }

// Error is the sentence, for the thread.
func (s *Stopped) Error() string { return s.Sentence }

// Unwrap gives the sentence as a refusal.
func (s *Stopped) Unwrap() error { return diagnostics.Refusal(s.Sentence) }

// Asks reports whether the end of r calls for the same question anew: something else is right now, or the watch saw the
// change undone. Not so where nothing is left to be asked, and for an undo.
func Asks(r Remediation) bool {
	s := r.Status
	return r.Plan.Undoes == "" && (s.Phase == Superseded && !s.Moot || s.Phase == Succeeded && s.Watch != nil && s.Watch.State == Undone)
}

// Again opens the question of r once more where Asks says so and nobody had r undone on purpose: in the same thread, for
// the same person, and the fixes proposed for its answer follow r. Called again it meets the same record; created is true
// for whoever made it. Where nothing is to be asked, or it was over more than an hour ago, the Investigation is the zero one. A *Stopped is for the thread: too
// many questions have followed one another.
func (b *Book) Again(ctx context.Context, r Remediation) (inv Investigation, created bool, err error) {
	if !Asks(r) || b.Now().Sub(overSince(r)) > againWithin {
		return inv, false, nil
	}
	if undone, err := b.undone(ctx, r.Name); undone || err != nil {
		return inv, false, err
	}
	n, err := b.chain(ctx, r)
	if err != nil {
		return inv, false, err
	}
	if n >= mostFollow {
		return inv, false, &Stopped{fmt.Sprintf(
			"This was asked anew %d times because its fix did not last, so netdiag does not ask again by itself. Find out who else changes %s, and then ask again.", n, r.Plan.Target)}
	}
	q, err := b.sameThread(ctx, r)
	if err != nil {
		return inv, false, err
	}
	name := InvestigationName(fmt.Sprintf("again|%s|%s", r.Name, r.Status.Phase))
	inv, err = b.Store.Investigations.Create(ctx, Investigation{Name: name, Created: b.Now(), Question: q, Status: InvestigationStatus{Phase: Received}})
	if errors.Is(err, ErrExists) {
		inv, err = b.Store.Investigations.Get(ctx, name)
		return inv, false, err
	}
	return inv, err == nil, err
}

// Warn opens a question that netdiag asks itself, q.User being its own id: nobody has to be allowed to ask. cause names what it
// was opened for; called again with the same it meets the same record, and created is false.
func (b *Book) Warn(ctx context.Context, q Question, cause string) (inv Investigation, created bool, err error) {
	name := InvestigationName(cause)
	inv, err = b.Store.Investigations.Create(ctx, Investigation{Name: name, Created: b.Now(), Question: q, Status: InvestigationStatus{Phase: Received}})
	if errors.Is(err, ErrExists) {
		inv, err = b.Store.Investigations.Get(ctx, name)
		return inv, false, err
	}
	return inv, err == nil, err
}

// againWithin is how long after its end a fix may still be asked about anew. Nobody waits for that any longer; and the
// Investigation that was opened then is deleted long before r, and must not be opened once more.
const againWithin = time.Hour

// overSince is when what calls for asking anew was seen.
func overSince(r Remediation) time.Time {
	if r.Status.Phase == Succeeded && r.Status.Watch != nil {
		return r.Status.Watch.At
	}
	return r.Status.Finished
}

// sameThread is the question of r, to be asked once more where its answer stands.
func (b *Book) sameThread(ctx context.Context, r Remediation) (Question, error) {
	q := r.Plan.Question
	q.At, q.Follows, q.After = b.Now(), "", r.Name
	was, err := b.Store.Investigations.Get(ctx, r.Plan.Investigation)
	if errors.Is(err, ErrNotFound) {
		return q, nil
	}
	if root := was.Status.Root; err == nil && root.TS != "" && q.Thread == "" {
		q.Channel, q.Thread = root.Channel, root.TS
	}
	return q, err
}

// undone reports whether somebody had a Remediation undone.
func (b *Book) undone(ctx context.Context, name string) (bool, error) {
	for n := 1; n <= mostUndos; n++ {
		u, err := b.Store.Remediations.Get(ctx, UndoName(name, n))
		if errors.Is(err, ErrNotFound) {
			return false, nil
		}
		if err != nil || u.Status.Phase == Succeeded || u.Status.Phase == NeedsHuman {
			return err == nil, err
		}
	}
	return false, nil
}

// chain counts how many Remediations r follows, at most mostFollow; one that is gone ends it.
func (b *Book) chain(ctx context.Context, r Remediation) (n int, err error) {
	for ; n < mostFollow && r.Plan.Follows != ""; n++ {
		if r, err = b.Store.Remediations.Get(ctx, r.Plan.Follows); errors.Is(err, ErrNotFound) {
			return n + 1, nil
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}
