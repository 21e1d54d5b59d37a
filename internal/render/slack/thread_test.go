package slack_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	api "github.com/slack-go/slack"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/render/slack"
)

// read is a thread as it is read aloud: what each message says, and its buttons.
func read(ms ...slack.Message) string {
	var b strings.Builder
	for _, m := range ms {
		b.WriteString("=== " + m.Text + "\n")
		for _, block := range slack.Plain(m).Blocks {
			switch block := block.(type) {
			case *api.SectionBlock:
				b.WriteString(block.Text.Text + "\n")
			case *api.ActionBlock:
				for _, e := range block.Elements.ElementSet {
					b.WriteString("[" + e.(*api.ButtonBlockElement).Text.Text + "] ")
				}
				b.WriteString("\n")
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

// The threads of both seeds, to be read by people: is it plain in five seconds what is wrong and what to do?
func TestThreads(t *testing.T) {
	for _, name := range []string{"seed-pending", "seed-alb"} {
		r := report(t, name)
		q := question()
		q.Diagnosis, q.Target = r.Diagnosis, r.Target
		root := slack.Root(casebook.Investigation{Name: "inv-abc", Question: q, Status: casebook.InvestigationStatus{
			Phase: casebook.Reported, Report: &r, Root: casebook.Message{TS: "1.0"},
		}}, nil)
		got := "ROOT\n\n" + read(root) + "THREAD\n\n" + read(slack.Answer(r, slack.Thread{Investigation: "inv-abc", Mention: []string{"U0ALICE"}})...) +
			"SHOW EVIDENCE\n\n" + read(slack.Evidence(r)...) + "SHOW COMMANDS\n\n" + read(slack.Commands(r)...)
		file := filepath.Join("testdata", name+".txt")
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(want), got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}
