package slack_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	slackgo "github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
)

// Each of Slack's limits: what still passes, and what is one too many and where.
func TestBlockLimits(t *testing.T) {
	_, url := serve(t, workspace())
	api := client(url)
	of := func(n int) string { return strings.Repeat("x", n) }
	many := func(n int, b func(int) slackgo.Block) (out []slackgo.Block) {
		for i := range n {
			out = append(out, b(i))
		}
		return out
	}
	section := func(s string) slackgo.Block { return slackgo.NewSectionBlock(text("mrkdwn", s), nil, nil) }
	button := func(label, id, value string) *slackgo.ButtonBlockElement {
		return slackgo.NewButtonBlockElement(id, value, text("plain_text", label))
	}
	actions := func(n int) slackgo.Block {
		var es []slackgo.BlockElement
		for i := range n {
			es = append(es, button("b", fmt.Sprint("a", i), ""))
		}
		return slackgo.NewActionBlock("", es...)
	}
	confirm := func(title, body, yes, no int) slackgo.Block {
		return slackgo.NewActionBlock("", button("b", "a", "").WithConfirm(slackgo.NewConfirmationBlockObject(
			text("plain_text", of(title)), text("mrkdwn", of(body)), text("plain_text", of(yes)), text("plain_text", of(no)))))
	}
	options := func(n, length int) slackgo.Block {
		var os []*slackgo.OptionBlockObject
		for i := range n {
			os = append(os, slackgo.NewOptionBlockObject(fmt.Sprintf("%0*d", length, i), text("plain_text", "o"), nil))
		}
		return slackgo.NewActionBlock("", slackgo.NewOptionsSelectBlockElement(slackgo.OptTypeStatic, nil, "s", os...))
	}
	context := func(n int) slackgo.Block {
		return slackgo.NewContextBlock("", func() (out []slackgo.MixedElement) {
			for range n {
				out = append(out, text("mrkdwn", "c"))
			}
			return out
		}()...)
	}
	fields := func(n, length int) slackgo.Block {
		var fs []*slackgo.TextBlockObject
		for range n {
			fs = append(fs, text("mrkdwn", of(length)))
		}
		return slackgo.NewSectionBlock(nil, fs, nil)
	}
	table := func(rows, cells, length int) slackgo.Block {
		b := slackgo.NewTableBlock("")
		for range rows {
			var cs []slackgo.TableCell
			for range cells {
				cs = append(cs, slackgo.NewTableRawTextCell(of(length)))
			}
			b.AddRow(cs...)
		}
		return b
	}
	rich := func(s string) slackgo.Block {
		return slackgo.NewRichTextBlock("", slackgo.NewRichTextSection(slackgo.NewRichTextSectionTextElement(s, nil)))
	}
	pie := func(segments, label int, value float64) slackgo.Block {
		var ss []slackgo.DataVisualizationSegment
		for range segments {
			ss = append(ss, slackgo.NewDataVisualizationSegment(of(label), value))
		}
		return slackgo.NewDataVisualizationBlock("t", slackgo.NewDataVisualizationPieChart(ss...))
	}
	bars := func(series, points, label int, labels ...string) slackgo.Block {
		var categories []string
		for i := range points {
			categories = append(categories, fmt.Sprintf("%0*d", label, i))
		}
		var ss []slackgo.DataVisualizationDataSeries
		for i := range series {
			var ps []slackgo.DataVisualizationDataPoint
			for _, l := range append(categories[:points-len(labels):points-len(labels)], labels...) {
				ps = append(ps, slackgo.NewDataVisualizationDataPoint(l, 1))
			}
			ss = append(ss, slackgo.NewDataVisualizationDataSeries(fmt.Sprint("s", i), ps...))
		}
		return slackgo.NewDataVisualizationBlock("t", slackgo.NewDataVisualizationBarChart(slackgo.NewDataVisualizationAxisConfig(categories...), ss...))
	}
	for _, tc := range []struct {
		name      string
		fits, not []slackgo.Block
		where     string // JSON pointer of the complaint
	}{
		{"blocks", many(50, func(int) slackgo.Block { return slackgo.NewDividerBlock() }), many(51, func(int) slackgo.Block { return slackgo.NewDividerBlock() }), "/blocks"},
		{"section text", []slackgo.Block{section(of(3000))}, []slackgo.Block{section(of(3001))}, "/blocks/0/text/text"},
		{"empty text", []slackgo.Block{section("x")}, []slackgo.Block{section("")}, "/blocks/0/text/text"},
		{"characters, not bytes", []slackgo.Block{section(strings.Repeat("é", 3000))}, []slackgo.Block{section(strings.Repeat("é", 3001))}, "/blocks/0/text/text"},
		{"fields", []slackgo.Block{fields(10, 2000)}, []slackgo.Block{fields(11, 1)}, "/blocks/0/fields"},
		{"field text", []slackgo.Block{fields(1, 2000)}, []slackgo.Block{fields(1, 2001)}, "/blocks/0/fields/0/text"},
		{"header", []slackgo.Block{slackgo.NewHeaderBlock(text("plain_text", of(150)))}, []slackgo.Block{slackgo.NewHeaderBlock(text("plain_text", of(151)))}, "/blocks/0/text/text"},
		{"context", []slackgo.Block{context(10)}, []slackgo.Block{context(11)}, "/blocks/0/elements"},
		{"actions", []slackgo.Block{actions(25)}, []slackgo.Block{actions(26)}, "/blocks/0/elements"},
		{"button text", []slackgo.Block{slackgo.NewActionBlock("", button(of(75), "a", ""))}, []slackgo.Block{slackgo.NewActionBlock("", button(of(76), "a", ""))}, "/blocks/0/elements/0/text/text"},
		{"button value", []slackgo.Block{slackgo.NewActionBlock("", button("b", "a", of(2000)))}, []slackgo.Block{slackgo.NewActionBlock("", button("b", "a", of(2001)))}, "/blocks/0/elements/0/value"},
		{"action id", []slackgo.Block{slackgo.NewActionBlock("", button("b", of(255), ""))}, []slackgo.Block{slackgo.NewActionBlock("", button("b", of(256), ""))}, "/blocks/0/elements/0/action_id"},
		{"action ids", []slackgo.Block{slackgo.NewActionBlock("", button("b", "a", ""), button("b", "c", ""))}, []slackgo.Block{slackgo.NewActionBlock("", button("b", "a", ""), button("c", "a", ""))}, "/blocks/0/elements/1/action_id"},
		{"block ids", []slackgo.Block{slackgo.NewActionBlock("1", button("b", "a", "")), slackgo.NewActionBlock("2", button("b", "a", ""))}, []slackgo.Block{slackgo.NewActionBlock("1", button("b", "a", "")), slackgo.NewActionBlock("1", button("b", "a", ""))}, "/blocks/1/block_id"},
		{"style", []slackgo.Block{slackgo.NewActionBlock("", button("b", "a", "").WithStyle("danger"))}, []slackgo.Block{slackgo.NewActionBlock("", button("b", "a", "").WithStyle("green"))}, "/blocks/0/elements/0/style"},
		{"confirm title", []slackgo.Block{confirm(100, 300, 30, 30)}, []slackgo.Block{confirm(101, 300, 30, 30)}, "/blocks/0/elements/0/confirm/title/text"},
		{"confirm text", []slackgo.Block{confirm(1, 300, 1, 1)}, []slackgo.Block{confirm(1, 301, 1, 1)}, "/blocks/0/elements/0/confirm/text/text"},
		{"confirm button", []slackgo.Block{confirm(1, 1, 30, 1)}, []slackgo.Block{confirm(1, 1, 31, 1)}, "/blocks/0/elements/0/confirm/confirm/text"},
		{"options", []slackgo.Block{options(100, 75)}, []slackgo.Block{options(101, 75)}, "/blocks/0/elements/0/options"},
		{"option value", []slackgo.Block{options(1, 75)}, []slackgo.Block{options(1, 76)}, "/blocks/0/elements/0/options/0/value"},
		{"table rows", []slackgo.Block{table(100, 20, 5)}, []slackgo.Block{table(101, 1, 1)}, "/blocks/0/rows"},
		{"table cells", []slackgo.Block{table(1, 20, 1)}, []slackgo.Block{table(1, 21, 1)}, "/blocks/0/rows/0"},
		{"empty cell", []slackgo.Block{table(1, 1, 1)}, []slackgo.Block{table(1, 1, 0)}, "/blocks/0/rows/0/0/text"},
		{"table characters", []slackgo.Block{table(10, 10, 99)}, []slackgo.Block{table(10, 10, 101)}, "/blocks/0/rows"},
		{"rich text", []slackgo.Block{rich("x")}, []slackgo.Block{rich("")}, "/blocks/0/elements/0/elements/0/text"},
		{"charts", []slackgo.Block{pie(1, 1, 1), pie(1, 1, 1)}, []slackgo.Block{pie(1, 1, 1), pie(1, 1, 1), pie(1, 1, 1)}, "/blocks/2"},
		{"segments of a pie", []slackgo.Block{pie(6, 20, 1)}, []slackgo.Block{pie(7, 20, 1)}, "/blocks/0/chart/segments"},
		{"label of a segment", []slackgo.Block{pie(1, 20, 1)}, []slackgo.Block{pie(1, 21, 1)}, "/blocks/0/chart/segments/0/label"},
		{"an empty segment", []slackgo.Block{pie(1, 1, 0.5)}, []slackgo.Block{pie(1, 1, 0)}, "/blocks/0/chart/segments/0/value"},
		{"series", []slackgo.Block{bars(6, 20, 20)}, []slackgo.Block{bars(7, 1, 1)}, "/blocks/0/chart/series"},
		{"categories", []slackgo.Block{bars(1, 20, 2)}, []slackgo.Block{bars(1, 21, 2)}, "/blocks/0/chart/axis_config/categories"},
		{"label of a category", []slackgo.Block{bars(1, 1, 20)}, []slackgo.Block{bars(1, 1, 21)}, "/blocks/0/chart/axis_config/categories/0"},
		{"a point outside the categories", []slackgo.Block{bars(1, 2, 1)}, []slackgo.Block{bars(1, 2, 1, "x")}, "/blocks/0/chart/series/0/data/1/label"},
		{"a point twice", []slackgo.Block{bars(1, 2, 1)}, []slackgo.Block{bars(1, 2, 1, "0")}, "/blocks/0/chart/series/0/data"},
		{"alert", nil, []slackgo.Block{&slackgo.AlertBlock{Type: slackgo.MBTAlert, Text: text("mrkdwn", "x")}}, "/blocks/0/type"},
		{"markdown", []slackgo.Block{slackgo.NewMarkdownBlock("", of(12000))}, []slackgo.Block{slackgo.NewMarkdownBlock("", of(6000)), slackgo.NewMarkdownBlock("", of(6001))}, "/blocks/1/text"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.fits != nil {
				if _, _, err := api.PostMessage(ops, slackgo.MsgOptionBlocks(tc.fits...)); err != nil {
					t.Errorf("what fits: %v %v", err, complaints(err))
				}
			}
			_, _, err := api.PostMessage(ops, slackgo.MsgOptionBlocks(tc.not...))
			if err == nil || err.Error() != "invalid_blocks" || !strings.Contains(complaints(err), "[json-pointer:"+tc.where+"]") {
				t.Errorf("what does not fit: %v %s, want invalid_blocks at %s", err, complaints(err), tc.where)
			}
		})
	}
	_, _, err := api.PostMessage(ops, slackgo.MsgOptionBlocks(table(1, 1, 1), table(1, 1, 1)))
	if err == nil || err.Error() != "invalid_attachments" || !strings.Contains(complaints(err), "only_one_table_allowed") {
		t.Errorf("two tables: %v %s", err, complaints(err))
	}
}

