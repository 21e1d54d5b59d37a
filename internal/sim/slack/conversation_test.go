package slack_test

import (
	"strings"
	"testing"

	slackgo "github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"github.com/netdiag/netdiag/internal/sim/slack"
)

// answering is a bot that posts a root message and a card with buttons in its thread, and updates the card when one is pressed.
func answering(t *testing.T) *bot {
	return &bot{
		slash: func(b *bot, r socketmode.Request, c slackgo.SlashCommand) {
			if err := b.sm.Ack(r, map[string]any{"text": "On it."}); err != nil {
				t.Error(err)
			}
			_, root, err := b.api.PostMessage(c.ChannelID, slackgo.MsgOptionText("Looking at "+c.Text, true))
			if err != nil {
				t.Error(err)
				return
			}
			approve := slackgo.NewButtonBlockElement("approve", "v1:fix-1", text("plain_text", "Approve")).WithStyle(slackgo.StylePrimary).
				WithConfirm(slackgo.NewConfirmationBlockObject(text("plain_text", "Sure?"), text("mrkdwn", "This changes *aws-node*."), text("plain_text", "Apply"), text("plain_text", "No")))
			_, _, err = b.api.PostMessage(c.ChannelID, slackgo.MsgOptionTS(root), slackgo.MsgOptionText("Fix", true), slackgo.MsgOptionBlocks(
				slackgo.NewHeaderBlock(text("plain_text", "Fix")),
				slackgo.NewSectionBlock(text("mrkdwn", "Lower the *warm pool*"), nil, nil),
				slackgo.NewActionBlock("card", approve, slackgo.NewButtonBlockElement("reject", "v1:fix-1", text("plain_text", "Reject"))),
			))
			if err != nil {
				t.Error(err)
			}
		},
		interact: func(b *bot, r socketmode.Request, c slackgo.InteractionCallback) {
			if err := b.sm.Ack(r); err != nil {
				t.Error(err)
			}
			a := c.ActionCallback.BlockActions[0]
			if c.Container.ThreadTs == "" || c.Message.Timestamp != c.Container.MessageTs || a.Value != "v1:fix-1" || c.User.TeamID != "T00000001" || c.APIAppID != "A00000001" {
				t.Errorf("payload of the click: %+v", c)
			}
			_, _, _, err := b.api.UpdateMessage(c.Channel.ID, c.Container.MessageTs, slackgo.MsgOptionText(a.ActionID+" by <@"+c.User.ID+">", false))
			if err != nil {
				t.Error(err)
			}
		},
	}
}

func TestCommandThreadButtonUpdate(t *testing.T) {
	s, url := serve(t, workspace())
	answering(t).run(t, s, url)

	reply, err := s.Slash(t.Context(), maya, ops, "/netdiag pending backend")
	if err != nil {
		t.Fatal(err)
	}
	if reply.Message == nil || reply.Message.Text != "On it." || reply.Message.To != maya {
		t.Errorf("reply = %+v, want an ephemeral one", reply.Message)
	}
	var card slack.Message
	wait(t, s, func(st *slack.State) bool {
		roots := st.Messages(ops)
		if len(roots) != 1 {
			return false
		}
		thread := st.Thread(ops, roots[0].TS)
		if len(thread) == 2 {
			card = thread[1]
		}
		return len(thread) == 2
	})
	if got := s.Messages(ops)[0]; got.Text != "Looking at pending backend" || got.ReplyCount != 1 {
		t.Errorf("root = %+v", got)
	}
	if got, want := card.Plain(), "Fix\nLower the *warm pool*\nApprove\nReject"; got != want {
		t.Errorf("card says %q, want %q", got, want)
	}
	if bs := card.Buttons(); len(bs) != 2 || bs[0].Confirm == nil || bs[0].Style != "primary" {
		t.Errorf("buttons = %+v", bs)
	}
	if err := s.Click(t.Context(), jonas, ops, card.TS, "Approve"); err != nil {
		t.Fatal(err)
	}
	wait(t, s, func(st *slack.State) bool {
		m, _ := st.Message(ops, card.TS)
		return m.Text == "approve by <@U0JONAS>" && m.Blocks == nil && m.Edited != nil
	})
	for _, e := range s.Envelopes() {
		if e.Took < 0 {
			t.Errorf("%s %s was never acknowledged", e.Type, e.ID)
		}
	}
	if !strings.Contains(s.Transcript(), "Looking at pending backend") {
		t.Errorf("transcript = %q", s.Transcript())
	}
}

