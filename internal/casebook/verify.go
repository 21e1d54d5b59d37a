package casebook

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
)

// mostNotes bounds how often a thread is told of progress.
const mostNotes = 12

// view is what one diagnosis after a change shows.
type view struct {
	report diagnostics.Report
	left   []string // keys of findings that the change should have resolved and that are still there
	unsure []string // permissions of reads without which it can't be said that they are gone
	other  []string // keys of root causes that were not there before; a severity without a cause is trouble without a name
}

// course is what has been seen since a change.
type course struct {
	me      Remediation
	before  diagnostics.Report
	open    bool // the change is still being carried out
	clean   int  // diagnoses in a row in which the trouble is gone and the change is made
	worse   harm
	last    *view // that could be had
	trouble error // of the last diagnosis
}

// verify diagnoses until what the change should resolve is gone, and says what it sees on the way. It claims success
// only for what it saw: twice in a row, with every read that decides it. A change that makes things worse is taken back.
func (e *Executor) verify(ctx context.Context, h *hold) error {
	me := h.record()
	if me.Plan.Undoes != "" {
		return e.verifyUndo(ctx, h)
	}
	c := course{me: me, before: e.before(ctx, me.Plan), worse: harm{}}
	for {
		r, err := e.diagnose(ctx, me.Plan)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		now := e.Now()
		if err != nil && c.trouble == nil {
			e.fault(me.Name, fmt.Errorf("diagnose after the change: %w", err))
		}
		fate := e.fate(ctx, me)
		if fate.Failed != "" {
			return h.finish(ctx, NeedsHuman, brokenOff(me, fate.Failed, r, err, now))
		}
		c.open = fate.Open
		if c.trouble = err; err != nil {
			c.clean = 0
		} else if over, err := e.observe(ctx, h, &c, r, now); over || err != nil {
			return err
		}
		if c.clean == 0 && !now.Before(me.Status.Deadline) {
			return h.finish(ctx, NeedsHuman, unfinished(c, now))
		}
		if err := e.pause(ctx, e.poll()); err != nil {
			return err
		}
	}
}

// observe takes in one diagnosis after the change; over is true once it has ended the watching.
func (e *Executor) observe(ctx context.Context, h *hold, c *course, r diagnostics.Report, now time.Time) (over bool, err error) {
	v := judge(r, c.before, c.me.Plan.Fix.Resolves)
	c.last = &v
	if err := e.progress(ctx, h, c.before, v, now); err != nil {
		return false, err
	}
	stays, worse := c.worse.see(c.before, r, now)
	switch {
	case len(stays) > 0:
		return true, e.retreat(ctx, h, stays)
	case len(v.left)+len(v.unsure) > 0 || worse || c.open:
		c.clean = 0
	case len(v.other) == 0:
		if c.clean++; c.clean == 2 {
			return true, e.succeed(ctx, h, c.before, v, now)
		}
	case !now.Before(c.me.Status.Applied.Add(usual(c.me.Plan.Fix))): // what is new stays: it isn't just on its way to heal
		return true, e.succeed(ctx, h, c.before, v, now)
	default:
		c.clean = 0
	}
	return false, nil
}

// before is the report that the plan was made of; empty where it can't be read, which only makes notes more frequent.
func (e *Executor) before(ctx context.Context, p Plan) diagnostics.Report {
	inv, err := e.Store.Investigations.Get(ctx, p.Investigation)
	if err != nil || inv.Status.Report == nil {
		return diagnostics.Report{}
	}
	return *inv.Status.Report
}

func judge(r, before diagnostics.Report, resolves []string) view {
	v := view{report: r}
	ids := map[string]bool{}
	for _, key := range resolves {
		id, _, _ := strings.Cut(key, " ")
		ids[id] = true
		if _, there := r.Finding(key); there {
			v.left = append(v.left, key)
		}
	}
	for _, g := range r.Gaps {
		if r.Open() && len(g.Caps) > 0 || slices.ContainsFunc(g.Caps, func(id string) bool { return ids[id] }) {
			v.unsure = append(v.unsure, g.Permission)
		}
	}
	as := len(before.Causes) == 0 && before.Severity == r.Severity // what is left may only contribute, as what was found
	if len(r.Causes) == 0 && r.Severity != "" && !as {
		v.other = append(v.other, "trouble without a name")
	}
	for _, f := range r.Causes {
		if _, known := before.Finding(f.Key()); !known && !slices.Contains(resolves, f.Key()) {
			v.other = append(v.other, f.Key())
		}
	}
	return v
}

// noteEvery is the least time between two notes of progress: numbers may change with every diagnosis.
const noteEvery = 15 * time.Second

// progress tells the thread what has changed for those whom the trouble hurts.
func (e *Executor) progress(ctx context.Context, h *hold, before diagnostics.Report, v view, now time.Time) error {
	said, n, last := effect(before), 0, time.Time{}
	for _, note := range h.status().Notes {
		if strings.HasPrefix(note.Key, "progress-") {
			said, n, last = note.Text, n+1, note.At
		}
	}
	text := tally(before, v.report)
	if text == said || text == "" || n == mostNotes || now.Sub(last) < noteEvery {
		return nil
	}
	return h.change(ctx, func(s *RemediationStatus) { s.note(fmt.Sprintf("progress-%d", n+1), now, text) })
}

