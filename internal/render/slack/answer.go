package slack

import (
	"strings"

	"github.com/slack-go/slack"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/render"
)

// How many entries of a list are shown; the number of those left out is said.
const (
	shownFindings = 8
	shownFacts    = 12
	shownFixes    = 6
	shownItems    = 20
	shownCommands = 40
	shownAffected = 5
)

// Answer is a report for the thread: first a message with the verdict (what is wrong, how sure, what it means for
// users), then evidence and tables, then what was ruled out and not checked, then fixes. Commands are not in it.
func Answer(r diagnostics.Report) []Message {
	by := map[render.Kind][]render.Section{}
	for _, s := range render.Outline(r) {
		by[s.Kind] = append(by[s.Kind], s)
	}
	title := "netdiag " + render.Question(r.Diagnosis, r.Target)
	out := pack(fallback(title, render.Verdict(r)+". "+r.Summary), each(verdict(r, by)...)...)
	out = append(out, pack(fallback(title, "evidence"), append(evidence(r, by), each(checked(by)...)...)...)...)
	return append(out, pack(fallback(title, "fixes"), each(remedies(by)...)...)...)
}

// verdict is the root-cause summary, to be understood in five seconds on a phone.
func verdict(r diagnostics.Report, by map[render.Kind][]render.Section) []slack.Block {
	v := render.Verdict(r)
	blocks := []slack.Block{header(strings.ToUpper(v[:1]) + v[1:])}
	if len(r.Causes) == 0 && r.Summary != "" {
		blocks = append(blocks, rich(line(bold(render.Clean(r.Summary)))))
	}
	blocks = append(blocks, conclusions(r.Causes)...)
	var facts []*slack.RichTextSection
	fact := func(name, value string) {
		if value = render.Clean(value); value != "" {
			facts = append(facts, line(bold(name+": "), text(value)))
		}
	}
	fact("What it means", r.Impact)
	if render.StateOf(r) == render.Undecided {
		fact("What is missing", strings.Join(render.Deciding(r), ", "))
	}
	if r.Severity != "" {
		fact("Severity", rank(r))
	}
	for _, s := range by[render.Now] {
		fact("What to do", s.Note)
		if s.Note == "" {
			for _, it := range s.Items {
				fact("What to do", it.Text)
			}
		}
	}
	if len(facts) > 0 {
		blocks = append(blocks, rich(bullets(facts, shownFacts)))
	}
	for _, k := range []render.Kind{render.Contributing, render.Symptoms, render.Contradictions} {
		for _, s := range by[k] {
			blocks = append(blocks, list(s, shownItems))
		}
	}
	return blocks
}

func rank(r diagnostics.Report) string {
	if r.Layer == "" {
		return render.Severity(r.Severity)
	}
	return render.Severity(r.Severity) + ", layer " + render.Clean(string(r.Layer))
}

func conclusions(fs []diagnostics.Finding) []slack.Block {
	if len(fs) == 0 {
		return nil
	}
	var lines []*slack.RichTextSection
	for _, f := range fs {
		spans := []span{bold(render.Clean(f.Summary)), text(" (" + render.Clean(string(f.Confidence)) + ")")}
		if len(f.Affects) > 0 {
			some, rest := few(f.Affects, shownAffected)
			spans = append(spans, text(". Affects "+render.Clean(strings.Join(some, ", "))))
			if rest != "" {
				spans = append(spans, text(" "+rest))
			}
		}
		lines = append(lines, line(spans...))
	}
	return []slack.Block{rich(bullets(lines, shownFindings))}
}

// evidence shows what was read: the steps, the facts of each finding, the tables.
func evidence(r diagnostics.Report, by map[render.Kind][]render.Section) [][]slack.Block {
	var out [][]slack.Block
	for _, s := range by[render.Steps] {
		var lines []*slack.RichTextSection
		for _, it := range s.Items {
			spans := []span{bold(it.Text + ": ")}
			for _, f := range it.Facts {
				if f.Name == "Finding" {
					spans = append(spans, text(f.Value))
				}
			}
			lines = append(lines, line(spans...))
		}
		out = append(out, each(rich(line(bold(s.Title)), bullets(lines, shownItems)))...)
	}
	for _, k := range []render.Kind{render.Causes, render.Contributing, render.Symptoms} {
		for _, s := range by[k] {
			out = append(out, each(items(s.Items, shownFindings)...)...)
		}
	}
	for _, s := range by[render.Table] {
		out = append(out, table(*s.Table))
	}
	if len(out) > 0 {
		out = append(each(header("Evidence")), out...)
		out = append(out, each(context("Read at "+render.Time(r.At)))...)
	}
	return out
}

func items(its []render.Item, n int) []slack.Block {
	var blocks []slack.Block
	shown, more := few(its, n)
	for _, it := range shown {
		blocks = append(blocks, item(it, shownFacts))
	}
	if more != "" {
		blocks = append(blocks, rich(line(text(more))))
	}
	return blocks
}

func checked(by map[render.Kind][]render.Section) []slack.Block {
	var blocks []slack.Block
	for _, k := range []render.Kind{render.Timeline, render.RuledOut} {
		for _, s := range by[k] {
			blocks = append(blocks, list(s, shownItems))
		}
	}
	for _, s := range by[render.Gaps] {
		var lines []*slack.RichTextSection
		for _, it := range s.Items {
			spans := []span{code(it.Lead), text(" " + it.Text)}
			for _, f := range it.Facts {
				spans = append(spans, text(". "+f.Name+": "+f.Value))
			}
			lines = append(lines, line(spans...))
		}
		blocks = append(blocks, rich(line(bold(s.Title)), bullets(lines, shownItems)))
	}
	return blocks
}

func remedies(by map[render.Kind][]render.Section) []slack.Block {
	var blocks []slack.Block
	left := shownFixes
	for _, k := range []render.Kind{render.Now, render.Lasting} {
		for _, s := range by[k] {
			blocks = append(blocks, header(s.Title))
			if s.Note != "" {
				blocks = append(blocks, rich(line(text(s.Note))))
			}
			blocks = append(blocks, items(s.Items, left)...)
			left -= min(left, len(s.Items))
		}
	}
	for _, k := range []render.Kind{render.Refused, render.Prevention} {
		for _, s := range by[k] {
			blocks = append(blocks, list(s, shownItems))
		}
	}
	return blocks
}

// Commands holds the commands that repeat the evidence and those that carry out the fixes by hand, to be folded away.
func Commands(r diagnostics.Report) []Message {
	var blocks []slack.Block
	for _, s := range render.Outline(r) {
		for _, it := range s.Items {
			cmds := it.Commands
			for _, f := range it.Facts {
				if f.Repeat != "" {
					cmds = append(cmds, f.Repeat)
				}
			}
			for _, c := range cmds {
				blocks = append(blocks, rich(line(text(it.Text)), pre(c)))
			}
		}
	}
	if len(blocks) == 0 {
		return nil
	}
	shown, more := few(blocks, shownCommands)
	blocks = append([]slack.Block{header("Commands to repeat this by hand")}, shown...)
	if more != "" {
		blocks = append(blocks, rich(line(text(more))))
	}
	return pack(fallback("netdiag "+render.Question(r.Diagnosis, r.Target), "commands"), each(blocks...)...)
}
