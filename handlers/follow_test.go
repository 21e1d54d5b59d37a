package handlers_test

import (
	"strings"
	"testing"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/remedy"
	"github.com/netdiag/netdiag/internal/sim/slack"
)

// A fix that can't be made is put to nobody: its card says which permission is missing and how to do it by hand.
func TestCardOfWhatCanNotBeMade(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		b.book.Patience = time.Minute
		b.world.denied = "eks:UpdateAddon is denied to role netdiag-fix: allow it on addon/prod-cluster/vpc-cni"
		b.execute()
		defer b.connect(b.config())()
		b.ask(maya, ops, "/netdiag pending backend")
		root := b.root(0, "root cause found")
		card := b.reply(root, func(m slack.Message) bool {
			return strings.HasPrefix(m.Plain(), "Fix: ") && strings.Contains(m.Plain(), b.world.denied)
		})
		for _, want := range []string{"nobody is asked to approve it", "By hand:", "aws eks update-addon"} {
			if !strings.Contains(card.Plain(), want) {
				t.Errorf("the card lacks %q:\n%s", want, card.Plain())
			}
		}
		if len(card.Buttons()) != 0 {
			t.Error("the card has buttons")
		}
		b.settled()
	})
}

// While no executor answers, people are asked all the same, and told so; once one has tried the change the card says no more of it.
func TestCardWithoutAnExecutor(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		b.book.Patience = 10 * time.Second
		defer b.connect(b.config())()
		b.ask(maya, ops, "/netdiag pending backend")
		root := b.root(0, "root cause found")
		card := b.card(root)
		if !strings.Contains(card.Plain(), "No executor has answered") {
			t.Errorf("the card:\n%s", card.Plain())
		}
		b.execute()
		b.reply(root, func(m slack.Message) bool {
			return m.TS == card.TS && len(m.Buttons()) == 2 && !strings.Contains(m.Plain(), "No executor")
		})
	})
}

// A fix that is overtaken leads to the same question anew, in the same thread, with one line that says why.
func TestAskedAnew(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		defer b.connect(b.config())()
		b.ask(maya, ops, "/netdiag pending backend")
		root := b.root(0, "root cause found")
		card := b.card(root)
		b.decide(jonas, card, "Approve", nil)
		b.world.mu.Lock()
		b.world.name = "unknown" // by the time it is looked at again
		b.world.mu.Unlock()
		b.execute()
		b.reply(root, says("Something else is right by now, so the same question is asked anew"))
		b.reply(root, func(m slack.Message) bool { return strings.HasPrefix(m.Plain(), "pending backend") && m.TS != root.TS })
		b.stored(func(f casebook.Remediation) bool { return f.Status.Posted["card-final"] != "" })
		time.Sleep(time.Minute)
		if n := b.world.questions(); n != 2 {
			t.Errorf("%d diagnoses for people", n)
		}
		if n := len(b.roots()); n != 1 {
			t.Errorf("%d messages outside the thread", n)
		}
	})
}

// What an owner reverts is told, 20 minutes later, and asked anew.
func TestUndoneByItsOwner(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		defer b.connect(b.config())()
		root, _ := fixed(t, b)
		time.Sleep(time.Minute)
		b.world.mu.Lock()
		b.world.tuned = false // by EKS
		b.world.mu.Unlock()
		time.Sleep(30 * time.Minute)
		b.reply(root, says("The change did not last, so the same question is asked anew"))
		b.reply(root, func(m slack.Message) bool {
			return strings.Contains(m.Plain(), "It did not last: at ") && strings.HasPrefix(m.Plain(), "Fix: ")
		})
		b.until(func(s *slack.State) bool {
			n := 0
			for _, m := range s.Thread(ops, root.TS) {
				if len(m.Buttons()) == 2 {
					n++
				}
			}
			return n == 1 // the new card
		})
		b.once()
	})
}

// Fixes of high risk ask for the name of what they change.
func TestNameOfWhatIsChanged(t *testing.T) {
	r := newRig(t)
	r.world.only = &diagnostics.Fix{ID: "pending/enable-prefix-delegation", Title: "Prefixes", Executable: true, Action: &remedy.Action{DaemonSetEnv: &remedy.DaemonSetEnv{
		Namespace: "kube-system", Name: "aws-node", Container: "aws-node", Set: map[string]string{"ENABLE_PREFIX_DELEGATION": "true"},
	}}}
	r.start(r.config())
	r.ask(maya, ops, "/netdiag pending backend")
	card := r.card(r.root(0, "root cause found"))
	target := r.fixes()[0].Plan.Target
	if v := r.consider(jonas, card, "Approve"); !strings.Contains(v.Plain(), target) {
		t.Errorf("the modal:\n%s", v.Plain())
	}
	for _, typed := range []string{"daemonset/kube-system/aws", strings.ToUpper(target)} {
		problems := r.submit(jonas, map[string]string{"netdiag_name": typed})
		if len(problems) != 1 || !strings.Contains(problems["netdiag_name"], "not what would be changed") {
			t.Errorf("%q: %v", typed, problems)
		}
		r.undecided()
	}
	if problems := r.submit(jonas, map[string]string{"netdiag_name": " " + target}); len(problems) > 0 {
		t.Error(problems)
	}
	r.whisper(jonas, ops, "This fix needs 2 approvals and has 1")
	r.decide(aisha, card, "Reject", nil) // needs no name
	r.whisper(aisha, ops, "Your rejection is recorded")
}

// The most dangerous kinds have no button, whatever a report says of them.
func TestKindsWithoutAButton(t *testing.T) {
	for _, id := range []string{"pending/custom-networking", "pending/new-node-group", "pending/cluster-subnets"} {
		if kind := diagnostics.FixByID(id); kind.ID == "" || kind.Executable {
			t.Errorf("the catalogue says of %s: %+v", id, kind)
		}
		r := newRig(t)
		r.world.only = &diagnostics.Fix{ID: id, Title: "A new range", Commands: []string{"aws ec2 associate-vpc-cidr-block --vpc-id vpc-1"}}
		stop := r.start(r.config())
		r.ask(maya, ops, "/netdiag pending backend")
		root := r.root(0, "root cause found")
		r.told(1)
		r.until(func(s *slack.State) bool {
			for _, m := range s.Thread(ops, root.TS)[1:] {
				for _, button := range m.Buttons() {
					if button.ActionID == "netdiag_approve" {
						t.Errorf("%s has a button", id)
					}
				}
			}
			return true
		})
		r.press(maya, r.reply(root, says("asked for this.")), "Show commands")
		r.reply(root, says("associate-vpc-cidr-block"))
		if n := len(r.fixes()); n != 0 {
			t.Errorf("%d records of %s", n, id)
		}
		stop()
	}
}

// Whoever follows a fix hears that changes are stopped, and that they go on.
func TestHaltIsAnnounced(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		defer b.connect(b.config())()
		b.ask(maya, ops, "/netdiag pending backend")
		b.card(b.root(0, "root cause found"))
		b.ask(aisha, ops, "/netdiag stop")
		b.root(1, "Changes are stopped by <@U0AISHA>")
		b.ask(maya, ops, "/netdiag stop") // tells nobody anew
		b.ask(jonas, ops, "/netdiag resume")
		b.root(2, "Changes go on, resumed by <@U0JONAS>")
		time.Sleep(time.Minute)
		if n := len(b.roots()); n != 3 {
			t.Errorf("%d messages in the channel", n)
		}
	})
}
