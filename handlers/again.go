package handlers

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/netdiag/netdiag/internal/casebook"
	render "github.com/netdiag/netdiag/internal/render/slack"
)

// againKey is the key of the message that says why a question is asked anew.
const againKey = "again"

// againWithin is how long after the end of a fix its question is asked anew: who reads a much older one has long seen to it.
const againWithin = time.Hour

// tellAgain asks the question of a fix anew where its end calls for that, and says so in the thread.
func (t *teller) tellAgain(ctx context.Context, rem casebook.Remediation, thread string) (casebook.Remediation, error) {
	if !casebook.Asks(rem) || rem.Status.Posted[againKey] != "" {
		return rem, nil
	}
	since := rem.Status.Finished
	if w := rem.Status.Watch; w != nil {
		since = w.At
	}
	if t.Now().Sub(since) > againWithin {
		return t.noted(ctx, rem.Name, againKey, "late")
	}
	sentence := "Something else is right by now, so the same question is asked anew, in this thread."
	if rem.Status.Watch != nil {
		sentence = "The change did not last, so the same question is asked anew, in this thread."
	}
	inv, created, err := t.Book.Again(ctx, rem)
	var stopped *casebook.Stopped
	switch {
	case errors.As(err, &stopped):
		sentence = stopped.Sentence
	case err != nil:
		return rem, err
	case inv.Name == "":
		return t.noted(ctx, rem.Name, againKey, "nothing to ask")
	}
	if rem, err = t.tellOnce(ctx, rem, againKey, thread, render.Refusal(sentence)); err != nil {
		return rem, err
	}
	if created {
		t.Log.Info("asked anew", zap.String("investigation", inv.Name), zap.String("remediation", rem.Name))
	}
	if unanswered(inv) && t.reserve() && !t.enqueue(inv.Name) { // where there is no room, whoever looks for questions left behind takes it up
		t.release()
	}
	return rem, nil
}
