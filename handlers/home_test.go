package handlers_test

import (
	"strings"
	"testing"
	"time"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/sim/slack"
)

// home opens the Home tab and waits until it says something.
func (r *rig) home(user, says string) slack.View {
	r.t.Helper()
	r.OpenHome(user)
	var v slack.View
	r.until(func(s *slack.State) bool {
		var ok bool
		v, ok = s.Home(user)
		return ok && strings.Contains(v.Plain(), says)
	})
	return v
}

// links lists the addresses that a view leads to.
func links(v any) []string {
	var out []string
	switch v := v.(type) {
	case []slack.Block:
		for _, b := range v {
			out = append(out, links(b)...)
		}
	case []any:
		for _, e := range v {
			out = append(out, links(e)...)
		}
	case map[string]any:
		if v["type"] == "link" {
			return []string{v["url"].(string)}
		}
		for _, e := range v {
			out = append(out, links(e)...)
		}
	}
	return out
}

// lacks checks that a view says none of these.
func lacks(t *testing.T, who string, v slack.View, words ...string) {
	t.Helper()
	for _, w := range words {
		if strings.Contains(v.Plain(), w) {
			t.Errorf("the Home tab of %s says %q:\n%s", who, w, v.Plain())
		}
	}
}

// Each person sees their own questions, what they may decide, and what they may do.
func TestHome(t *testing.T) {
	r, _, card := asked(t)
	r.clock.advance(time.Minute)
	r.say(maya, maya, "", "pending secret-plan")
	r.direct(maya, 0, "root cause found")
	r.told(2) // and what was posted is noted, without which there is no link

	v := r.home(maya, "pending secret-plan")
	for _, want := range []string{
		"pending backend 10:30 UTC: root cause found, confirmed", "see the answer", "Waiting for your decision\nNothing.", "Ask, here and in every channel",
		"Approve or reject all fixes", "prod-cluster in us-west-2", "fixes are offered with buttons", "to Slack, heard without a break since", "of 36 places taken",
	} {
		if !strings.Contains(v.Plain(), want) {
			t.Errorf("the Home tab of who asked lacks %q:\n%s", want, v.Plain())
		}
	}
	own := links(v.Blocks)
	if len(own) != 2 || !strings.HasPrefix(own[0], r.url+"/archives/D0MAYA/p1") || !strings.HasPrefix(own[1], r.url+"/archives/C0OPS/p1") {
		t.Errorf("the links lead to %q", own)
	}

	v = r.home(jonas, "Keep 2 spare addresses")
	lacks(t, "the approver", v, "secret-plan", "pending backend")
	link := r.url + "/archives/C0OPS/p" + strings.ReplaceAll(card.TS, ".", "") + "?thread_ts=" + card.ThreadTS + "&cid=C0OPS"
	if got := links(v.Blocks); len(got) != 1 || got[0] != link {
		t.Errorf("the links lead to %q, want %q", got, link)
	}
	r.decide(jonas, card, "Approve", nil)
	r.whisper(jonas, ops, "Your approval is recorded")
	lacks(t, "who has approved", r.home(jonas, "Waiting for your decision\nNothing."), "Keep 2 spare")
}

// A fix that needs two approvals waits for the second person, and not for the first any more.
func TestHomeBetweenTwoApprovals(t *testing.T) {
	r := newRig(t)
	r.world.extra = []string{"pending/enable-prefix-delegation"}
	r.start(r.config())
	r.ask(maya, ops, "/netdiag pending backend")
	root := r.root(0, "root cause found")
	card := r.reply(root, func(m slack.Message) bool {
		return len(m.Buttons()) == 2 && strings.Contains(m.Plain(), "Further fix") && strings.Contains(m.Plain(), "2 persons")
	})
	r.stored(func(f casebook.Remediation) bool { return f.Status.Card.TS == card.TS })
	r.home(jonas, "Further fix")
	r.decide(jonas, card, "Approve", map[string]string{"netdiag_name": "daemonset/kube-system/aws-node"})
	r.whisper(jonas, ops, "needs 2 approvals and has 1")
	r.OpenHome(jonas)
	r.until(func(s *slack.State) bool {
		v, _ := s.Home(jonas)
		return !strings.Contains(v.Plain(), "Further fix")
	})
	r.home(aisha, "Further fix")
}

// A fix that nobody can decide on any more waits for nobody.
func TestHomeAfterExpiry(t *testing.T) {
	r := newRig(t)
	c := r.config()
	c.LookEvery = time.Hour // nobody has noticed yet
	r.start(c)
	r.ask(maya, ops, "/netdiag pending backend")
	r.card(r.root(0, "root cause found"))
	r.home(aisha, "Keep 2 spare")
	r.clock.advance(casebook.ApprovalTTL + time.Second)
	lacks(t, "the approver", r.home(aisha, "Waiting for your decision\nNothing."), "Keep 2 spare")
}

func TestHomeOfThoseWhoMayNotAsk(t *testing.T) {
	r, _, _ := asked(t)
	lacks(t, "a guest", r.home(guest, "Only full members"), "prod-cluster", "pending", "Keep 2", "Ask,")
	lacks(t, "a stranger", r.home(alien, "This is not the workspace"), "prod-cluster", "pending", "Keep 2")
	r.Fault("users.info", slack.Fault{Error: "internal_error"})
	lacks(t, "somebody of whom nothing is known", r.home(jonas, "I can't read my records"), "prod-cluster", "Keep 2")
}

// From the button of the Home tab to an answer in a direct message.
func TestAskFromHome(t *testing.T) {
	r, _ := formed(t)
	v := r.home(maya, "netdiag")
	if err := r.Act(r.context(), slack.Action{User: maya, View: v.ID, Label: "Ask"}); err != nil {
		t.Fatal(err)
	}
	form := r.modal(maya, anyForm)
	r.suggest(maya, form, "netdiag_namespace", "")
	if problems := r.submit(maya, map[string]string{"netdiag_namespace": "backend"}); problems != nil {
		t.Fatal(problems)
	}
	r.direct(maya, 0, "root cause found")
	r.home(maya, "pending backend")
}

// The messages tab is no Home tab.
func TestOtherTabs(t *testing.T) {
	r := newRig(t)
	r.start(r.config())
	r.event("tab", 0, mentioned("1.000001", object{"type": "app_home_opened", "tab": "messages"}))
	r.home(jonas, "netdiag")
	if _, ok := r.Home(maya); ok {
		t.Error("a Home tab was published for who did not open it")
	}
}
