package handlers_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/policy"
	"github.com/netdiag/netdiag/internal/sim/slack"
)

const netops = "S0NETOPS"

var byGroup = policy.Policy{Team: team, Askers: []string{policy.Anyone}, Approvers: []policy.Grant{{Groups: []string{netops}}}}

// grouped is a rig whose approvers are the members of a user group, jonas at first, with a card that waits for approval.
func grouped(t *testing.T) (r *rig, card slack.Message) {
	r = newRig(t)
	r.book.Policy = byGroup
	r.start(r.config())
	r.ask(maya, ops, "/netdiag pending backend")
	return r, r.card(r.root(0, "root cause found"))
}

// lookups counts how often Slack was asked who is in a user group.
func (r *rig) lookups() (n int) {
	r.until(func(s *slack.State) bool {
		for _, c := range s.Calls() {
			if c.Method == "usergroups.users.list" {
				n++
			}
		}
		return true
	})
	return n
}

func (r *rig) undecided() {
	r.t.Helper()
	if s := r.fixes()[0].Status; s.Phase != casebook.AwaitingApproval || len(s.Decisions) != 0 {
		r.t.Errorf("stored: %+v", s)
	}
}

func TestApproversByGroup(t *testing.T) {
	r, card := grouped(t)
	r.deliver(1, payload(card, aisha))
	r.whisper(aisha, ops, "You are not among the approvers")
	r.deliver(2, payload(card, aisha))
	r.whispers(aisha, 2)
	if n := r.lookups(); n != 1 {
		t.Errorf("Slack was asked %d times who is in the group", n)
	}
	r.undecided()
	r.home(jonas, "Approve or reject all fixes")
	lacks(t, "who is in no group", r.home(aisha, "What you may do"), "Approve or reject all fixes")
	r.decide(jonas, card, "Approve", nil)
	r.whisper(jonas, ops, "Your approval is recorded")
}

// Without Slack's word nobody is in a group: not from an old look-up, and not for want of a new one.
func TestGroupThatSlackDoesNotTell(t *testing.T) {
	r, card := grouped(t)
	r.home(jonas, "Approve or reject all fixes")
	r.clock.advance(time.Minute)
	r.Fault("usergroups.users.list", slack.Fault{Error: "internal_error", Times: 2})
	r.home(jonas, "did not tell me who is in user group "+netops)
	r.deliver(1, payload(card, jonas))
	r.whisper(jonas, ops, "Slack did not tell me who is in user group "+netops)
	r.undecided()
	if n := len(r.logs.FilterMessage("look up user groups").All()); n != 1 { // of the Home tab; a refused click has a line of its own
		t.Errorf("%d lines in the log", n)
	}
	r.decide(jonas, card, "Approve", nil)
	r.whisper(jonas, ops, "Your approval is recorded")
}

// Who left the group can't decide from the moment that Slack says so, even where an answer from before comes in late.
func TestGroupChanges(t *testing.T) {
	for name, late := range map[string]time.Duration{"known before": 0, "asked before": time.Second} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bubble) {
				b.book.Policy = byGroup
				defer b.connect(b.config())()
				b.ask(maya, ops, "/netdiag pending backend")
				card := b.card(b.root(0, "root cause found"))
				b.Fault("usergroups.users.list", slack.Fault{Delay: late, After: true})
				b.OpenHome(jonas)
				time.Sleep(late / 2) // the bubble's time
				synctest.Wait()
				b.SetGroup(netops, aisha)
				synctest.Wait()
				b.until(func(s *slack.State) bool { // that was true when it was opened
					v, _ := s.Home(jonas)
					return strings.Contains(v.Plain(), "Approve or reject all fixes")
				})
				b.deliver(1, payload(card, jonas))
				b.whisper(jonas, ops, "You are not among the approvers")
				b.undecided()
				b.decide(aisha, card, "Approve", nil)
				b.whisper(aisha, ops, "Your approval is recorded")
			})
		})
	}
}
