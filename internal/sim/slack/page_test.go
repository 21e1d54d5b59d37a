package slack_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	slackgo "github.com/slack-go/slack"
	"github.com/slack-go/slack/slackevents"
	"github.com/slack-go/slack/socketmode"

	"github.com/netdiag/netdiag/internal/sim/slack"
	"github.com/netdiag/netdiag/internal/sim/slack/browsertest"
)

// storyteller answers as netdiag would: a root message, the verdict and a card in its thread, and an update once someone approves.
func storyteller(t *testing.T, fixed *atomic.Bool) *bot {
	post := func(b *bot, channel, thread, fallback string, blocks ...slackgo.Block) string {
		_, ts, err := b.api.PostMessage(channel, slackgo.MsgOptionTS(thread), slackgo.MsgOptionText(fallback, true), slackgo.MsgOptionBlocks(blocks...))
		if err != nil {
			t.Errorf("post %q: %v", fallback, err)
		}
		return ts
	}
	return &bot{
		slash: func(b *bot, r socketmode.Request, c slackgo.SlashCommand) {
			if strings.HasPrefix(c.Text, "help") {
				_ = b.sm.Ack(r, map[string]any{"text": "Ask `pending <namespace>` or `alb <ingress>`."})
				return
			}
			_ = b.sm.Ack(r)
			root := post(b, c.ChannelID, "", "Subnet subnet-1 has no free address", headline(c.UserID)...)
			post(b, c.ChannelID, root, "Verdict", verdict()...)
			post(b, c.ChannelID, root, "Fix", card()...)
		},
		interact: func(b *bot, r socketmode.Request, c slackgo.InteractionCallback) {
			_ = b.sm.Ack(r)
			a := c.ActionCallback.BlockActions[0]
			if c.Type != slackgo.InteractionTypeBlockActions || a.ActionID != "approve" {
				return
			}
			fixed.Store(true)
			_, _, _, err := b.api.UpdateMessage(c.Channel.ID, c.Message.Timestamp, slackgo.MsgOptionText("Approved", true), slackgo.MsgOptionBlocks(
				slackgo.NewSectionBlock(text("mrkdwn", ":white_check_mark: *Warm pool targets lowered* – approved by <@"+c.User.ID+">"), nil, nil),
				slackgo.NewContextBlock("", text("mrkdwn", "96 addresses came free in `us-west-2a`; the last pending pod runs.")),
			))
			if err != nil {
				t.Error(err)
			}
		},
	}
}

func headline(user string) []slackgo.Block {
	return []slackgo.Block{
		slackgo.NewSectionBlock(text("mrkdwn", ":red_circle: *6 pods in `backend` get no IP address: subnet `subnet-1` is exhausted*\nasked by <@"+user+"> · answered in 1.2 s · _confirmed_"), nil, nil),
		slackgo.NewContextBlock("", text("mrkdwn", "cluster `prod-eu` · us-west-2 · read only")),
	}
}

// injected is what a pod's annotation might say; it must come out as these characters.
const injected = `<!channel> <b>bold</b> <img src=x onerror=alert(1)> *no* :fire: & <https://evil.example|kubectl>`

