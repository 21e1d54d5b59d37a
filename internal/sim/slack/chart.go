package slack

import (
	"fmt"
	"slices"
)

// Limits of charts, those of Slack's documentation as slack-go gives them: 2 in a message, 6 segments or series, 20 points
// in a series, 20 characters in a label.
const (
	maxCharts  = 2
	maxSeries  = 6
	maxPoints  = 20
	labelChars = 20
)

// visualization checks a data_visualization block.
func (c *check) visualization(at string, b map[string]any) {
	if c.charts++; c.charts > maxCharts {
		c.bad(at, "no more than %d data_visualization blocks allowed in a message", maxCharts)
	}
	c.length(at+"/title", b["title"], 1, 50)
	chart, _ := b["chart"].(map[string]any)
	at += "/chart"
	switch chart["type"] {
	case "pie":
		for here, s := range c.items(at+"/segments", chart["segments"], maxSeries) {
			c.length(here+"/label", s["label"], 1, labelChars)
			if v, ok := s["value"].(float64); !ok || v <= 0 {
				c.bad(here+"/value", "must be more than 0")
			}
		}
	case "bar", "area", "line":
		c.series(at, chart)
	default:
		c.bad(at+"/type", "must be pie, bar, area or line")
	}
}

// series checks that every series has one point for each category of the axis.
func (c *check) series(at string, chart map[string]any) {
	axis, _ := chart["axis_config"].(map[string]any)
	categories, _ := axis["categories"].([]any)
	if n := len(categories); n == 0 || n > maxPoints {
		c.bad(at+"/axis_config/categories", "must have between 1 and %d items", maxPoints)
	}
	for i, name := range categories {
		c.length(fmt.Sprintf("%s/axis_config/categories/%d", at, i), name, 1, labelChars)
	}
	for _, k := range []string{"x_label", "y_label"} {
		c.length(at+"/axis_config/"+k, axis[k], 0, 50)
	}
	names := map[string]bool{}
	for here, s := range c.items(at+"/series", chart["series"], maxSeries) {
		c.length(here+"/name", s["name"], 1, labelChars)
		if names[str(s["name"])] {
			c.bad(here+"/name", "must be unique")
		}
		names[str(s["name"])] = true
		seen := map[string]bool{}
		for point, p := range c.items(here+"/data", s["data"], maxPoints) {
			label := str(p["label"])
			if !slices.Contains(categories, any(label)) || seen[label] {
				c.bad(point+"/label", "must be one of the categories, each once")
			}
			seen[label] = true
			if _, ok := p["value"].(float64); !ok {
				c.bad(point+"/value", "must be a number")
			}
		}
		if len(seen) != len(categories) {
			c.bad(here+"/data", "must have one point for each category")
		}
	}
}

// items goes over a list of objects that must have between one and most of them.
func (c *check) items(at string, v any, most int) func(func(string, map[string]any) bool) {
	list, _ := v.([]any)
	if n := len(list); n == 0 || n > most {
		c.bad(at, "must have between 1 and %d items", most)
	}
	return func(yield func(string, map[string]any) bool) {
		for i, e := range list {
			o, _ := e.(map[string]any)
			if !yield(fmt.Sprintf("%s/%d", at, i), o) {
				return
			}
		}
	}
}
