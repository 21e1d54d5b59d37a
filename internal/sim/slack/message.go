package slack

import (
	"cmp"
	"strings"
)

// Block is a block or an element of Block Kit as it came over the wire.
type Block = map[string]any

// Message is a message in Slack's own JSON.
type Message struct {
	Channel string `json:"-"`
	To      string `json:"-"` // the only person who sees it, for an ephemeral one

	Type        string         `json:"type"`
	Subtype     string         `json:"subtype,omitempty"`
	User        string         `json:"user,omitempty"`
	Inviter     string         `json:"inviter,omitempty"`
	BotID       string         `json:"bot_id,omitempty"`
	AppID       string         `json:"app_id,omitempty"`
	Team        string         `json:"team,omitempty"`
	Text        string         `json:"text"`
	TS          string         `json:"ts"`
	ThreadTS    string         `json:"thread_ts,omitempty"`
	ReplyCount  int            `json:"reply_count,omitempty"`
	ReplyUsers  []string       `json:"reply_users,omitempty"`
	LatestReply string         `json:"latest_reply,omitempty"`
	Blocks      []Block        `json:"blocks,omitempty"`
	Attachments []any          `json:"attachments,omitempty"`
	Metadata    map[string]any `json:"metadata,omitempty"`
	Edited      *Edited        `json:"edited,omitempty"`
	Reactions   []Reaction     `json:"reactions,omitempty"`
	Files       []File         `json:"files,omitempty"`
}

// Edited says who edited a message and when.
type Edited struct {
	User string `json:"user"`
	TS   string `json:"ts"`
}

// Reaction is an emoji on a message.
type Reaction struct {
	Name  string   `json:"name"`
	Users []string `json:"users"`
	Count int      `json:"count"`
}

// View is a modal or a Home tab in Slack's own JSON.
type View struct {
	ID                 string         `json:"id"`
	TeamID             string         `json:"team_id"`
	Type               string         `json:"type"`
	Blocks             []Block        `json:"blocks"`
	PrivateMetadata    string         `json:"private_metadata"`
	CallbackID         string         `json:"callback_id"`
	State              ViewState      `json:"state"`
	Hash               string         `json:"hash"`
	Title              map[string]any `json:"title,omitempty"`
	Close              map[string]any `json:"close"`
	Submit             map[string]any `json:"submit"`
	ClearOnClose       bool           `json:"clear_on_close"`
	NotifyOnClose      bool           `json:"notify_on_close"`
	ExternalID         string         `json:"external_id"`
	RootViewID         string         `json:"root_view_id"`
	PreviousViewID     *string        `json:"previous_view_id"`
	AppID              string         `json:"app_id"`
	AppInstalledTeamID string         `json:"app_installed_team_id"`
	BotID              string         `json:"bot_id"`

	Errors map[string]string `json:"-"` // of the last submission, by block_id

	from string // the channel where the modal was opened
}

// ViewState is what was filled in: block_id → action_id → value in Slack's JSON.
type ViewState struct {
	Values map[string]map[string]Block `json:"values"`
}

// Button is a button, or another element that can be acted on, as it stands in a message or view.
type Button struct {
	Label, ActionID, BlockID, Value, Style, URL string
	Confirm                                     Block
}

// Plain is all text that the message shows, one line a piece: what its blocks say, or where it has none its text.
func (m Message) Plain() string {
	if len(m.Blocks) == 0 {
		return m.Text
	}
	return plain(m.Blocks)
}

// Plain is all text that the view shows.
func (v View) Plain() string { return strings.TrimSpace(textOf(v.Title) + "\n" + plain(v.Blocks)) }

// Buttons lists what can be clicked in the message.
func (m Message) Buttons() []Button { return buttons(m.Blocks) }

// Buttons lists what can be clicked in the view.
func (v View) Buttons() []Button { return buttons(v.Blocks) }

func plain(blocks []Block) string {
	var lines []string
	for _, b := range blocks {
		if line := strings.TrimRight(words(b), " \n"); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// words collects the visible text below a block or element, in reading order.
func words(v any) string {
	switch v := v.(type) {
	case []any:
		var b strings.Builder
		for _, e := range v {
			b.WriteString(words(e))
		}
		return b.String()
	case map[string]any:
		switch v["type"] {
		case "plain_text", "mrkdwn":
			return textOf(v) + "\n"
		case "text", "raw_text", "markdown":
			s, _ := v["text"].(string)
			return s + end(v["type"] != "text")
		case "link":
			return cmp.Or(str(v["text"]), str(v["url"]))
		case "emoji":
			return ":" + str(v["name"]) + ":"
		case "user":
			return "<@" + str(v["user_id"]) + ">"
		case "image":
			return str(v["alt_text"]) + "\n"
		}
		var b strings.Builder
		for _, k := range []string{"title", "label", "caption", "text", "fields", "elements", "rows", "blocks", "element", "accessory", "placeholder", "options", "hint"} {
			if k == "rows" {
				rows, _ := v[k].([]any)
				for _, row := range rows {
					b.WriteString(strings.ReplaceAll(strings.TrimSpace(words(row)), "\n", " | ") + "\n")
				}
				continue
			}
			switch x := v[k].(type) {
			case string:
				b.WriteString(x + "\n")
			default:
				b.WriteString(words(x))
			}
		}
		return b.String() + end(strings.HasPrefix(str(v["type"]), "rich_text_"))
	}
	return ""
}

func end(line bool) string {
	if line {
		return "\n"
	}
	return ""
}

func buttons(blocks []Block) []Button {
	var out []Button
	eachElement(blocks, func(block, e Block) {
		if str(e["action_id"]) == "" {
			return
		}
		b := Button{
			Label: textOf(e["text"]), ActionID: str(e["action_id"]), BlockID: str(block["block_id"]),
			Value: str(e["value"]), Style: str(e["style"]), URL: str(e["url"]),
		}
		b.Confirm, _ = e["confirm"].(map[string]any)
		out = append(out, b)
	})
	return out
}

// eachElement calls f for each interactive element of the blocks, in order.
func eachElement(blocks []Block, f func(block, element Block)) {
	for _, b := range blocks {
		for _, k := range []string{"accessory", "element"} {
			if e, ok := b[k].(map[string]any); ok {
				f(b, e)
			}
		}
		es, _ := b["elements"].([]any)
		for _, e := range es {
			if e, ok := e.(map[string]any); ok && b["type"] != "rich_text" {
				f(b, e)
			}
		}
		inner, _ := b["child_blocks"].([]any)
		for _, c := range inner {
			if c, ok := c.(map[string]any); ok {
				eachElement([]Block{c}, f)
			}
		}
	}
}

// textOf is the text of a text object.
func textOf(v any) string {
	o, _ := v.(map[string]any)
	return str(o["text"])
}

func str(v any) string {
	s, _ := v.(string)
	return s
}
