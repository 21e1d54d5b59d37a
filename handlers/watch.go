package handlers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/ask"
	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/watch"
)

// Watch says what is looked at by itself, and where a warning goes.
type Watch struct {
	Channel   string        // id of the channel that is warned
	Ingresses []string      // <namespace>/<name>; AllIngresses alone is every ingress of the cluster
	Every     time.Duration // between two looks; 5 min
	Rules     watch.Rules
	// Lead runs do while this process is the one that looks; nil where there is no other process.
	Lead func(ctx context.Context, do func(context.Context)) error
}

// AllIngresses stands in Watch.Ingresses for every ingress of the cluster.
const AllIngresses = "all"

// mostIngresses is how many ingresses one look asks about; where more are watched, the next look goes on with the others.
const mostIngresses = 20

// watchman looks for early warnings while this process leads.
type watchman struct {
	*Bot
	meters *watchMeters

	mu    sync.Mutex
	leads bool
	since time.Time   // when it began to lead
	state watch.State // as this process stored it last, while it leads
	next  int         // of the ingresses, where the next look begins
	due   time.Time
}

func newWatchman(b *Bot) *watchman {
	if b.Watch == nil {
		return nil
	}
	w := *b.Watch
	w.Every = orElse(w.Every, 5*time.Minute)
	w.Rules.Free, w.Rules.Looks, w.Rules.Healthy = orElse(w.Rules.Free, 20), orElse(w.Rules.Looks, 2), orElse(w.Rules.Healthy, 3)
	b.Config.Watch = &w
	m := &watchman{Bot: b}
	m.meters = newWatchMeters(m)
	return m
}

// run looks until ctx ends.
func (w *watchman) run(ctx context.Context) error {
	if w == nil {
		return nil
	}
	if w.Watch.Lead == nil {
		w.lead(ctx)
		return nil
	}
	err := w.Watch.Lead(ctx, w.lead)
	if err != nil && ctx.Err() == nil { // no early warning is no reason to answer nobody
		w.Log.Error("the watch ended", zap.Error(err))
	}
	return nil
}

