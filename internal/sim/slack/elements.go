package slack

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// interactive lists the elements that may stand in actions, beside a section and in an input.
var interactive = []string{
	"button", "overflow", "static_select", "external_select", "users_select", "conversations_select", "channels_select",
	"multi_static_select", "multi_external_select", "multi_users_select", "multi_conversations_select", "multi_channels_select",
	"checkboxes", "radio_buttons", "datepicker", "timepicker", "datetimepicker", "workflow_button",
}

func (c *check) elements(at string, b map[string]any, most int, kinds ...string) {
	es, _ := b["elements"].([]any)
	if len(es) == 0 {
		c.bad(at+"/elements", "must have at least 1 item")
	}
	if len(es) > most {
		c.bad(at+"/elements", "no more than %d items allowed", most)
	}
	ids := map[string]bool{}
	for i, e := range es {
		here := fmt.Sprintf("%s/elements/%d", at, i)
		c.element(here, e, kinds)
		o, _ := e.(map[string]any)
		if id := str(o["action_id"]); id != "" {
			if ids[id] {
				c.bad(here+"/action_id", "action_id %q already exists in this block", id)
			}
			ids[id] = true
		}
	}
}

func (c *check) element(at string, v any, kinds []string) {
	e, ok := v.(map[string]any)
	if !ok {
		c.bad(at, "must be an object")
		return
	}
	kind := str(e["type"])
	if !slices.Contains(kinds, kind) {
		c.bad(at+"/type", "unsupported element type: %s", kind)
		return
	}
	c.common(at, e)
	switch kind {
	case "plain_text", "mrkdwn":
		c.text(at, e, "", 3000)
	case "image":
		c.image(at, e)
	case "button":
		c.button(at, e)
	case "overflow":
		c.fields(at, e)
		c.options(at, e, 5)
	case "checkboxes", "radio_buttons":
		c.options(at, e, 10)
	case "static_select", "multi_static_select":
		if e["option_groups"] != nil {
			c.groups(at, e)
		} else {
			c.options(at, e, 100)
		}
	case "plain_text_input":
		if n, ok := e["max_length"].(float64); ok && (n < 1 || n > 3000) {
			c.bad(at+"/max_length", "must be between 1 and 3000")
		}
		c.length(at+"/initial_value", e["initial_value"], 0, 3000)
	}
}

// common checks what every interactive element may have.
func (c *check) common(at string, e map[string]any) {
	c.length(at+"/action_id", e["action_id"], 0, 255)
	if e["confirm"] != nil {
		c.confirm(at+"/confirm", e["confirm"])
	}
	if e["placeholder"] != nil {
		c.text(at+"/placeholder", e["placeholder"], "plain_text", 150)
	}
}

func (c *check) button(at string, e map[string]any) {
	c.fields(at, e)
	c.text(at+"/text", e["text"], "plain_text", 75)
	c.length(at+"/value", e["value"], 0, 2000)
	c.length(at+"/url", e["url"], 0, 3000)
	c.length(at+"/accessibility_label", e["accessibility_label"], 0, 75)
	c.style(at, e)
}

func (c *check) style(at string, o map[string]any) {
	if s, there := o["style"]; there && s != "primary" && s != "danger" {
		c.bad(at+"/style", "must be primary or danger")
	}
}

func (c *check) groups(at string, e map[string]any) {
	gs, _ := e["option_groups"].([]any)
	if len(gs) == 0 || len(gs) > 100 {
		c.bad(at+"/option_groups", "must have between 1 and 100 items")
	}
	for i, g := range gs {
		here := fmt.Sprintf("%s/option_groups/%d", at, i)
		o, _ := g.(map[string]any)
		c.text(here+"/label", o["label"], "plain_text", 75)
		c.options(here, o, 100)
	}
}

