package handlers_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/handlers"
	"github.com/netdiag/netdiag/internal/sim/slack"
)

func TestNonsenseIsAnsweredToThePersonAlone(t *testing.T) {
	r := newRig(t)
	r.start(r.config())
	for text, want := range map[string]string{
		"":                         "What you can ask",
		"help":                     "/netdiag pending <namespace>",
		"help pending":             "Reads things.",
		"ping":                     "I hear you. I look at cluster prod-cluster in us-west-2.",
		"pendnig backend":          "Did you mean pending backend?",
		"pending":                  "pending needs a namespace",
		"pending a b c":            "at most one pod",
		"alb":                      "alb needs an ingress",
		"🔥🔥🔥":                      "is no command",
		"@channel <!channel>":      "is no command",
		"pending <!here>":          "can't be a namespace",
		strings.Repeat("a", 4000):  "is no command",
		strings.Repeat("🔥 ", 1500): "is no command",
		"help me please":           "there is no help on",
		"alb a\u202eb":             "takes one ingress",
	} {
		if got := r.ask(maya, ops, "/netdiag "+text); !strings.Contains(got, want) {
			t.Errorf("%.60q is answered %q, want %q", text, got, want)
		}
	}
	r.until(func(s *slack.State) bool {
		if ms := s.Messages(ops); len(ms) > 0 {
			t.Errorf("the channel saw %q", ms[0].Plain())
		}
		return true
	})
	if r.world.questions() != 0 {
		t.Error("something was diagnosed")
	}
}

func TestRefusalOfADiagnosis(t *testing.T) {
	r := newRig(t)
	r.start(r.config())
	r.world.meanwhile(func(_ context.Context, target diagnostics.Target) error {
		return diagnostics.Refusal(`There is no namespace "` + target.Namespace + `". Did you mean backend?`)
	})
	r.ask(maya, ops, "/netdiag pending bakend")
	r.root(0, `There is no namespace "bakend". Did you mean backend?`)
}

func TestGuestsAreRefused(t *testing.T) {
	r := newRig(t)
	r.start(r.config())
	if got := r.ask(guest, ops, "/netdiag pending backend"); !strings.Contains(got, "Only full members") {
		t.Errorf("a guest is told %q", got)
	}
	r.Fault("users.info", slack.Fault{Error: "internal_error", Times: 1})
	if got := r.ask(maya, ops, "/netdiag pending backend"); !strings.Contains(got, "Something went wrong inside netdiag") {
		t.Errorf("without facts about the person, she is told %q", got)
	}
}

// A channel has a namespace and a cluster of its own, a question may name others, and fixes are offered for the first cluster alone.
func TestChannelsAndClusters(t *testing.T) {
	r := newRig(t)
	c := r.config()
	c.Clusters = []diagnostics.Target{{Cluster: "staging", Region: "eu-west-1", Account: "444455556666"}}
	c.Channels = map[string]handlers.Usual{ops: {Namespace: "backend", Cluster: "staging"}}
	r.start(c)
	asked := make(chan diagnostics.Target, 4)
	r.world.meanwhile(func(_ context.Context, t diagnostics.Target) error { asked <- t; return nil })
	for i, question := range []struct {
		line string
		want diagnostics.Target
	}{
		{"/netdiag pending", diagnostics.Target{Cluster: "staging", Region: "eu-west-1", Account: "444455556666", Namespace: "backend"}},
		{"/netdiag pending shop --cluster prod-cluster", diagnostics.Target{Cluster: "prod-cluster", Region: "us-west-2", Namespace: "shop"}},
	} {
		if got := r.ask(maya, ops, question.line); got != "" {
			t.Fatalf("%s is answered %q", question.line, got)
		}
		if diff := cmp.Diff(question.want, <-asked); diff != "" {
			t.Errorf("%s (-want +got):\n%s", question.line, diff)
		}
		root := r.root(i, "root cause found")
		if !strings.Contains(root.Plain(), question.want.Cluster) {
			t.Errorf("the message does not name %s: %q", question.want.Cluster, root.Plain())
		}
	}
	r.card(r.root(1, "root cause found"))
	if n := len(r.fixes()); n != 1 || r.fixes()[0].Plan.Question.Target.Cluster != "prod-cluster" {
		t.Errorf("there are %d fixes with buttons: %+v", n, r.fixes())
	}
	for line, want := range map[string]string{
		"/netdiag pending shop --cluster stagin": `I don't look at a cluster "stagin". Did you mean staging?`,
		"/netdiag ping":                          "I look at cluster prod-cluster in us-west-2, staging in eu-west-1.",
	} {
		if got := r.ask(maya, ops, line); !strings.Contains(got, want) {
			t.Errorf("%s is answered %q", line, got)
		}
	}
}