func verdict() []slackgo.Block {
	bold := &slackgo.RichTextSectionTextStyle{Bold: true}
	code := &slackgo.RichTextSectionTextStyle{Code: true}
	span := slackgo.NewRichTextSectionTextElement
	table := slackgo.NewTableBlock("subnets").WithColumnSettings(slackgo.ColumnSetting{}, slackgo.ColumnSetting{}, slackgo.ColumnSetting{Align: "right"}, slackgo.ColumnSetting{Align: "right"})
	for _, row := range [][4]string{{"Subnet", "Zone", "Used", "Free"}, {"subnet-1", "us-west-2a", "251 of 251", "0"}, {"subnet-2", "us-west-2b", "180 of 251", "71"}} {
		table.AddRow(slackgo.NewTableRawTextCell(row[0]), slackgo.NewTableRawTextCell(row[1]), slackgo.NewTableRawTextCell(row[2]), slackgo.NewTableRawTextCell(row[3]))
	}
	return []slackgo.Block{
		slackgo.NewHeaderBlock(text("plain_text", "Why pods get no IP address")),
		slackgo.NewSectionBlock(text("mrkdwn", "*Subnet `subnet-1` has 0 free addresses.* The warm pools of three nodes hold 96 addresses that no pod uses.\n> failed to assign an IP address to container"), []*slackgo.TextBlockObject{
			text("mrkdwn", "*Confidence*\nconfirmed"), text("mrkdwn", "*Impact*\n6 pods pending for 14 min"),
		}, nil),
		table,
		slackgo.NewDataVisualizationBlock("Addresses", slackgo.NewDataVisualizationBarChart(slackgo.NewDataVisualizationAxisConfig("subnet-1", "subnet-2"),
			slackgo.NewDataVisualizationDataSeries("used", slackgo.NewDataVisualizationDataPoint("subnet-1", 251), slackgo.NewDataVisualizationDataPoint("subnet-2", 180)))),
		slackgo.NewRichTextBlock("evidence",
			slackgo.NewRichTextSection(span("Evidence", bold), span(" that anyone can repeat:", nil)),
			slackgo.NewRichTextList(slackgo.RTEListBullet, 0,
				slackgo.NewRichTextSection(span("AvailableIpAddressCount is ", nil), span("0", code)),
				slackgo.NewRichTextSection(span("WARM_ENI_TARGET is ", nil), span("1", code), span(" on nodes of 3 interfaces", nil)),
				slackgo.NewRichTextSection(span("annotation says "+injected, nil)),
			),
			&slackgo.RichTextPreformatted{Type: slackgo.RTEPreformatted, Elements: []slackgo.RichTextSectionElement{span("aws ec2 describe-subnets --subnet-ids subnet-1 \\\n  --query 'Subnets[].AvailableIpAddressCount'", nil)}},
		),
		slackgo.NewContextBlock("", text("mrkdwn", ":white_check_mark: ruled out: node limit, prefix delegation, IAM   :warning: not read: CloudTrail (`cloudtrail:LookupEvents`)")),
	}
}

func card() []slackgo.Block {
	approve := slackgo.NewButtonBlockElement("approve", "v1:fix-1:n1", text("plain_text", "Approve")).WithStyle(slackgo.StylePrimary).
		WithConfirm(slackgo.NewConfirmationBlockObject(text("plain_text", "Apply this fix?"),
			text("mrkdwn", "`aws-node` in *prod-eu*: WARM_ENI_TARGET 1 → unset, WARM_IP_TARGET → 2"), text("plain_text", "Approve"), text("plain_text", "Not now")))
	reject := slackgo.NewButtonBlockElement("reject", "v1:fix-1:n1", text("plain_text", "Reject")).WithStyle(slackgo.StyleDanger)
	show := slackgo.NewButtonBlockElement("commands", "v1:fix-1", text("plain_text", "Show commands"))
	return []slackgo.Block{
		slackgo.NewSectionBlock(text("mrkdwn", ":wrench: *Lower the warm pool targets*\nFrees 96 addresses in `us-west-2a`; 6 are missing. Undone by setting the old values."), nil, slackgo.NewAccessory(show)),
		slackgo.NewDividerBlock(),
		slackgo.NewActionBlock("decide", approve, reject),
		slackgo.NewContextBlock("", text("mrkdwn", ":shield: medium risk · a second person must approve")),
	}
}

func demo(fixed *atomic.Bool) slack.Options {
	o := workspace()
	o.Channels[0].Topic = "production on call"
	o.App.Commands = []slack.Command{{Name: "/netdiag", Description: "Diagnose EKS networking", Uses: []slack.Use{
		{Text: "pending <namespace>", Does: "why pods get no IP address"}, {Text: "alb <ingress>", Does: "why the load balancer answers 5xx"}, {Text: "help [topic]", Does: "what it can do"},
	}}}
	o.Hints = []string{"/netdiag pending backend", "/netdiag alb api-ingress"}
	o.Panel = func() slack.Panel {
		state, free := "!Pending", "!0"
		if fixed.Load() {
			state, free = "+Running", "+90"
		}
		return slack.Panel{
			Title: "Cluster prod-eu",
			Tables: []slack.Table{
				{Title: "Pods in backend", Columns: []string{"Pod", "State", "Node"}, Rows: [][]string{{"api-7c9d-x2x4q", state, "ip-10-0-1-12"}, {"api-7c9d-k8s2p", "+Running", "ip-10-0-2-40"}}},
				{Title: "Subnets", Columns: []string{"Subnet", "Zone", "Free"}, Rows: [][]string{{"subnet-1", "us-west-2a", free}, {"subnet-2", "us-west-2b", "71"}}},
			},
			Commands: []string{"kubectl get pods -n backend -o wide", "aws ec2 describe-subnets --subnet-ids subnet-1"},
		}
	}
	return o
}

