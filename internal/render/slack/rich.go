package slack

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"github.com/netdiag/netdiag/internal/render"
)

type span = slack.RichTextSectionElement

// maxSpan bounds one piece of text, so that a long event can't push the rest of a message away.
const maxSpan = 500

func text(s string) span { return styled(s, nil) }

func bold(s string) span { return styled(s, &slack.RichTextSectionTextStyle{Bold: true}) }

func code(s string) span { return styled(s, &slack.RichTextSectionTextStyle{Code: true}) }

func styled(s string, style *slack.RichTextSectionTextStyle) span {
	return slack.NewRichTextSectionTextElement(nonempty(render.Cut(s, maxSpan)), style)
}

var userID = regexp.MustCompile(`^[UW][A-Z0-9]{2,20}$`)

// person mentions a user; what is no user id is shown as it is.
func person(id string) span {
	if userID.MatchString(id) {
		return slack.NewRichTextSectionUserElement(id, nil)
	}
	return text(render.Clean(id))
}

func line(spans ...span) *slack.RichTextSection { return slack.NewRichTextSection(spans...) }

// bullets is a list of at most n lines and about as many characters as a section may have; the number of lines left out is said.
func bullets(lines []*slack.RichTextSection, n int) *slack.RichTextList {
	list := slack.NewRichTextList(slack.RTEListBullet, 0)
	size := 0
	for i, l := range lines {
		size += utf8.RuneCountInString(flattenRich(l))
		if i > 0 && (i == n || size > maxSection) {
			list.Elements = append(list.Elements, line(text(fmt.Sprintf("… and %d more", len(lines)-i))))
			break
		}
		list.Elements = append(list.Elements, l)
	}
	return list
}

func pre(s string) *slack.RichTextPreformatted {
	return &slack.RichTextPreformatted{Type: slack.RTEPreformatted, Elements: []span{
		slack.NewRichTextSectionTextElement(nonempty(render.Cut(s, maxSection)), nil),
	}}
}

func rich(elements ...slack.RichTextElement) *slack.RichTextBlock {
	return slack.NewRichTextBlock("", elements...)
}

func header(s string) *slack.HeaderBlock { return slack.NewHeaderBlock(plain(s, maxHeader)) }

// context is small print; each string is an element.
func context(ss ...string) *slack.ContextBlock {
	var es []slack.MixedElement
	for _, s := range ss[:min(len(ss), maxContext)] {
		es = append(es, plain(s, maxSection))
	}
	return slack.NewContextBlock("", es...)
}

// few cuts a list to n entries and says how many are left out.
func few[T any](xs []T, n int) ([]T, string) {
	if len(xs) <= n {
		return xs, ""
	}
	return xs[:n], fmt.Sprintf("… and %d more", len(xs)-n)
}

// flatten is all the text of a block.
func flatten(b slack.Block) string {
	switch b := b.(type) {
	case *slack.HeaderBlock:
		return b.Text.Text
	case *slack.SectionBlock:
		return b.Text.Text
	case *slack.ContextBlock:
		var parts []string
		for _, e := range b.ContextElements.Elements {
			if t, ok := e.(*slack.TextBlockObject); ok {
				parts = append(parts, t.Text)
			}
		}
		return strings.Join(parts, " · ")
	case *slack.TableBlock:
		var rows []string
		for _, r := range b.Rows {
			var cells []string
			for _, c := range r {
				if t, ok := c.(*slack.TableRawTextCell); ok {
					cells = append(cells, t.Text)
				}
			}
			rows = append(rows, strings.Join(cells, " | "))
		}
		return strings.Join(rows, "\n")
	case *slack.DataVisualizationBlock:
		return b.Title
	case *slack.RichTextBlock:
		var parts []string
		for _, e := range b.Elements {
			parts = append(parts, flattenRich(e))
		}
		return strings.Join(parts, "\n")
	}
	return ""
}

func flattenRich(e slack.RichTextElement) string {
	spans := func(es []span) string {
		var b strings.Builder
		for _, s := range es {
			switch s := s.(type) {
			case *slack.RichTextSectionTextElement:
				b.WriteString(s.Text)
			case *slack.RichTextSectionUserElement:
				b.WriteString("@" + s.UserID)
			case *slack.RichTextSectionLinkElement:
				b.WriteString(s.Text)
			}
		}
		return b.String()
	}
	switch e := e.(type) {
	case *slack.RichTextSection:
		return spans(e.Elements)
	case *slack.RichTextPreformatted:
		return spans(e.Elements)
	case *slack.RichTextList:
		var items []string
		for _, i := range e.Elements {
			items = append(items, strings.Repeat("  ", e.Indent)+"• "+flattenRich(i))
		}
		return strings.Join(items, "\n")
	}
	return ""
}
