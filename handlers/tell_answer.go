package handlers

import (
	"context"
	"fmt"

	"go.uber.org/zap"

	"github.com/netdiag/netdiag/internal/casebook"
	render "github.com/netdiag/netdiag/internal/render/slack"
)

func (t *teller) tellAll(ctx context.Context, inv casebook.Investigation) (_ casebook.Investigation, err error) {
	name := inv.Name
	if inv.Status.Posted[toldKey] != "" && !t.moving(name) {
		return t.tellMore(ctx, inv)
	}
	done := false
	if inv, done, err = t.tellFollower(ctx, inv); done || err != nil {
		return inv, err
	}
	if inv, err = t.tellRoot(ctx, inv); err != nil {
		return inv, err
	}
	if inv.Status.Root.TS == "" {
		if inv, err = t.tellPrivately(ctx, inv); err != nil || inv.Status.Root.TS == "" {
			return inv, err
		}
	}
	if !over(inv) {
		return inv, nil // the record comes again
	}
	if err := t.edit(ctx, name, inv.Status.Root, t.root(inv, nil)); err != nil {
		return inv, err
	}
	if inv, err = t.tellAnswer(ctx, inv); err != nil {
		return inv, err
	}
	if inv, err = t.tellChannelsOnly(ctx, inv); err != nil {
		return inv, err
	}
	var rems []casebook.Remediation
	if t.fixable(inv.Question) && inv.Status.Report != nil { // the process that stored the report may have died before it proposed
		if rems, err = t.Book.Propose(ctx, inv); err != nil {
			return inv, err
		}
	}
	if inv, err = t.posted(ctx, name, toldKey, inv.Status.Root.TS); err != nil {
		return inv, err
	}
	t.moved(name)
	for _, r := range rems {
		t.outdated(name, r.Name)
	}
	return t.tellMore(ctx, inv)
}

// root is the message in the channel. One of an early warning names nobody who asked.
func (b *Bot) root(inv casebook.Investigation, did []string) render.Message {
	if inv.Question.User == b.me.id {
		inv.Question.User = ""
	}
	return render.Root(inv, did)
}

// tellRoot posts the root message where there is none; there is none either where the bot can't write.
func (t *teller) tellRoot(ctx context.Context, inv casebook.Investigation) (casebook.Investigation, error) {
	if inv.Status.Root.TS != "" || t.private(inv.Name) {
		return inv, nil
	}
	q := inv.Question
	ts, err := t.out.post(ctx, t.of(inv.Name, posting{channel: q.Channel, thread: q.Thread, key: inv.Name + "/root", rank: rankRoot, message: t.root(inv, nil)}))
	if unreachable(err) && q.User != t.me.id { // netdiag has nobody else to tell of an early warning
		return inv, nil
	}
	if err != nil {
		return inv, fmt.Errorf("post the root message of %s: %w", inv.Name, err)
	}
	return t.rooted(ctx, inv.Name, casebook.Message{Channel: q.Channel, TS: ts})
}

// tellAnswer posts those parts of the answer that the thread lacks.
func (t *teller) tellAnswer(ctx context.Context, inv casebook.Investigation) (casebook.Investigation, error) {
	if inv.Status.Report == nil {
		return inv, nil
	}
	in := render.Thread{Investigation: inv.Name, Mention: t.askers(ctx, inv), Cards: t.fixable(inv.Question) && !direct(inv.Status.Root.Channel)}
	start := t.Now()
	messages := render.Answer(*inv.Status.Report, in)
	t.Meters.Rendered(*inv.Status.Report, t.Now().Sub(start))
	for i, m := range messages {
		var err error
		if inv, err = t.tellPart(ctx, inv, fmt.Sprintf("answer-%d", i), m); err != nil {
			return inv, err
		}
		if render.HasChart(m) {
			if inv, err = t.tellChart(ctx, inv); err != nil {
				return inv, err
			}
		}
	}
	return inv, nil
}

// edit changes a message of a record. That Slack won't have it, because somebody deleted the message for example, must
// not keep the rest back.
func (t *teller) edit(ctx context.Context, record string, at casebook.Message, m render.Message) error {
	if err := t.of(record, posting{}).may(); err != nil {
		return err
	}
	err := t.out.edits.update(ctx, at.Channel, at.TS, m)
	if codeOf(err) != "" && !temporary(err) {
		t.Log.Error("edit a message", zap.String("record", record), zap.Error(err))
		return nil
	}
	if err != nil {
		return fmt.Errorf("edit %s of %s: %w", at.TS, record, err)
	}
	return nil
}
