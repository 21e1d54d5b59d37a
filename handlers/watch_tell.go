package handlers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"go.uber.org/zap"

	"github.com/netdiag/netdiag/internal/ask"
	"github.com/netdiag/netdiag/internal/casebook"
	render "github.com/netdiag/netdiag/internal/render/slack"
	"github.com/netdiag/netdiag/internal/watch"
)

// tellWarnings asks the questions of warnings that were opened, and says in their threads what is wrong and what is over. What
// was said is noted in the records, so that nothing is said twice.
func (w *watchman) tellWarnings(ctx context.Context) error {
	w.mu.Lock()
	state := w.state
	w.mu.Unlock()
	if !slices.ContainsFunc(state.Warnings, untold) {
		return nil
	}
	done := map[string]watch.Warning{} // by key and time: as they are now
	var errs []error
	for _, together := range tidings(state.Warnings) {
		told, err := w.tellWarning(ctx, together)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", together[0].Key(), err))
		}
		if told {
			for _, v := range together {
				v.Told = true
				done[v.Cause(state.Cluster)] = v
			}
		}
	}
	if len(done) == 0 {
		return errors.Join(errs...)
	}
	return errors.Join(append(errs, w.noteTold(ctx, done))...)
}

// tidings sorts what is left to be said by message: what one look opened in a thread is said at once, and so is what one look
// found to be over. None is empty.
func tidings(all []watch.Warning) (out [][]watch.Warning) {
	at := map[string]int{}
	for _, v := range all {
		if !untold(v) {
			continue
		}
		message := v.Investigation + " " + tidingKey(v)
		n, known := at[message]
		if !known {
			n = len(out)
			at[message], out = n, append(out, nil)
		}
		out[n] = append(out[n], v)
	}
	return out
}

// tidingKey names the message about a warning, in its thread: the same after every restart.
func tidingKey(v watch.Warning) string {
	if !v.Over.IsZero() {
		return "healthy-" + slug(v.Over.UTC().Format(time.RFC3339))
	}
	return "warning-" + slug(v.Opened.UTC().Format(time.RFC3339))
}

// untold reports that something is left to be said of a warning.
func untold(v watch.Warning) bool { return v.Open() && !v.Told || !v.Over.IsZero() }

// noteTold keeps what was said, and forgets warnings that are over.
func (w *watchman) noteTold(ctx context.Context, done map[string]watch.Warning) error {
	state, version, err := w.load(ctx)
	if err != nil {
		return err
	}
	var left []watch.Warning
	for _, v := range state.Warnings {
		d, is := done[v.Cause(state.Cluster)]
		if is && !v.Over.IsZero() && !d.Over.IsZero() {
			continue
		}
		v.Told = v.Told || is
		left = append(left, v)
	}
	state.Warnings = left
	return w.save(ctx, state, version)
}

// tellWarning says in one message what is to be said of warnings of one thread; told is false where that is not there yet.
func (w *watchman) tellWarning(ctx context.Context, together []watch.Warning) (told bool, err error) {
	v := together[0]
	inv, err := w.Book.Store.Investigations.Get(ctx, v.Investigation)
	if errors.Is(err, casebook.ErrNotFound) {
		if !v.Over.IsZero() || v.Told { // the record was tidied away
			return true, nil
		}
		inv, err = w.askItself(ctx, v)
	}
	if err != nil {
		return false, err
	}
	if inv.Status.Root.TS == "" {
		return false, nil
	}
	key := tidingKey(v)
	if inv.Status.Posted[key] != "" {
		return true, nil
	}
	message := warnings(together, w.Command)
	if !v.Over.IsZero() {
		message = healthy(together, w.Watch.Rules.Healthy)
	}
	ts, err := w.out.post(ctx, posting{channel: inv.Status.Root.Channel, thread: threadOf(inv), key: inv.Name + "/" + key, rank: rankAnswer, message: message})
	if err != nil {
		if hopeless(err) {
			w.Log.Error("a warning can't be shown in Slack", zap.String("investigation", inv.Name), zap.Error(err))
			return true, nil
		}
		return false, err
	}
	if _, err = w.tell.posted(ctx, inv.Name, key, ts); err != nil {
		return false, err
	}
	for _, v := range together {
		w.Log.Info("warned", zap.String("investigation", inv.Name), zap.String("condition", v.ID), zap.String("object", v.Object), zap.Bool("over", !v.Over.IsZero()))
	}
	return true, nil
}

// warnings says why netdiag asks by itself, and how it is silenced.
func warnings(all []watch.Warning, command string) render.Message {
	snooze := ask.Command{Verb: "snooze", Topic: all[0].ID, For: 2 * time.Hour}
	var items []string
	for _, v := range all {
		items = append(items, v.Sentence+".")
		if v.ID != snooze.Topic {
			snooze.Topic = "" // everything
		}
	}
	after := "It closes by itself once it is healthy again. To hear nothing of it for a while: "
	if len(all) > 1 {
		after = "Each closes by itself once it is healthy again. To hear nothing of them for a while: "
	}
	return render.Warning("Early warning, nobody asked: ", items, after+command+" "+snooze.String())
}

// healthy says what is over.
func healthy(all []watch.Warning, looks int) render.Message {
	var items []string
	for _, v := range all {
		items = append(items, v.ID+" of "+v.Object+".")
	}
	after := "this warning is closed."
	if len(all) > 1 {
		after = "these warnings are closed."
	}
	return render.Warning("Healthy again: ", items, "Not seen in the last "+strconv.Itoa(looks)+" looks; "+after)
}

// askItself opens the question of a warning as netdiag itself: anybody who may approve is somebody else than the one who asked.
func (w *watchman) askItself(ctx context.Context, v watch.Warning) (casebook.Investigation, error) {
	c, err := ask.Parse(v.Question)
	if err != nil {
		return casebook.Investigation{}, err
	}
	t := w.Target
	t.Namespace, t.Name = c.Namespace, c.Name
	inv, created, err := w.Book.Warn(ctx, casebook.Question{
		Command: c.String(), Diagnosis: c.Verb, Target: t, Team: w.people.team, User: w.me.id, Channel: w.Watch.Channel, At: w.Now(),
	}, v.Cause(w.Target.Cluster))
	if err != nil {
		return inv, err
	}
	if created {
		w.Log.Info("asked by the watch", zap.String("investigation", inv.Name), zap.String("question", c.String()), zap.String("condition", v.ID))
	}
	if unanswered(inv) && w.reserve() && !w.enqueue(inv.Name) { // where there is no room, whoever looks for questions left behind takes it up
		w.release()
	}
	return inv, nil
}

// slug makes a key of a text: what isn't a letter or digit becomes -.
func slug(s string) string {
	return strings.Map(func(r rune) rune {
		if r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return unicode.ToLower(r)
		}
		return '-'
	}, s)
}
