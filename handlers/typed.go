package handlers

import (
	"regexp"
	"strings"
)

// escaped is what Slack makes of a mention, a channel or an address that somebody typed: <@U1|maya>, <#C1|ops>,
// <!subteam^S1|@netops>, <https://a.example|a.example>. Angle brackets that were typed come escaped.
var escaped = regexp.MustCompile(`<([^<>|]*)(?:\|([^<>]*))?>`)

var entities = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&")

// typed is what somebody typed, of the text that Slack sends of it. Backticks, which people put around names, are dropped.
func typed(text string) string {
	text = escaped.ReplaceAllStringFunc(text, func(l string) string {
		m := escaped.FindStringSubmatch(l)
		what, label := m[1], m[2]
		switch {
		case strings.HasPrefix(what, "@"), strings.HasPrefix(what, "#"):
			if label != "" {
				return what[:1] + strings.TrimLeft(label, "@#")
			}
			return what
		case strings.HasPrefix(what, "!"):
			if label == "" {
				label = strings.TrimPrefix(what, "!")
			}
			return "@" + strings.TrimPrefix(label, "@")
		case label != "":
			return label
		}
		return strings.TrimPrefix(what, "mailto:")
	})
	return entities.Replace(strings.ReplaceAll(text, "`", " "))
}

// afterMention is what follows the first mention of the bot in a text of Slack, or where nothing does, what stands before it.
func afterMention(text, bot string) string {
	mention := regexp.MustCompile(`<@` + regexp.QuoteMeta(bot) + `(?:\|[^<>]*)?>`)
	at := mention.FindStringIndex(text)
	if at == nil {
		return text
	}
	before, after := text[:at[0]], text[at[1]:]
	after = strings.TrimLeft(mention.ReplaceAllString(after, " "), " \t\n:,")
	if strings.TrimSpace(after) == "" {
		return before
	}
	return after
}