// tally is what a report says of the effect of a change, in numbers that people care about: how many pods or targets are
// still in trouble, how many addresses came free, which fault became which.
func tally(before, now diagnostics.Report) string {
	text := effect(now)
	was, is := figuresOf(before), figuresOf(now)
	for _, more := range []string{gained(was, is), turned(was, is)} {
		if more != "" && text != "" {
			text += "; " + more
		}
	}
	return text
}

// effect is what a report says about those whom the trouble hurts.
func effect(r diagnostics.Report) string {
	if r.Impact != "" {
		return r.Impact
	}
	return r.Summary
}

func (e *Executor) succeed(ctx context.Context, h *hold, before diagnostics.Report, v view, now time.Time) error {
	me := h.record()
	what := "what it was to resolve is"
	switch n := len(me.Plan.Fix.Resolves); {
	case n == 1:
		what = me.Plan.Fix.Resolves[0] + " is"
	case n > 1:
		what = someOf(me.Plan.Fix.Resolves) + " are"
	}
	text := fmt.Sprintf("Done: %s gone %s after the change.", what, spellTime(now.Sub(me.Status.Applied)))
	switch {
	case len(v.other) > 0:
		text += fmt.Sprintf(" What is left is something else: %s.", v.report.Summary)
		if how := turned(figuresOf(before), figuresOf(v.report)); how != "" {
			text += " " + how + "."
		}
	case v.report.Summary != "":
		text += " " + v.report.Summary + "."
	}
	return h.finish(ctx, Succeeded, text, ending(StepVerified), func(s *RemediationStatus) { s.Watch = watchOf(me, s.Finished) })
}

// someOf lists three of what was found, and counts the others.
func someOf(keys []string) string {
	const most = 3
	text := strings.Join(keys[:min(len(keys), most)], ", ")
	if n := len(keys) - most; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return text
}

// unfinished says what is so at the deadline, and how to go back.
func unfinished(c course, now time.Time) string {
	me, last, trouble := c.me, c.last, c.trouble
	if trouble == nil && c.open && last != nil && len(last.left)+len(last.unsure) == 0 {
		return fmt.Sprintf("The trouble is gone, but %s after it was applied the change is still being carried out (%s): %s. A person has to look how it ends. To undo it then: %s",
			spellTime(now.Sub(me.Status.Applied)), strings.Join(me.Plan.Fix.Changes, "; "), last.report.Summary, me.Plan.Fix.Undo)
	}
	text := fmt.Sprintf("Applied (%s), but after %s it is not seen to have helped: ", strings.Join(me.Plan.Fix.Changes, "; "), spellTime(now.Sub(me.Status.Applied)))
	switch {
	case trouble != nil:
		text += fmt.Sprintf("it can't be diagnosed (%v).", trouble)
	case last == nil:
		text += "nothing could be seen."
	case len(last.left) > 0:
		text += fmt.Sprintf("%s. Still there: %s.", last.report.Summary, strings.Join(last.left, ", "))
	case len(last.unsure) > 0:
		text += fmt.Sprintf("whether the trouble is gone can't be read (%s).", strings.Join(last.unsure, ", "))
	default:
		text += last.report.Summary + "."
	}
	if me.Status.Receipt == nil || !me.Status.Receipt.Owned {
		return text + " The change was in place before, so nothing of it is undone."
	}
	return text + " A person has to look. To undo it: " + me.Plan.Fix.Undo
}

// overtaken says why the plan isn't the right one any more; moot is true where nothing else is right now.
func overtaken(r diagnostics.Report, p Plan) (text string, moot bool) {
	text = "Not applied, nothing was changed: "
	for _, f := range r.Fixes {
		if f.ID == p.Fix.ID && f.Action != nil && f.Executable {
			return text + fmt.Sprintf("the fix is now another one. Approved was: %s. Right is now: %s.",
				strings.Join(p.Fix.Changes, "; "), strings.Join(f.Changes, "; ")), false
		}
	}
	for _, f := range r.Refused {
		if f.ID == p.Fix.ID {
			return text + fmt.Sprintf("the fix would not help any more: %s.", f.Why), false
		}
	}
	var missing []string
	for _, g := range r.Gaps {
		if len(g.Caps) > 0 {
			missing = append(missing, g.Permission+" "+g.Reason)
		}
	}
	switch {
	case len(missing) > 0:
		return text + fmt.Sprintf("diagnosed again, it can't be seen whether the fix is still right (%s).", strings.Join(missing, ", ")), false
	case len(r.Causes) == 0 && len(judge(r, diagnostics.Report{}, p.Fix.Resolves).left) == 0:
		return text + fmt.Sprintf("diagnosed again, the trouble is gone: %s.", r.Summary), r.Severity == ""
	}
	return text + fmt.Sprintf("diagnosed again, the fix isn't proposed any more: %s.", r.Summary), false
}

// spellTime rounds to seconds: 1m30s.
func spellTime(d time.Duration) string { return d.Round(time.Second).String() }
