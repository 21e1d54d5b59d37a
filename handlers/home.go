package handlers

import (
	"context"
	"errors"
	"slices"

	"github.com/slack-go/slack"
	"go.uber.org/zap"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/casebook"
	render "github.com/netdiag/netdiag/internal/render/slack"
)

// Rights is a policy that can say, a sentence each, what it lets somebody do. A casebook.Policy that doesn't is not asked.
type Rights interface {
	Rights(by casebook.Person, fixes bool) []string
}

// Bounds of the lists of the Home tab: what is shown, and how many fixes are looked at for those that somebody may decide on.
const (
	shownHome = 10
	judged    = 50
)

// home publishes the Home tab of a person who opened it.
func (b *Bot) home(ctx context.Context, team, user string) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	h, err := b.homeOf(ctx, request{team: team, user: user})
	if err != nil {
		b.Log.Error("gather the Home tab", zap.String("user", user), zap.Error(err))
		h = render.Home{Refusal: "I can't read my records at this moment. Open this tab again in a minute."}
	}
	view := render.HomeView(h, b.Now())
	if _, err := b.web.api.PublishViewContext(ctx, slack.PublishViewContextRequest{UserID: user, View: view}); err != nil {
		b.Log.Error("publish the Home tab", zap.String("user", user), zap.Error(clean(err)))
	}
}

func (b *Bot) homeOf(ctx context.Context, r request) (render.Home, error) {
	h := render.Home{Begin: b.Command, Status: b.status()}
	by, err := b.by(ctx, r)
	if err != nil {
		return h, err
	}
	err = b.Book.Policy.MayAsk(by, casebook.Question{Team: r.team, User: r.user, Target: b.Target, At: b.Now()})
	if refusal, ok := errors.AsType[diagnostics.Refusal](err); ok {
		h.Refusal = string(refusal)
		return h, nil
	}
	if err != nil {
		return h, err
	}
	h.Status.Stopped = b.stopped(ctx)
	h.Status.Watch = b.watch.says(ctx)
	var unknown error
	if by, unknown = b.grouped(ctx, by); unknown != nil {
		b.Log.Error("look up user groups", zap.String("user", by.User), zap.Error(unknown))
	}
	if p, ok := b.Book.Policy.(Rights); ok {
		h.Rights = p.Rights(by, b.Fixes)
	}
	names := b.index.newest(shownHome, func(a asked) bool { return a.user == r.user && a.team == r.team })
	mine, err := read(ctx, &b.index, b.Book.Store.Investigations, names)
	if err != nil {
		return h, err
	}
	own, err := b.ownChannel(ctx, mine, r.user)
	if err != nil {
		b.Log.Warn("open a direct message", zap.String("user", r.user), zap.Error(err))
	}
	h.Asked = b.entries(mine, own)
	if h.Open, err = b.undecided(ctx, by); err != nil {
		return h, err
	}
	return h, nil
}

// ownChannel is the direct message with a person, where one of their questions was answered there.
func (b *Bot) ownChannel(ctx context.Context, mine []casebook.Investigation, user string) (string, error) {
	if !slices.ContainsFunc(mine, func(inv casebook.Investigation) bool { return direct(inv.Status.Root.Channel) }) {
		return "", nil
	}
	return b.web.direct(ctx, user)
}

// undecided lists the fixes that wait for a decision that this person may take, the first to expire first.
func (b *Bot) undecided(ctx context.Context, by casebook.Person) ([]render.Open, error) {
	now := b.Now()
	rems, err := read(ctx, &b.index, b.Book.Store.Remediations, b.index.undecided(judged, now))
	if err != nil {
		return nil, err
	}
	rems = slices.DeleteFunc(rems, func(r casebook.Remediation) bool {
		decided := slices.ContainsFunc(r.Status.Decisions, func(d casebook.Decision) bool { return d.User == by.User })
		own := r.Plan.Question.User == by.User && !r.Plan.SelfApproval
		return r.Status.Phase != casebook.AwaitingApproval || decided || own || r.Status.Card.TS == "" ||
			direct(r.Status.Card.Channel) && r.Plan.Question.User != by.User || b.Book.Policy.MayDecide(by, casebook.Approve, r) != nil
	})
	var out []render.Open
	for _, r := range rems[:min(len(rems), shownHome)] {
		inv, err := b.Book.Store.Investigations.Get(ctx, r.Plan.Investigation)
		if err != nil && !errors.Is(err, casebook.ErrNotFound) {
			return nil, err
		}
		out = append(out, render.Open{Remediation: r, Link: b.permalink(r.Status.Card.Channel, r.Status.Card.TS, threadOf(inv))})
	}
	return out, nil
}