func TestPanicInADiagnosis(t *testing.T) {
	r := newRig(t)
	r.start(r.config())
	r.world.meanwhile(func(context.Context, diagnostics.Target) error { panic("a bug") })
	r.ask(maya, ops, "/netdiag pending backend")
	root := r.root(0, "Something went wrong inside netdiag")
	name := root.Plain()[strings.Index(root.Plain(), "inv-"):]
	name = name[:30]
	r.world.meanwhile(nil)
	r.ask(maya, ops, "/netdiag pending backend")
	r.root(1, "root cause found")
	if n := r.logs.FilterMessage("diagnose").Len(); n != 1 {
		t.Errorf("the fault was logged %d times", n)
	}
	for _, e := range r.logs.FilterMessage("diagnose").All() {
		if e.ContextMap()["investigation"] != name {
			t.Errorf("the log has %v, the message %q", e.ContextMap(), name)
		}
	}
}

func TestBusy(t *testing.T) {
	r := newRig(t)
	c := r.config()
	c.Workers, c.Queue = 1, 1
	r.start(c)
	block := make(chan struct{})
	r.world.meanwhile(blocked(block))
	for _, namespace := range []string{"backend", "web"} {
		if got := r.ask(maya, ops, "/netdiag pending "+namespace); got != "" {
			t.Fatalf("answered %q", got)
		}
	}
	if got := r.ask(maya, ops, "/netdiag pending shop"); !strings.Contains(got, "Busy") {
		t.Errorf("a third question is answered %q", got)
	}
	close(block)
	r.root(1, "root cause found")
	r.root(0, "root cause found")
	if got := r.ask(maya, ops, "/netdiag pending backend"); got != "" {
		t.Errorf("afterwards a question is answered %q", got)
	}
	r.root(2, "root cause found")
}

func TestWhereTheBotIsNoMember(t *testing.T) {
	r := newRig(t)
	r.start(r.config())
	r.ask(maya, quiet, "/netdiag pending backend")
	r.whisper(maya, quiet, "I am no member of this channel")
	r.whisper(maya, quiet, "Root cause found, confirmed")
	invitation := r.Ephemerals(maya, quiet)[0]
	if err := r.Click(r.context(), maya, quiet, invitation.TS, "How to invite me"); err != nil {
		t.Fatal(err)
	}
	r.whisper(maya, quiet, "/invite @netdiag")
	r.world.meanwhile(func(context.Context, diagnostics.Target) error {
		return diagnostics.Refusal("There is no such namespace.")
	})
	r.ask(maya, quiet, "/netdiag pending bakend")
	r.whisper(maya, quiet, "There is no such namespace.\ninv-")
}

func TestProgressIsShown(t *testing.T) {
	r := newRig(t)
	r.start(r.config())
	block := make(chan struct{})
	r.world.meanwhile(blocked(block))
	r.ask(maya, ops, "/netdiag pending backend")
	r.root(0, "reading pods of backend")
	close(block)
	r.root(0, "root cause found")
}
