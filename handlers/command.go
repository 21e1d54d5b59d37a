package handlers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/slack-go/slack"
	"go.uber.org/zap"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/ask"
	"github.com/netdiag/netdiag/internal/casebook"
	render "github.com/netdiag/netdiag/internal/render/slack"
)

// recordLimit is how long looking up a person and recording a question may take: the acknowledgement waits for it.
const recordLimit = 1800 * time.Millisecond

const busySentence = "Busy: very many questions are waiting. Try again in a minute."

// command answers a slash command with its acknowledgement, or records the question, acknowledges, and hands it to the workers.
func (b *Bot) command(ctx context.Context, c slack.SlashCommand, ack func(context.Context, any) error) {
	name, answer := b.record(ctx, c)
	b.ack(ctx, ack, answer)
	if name == "" {
		return
	}
	if !b.enqueue(name) {
		b.release()
	}
}

// record gives what to answer at once, or else the name of the investigation that a place in the queue is kept for.
// Neither means that the same delivery was recorded before.
func (b *Bot) record(ctx context.Context, c slack.SlashCommand) (name string, answer *render.Message) {
	say := func(m render.Message) (string, *render.Message) { return "", &m }
	if app := b.appID(); app != "" && c.APIAppID != app {
		b.Log.Warn("a command of another app", zap.String("app", c.APIAppID))
		return say(render.Refusal("This command was sent to another app than me."))
	}
	q, err := ask.Parse(typed(c.Text))
	var refusal diagnostics.Refusal
	if errors.As(err, &refusal) {
		return say(render.Refusal(string(refusal), c.Command+" help"))
	}
	switch q.Verb {
	case "help":
		return say(render.Help(c.Command, b.Diagnoses, q.Topic))
	case "ping":
		return say(render.Refusal(fmt.Sprintf("I hear you. I look at cluster %s in %s.", b.Target.Cluster, b.Target.Region)))
	}
	if _, ok := b.diagnosis(q.Verb); !ok {
		return say(render.Refusal(q.Verb+" is not switched on here.", c.Command+" help"))
	}
	if !b.reserve() {
		return say(render.Refusal(busySentence))
	}
	target := b.Target
	target.Namespace, target.Name = q.Namespace, q.Name
	inv, created, err := b.open(ctx, c, casebook.Question{
		Command: q.String(), Diagnosis: q.Verb, Target: target, Team: c.TeamID, User: c.UserID, Channel: c.ChannelID, At: b.Now(),
	})
	switch {
	case errors.As(err, &refusal):
		b.release()
		return say(render.Refusal(string(refusal)))
	case err != nil:
		b.release()
		b.Log.Error("record a question", zap.String("investigation", inv.Name), zap.String("user", c.UserID), zap.Error(err))
		return say(render.Refusal(faultSentence(inv.Name)))
	case !created:
		b.release()
		return "", nil
	}
	b.tell.remember(inv.Name, c.ResponseURL)
	b.Log.Info("asked", zap.String("investigation", inv.Name), zap.String("user", c.UserID), zap.String("question", inv.Question.Command))
	return inv.Name, nil
}

func (b *Bot) open(ctx context.Context, c slack.SlashCommand, q casebook.Question) (casebook.Investigation, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, recordLimit)
	defer cancel()
	key := strings.Join([]string{c.TeamID, c.ChannelID, c.UserID, c.TriggerID}, "|")
	by, err := b.people.person(ctx, c.TeamID, "", c.UserID, c.ChannelID)
	if err != nil {
		return casebook.Investigation{Name: casebook.InvestigationName(key)}, false, err
	}
	inv, created, err := b.Book.Open(ctx, by, q, key)
	if inv.Name == "" {
		inv.Name = casebook.InvestigationName(key)
	}
	return inv, created, err
}
