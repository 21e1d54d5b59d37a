package handlers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/slack-go/slack"
	"go.uber.org/zap"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/casebook"
	render "github.com/netdiag/netdiag/internal/render/slack"
)

// private reports that the bot can't write where this question was asked, and answers by its response URL.
func (t *teller) private(investigation string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.urls[investigation].invited
}

// threadOf is the thread that the answer stands in: that of the question, unless the answer had to go elsewhere.
func threadOf(inv casebook.Investigation) string {
	if inv.Status.Root.Channel != inv.Question.Channel {
		return inv.Status.Root.TS
	}
	return orElse(inv.Question.Thread, inv.Status.Root.TS)
}

// direct reports that a channel is a direct message: nobody but one person reads it.
func direct(channel string) bool { return strings.HasPrefix(channel, "D") }

// errElsewhere says that another process may tell a question better: the one where it was asked has its response URL, the
// one that looked into it the snapshot.
var errElsewhere = errors.New("better told by another process")

// tellPrivately answers whoever asked in a channel that the bot is no member of: how to invite it, and then the verdict.
// Cards are never shown so: an ephemeral message can't be edited, and nobody else sees it. Where there is no response URL
// (the question came by a form, or before a restart), the answer goes on in a direct message.
func (t *teller) tellPrivately(ctx context.Context, inv casebook.Investigation) (casebook.Investigation, error) {
	t.mu.Lock()
	r, here := t.urls[inv.Name]
	_, waited := t.left[inv.Name]
	t.mu.Unlock()
	if !here && !waited {
		return inv, errElsewhere
	}
	if r.moved || r.url == "" || t.Now().After(r.until) {
		return t.tellDirectly(ctx, inv)
	}
	if !r.invited {
		if err := t.web.respond(ctx, r.url, render.NoMember(inv)); err != nil {
			return inv, err
		}
		r.invited = true
		t.mu.Lock()
		r.moved = t.urls[inv.Name].moved // meanwhile
		t.urls[inv.Name] = r
		t.mu.Unlock()
	}
	if !over(inv) {
		return inv, nil // the record comes again
	}
	answer := render.Unanswered(inv)
	if inv.Status.Report != nil {
		answer = render.Answer(*inv.Status.Report, render.Thread{})[0]
	}
	if err := t.web.respond(ctx, r.url, answer); err != nil {
		return inv, err
	}
	return t.posted(ctx, inv.Name, toldKey, "private")
}

// over reports that no more is to come of a question but the telling.
func over(inv casebook.Investigation) bool {
	return inv.Status.Phase == casebook.Reported || inv.Status.Phase == casebook.Faulted
}

// tellDirectly begins the answer in a direct message with whoever asked. Where that can't be, nobody can be told.
func (t *teller) tellDirectly(ctx context.Context, inv casebook.Investigation) (casebook.Investigation, error) {
	channel, err := t.web.direct(ctx, inv.Question.User)
	ts := ""
	if err == nil {
		ts, err = t.out.post(ctx, t.of(inv.Name, posting{channel: channel, key: inv.Name + "/root", rank: rankRoot, message: t.root(inv, nil)}))
	}
	switch {
	case err == nil:
		return t.rooted(ctx, inv.Name, casebook.Message{Channel: channel, TS: ts})
	case codeOf(err) == "" || temporary(err):
		return inv, fmt.Errorf("answer %s in a direct message: %w", inv.Name, err)
	}
	t.Log.Warn("nobody can be told: the bot is no member of the channel", zap.String("investigation", inv.Name),
		zap.String("channel", inv.Question.Channel), zap.Error(err))
	if over(inv) {
		return t.posted(ctx, inv.Name, toldKey, "unreachable")
	}
	return inv, nil
}

// rooted records where the answer begins.
func (t *teller) rooted(ctx context.Context, name string, root casebook.Message) (casebook.Investigation, error) {
	ctx, cancel := lasting(ctx)
	defer cancel()
	inv, err := t.Book.ChangeInvestigation(ctx, name, func(s *casebook.InvestigationStatus) error {
		if s.Root.TS == "" {
			s.Root = root
		}
		return nil
	})
	return inv, t.recorded(ctx, err, name+"/root", root.Channel, root.TS, inv.Status.Root.TS)
}

// direct opens the direct message with a person and gives its channel.
func (w *web) direct(ctx context.Context, user string) (channel string, err error) {
	ch, _, _, err := w.api.OpenConversationContext(ctx, &slack.OpenConversationParameters{Users: []string{user}})
	if err != nil {
		return "", clean(err)
	}
	return ch.ID, nil
}

// move goes on in a direct message with a question that was asked where the bot can't write; the person asked for that.
// What was told by the response URL is told there once more.
func (t *teller) move(ctx context.Context, name string) {
	t.mu.Lock()
	r := t.urls[name]
	r.moved, r.until = true, t.Now().Add(responseLife)
	t.urls[name] = r
	t.mu.Unlock()
	t.investigation(ctx, name)
}

// moving reports that a question is to be told in a direct message though it was told before.
func (t *teller) moving(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.urls[name].moved
}

// moved says that all is told where the answer went.
func (t *teller) moved(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r, ok := t.urls[name]; ok {
		r.moved = false
		t.urls[name] = r
	}
}

// tellChannelsOnly says in a direct message why fixes come without buttons there.
func (t *teller) tellChannelsOnly(ctx context.Context, inv casebook.Investigation) (casebook.Investigation, error) {
	const key = "channels-only"
	if !t.fixable(inv.Question) || !direct(inv.Status.Root.Channel) || inv.Status.Report == nil || inv.Status.Posted[key] != "" ||
		!slices.ContainsFunc(inv.Status.Report.Fixes, func(f diagnostics.Fix) bool {
			return f.Executable && f.Action != nil && diagnostics.FixByID(f.ID).Risk != "low"
		}) {
		return inv, nil
	}
	ts, err := t.out.post(ctx, t.of(inv.Name, posting{
		channel: inv.Status.Root.Channel, thread: threadOf(inv), key: inv.Name + "/" + key, rank: rankAnswer, message: render.ChannelsOnly(t.Command, inv),
	}))
	if err != nil {
		return inv, fmt.Errorf("say in %s that fixes need a channel: %w", inv.Name, err)
	}
	return t.posted(ctx, inv.Name, key, ts)
}

// whose gives an investigation if this person asked it.
func (b *Bot) whose(ctx context.Context, name, team, user string) (casebook.Investigation, error) {
	inv, err := b.Book.Store.Investigations.Get(ctx, name)
	if errors.Is(err, casebook.ErrNotFound) || err == nil && (inv.Question.User != user || inv.Question.Team != team) {
		return casebook.Investigation{}, unknownButton
	}
	return inv, err
}
