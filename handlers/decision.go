package handlers

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/slack-go/slack"
	"go.uber.org/zap"

	"github.com/netdiag/netdiag/internal/casebook"
	render "github.com/netdiag/netdiag/internal/render/slack"
)

// settleWithin is how long a decision may take to be recorded before the modal is acknowledged without it.
const settleWithin = 1500 * time.Millisecond

// decision is what the modal of a decision brings back: which card it came from, and what for. Nothing in it is believed:
// the card and the nonce have to be those of the record.
type decision struct {
	Value   string           `json:"value"`
	Verdict casebook.Verdict `json:"verdict"`
	Channel string           `json:"channel"`
	TS      string           `json:"ts"`
	Thread  string           `json:"thread,omitempty"`
	Version int              `json:"v"`
}

func decisionOf(name string, c casebook.Click, thread string) decision {
	return decision{Value: render.Value(name, c.Nonce), Verdict: c.Verdict, Channel: c.Card.Channel, TS: c.Card.TS, Thread: thread, Version: 1}
}

func (d decision) String() string {
	b, err := json.Marshal(d)
	if err != nil {
		return ""
	}
	return string(b)
}

// submitDecision records a decision, and answers whoever took it.
func (b *Bot) submitDecision(ctx context.Context, c slack.InteractionCallback, ack func(context.Context, any) error) {
	b.settle(ctx, c, ack, b.decide)
}

// submitUndo is submitDecision for who asks for an undo.
func (b *Bot) submitUndo(ctx context.Context, c slack.InteractionCallback, ack func(context.Context, any) error) {
	b.settle(ctx, c, ack, b.askUndo)
}

// settle does what a modal asks for. The modal says why it does not count; where it counts the modal closes, and the thread
// says so to the person.
func (b *Bot) settle(ctx context.Context, c slack.InteractionCallback, ack func(context.Context, any) error, do func(context.Context, slack.InteractionCallback, decision, bool) verdict) {
	var d decision
	done := make(chan verdict, 1)
	readable := json.Unmarshal([]byte(c.View.PrivateMetadata), &d) == nil && d.Version == 1
	go func() { // owned by the receives below
		done <- b.attempt(ctx, func(ctx context.Context) verdict { return do(ctx, c, d, readable) })
	}()
	timer := time.NewTimer(settleWithin)
	defer timer.Stop()
	show := func(sentence string) *slack.ViewSubmissionResponse {
		view := render.DecisionAnswer(sentence)
		return slack.NewUpdateViewSubmissionResponse(&view)
	}
	var v verdict
	closed := false // the modal, before it could say anything
	select {
	case v = <-done:
		switch {
		case v.counts:
			b.ack(ctx, ack, nil)
		case v.wrong != nil:
			b.acknowledge(ctx, ack, slack.NewErrorsViewSubmissionResponse(v.wrong))
		default:
			b.acknowledge(ctx, ack, show(v.answer))
		}
	case <-timer.C:
		b.acknowledge(ctx, ack, show("This takes longer than usual. What comes of it appears here; you can close this."))
		v = <-done
		closed = !b.rewrite(ctx, c.View.ID, render.DecisionAnswer(v.answer))
	}
	if v.counts || closed {
		b.whisperDecision(ctx, c, d, v.answer)
	}
	if v.late.Name != "" {
		b.tell.refresh(ctx, v.late)
	}
}

// decide hands a decision to the casebook.
func (b *Bot) decide(ctx context.Context, c slack.InteractionCallback, d decision, readable bool) verdict {
	name, click, err := b.brought(c, d, readable)
	log := b.decisionLog(c, name, click)
	if err == nil {
		err = b.weighed(ctx, c, name, &click)
	}
	if err != nil {
		return b.refused(log, click.Verdict, name, casebook.Remediation{}, err)
	}
	if reason := fields(c.View)[render.FieldReason].Value; click.Verdict == casebook.Reject {
		click.Reason = shortened(reason, render.MaxReason)
	}
	var unknown error
	click.By, unknown = b.grouped(ctx, click.By)
	if rem, err := b.Book.Weigh(ctx, name, click); err == nil && render.NeedsName(rem, click.Verdict) {
		if typed := fields(c.View)[render.FieldName]; strings.TrimSpace(typed.Value) != rem.Plan.Target {
			b.meters.decided(click.Verdict, "refused")
			log.Warn("a click refused", zap.String("why", "another name was typed"))
			sentence := "This is not what would be changed. Nothing was recorded. Type it exactly: " + rem.Plan.Target
			return verdict{answer: sentence, wrong: map[string]string{orElse(typed.BlockID, render.FieldName): sentence}}
		}
	}
	rem, err := b.Book.Decide(ctx, name, click)
	if err != nil {
		return b.refused(log, click.Verdict, name, rem, because(err, unknown))
	}
	b.meters.decided(click.Verdict, "recorded")
	log.Info("decided", zap.String("phase", string(rem.Status.Phase)), zap.String("plan", rem.Plan.Hash))
	return verdict{answer: b.recorded(ctx, rem, click.Verdict), counts: true}
}

// brought is the click that a modal brings back, if it may come from one of ours.
func (b *Bot) brought(c slack.InteractionCallback, d decision, readable bool) (name string, click casebook.Click, err error) {
	name, nonce, ok := render.ParseValue(d.Value)
	click = casebook.Click{Nonce: nonce, Card: casebook.Message{Channel: d.Channel, TS: d.TS}, Verdict: d.Verdict}
	if !ok || !readable || !b.trusted(c, d) {
		err = unknownButton
	}
	return name, click, err
}

// trusted reports that a submission may come from a modal of this app in this workspace, as far as the payload can tell.
func (b *Bot) trusted(c slack.InteractionCallback, d decision) bool {
	return c.APIAppID != "" && !b.foreign(c.APIAppID) && c.User.ID != "" && c.Team.ID == b.people.team && d.TS != "" && d.Channel != ""
}

func shortened(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most])
	}
	return s
}

// rewrite shows an answer in a modal that was acknowledged before; it is false where that can't be.
func (b *Bot) rewrite(ctx context.Context, view string, with slack.ModalViewRequest) bool {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	_, err := b.web.api.UpdateViewContext(ctx, with, "", "", view)
	if err != nil && codeOf(err) != "not_found" {
		b.Log.Error("answer a decision", zap.Error(clean(err)))
	}
	return err == nil
}

func (b *Bot) whisperDecision(ctx context.Context, c slack.InteractionCallback, d decision, sentence string) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	if err := b.web.whisper(ctx, d.Channel, d.Thread, c.User.ID, render.Settled(sentence)); err != nil {
		b.Log.Error("answer a decision", zap.String("user", c.User.ID), zap.Error(err))
	}
}
