package handlers

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"go.uber.org/zap"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/policy"
	"github.com/netdiag/netdiag/internal/remedy"
	render "github.com/netdiag/netdiag/internal/render/slack"
	"github.com/netdiag/netdiag/internal/store/memory"
)

// undecided is a bot with one fix that waits for approval, and two people whom Slack has told it of: U1 asked, U2 approves.
func undecided(t testing.TB) (*Bot, casebook.Remediation) {
	t.Helper()
	now := func() time.Time { return time.Date(2026, 11, 22, 10, 30, 0, 0, time.UTC) }
	a := remedy.Action{AllowIngress: &remedy.AllowIngress{Group: "sg-1", Source: "sg-2", Port: 8080, Description: "d"}}
	book := &casebook.Book{Store: memory.New(now), Now: now, Patience: -1, Policy: policy.Policy{
		Team: "T1X", Askers: []string{policy.Anyone}, Approvers: []policy.Grant{{Users: []string{"U2X"}}},
	}}
	q := casebook.Question{Command: "alb web", Diagnosis: "alb", Team: "T1X", User: "U1X", Channel: "D1", At: now(), Target: diagnostics.Target{Namespace: "shop"}}
	inv, _, err := book.Open(t.Context(), casebook.Person{Team: "T1X", Home: "T1X", User: "U1X"}, q, "key")
	if err == nil {
		inv, err = book.Claim(t.Context(), inv.Name, "b")
	}
	if err != nil {
		t.Fatal(err)
	}
	_, rems, err := book.Report(t.Context(), inv, diagnostics.Report{Fixes: []diagnostics.Fix{{ID: "alb/allow-pod-port", Title: "Allow", Executable: true, Action: &a, Changes: []string{"c"}}}})
	if err != nil {
		t.Fatal(err)
	}
	rem, err := book.ChangeRemediation(t.Context(), rems[0].Name, func(s *casebook.RemediationStatus) error {
		s.Card = casebook.Message{Channel: "D1", TS: "1.1"}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	d := diagnostics.Define(diagnostics.Spec[int]{Name: "alb", Usage: "<ingress>", Doc: "# Why alb\n\nReads things.", Collect: func(context.Context, diagnostics.Inputs, diagnostics.Target) (int, error) { return 0, nil }, Analyze: func(int) diagnostics.Result { return diagnostics.Result{} }})
	b, err := New(Config{
		AppToken: "xapp-1", BotToken: "xoxb-1", APIURL: "http://127.0.0.1:1/", Log: zap.NewNop(), Holder: "b", Book: book, Now: now, Fixes: true, Diagnoses: []diagnostics.Diagnosis{d},
		Diagnose: func(context.Context, diagnostics.Diagnosis, diagnostics.Target, func(string)) (diagnostics.Outcome, error) {
			return diagnostics.Outcome{}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	b.people.team, b.app = "T1X", "A1"
	b.people.users = map[string]known[*slack.User]{}
	for _, id := range []string{"U1X", "U2X"} {
		b.people.users[id] = known[*slack.User]{&slack.User{ID: id, TeamID: "T1X", IsEmailConfirmed: true}, now().Add(time.Hour)}
	}
	return b, rem
}

// FuzzSubmission: nothing but the very card, nonce and version that the modal was made of records a decision; whatever
// else comes back with a modal is answered with a sentence.
func FuzzSubmission(f *testing.F) {
	_, rem := undecided(f)
	for _, metadata := range []string{"", "{}", "null", "[]", `{"v":1}`, `{"v":1,"value":"v1:a:b","verdict":"Approve","channel":"D1","ts":"1.1"}`, "<!channel>", `{"v":1e99}`,
		decisionOf(rem.Name, casebook.Click{Nonce: strings.Repeat("0", 32), Card: rem.Status.Card, Verdict: casebook.Approve}, "").String()} {
		f.Add(metadata, "why", "netdiag_reason", "U2X", "T1X")
	}
	f.Add(`{"v":1}`, strings.Repeat("é", 4000), "netdiag_name", "", "T0EVIL")
	f.Fuzz(func(t *testing.T, metadata, typed, field, user, team string) {
		b, rem := undecided(t)
		genuine := strings.ReplaceAll(metadata, strings.Repeat("0", 32), rem.Status.Nonce) == decisionOf(rem.Name, casebook.Click{Nonce: rem.Status.Nonce, Card: rem.Status.Card, Verdict: casebook.Approve}, "").String()
		for _, id := range []string{render.CallbackDecide, render.CallbackUndo} {
			c := slack.InteractionCallback{Type: slack.InteractionTypeViewSubmission, APIAppID: "A1"}
			c.User.ID, c.User.TeamID, c.Team.ID = user, team, team
			c.View = slack.View{CallbackID: id, PrivateMetadata: metadata, State: &slack.ViewState{Values: map[string]map[string]slack.BlockAction{field: {field: {Value: typed}}}}}
			told := false
			b.submit(t.Context(), c, func(_ context.Context, answer any) error {
				told = answer != nil
				return nil
			})
			if !told && !genuine {
				t.Errorf("%s with %q is not answered", id, metadata)
			}
		}
		got, err := b.Book.Store.Remediations.Get(t.Context(), rem.Name)
		if err != nil || len(got.Status.Decisions) != 0 {
			t.Errorf("%q records %+v, %v", metadata, got.Status.Decisions, err)
		}
	})
}

// FuzzButton: nothing but the very value on the very message opens anything; every click is judged without a panic.
func FuzzButton(f *testing.F) {
	for _, v := range []string{"", "v1:rem-none:0", "<!channel>", "v1:\x00:\xff", strings.Repeat("v1:", 900)} {
		f.Add(v, render.ActionApprove, render.BlockDecide+"_0", "D1", "1.1")
		f.Add(v, render.ActionUndo, render.BlockUndo, "D1", "1.1")
	}
	f.Fuzz(func(t *testing.T, value, action, block, channel, ts string) {
		b, rem := undecided(t)
		c := slack.InteractionCallback{Type: slack.InteractionTypeBlockActions, APIAppID: "A1"}
		c.User.ID, c.User.TeamID, c.Team.ID = "U2X", "T1X", "T1X"
		c.Channel.ID = channel
		c.Container = slack.Container{Type: "message", MessageTs: ts, ChannelID: channel}
		c.ActionCallback.BlockActions = []*slack.BlockAction{{ActionID: action, BlockID: block, Value: value}}
		name, click, err := b.read(c)
		if err == nil && (render.Value(name, click.Nonce) != value || click.Card != casebook.Message{Channel: channel, TS: ts}) {
			t.Errorf("%q is read as %s, %+v", value, name, click)
		}
		if err == nil {
			click.By = casebook.Person{Team: "T1X", Home: "T1X", User: "U2X"}
			if _, err := b.Book.Weigh(t.Context(), name, click); err == nil && value != render.Value(rem.Name, rem.Status.Nonce) {
				t.Errorf("%q opens a decision", value)
			}
		}
	})
}
