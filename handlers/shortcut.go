package handlers

import (
	"context"
	"strings"

	"github.com/slack-go/slack"
	"go.uber.org/zap"

	"github.com/netdiag/netdiag/internal/ask"
	render "github.com/netdiag/netdiag/internal/render/slack"
)

// The callback ids of the shortcuts, as the app's manifest has them.
const (
	messageShortcut = "netdiag_msg"
	globalShortcut  = "netdiag_global"
)

// shortcut opens a form. One on a message fills it in with what the message seems to be about: text is data, so a person
// looks at it before anything is asked.
func (b *Bot) shortcut(ctx context.Context, c slack.InteractionCallback, ack func(context.Context, any) error) {
	b.ack(ctx, ack, nil)
	switch c.CallbackID {
	case globalShortcut:
		b.openForm(ctx, c, render.Form{}, origin{})
	case messageShortcut:
		hint := ask.ReadAlert(strings.Join(wording(c.Message), "\n"))
		f := render.Form{Diagnosis: hint.Verb, Namespace: hint.Namespace, Pod: hint.Pod, Note: noticed(hint)}
		if hint.Ingress != "" && hint.Namespace != "" {
			f.Ingress = hint.Namespace + "/" + hint.Ingress
		}
		thread := orElse(c.Message.ThreadTimestamp, orElse(c.Message.Timestamp, c.MessageTs))
		b.openForm(ctx, c, f, origin{Channel: c.Channel.ID, Thread: thread}, hint.Balancers...)
	default:
		b.Log.Warn("an unknown shortcut", zap.String("callback", c.CallbackID))
	}
}

// noticed says what the form was filled in from.
func noticed(h ask.Hint) string {
	if h.Namespace == "" && h.Pod == "" && h.Ingress == "" && len(h.Balancers) == 0 {
		return "The message names nothing that I recognise: fill in what you want to know."
	}
	return "I filled in what the message seems to be about: check it."
}

// wording is all that a message says: its text, its attachments, in which alerts come, and its blocks.
func wording(m slack.Message) []string {
	out := []string{typed(m.Text)}
	for _, a := range m.Attachments {
		out = append(out, typed(a.Pretext), typed(a.Title), typed(a.Text))
		for _, f := range a.Fields {
			out = append(out, f.Title+": "+typed(f.Value))
		}
		if a.Text == "" && len(a.Fields) == 0 {
			out = append(out, typed(a.Fallback))
		}
		out = append(out, blocksWording(a.Blocks)...)
	}
	return append(out, blocksWording(m.Blocks)...)
}

func blocksWording(bs slack.Blocks) []string {
	var out []string
	for _, b := range bs.BlockSet {
		switch b := b.(type) {
		case *slack.HeaderBlock:
			out = append(out, objectWording(b.Text))
		case *slack.SectionBlock:
			out = append(out, objectWording(b.Text))
			for _, f := range b.Fields {
				out = append(out, objectWording(f))
			}
		case *slack.ContextBlock:
			for _, e := range b.ContextElements.Elements {
				if t, ok := e.(*slack.TextBlockObject); ok {
					out = append(out, objectWording(t))
				}
			}
		case *slack.RichTextBlock:
			for _, e := range b.Elements {
				out = append(out, richWording(e)...)
			}
		}
	}
	return out
}

func objectWording(t *slack.TextBlockObject) string {
	if t == nil {
		return ""
	}
	return typed(t.Text)
}

func richWording(e slack.RichTextElement) []string {
	line := func(spans []slack.RichTextSectionElement) string {
		var b strings.Builder
		for _, s := range spans {
			switch s := s.(type) {
			case *slack.RichTextSectionTextElement:
				b.WriteString(s.Text)
			case *slack.RichTextSectionLinkElement:
				b.WriteString(orElse(s.Text, s.URL))
			}
		}
		return b.String()
	}
	switch e := e.(type) {
	case *slack.RichTextSection:
		return []string{line(e.Elements)}
	case *slack.RichTextPreformatted:
		return []string{line(e.Elements)}
	case *slack.RichTextQuote:
		return []string{line(e.Elements)}
	case *slack.RichTextList:
		var out []string
		for _, i := range e.Elements {
			out = append(out, richWording(i)...)
		}
		return out
	}
	return nil
}
