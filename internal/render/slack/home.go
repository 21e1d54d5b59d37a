package slack

import (
	"time"

	"github.com/slack-go/slack"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/render"
)

// Home is what a person sees of netdiag in the App Home.
type Home struct {
	Refusal string   // why the person may not ask; then nothing of the cluster is shown
	Rights  []string // what the person may do, a sentence each
	Asked   []Entry  // by this person, newest first
	Open    []Open   // fixes that wait for a decision that this person may take
	Status  Status   // its Running is not shown
	Begin   string   // what people type before a command
}

// Open is a fix that waits for a decision. Link leads to its card.
type Open struct {
	Remediation casebook.Remediation
	Link        string
}

// shownHome bounds each list of the Home tab: it may have 100 blocks, and each list is one.
const shownHome = 10

// HomeView is the Home tab.
func HomeView(h Home, now time.Time) slack.HomeTabViewRequest {
	blocks := []slack.Block{header("netdiag")}
	if h.Refusal != "" {
		return home(append(blocks, rich(line(text(render.Clean(h.Refusal)))))...)
	}
	ask := wayButton(ActionForm, "home", "Ask")
	ask.Style = slack.StylePrimary
	blocks = append(blocks,
		rich(line(text("Why do pods get no address, why does a load balancer answer 5xx? Ask here, or type "), code(typing(h.Begin, "help")), text(" in any channel."))),
		slack.NewActionBlock(BlockWays, ask),
		header("Waiting for your decision"), openFixes(h, now),
		header("What you asked lately"), asked(h, now),
		header("What you may do"), sentences(h.Rights),
		header("How netdiag is"), standing(h.Status),
		context("As of "+moment(now, now)+"; open this tab again for news."))
	return home(blocks...)
}

func home(blocks ...slack.Block) slack.HomeTabViewRequest {
	return slack.HomeTabViewRequest{Type: slack.VTHomeTab, Blocks: slack.Blocks{BlockSet: blocks}}
}

func openFixes(h Home, now time.Time) slack.Block {
	if len(h.Open) == 0 {
		return rich(line(text("Nothing.")))
	}
	var lines []*slack.RichTextSection
	for _, o := range h.Open {
		p := o.Remediation.Plan
		spans := []span{
			bold(render.FixItem(p.Fix).Text), text(" (risk " + render.Clean(p.Risk) + ", " + render.Clean(p.Target) + "), for "),
			person(p.Question.User), text(", until " + moment(p.Expires, now)),
		}
		lines = append(lines, line(linked(spans, o.Link, "decide")...))
	}
	return rich(bullets(lines, shownHome))
}

func asked(h Home, now time.Time) slack.Block {
	if len(h.Asked) == 0 {
		return rich(line(text("Nothing yet.")))
	}
	var lines []*slack.RichTextSection
	for _, e := range h.Asked {
		lines = append(lines, entry(e, false, now))
	}
	return rich(bullets(lines, shownHome))
}

func sentences(ss []string) slack.Block {
	if len(ss) == 0 {
		return rich(line(text("Nothing.")))
	}
	var lines []*slack.RichTextSection
	for _, s := range ss {
		lines = append(lines, line(text(render.Clean(s))))
	}
	return rich(bullets(lines, shownHome))
}