func TestPage(t *testing.T) {
	b := browsertest.New(t)
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		dir = t.TempDir()
	}
	var fixed atomic.Bool
	s, url := serve(t, demo(&fixed))
	storyteller(t, &fixed).run(t, s, url)

	b.Goto(url)
	b.WaitText("Maya Lindqvist")
	b.Screenshot(dir + "/1-empty.png")
	b.Type("/netdiag pending backend")
	b.WaitText("subnet-1 is exhausted")
	b.WaitText("2 replies")
	b.OpenThread("subnet-1 is exhausted")
	b.WaitText("The warm pools of three nodes hold 96 addresses")
	b.WaitText(injected)
	if n := browsertest.Eval[int](b, `document.querySelectorAll("img[src=x], b, .message .mention.loud, a[href*=evil]").length`); n != 0 {
		t.Errorf("%d elements came out of a text", n)
	}
	if got, want := browsertest.Eval[string](b, `document.querySelector(".chart [role=img]").ariaLabel`), "used: subnet-1 251, subnet-2 180"; got != want {
		t.Errorf("the chart reads %q, want %q", got, want)
	}
	b.Screenshot(dir + "/2-thread.png")

	b.SwitchUser("Jonas Weber")
	b.Click("Approve")
	b.WaitText("Apply this fix?")
	b.Screenshot(dir + "/3-confirm.png")
	b.Deny()
	b.WaitGone("Apply this fix?")
	if fixed.Load() {
		t.Error("a denied confirm dialog pressed the button")
	}
	b.Click("Approve")
	b.Confirm()
	b.WaitText("Warm pool targets lowered – approved by @jonas")
	b.WaitGone("Apply this fix?")
	b.WaitText("Cluster prod-eu")
	b.WaitText("90")
	b.Screenshot(dir + "/4-fixed.png")

	m := s.Messages(ops)
	if len(m) != 1 || m[0].ReplyCount != 2 {
		t.Errorf("the channel holds %d messages", len(m))
	}
	b.Resize(390, 844)
	b.Click("Close the world")
	b.Screenshot(dir + "/5-phone-thread.png")
	b.Click("Close thread")
	b.Click("Channels and people")
	b.Screenshot(dir + "/5-phone-menu.png")
	if wide := browsertest.Eval[int](b, `document.documentElement.scrollWidth`); wide > 390 {
		t.Errorf("on a screen of 390 pixels the page is %d wide", wide)
	}
}

// A message that changes while the mouse button is down still gets the click.
func TestPageChangesUnderAClick(t *testing.T) {
	b := browsertest.New(t)
	var fixed atomic.Bool
	s, url := serve(t, demo(&fixed))
	bot := storyteller(t, &fixed)
	bot.run(t, s, url)
	b.Goto(url)
	b.Type("/netdiag pending backend")
	b.WaitText("2 replies")
	root := s.Messages(ops)[0].TS
	release := b.Hold("[data-thread]")
	if _, _, err := bot.api.PostMessage(ops, slackgo.MsgOptionTS(root), slackgo.MsgOptionText("one more", false)); err != nil {
		t.Fatal(err)
	}
	// The page hears of it at the same time as this listener does.
	browsertest.Eval[bool](b, `new Promise((done) => {
		const heard = new EventSource("/client/stream?user=" + document.getElementById("app").dataset.me);
		heard.addEventListener("state", (ev) => {
			if (!ev.data.includes("one more")) return;
			heard.close();
			requestAnimationFrame(() => requestAnimationFrame(() => done(true)));
		});
	})`)
	release()
	b.Click("Close thread")
}

// What only one person sees, an app that does not answer, and a person who types what nobody knows.
func TestPageEphemeral(t *testing.T) {
	b := browsertest.New(t)
	var fixed atomic.Bool
	s, url := serve(t, demo(&fixed))
	bot := storyteller(t, &fixed)
	bot.run(t, s, url)
	b.Goto(url)
	b.Type("/netdiag help")
	b.WaitText("Only visible to you")
	b.SwitchUser("Jonas")
	b.WaitGone("Only visible to you")
	b.SwitchUser("Maya")
	b.WaitText("Ask pending <namespace> or alb <ingress>.")
	b.Click("Dismiss message")
	b.WaitGone("Only visible to you")
	b.Type("/nettdiag pending backend")
	b.WaitText("/nettdiag is not a valid command.")

	s.Disconnect("link_disabled")
	wait(t, s, func(st *slack.State) bool { return st.Sockets() == 0 })
	b.WaitText("netdiag is not connected.")
	b.Type("/netdiag pending backend")
	b.WaitText(`/netdiag failed with the error "dispatch_failed"`)
}

