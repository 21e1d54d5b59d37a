package handlers

import (
	"slices"

	render "github.com/netdiag/netdiag/internal/render/slack"
)

// refusedBlocks reports an answer of Slack that is about the form of a message: said more plainly, it may be taken.
func refusedBlocks(code string) bool {
	return slices.Contains([]string{
		"invalid_blocks", "invalid_blocks_format", "invalid_attachments", "msg_blocks_too_long", "msg_too_long", "invalid_metadata_format",
		"invalid_metadata_schema", "metadata_too_large",
	}, code)
}

// plainly sends a message, and where Slack refuses its form sends it ever more plainly: without charts, without tables,
// in the oldest blocks, and at last cut short. Charts and tables are newer than some workspaces: what was found to be
// needed is remembered while the process lives, and tried first.
func (w *web) plainly(m render.Message, send func(render.Message) error) error {
	w.mu.Lock()
	level := w.level
	w.mu.Unlock()
	ladder := render.Ladder(m)
	for len(ladder) > 1 && ladder[1].Level <= level {
		ladder = ladder[1:]
	}
	for i, rung := range ladder {
		err := send(rung.Message)
		switch {
		case err == nil:
			if i > 0 && rung.Level <= render.NoTables {
				w.mu.Lock()
				w.level = max(w.level, rung.Level)
				w.mu.Unlock()
			}
			return nil
		case !refusedBlocks(codeOf(err)) || i == len(ladder)-1:
			return clean(err)
		}
	}
	return nil // not reached: a ladder has at least one rung
}

// charts reports whether this workspace has taken native charts so far, as far as is known.
func (w *web) charts() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.level < render.NoCharts
}
