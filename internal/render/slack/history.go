package slack

import (
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/render"
)

// shownDecided bounds what is listed under one question: the newest.
const shownDecided = 5

// History lists questions of one channel, newest first, each with what was decided about its fixes and what came of that,
// newest last.
func History(entries []Entry, now time.Time) Message {
	if len(entries) == 0 {
		return Refusal("Nothing was asked here lately.")
	}
	var lists []*slack.RichTextList
	size := 0
	for i, e := range entries {
		asked, done := entry(e, true, now), decided(e.Remediations, now)
		size += utf8.RuneCountInString(flattenRich(asked))
		if done != nil {
			size += utf8.RuneCountInString(flattenRich(done))
		}
		if i > 0 && (i == shownItems || size > maxSection) {
			lists = append(lists, bulleted(line(text(fmt.Sprintf("… and %d more", len(entries)-i)))))
			break
		}
		if lists = append(lists, bulleted(asked)); done != nil {
			lists = append(lists, done)
		}
	}
	title := "Asked here lately"
	return Message{Text: fallback("netdiag", title), Blocks: []slack.Block{header(title), rich(joined(lists)...)}}
}

func bulleted(l *slack.RichTextSection) *slack.RichTextList {
	return bullets([]*slack.RichTextSection{l}, 1)
}

// joined makes one list of those that follow each other at the same indent.
func joined(lists []*slack.RichTextList) (out []slack.RichTextElement) {
	var last *slack.RichTextList
	for _, l := range lists {
		if last != nil && last.Indent == l.Indent {
			last.Elements = append(last.Elements, l.Elements...)
			continue
		}
		out, last = append(out, l), l
	}
	return out
}

// decided is the list under a question, one line for each fix; there is none where nothing was decided.
func decided(fixes []casebook.Remediation, now time.Time) *slack.RichTextList {
	var lines []*slack.RichTextSection
	if n := len(fixes) - shownDecided; n > 0 {
		lines = append(lines, line(text(fmt.Sprintf("%d earlier …", n))))
		fixes = fixes[n:]
	}
	for _, rem := range fixes {
		lines = append(lines, fixed(rem, now))
	}
	if len(lines) == 0 {
		return nil
	}
	list := bullets(lines, shownItems)
	list.Indent = 1
	return list
}

// fixed is one line: the fix, who decided what on it and when, and what came of it.
func fixed(rem casebook.Remediation, now time.Time) *slack.RichTextSection {
	s := rem.Status
	spans := []span{text(render.Cut(render.FixItem(rem.Plan.Fix).Text, 100) + ": ")}
	for i, d := range s.Decisions {
		verb := "approved by "
		if d.Verdict == casebook.Reject {
			verb = "rejected by "
		}
		if i > 0 {
			verb = ", " + verb
		}
		spans = append(spans, text(verb), person(d.User), text(" "+moment(d.At, now)))
	}
	came := render.Clean(s.Outcome)
	switch last := len(s.Decisions) - 1; {
	case s.Phase == casebook.Rejected && last >= 0: // that it was is said already
		came = render.Clean(s.Decisions[last].Reason)
	case came == "":
		came = phrase(rem)
	case s.Phase != casebook.Succeeded:
		came = phrase(rem) + " " + came
	}
	if came != "" {
		spans = append(spans, text(". "+render.Cut(came, 150)))
	}
	if s.Watch != nil && s.Watch.State == casebook.Undone {
		spans = append(spans, text(" It did not last."))
	}
	return line(spans...)
}
