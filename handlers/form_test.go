package handlers_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	slackgo "github.com/slack-go/slack"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/handlers"
	"github.com/netdiag/netdiag/internal/sim/slack"
)

const (
	onMessage = "netdiag_msg"
	anywhere  = "netdiag_global"
)

// cluster is what forms can offer; it can be changed, and be out of reach.
type cluster struct {
	mu         sync.Mutex
	namespaces []string
	ingresses  []handlers.Ingress
	gate       func(context.Context) error // before each reading
	reads      int
}

func (c *cluster) read(ctx context.Context) error {
	c.mu.Lock()
	c.reads++
	gate := c.gate
	c.mu.Unlock()
	if gate != nil {
		return gate(ctx)
	}
	return nil
}

func (c *cluster) Namespaces(ctx context.Context) ([]string, error) {
	err := c.read(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.namespaces), err
}

func (c *cluster) Ingresses(ctx context.Context) ([]handlers.Ingress, error) {
	err := c.read(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.ingresses), err
}

func (c *cluster) change(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

var longName = strings.Repeat("very-", 48) + "long"

func live() *cluster {
	return &cluster{
		namespaces: []string{"backend", "kube-system", "web", "web-backend"},
		ingresses: []handlers.Ingress{
			{Namespace: "backend", Name: "api-ingress", Hosts: []string{"k8s-backend-apiingre-1a2b3c4d5e-1234567890.us-west-2.elb.amazonaws.com"}},
			{Namespace: "web", Name: "shop", Hosts: []string{"internal-k8s-group-0123456789-11.us-west-2.elb.amazonaws.com"}},
			{Namespace: "web", Name: "cart", Hosts: []string{"internal-k8s-group-0123456789-11.us-west-2.elb.amazonaws.com"}},
			{Namespace: "web", Name: longName},
		},
	}
}

// formed is a rig with a bot that knows a cluster.
func formed(t *testing.T) (*rig, *cluster) {
	r, c := newRig(t), live()
	cfg := r.config()
	cfg.Places = map[string]handlers.Places{"prod-cluster": c}
	r.start(cfg)
	return r, c
}

// modal waits for the form that user has open to hold something.
func (r *rig) modal(user string, what func(slack.View) bool) slack.View {
	r.t.Helper()
	var v slack.View
	r.until(func(s *slack.State) bool {
		var ok bool
		v, ok = s.Modal(user)
		return ok && what(v)
	})
	return v
}

func anyForm(slack.View) bool { return true }

// value is what a field of a form holds.
func value(v slack.View, action string) string {
	for _, actions := range v.State.Values {
		b, ok := actions[action]
		if !ok {
			continue
		}
		for _, k := range []string{"value", "selected_conversation"} {
			if s, ok := b[k].(string); ok {
				return s
			}
		}
		if o, ok := b["selected_option"].(map[string]any); ok {
			return o["value"].(string)
		}
	}
	return ""
}

func (r *rig) suggest(user string, v slack.View, action, typed string) []string {
	r.t.Helper()
	options, err := r.Suggest(r.context(), slack.Action{User: user, View: v.ID, ActionID: action}, typed)
	if err != nil {
		r.t.Fatal(err)
	}
	out := []string{}
	for _, o := range options {
		out = append(out, o["text"].(map[string]any)["text"].(string))
	}
	return out
}

func (r *rig) submit(user string, values map[string]string) map[string]string {
	r.t.Helper()
	problems, err := r.Submit(r.context(), user, values)
	if err != nil {
		r.t.Fatal(err)
	}
	return problems
}

// From the button of the help to the answer in the channel that the person looks at.
func TestFormFromHelp(t *testing.T) {
	r, _ := formed(t)
	r.ask(maya, ops, "/netdiag")
	if err := r.Click(r.context(), maya, ops, r.Ephemerals(maya, ops)[0].TS, "Ask with a form"); err != nil {
		t.Fatal(err)
	}
	v := r.modal(maya, anyForm)
	if d := cmp.Diff([]string{"backend", "web-backend"}, r.suggest(maya, v, "netdiag_namespace", "back")); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"backend", "kube-system", "web", "web-backend"}, r.suggest(maya, v, "netdiag_namespace", "")); d != "" {
		t.Error(d)
	}
	if problems := r.submit(maya, map[string]string{"netdiag_namespace": "backend", "netdiag_pod": "deploy/api"}); problems != nil {
		t.Fatal(problems)
	}
	root := r.root(0, "pending backend api")
	r.card(root)
	if _, open := r.Modal(maya); open {
		t.Error("the form is still open")
	}
}

