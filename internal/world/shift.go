package world

import (
	"encoding/json"
	"regexp"
	"strconv"
	"time"
)

var (
	stamp = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)`)
	// Seconds since 1970 stand in metrics and in the checkpoint annotation of the AWS Load Balancer Controller.
	epochMetric = regexp.MustCompile(`(?m)^(\w*(?:start_time|timestamp)_seconds(?:\{[^}]*\})? )([0-9.e+]+)$`)
)

const checkpoint = "elbv2.k8s.aws/checkpoint-timestamp"

// Shift moves every timestamp of the world by d, those within texts included, so that a world that was recorded long
// ago can be served as if it were now.
func (w *World) Shift(d time.Duration) {
	w.Meta.Now = w.Meta.Now.Add(d)
	for _, o := range w.Objects {
		shiftValue(o.Object, d)
	}
	for _, lists := range w.AWS {
		for name, raw := range lists {
			lists[name] = json.RawMessage(shiftText(string(raw), d))
		}
	}
	for k, text := range w.Logs {
		w.Logs[k] = shiftText(text, d)
	}
	for k, text := range w.Metrics {
		text = shiftText(text, d)
		w.Metrics[k] = epochMetric.ReplaceAllStringFunc(text, func(line string) string {
			m := epochMetric.FindStringSubmatch(line)
			s, err := strconv.ParseFloat(m[2], 64)
			if err != nil || s == 0 {
				return line
			}
			return m[1] + strconv.FormatFloat(s+d.Seconds(), 'f', -1, 64)
		})
	}
}

func shiftText(text string, d time.Duration) string {
	return stamp.ReplaceAllStringFunc(text, func(s string) string {
		t, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			return s
		}
		layout := "2006-01-02T15:04:05"
		if m := stamp.FindStringSubmatch(s); m[1] != "" {
			layout += "." + "000000000"[:len(m[1])-1]
		}
		if s[len(s)-1] == 'Z' {
			layout += "Z"
		} else {
			layout += "-07:00"
		}
		return t.Add(d).Format(layout)
	})
}

func shiftValue(v any, d time.Duration) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if s, ok := e.(string); ok && k == checkpoint {
				if n, err := strconv.ParseInt(s, 10, 64); err == nil {
					v[k] = strconv.FormatInt(n+int64(d.Seconds()), 10)
					continue
				}
			}
			v[k] = shiftValue(e, d)
		}
	case []any:
		for i, e := range v {
			v[i] = shiftValue(e, d)
		}
	case string:
		return shiftText(v, d)
	}
	return v
}
