package slack

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// check walks Block Kit and notes what Slack would refuse, in the form "must be less than 151 characters
// [json-pointer:/blocks/0/text/text]". Limits are those of Slack's published types.
type check struct {
	surface  string // message, modal or home
	problems []string
	blockIDs map[string]bool
	tables   int
	charts   int
	markdown int // characters of all markdown blocks
}

func (c *check) bad(at, format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...)+" [json-pointer:"+at+"]")
}

// checkMessage reports invalid_blocks, with what is wrong where.
func checkMessage(blocks []Block) error {
	c := &check{surface: "message", blockIDs: map[string]bool{}}
	c.blocks("/blocks", anys(blocks), 50)
	if c.tables > 1 {
		return fail("invalid_attachments", "only_one_table_allowed")
	}
	if len(c.problems) > 0 {
		return fail("invalid_blocks", c.problems...)
	}
	return nil
}

// checkView lists what is wrong with a view; kind is modal or home, or empty for either.
func checkView(v map[string]any, kind string) []string {
	got := str(v["type"])
	c := &check{surface: got, blockIDs: map[string]bool{}}
	if got != "modal" && got != "home" || kind != "" && got != kind {
		c.bad("/view/type", "must be a valid view type")
	}
	if got == "modal" {
		c.text("/view/title", v["title"], "plain_text", 24)
	}
	inputs := false
	blocks, ok := v["blocks"].([]any)
	if !ok {
		c.bad("/view/blocks", "missing required field: blocks")
	}
	for _, b := range blocks {
		b, _ := b.(map[string]any)
		inputs = inputs || b["type"] == "input"
	}
	for _, k := range []string{"submit", "close"} {
		if v[k] != nil {
			c.text("/view/"+k, v[k], "plain_text", 24)
		}
	}
	if got == "modal" && inputs && v["submit"] == nil {
		c.bad("/view", "missing required field: submit")
	}
	c.length("/view/private_metadata", v["private_metadata"], 0, 3000)
	c.length("/view/callback_id", v["callback_id"], 0, 255)
	c.length("/view/external_id", v["external_id"], 0, 255)
	c.blocks("/view/blocks", blocks, 100)
	return c.problems
}

func anys(blocks []Block) []any {
	out := make([]any, len(blocks))
	for i, b := range blocks {
		out[i] = b
	}
	return out
}

func (c *check) blocks(at string, blocks []any, most int) {
	if len(blocks) > most {
		c.bad(at, "no more than %d items allowed", most)
	}
	for i, v := range blocks {
		here := fmt.Sprintf("%s/%d", at, i)
		b, ok := v.(map[string]any)
		if !ok {
			c.bad(here, "must be an object")
			continue
		}
		c.block(here, b)
	}
}

// known lists the fields of each kind of block and element that Slack accepts; another one is refused.
var known = map[string][]string{
	"section":            {"text", "fields", "accessory", "expand"},
	"header":             {"text", "level"},
	"divider":            {},
	"context":            {"elements"},
	"actions":            {"elements"},
	"rich_text":          {"elements"},
	"image":              {"image_url", "slack_file", "alt_text", "title", "image_width", "image_height", "image_bytes", "fallback"},
	"input":              {"label", "element", "hint", "optional", "dispatch_action"},
	"markdown":           {"text"},
	"table":              {"rows", "column_settings"},
	"data_visualization": {"title", "chart"},
	"data_table":         {"rows", "caption", "page_size", "row_header_column_index"},
	"button":             {"text", "action_id", "url", "value", "style", "confirm", "accessibility_label", "visible_to_user_ids"},
	"overflow":           {"action_id", "options", "confirm"},
}

func (c *check) fields(at string, o map[string]any) {
	allowed, ok := known[str(o["type"])]
	if !ok {
		return
	}
	for k := range o {
		if k != "type" && k != "block_id" && !slices.Contains(allowed, k) {
			c.bad(at, "invalid additional property: %s", k)
		}
	}
}

func (c *check) block(at string, b map[string]any) {
	if id := str(b["block_id"]); id != "" {
		c.length(at+"/block_id", id, 1, 255)
		if c.blockIDs[id] {
			c.bad(at+"/block_id", "block_id %q already exists", id)
		}
		c.blockIDs[id] = true
	}
	c.fields(at, b)
	if kind := str(b["type"]); !c.content(kind, at, b) {
		c.bad(at+"/type", "unsupported block type: %s", kind)
	}
}

