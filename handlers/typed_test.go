package handlers

import (
	"strings"
	"testing"
)

func TestTyped(t *testing.T) {
	for text, want := range map[string]string{
		"pending backend":                      "pending backend",
		"pending `backend`":                    "pending  backend ",
		"pending &lt;!here&gt;":                "pending <!here>",
		"&amp;lt;":                             "&lt;",
		"alb <http://api.example|api.example>": "alb api.example",
		"<https://a.example/?q=1&amp;b=2>":     "https://a.example/?q=1&b=2",
		"<mailto:a@b.example|a@b.example>":     "a@b.example",
		"<mailto:a@b.example>":                 "a@b.example",
		"<@U0MAYA|maya> <@U0MAYA>":             "@maya @U0MAYA",
		"<#C0OPS|ops> <#C0OPS|>":               "#ops #C0OPS",
		"<!channel> <!here|here>":              "@channel @here",
		"<!subteam^S1|@netops>":                "@netops",
		"<unclosed":                            "<unclosed",
		"<>":                                   "",
	} {
		if got := typed(text); got != want {
			t.Errorf("typed(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestAfterMention(t *testing.T) {
	for text, want := range map[string]string{
		"<@U1> pending backend":                "pending backend",
		"<@U1|netdiag>: pending backend":       "pending backend",
		"hey <@U1> pending backend":            "pending backend",
		"pending backend <@U1>":                "pending backend ",
		"<@U1>":                                "",
		"<@U1>\n<@U1> alb api":                 "alb api",
		"<@U2> asks <@U1> alb api":             "alb api",
		"<@U10> is somebody else than netdiag": "<@U10> is somebody else than netdiag",
	} {
		if got := afterMention(text, "U1"); got != want {
			t.Errorf("afterMention(%q) = %q, want %q", text, got, want)
		}
	}
}

// Whatever Slack sends, what was typed has no more characters, and nothing that Slack would make live is made up.
func FuzzTyped(f *testing.F) {
	for _, s := range []string{"<@U1|maya>", "<<a|b>>", "&lt;!channel&gt;", "<!subteam^S1|@x>", "<|>", "a`b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := typed(text)
		if len(got) > len(text) {
			t.Errorf("typed(%q) = %q is longer", text, got)
		}
		if !strings.ContainsAny(text, "<&`") && got != text {
			t.Errorf("typed(%q) = %q", text, got)
		}
	})
}
