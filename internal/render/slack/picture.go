package slack

import (
	"github.com/slack-go/slack"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/render"
	"github.com/netdiag/netdiag/internal/render/chart"
)

// picture shows the first table of a report (subnets, targets), with a chart of it where one can be made.
func picture(title string, r diagnostics.Report, by map[render.Kind][]render.Section) []Message {
	var group []slack.Block
	says := "table"
	if c, ok := chart.Of(r); ok {
		group, says = append(group, bars(c)), c.Alt()
	}
	if tables := by[render.Table]; len(tables) > 0 {
		group = append(group, table(*tables[0].Table)...)
	}
	if len(group) == 0 {
		return nil
	}
	return pack(fallback(title, says), group)
}

// HasChart reports whether an answer has a chart, which a Slack that has none gets as a picture.
func HasChart(m Message) bool {
	for _, b := range m.Blocks {
		if b.BlockType() == slack.MBTDataVisualization {
			return true
		}
	}
	return false
}

// bars is a chart in Slack's own block.
func bars(c chart.Chart) *slack.DataVisualizationBlock {
	var series []slack.DataVisualizationDataSeries
	for _, s := range c.Series {
		var points []slack.DataVisualizationDataPoint
		for i, v := range s.Values {
			points = append(points, slack.NewDataVisualizationDataPoint(c.Categories[i], float64(v)))
		}
		series = append(series, slack.NewDataVisualizationDataSeries(s.Name, points...))
	}
	return &slack.DataVisualizationBlock{
		Type: slack.MBTDataVisualization, Title: c.Title,
		Chart: slack.NewDataVisualizationBarChart(slack.NewDataVisualizationAxisConfig(c.Categories...), series...),
	}
}
