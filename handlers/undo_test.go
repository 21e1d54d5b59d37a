package handlers_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/sim/slack"
)

// fixed is a bubble in which the fix of a question was approved and has succeeded; result is the message that says so.
func fixed(t *testing.T, b *bubble) (root, result slack.Message) {
	t.Helper()
	b.execute()
	b.ask(maya, ops, "/netdiag pending backend")
	root = b.root(0, "root cause found")
	b.decide(jonas, b.card(root), "Approve", nil)
	result = b.reply(root, func(m slack.Message) bool { return len(m.Buttons()) == 1 && m.Buttons()[0].ActionID == "netdiag_undo" })
	b.settled()
	return root, result
}

// told has somebody press a button, and gives what only they are told.
func (b *bubble) told(user string, m slack.Message, button string) string {
	b.t.Helper()
	n := len(b.Ephemerals(user, ops))
	b.must(b.Click(b.context(), user, ops, m.TS, button))
	text := ""
	b.until(func(s *slack.State) bool {
		es := s.Ephemerals(user, ops)
		if len(es) > n {
			text = es[len(es)-1].Plain()
		}
		return len(es) > n
	})
	return text
}

// Undo goes through the same gate as the fix: asked for in a modal made from the record, approved on a card of its own.
func TestUndo(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		end := b.connect(b.config())
		root, result := fixed(t, b)
		if got := b.told(guest, result, "Undo"); !strings.Contains(got, "Only full members") {
			t.Errorf("a guest is told %q", got)
		}
		end()
		c := b.config()
		c.Holder = "bot-2" // the button outlives whoever made it
		defer b.connect(c)()

		b.must(b.Click(b.context(), jonas, ops, result.TS, "Undo"))
		b.modal(jonas, func(v slack.View) bool {
			return v.CallbackID == "netdiag_undo" && strings.Contains(v.Plain(), "prod-cluster") && strings.Contains(v.Plain(), "WARM_IP_TARGET")
		})
		if n := len(b.fixes()); n != 1 {
			t.Fatalf("opening the modal made %d records", n)
		}
		b.submit(jonas, nil)
		b.whisper(jonas, ops, "The undo is asked for")
		card := b.reply(root, func(m slack.Message) bool {
			return len(m.Buttons()) == 2 && strings.HasPrefix(m.Plain(), "Undo: ")
		})
		b.stored(func(f casebook.Remediation) bool { return f.Status.Card.TS == card.TS })

		// Pressed once more, and by who asked for it.
		b.must(b.Click(b.context(), aisha, ops, result.TS, "Undo"))
		b.modal(aisha, func(v slack.View) bool { return v.CallbackID == "netdiag_undo" })
		b.submit(aisha, nil)
		b.answered(aisha, "An undo of this fix is open already")
		b.must(b.Click(b.context(), jonas, ops, card.TS, "Approve"))
		b.whisper(jonas, ops, "somebody else has to approve it")

		b.must(b.Click(b.context(), maya, ops, result.TS, "Undo"))
		b.modal(maya, func(v slack.View) bool { return v.CallbackID == "netdiag_undo" })
		b.decide(aisha, card, "Approve", nil)
		b.reply(root, says("Undone: "))
		b.stored(func(f casebook.Remediation) bool { return f.Plan.Undoes != "" && f.Status.Posted["card-final"] != "" })
		b.world.mu.Lock()
		tuned := b.world.tuned
		b.world.mu.Unlock()
		if tuned {
			t.Error("the change is still there")
		}
		b.submit(maya, nil)
		b.answered(maya, "It was undone already")
		edited := b.reply(root, func(m slack.Message) bool { return m.TS == result.TS && len(m.Buttons()) == 0 })
		undo := b.fixes()[slices.IndexFunc(b.fixes(), func(f casebook.Remediation) bool { return f.Plan.Undoes != "" })]
		if want := "Undone at " + undo.Status.Finished.UTC().Format("15:04:05 UTC") + ", asked for by <@U0JONAS>, approved by <@U0AISHA>."; !strings.Contains(edited.Plain(), want) {
			t.Errorf("%q lacks %q", edited.Plain(), want)
		}
		told := b.ask(maya, ops, "/netdiag history")
		first, second := strings.Index(told, ": approved by <@U0JONAS>"), strings.Index(told, ": approved by <@U0AISHA>")
		if first < 0 || second < first || !strings.Contains(told[second:], undo.Status.Outcome[:20]) {
			t.Errorf("the history says\n%s", told)
		}
		if said, _, _ := strings.Cut(result.Plain(), "\nUndo"); !strings.HasPrefix(edited.Plain(), said) {
			t.Errorf("%q says no more what %q said", edited.Plain(), said)
		}
	})
}
