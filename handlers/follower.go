package handlers

import (
	"context"
	"errors"
	"slices"

	"go.uber.org/zap"

	"github.com/netdiag/netdiag/internal/casebook"
	render "github.com/netdiag/netdiag/internal/render/slack"
)

// pointedKey says in Posted that whoever asked was told in which thread the answer is.
const pointedKey = "pointed"

// together reports that two questions were asked in the same place: one thread answers both.
func together(a, b casebook.Question) bool { return a.Channel == b.Channel && a.Thread == b.Thread }

// leader gives the investigation that inv follows; ok is false where it follows none, or one that is gone: then inv is
// looked into itself.
func (b *Bot) leader(ctx context.Context, inv casebook.Investigation) (leader casebook.Investigation, ok bool, err error) {
	if inv.Question.Follows == "" {
		return leader, false, nil
	}
	leader, err = b.Book.Store.Investigations.Get(ctx, inv.Question.Follows)
	if errors.Is(err, casebook.ErrNotFound) {
		return leader, false, nil
	}
	return leader, err == nil, err
}

// share gives a question the answer of the one that it follows, once there is one. A question whose leader is gone is
// handed to the workers.
func (t *teller) share(ctx context.Context, name string) error {
	inv, err := t.Book.Store.Investigations.Get(ctx, name)
	if err != nil || over(inv) {
		return err
	}
	leader, ok, err := t.leader(ctx, inv)
	switch {
	case err != nil:
		return err
	case !ok:
		if t.reserve() && !t.enqueue(name) {
			t.release()
		}
		return nil
	case !over(leader):
		return nil
	}
	if _, err = t.Book.Share(ctx, inv, leader, t.Holder); errors.Is(err, casebook.ErrHeld) || errors.Is(err, casebook.ErrLost) {
		return nil
	}
	return err
}

// tellFollower points whoever asked to the thread of the question that theirs follows, if that is where they asked; done
// is false where theirs is to be answered by a message of its own: in another channel, or where nobody can post.
func (t *teller) tellFollower(ctx context.Context, inv casebook.Investigation) (_ casebook.Investigation, done bool, err error) {
	leader, ok, err := t.leader(ctx, inv)
	if err != nil || !ok || !together(inv.Question, leader.Question) {
		return inv, false, err
	}
	root := leader.Status.Root
	if root.TS == "" || root.Channel != inv.Question.Channel { // not there yet, or answered to nobody else
		return inv, !over(leader) && !t.private(leader.Name) && root.TS == "", nil
	}
	if inv.Status.Root != (casebook.Message{}) && inv.Status.Root != root {
		return inv, false, nil
	}
	if inv.Status.Posted[pointedKey] == "" {
		if inv, err = t.point(ctx, inv, root); err != nil {
			return inv, false, err
		}
	}
	if over(inv) {
		inv, err = t.posted(ctx, inv.Name, toldKey, root.TS)
	}
	return inv, true, err
}

// point tells a person where the answer will be. That Slack won't have it must not keep the rest back: the answer names them too.
func (t *teller) point(ctx context.Context, inv casebook.Investigation, root casebook.Message) (casebook.Investigation, error) {
	m := render.Pointer("Somebody asked the same a moment ago: it is being looked into already. The answer comes in that thread, and names you.", t.permalink(root.Channel, root.TS, inv.Question.Thread))
	err := t.web.whisper(ctx, inv.Question.Channel, inv.Question.Thread, inv.Question.User, m)
	if toldToWait(err) || err != nil && temporary(err) {
		return inv, err
	}
	if err != nil {
		t.Log.Warn("point to a thread", zap.String("investigation", inv.Name), zap.Error(err))
	}
	ctx, cancel := lasting(ctx)
	defer cancel()
	return t.Book.ChangeInvestigation(ctx, inv.Name, func(s *casebook.InvestigationStatus) error {
		s.Root = root
		if s.Posted == nil {
			s.Posted = map[string]string{}
		}
		s.Posted[pointedKey] = root.TS
		return nil
	})
}

// askers lists who is to be told that the answer is there: who asked, and those who asked the same in the same place.
func (t *teller) askers(ctx context.Context, inv casebook.Investigation) []string {
	out := []string{inv.Question.User}
	if inv.Question.User == t.me.id { // an early warning: netdiag asked itself
		return nil
	}
	if inv.Status.Root.Channel != inv.Question.Channel { // answered alone: the others have answers of their own
		return out
	}
	for _, name := range t.same.of(inv.Name) {
		f, err := t.Book.Store.Investigations.Get(ctx, name)
		if err == nil && together(f.Question, inv.Question) && !slices.Contains(out, f.Question.User) {
			out = append(out, f.Question.User)
		}
	}
	slices.Sort(out[1:])
	return out
}