// The other question has other fields; what both have stays filled in.
func TestFormOfTheOtherQuestion(t *testing.T) {
	r, _ := formed(t)
	if err := r.Shortcut(r.context(), maya, anywhere); err != nil {
		t.Fatal(err)
	}
	v := r.modal(maya, anyForm)
	r.suggest(maya, v, "netdiag_namespace", "")
	for _, a := range []slack.Action{
		{User: maya, View: v.ID, ActionID: "netdiag_namespace", Picks: []string{"web"}},
		{User: maya, View: v.ID, ActionID: "netdiag_what", Picks: []string{"alb"}},
	} {
		if err := r.Act(r.context(), a); err != nil {
			t.Fatal(err)
		}
	}
	v = r.modal(maya, func(v slack.View) bool { return strings.Contains(v.Plain(), "Ingress") })
	if got := value(v, "netdiag_namespace"); got != "n:web" {
		t.Errorf("the namespace is %q now", got)
	}
	got := r.suggest(maya, v, "netdiag_ingress", "")
	if len(got) != 3 || got[0] != "web/cart" || got[1] != "web/shop" || !strings.HasPrefix(got[2], "web/very-") || !strings.HasSuffix(got[2], "-long") || len([]rune(got[2])) > 75 {
		t.Fatalf("offered: %q", got)
	}
	if d := cmp.Diff([]string{"web/shop"}, r.suggest(maya, v, "netdiag_ingress", "sho")); d != "" {
		t.Error(d)
	}
	r.suggest(maya, v, "netdiag_ingress", "very")
	if problems := r.submit(maya, map[string]string{"netdiag_ingress": got[2]}); problems != nil {
		t.Fatal(problems)
	}
	r.direct(maya, 0, "2 root causes found") // nowhere else to answer
	all, err := r.book.Store.Investigations.List(r.context())
	if err != nil || len(all) != 1 || all[0].Question.Command != "alb "+longName+" -n web" {
		t.Errorf("asked, by a key of the name: %v, %v", all, err)
	}
}

// A message is read for what it is about; the answer goes into its thread.
func TestMessageShortcut(t *testing.T) {
	r, _ := formed(t)
	alert := r.say(jonas, ops, "", "[FIRING:1] KubePodNotReady\n*namespace:* `backend`\n*pod:* `api-5d9c7b-x2x9q` <!channel>")
	if err := r.MessageShortcut(r.context(), maya, ops, alert, onMessage); err != nil {
		t.Fatal(err)
	}
	v := r.modal(maya, anyForm)
	if value(v, "netdiag_what") != "pending" || value(v, "netdiag_namespace") != "n:backend" || value(v, "netdiag_pod") != "api-5d9c7b-x2x9q" || value(v, "netdiag_where") != ops {
		t.Fatalf("the form holds %v", v.State.Values)
	}
	if n := r.world.questions(); n != 0 {
		t.Fatal("something was looked at because of a text")
	}
	if problems := r.submit(maya, nil); problems != nil {
		t.Fatal(problems)
	}
	m, _ := r.message(ops, alert)
	r.reply(m, says("root cause found"))
	r.card(m)
	if n := len(r.Messages(ops)); n != 1 {
		t.Errorf("%d messages beside the thread", n)
	}
}

