package slack

import (
	"fmt"
	"maps"
	"strings"
)

// field is how an element's value stands in a payload.
var field = map[string]string{
	"button": "value", "plain_text_input": "value", "email_text_input": "value", "url_text_input": "value", "number_input": "value",
	"static_select": "selected_option", "external_select": "selected_option", "radio_buttons": "selected_option", "overflow": "selected_option",
	"multi_static_select": "selected_options", "multi_external_select": "selected_options", "checkboxes": "selected_options",
	"users_select": "selected_user", "channels_select": "selected_channel", "conversations_select": "selected_conversation",
	"multi_users_select": "selected_users", "multi_channels_select": "selected_channels", "multi_conversations_select": "selected_conversations",
	"datepicker": "selected_date", "timepicker": "selected_time", "datetimepicker": "selected_date_time",
}

// chosen is the value of an element, as payloads give it, once the picks are made.
func chosen(e Block, picks []string) (Block, error) {
	kind := str(e["type"])
	name := field[kind]
	out := Block{"type": kind}
	switch name {
	case "selected_option", "selected_options":
		var all []any
		for _, p := range picks {
			o, err := option(e, p)
			if err != nil {
				return nil, err
			}
			all = append(all, o)
		}
		switch {
		case name == "selected_options":
			out[name] = append([]any{}, all...)
		case len(all) > 0:
			out[name] = all[0]
		default:
			out[name] = nil
		}
	case "":
	case "selected_users", "selected_channels", "selected_conversations":
		out[name] = append([]string{}, picks...)
	default:
		if kind == "button" {
			if e["value"] != nil {
				out[name] = e["value"]
			}
			break
		}
		out[name] = nil
		if v := strings.Join(picks, "\n"); v != "" {
			out[name] = v
		}
	}
	return out, nil
}

// option finds an option of an element by value or label.
func option(e Block, pick string) (Block, error) {
	var have []string
	lists := []any{e["options"]}
	groups, _ := e["option_groups"].([]any)
	for _, g := range groups {
		g, _ := g.(map[string]any)
		lists = append(lists, g["options"])
	}
	for _, l := range lists {
		l, _ := l.([]any)
		for _, o := range l {
			o, _ := o.(map[string]any)
			if str(o["value"]) == pick || textOf(o["text"]) == pick {
				return o, nil
			}
			have = append(have, str(o["value"]))
		}
	}
	return nil, fmt.Errorf("choose %q: the options are %q", pick, have)
}

// initialValues is what a form holds before anyone touched it; here is the channel where it was opened.
func initialValues(blocks []Block, here string) map[string]map[string]Block {
	out := map[string]map[string]Block{}
	eachElement(blocks, func(b, e Block) {
		name := field[str(e["type"])]
		if name == "" || e["type"] == "button" || e["type"] == "overflow" {
			return
		}
		v := Block{"type": e["type"], name: nil}
		initial := "initial_" + strings.TrimPrefix(name, "selected_")
		if e[initial] != nil {
			v[name] = e[initial]
		} else if name == "selected_conversation" && e["default_to_current_conversation"] == true && here != "" {
			v[name] = here
		} else if strings.HasSuffix(name, "s") {
			v[name] = []any{}
		}
		id := str(b["block_id"])
		if out[id] == nil {
			out[id] = map[string]Block{}
		}
		out[id][str(e["action_id"])] = v
	})
	return out
}

// set puts a value into the view. Maps are replaced, not changed: copies of the view may be read at this moment.
func (v *View) set(block, action string, value Block) {
	values := maps.Clone(v.State.Values)
	if values == nil {
		values = map[string]map[string]Block{}
	}
	inner := maps.Clone(values[block])
	if inner == nil {
		inner = map[string]Block{}
	}
	inner[action] = value
	values[block] = inner
	v.State.Values = values
}

// withSuggestions is the element with the options that the app suggested for it last, and those that it starts with.
func (st *State) withSuggestions(e Block) Block {
	if !strings.HasSuffix(str(e["type"]), "external_select") {
		return e
	}
	e = maps.Clone(e)
	options := anys(st.suggested[str(e["action_id"])])
	if o := e["initial_option"]; o != nil {
		options = append(options, o)
	}
	more, _ := e["initial_options"].([]any)
	e["options"] = append(options, more...)
	return e
}

// fill puts typed values into the fields of a form.
func (st *State) fill(v *View, values map[string]string) error {
	used := map[string]bool{}
	var problem error
	eachElement(v.Blocks, func(b, e Block) {
		for _, key := range []string{str(b["block_id"]) + "/" + str(e["action_id"]), str(e["action_id"]), str(b["block_id"])} {
			text, ok := values[key]
			if !ok || e["type"] == "button" {
				continue
			}
			used[key] = true
			picks := strings.Split(text, "\n")
			if text == "" {
				picks = nil
			}
			value, err := chosen(st.withSuggestions(e), picks)
			if err != nil {
				problem = err
				return
			}
			v.set(str(b["block_id"]), str(e["action_id"]), value)
			return
		}
	})
	for key := range values {
		if !used[key] && problem == nil {
			problem = fmt.Errorf("fill in %q: the form has no such field", key)
		}
	}
	return problem
}

// missing lists the fields that must be filled in and are not, as Slack itself tells people before the app hears of it.
func (v *View) missing() map[string]string {
	out := map[string]string{}
	for _, b := range v.Blocks {
		if b["type"] != "input" || b["optional"] == true {
			continue
		}
		id := str(b["block_id"])
		e, _ := b["element"].(map[string]any)
		value := v.State.Values[id][str(e["action_id"])]
		switch got := value[field[str(e["type"])]].(type) {
		case nil:
			out[id] = "Please complete this required field."
		case string:
			if n, ok := e["min_length"].(float64); ok && len([]rune(got)) < int(n) {
				out[id] = fmt.Sprintf("Please enter at least %d characters.", int(n))
			}
		case []any:
			if len(got) == 0 {
				out[id] = "Please complete this required field."
			}
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}
