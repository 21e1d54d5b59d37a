package diagtest_test

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"go.uber.org/zap"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/all"
	"github.com/netdiag/netdiag/handlers"
	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/diagtest"
	"github.com/netdiag/netdiag/internal/remedy"
	"github.com/netdiag/netdiag/internal/sim/access"
	"github.com/netdiag/netdiag/internal/sim/slack"
	"github.com/netdiag/netdiag/internal/store/crd"
	"github.com/netdiag/netdiag/internal/watch"
	"github.com/netdiag/netdiag/internal/world"
)

const warned = "C0ONCALL"

// missing is the rule that the world of the second seed lacks.
func missing(t *testing.T, dir string) remedy.AllowIngress {
	t.Helper()
	for _, f := range diagnose(t, load(t, dir)).Fixes {
		if f.Action != nil && f.Action.AllowIngress != nil {
			return *f.Action.AllowIngress
		}
	}
	t.Fatal("no rule is proposed")
	return remedy.AllowIngress{}
}

// admit adds a rule to a world, under an id of its own, with what comes of it: all targets are healthy.
func admit(id string, a remedy.AllowIngress) func(*world.World) {
	return func(w *world.World) {
		var rules []map[string]any
		if err := json.Unmarshal(w.AWS["ec2"]["SecurityGroupRules"], &rules); err != nil {
			panic(err) // the world was loaded
		}
		raw, err := json.Marshal(append(rules, map[string]any{
			"SecurityGroupRuleId": id, "GroupId": a.Group, "IsEgress": false, "IpProtocol": "tcp", "FromPort": a.Port, "ToPort": a.Port,
			"ReferencedGroupInfo": map[string]any{"GroupId": a.Source, "UserId": w.Meta.Account}, "Tags": []any{},
		}))
		if err != nil {
			panic(err) // it came as JSON
		}
		w.AWS["ec2"]["SecurityGroupRules"] = raw
		var health map[string][]map[string]any
		if err := json.Unmarshal(w.AWS["elbv2"]["TargetHealthDescriptions"], &health); err != nil {
			panic(err)
		}
		for _, targets := range health {
			for _, target := range targets {
				target["TargetHealth"] = map[string]any{"State": "healthy"}
			}
		}
		if w.AWS["elbv2"]["TargetHealthDescriptions"], err = json.Marshal(health); err != nil {
			panic(err)
		}
	}
}

