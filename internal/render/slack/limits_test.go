package slack_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	api "github.com/slack-go/slack"

	"github.com/netdiag/netdiag/internal/render/slack"
)

// checkLadder holds a message to the limits however plainly it is said.
func checkLadder(t *testing.T, name string, m slack.Message) {
	t.Helper()
	for _, r := range slack.Ladder(m) {
		checkLimits(t, fmt.Sprint(name, " level ", r.Level), r.Message)
		if r.Level < slack.Oldest {
			continue
		}
		size := 0
		walk(t, r.Message, func(path string, o map[string]any) {
			if s, ok := o["text"].(string); ok && o["type"] == "plain_text" {
				size += utf8.RuneCountInString(s)
			}
			switch o["type"] {
			case "rich_text", "table", "data_visualization", "header", "context":
				t.Errorf("%s level %d%s: %v", name, r.Level, path, o["type"])
			}
		})
		if r.Level == slack.Short && size > 3000 {
			t.Errorf("%s: %d characters are not short", name, size)
		}
	}
}

func encode(t *testing.T, v any) string {
	t.Helper()
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// walk visits every object of the JSON of v.
func walk(t *testing.T, v any, visit func(path string, o map[string]any)) {
	t.Helper()
	var x any
	if err := json.Unmarshal([]byte(encode(t, v)), &x); err != nil {
		t.Fatal(err)
	}
	var rec func(path string, x any)
	rec = func(path string, x any) {
		switch x := x.(type) {
		case map[string]any:
			visit(path, x)
			for k, e := range x {
				rec(path+"."+k, e)
			}
		case []any:
			for i, e := range x {
				rec(fmt.Sprintf("%s[%d]", path, i), e)
			}
		}
	}
	rec("", x)
}

// checkLimits measures the JSON itself against the limits that Slack documents, and looks for text that Slack would parse.
func checkLimits(t *testing.T, name string, m slack.Message) {
	t.Helper()
	bad := func(path, format string, args ...any) {
		t.Helper()
		t.Errorf("%s%s: %s", name, path, fmt.Sprintf(format, args...))
	}
	if m.Text == "" || utf8.RuneCountInString(m.Text) > 4000 {
		bad("", "fallback of %d characters", len(m.Text))
	}
	if strings.ContainsAny(m.Text, "<>") {
		bad("", "fallback is not escaped: %s", m.Text)
	}
	if n := len(m.Blocks); n == 0 || n > 50 {
		bad("", "%d blocks", n)
	}
	length := func(path string, o any, limit int) {
		s := ""
		switch o := o.(type) {
		case string:
			s = o
		case map[string]any:
			s, _ = o["text"].(string)
			if o["type"] != "plain_text" {
				bad(path, "type %v", o["type"])
			}
		}
		if n := utf8.RuneCountInString(s); n == 0 || n > limit {
			bad(path, "%d characters, at most %d", n, limit)
		}
	}
	tables, charts := 0, 0
	ids := map[string]int{}
	for _, b := range m.Blocks {
		if c, ok := b.(*api.DataVisualizationBlock); ok {
			charts++
			if err := c.Validate(); err != nil {
				bad("", "chart: %v", err)
			}
		}
	}
	walk(t, m, func(path string, o map[string]any) {
		for k, v := range o {
			if s, ok := v.(string); ok {
				if strings.ContainsAny(s, "\x00\x07\x1b\r\u200b\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069") {
					bad(path, "%s has control characters: %q", k, s)
				}
			}
		}
		switch o["type"] {
		case "mrkdwn", "markdown":
			bad(path, "text that Slack parses")
		case "link":
			if url, _ := o["url"].(string); !strings.HasPrefix(url, "https://acme.slack.com/archives/C") { // only to messages of the bot
				bad(path, "a live link to %v", url)
			}
		case "broadcast", "usergroup", "emoji":
			bad(path, "a live %v", o["type"])
		case "header":
			length(path, o["text"], 150)
		case "section":
			length(path, o["text"], 3000)
		case "context":
			if n := len(o["elements"].([]any)); n == 0 || n > 10 {
				bad(path, "%d elements", n)
			}
		case "text":
			length(path, o["text"], 3000)
		case "button":
			length(path, o["text"], 75)
			length(path, o["value"], 2000)
			length(path, o["action_id"], 255)
			if l, labelled := o["accessibility_label"]; labelled {
				length(path, l, 75)
			}
			if c, asks := o["confirm"].(map[string]any); asks {
				length(path, c["title"], 100)
				length(path, c["text"], 300)
				length(path, c["confirm"], 30)
				length(path, c["deny"], 30)
			}
		case "actions":
			if n := len(o["elements"].([]any)); n == 0 || n > 25 {
				bad(path, "%d elements", n)
			}
			if id, named := o["block_id"].(string); named {
				length(path, id, 255)
				if ids[id]++; ids[id] > 1 {
					bad(path, "block %v is there twice", id)
				}
			}
		case "rich_text", "rich_text_section", "rich_text_list", "rich_text_preformatted":
			if len(o["elements"].([]any)) == 0 {
				bad(path, "no elements")
			}
		case "table":
			tables++
			rows := o["rows"].([]any)
			size := 0
			for _, r := range rows {
				cells := r.([]any)
				if len(cells) > 20 || len(cells) != len(rows[0].([]any)) {
					bad(path, "%d cells", len(cells))
				}
				for _, c := range cells {
					length(path, c.(map[string]any)["text"].(string), 1000)
					size += utf8.RuneCountInString(c.(map[string]any)["text"].(string))
				}
			}
			if len(rows) == 0 || len(rows) > 100 || size > 10000 {
				bad(path, "%d rows, %d characters", len(rows), size)
			}
		}
	})
	if tables > 1 || charts > 2 {
		bad("", "%d tables, %d charts", tables, charts)
	}
}
