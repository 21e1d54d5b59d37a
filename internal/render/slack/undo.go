package slack

import (
	"github.com/slack-go/slack"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/render"
)

// Ids of the button under what became of a fix, and of the modal that it opens.
const (
	ActionUndo   = "netdiag_undo"
	BlockUndo    = "netdiag_undo"
	CallbackUndo = "netdiag_undo"
)

// UndoView is the modal in which somebody asks for a fix to be undone: what was changed, from the record, and how it is
// taken back. metadata comes back with it.
func UndoView(rem casebook.Remediation, metadata string) slack.ModalViewRequest {
	p := rem.Plan
	said := append(status(rem),
		line(text("Cluster: "), bold(render.Clean(p.Question.Target.Cluster))),
		line(text("Asking changes nothing yet: the undo gets a card of its own, and "), bold(undoers(p)+" to approve it"), text(", as the fix had.")))
	return slack.ModalViewRequest{
		Type: slack.VTModal, CallbackID: CallbackUndo, PrivateMetadata: fit(metadata, maxMetadata),
		Title: plain("Undo this fix?", 24), Submit: plain("Ask for the undo", 24), Close: plain("Back", 24),
		Blocks: slack.Blocks{BlockSet: []slack.Block{header(render.FixItem(p.Fix).Text), plan(rem), rich(said...), context(rem.Name, "plan "+p.Hash)}},
	}
}

func undoers(p casebook.Plan) string {
	if p.Approvals == 1 {
		return approvers(p, 0) + " has"
	}
	return approvers(p, 0) + " have"
}
