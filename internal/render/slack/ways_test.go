package slack_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/remedy"
	"github.com/netdiag/netdiag/internal/render/slack"
)

func questions() []diagnostics.Diagnosis {
	return []diagnostics.Diagnosis{
		{Name: "pending", Usage: "<namespace>", Doc: "# Why pods wait\n\nReads pods, events and subnets.\n\n* one\n* two"},
		{Name: "alb", Usage: "<ingress> [-n namespace]", Doc: "# Why a load balancer answers 5xx\n"},
	}
}

func TestHelp(t *testing.T) {
	uses := []slack.Use{{Text: "status", Does: "tells how it is"}, {Text: "ping", Does: "tells whether netdiag hears you"}}
	golden(t, "help",
		slack.Help("/netdiag", questions(), uses, ""),
		slack.Help("", questions(), uses, ""),
		slack.Help("@netdiag", questions(), nil, "pending"),
	)
}

// entries are questions in every state, one of them hostile, asked today and the day before.
func entries(t *testing.T) []slack.Entry {
	full := report(t, "full")
	var out []slack.Entry
	for i, s := range []casebook.InvestigationStatus{
		{Phase: casebook.Received}, {Phase: casebook.Diagnosing}, {Phase: casebook.Reported, Report: &full},
		{Phase: casebook.Faulted, Error: "There is no namespace \"<!channel>\" \u202e`now`."},
	} {
		q := question()
		q.Command = fmt.Sprintf("pending backend-%d", i)
		inv := casebook.Investigation{Name: fmt.Sprint("inv-", i), Created: noon.Add(-time.Duration(i) * 5 * time.Hour), Question: q, Status: s}
		e := slack.Entry{Case: casebook.Case{Investigation: inv}}
		if i > 0 {
			e.Link = fmt.Sprintf("https://acme.slack.com/archives/C01/p170000000000000%d", i)
		}
		out = append(out, e)
	}
	return out
}

func state(t *testing.T) slack.Status {
	return slack.Status{
		Cluster: "prod-cluster", Region: "us-west-2", Further: []string{"staging in eu-west-1"}, Connection: "Slack greeted me last at 11:59:00 UTC", Running: entries(t)[:2], Waiting: 2, Places: 36,
	}
}

func TestWays(t *testing.T) {
	inv := casebook.Investigation{Name: "inv-abc", Question: question()}
	idle := state(t)
	idle.Running, idle.Fixes = nil, true
	halted := idle
	halted.Stopped = "Changes are stopped by <@U0123ABCD> since 24 November 11:58:00 UTC."
	gone := inv
	gone.Status = casebook.InvestigationStatus{Phase: casebook.Faulted, Error: "The cluster did not answer. Check it, then ask again."}
	golden(t, "ways",
		slack.Unanswered(gone), slack.NoMember(inv), slack.HowToInvite("netdiag", "/netdiag", inv), slack.ChannelsOnly("/netdiag", inv),
		slack.History(entries(t), noon), slack.History(nil, noon),
		slack.StatusMessage(state(t), noon), slack.StatusMessage(idle, noon), slack.StatusMessage(halted, noon),
	)
}

// goldenViews is golden for modals and the Home tab.
func goldenViews(t *testing.T, name string, views ...any) {
	t.Helper()
	goldenJSON(t, name, views)
	for i, v := range views {
		checkView(t, fmt.Sprint(name, " ", i), v)
	}
}

// checkView measures the JSON of a view against the limits that Slack documents.
func checkView(t *testing.T, name string, v any) {
	t.Helper()
	length := func(path string, x any, least, most int) {
		t.Helper()
		if o, ok := x.(map[string]any); ok {
			if o["type"] != "plain_text" {
				t.Errorf("%s%s: type %v", name, path, o["type"])
			}
			x = o["text"]
		}
		s, _ := x.(string)
		if n := utf8.RuneCountInString(s); n < least || n > most {
			t.Errorf("%s%s: %d characters, from %d to %d", name, path, n, least, most)
		}
	}
	if n := len(encode(t, v)); n > 250_000 {
		t.Errorf("%s: %d bytes", name, n)
	}
	ids := map[string]bool{}
	walk(t, v, func(path string, o map[string]any) {
		if id, ok := o["block_id"].(string); ok {
			if ids[id] {
				t.Errorf("%s%s: block id %q again", name, path, id)
			}
			ids[id] = true
			length(path, id, 1, 255)
		}
		switch o["type"] {
		case "modal":
			length(path, o["title"], 1, 24)
			length(path, o["close"], 1, 24)
			if o["submit"] != nil {
				length(path, o["submit"], 1, 24)
			}
			length(path, o["callback_id"], 1, 255)
			length(path, o["private_metadata"], 0, 3000)
		case "mrkdwn", "markdown", "broadcast", "usergroup", "emoji":
			t.Errorf("%s%s: a live %v", name, path, o["type"])
		case "link":
			if url, _ := o["url"].(string); !strings.HasPrefix(url, "https://acme.slack.com/archives/C") {
				t.Errorf("%s%s: a live link to %v", name, path, url)
			}
		case "header":
			length(path, o["text"], 1, 150)
		case "input":
			length(path, o["label"], 1, 2000)
			if o["hint"] != nil {
				length(path, o["hint"], 1, 2000)
			}
		case "button":
			length(path, o["text"], 1, 75)
		case "external_select", "static_select", "plain_text_input", "conversations_select":
			length(path, o["action_id"], 1, 255)
			if o["placeholder"] != nil {
				length(path, o["placeholder"], 1, 150)
			}
			length(path, o["initial_value"], 0, 3000)
		case "text":
			length(path, o["text"], 1, 3000)
		}
		if o["text"] != nil && o["value"] != nil && o["type"] == nil { // an option
			length(path, o["text"], 1, 75)
			length(path, o["value"], 1, 75)
		}
		if blocks, ok := o["blocks"].([]any); ok && len(blocks) > 100 {
			t.Errorf("%s%s: %d blocks", name, path, len(blocks))
		}
	})
}