func TestPageModal(t *testing.T) {
	b := browsertest.New(t)
	o := demo(new(atomic.Bool))
	s, url := serve(t, o)
	form := formBot(t)
	form.run(t, s, url)
	b.Goto(url)
	b.Type("/netdiag")
	b.WaitText("Namespace")
	if dir := os.Getenv("SCREENSHOTS"); dir != "" {
		b.Screenshot(dir + "/6-modal.png")
	}
	b.Submit()
	b.WaitText("Please complete this required field.")
	b.Fill("Namespace", "bakend")
	b.Fill("What", "5xx")
	b.Submit()
	b.WaitText("no such namespace")
	if got := browsertest.Eval[string](b, `document.querySelector("#modal input[type=text]").value`); got != "bakend" {
		t.Errorf("the form forgot what was typed: %q", got)
	}
	b.Fill("Namespace", "backend")
	b.Submit()
	b.WaitGone("Namespace")
	wait(t, s, func(st *slack.State) bool { _, open := st.Modal(maya); return !open })
}

// The other ways in: a message's menu opens a form whose select finds its options while one types, and the app has a Home tab.
func TestPageShortcutsAndHome(t *testing.T) {
	b := browsertest.New(t)
	o := demo(new(atomic.Bool))
	o.App.Shortcuts = []slack.Shortcut{
		{CallbackID: "msg", Name: "Diagnose this message", Message: true}, {CallbackID: "global", Name: "Run a diagnosis", Description: "Open the form"},
	}
	s, url := serve(t, o)
	searchBot(t).run(t, s, url)
	if _, err := s.Say(jonas, ops, "", "ALERT: pods pending in backend"); err != nil {
		t.Fatal(err)
	}
	b.Goto(url)
	b.WaitText("ALERT: pods pending")
	b.Click("More actions")
	b.Click("Diagnose this message\nnetdiag")
	b.WaitText("From: ALERT: pods pending in backend")
	b.Fill("Namespace", "back")
	b.Click("backend")
	if dir := os.Getenv("SCREENSHOTS"); dir != "" {
		b.Screenshot(dir + "/7-shortcut.png")
	}
	b.Submit()
	b.WaitText("pending backend, answer to C0OPS")

	b.Type("/run a d") // the slash finds shortcuts too
	b.WaitText("From: nothing")
	b.Click("Cancel")
	b.WaitGone("From: nothing")

	b.Click("Reply in thread")
	b.WaitText("No replies yet")
	b.Reply("@netdiag pending backend")
	b.WaitText("heard in a thread: pending backend")
	b.Click("Close thread")

	b.OpenChannel("netdiag")
	b.Click("Home")
	b.WaitText("Home of Maya, seen 1 times")
	b.Click("Refresh")
	b.WaitText("Home of Maya, seen 2 times")
	b.SwitchUser("Jonas")
	b.OpenChannel("netdiag")
	b.Click("Home")
	b.WaitText("Home of Jonas, seen 1 times")
}