// content checks what is particular to a kind of block, and reports whether the surface knows that kind.
func (c *check) content(kind, at string, b map[string]any) bool {
	switch kind {
	case "divider", "video", "file", "card", "carousel", "plan", "task_card", "layout", "context_actions", "call":
	case "alert":
		return c.surface == "modal"
	case "section":
		c.section(at, b)
	case "header":
		c.text(at+"/text", b["text"], "plain_text", 150)
	case "context":
		c.elements(at, b, 10, "image", "plain_text", "mrkdwn")
	case "actions":
		c.elements(at, b, 25, interactive...)
	case "image":
		c.image(at, b)
	case "input":
		c.input(at, b)
	case "rich_text":
		c.richText(at, b, true)
	case "container":
		c.container(at, b)
	default:
		return c.surface == "message" && c.messageOnly(kind, at, b)
	}
	return true
}

// messageOnly checks the kinds of block that may stand in messages alone.
func (c *check) messageOnly(kind, at string, b map[string]any) bool {
	switch kind {
	case "markdown":
		c.length(at+"/text", b["text"], 1, 12000)
		if c.markdown += utf8.RuneCountInString(str(b["text"])); c.markdown > 12000 {
			c.bad(at+"/text", "must be less than 12001 characters in all markdown blocks of a message")
		}
	case "table":
		c.tables++
		c.table(at, b, 100)
	case "data_table":
		c.length(at+"/caption", b["caption"], 1, 2000)
		c.table(at, b, 201)
	case "data_visualization":
		c.visualization(at, b)
	default:
		return false
	}
	return true
}

func (c *check) container(at string, b map[string]any) {
	inner, _ := b["child_blocks"].([]any)
	if len(inner) == 0 {
		c.bad(at+"/child_blocks", "must have at least 1 item")
	}
	c.blocks(at+"/child_blocks", inner, 10)
}

func (c *check) section(at string, b map[string]any) {
	fields, _ := b["fields"].([]any)
	if b["text"] == nil && len(fields) == 0 {
		c.bad(at, "missing required field: text or fields")
	}
	if b["text"] != nil {
		c.text(at+"/text", b["text"], "", 3000)
	}
	if len(fields) > 10 {
		c.bad(at+"/fields", "no more than 10 items allowed")
	}
	for i, f := range fields {
		c.text(fmt.Sprintf("%s/fields/%d", at, i), f, "", 2000)
	}
	if b["accessory"] != nil {
		c.element(at+"/accessory", b["accessory"], append([]string{"image"}, interactive...))
	}
}

func (c *check) image(at string, b map[string]any) {
	if b["image_url"] == nil && b["slack_file"] == nil {
		c.bad(at, "missing required field: image_url or slack_file")
	}
	c.length(at+"/image_url", b["image_url"], 0, 3000)
	c.length(at+"/alt_text", b["alt_text"], 1, 2000)
	if b["title"] != nil {
		c.text(at+"/title", b["title"], "plain_text", 2000)
	}
}

func (c *check) input(at string, b map[string]any) {
	c.text(at+"/label", b["label"], "plain_text", 2000)
	if b["hint"] != nil {
		c.text(at+"/hint", b["hint"], "plain_text", 2000)
	}
	c.element(at+"/element", b["element"], append([]string{"plain_text_input", "email_text_input", "url_text_input", "number_input", "file_input", "rich_text_input"}, interactive...))
}

// table checks rows and cells; a table may hold 10,000 characters.
func (c *check) table(at string, b map[string]any, most int) {
	rows, _ := b["rows"].([]any)
	if len(rows) == 0 || len(rows) > most {
		c.bad(at+"/rows", "must have between 1 and %d items", most)
	}
	total := 0
	for i, row := range rows {
		cells, _ := row.([]any)
		if len(cells) == 0 || len(cells) > 20 {
			c.bad(fmt.Sprintf("%s/rows/%d", at, i), "must have between 1 and 20 items")
		}
		for j, cell := range cells {
			here := fmt.Sprintf("%s/rows/%d/%d", at, i, j)
			cell, _ := cell.(map[string]any)
			switch cell["type"] {
			case "raw_text":
				c.length(here+"/text", cell["text"], 1, 10000)
			case "raw_number", "action_cell":
			case "rich_text":
				c.richText(here, cell, true)
			default:
				c.bad(here+"/type", "must be raw_text, raw_number or rich_text")
			}
			total += utf8.RuneCountInString(strings.ReplaceAll(words(cell), "\n", ""))
		}
	}
	if total > 10000 {
		c.bad(at+"/rows", "must be less than 10001 characters in all cells")
	}
}