func TestForm(t *testing.T) {
	long := strings.Repeat("a", 200) + "/" + strings.Repeat("b", 253)
	goldenViews(t, "form",
		slack.FormView(slack.Form{Diagnosis: "pending", Metadata: `{"v":1}`}, questions()),
		slack.FormView(slack.Form{Diagnosis: "pending", Namespace: "backend", Pod: "api-1", Where: "C01", Thread: true, Note: "I filled in <!channel>."}, questions()),
		slack.FormView(slack.Form{Diagnosis: "alb", Namespace: "backend", Ingress: long, Turn: 1, Where: "C01"}, questions()),
		slack.FormView(slack.Form{Diagnosis: "pending", Clusters: []string{"prod-cluster", "staging"}, Cluster: "staging"}, questions()),
		slack.FormRefusal("Only full members can ask."),
	)
	var clusters []string
	for i := range 200 {
		clusters = append(clusters, fmt.Sprint(strings.Repeat("c", 97), i))
	}
	many := questions()
	for i := range 200 {
		many = append(many, diagnostics.Diagnosis{Name: fmt.Sprint("q", i), Doc: "# " + strings.Repeat("why ", 100)})
	}
	checkView(t, "enormous", slack.FormView(slack.Form{
		Diagnosis: "pending", Namespace: long, Pod: long, Note: strings.Repeat("note ", 10_000), Metadata: strings.Repeat("m", 4000), Clusters: clusters,
	}, many))
}

func TestHome(t *testing.T) {
	rem := remediation(t, casebook.AwaitingApproval)
	var many []slack.Entry
	for range 30 {
		many = append(many, entries(t)...)
	}
	h := slack.Home{
		Rights: []string{"Ask.", "Approve all fixes <!here>."}, Asked: entries(t), Status: state(t), Begin: "/netdiag",
		Open: []slack.Open{{Remediation: rem, Link: "https://acme.slack.com/archives/C01/p1700000000000000"}, {Remediation: rem}},
	}
	goldenViews(t, "home", slack.HomeView(h, noon), slack.HomeView(slack.Home{Status: state(t), Begin: "/netdiag"}, noon), slack.HomeView(slack.Home{Refusal: "Only full members can ask."}, noon))
	rem.Plan.Fix.Title, rem.Plan.Target = strings.Repeat("x", 5000), strings.Repeat("y", 5000)
	rem.Plan.Fix.Action = &remedy.Action{}
	h.Asked, h.Open, h.Rights = many, nil, nil
	for range 200 {
		h.Open, h.Rights = append(h.Open, slack.Open{Remediation: rem}), append(h.Rights, strings.Repeat("z", 4000))
	}
	checkView(t, "enormous", slack.HomeView(h, noon))
}

// However many and however long the names are, the answer is small enough for an acknowledgement, and says what it leaves out.
func TestSuggestions(t *testing.T) {
	var short, long []string
	for i := range 340 {
		short = append(short, fmt.Sprintf("team-%03d", i))
		long = append(long, fmt.Sprintf("%s/%s-%03d", strings.Repeat("n", 63), strings.Repeat("\u00fc<&>", 60), i))
	}
	for name, c := range map[string]struct {
		names []string
		note  string
		says  string
	}{
		"none":  {nil, "", `{"options":[]}`},
		"note":  {short[:2], "Taken as typed", `"label":{"type":"plain_text","text":"Taken as typed"`},
		"short": {short, "", "100 of 340: type more to find the others"},
		"long":  {long, "", " of 340: type more to find the others"},
	} {
		answer := slack.Suggestions(c.names, c.note)
		checkView(t, name, answer)
		js := encode(t, answer)
		b, err := json.Marshal(answer) // as slack-go sends it
		if err != nil || len(b) >= 20_000-200 {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
		if !strings.Contains(js, c.says) {
			t.Errorf("%s: %.300s lacks %q", name, js, c.says)
		}
	}
}

func TestOption(t *testing.T) {
	long := strings.Repeat("n", 63) + "/" + strings.Repeat("i", 250)
	other := strings.Repeat("n", 63) + "/" + strings.Repeat("i", 249) + "j"
	for _, name := range []string{"a", "backend", strings.Repeat("x", 73), strings.Repeat("x", 74), long, other} {
		if got := slack.OptionName(slack.OptionValue(name), []string{other, name}); got != name {
			t.Errorf("%.20s… comes back as %.20s…", name, got)
		}
	}
	for value, want := range map[string]string{"": "", "n:": "", "k:0": "", "x": "", slack.OptionValue(long): "", "n:kube-system": "kube-system"} {
		if got := slack.OptionName(value, []string{"a", other}); got != want {
			t.Errorf("OptionName(%q) = %q, want %q", value, got, want)
		}
	}
	if o := slack.Option(other); !strings.HasSuffix(o.Text.Text, "ij") || !strings.HasPrefix(o.Text.Text, "nn") {
		t.Errorf("a long name is shown as %q", o.Text.Text)
	}
}