// lead looks again and again, and tells in between what is still to be told, until ctx ends.
func (w *watchman) lead(ctx context.Context) {
	w.turn(true)
	defer w.meters.left()
	defer w.turn(false)
	w.Log.Info("watching", zap.String("channel", w.Watch.Channel), zap.Duration("every", w.Watch.Every))
	t := time.NewTicker(min(w.LookEvery, w.Watch.Every))
	defer t.Stop()
	for {
		w.step(ctx)
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// turn notes that this process begins or ends to lead.
func (w *watchman) turn(leads bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.leads, w.since, w.due, w.state = leads, w.Now(), time.Time{}, watch.State{}
}

// step looks where it is time, and tells what there is to tell.
func (w *watchman) step(ctx context.Context) {
	defer func() {
		if v := recover(); v != nil {
			w.Log.Error("panic in the watch", zap.Any("panic", v), zap.ByteString("stack", debug.Stack()))
		}
	}()
	now := w.Now()
	if !now.Before(w.due) {
		w.due = now.Add(w.Watch.Every)
		if err := w.look(ctx, now); err != nil && ctx.Err() == nil {
			w.meters.failed.Inc()
			w.Log.Error("look for early warnings", zap.Error(err))
		}
	}
	if err := w.tellWarnings(ctx); err != nil && ctx.Err() == nil {
		w.Log.Error("tell early warnings", zap.Error(err))
	}
}

// look asks every question of the watch once, and stores what came of it. Where another process stored something meanwhile,
// that one leads, and this look counts for nothing.
func (w *watchman) look(ctx context.Context, now time.Time) error {
	state, version, err := w.load(ctx)
	if err != nil {
		return err
	}
	snoozes, _, err := w.snoozes(ctx)
	if err != nil {
		return err // what people silenced must not be said because it can't be read
	}
	w.meters.noteSnoozes(snoozes)
	l := watch.Look{At: now}
	asked := map[string]bool{} // objects that this look was about
	room, ok := w.question(ctx, "ip", func(r diagnostics.Report) watch.Finding { return watch.Room(r, w.Watch.Rules) })
	if ok {
		l.Findings = append(l.Findings, room)
	}
	ingresses, gone, err := w.ingresses(ctx)
	if err != nil {
		w.Log.Warn("list the ingresses to watch", zap.Error(err))
	}
	for _, name := range ingresses {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		f, answered := w.question(ctx, "alb "+name, func(r diagnostics.Report) watch.Finding { return watch.Ingress(r, name) })
		if answered {
			l.Findings, asked[name] = append(l.Findings, f), true
			if len(f.Blind) > 0 { // of this ingress alone
				asked[name] = false
				l.Findings[len(l.Findings)-1].Blind = nil
			}
		}
	}
	l.Asked = func(c watch.Condition) bool {
		if c.ID == watch.Unhealthy || c.ID == watch.Drift {
			return asked[c.Object] || gone(c.Object)
		}
		return ok
	}
	next := state.Take(l, w.Watch.Rules, func(c watch.Condition) bool {
		return slices.ContainsFunc(snoozes, func(s watch.Snooze) bool { return s.Silences(c, now) })
	})
	if err := w.save(ctx, next, version); err != nil {
		return err
	}
	w.meters.saw(room.Subnets, next)
	return nil
}

// question asks one question of the watch, by the same diagnosis as people do. ok is false where it has no answer.
func (w *watchman) question(ctx context.Context, line string, read func(diagnostics.Report) watch.Finding) (f watch.Finding, ok bool) {
	c, err := ask.Parse(line)
	if err != nil {
		w.Log.Error("a question of the watch", zap.String("question", line), zap.Error(err))
		return f, false
	}
	d, known := w.diagnosis(c.Verb)
	if !known {
		return f, false
	}
	t := w.Target
	t.Namespace, t.Name = c.Namespace, c.Name
	out, err := w.Diagnose(ctx, d, t, func(string) {})
	if err != nil {
		if refusal, is := errors.AsType[diagnostics.Refusal](err); is {
			w.Log.Warn("no answer for the watch", zap.String("question", line), zap.String("why", string(refusal)))
		} else if ctx.Err() == nil {
			w.Log.Error("no answer for the watch", zap.String("question", line), zap.Error(err))
		}
		return f, false
	}
	return read(out.Report), true
}

// ingresses are those to ask about in this look, <namespace>/<name>; gone tells which are no longer to be watched.
func (w *watchman) ingresses(ctx context.Context) (names []string, gone func(string) bool, err error) {
	all := w.Watch.Ingresses
	unknown := func(string) bool { return false }
	if slices.Equal(all, []string{AllIngresses}) {
		places := w.Places[w.Target.Cluster]
		if places == nil {
			return nil, unknown, errors.New("the ingresses of the cluster can't be listed")
		}
		found, err := places.Ingresses(ctx)
		if err != nil {
			return nil, unknown, err
		}
		all = nil
		for _, i := range found {
			all = append(all, i.String())
		}
		slices.Sort(all)
	}
	gone = func(name string) bool { return !slices.Contains(all, name) }
	if len(all) <= mostIngresses {
		return all, gone, nil
	}
	for range mostIngresses {
		names = append(names, all[w.next%len(all)])
		w.next = (w.next + 1) % len(all)
	}
	return names, gone, nil
}

// load reads what the watch has seen.
func (w *watchman) load(ctx context.Context) (watch.State, string, error) {
	m, err := w.Book.Store.Memos.Get(ctx, watch.Memo)
	if err != nil {
		return watch.State{}, "", fmt.Errorf("read what the watch has seen: %w", err)
	}
	s, err := watch.Parse(m.Text, w.Target.Cluster)
	if err != nil {
		w.Log.Warn("the watch begins anew", zap.Error(err))
	}
	return s, m.Version, nil
}

// save keeps what the watch has seen, if it is still what was read.
func (w *watchman) save(ctx context.Context, s watch.State, version string) error {
	if _, err := w.Book.Store.Memos.Set(ctx, watch.Memo, casebook.Memo{Text: s.String(), Version: version}); err != nil {
		return fmt.Errorf("keep what the watch has seen: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state = s
	return nil
}

// overdue is how many intervals without a look are too many.
const overdue = 3

// missed sorts the gaps of a look: permissions that are denied, and others by their reason.
func missed(gaps []string) (denied []string, others map[string][]string) {
	others = map[string][]string{}
	for _, g := range gaps {
		permission, reason, _ := strings.Cut(strings.TrimSuffix(g, ")"), " (")
		if reason == diagnostics.Denied {
			denied = append(denied, permission)
		} else {
			others[reason] = append(others[reason], permission)
		}
	}
	return denied, others
}

// says tells how the watch is, a sentence each.
func (w *watchman) says(ctx context.Context) []string {
	if w == nil {
		return nil
	}
	state, _, err := w.load(ctx)
	snoozes, _, err2 := w.snoozes(ctx)
	if err := errors.Join(err, err2); err != nil {
		w.Log.Error("read the watch", zap.Error(err))
		return []string{"how it is can't be read at this moment."}
	}
	open := 0
	for _, n := range state.OpenNow() {
		open += n
	}
	first := "no look yet."
	if !state.Looked.IsZero() {
		first = fmt.Sprintf("%d open; last look at %s, one every %s.", open, state.Looked.UTC().Format("15:04 UTC"), ask.Spell(w.Watch.Every))
	}
	out := []string{first}
	if !state.Looked.IsZero() && w.Now().Sub(state.Looked) > overdue*w.Watch.Every {
		out = append(out, "it looks no more: nobody leads, or looks fail. The log of bot serve says why.")
	}
	denied, others := missed(state.Gaps)
	if len(denied) > 0 {
		grants := " are denied. bot serve --check says what grants them."
		if len(denied) == 1 {
			grants = " is denied. bot serve --check says what grants it."
		}
		out = append(out, "it does not see everything: "+diagnostics.Series(denied)+grants)
	}
	for _, reason := range slices.Sorted(maps.Keys(others)) {
		out = append(out, "the last look had to go without "+diagnostics.Series(others[reason])+" ("+reason+").")
	}
	for _, s := range watch.Awake(snoozes, w.Now()) {
		out = append(out, silenced(s))
	}
	return out
}