// Attachments, in which Alertmanager writes, and blocks are read too; where the bot is no member it answers directly.
func TestMessageShortcutWhereTheBotIsNoMember(t *testing.T) {
	r, _ := formed(t)
	api := slackgo.New("xoxb-sim", slackgo.OptionAPIURL(r.url+"/api/"))
	_, ts, err := api.PostMessageContext(r.context(), ops, slackgo.MsgOptionText("look", false),
		slackgo.MsgOptionAttachments(slackgo.Attachment{Title: "PodPending", Fields: []slackgo.AttachmentField{{Title: "Namespace", Value: "web"}}}),
		slackgo.MsgOptionBlocks(slackgo.NewRichTextBlock("", &slackgo.RichTextPreformatted{Type: slackgo.RTEPreformatted, Elements: []slackgo.RichTextSectionElement{
			slackgo.NewRichTextSectionTextElement("2m Warning FailedScheduling pod/shop-1 0/3 nodes", nil),
		}})))
	if err != nil {
		t.Fatal(err)
	}
	r.SetMember(ops, "U00000001", false)
	if err := r.MessageShortcut(r.context(), maya, ops, ts, onMessage); err != nil {
		t.Fatal(err)
	}
	v := r.modal(maya, anyForm)
	if value(v, "netdiag_namespace") != "n:web" || value(v, "netdiag_pod") != "shop-1" || value(v, "netdiag_where") != ops {
		t.Fatalf("the form holds %v", v.State.Values)
	}
	r.submit(maya, nil)
	root := r.direct(maya, 0, "pending web shop-1")
	r.until(func(s *slack.State) bool { return len(s.Thread(root.Channel, root.TS)) > 5 })
	if n := len(r.Messages(ops)); n != 1 {
		t.Errorf("%d messages in the channel", n)
	}
}

// The host name of a load balancer tells the ingress, if only one has it; but only after the form is open and the person
// is known to be one who may ask.
func TestBalancerInAMessage(t *testing.T) {
	r, _ := formed(t)
	const host = "k8s-backend-apiingre-1a2b3c4d5e-1234567890.us-west-2.elb.amazonaws.com"
	ts := r.say(jonas, ops, "", "HTTP 502 from https://"+host+"/login")
	if err := r.MessageShortcut(r.context(), maya, ops, ts, onMessage); err != nil {
		t.Fatal(err)
	}
	v := r.modal(maya, func(v slack.View) bool { return value(v, "netdiag_ingress") != "" })
	if value(v, "netdiag_ingress") != "n:backend/api-ingress" || value(v, "netdiag_namespace") != "n:backend" || value(v, "netdiag_what") != "alb" {
		t.Fatalf("the form holds %v", v.State.Values)
	}
	if problems := r.submit(maya, nil); problems != nil {
		t.Fatal(problems)
	}
	m, _ := r.message(ops, ts)
	r.reply(m, says("alb api-ingress -n backend"))
	var order []string
	for _, c := range r.Calls() {
		if c.Method == "views.open" || c.Method == "users.info" {
			order = append(order, c.Method)
		}
	}
	if len(order) < 2 || order[0] != "views.open" {
		t.Errorf("the form waited for %v", order)
	}

	if err := r.MessageShortcut(r.context(), guest, ops, ts, onMessage); err != nil {
		t.Fatal(err)
	}
	v = r.modal(guest, func(v slack.View) bool { return strings.Contains(v.Plain(), "Only full members") })
	if strings.Contains(fmt.Sprint(v), "api-ingress") {
		t.Error("a guest learns which ingress it is")
	}
}

// With several clusters the form asks for one, and offers what there is in it; a channel has its usual one.
func TestFormOfAnotherCluster(t *testing.T) {
	r := newRig(t)
	staging := live()
	staging.namespaces = []string{"canary"}
	cfg := r.config()
	cfg.Places = map[string]handlers.Places{"prod-cluster": live(), "staging": staging}
	cfg.Clusters = []diagnostics.Target{{Cluster: "staging", Region: "eu-west-1"}, {Cluster: "dark", Region: "eu-west-1"}}
	cfg.Channels = map[string]handlers.Usual{ops: {Namespace: "canary", Cluster: "staging"}}
	r.start(cfg)
	ts := r.say(jonas, ops, "", "something is slow")
	if err := r.MessageShortcut(r.context(), maya, ops, ts, onMessage); err != nil {
		t.Fatal(err)
	}
	v := r.modal(maya, anyForm)
	if value(v, "netdiag_cluster") != "n:staging" || value(v, "netdiag_namespace") != "n:canary" {
		t.Fatalf("the form holds %v", v.State.Values)
	}
	if problems := r.submit(maya, nil); problems != nil {
		t.Fatal(problems)
	}
	m, _ := r.message(ops, ts)
	r.reply(m, says("pending canary"))
	all, err := r.book.Store.Investigations.List(r.context())
	if err != nil || len(all) != 1 || all[0].Question.Target.Cluster != "staging" || all[0].Question.Command != "pending canary --cluster staging" {
		t.Errorf("asked %+v, %v", all, err)
	}

	if err := r.MessageShortcut(r.context(), maya, ops, ts, onMessage); err != nil {
		t.Fatal(err)
	}
	v = r.modal(maya, func(next slack.View) bool { return next.ID != v.ID })
	for cluster, want := range map[string][]string{"prod-cluster": {"kube-system"}, "dark": {"kube"}, "staging": {}} {
		if err := r.Act(r.context(), slack.Action{User: maya, View: v.ID, ActionID: "netdiag_cluster", Picks: []string{cluster}}); err != nil {
			t.Fatal(err)
		}
		r.modal(maya, func(v slack.View) bool {
			return value(v, "netdiag_namespace") == "" && value(v, "netdiag_cluster") == "n:"+cluster
		})
		if d := cmp.Diff(want, r.suggest(maya, v, "netdiag_namespace", "kube")); d != "" {
			t.Errorf("%s: %s", cluster, d)
		}
	}
}

