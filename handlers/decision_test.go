package handlers_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/sim/slack"
)

// consider has a person press a button of a card, and waits for the modal.
func (r *rig) consider(user string, card slack.Message, button string) slack.View {
	r.t.Helper()
	if err := r.Click(r.context(), user, ops, card.TS, button); err != nil {
		r.t.Fatal(err)
	}
	return r.modal(user, func(v slack.View) bool {
		return v.CallbackID == "netdiag_decision" && strings.Contains(v.Plain(), "Plan")
	})
}

// decide has a person press a button of a card, and then that of the modal.
func (r *rig) decide(user string, card slack.Message, button string, values map[string]string) {
	r.t.Helper()
	r.consider(user, card, button)
	if problems := r.submit(user, values); len(problems) > 0 {
		r.t.Fatal(problems)
	}
}

// answered waits until the modal of a person says something.
func (r *rig) answered(user, text string) {
	r.t.Helper()
	r.modal(user, func(v slack.View) bool { return strings.Contains(v.Plain(), text) })
}

// submitted is a decision as Slack delivers it.
func submitted(v slack.View, user string) object {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	var view object
	if err := json.Unmarshal(b, &view); err != nil {
		panic(err)
	}
	return object{
		"type": "view_submission", "api_app_id": app, "token": "x", "team": object{"id": team}, "user": object{"id": user, "team_id": team}, "view": view,
	}
}

// logged waits until the log has n lines of any of these messages, and counts each of them.
func (r *rig) logged(n int, messages ...string) map[string]int {
	r.t.Helper()
	for ctx := r.context(); ctx.Err() == nil; {
		sum, out := 0, map[string]int{}
		for _, m := range messages {
			out[m] = r.logs.FilterMessage(m).Len()
			sum += out[m]
		}
		if sum >= n {
			return out
		}
		r.ask(maya, ops, "/netdiag ping")
	}
	r.t.Fatalf("the log has fewer than %d lines of %q", n, messages)
	return nil
}

// The modal names all that is decided on, from the record, whatever the card shows.
func TestDecisionIsOfTheRecord(t *testing.T) {
	r, root, card := asked(t)
	v := r.consider(jonas, card, "Approve")
	rem := r.fixes()[0]
	for _, want := range []string{"prod-cluster", rem.Plan.Target, rem.Plan.Hash, "WARM_IP_TARGET unset → 2", "Risk: medium", maya, rem.Name} {
		if !strings.Contains(v.Plain(), want) {
			t.Errorf("the modal lacks %q:\n%s", want, v.Plain())
		}
	}
	r.undecided() // it is only shown
	if err := r.CloseModal(r.context(), jonas); err != nil {
		t.Fatal(err)
	}
	r.decide(jonas, card, "Reject", map[string]string{"netdiag_reason": "not during the sale <!channel>"})
	r.whisper(jonas, ops, "Your rejection is recorded")
	r.reply(root, says("Rejected by <@U0JONAS>"))
	r.reply(root, says("not during the sale <!channel>"))
	if d := r.fixes()[0].Status.Decisions; len(d) != 1 || d[0].Reason != "not during the sale <!channel>" {
		t.Errorf("stored: %+v", d)
	}
}

// What happens between the opening of the modal and its button is told in it.
func TestDecisionTooLate(t *testing.T) {
	r, _, card := asked(t)
	r.consider(aisha, card, "Approve")
	r.decide(jonas, card, "Approve", nil)
	r.submit(aisha, nil)
	r.answered(aisha, "Decided already: approved by <@U0JONAS>")
	if d := r.fixes()[0].Status.Decisions; len(d) != 1 {
		t.Errorf("stored: %+v", d)
	}
}

func TestDecisionExpires(t *testing.T) {
	r := newRig(t)
	c := r.config()
	c.LookEvery = time.Hour // nobody has noticed yet
	r.start(c)
	r.ask(maya, ops, "/netdiag pending backend")
	root := r.root(0, "root cause found")
	card := r.card(root)
	r.consider(jonas, card, "Approve")
	r.clock.advance(casebook.ApprovalTTL + time.Second)
	r.submit(jonas, nil)
	r.answered(jonas, "This fix expired")
	r.reply(root, func(m slack.Message) bool { return m.TS == card.TS && len(m.Buttons()) == 0 })
	if s := r.fixes()[0].Status; s.Phase != casebook.Expired || len(s.Decisions) != 0 {
		t.Errorf("stored: %+v", s)
	}
}

// Rights count at the submission, not only when the modal was opened.
func TestDecisionOfWhoMayNotAnyMore(t *testing.T) {
	r, card := grouped(t)
	r.consider(jonas, card, "Approve")
	r.Fault("users.info", slack.Fault{Error: "internal_error"})
	r.clock.advance(time.Minute)
	r.submit(jonas, nil)
	r.answered(jonas, "Slack did not tell me who you are")
	r.consider(jonas, card, "Approve")
	r.SetGroup(netops, aisha)
	r.clock.advance(time.Minute)
	r.submit(jonas, nil)
	r.answered(jonas, "You are not among the approvers")
	r.undecided()
}

// Where Slack doesn't open the modal, the person hears of it.
func TestDecisionThatDoesNotOpen(t *testing.T) {
	r, _, card := asked(t)
	r.Fault("views.open", slack.Fault{Error: "internal_error"})
	if err := r.Click(r.context(), jonas, ops, card.TS, "Approve"); err != nil {
		t.Fatal(err)
	}
	r.whisper(jonas, ops, "did not let me show you the fix in time")
	r.undecided()
}

// A decision that takes longer than Slack waits is answered all the same: in its modal, or where that was closed, in the thread.
func TestSlowDecision(t *testing.T) {
	for name, c := range map[string]struct {
		closed, late bool
		want         string
	}{
		"counts":           {false, false, "Your approval is recorded"},
		"counts, closed":   {true, false, "Your approval is recorded"},
		"too late":         {false, true, "Decided already: approved by <@U0AISHA>"},
		"too late, closed": {true, true, "Decided already: approved by <@U0AISHA>"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bubble) {
				defer b.connect(b.config())()
				b.ask(maya, ops, "/netdiag pending backend")
				card := b.card(b.root(0, "root cause found"))
				b.consider(jonas, card, "Approve")
				if c.late {
					b.decide(aisha, card, "Approve", nil)
				}
				time.Sleep(time.Minute) // the bubble's time: nothing is known of anybody any more
				b.Fault("users.info", slack.Fault{Delay: 2 * time.Second, After: true})
				b.submit(jonas, nil)
				b.answered(jonas, "takes longer than usual")
				if c.closed {
					b.must(b.CloseModal(b.context(), jonas))
					b.whisper(jonas, ops, c.want)
				} else {
					b.answered(jonas, c.want)
				}
			})
		})
	}
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func TestOneDecisionOfMany(t *testing.T) {
	r, _, card := asked(t)
	const times = 20
	views := map[string]slack.View{jonas: r.consider(jonas, card, "Approve"), aisha: r.consider(aisha, card, "Approve")}
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i, user := range []string{jonas, aisha} {
		wg.Go(func() {
			<-start
			for n := range times {
				r.deliver(100*i+n, submitted(views[user], user))
			}
		})
	}
	close(start)
	wg.Wait()
	if n := r.logged(2*times, "decided", "a click too late"); n["decided"] != 1 || n["a click too late"] != 2*times-1 {
		t.Errorf("the log says %v", n)
	}
	if f := r.fixes()[0]; len(f.Status.Decisions) != 1 || f.Status.Phase != casebook.Approved {
		t.Errorf("stored: %+v", f.Status)
	}
}
