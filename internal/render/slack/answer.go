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
	shownPassed   = 8
	shownItems    = 20
	shownAffected = 5
)

// Thread is what an answer needs to know of the thread that it is for. Its zero value is an answer without buttons.
type Thread struct {
	Investigation string   // its name, which the buttons carry
	Mention       []string // user ids of who asked: they are told that the answer is there
	Cards         bool     // each fix that can be carried out gets a card of its own below
}

// Answer is a report for the thread: first the verdict (what is wrong, how sure, what it means for users, what to do),
// then a picture of it, then what was not checked and what was ruled out, then fixes. It is short: evidence and commands
// are shown when they are asked for (Evidence, Commands).
func Answer(r diagnostics.Report, in Thread) []Message {
	by := sections(r)
	fixes, reads := commands(by)
	title := "netdiag " + render.Question(r.Diagnosis, r.Target)
	out := pack(fallback(title, render.Verdict(r)+". "+r.Summary), each(append(verdict(r, by), told(r, in, len(fixes)+len(reads) > 0)...)...)...)
	out = append(out, picture(title, r, by)...)
	out = append(out, pack(fallback(title, "what was not checked, and what was ruled out"), each(checked(by, shownPassed)...)...)...)
	return append(out, pack(fallback(title, "fixes"), each(remedies(r, by, in, len(fixes) > 0)...)...)...)
}

func sections(r diagnostics.Report) map[render.Kind][]render.Section {
	by := map[render.Kind][]render.Section{}
	for _, s := range render.Outline(r) {
		by[s.Kind] = append(by[s.Kind], s)
	}
	return by
}

// told ends the verdict: who is told, the buttons, and when this was true.
func told(r diagnostics.Report, in Thread, commands bool) []slack.Block {
	var out []slack.Block
	if len(in.Mention) > 0 {
		var spans []span
		some, more := few(in.Mention, shownItems)
		for _, id := range some {
			if len(spans) > 0 {
				spans = append(spans, text(", "))
			}
			spans = append(spans, person(id))
		}
		if more != "" {
			spans = append(spans, text(", "+more))
		}
		out = append(out, rich(line(append(spans, text(" asked for this."))...)))
	}
	if in.Investigation != "" {
		buttons := []ask{askEvidence}
		if commands {
			buttons = append(buttons, askCommands)
		}
		out = append(out, asks("verdict", in.Investigation, append(buttons, askFile, askAgain)...))
	}
	return append(out, context("Read at "+render.Time(r.At)))
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
	for _, s := range by[render.Now] {
		fact("What to do", s.Note)
		if s.Note == "" {
			for _, it := range s.Items {
				fact("What to do", it.Text)
			}
		}
	}
	if r.Severity != "" {
		fact("Severity", rank(r))
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

func checked(by map[render.Kind][]render.Section, passed int) []slack.Block {
	var blocks []slack.Block
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
	for _, s := range by[render.RuledOut] {
		blocks = append(blocks, list(s, passed))
	}
	for _, s := range by[render.Timeline] {
		blocks = append(blocks, list(s, shownItems))
	}
	return blocks
}

// remedies are the fixes, those that would not help, and prevention. The first fix is the one to take, and told in
// full; of the others, as of what has a card of its own, only what they are good for: the rest stands with the commands.
func remedies(r diagnostics.Report, by map[render.Kind][]render.Section, in Thread, commands bool) []slack.Block {
	var blocks []slack.Block
	for _, s := range by[render.Now] {
		blocks = append(blocks, header(s.Title))
		if s.Note != "" && (len(s.Items) == 0 || s.Items[0].Text != s.Note) {
			blocks = append(blocks, rich(line(text(s.Note))))
		}
		for _, it := range s.Items {
			if carded(r, 0, in) {
				blocks = append(blocks, item(brief(it, "its card below says what changes, and has the buttons"), shownFacts))
				continue
			}
			blocks = append(blocks, item(it, shownFacts))
		}
	}
	for _, s := range by[render.Lasting] {
		blocks = append(blocks, header(s.Title))
		shown, more := few(s.Items, shownFixes)
		for i, it := range shown {
			how := ""
			if carded(r, i+1, in) {
				how = "its card below has the buttons"
			}
			blocks = append(blocks, item(brief(it, how), shownFacts))
		}
		if more != "" {
			blocks = append(blocks, rich(line(text(more))))
		}
	}
	if in.Investigation != "" && commands {
		blocks = append(blocks, asks("fixes", in.Investigation, askCommands))
	}
	for _, k := range []render.Kind{render.Refused, render.Prevention} {
		for _, s := range by[k] {
			blocks = append(blocks, list(s, shownItems))
		}
	}
	return blocks
}

// carded reports whether the n-th fix of the report gets a card.
func carded(r diagnostics.Report, n int, in Thread) bool {
	return in.Cards && n < len(r.Fixes) && r.Fixes[n].Executable && r.Fixes[n].Action != nil
}

// brief tells of a fix why it helps, and how it is done where that is another way than the fix itself says.
func brief(it render.Item, how string) render.Item {
	out := render.Item{Lead: it.Lead, Text: it.Text}
	for _, f := range it.Facts {
		switch f.Name {
		case "Carried out":
			if how != "" {
				f.Value = how
			}
			fallthrough
		case "Proof", "Risk", "Shows within":
			out.Facts = append(out.Facts, f)
		}
	}
	return out
}