// A form that Slack doesn't open is not passed over in silence.
func TestFormThatDoesNotOpen(t *testing.T) {
	r, _ := formed(t)
	ts := r.say(jonas, ops, "", "pod web-1 is pending")
	r.Fault("views.open", slack.Fault{Error: "internal_error"})
	if err := r.MessageShortcut(r.context(), maya, ops, ts, onMessage); err != nil {
		t.Fatal(err)
	}
	r.whisper(maya, ops, "Slack did not let me open the form in time. Try again.")
}

// What is wrong is said at the field that it is wrong in, and nothing is asked.
func TestFormErrors(t *testing.T) {
	r, c := formed(t)
	open := func(what string) {
		t.Helper()
		if err := r.Shortcut(r.context(), maya, anywhere); err != nil {
			t.Fatal(err)
		}
		v := r.modal(maya, func(v slack.View) bool { return len(v.Errors) == 0 })
		r.suggest(maya, v, "netdiag_namespace", "")
		if what == "alb" {
			if err := r.Act(r.context(), slack.Action{User: maya, View: v.ID, ActionID: "netdiag_what", Picks: []string{"alb"}}); err != nil {
				t.Fatal(err)
			}
			v = r.modal(maya, func(v slack.View) bool { return strings.Contains(v.Plain(), "Ingress") })
			r.suggest(maya, v, "netdiag_ingress", "")
		}
		if what == "ip" {
			if err := r.Act(r.context(), slack.Action{User: maya, View: v.ID, ActionID: "netdiag_what", Picks: []string{"ip"}}); err != nil {
				t.Fatal(err)
			}
			r.modal(maya, func(v slack.View) bool { return strings.Contains(v.Plain(), "Subnet or zone") })
		}
	}
	for name, f := range map[string]struct {
		what   string
		values map[string]string
		field  string
		want   string
	}{
		"nothing":          {"pending", nil, "netdiag_namespace", "Please complete this required field."}, // Slack itself
		"pod":              {"pending", map[string]string{"netdiag_namespace": "backend", "netdiag_pod": "Not A Pod"}, "netdiag_pod", "at most one pod"},
		"bad pod":          {"pending", map[string]string{"netdiag_namespace": "backend", "netdiag_pod": "<!channel>"}, "netdiag_pod", `"<!channel>" can't be a pod`},
		"another option":   {"pending", map[string]string{"netdiag_namespace": "backend", "netdiag_pod": "-n web"}, "netdiag_pod", "Give the name of one pod"},
		"help in disguise": {"pending", map[string]string{"netdiag_namespace": "backend", "netdiag_pod": "--help"}, "netdiag_pod", "Give the name of one pod"},
		"no place":         {"ip", map[string]string{"netdiag_place": "<!channel>"}, "netdiag_place", `"<!channel>" is neither a subnet`},
		"help for a place": {"ip", map[string]string{"netdiag_place": "--help"}, "netdiag_place", "Give one subnet or zone, and nothing else."},
		"another place":    {"alb", map[string]string{"netdiag_namespace": "backend", "netdiag_ingress": "web/shop"}, "netdiag_ingress", "web/shop is not in namespace backend."},
	} {
		open(f.what)
		problems := r.submit(maya, f.values)
		if got := problems[f.field]; len(problems) != 1 || !strings.Contains(got, f.want) {
			t.Errorf("%s: %v", name, problems)
		}
		if err := r.CloseModal(r.context(), maya); err != nil {
			t.Fatal(err)
		}
	}
	// What was chosen has gone meanwhile, as far as is known; the cluster is asked again before that is said.
	open("pending")
	v, _ := r.Modal(maya)
	if err := r.Act(r.context(), slack.Action{User: maya, View: v.ID, ActionID: "netdiag_namespace", Picks: []string{"backend"}}); err != nil {
		t.Fatal(err)
	}
	c.change(func() { c.namespaces = []string{"backends", "web"} })
	r.clock.advance(2 * time.Minute)
	for ctx := r.context(); !slices.Contains(r.suggest(maya, v, "netdiag_namespace", ""), "backends"); {
		if ctx.Err() != nil {
			t.Fatal("never read again")
		}
	}
	if problems := r.submit(maya, nil); problems["netdiag_namespace"] != "There is no namespace backend now. Did you mean backends?" {
		t.Errorf("a namespace that has gone: %v", problems)
	}
	c.change(func() { c.namespaces = []string{"backend"} }) // and is back
	if problems := r.submit(maya, nil); problems != nil {
		t.Errorf("a namespace that is new: %v", problems)
	}
	r.direct(maya, 0, "root cause found")
	if n := r.world.questions(); n != 1 {
		t.Errorf("%d diagnoses", n)
	}
}