// A world that gets worse while nobody asks: somebody takes a rule away, targets turn unhealthy, the watch opens a thread with
// the ordinary question, a person approves its fix, and once the targets are healthy the thread is closed. All through the real
// clients: of AWS, of Kubernetes with the Lease and the memos, and of Slack.
func TestWarningOfAWorldThatGetsWorse(t *testing.T) {
	if diagtest.Race {
		t.Skip("dear under the race detector, which sees the watch in the tests of handlers")
	}
	t.Parallel()
	dir := filepath.Join(worlds, "seeds", "seed-alb-502")
	rule := missing(t, dir)
	const id = "sgr-0aaaaaaaaaaaaaaaa"
	l := newLife(t, dir, admit(id, rule))
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	s, url := workspace(t)
	written := startWatching(ctx, t, l, url, "backend/api-ingress")
	for well := false; !well; { // with the ingress, at first
		select {
		case w := <-written:
			st, err := watch.Parse(w, l.served.World.Meta.Cluster)
			if err != nil {
				t.Fatal(err)
			}
			well = !slices.ContainsFunc(st.Warnings, ofIngress)
		case <-ctx.Done():
			t.Fatalf("never well: %+v\n%s", l.diagnose().Causes, s.Transcript())
		}
	}
	client := ec2.NewFromConfig(access.SDK(l.served.World.Meta.Region, l.served.AWSURL))
	if _, err := client.RevokeSecurityGroupIngress(ctx, &ec2.RevokeSecurityGroupIngressInput{GroupId: &rule.Group, SecurityGroupRuleIds: []string{id}}); err != nil {
		t.Fatal(err)
	}
	see := inThread(ctx, t, s, "alb api-ingress -n backend")
	see("the warning", says("Early warning, nobody asked"))
	card := see("the card", func(m slack.Message) bool { return len(m.Buttons()) == 2 && strings.Contains(m.Plain(), rule.Group) })
	approve(ctx, t, s, approver, card)
	see("the end of the fix", says("Done:"))
	see("the end of the warning", func(m slack.Message) bool {
		return strings.HasPrefix(m.Plain(), "Healthy again:") && strings.Contains(m.Plain(), "targets-unhealthy of backend/api-ingress.")
	})
	if len(l.diagnose().Causes) != 0 {
		t.Error("closed, and yet there are causes")
	}
	all, err := l.book.Store.Investigations.List(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if n := slices.IndexFunc(all, func(i casebook.Investigation) bool { return i.Question.Diagnosis == "alb" }); n < 0 || all[n].Question.User == approver || all[n].Question.User == requester {
		t.Errorf("asked: %+v", all)
	}
}

// A subnet that is short before any pod waits: the watch opens a thread with the question of that subnet and the same fix as
// pending would offer for it, one of those who may ask approves it, for it is netdiag that asked, and once there is room the thread
// is closed.
func TestWarningOfASubnetThatIsShort(t *testing.T) {
	if diagtest.Race {
		t.Skip("dear under the race detector, which sees the watch in the tests of handlers")
	}
	t.Parallel()
	const short = "subnet-0be95eda97dedcb56"
	l := newLife(t, filepath.Join(worlds, "own", "ip", "surge-short"), nil)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	s, url := workspace(t)
	startWatching(ctx, t, l, url)
	see := inThread(ctx, t, s, "ip "+short)
	see("the warning", says("Early warning, nobody asked"))
	card := see("the card", func(m slack.Message) bool {
		return len(m.Buttons()) == 2 && strings.Contains(m.Plain(), "Keep 2 spare addresses on a node")
	})
	approve(ctx, t, s, requester, card)
	see("the end of the fix", says("Done: ip/subnet-low "+short))
	see("the end of the warning", says("Healthy again: subnet-low of "+short))
	if r := l.diagnose(); len(r.Contributing) > 0 || len(r.Fixes) > 0 {
		t.Errorf("closed, and yet there is something: %s", r.Summary)
	}
	all, err := l.book.Store.Investigations.List(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 1 || all[0].Question.User == requester || all[0].Question.Target.Name != short {
		t.Errorf("asked: %+v", all)
	}
}

// workspace is a Slack with a channel that is warned.
func workspace(t *testing.T) (s *slack.Server, url string) {
	t.Helper()
	s = slack.New(slack.Options{
		Team: slack.Team{ID: team}, Users: []slack.User{{ID: requester, Name: "maya"}, {ID: approver, Name: "jonas"}}, Channels: []slack.Channel{{ID: warned, Name: "oncall"}},
		App: slack.App{Commands: []slack.Command{{Name: "/netdiag"}}},
	})
	url, stop, err := diagtest.Listen(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(); stop() })
	return s, url
}

func says(text string) func(slack.Message) bool {
	return func(m slack.Message) bool { return strings.Contains(m.Plain(), text) }
}

// inThread waits for messages in the thread of a question.
func inThread(ctx context.Context, t *testing.T, s *slack.Server, question string) func(string, func(slack.Message) bool) slack.Message {
	return func(what string, f func(slack.Message) bool) (m slack.Message) {
		t.Helper()
		err := s.Wait(ctx, func(st *slack.State) bool {
			for _, root := range st.Messages(warned) {
				for _, m = range st.Thread(warned, root.TS) {
					if strings.Contains(st.Thread(warned, root.TS)[0].Plain(), question) && f(m) {
						return true
					}
				}
			}
			return false
		})
		if err != nil {
			t.Fatalf("%s: %v\n%s", what, err, s.Transcript())
		}
		return m
	}
}

// approve has somebody approve the fix of a card.
func approve(ctx context.Context, t *testing.T, s *slack.Server, who string, card slack.Message) {
	t.Helper()
	if err := s.Click(ctx, who, warned, card.TS, "Approve"); err != nil {
		t.Fatal(err)
	}
	if err := s.Wait(ctx, func(st *slack.State) bool {
		v, ok := st.Modal(who)
		return ok && v.CallbackID == "netdiag_decision" && strings.Contains(v.Plain(), "Plan")
	}); err != nil {
		t.Fatal(err)
	}
	if problems, err := s.Submit(ctx, who, nil); err != nil || len(problems) > 0 {
		t.Fatal(problems, err)
	}
}

func ofIngress(w watch.Warning) bool { return w.Object == "backend/api-ingress" }

// noticed tells of each text that is written.
type noticed struct {
	casebook.Memos
	written chan string
}

// Set writes, and tells of what the watch wrote, to whoever listens.
func (n noticed) Set(ctx context.Context, name string, m casebook.Memo) (casebook.Memo, error) {
	out, err := n.Memos.Set(ctx, name, m)
	if err == nil && name == watch.Memo {
		select {
		case n.written <- m.Text:
		default:
		}
	}
	return out, err
}

// startWatching runs a bot that watches subnets and some ingresses of a life, until the test ends.
func startWatching(ctx context.Context, t *testing.T, l *life, slackURL string, ingresses ...string) (written <-chan string) {
	t.Helper()
	cfg := access.Kubernetes(l.served.KubeURL, "netdiag")
	kept, err := crd.New(cfg, crd.Options{Namespace: "netdiag"})
	if err != nil {
		t.Fatal(err)
	}
	lead, err := crd.NewLead(cfg, "netdiag", "bot-1")
	if err != nil {
		t.Fatal(err)
	}
	n := noticed{kept.Memos, make(chan string, 1)}
	store := l.book.Store
	store.Memos = n
	m := l.served.World.Meta
	b, err := handlers.New(handlers.Config{
		AppToken: "xapp-sim", BotToken: "xoxb-sim", APIURL: slackURL + "/api/", Log: zap.NewNop(), Holder: "bot-1",
		Book: &casebook.Book{Store: store, Policy: l.book.Policy, Now: time.Now, Patience: -1},
		Diagnose: func(ctx context.Context, d diagnostics.Diagnosis, target diagnostics.Target, progress func(string)) (diagnostics.Outcome, error) {
			return l.src.Diagnose(ctx, d, target, progress)
		},
		Diagnoses: all.Diagnoses(), Target: diagnostics.Target{Cluster: m.Cluster, Region: m.Region, Account: m.Account}, Fixes: true, Now: time.Now,
		PostEvery: 10 * time.Millisecond, EditEvery: 10 * time.Millisecond, LookEvery: 200 * time.Millisecond,
		Watch: &handlers.Watch{Channel: warned, Ingresses: ingresses, Every: 500 * time.Millisecond, Lead: lead.Run},
	})
	if err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- b.Run(running) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	return n.written
}