func complaints(err error) string {
	if e, ok := errors.AsType[slackgo.SlackErrorResponse](err); ok {
		return strings.Join(e.ResponseMetadata.Messages, "\n")
	}
	return ""
}

func TestViewLimits(t *testing.T) {
	s, url := serve(t, workspace())
	view := func(change func(*slackgo.ModalViewRequest)) slackgo.ModalViewRequest {
		v := slackgo.ModalViewRequest{
			Type: slackgo.VTModal, Title: text("plain_text", "Title"), Submit: text("plain_text", "Go"),
			Blocks: slackgo.Blocks{BlockSet: []slackgo.Block{slackgo.NewInputBlock("i", text("plain_text", "Label"), nil, slackgo.NewPlainTextInputBlockElement(nil, "a"))}},
		}
		change(&v)
		return v
	}
	opened := make(chan string, 1)
	var asked atomic.Pointer[slackgo.ModalViewRequest]
	opener := &bot{slash: func(b *bot, r socketmode.Request, c slackgo.SlashCommand) {
		_ = b.sm.Ack(r)
		_, err := b.api.OpenView(c.TriggerID, *asked.Load())
		opened <- complaints(err)
	}}
	opener.run(t, s, url)
	for name, tc := range map[string]struct {
		change func(*slackgo.ModalViewRequest)
		where  string
	}{
		"fits": {func(v *slackgo.ModalViewRequest) {
			v.Title = text("plain_text", strings.Repeat("x", 24))
			v.PrivateMetadata = strings.Repeat("x", 3000)
		}, ""},
		"title":       {func(v *slackgo.ModalViewRequest) { v.Title = text("plain_text", strings.Repeat("x", 25)) }, "/view/title/text"},
		"submit":      {func(v *slackgo.ModalViewRequest) { v.Submit = text("plain_text", strings.Repeat("x", 25)) }, "/view/submit/text"},
		"no submit":   {func(v *slackgo.ModalViewRequest) { v.Submit = nil }, "/view"},
		"metadata":    {func(v *slackgo.ModalViewRequest) { v.PrivateMetadata = strings.Repeat("x", 3001) }, "/view/private_metadata"},
		"callback id": {func(v *slackgo.ModalViewRequest) { v.CallbackID = strings.Repeat("x", 256) }, "/view/callback_id"},
		"type":        {func(v *slackgo.ModalViewRequest) { v.Type = "home" }, "/view/type"},
	} {
		v := view(tc.change)
		asked.Store(&v)
		if _, err := s.Slash(t.Context(), maya, ops, "/netdiag"); err != nil {
			t.Fatal(err)
		}
		got := <-opened
		if tc.where == "" && got != "" || tc.where != "" && !strings.Contains(got, "[json-pointer:"+tc.where+"]") {
			t.Errorf("%s: %q, want a complaint at %q", name, got, tc.where)
		}
	}
}
