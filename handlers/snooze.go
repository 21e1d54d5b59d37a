package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/ask"
	"github.com/netdiag/netdiag/internal/casebook"
	render "github.com/netdiag/netdiag/internal/render/slack"
	"github.com/netdiag/netdiag/internal/watch"
)

// mostSnoozes is how many things can be silenced at a time.
const mostSnoozes = 50

// snooze silences early warnings for a while, or ends that.
func (b *Bot) snooze(ctx context.Context, r request, c ask.Command) render.Message {
	if b.watch == nil {
		return render.Refusal("There is nothing to silence: I look for no early warnings here. Whoever runs netdiag can set watch.channel.")
	}
	if err := b.permit(ctx, r); err != nil {
		return render.Refusal(err.Error())
	}
	s := watch.Snooze{What: c.Topic, By: r.user, Until: b.Now().Add(c.For).UTC().Truncate(time.Second)}
	ended, err := b.watch.silence(ctx, s, c.For == 0)
	log := b.Log.With(zap.String("user", r.user), zap.String("what", c.Topic), zap.Duration("for", c.For))
	if refusal, ok := errors.AsType[diagnostics.Refusal](err); ok {
		return render.Refusal(string(refusal))
	}
	if err != nil {
		log.Error("snooze", zap.Error(err))
		return render.Refusal("I could not record that. Try again in a minute.")
	}
	log.Info("snooze", zap.Int("ended", ended))
	if c.For == 0 {
		if ended == 0 {
			return render.Refusal("Nothing of that is silenced; " + b.Command + " status lists what is.")
		}
		b.announceSnooze("off "+c.Topic, "Early warnings are no longer silenced, by <@"+r.user+">.")
		return render.Settled("Early warnings are no longer silenced.")
	}
	b.announceSnooze(c.Topic, silenced(s))
	return render.Settled(silenced(s) + " What is open stays open, and closes by itself. To end it: " + b.Command + " " + ask.Command{Verb: "snooze", Topic: c.Topic}.String())
}

// silenced says what is silenced, by whom and until when. It mentions the user as <@U…>; what is silenced holds letters, digits,
// dots, dashes and slashes only.
func silenced(s watch.Snooze) string {
	what := "all warnings are silenced"
	if s.What != "" {
		what = "warnings of " + s.What + " are silenced"
	}
	return fmt.Sprintf("%s by <@%s> until %s.", what, s.By, s.Until.UTC().Format("2 January 15:04 UTC"))
}

// announceSnooze tells the channel that is warned. It does not wait for that.
func (b *Bot) announceSnooze(what, sentence string) {
	b.errands.do("announce snooze", func() {
		defer b.recovered("announce snooze")
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		key := "snooze/" + what + "/" + b.Now().UTC().Format(time.RFC3339Nano)
		if _, err := b.out.post(ctx, posting{channel: b.Watch.Channel, key: key, rank: rankAnswer, message: render.Announcement(sentence)}); err != nil {
			b.Log.Error("announce a snooze", zap.Error(err))
		}
	})
}

// snoozes reads what is silenced.
func (w *watchman) snoozes(ctx context.Context) ([]watch.Snooze, string, error) {
	m, err := w.Book.Store.Memos.Get(ctx, watch.SnoozeMemo)
	if err != nil {
		return nil, "", fmt.Errorf("read what is silenced: %w", err)
	}
	var all []watch.Snooze
	if m.Text != "" {
		if err := json.Unmarshal([]byte(m.Text), &all); err != nil {
			w.Log.Warn("what is silenced can't be understood, so nothing is", zap.Error(err))
			all = nil
		}
	}
	return all, m.Version, nil
}

// silence adds a snooze in place of one of the same thing, or takes it away; what is over goes too. ended counts those that it
// took away. off without a thing takes away all.
func (w *watchman) silence(ctx context.Context, s watch.Snooze, off bool) (ended int, err error) {
	for {
		all, version, err := w.snoozes(ctx)
		if err != nil {
			return 0, err
		}
		left := slices.DeleteFunc(watch.Awake(all, w.Now()), func(o watch.Snooze) bool { return o.What == s.What || off && s.What == "" })
		ended = len(watch.Awake(all, w.Now())) - len(left)
		if !off {
			left = append(left, s)
		}
		if len(left) > mostSnoozes {
			return 0, diagnostics.Refusal(fmt.Sprintf("%d things are silenced already, which is the most there can be. End some with snooze off, or silence all.", mostSnoozes))
		}
		text, err := json.Marshal(left)
		if err != nil {
			return 0, fmt.Errorf("encode what is silenced: %w", err)
		}
		if _, err = w.Book.Store.Memos.Set(ctx, watch.SnoozeMemo, casebook.Memo{Text: string(text), Version: version}); !errors.Is(err, casebook.ErrConflict) || ctx.Err() != nil {
			w.meters.noteSnoozes(left)
			return ended, err
		}
	}
}