func TestModal(t *testing.T) {
	s, url := serve(t, workspace())
	submitted := make(chan string, 1)
	b := &bot{
		slash: func(b *bot, r socketmode.Request, c slackgo.SlashCommand) {
			_ = b.sm.Ack(r)
			_, err := b.api.OpenView(c.TriggerID, slackgo.ModalViewRequest{
				Type: slackgo.VTModal, Title: text("plain_text", "Diagnose"), Submit: text("plain_text", "Run"), Close: text("plain_text", "Cancel"),
				CallbackID: "diagnose", PrivateMetadata: c.ChannelID,
				Blocks: slackgo.Blocks{BlockSet: []slackgo.Block{
					slackgo.NewInputBlock("ns", text("plain_text", "Namespace"), nil, slackgo.NewPlainTextInputBlockElement(nil, "name")),
					slackgo.NewInputBlock("kind", text("plain_text", "What"), nil, slackgo.NewOptionsSelectBlockElement(slackgo.OptTypeStatic, nil, "what",
						slackgo.NewOptionBlockObject("pending", text("plain_text", "Pods without an IP"), nil), slackgo.NewOptionBlockObject("alb", text("plain_text", "5xx"), nil))),
				}},
			})
			if err != nil {
				t.Error(err)
			}
			if _, err := b.api.OpenView(c.TriggerID, slackgo.ModalViewRequest{Type: slackgo.VTModal, Title: text("plain_text", "Twice"), Blocks: slackgo.Blocks{BlockSet: []slackgo.Block{slackgo.NewDividerBlock()}}}); err == nil || err.Error() != "exchanged_trigger_id" {
				t.Errorf("second use of the trigger: %v", err)
			}
		},
		interact: func(b *bot, r socketmode.Request, c slackgo.InteractionCallback) {
			ns, what := c.View.State.Values["ns"]["name"].Value, c.View.State.Values["kind"]["what"].SelectedOption.Value
			if ns != "backend" {
				_ = b.sm.Ack(r, slackgo.NewErrorsViewSubmissionResponse(map[string]string{"ns": "no such namespace"}))
				return
			}
			_ = b.sm.Ack(r)
			submitted <- string(c.Type) + " " + c.View.CallbackID + " " + c.View.PrivateMetadata + " " + what + " " + ns
		},
	}
	b.run(t, s, url)
	if _, err := s.Slash(t.Context(), maya, ops, "/netdiag"); err != nil {
		t.Fatal(err)
	}
	wait(t, s, func(st *slack.State) bool { _, open := st.Modal(maya); return open })

	if problems, err := s.Submit(t.Context(), maya, map[string]string{"what": "alb"}); err != nil || problems["ns"] == "" {
		t.Errorf("submit without the required field: %v, %v", problems, err)
	}
	if problems, err := s.Submit(t.Context(), maya, map[string]string{"name": "bakend"}); err != nil || problems["ns"] != "no such namespace" {
		t.Errorf("submit with a wrong name: %v, %v", problems, err)
	}
	if _, err := s.Submit(t.Context(), maya, map[string]string{"name": "backend", "what": "Pods without an IP"}); err != nil {
		t.Fatal(err)
	}
	if got, want := <-submitted, "view_submission diagnose C0OPS pending backend"; got != want {
		t.Errorf("submitted %q, want %q", got, want)
	}
	if _, open := s.Modal(maya); open {
		t.Error("the modal is still open")
	}
}