func (c *check) options(at string, e map[string]any, most int) {
	os, _ := e["options"].([]any)
	if len(os) == 0 || len(os) > most {
		c.bad(at+"/options", "must have between 1 and %d items", most)
	}
	for i, o := range os {
		here := fmt.Sprintf("%s/options/%d", at, i)
		o, _ := o.(map[string]any)
		c.text(here+"/text", o["text"], "", 75)
		c.length(here+"/value", o["value"], 1, 75)
		if o["description"] != nil {
			c.text(here+"/description", o["description"], "", 75)
		}
	}
}

func (c *check) confirm(at string, v any) {
	o, ok := v.(map[string]any)
	if !ok {
		c.bad(at, "must be an object")
		return
	}
	c.text(at+"/title", o["title"], "plain_text", 100)
	c.text(at+"/text", o["text"], "", 300)
	c.text(at+"/confirm", o["confirm"], "plain_text", 30)
	c.text(at+"/deny", o["deny"], "plain_text", 30)
	c.style(at, o)
}

// richText checks the parts of a rich_text block, or of a list in one.
func (c *check) richText(at string, b map[string]any, outer bool) {
	es, ok := b["elements"].([]any)
	if !ok {
		c.bad(at+"/elements", "missing required field: elements")
	}
	for i, v := range es {
		here := fmt.Sprintf("%s/elements/%d", at, i)
		e, _ := v.(map[string]any)
		kind := str(e["type"])
		switch {
		case kind == "rich_text_section", outer && (kind == "rich_text_preformatted" || kind == "rich_text_quote"):
			c.spans(here, e)
		case outer && kind == "rich_text_list":
			if s := e["style"]; s != "bullet" && s != "ordered" {
				c.bad(here+"/style", "must be bullet or ordered")
			}
			c.richText(here, e, false)
		default:
			c.bad(here+"/type", "unsupported rich text element: %s", kind)
		}
	}
}

func (c *check) spans(at string, b map[string]any) {
	es, ok := b["elements"].([]any)
	if !ok {
		c.bad(at+"/elements", "missing required field: elements")
	}
	for i, v := range es {
		here := fmt.Sprintf("%s/elements/%d", at, i)
		e, _ := v.(map[string]any)
		switch e["type"] {
		case "text":
			c.length(here+"/text", e["text"], 1, 40000)
		case "link":
			c.length(here+"/url", e["url"], 1, 3000)
		case "emoji":
			c.length(here+"/name", e["name"], 1, 255)
		case "user", "usergroup", "channel", "broadcast", "date", "color", "team", "tag":
		default:
			c.bad(here+"/type", "unsupported rich text element: %v", e["type"])
		}
	}
}

// length checks a string; one that isn't there is fine unless it must have a character.
func (c *check) length(at string, v any, least, most int) {
	s, ok := v.(string)
	if !ok && (v != nil || least > 0) {
		c.bad(at, "must be a string")
		return
	}
	switch n := utf8.RuneCountInString(s); {
	case n < least:
		c.bad(at, "must be more than %d characters", least-1)
	case n > most:
		c.bad(at, "must be less than %d characters", most+1)
	}
}

// text checks a text object of the kind, or of either kind.
func (c *check) text(at string, v any, kind string, most int) {
	o, ok := v.(map[string]any)
	if !ok {
		c.bad(at, "missing required field: %s", at[strings.LastIndex(at, "/")+1:])
		return
	}
	if t := str(o["type"]); t != "plain_text" && t != "mrkdwn" || kind != "" && t != kind {
		c.bad(at+"/type", "must be %s", strings.TrimPrefix(kind+" or mrkdwn", " or "))
	}
	for k := range o {
		if k != "type" && k != "text" && k != "emoji" && k != "verbatim" || k == "emoji" && o["type"] == "mrkdwn" || k == "verbatim" && o["type"] == "plain_text" {
			c.bad(at, "invalid additional property: %s", k)
		}
	}
	c.length(at+"/text", o["text"], 1, most)
}
