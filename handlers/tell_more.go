package handlers

import (
	"context"
	"fmt"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/render/chart"
	render "github.com/netdiag/netdiag/internal/render/slack"
)

// complete reports that Slack shows all of a question that it should.
func complete(inv casebook.Investigation) bool {
	if inv.Status.Posted[toldKey] == "" {
		return false
	}
	for what := range inv.Status.Wanted {
		if inv.Status.Posted[what] == "" {
			return false
		}
	}
	return true
}

// tellMore posts what was asked for of an answer, each in one go: its last key says that all of it is there.
func (t *teller) tellMore(ctx context.Context, inv casebook.Investigation) (_ casebook.Investigation, err error) {
	if inv.Status.Report == nil || inv.Status.Root.TS == "" {
		return inv, nil
	}
	for _, what := range []string{wantEvidence, wantCommands, wantFile} {
		if inv.Status.Wanted[what] == "" || inv.Status.Posted[what] != "" {
			continue
		}
		if what == wantFile {
			inv, err = t.tellFiles(ctx, inv)
		} else {
			inv, err = t.tellFolded(ctx, inv, what)
		}
		if err != nil {
			return inv, err
		}
	}
	return inv, nil
}

func (t *teller) tellFolded(ctx context.Context, inv casebook.Investigation, what string) (casebook.Investigation, error) {
	parts := render.Evidence(*inv.Status.Report)
	if what == wantCommands {
		parts = render.Commands(*inv.Status.Report)
	}
	first := ""
	for i, m := range parts {
		key := fmt.Sprintf("%s-%d", what, i)
		var err error
		if inv, err = t.tellPart(ctx, inv, key, m); err != nil {
			return inv, err
		}
		first = orElse(first, inv.Status.Posted[key])
	}
	return t.posted(ctx, inv.Name, what, first)
}

// tellPart posts a message of an answer, unless it is there.
func (t *teller) tellPart(ctx context.Context, inv casebook.Investigation, key string, m render.Message) (casebook.Investigation, error) {
	if inv.Status.Posted[key] != "" {
		return inv, nil
	}
	ts, err := t.out.post(ctx, t.of(inv.Name, posting{
		channel: inv.Status.Root.Channel, thread: threadOf(inv), key: inv.Name + "/" + key, rank: rankAnswer, message: m,
	}))
	if err != nil {
		return inv, fmt.Errorf("post %s of %s: %w", key, inv.Name, err)
	}
	return t.posted(ctx, inv.Name, key, ts)
}

// chartKey is the key of the chart as a picture; where it has a ts, or was given up, the picture is done with.
const chartKey = "chart"

// tellChart shows the chart as a picture where the workspace takes no native ones. Without it the table has the numbers.
func (t *teller) tellChart(ctx context.Context, inv casebook.Investigation) (casebook.Investigation, error) {
	if inv.Status.Posted[chartKey] != "" || t.web.charts() {
		return inv, nil
	}
	c, ok := chart.Of(*inv.Status.Report)
	if !ok {
		return inv, nil
	}
	png, err := chart.PNG(c)
	if err != nil {
		return inv, err
	}
	return t.tellUpload(ctx, inv, chartKey, "", []upload{{name: "netdiag-chart.png", title: c.Title, alt: c.Alt(), data: png}})
}