// searchBot opens a form from shortcuts, finds namespaces while one types, answers mentions and has a Home tab.
func searchBot(t *testing.T) *bot {
	form := func(from string) slackgo.ModalViewRequest {
		where := slackgo.NewOptionsSelectBlockElement(slackgo.OptTypeConversations, nil, "where")
		where.DefaultToCurrentConversation = true
		return slackgo.ModalViewRequest{
			Type: slackgo.VTModal, Title: text("plain_text", "Diagnose"), Submit: text("plain_text", "Run"), Close: text("plain_text", "Cancel"),
			Blocks: slackgo.Blocks{BlockSet: []slackgo.Block{
				slackgo.NewSectionBlock(text("plain_text", "From: "+from), nil, nil),
				slackgo.NewInputBlock("ns", text("plain_text", "Namespace"), nil, slackgo.NewOptionsSelectBlockElement(slackgo.OptTypeExternal, text("plain_text", "Search"), "pick")),
				slackgo.NewInputBlock("to", text("plain_text", "Post to"), nil, where).WithOptional(true),
			}},
		}
	}
	names := map[string]string{maya: "Maya", jonas: "Jonas"}
	var mu sync.Mutex
	seen := map[string]int{}
	home := func(b *bot, user string) {
		mu.Lock()
		seen[user]++
		line := fmt.Sprintf("Home of %s, seen %d times", names[user], seen[user])
		mu.Unlock()
		_, err := b.api.PublishView(user, slackgo.HomeTabViewRequest{Type: slackgo.VTHomeTab, Blocks: slackgo.Blocks{BlockSet: []slackgo.Block{
			slackgo.NewHeaderBlock(text("plain_text", line)), slackgo.NewActionBlock("", slackgo.NewButtonBlockElement("refresh", "", text("plain_text", "Refresh"))),
		}}}, "")
		if err != nil {
			t.Error(err)
		}
	}
	return &bot{
		interact: func(b *bot, r socketmode.Request, c slackgo.InteractionCallback) {
			if c.Type == slackgo.InteractionTypeBlockSuggestion {
				_ = b.sm.Ack(r, slackgo.OptionsResponse{Options: []*slackgo.OptionBlockObject{slackgo.NewOptionBlockObject("k1", text("plain_text", c.Value+"end"), nil)}})
				return
			}
			_ = b.sm.Ack(r)
			var err error
			switch c.Type {
			case slackgo.InteractionTypeMessageAction:
				_, err = b.api.OpenView(c.TriggerID, form(c.Message.Text))
			case slackgo.InteractionTypeShortcut:
				_, err = b.api.OpenView(c.TriggerID, form("nothing"))
			case slackgo.InteractionTypeViewSubmission:
				v := c.View.State.Values
				_, _, err = b.api.PostMessage(ops, message("pending "+v["ns"]["pick"].SelectedOption.Text.Text+", answer to "+v["to"]["where"].SelectedConversation))
			case slackgo.InteractionTypeBlockActions:
				home(b, c.User.ID)
			}
			if err != nil {
				t.Errorf("%s: %v", c.Type, err)
			}
		},
		event: func(b *bot, r socketmode.Request, e slackevents.EventsAPIEvent) {
			_ = b.sm.Ack(r)
			switch ev := e.InnerEvent.Data.(type) {
			case *slackevents.AppHomeOpenedEvent:
				if ev.Tab == "home" {
					home(b, ev.User)
				}
			case *slackevents.AppMentionEvent:
				_, said, _ := strings.Cut(ev.Text, " ")
				if _, _, err := b.api.PostMessage(ev.Channel, slackgo.MsgOptionTS(ev.ThreadTimeStamp), message("heard in a thread: "+said)); err != nil {
					t.Error(err)
				}
			}
		},
	}
}

// formBot opens a form and finds fault with every namespace but backend.
func formBot(t *testing.T) *bot {
	return &bot{
		slash: func(b *bot, r socketmode.Request, c slackgo.SlashCommand) {
			_ = b.sm.Ack(r)
			_, err := b.api.OpenViewContext(context.Background(), c.TriggerID, slackgo.ModalViewRequest{
				Type: slackgo.VTModal, Title: text("plain_text", "Run a diagnosis"), Submit: text("plain_text", "Run"), Close: text("plain_text", "Cancel"),
				Blocks: slackgo.Blocks{BlockSet: []slackgo.Block{
					slackgo.NewSectionBlock(text("mrkdwn", "What is wrong?"), nil, nil),
					slackgo.NewInputBlock("ns", text("plain_text", "Namespace"), text("plain_text", "Where the pods are pending"), slackgo.NewPlainTextInputBlockElement(text("plain_text", "backend"), "name")),
					slackgo.NewInputBlock("kind", text("plain_text", "What"), nil, slackgo.NewOptionsSelectBlockElement(slackgo.OptTypeStatic, nil, "what",
						slackgo.NewOptionBlockObject("pending", text("plain_text", "Pods without an IP"), nil), slackgo.NewOptionBlockObject("alb", text("plain_text", "5xx from a load balancer"), nil))),
				}},
			})
			if err != nil {
				t.Error(err)
			}
		},
		interact: func(b *bot, r socketmode.Request, c slackgo.InteractionCallback) {
			if c.View.State.Values["ns"]["name"].Value != "backend" {
				_ = b.sm.Ack(r, slackgo.NewErrorsViewSubmissionResponse(map[string]string{"ns": "no such namespace"}))
				return
			}
			_ = b.sm.Ack(r)
		},
	}
}
