package slack_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/remedy"
	"github.com/netdiag/netdiag/internal/render/rendertest"
	"github.com/netdiag/netdiag/internal/render/slack"
)

var update = flag.Bool("update", false, "write the golden files")

func report(t *testing.T, name string) diagnostics.Report {
	t.Helper()
	file := filepath.Join("../testdata", name+".json")
	if strings.HasPrefix(name, "seed-") { // as netdiag says it of the worlds of these names
		file = filepath.Join("testdata/reports", name+".json")
	}
	return rendertest.Report(t, file)
}

func reports(t *testing.T) []string {
	t.Helper()
	files := rendertest.Reports(t)
	for i, f := range files {
		files[i] = strings.TrimSuffix(filepath.Base(f), ".json")
	}
	return append(files, "seed-pending", "seed-alb")
}

func goldenJSON(t *testing.T, name string, v any) {
	t.Helper()
	got, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	rendertest.Golden(t, *update, name+".json", string(got)+"\n")
}

func golden(t *testing.T, name string, ms ...slack.Message) {
	t.Helper()
	goldenJSON(t, name, ms)
	for _, m := range ms {
		checkLadder(t, name, m)
	}
}

var thread = slack.Thread{Investigation: "inv-abc", Mention: []string{"U0ALICE", "U0BOB"}}

// whole is everything that a thread can be told of a report.
func whole(r diagnostics.Report, in slack.Thread) []slack.Message {
	return append(append(slack.Answer(r, in), slack.Evidence(r)...), slack.Commands(r)...)
}

func TestAnswer(t *testing.T) {
	for _, name := range reports(t) {
		golden(t, name, whole(report(t, name), thread)...)
	}
	r := report(t, "full")
	r.Fixes[0].Action = &remedy.Action{AddonConfig: &remedy.AddonConfig{Cluster: "prod-cluster"}}
	golden(t, "cards", slack.Answer(r, slack.Thread{Investigation: "inv-abc", Cards: true})...)
}

// The answer is short, and folds away what makes it long.
func TestAnswerIsShort(t *testing.T) {
	r := report(t, "full")
	answer, more := encode(t, slack.Answer(r, thread)), encode(t, append(slack.Evidence(r), slack.Commands(r)...))
	for _, folded := range []string{"AvailableIpAddressCount", "aws ec2 describe-subnets", "aws eks update-addon"} {
		if strings.Contains(answer, folded) || !strings.Contains(more, folded) {
			t.Errorf("%q is not folded away, or gone", folded)
		}
	}
	if n := len(slack.Answer(r, thread)); n > 4 {
		t.Errorf("%d messages", n)
	}
	if m := slack.Answer(r, slack.Thread{})[0]; strings.Contains(encode(t, m), `"button"`) || strings.Contains(encode(t, m), `"user"`) {
		t.Error("an answer to nobody in particular has buttons or names somebody")
	}
}

// Who asked is named once in what is posted; edits name them, and tell nobody.
func TestMentions(t *testing.T) {
	r := report(t, "full")
	inv := casebook.Investigation{Name: "inv-abc", Question: question(), Status: casebook.InvestigationStatus{Phase: casebook.Reported, Report: &r}}
	rem := remediation(t, casebook.Rejected)
	rem.Status.Decisions = []casebook.Decision{{User: "U0BOB", Verdict: casebook.Reject, At: noon, Reason: "not today"}}
	rem.Status.Outcome = "Rejected; nothing was changed."
	posted := append(whole(r, slack.Thread{Investigation: "inv-abc", Mention: []string{"U0ALICE"}}), slack.Root(inv, nil), slack.Outcome(rem), slack.Card(remediation(t, casebook.AwaitingApproval)))
	if n := strings.Count(encode(t, posted), `"type":"user"`); n != 1 {
		t.Errorf("people are named %d times", n)
	}
	if out := encode(t, slack.Outcome(rem)); !strings.Contains(out, "Reason: not today") {
		t.Error(out)
	}
	inv.Status.Root.TS = "1.0"
	if !strings.Contains(encode(t, slack.Root(inv, nil)), "U0ALICE") {
		t.Error("the edited root message does not say who asked")
	}
}

