package aws

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

func cloudwatchOperations() map[string]operation {
	return map[string]operation{"GetMetricData": getMetricData, "GetMetricStatistics": getMetricStatistics, "ListMetrics": listMetrics}
}

type point struct {
	at    time.Time
	value float64
}

// wanted names a series, and the time for which it is asked, the end excluded.
type wanted struct {
	namespace, metric string
	dimensions        map[string]string
	statistic         string
	period            int
	from, to          time.Time
}

// dimensions reads a list of Name and Value.
func dimensions(v any) map[string]string {
	out := map[string]string{}
	for _, d := range objects(v) {
		out[text(d["Name"])] = text(d["Value"])
	}
	return out
}

// series finds the recorded points, oldest first. A finer record is summed up into the asked period where the statistic allows.
func (s *Server) series(w wanted) ([]point, error) {
	metrics, err := s.list("cloudwatch", "Metrics")
	if err != nil {
		return nil, err
	}
	buckets := map[time.Time]float64{}
	for _, m := range metrics {
		recorded := integer(m["Period"])
		if text(m["Namespace"]) != w.namespace || text(m["MetricName"]) != w.metric || text(m["Statistic"]) != w.statistic ||
			!maps.Equal(dimensions(m["Dimensions"]), w.dimensions) || recorded == 0 || w.period%recorded != 0 {
			continue
		}
		fold, ok := folds[w.statistic]
		if recorded != w.period && !ok {
			continue // averages and percentiles can't be made of averages and percentiles
		}
		stamps, numbers := values(m["Timestamps"]), values(m["Values"])
		for i := 0; i < min(len(stamps), len(numbers)); i++ {
			t, ok := instant(stamps[i])
			v, err := strconv.ParseFloat(numbers[i], 64)
			if !ok || err != nil {
				return nil, fmt.Errorf("metric %s: point %q = %q", w.metric, stamps[i], numbers[i])
			}
			if recorded != w.period {
				t = t.Truncate(time.Duration(w.period) * time.Second)
			}
			if t.Before(w.from) || !t.Before(w.to) {
				continue
			}
			if old, ok := buckets[t]; ok && fold != nil {
				v = fold(old, v)
			}
			buckets[t] = v
		}
	}
	var out []point
	for t, v := range buckets {
		out = append(out, point{t, v})
	}
	slices.SortFunc(out, func(a, b point) int { return a.at.Compare(b.at) })
	return out, nil
}

var folds = map[string]func(a, b float64) float64{
	"Sum": func(a, b float64) float64 { return a + b }, "SampleCount": func(a, b float64) float64 { return a + b },
	"Maximum": func(a, b float64) float64 { return max(a, b) }, "Minimum": func(a, b float64) float64 { return min(a, b) },
}

// span reads StartTime and EndTime.
func span(c *call) (from, to time.Time, err error) {
	from, ok := instant(c.params["StartTime"])
	to, ok2 := instant(c.params["EndTime"])
	if !ok || !ok2 || !from.Before(to) {
		return from, to, &apiError{Code: "ValidationError", Message: "The parameter StartTime must be less than the parameter EndTime."}
	}
	return from, to, nil
}

func getMetricData(s *Server, c *call) (object, error) {
	from, to, err := span(c)
	if err != nil {
		return nil, err
	}
	queries := c.objects("MetricDataQueries")
	if len(queries) == 0 || len(queries) > 500 {
		return nil, &apiError{Code: "ValidationError", Message: "The collection MetricDataQueries must have 1 to 500 members."}
	}
	start := c.number("NextToken", 0)
	answer := object{"Messages": []any{}}
	var results []any
	for i, q := range queries {
		if i < start {
			continue
		}
		if c.page > 0 && len(results) == c.page {
			answer["NextToken"] = strconv.Itoa(i)
			break
		}
		if text(q["ReturnData"]) == "false" {
			continue
		}
		stat, metric := at(q, "MetricStat"), at(q, "MetricStat", "Metric")
		if metric == nil {
			return nil, &apiError{Code: "ValidationError", Message: "Only MetricStat queries are simulated, not expressions: " + text(q["Expression"])}
		}
		points, err := s.series(wanted{
			text(metric["Namespace"]), text(metric["MetricName"]), dimensions(metric["Dimensions"]), text(stat["Stat"]), integer(stat["Period"]), from, to,
		})
		if err != nil {
			return nil, err
		}
		if c.str("ScanBy") != "TimestampAscending" {
			slices.Reverse(points)
		}
		stamps, numbers := []any{}, []any{}
		for _, p := range points {
			stamps, numbers = append(stamps, p.at), append(numbers, p.value)
		}
		label := cmp.Or(text(q["Label"]), text(metric["MetricName"]))
		results = append(results, object{"Id": text(q["Id"]), "Label": label, "StatusCode": "Complete", "Timestamps": stamps, "Values": numbers})
	}
	answer["MetricDataResults"] = results
	return answer, nil
}

func getMetricStatistics(s *Server, c *call) (object, error) {
	from, to, err := span(c)
	if err != nil {
		return nil, err
	}
	at := map[time.Time]object{}
	for _, stat := range c.strs("Statistics") {
		points, err := s.series(wanted{c.str("Namespace"), c.str("MetricName"), dimensions(c.params["Dimensions"]), stat, c.number("Period", 60), from, to})
		if err != nil {
			return nil, err
		}
		for _, p := range points {
			if at[p.at] == nil {
				at[p.at] = object{"Timestamp": p.at, "Unit": "None"}
			}
			at[p.at][stat] = p.value
		}
	}
	var out []any
	for _, t := range slices.SortedFunc(maps.Keys(at), time.Time.Compare) {
		out = append(out, at[t])
	}
	return object{"Label": c.str("MetricName"), "Datapoints": out}, nil
}

func listMetrics(s *Server, c *call) (object, error) {
	metrics, err := s.list("cloudwatch", "Metrics")
	if err != nil {
		return nil, err
	}
	var out []any
	for _, m := range metrics {
		if n := c.str("Namespace"); n != "" && n != text(m["Namespace"]) {
			continue
		}
		if n := c.str("MetricName"); n != "" && n != text(m["MetricName"]) {
			continue
		}
		out = append(out, object{"Namespace": m["Namespace"], "MetricName": m["MetricName"], "Dimensions": m["Dimensions"]})
	}
	return object{"Metrics": out}, nil
}
