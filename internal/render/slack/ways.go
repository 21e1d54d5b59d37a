package slack

import (
	"fmt"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/render"
)

// Ids of the buttons that lead to a question or to its answer; each stands in a block whose id starts with BlockWays.
const (
	ActionForm   = "netdiag_form"   // opens the form
	ActionInvite = "netdiag_invite" // tells how to invite the bot; its value is an investigation
	ActionDirect = "netdiag_direct" // goes on in a direct message; its value is an investigation
	BlockWays    = "netdiag_ways"
)

func wayButton(action, value, label string) *slack.ButtonBlockElement {
	return slack.NewButtonBlockElement(action, value, plain(label, maxButton))
}

// NoMember tells whoever asked in a channel that the bot is no member of who sees the answer, and what can be done.
func NoMember(inv casebook.Investigation) Message {
	why := "I am no member of this channel, so only you see my answer, and fixes can't be approved here."
	return Message{
		Text: fallback(why),
		Blocks: []slack.Block{
			rich(line(text(why))),
			slack.NewActionBlock(BlockWays, wayButton(ActionDirect, inv.Name, "Continue in a direct message"), wayButton(ActionInvite, inv.Name, "How to invite me")),
		},
	}
}

// Unanswered tells one person that their question came to nothing: what happened, what to do, and the name to give to
// whoever runs netdiag.
func Unanswered(inv casebook.Investigation) Message {
	m := Refusal(nonempty(inv.Status.Error))
	m.Blocks = append(m.Blocks, context(inv.Name))
	return m
}

// HowToInvite says what to do so that the bot can answer in a channel; bot is its name, begin what people type first.
func HowToInvite(bot, begin string, inv casebook.Investigation) Message {
	why := "Any member of the channel can invite me; in a private channel nobody else can. Then ask again:"
	return Message{
		Text: fallback(why),
		Blocks: []slack.Block{rich(
			line(text(why)),
			bullets([]*slack.RichTextSection{
				line(text("type "), code("/invite @"+render.Clean(bot))),
				line(text("or open the channel's name, then Integrations, then Add apps")),
				line(text("ask again: "), code(typing(begin, render.Clean(inv.Question.Command)))),
			}, shownItems),
		)},
	}
}

// ChannelsOnly tells the reader of a direct message why fixes of the report come without buttons.
func ChannelsOnly(begin string, inv casebook.Investigation) Message {
	why := "Somebody else has to approve fixes like these, and nobody else reads this conversation. To get the buttons, ask in a channel that I am a member of:"
	return Message{
		Text:   fallback(why),
		Blocks: []slack.Block{rich(line(text(why+" "), code(typing(begin, render.Clean(inv.Question.Command)))))},
	}
}

// typing is a command as it is typed; begin is empty where nothing stands before it.
func typing(begin, words string) string { return strings.TrimSpace(begin + " " + words) }

// Entry is a question in a list, for History with its fixes that somebody decided on. Link leads to its answer; empty where
// there is nothing to see.
type Entry struct {
	casebook.Case
	Link string
}

// entry is one line: what was asked, when, by whom where who is wanted, and what came of it.
func entry(e Entry, who bool, now time.Time) *slack.RichTextSection {
	q := e.Investigation.Question
	spans := []span{code(render.Clean(q.Command)), text(" " + moment(e.Investigation.Created, now))}
	if who {
		spans = append(spans, text(" by "), person(q.User))
	}
	spans = append(spans, text(": "+render.Cut(came(e.Investigation), 200)))
	return line(linked(spans, e.Link, "see the answer")...)
}

// linked adds a link; without an address none.
func linked(spans []span, address, label string) []span {
	if address == "" {
		return spans
	}
	return append(spans, slack.NewRichTextSectionTextElement(" ", nil), slack.NewRichTextSectionLinkElement(address, label, nil))
}

// came is in a few words what came of a question.
func came(inv casebook.Investigation) string {
	switch s := inv.Status; {
	case s.Phase == casebook.Reported && s.Report != nil:
		if s.Report.Summary != "" {
			return render.Verdict(*s.Report) + ". " + render.Clean(s.Report.Summary)
		}
		return render.Verdict(*s.Report)
	case s.Phase == casebook.Faulted:
		return "no answer. " + render.Clean(s.Error)
	case s.Phase == casebook.Diagnosing:
		return "being looked into"
	}
	return "waiting"
}

// moment is a time of the day, with its day where that is another than now's.
func moment(t, now time.Time) string {
	t, now = t.UTC(), now.UTC()
	if t.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return t.Format("15:04 UTC")
	}
	return t.Format("2 January 15:04 UTC")
}

// Status is how the bot is and what it does.
type Status struct {
	Cluster, Region string
	Further         []string // clusters beside it, as "staging in eu-west-1"
	Fixes           bool     // offered with buttons in the first cluster
	Stopped         string   // since when and by whom changes are stopped, may mention a user as <@U…>; empty where they are not
	Connection      string
	Running         []Entry // being looked into or waiting, oldest first
	Waiting, Places int     // questions in the queue of this process, and how many it takes
	// Watch says how the early warning is, a sentence each, which may mention users as <@U…>; none where there is no watch.
	Watch []string
}

// StatusMessage answers the question how the bot is.
func StatusMessage(s Status, now time.Time) Message {
	blocks := []slack.Block{header("Status"), standing(s)}
	if len(s.Running) == 0 {
		blocks = append(blocks, rich(line(text("Nothing is being looked into at this moment."))))
	} else {
		var running []*slack.RichTextSection
		for _, e := range s.Running {
			running = append(running, entry(e, true, now))
		}
		blocks = append(blocks, rich(line(bold("Being looked into")), bullets(running, shownItems)))
	}
	return Message{Text: fallback("netdiag", "status"), Blocks: blocks}
}

// standing is how the bot is.
func standing(s Status) slack.Block {
	lines := []*slack.RichTextSection{
		line(bold("Cluster: "), text(render.Clean(strings.Join(append([]string{s.Cluster + " in " + s.Region}, s.Further...), ", ")))),
		line(bold("Mode: "), text(mode(s.Fixes))),
		line(bold("Connection: "), text(render.Clean(s.Connection))),
		line(bold("Queue: "), text(fmt.Sprintf("%d of %d places taken", s.Waiting, s.Places))),
	}
	for _, sentence := range s.Watch {
		lines = append(lines, line(append([]span{bold("Early warning: ")}, mentions(sentence)...)...))
	}
	if s.Stopped != "" {
		lines = append([]*slack.RichTextSection{line(append([]span{bold("Stopped: ")}, mentions(s.Stopped+" Approvers resume them.")...)...)}, lines...)
	}
	return rich(bullets(lines, shownItems))
}

func mode(fixes bool) string {
	if fixes {
		return "fixes are offered with buttons and carried out once approved"
	}
	return "read-only: fixes are shown as commands, nothing is changed"
}
