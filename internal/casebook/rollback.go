package casebook

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/netdiag/netdiag/internal/remedy"
)

// retreat begins to take back a change that made things worse: only netdiag's own, only where it can be taken back, and
// not while changes are stopped. In every other case a person has to look.
func (e *Executor) retreat(ctx context.Context, h *hold, worse []string) error {
	me := h.record()
	text := "It got worse after the change: " + strings.Join(worse, "; ") + "."
	if receipt := me.Status.Receipt; receipt == nil || !receipt.Owned || receipt.Undo == nil {
		return h.finish(ctx, NeedsHuman, text+" A person has to look: netdiag can't take this change back. By hand: "+me.Plan.Fix.Undo)
	}
	if why := e.halted(ctx); why != "" && ctx.Err() == nil {
		return h.finish(ctx, NeedsHuman, text+" Changes are stopped, so netdiag does not take it back by itself. By hand: "+me.Plan.Fix.Undo)
	}
	now := e.Now()
	h.back = true
	return h.change(ctx, func(s *RemediationStatus) {
		s.Phase = RollingBack
		s.note("rolling-back", now, text+" Taking it back: "+strings.Join(spellAction(*me.Status.Receipt.Undo), "; "))
	})
}

// rollBack takes back what the receipt says, once: what was done before is looked for first. The hands refuse it where
// somebody has changed the thing since.
func (e *Executor) rollBack(ctx context.Context, h *hold) error {
	me := h.record()
	undo, m := *me.Status.Receipt.Undo, mark(me)
	unanswered := !h.back // another executor may have begun it
	var refused error
	for tries := 0; ; {
		done, _, err := e.look(ctx, undo, m, unanswered)
		byHand := " A person has to look. By hand: " + me.Plan.Fix.Undo
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return h.finish(ctx, NeedsHuman, fmt.Sprintf("It got worse after the change, and whether it is taken back could not be seen (%v).%s", err, byHand))
		case done:
			return e.rolledBack(ctx, h)
		case refused != nil:
			return h.finish(ctx, NeedsHuman, fmt.Sprintf("It got worse after the change, and it can't be taken back: it isn't as the change left it, or may not be changed (%v).%s", refused, byHand))
		case tries == attempts:
			return h.finish(ctx, NeedsHuman, fmt.Sprintf("It got worse after the change, and taking it back was tried %d times and is not seen.%s", tries, byHand))
		}
		if why := e.halted(ctx); why != "" && ctx.Err() == nil {
			return h.finish(ctx, NeedsHuman, "It got worse after the change. Changes are stopped, so netdiag does not take it back by itself."+byHand)
		}
		tries++
		err = h.act(ctx, func(ctx context.Context) error {
			_, err := e.Hands.Apply(ctx, undo, m)
			return err
		})
		if err == nil {
			return e.rolledBack(ctx, h)
		}
		if ctx.Err() == nil {
			e.fault(me.Name, fmt.Errorf("take back %s: %w", me.Plan.Target, err))
		}
		if errors.Is(err, remedy.ErrRefused) {
			refused = err
		} else {
			unanswered = true
		}
	}
}

func (e *Executor) rolledBack(ctx context.Context, h *hold) error {
	me := h.record()
	text := fmt.Sprintf("Taken back: it had got worse after the change. As before: %s.", strings.Join(spellAction(*me.Status.Receipt.Undo), "; "))
	return h.finish(ctx, RolledBack, text, ending(StepUndone))
}