func TestFormWhileBusy(t *testing.T) {
	r := newRig(t)
	cfg := r.config()
	cfg.Places, cfg.Workers, cfg.Queue = map[string]handlers.Places{"prod-cluster": live()}, 1, 1
	r.start(cfg)
	block := make(chan struct{})
	r.world.meanwhile(blocked(block))
	r.ask(maya, ops, "/netdiag pending backend")
	r.ask(maya, ops, "/netdiag pending web")
	if err := r.Shortcut(r.context(), maya, anywhere); err != nil {
		t.Fatal(err)
	}
	v := r.modal(maya, anyForm)
	r.suggest(maya, v, "netdiag_namespace", "")
	fill := map[string]string{"netdiag_namespace": "backend"}
	if problems := r.submit(maya, fill); !strings.Contains(problems["netdiag_what"], "Busy") {
		t.Errorf("told %v", problems)
	}
	close(block)
	r.root(0, "root cause found")
	r.root(1, "root cause found")
	for ctx := r.context(); len(r.submit(maya, fill)) > 0; { // the place is free a moment after the answer
		if ctx.Err() != nil {
			t.Fatal("busy for ever")
		}
	}
	r.direct(maya, 0, "root cause found")
}

// submission is one as Slack delivers it.
func submission(user, view, where string) object {
	field := func(v object) object { return v }
	return object{
		"type": "view_submission", "api_app_id": app, "team": object{"id": team}, "user": object{"id": user, "team_id": team},
		"view": object{"id": view, "type": "modal", "callback_id": "netdiag_ask", "private_metadata": `{"v":1,"c":"C0OPS"}`, "state": object{"values": object{
			"netdiag_what":      object{"netdiag_what": field(object{"type": "static_select", "selected_option": object{"value": "pending"}})},
			"netdiag_namespace": object{"netdiag_namespace": field(object{"type": "external_select", "selected_option": object{"value": "n:backend"}})},
			"netdiag_where":     object{"netdiag_where": field(object{"type": "conversations_select", "selected_conversation": where})},
		}}},
	}
}