func TestAskValues(t *testing.T) {
	if name, ok := slack.ParseAsk(slack.AskValue("inv-abc")); !ok || name != "inv-abc" {
		t.Error(name, ok)
	}
	for _, v := range []string{"", "v1", "v1:", "v2:inv-abc", "v1:rem-abc:nonce", "inv-abc", "v1:" + strings.Repeat("a", 3000)} {
		if name, ok := slack.ParseAsk(v); ok {
			t.Errorf("%.20q is taken for %q", v, name)
		}
	}
}

func TestLadder(t *testing.T) {
	picture := slack.Answer(report(t, "seed-pending"), thread)[1]
	var levels []int
	for _, r := range slack.Ladder(picture) {
		levels = append(levels, r.Level)
	}
	if d := cmp.Diff([]int{slack.Native, slack.NoCharts, slack.NoTables, slack.Oldest, slack.Short}, levels); d != "" {
		t.Error(d)
	}
	golden(t, "ladder", slack.Ladder(picture)[2].Message, slack.Ladder(picture)[3].Message)
	root := slack.Refusal("no")
	if got := slack.Ladder(root); len(got) != 3 || got[1].Level != slack.Oldest {
		t.Errorf("%+v", got)
	}
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func question() casebook.Question {
	return casebook.Question{
		Command: "pending backend", Diagnosis: "pending", Team: "T01", User: "U0ALICE", Channel: "C01", At: noon,
		Target: diagnostics.Target{Cluster: "prod-cluster", Region: "us-west-2", Namespace: "backend"},
	}
}

func TestRoot(t *testing.T) {
	inv := casebook.Investigation{Name: "inv-abc", Question: question()}
	full := report(t, "full")
	var ms []slack.Message
	for _, s := range []casebook.InvestigationStatus{
		{Phase: casebook.Received},
		{Phase: casebook.Diagnosing},
		{Phase: casebook.Reported, Report: &full},
		{Phase: casebook.Faulted, Error: "The cluster could not be reached. Say inv-abc to whoever runs netdiag."},
	} {
		inv.Status = s
		ms = append(ms, slack.Root(inv, nil))
		inv.Status.Root.TS = "1.0" // it is posted, and edited from here on
		ms = append(ms, slack.Root(inv, nil))
	}
	inv.Status = casebook.InvestigationStatus{Phase: casebook.Diagnosing, Root: casebook.Message{TS: "1.0"}}
	ms = append(ms, slack.Root(inv, strings.Split("pods, events, nodes, subnets, interfaces, add-on, metrics <!channel>", ", ")))
	golden(t, "root", ms...)
	inv.Question.User = "" // nobody asked
	golden(t, "root-warning", slack.Root(inv, nil))
}

func TestWarning(t *testing.T) {
	one := []string{"subnet subnet-1 in us-west-2a has 30 of 251 addresses available, and less than 20 % free."}
	var many []string
	for n := range 12 {
		many = append(many, fmt.Sprintf("subnet subnet-%d <!channel> is low.", n))
	}
	golden(t, "warning",
		slack.Warning("Early warning, nobody asked: ", one, "It closes by itself. To hear nothing of it for a while: /netdiag snooze 2h subnet-low"),
		slack.Warning("Early warning, nobody asked: ", many, "Each closes by itself."))
}

func remediation(t *testing.T, p casebook.Phase) casebook.Remediation {
	t.Helper()
	fix := report(t, "full").Fixes[0]
	fix.Action = &remedy.Action{AddonConfig: &remedy.AddonConfig{Cluster: "prod-cluster", Addon: "vpc-cni", Set: map[string]string{"WARM_IP_TARGET": "2"}}}
	return casebook.Remediation{
		Name: "rem-abc", Created: noon,
		Plan: casebook.Plan{
			Investigation: "inv-abc", Question: question(), Fix: fix, Hash: fix.Action.Hash(), Target: fix.Action.Target(),
			Risk: "medium", Approvals: 1, Expires: noon.Add(30 * time.Minute),
		},
		Status: casebook.RemediationStatus{Phase: p, Nonce: "0123456789abcdef0123456789abcdef"},
	}
}

func phases() []casebook.Phase {
	return []casebook.Phase{
		casebook.Proposed, casebook.AwaitingApproval, casebook.Approved, casebook.Preflight, casebook.Applying, casebook.Verifying,
		casebook.Succeeded, casebook.Rejected, casebook.Expired, casebook.Superseded, casebook.Cancelled, casebook.RollingBack,
		casebook.RolledBack, casebook.NeedsHuman, casebook.Failed,
	}
}

// What an executor said of a fix: that it can be made, that it can't, and that it did not last; and the card of an undo.
func TestCardAfterATrial(t *testing.T) {
	tried, refused, undone, undo := remediation(t, casebook.AwaitingApproval), remediation(t, casebook.Cancelled), remediation(t, casebook.Succeeded), remediation(t, casebook.AwaitingApproval)
	tried.Status.Trial = &casebook.Trial{At: noon}
	refused.Status.Trial = &casebook.Trial{At: noon, Refused: "Tried without effect, it was refused: eks:UpdateAddon is denied <!here>."}
	refused.Status.Outcome, refused.Status.Finished = "This can't be made, so nobody is asked to approve it. "+refused.Status.Trial.Refused, noon
	refused.Plan.Fix.Commands = []string{"aws eks update-addon --cluster-name prod-cluster --addon-name vpc-cni"}
	undone.Status.Outcome, undone.Status.Finished = "Done: all 14 pods of backend run.", noon.Add(3*time.Minute)
	undone.Status.Watch = &casebook.Watch{Until: noon.Add(20 * time.Minute), State: casebook.Undone, At: noon.Add(20 * time.Minute)}
	undo.Plan.Undoes, undo.Plan.Fix.Title, undo.Status.Trial = "rem-abc", "Undo: "+undo.Plan.Fix.Title, tried.Status.Trial
	done := remediation(t, casebook.Succeeded)
	done.Status.Outcome, done.Status.Receipt = "Done: all 14 pods of backend run.", &remedy.Receipt{ID: "u-1", Owned: true, Undo: undo.Plan.Fix.Action}
	taken := undo
	taken.Status.Phase, taken.Status.Finished = casebook.Succeeded, noon.Add(9*time.Minute)
	taken.Plan.Question.User = "U0ALICE"
	taken.Status.Decisions = []casebook.Decision{{User: "U0BOB", Verdict: casebook.Approve}, {User: "U0CAROL", Verdict: casebook.Approve}}
	golden(t, "trial", slack.Card(tried), slack.Card(refused), slack.Card(undone), slack.Card(undo), slack.Outcome(done), slack.Undone(done, taken))
	goldenViews(t, "undo", slack.UndoView(done, "m"))
	if len(slack.Outcome(done).Blocks) != len(slack.Outcome(undone).Blocks)+1 {
		t.Error("exactly what can be undone has a button for it")
	}
}

func TestCard(t *testing.T) {
	var ms []slack.Message
	for _, p := range phases() {
		rem := remediation(t, p)
		switch p {
		case casebook.Proposed, casebook.AwaitingApproval, casebook.Expired:
		case casebook.Rejected:
			rem.Status.Decisions = []casebook.Decision{{User: "U0BOB", Verdict: casebook.Reject, At: noon.Add(time.Minute), Reason: "not today <!here>"}}
			rem.Status.Outcome, rem.Status.Finished = "Rejected; nothing was changed.", noon.Add(time.Minute)
		default:
			rem.Status.Decisions = []casebook.Decision{{User: "U0BOB", Verdict: casebook.Approve, At: noon.Add(time.Minute)}}
		}
		if p == casebook.Succeeded {
			rem.Status.Outcome, rem.Status.Finished = "Done: all 14 pods of backend run.", noon.Add(3*time.Minute)
		}
		if p == casebook.Verifying {
			rem.Status.Deadline = noon.Add(5 * time.Minute)
		}
		m := slack.Card(rem)
		if has, want := strings.Contains(encode(t, m), slack.ActionApprove), p == casebook.AwaitingApproval; has != want {
			t.Errorf("%s: buttons: %v, want %v", p, has, want)
		}
		ms = append(ms, m)
	}
	golden(t, "card", ms...)
}

func TestButtonsCarryAnIDAndANonce(t *testing.T) {
	rem := remediation(t, casebook.AwaitingApproval)
	var found int
	walk(t, slack.Card(rem), func(path string, o map[string]any) {
		if o["type"] != "button" {
			return
		}
		found++
		name, nonce, ok := slack.ParseValue(o["value"].(string))
		if !ok || name != rem.Name || nonce != rem.Status.Nonce {
			t.Errorf("value %v", o["value"])
		}
	})
	if found != 2 {
		t.Errorf("%d buttons", found)
	}
}

func TestParseValue(t *testing.T) {
	for _, v := range []string{"", "v1", "v1:a", "v2:a:b", "v1::b", "v1:a:", "v1:a:b:c", strings.Repeat("v1:a:b", 2000)} {
		if _, _, ok := slack.ParseValue(v); ok {
			t.Errorf("%.20q is taken for a value", v)
		}
	}
}

func TestNotesAndRefusals(t *testing.T) {
	rem := remediation(t, casebook.Succeeded)
	rem.Status.Outcome, rem.Status.Finished = "Done: all pods run.", noon
	golden(t, "notes",
		slack.Note(rem, casebook.Note{Key: "applied", At: noon, Text: "WARM_IP_TARGET is 2 now <!channel>"}),
		slack.Outcome(rem),
		slack.Refusal("There is no namespace \"bakend\" in prod-cluster.", "/netdiag pending backend"),
		slack.Refusal("Busy, try again in a minute."),
		slack.Pointer("The evidence is in the thread already.", "https://acme.slack.com/archives/C01/p1"),
		slack.Pointer("The evidence is in the thread already.", ""),
		slack.Settled("Decided already: approved by <@U0BOB> at 12:01:00 UTC; the fix is done."),
		slack.Settled("<@nobody> <@U0BOB"),
	)
}

// A report far larger than any real one keeps to every limit, and says what it leaves out.
func TestEnormousReport(t *testing.T) {
	if racing {
		t.Skip("nothing here is about races, and it takes ten times as long; it runs without the race detector")
	}
	long := strings.Repeat("x<&>`*_", 300)
	many := func(n int, f func(i int)) {
		for i := range n {
			f(i)
		}
	}
	r := diagnostics.Report{Diagnosis: "pending", Severity: "P1", Layer: "L3 IP", Summary: long, Impact: long, Resolution: long, At: noon,
		Target: diagnostics.Target{Cluster: long, Namespace: long}}
	var commands []string
	many(30, func(i int) {
		r.Contradictions = append(r.Contradictions, long)
		r.Prevention = append(r.Prevention, long)
		r.Passed = append(r.Passed, diagnostics.Passed{ID: long, Summary: long})
		r.Gaps = append(r.Gaps, diagnostics.Gap{Permission: long, Reason: diagnostics.Denied, Summary: long, Caps: []string{long}})
		r.Refused = append(r.Refused, diagnostics.Refused{ID: long, Why: long})
		r.Timeline = append(r.Timeline, diagnostics.Moment{At: noon, What: long})
		r.Steps = append(r.Steps, diagnostics.Step{Title: long, Read: long, Finding: long, Repeat: long})
		commands = append(commands, long)
	})
	many(30, func(i int) {
		f := diagnostics.Finding{ID: long, Subject: long, Confidence: diagnostics.Confirmed, Summary: fmt.Sprint(i, long), Affects: commands[:8]}
		many(14, func(int) {
			f.Evidence = append(f.Evidence, diagnostics.Evidence{What: long, Value: long, Source: long, Repeat: long})
		})
		r.Causes, r.Contributing, r.Symptoms = append(r.Causes, f), append(r.Contributing, f), append(r.Symptoms, f)
		r.Fixes = append(r.Fixes, diagnostics.Fix{ID: long, Title: long, Changes: commands, Commands: commands, Undo: long, Executable: true, Risk: "high"})
	})
	many(5, func(int) {
		tb := diagnostics.Table{Title: long}
		many(30, func(int) { tb.Columns = append(tb.Columns, long[:200]) })
		many(150, func(int) { tb.Rows = append(tb.Rows, tb.Columns) })
		r.Tables = append(r.Tables, tb)
	})
	ms := whole(r, slack.Thread{Investigation: "inv-abc", Mention: commands, Cards: true})
	for i, m := range ms {
		checkLadder(t, fmt.Sprint("message ", i), m)
	}
	all := encode(t, ms)
	for _, want := range []string{"… and 22 more", "more rows", "more characters", "Columns left out"} {
		if !strings.Contains(all, want) {
			t.Errorf("nothing says %q", want)
		}
	}
	rem := remediation(t, casebook.AwaitingApproval)
	rem.Plan.Fix, rem.Plan.Target, rem.Plan.Question.Target = r.Fixes[0], long, r.Target
	checkLimits(t, "card", slack.Card(rem))
	rem.Status.Outcome = long
	many(200, func(int) {
		rem.Status.Decisions = append(rem.Status.Decisions, casebook.Decision{User: long, Reason: long})
	})
	checkLimits(t, "card with decisions", slack.Card(rem))
	checkLimits(t, "outcome", slack.Outcome(rem))
	checkLimits(t, "note", slack.Note(rem, casebook.Note{Text: long}))
	checkLimits(t, "refusal", slack.Refusal(long, commands...))
	checkLimits(t, "settled", slack.Settled(long))
	checkLimits(t, "root", slack.Root(casebook.Investigation{Name: "inv-abc", Question: rem.Plan.Question,
		Status: casebook.InvestigationStatus{Phase: casebook.Reported, Report: &r}}, commands))
}

// Whatever stands in the names and messages of a cluster, messages keep to the limits and hold nothing that Slack parses.
func FuzzMessages(f *testing.F) {
	for _, s := range []string{"", "x", "<!channel> <@U0EVIL>", "\x1b[31m\u202e\u200b", "```\n* _x_ ~y~ `z` :tada:", strings.Repeat("é", 4000), "<https://evil.example|x>", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r := diagnostics.Report{
			Diagnosis: "pending", Severity: diagnostics.Severity(s), Layer: diagnostics.Layer(s), Summary: s, Impact: s, Resolution: s, At: noon,
			Target:   diagnostics.Target{Cluster: s, Region: s, Namespace: s, Name: s},
			Causes:   []diagnostics.Finding{{ID: s, Subject: s, Summary: s, Reason: s, Confidence: diagnostics.Likely, Affects: []string{s}, Evidence: []diagnostics.Evidence{{What: s, Value: s, Source: s, Repeat: s}}}},
			Passed:   []diagnostics.Passed{{ID: s, Summary: s}},
			Gaps:     []diagnostics.Gap{{Permission: s, Reason: s, Summary: s}},
			Fixes:    []diagnostics.Fix{{ID: s, Title: s, Changes: []string{s}, Owner: s, Undo: s, Commands: []string{s}}},
			Refused:  []diagnostics.Refused{{ID: s, Why: s}},
			Timeline: []diagnostics.Moment{{At: noon, What: s}},
			Steps:    []diagnostics.Step{{Title: s, Read: s, Finding: s, Repeat: s}},
			Tables: []diagnostics.Table{{Title: s, Columns: []string{s, s}, Rows: [][]string{{s}, {s, s, s}}},
				{Title: s, Columns: []string{"Target", "Zone", "State"}, Rows: [][]string{{s, s, s}, {s, s + "x", s}}}},
		}
		for _, m := range whole(r, slack.Thread{Investigation: "inv-abc", Mention: []string{s}}) {
			checkLadder(t, "answer", m)
		}
		checkLimits(t, "pointer", slack.Pointer(s, ""))
		rem := remediation(t, casebook.AwaitingApproval)
		rem.Plan.Fix.Title, rem.Plan.Fix.Changes, rem.Plan.Target, rem.Plan.Question.User = s, []string{s}, s, s
		rem.Plan.Question.Target.Cluster = s
		checkLimits(t, "card", slack.Card(rem))
		rem.Status.Outcome = s
		checkLimits(t, "outcome", slack.Outcome(rem))
		checkLimits(t, "note", slack.Note(rem, casebook.Note{Text: s}))
		checkLimits(t, "refusal", slack.Refusal(s, s))
		checkLimits(t, "settled", slack.Settled(s))
		checkLimits(t, "root", slack.Root(casebook.Investigation{Question: rem.Plan.Question, Status: casebook.InvestigationStatus{Phase: casebook.Diagnosing}}, []string{s}))
	})
}
