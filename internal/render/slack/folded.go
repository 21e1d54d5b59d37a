package slack

import (
	"github.com/slack-go/slack"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/render"
)

// shownCommands is how many commands are shown; the report as a file has all of them.
const shownCommands = 40

// Evidence is what the verdict rests on, for those who ask for it: what was read step by step, the facts of each finding,
// further tables, and all that was ruled out.
func Evidence(r diagnostics.Report) []Message {
	by := sections(r)
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
	for i, s := range by[render.Table] {
		if i > 0 { // the first one stands in the answer
			out = append(out, table(*s.Table))
		}
	}
	if len(r.Passed) > shownPassed {
		for _, s := range by[render.RuledOut] {
			out = append(out, each(list(s, len(s.Items)))...)
		}
	}
	if len(out) == 0 {
		out = each(rich(line(text("There is no evidence beyond what the answer says."))))
	}
	out = append(each(header("Evidence")), out...)
	out = append(out, each(context("Read at "+render.Time(r.At)))...)
	return pack(fallback("netdiag "+render.Question(r.Diagnosis, r.Target), "evidence"), out...)
}

// Commands are the fixes in full with the commands that carry them out by hand, and the commands that repeat the evidence.
func Commands(r diagnostics.Report) []Message {
	by := sections(r)
	var out [][]slack.Block
	left := shownCommands
	for _, k := range []render.Kind{render.Now, render.Lasting} {
		for _, s := range by[k] {
			for _, it := range s.Items {
				if len(it.Commands) == 0 {
					continue
				}
				shown, more := few(it.Commands, max(left, 0))
				left -= len(shown)
				elements := []slack.RichTextElement{}
				for _, c := range shown {
					elements = append(elements, pre(c))
				}
				if more != "" {
					elements = append(elements, line(text(more+" commands; the report as a file has them all")))
				}
				out = append(out, each(item(it, shownFacts), rich(elements...))...)
			}
		}
	}
	if len(out) > 0 {
		out = append(each(header("Fixes by hand")), out...)
	}
	_, reads := commands(by)
	if len(reads) > 0 {
		out = append(out, each(header("Commands that repeat what was read"))...)
	}
	shown, more := few(reads, max(left, shownCommands/2))
	for _, c := range shown {
		out = append(out, each(rich(line(text(render.Cut(c.what, maxWhat))), pre(c.line)))...)
	}
	if more != "" {
		out = append(out, each(rich(line(text(more+"; the report as a file has them all"))))...)
	}
	if len(out) == 0 {
		out = each(rich(line(text("There are no commands in this report."))))
	}
	return pack(fallback("netdiag "+render.Question(r.Diagnosis, r.Target), "commands"), out...)
}

// maxWhat is how much is said of what a command is for.
const maxWhat = 150

type command struct{ what, line string }

// commands lists each command once, for the first thing that it is for: those of fixes, and those that read again.
func commands(by map[render.Kind][]render.Section) (fixes, reads []command) {
	seen := map[string]bool{}
	add := func(to *[]command, what string, lines ...string) {
		for _, l := range lines {
			if !seen[l] {
				seen[l] = true
				*to = append(*to, command{what, l})
			}
		}
	}
	for _, k := range []render.Kind{render.Now, render.Lasting, render.Steps, render.Causes, render.Contributing, render.Symptoms} {
		to := &reads
		if k == render.Now || k == render.Lasting {
			to = &fixes
		}
		for _, s := range by[k] {
			for _, it := range s.Items {
				add(to, it.Text, it.Commands...)
				for _, f := range it.Facts {
					if f.Repeat != "" {
						add(to, f.Name+": "+f.Value, f.Repeat)
					}
				}
			}
		}
	}
	return fixes, reads
}