// The same submission twice is one question; those who may not ask can't by a forged one, nor into a shared channel.
func TestForgedAndRepeatedSubmissions(t *testing.T) {
	r := newRig(t)
	done := r.inOrder()
	alienated := submission(maya, "V3", ops)
	alienated["user"] = object{"id": maya, "team_id": "T0OTHER"}
	evil := submission(maya, "V5", ops)
	evil["api_app_id"] = "A0EVIL"
	other := submission(maya, "V6", ops)
	other["view"].(object)["callback_id"] = "somebody_elses"
	for i, p := range []object{
		submission(guest, "V1", ops), submission(alien, "V2", ops), alienated, submission(maya, "V4", ally), evil, other,
		submission(maya, "V7", ops), submission(maya, "V7", ops),
	} {
		r.deliver(i, p)
	}
	r.card(r.root(0, "root cause found"))
	done()
	if n := r.world.questions(); n != 1 || len(r.Messages(ops)) != 1 {
		t.Errorf("%d diagnoses, %d messages:\n%s", n, len(r.Messages(ops)), r.Transcript())
	}
}

// A cluster that doesn't answer keeps no form from being used: names can be typed, and it is not asked all the time.
func TestFormWithoutTheCluster(t *testing.T) {
	r, c := formed(t)
	c.change(func() { c.gate = func(context.Context) error { return errors.New("forbidden") } })
	if err := r.Shortcut(r.context(), maya, anywhere); err != nil {
		t.Fatal(err)
	}
	v := r.modal(maya, anyForm)
	for _, typed := range []string{"b", "ba", "Backend "} {
		if got := r.suggest(maya, v, "netdiag_namespace", typed); len(got) != 1 || got[0] != strings.ToLower(strings.TrimSpace(typed)) {
			t.Errorf("for %q there is offered %q", typed, got)
		}
	}
	asked := func() int {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.reads
	}
	for ctx := r.context(); asked() < 2 && ctx.Err() == nil; { // it is asked in the background
		runtime.Gosched()
	}
	if reads := asked(); reads != 2 { // namespaces and ingresses
		t.Errorf("the cluster was asked %d times", reads)
	}
	if problems := r.submit(maya, map[string]string{"netdiag_namespace": "backend"}); problems != nil {
		t.Fatal(problems)
	}
	r.direct(maya, 0, "root cause found")

	// When it answers again, that is noticed; and from then on once a minute while forms are used.
	c.change(func() { c.gate = nil })
	r.clock.advance(6 * time.Second)
	if err := r.Shortcut(r.context(), maya, anywhere); err != nil {
		t.Fatal(err)
	}
	v = r.modal(maya, anyForm)
	if got := r.suggest(maya, v, "netdiag_namespace", "web"); len(got) != 2 {
		t.Errorf("offered %q", got)
	}
	c.change(func() { c.namespaces = []string{"webs"} })
	if got := r.suggest(maya, v, "netdiag_namespace", "web"); len(got) != 2 {
		t.Errorf("within a minute there is offered %q", got)
	}
	r.clock.advance(time.Minute)
	for ctx := r.context(); len(r.suggest(maya, v, "netdiag_namespace", "web")) != 1; {
		if ctx.Err() != nil {
			t.Fatal("never read again")
		}
	}
}

// A cluster that hangs doesn't keep Slack waiting.
func TestFormWhileTheClusterHangs(t *testing.T) {
	r, c := formed(t)
	block := make(chan struct{})
	defer close(block)
	hang := blocked(block)
	c.change(func() { c.gate = func(ctx context.Context) error { return hang(ctx, diagnostics.Target{}) } })
	if err := r.Shortcut(r.context(), maya, anywhere); err != nil {
		t.Fatal(err)
	}
	v := r.modal(maya, anyForm)
	if got := r.suggest(maya, v, "netdiag_namespace", "backend"); len(got) != 1 {
		t.Errorf("offered %q", got)
	}
}

// Names of the cluster are for those who may ask.
func TestSuggestionsForStrangers(t *testing.T) {
	r, _ := formed(t)
	if err := r.Shortcut(r.context(), maya, anywhere); err != nil {
		t.Fatal(err)
	}
	v := r.modal(maya, anyForm)
	for _, user := range []string{guest, alien} {
		if got := r.suggest(user, v, "netdiag_namespace", "back"); len(got) != 0 {
			t.Errorf("%s is offered %q", user, got)
		}
	}
	r.Fault("users.info", slack.Fault{Error: "internal_error", Times: 2}) // who opened the form may be looked up still
	if got := r.suggest(jonas, v, "netdiag_namespace", "back"); len(got) != 0 {
		t.Errorf("somebody of whom nothing is known is offered %q", got)
	}
}
